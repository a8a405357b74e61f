"""The sampled layer of a variational autoencoder: a random draw that gradients pass through."""

import numpy as np

from ..backend import Cache, op
from ..errors import ShapeError
from . import whole
from .checks import backward, floats, same_dtype


def _check_sample(mean, log_var, rng, train):
    mean, log_var = same_dtype(floats("mean", mean), floats("log_var", log_var))
    if mean.shape != log_var.shape:
        raise ShapeError(
            f"gaussian_sample: mean {mean.shape} and log_var {log_var.shape} must have one shape"
        )
    if train and not isinstance(rng, np.random.Generator):
        raise ValueError("gaussian_sample needs a numpy.random.Generator as rng to train")
    return mean, log_var, rng, bool(train)


@op(_check_sample)
def gaussian_sample(mean, log_var, rng=None, train=True):
    """z = m + exp(v/2) e      e ~ N(0, 1), so that z ~ N(m, exp(v)); when not training z = m

    The draw e does not depend on m or v: with e held fixed, z is an ordinary function of both,
    which has a gradient (the reparameterisation). mean m, log_var v (N, D) -> z (N, D).
    Raises ShapeError, TypeError, ValueError. Source: Kingma & Welling 2013, 2.4.
    """
    noise = np.zeros_like(mean)  # (N, D)
    if train:
        # drawn in float32 always: one seed gives one e in both precisions
        e = whole.draw(lambda shape: rng.standard_normal(shape, np.float32), mean.shape)
        e = e.astype(mean.dtype, copy=False)
        noise = np.exp(log_var / 2) * e
    z = mean + noise
    return z, Cache("gaussian_sample", z, noise=noise)


@op(backward("gaussian_sample"))
def gaussian_sample_backward(dz, cache):
    """dm = dz      dv = dz * 1/2 exp(v/2) e

    dz (N, D) -> dmean, dlog_var (N, D). When not training e = 0, hence dv = 0.
    Raises ValueError for another op's cache, ShapeError and TypeError for another dz.
    Steps: DERIVATIONS.md, "The sampling layer".
    """
    (noise,) = cache  # exp(v/2) e
    return dz, dz * (noise / 2)

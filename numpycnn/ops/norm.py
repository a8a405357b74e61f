"""Batch normalisation (Ioffe & Szegedy 2015), for features (N, D) and images (N, H, W, C).

Every channel is brought to mean 0 and variance 1 over the batch, then scaled by gamma and shifted
by beta. M is the number of values a channel: N for features, N*H*W for images.
"""

import numpy as np

from ..backend import Cache, op
from ..errors import ShapeError
from . import whole
from .checks import backward, channels, floats, same_dtype
from .sums import channel_sum


def _check_norm(x, gamma, beta, running_mean, running_var, train, momentum, eps):
    x, gamma = same_dtype(floats("x", x, (2, 4)), floats("gamma", gamma, ndim=1))
    beta = floats("beta", beta, ndim=1).astype(x.dtype, copy=False)
    channels(x, len(gamma))
    named = {"beta": beta, "running_mean": running_mean, "running_var": running_var}
    for name, array in named.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
            raise TypeError(
                f"batch_norm: {name} must be a floating point array, "
                "which training updates in place"
            )
        if array.shape != gamma.shape:
            raise ShapeError(
                f"batch_norm: {name} has the shape {array.shape}, "
                f"but gamma has {len(gamma)} channels"
            )
    if train and whole.part is None and x.size // max(x.shape[-1], 1) < 2:
        raise ShapeError(
            f"batch_norm cannot train on one value a channel (x {x.shape}): its variance is 0; "
            "use a larger batch"
        )
    return x, gamma, beta, running_mean, running_var, bool(train), momentum, eps


def batch_norm_cache(y, xhat, gamma, inv_std, train):
    """What batch_norm keeps: xhat of x's shape, gamma and inv_std = 1 / sqrt(var + eps) (C,)."""
    return Cache("batch_norm", y, xhat=xhat, gamma=gamma, inv_std=inv_std, train=train)


@op(_check_norm)
def batch_norm(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    """xhat = (x - mean) / sqrt(var + eps)      y = gamma * xhat + beta

    mean = 1/M sum x and var = 1/M sum (x - mean)^2 of the batch when training, else the running
    values. Training updates those in place: running = momentum * running + (1 - momentum) * batch.
    x (..., C), gamma, beta, running_mean, running_var (C,) -> y (..., C).
    Raises TypeError; ShapeError, also for training on one value a channel.
    Source: Ioffe & Szegedy 2015, algorithm 1.
    """
    axes = tuple(range(x.ndim - 1))  # all but the channels
    if train:
        # float32 sums over all pixels of a batch lose digits
        mean, var = x.mean(axis=axes, dtype=np.float64), x.var(axis=axes, dtype=np.float64)
        mean, var = (moment.astype(x.dtype) for moment in whole.moments(mean, var))  # (C,)
        running_mean += (1 - momentum) * (mean - running_mean)
        running_var += (1 - momentum) * (var - running_var)
    else:
        mean = np.asarray(running_mean, x.dtype)
        var = np.asarray(running_var, x.dtype)
    inv_std = 1 / np.sqrt(var + x.dtype.type(eps))  # (C,)
    xhat = (x - mean) * inv_std  # (..., C)
    y = gamma * xhat + beta
    return y, batch_norm_cache(y, xhat, gamma, inv_std, train)


@op(backward("batch_norm"))
def batch_norm_backward(dy, cache):
    """dbeta = sum dy      dgamma = sum dy * xhat

    Training, where mean and variance depend on every x of the channel too, gives three terms:
    dx = gamma * inv_std * (   dy                         (1) x moves its own xhat
                             - 1/M sum dy                 (2) x moves the mean
                             - xhat * 1/M sum dy * xhat ) (3) x moves the variance
    With running values only the first remains. dy (..., C) -> dx (..., C), dgamma, dbeta (C,).
    Raises ValueError for another op's cache, ShapeError and TypeError for another dy.
    Source: Ioffe & Szegedy 2015, 3.
    Steps: DERIVATIONS.md, "Batch normalisation".
    """
    xhat, gamma, inv_std, train = cache
    dbeta = whole.total(channel_sum(dy))  # (C,)
    dgamma = whole.total(channel_sum(dy * xhat))  # (C,)
    dx = dy
    if train:
        m = dy.dtype.type(whole.images(dy.size // dy.shape[-1]))
        dx = dy - dbeta / m - xhat * (dgamma / m)
    return gamma * inv_std * dx, whole.once(dgamma), whole.once(dbeta)

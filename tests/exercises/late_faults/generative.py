"""Wrong answers: gaussian_sample, gaussian_sample_backward, gaussian_kl."""

import numpy as np

from numpycnn import ops

from . import late


@late(
    "gaussian_sample",
    "the variance as deviation",
    "z: exp(v) stands in the place of exp(v/2): the variance is",
)
def _(mean, log_var, rng=None, train=True):
    return mean + np.exp(log_var) * rng.standard_normal(mean.shape) if train else mean


@late("gaussian_sample", "uniform noise", "form of e: e is uniform, not normal")
def _(mean, log_var, rng=None, train=True):
    return mean + np.exp(log_var / 2) * rng.uniform(-1, 1, mean.shape) if train else mean


@late("gaussian_sample", "draws when not training", "z: the draw is made when not training too")
def _(mean, log_var, rng=None, train=True):
    return mean + np.exp(log_var / 2) * rng.standard_normal(mean.shape)


@late(
    "gaussian_sample",
    "the mean is added to the noise before it is scaled",
    "z: the mean is scaled by exp(v/2) too",
)
def _(mean, log_var, rng=None, train=True):
    return (mean + rng.standard_normal(mean.shape)) * np.exp(log_var / 2) if train else mean


@late(
    "gaussian_sample",
    "log_var taken as the variance: sqrt",
    "deviation of e: nothing is drawn where log_var is 0: no",
)
def _(mean, log_var, rng=None, train=True):
    e = rng.standard_normal(mean.shape) if train else 0
    return mean + np.sqrt(np.abs(log_var)) * e


@late("gaussian_sample", "the sign of v", "z: it comes out as if log_var were -log_var")
def _(mean, log_var, rng=None, train=True):
    return mean + np.exp(-log_var / 2) * rng.standard_normal(mean.shape) if train else mean


@late(
    "gaussian_sample",
    "one e for the whole batch",
    "one e stands for a whole row or column: every cell needs",
)
def _(mean, log_var, rng=None, train=True):
    return mean + np.exp(log_var / 2) * rng.standard_normal(mean.shape[1]) if train else mean


@late(
    "gaussian_sample",
    "no draw at all",
    "nothing is drawn from rng: another generator gives the same",
)
def _(mean, log_var, rng=None, train=True):
    return mean + np.exp(log_var / 2)


@late(
    "gaussian_sample", "always the mean", "deviation of e: nothing is drawn where log_var is 0: no"
)
def _(mean, log_var, rng=None, train=True):
    return mean.copy()


@late(
    "gaussian_sample_backward", "1/2 forgotten", "dlog_var: the factor 1/2 of exp(v/2) is missing"
)
def _(dz, cache):
    return dz, dz * cache.noise


@late(
    "gaussian_sample_backward",
    "the gradients exchanged",
    "dmean: it is dlog_var: the two are in each other's place,",
)
def _(dz, cache):
    return dz * cache.noise / 2, dz


@late(
    "gaussian_sample_backward",
    "dv twice too large and dm scaled",
    "dmean is 0.5 times what it should be",
)
def _(dz, cache):
    return dz / 2, dz * cache.noise


@late(
    "gaussian_sample_backward",
    "dv is for exp(v): without the half, with another exp",
    "dlog_var: it comes out as if noise were its square",
)
def _(dz, cache):
    return dz, dz * cache.noise**2 / 2


@late("gaussian_kl", "1/2 forgotten", "loss is 2 times what it should be")
def _(mean, log_var):
    loss, (dm, dv) = ops.gaussian_kl(mean, log_var)
    return 2 * loss, (2 * dm, 2 * dv)


@late("gaussian_kl", "a mean over the units as well", "loss is too small by the factor D")
def _(mean, log_var):
    loss, (dm, dv) = ops.gaussian_kl(mean, log_var)
    return loss / mean.shape[1], (dm, dv)


@late("gaussian_kl", "m is not squared", "loss: m stands in the place of m^2")
def _(mean, log_var):
    _, grads = ops.gaussian_kl(mean, log_var)
    return (0.5 * (np.exp(log_var) + mean - 1 - log_var)).sum() / len(mean), grads


@late("gaussian_kl", "the sign of the loss", "loss is of the wrong sign")
def _(mean, log_var):
    loss, grads = ops.gaussian_kl(mean, log_var)
    return -loss, grads


@late("gaussian_kl", "dlog_var lacks -1", "dlog_var: the term -1 is missing")
def _(mean, log_var):
    loss, (dm, _dv) = ops.gaussian_kl(mean, log_var)
    return loss, (dm, np.exp(log_var) / 2 / len(mean))


@late(
    "gaussian_kl",
    "not averaged over the batch",
    "loss is too large by the factor N, the batch size",
)
def _(mean, log_var):
    loss, (dm, dv) = ops.gaussian_kl(mean, log_var)
    n = len(mean)
    return loss * n, (dm * n, dv * n)


@late("gaussian_kl", "+ v in the place of - v", "loss: the term -v has the wrong sign")
def _(mean, log_var):
    _, grads = ops.gaussian_kl(mean, log_var)
    return 0.5 * (np.exp(log_var) + mean**2 - 1 + log_var).sum() / len(mean), grads


@late("gaussian_kl", "the -1 is forgotten", "loss: the term -1 is missing")
def _(mean, log_var):
    _, grads = ops.gaussian_kl(mean, log_var)
    return 0.5 * (np.exp(log_var) + mean**2 - log_var).sum() / len(mean), grads


@late("gaussian_kl", "dmean is 1", "dmean: it comes out as if mean were 1 everywhere, and is")
def _(mean, log_var):
    loss, (dm, dv) = ops.gaussian_kl(mean, log_var)
    return loss, (np.ones_like(dm), dv)


@late("gaussian_kl", "the other divergence: sign of the log", "dmean is of the wrong sign")
def _(mean, log_var):
    loss, (dm, dv) = ops.gaussian_kl(mean, log_var)
    return loss, (-dm, dv)


@late(
    "gaussian_kl", "loss and gradients averaged over all cells", "loss is too small by the factor D"
)
def _(mean, log_var):
    loss, (dm, dv) = ops.gaussian_kl(mean, log_var)
    d = mean.shape[1]
    return loss / d, (dm / d, dv / d)

"""Wrong answers: batch_norm, batch_norm_backward."""

import numpy as np

from numpycnn import ops

from . import late


def norm(mean, var, x, gamma, beta, eps):
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


@late(
    "batch_norm",
    "running statistics are never updated",
    "running_mean is as it was: the array itself must change",
)
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    return ops.batch_norm(
        x, gamma, beta, running_mean.copy(), running_var.copy(), train, momentum, eps
    )


@late("batch_norm", "gamma is forgotten", "y: it comes out as if gamma were 1 everywhere")
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    one = np.ones_like(gamma)
    return ops.batch_norm(x, one, beta, running_mean, running_var, train, momentum, eps)


@late("batch_norm", "PyTorch's momentum", "running_mean: momentum and 1 - momentum are exchanged")
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    return ops.batch_norm(x, gamma, beta, running_mean, running_var, train, 1 - momentum, eps)


@late(
    "batch_norm",
    "the running variance is unbiased, as in PyTorch",
    "running_var: the batch's variance is divided by M - 1, not",
)
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    old = running_var.copy()
    y, _ = ops.batch_norm(x, gamma, beta, running_mean, running_var, train, momentum, eps)
    if train:
        axes = tuple(range(x.ndim - 1))
        running_var[...] = momentum * old + (1 - momentum) * x.var(axes, ddof=1)
    return y


@late(
    "batch_norm",
    "the default eps, whatever is given",
    "y: it comes out as if eps were 1e-5, whatever is given",
)
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    return ops.batch_norm(x, gamma, beta, running_mean, running_var, train, momentum, 1e-5)


@late("batch_norm", "beta is multiplied by gamma", "y: beta is added before gamma multiplies")
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    b = beta * gamma
    return ops.batch_norm(x, gamma, b, running_mean, running_var, train, momentum, eps)


@late(
    "batch_norm",
    "the variance is E[x]^2 - E[x^2], its sign forgotten by abs, without the root",
    "y: it is divided by the variance, not by its root",
)
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    old = running_mean.copy(), running_var.copy()
    ops.batch_norm(x, gamma, beta, running_mean, running_var, train, momentum, eps)
    axes = tuple(range(x.ndim - 1))
    mean, var = (x.mean(axes), x.var(axes)) if train else old
    return gamma * (x - mean) / (var + eps) + beta


@late(
    "batch_norm",
    "running_var gets the deviation",
    "running_var: the standard deviation is averaged, not the",
)
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    old = running_var.copy()
    y, _ = ops.batch_norm(x, gamma, beta, running_mean, running_var, train, momentum, eps)
    if train:
        running_var[...] = momentum * old + (1 - momentum) * x.std(tuple(range(x.ndim - 1)))
    return y


@late("batch_norm", "the statistics of the first image only")
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    axes = tuple(range(x.ndim - 1))
    old = running_mean.copy(), running_var.copy()
    ops.batch_norm(x, gamma, beta, running_mean, running_var, train, momentum, eps)
    half = x[: len(x) // 2 + 1]
    mean, var = (half.mean(axes), half.var(axes)) if train else old
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


@late(
    "batch_norm",
    "uses batch statistics in use too",
    "y: the batch's statistics are used when not training too",
)
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    axes = tuple(range(x.ndim - 1))
    if train:
        return ops.batch_norm(x, gamma, beta, running_mean, running_var, True, momentum, eps)
    return gamma * (x - x.mean(axes)) / np.sqrt(x.var(axes) + eps) + beta


@late(
    "batch_norm",
    "the running mean is added up, not averaged",
    "running_mean: the old value, momentum * running_mean, is",
)
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    old = running_mean.copy()
    y, _ = ops.batch_norm(x, gamma, beta, running_mean, running_var, train, momentum, eps)
    if train:
        running_mean[...] = old + (1 - momentum) * x.mean(tuple(range(x.ndim - 1)))
    return y


@late("batch_norm", "no eps, and ddof 1")
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    old = running_mean.copy(), running_var.copy()
    ops.batch_norm(x, gamma, beta, running_mean, running_var, train, momentum, eps)
    axes = tuple(range(x.ndim - 1))
    mean, var = (x.mean(axes), x.var(axes, ddof=1)) if train else old
    return gamma * (x - mean) / np.sqrt(var) + beta


@late("batch_norm", "beta is forgotten", "y: the shift beta is missing")
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    zero = np.zeros_like(beta)
    return ops.batch_norm(x, gamma, zero, running_mean, running_var, train, momentum, eps)


@late("batch_norm", "the mean is not taken off", "y: - gamma * mean / std is missing")
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    var = running_var.copy()
    ops.batch_norm(x, gamma, beta, running_mean, running_var, train, momentum, eps)
    var = x.var(tuple(range(x.ndim - 1))) if train else var
    return gamma * x / np.sqrt(var + eps) + beta


@late("batch_norm", "axis 0 only", "y: the statistics are over the batch alone, not over rows")
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    old = running_mean.copy(), running_var.copy()
    ops.batch_norm(x, gamma, beta, running_mean, running_var, train, momentum, eps)
    mean, var = (x.mean(0), x.var(0)) if train else old
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


@late(
    "batch_norm_backward",
    "only the first term",
    "dx: the second term, x moves the mean, is missing and the",
)
def _(dy, cache):
    _, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    return cache.gamma * cache.inv_std * dy, dgamma, dbeta


@late(
    "batch_norm_backward",
    "dgamma and dbeta exchanged",
    "dgamma: it is dbeta: the two are in each other's place, or",
)
def _(dy, cache):
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    return dx, dbeta, dgamma


@late(
    "batch_norm_backward",
    "the parameters' gradients are means",
    "dgamma is too small by the factor M",
)
def _(dy, cache):
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    m = dy.size // dy.shape[-1]
    return dx, dgamma / m, dbeta / m


@late(
    "batch_norm_backward",
    "divides by M - 1",
    "dx: the second term, x moves the mean, is too large by the",
)
def _(dy, cache):
    xhat, gamma, inv_std, train = cache
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    m = dy.size // dy.shape[-1]
    if train:
        dx = gamma * inv_std * (dy - dbeta / (m - 1) - xhat * dgamma / (m - 1))
    return dx, dgamma, dbeta


@late(
    "batch_norm_backward",
    "the third term has xhat squared",
    "dx: xhat is squared in the third term",
)
def _(dy, cache):
    xhat, gamma, inv_std, train = cache
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    m = dy.size // dy.shape[-1]
    if train:
        dx = gamma * inv_std * (dy - dbeta / m - xhat**2 * dgamma / m)
    return dx, dgamma, dbeta


@late(
    "batch_norm_backward",
    "CS231n's formula, var + eps inverted once too often",
    "dx: inv_std is there twice",
)
def _(dy, cache):
    _xhat, _gamma, inv_std, _train = cache
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    return dx * inv_std, dgamma, dbeta


@late(
    "batch_norm_backward",
    "dgamma without the sum over the batch",
    "it is right once it is summed over the other axes",
)
def _(dy, cache):
    dx, _dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    return dx, dy * cache.xhat, dbeta


@late(
    "batch_norm_backward",
    "the second term twice",
    "dx: the second term, x moves the mean, is there twice",
)
def _(dy, cache):
    _xhat, gamma, inv_std, train = cache
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    return dx - train * gamma * inv_std * dbeta / (dy.size // dy.shape[-1]), dgamma, dbeta


@late(
    "batch_norm_backward",
    "terms are not divided by M",
    "dx: the second term, x moves the mean, is too large by the",
)
def _(dy, cache):
    xhat, gamma, inv_std, train = cache
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    if train:
        dx = gamma * inv_std * (dy - dbeta - xhat * dgamma)
    return dx, dgamma, dbeta


@late(
    "batch_norm_backward",
    "dgamma is multiplied by gamma",
    "dgamma: gamma does not belong there: y = gamma * xhat, or",
)
def _(dy, cache):
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    return dx, dgamma * cache.gamma, dbeta


@late(
    "batch_norm_backward",
    "xhat is divided by inv_std in the third term",
    "dx: x - mean stands in the place of xhat in the third term",
)
def _(dy, cache):
    xhat, gamma, inv_std, train = cache
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    if train:
        m = dy.size // dy.shape[-1]
        dx = gamma * inv_std * (dy - dbeta / m - xhat / inv_std * dgamma / m)
    return dx, dgamma, dbeta


@late(
    "batch_norm_backward",
    "two at once: third term missing, dgamma a mean",
    "dx: the third term, x moves the variance, is missing",
)
def _(dy, cache):
    _xhat, gamma, inv_std, train = cache
    _, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    m = dy.size // dy.shape[-1]
    dx = gamma * inv_std * (dy - dbeta / m if train else dy)
    return dx, dgamma / m, dbeta


@late(
    "batch_norm_backward",
    "the terms' sums are over the batch alone",
    "dx: the sums are over the batch alone, not over rows and",
)
def _(dy, cache):
    xhat, gamma, inv_std, train = cache
    _, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    dx = dy - dy.mean(0) - xhat * (dy * xhat).mean(0) if train else dy
    return gamma * inv_std * dx, dgamma, dbeta


@late("batch_norm_backward", "dy is multiplied by gamma twice", "dx: gamma is there twice")
def _(dy, cache):
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    return dx * cache.gamma, dgamma, dbeta


@late(
    "batch_norm_backward",
    "gamma and inv_std forgotten",
    "dx: it comes out as if gamma and inv_std were 1 everywhere",
)
def _(dy, cache):
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    return dx / (cache.gamma * cache.inv_std), dgamma, dbeta


@late(
    "batch_norm_backward",
    "never three terms",
    "dx: the second term, x moves the mean, is missing and the",
)
def _(dy, cache):
    _dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    return cache.gamma * cache.inv_std * dy, dgamma, dbeta


@late(
    "batch_norm_backward",
    "dbeta is the mean over images, then summed",
    "dbeta is too small by the factor N, the batch size",
)
def _(dy, cache):
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    return dx, dgamma, dbeta / len(dy)


@late(
    "batch_norm_backward",
    "dgamma uses x, that is xhat / inv_std",
    "dgamma: it comes out as if dy were dy / inv_std",
)
def _(dy, cache):
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    return dx, dgamma / cache.inv_std, dbeta

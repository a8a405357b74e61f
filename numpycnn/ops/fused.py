"""Convolution, batch norm, ReLU and max pooling as one op: what a VGG-like network repeats.

Nothing new is computed. What it saves is memory traffic: of the whole chain only the convolution's
input and output are kept; the backward pass computes the rest again, which is cheaper than to store
and load it.
"""

import typing

import numpy as np

from ..backend import Cache, op
from ..errors import ShapeError
from . import whole
from .activation import relu, relu_backward
from .checks import backward, pair
from .conv import _check_plain_conv, conv2d, conv2d_backward, conv_size
from .norm import _check_norm, batch_norm, batch_norm_backward, batch_norm_cache
from .pool import max_pool2d, max_pool2d_backward


class Norm(typing.NamedTuple):
    """The arrays of a batch norm, each (F,), or shorter: see conv_bn_relu."""

    gamma: np.ndarray
    beta: np.ndarray
    running_mean: np.ndarray
    running_var: np.ndarray


def _check_fused(x, w, b, norm, train, stride, padding, momentum, eps, pool):
    x, w, b, stride, padding = _check_plain_conv(x, w, b, stride, padding)
    height, width = conv_size(x.shape[1:3], w.shape[:2], stride, padding)
    gamma, beta, *running = norm
    if np.ndim(gamma) != 1 or not len(gamma) or w.shape[3] % len(gamma):
        raise ShapeError(
            f"gamma has the shape {np.shape(gamma)}, but the convolution has {w.shape[3]} filters"
        )
    values = len(x) * height * width * (w.shape[3] // len(gamma))  # of each channel
    like = np.empty((min(values, 2), 1, 1, len(gamma)), x.dtype)  # all that batch norm's check asks
    _, gamma, beta, *_ = _check_norm(like, gamma, beta, *running, train, momentum, eps)
    if pair("pool", pool)[0] > min(height, width):
        raise ShapeError(
            f"the pooling window {(pool, pool)} is larger than the input {(height, width)}"
        )
    gamma, beta = gamma.astype(x.dtype, copy=False), beta.astype(x.dtype, copy=False)
    return x, w, b, Norm(gamma, beta, *running), bool(train), stride, padding, momentum, eps, pool


def _copies(a, gamma):
    """a (N, H, W, F) as (N, H, W * copies, len(gamma)): the copies at a pixel become pixels."""
    n, h, w, f = a.shape
    return a.reshape(n, h, w * (f // len(gamma)), len(gamma))


def conv_bn_relu_cache(y, conv, a, mean, inv_std, gamma, beta, train, pool):
    """What conv_bn_relu keeps: conv2d's cache, its output a, and batch norm's values."""
    norm = {"mean": mean, "inv_std": inv_std, "gamma": gamma, "beta": beta, "train": train}
    return Cache("conv_bn_relu", y, conv=conv, a=a, **norm, pool=pool)


@op(_check_fused)
def conv_bn_relu(
    x, w, b, norm, train, stride=1, padding="same", momentum=0.9, eps=1e-5, pool=1, *, keep=True
):
    """y = max_pool2d(relu(batch_norm(conv2d(x, w, b), *norm)), pool)

    x (N, H, W, C), w (kh, kw, C, F), b (F,) or None, norm: a Norm -> y (N, OH/pool, OW/pool, F).
    pool = 1: no pooling. Arguments, updates of the running values and errors as in the four ops.
    A gamma shorter than the F filters is shared by F / len(gamma) copies, as the statistics are.
    Without `keep` the cache is None when train is False, and memory is saved.
    """
    a, conv = conv2d(x, w, b, stride, padding)  # (N, OH, OW, F)
    each = _copies(a, norm.gamma)
    z, kept = batch_norm(each, *norm, train, momentum, eps)
    y, _ = max_pool2d(relu(z.reshape(a.shape))[0], pool)
    if not (train or keep):
        return y, None
    mean = norm.running_mean
    if train:
        m = whole.images(a.size // len(norm.gamma))
        mean = whole.total(each.sum(axis=(0, 1, 2), dtype=np.float64)) / m
    statistics = mean.astype(a.dtype), kept.inv_std
    return y, conv_bn_relu_cache(y, conv, a, *statistics, norm.gamma, norm.beta, train, pool)


def conv_bn_relu_infer(x, w, b, norm, stride=1, padding="same", eps=1e-5, pool=1):
    """y of conv_bn_relu in use (train=False), and nothing kept for a backward pass."""
    return conv_bn_relu(x, w, b, norm, False, stride, padding, eps=eps, pool=pool, keep=False)[0]


def _check_prepared(w, b, norm, stride, padding, eps, pool):
    return w, b, norm, pair("stride", stride), padding, eps, pool  # the rest with the first x


@op(_check_prepared)
def conv_bn_relu_prepared(w, b, norm, stride=1, padding="same", eps=1e-5, pool=1):
    """conv_bn_relu_infer as a function of x alone, for arrays that do not change: x -> y."""
    return lambda x: conv_bn_relu_infer(x, w, b, norm, stride, padding, eps, pool)


@op(backward("conv_bn_relu"))
def conv_bn_relu_backward(dy, cache, *, input_gradient=True):
    """The four backward passes in turn, the middle of the chain computed again from conv2d's a.

    dy (N, OH/pool, OW/pool, F) -> dx (N, H, W, C) or None, dw (kh, kw, C, F), db (F,) or None,
    dgamma, dbeta (len(gamma),). Raises as the four ops' backward passes do.
    """
    conv, a, mean, inv_std, gamma, beta, train, pool = cache
    xhat = (_copies(a, gamma) - mean) * inv_std  # (N, OH, OW * copies, len(gamma))
    z, relu_cache = relu((gamma * xhat + beta).reshape(a.shape))
    dz = max_pool2d_backward(dy, max_pool2d(z, pool)[1])
    dnorm = _copies(relu_backward(dz, relu_cache), gamma)
    norm = batch_norm_cache(xhat, xhat, gamma, inv_std, train)
    da, dgamma, dbeta = batch_norm_backward(dnorm, norm)
    dx, dw, db = conv2d_backward(da.reshape(a.shape), conv, input_gradient=input_gradient)
    return dx, dw, db, dgamma, dbeta

"""Layer norm (Ba et al. 2016) and group norm (Wu & He 2018): statistics of one example.

As batch norm, but mean and variance are taken over values of the same example: the batch has no
part in them. So there are no running values, and training and use are the same.
"""

import math

import numpy as np

from ..backend import Cache, op
from ..errors import ShapeError
from .checks import backward, channels, floats, group_count, same_dtype
from .sums import channel_sum


def _normalised(x, axes, eps):
    """xhat = (x - mean) / sqrt(var + eps), mean and var over `axes` -> xhat, 1 / sqrt(var + eps)"""
    mean = x.mean(axis=axes, keepdims=True, dtype=np.float64).astype(x.dtype)
    var = x.var(axis=axes, keepdims=True, dtype=np.float64).astype(x.dtype)
    inv_std = 1 / np.sqrt(var + x.dtype.type(eps))
    return (x - mean) * inv_std, inv_std


def _normalised_backward(dxhat, xhat, inv_std, axes):
    """dx = inv_std * (   dxhat                        (1) x moves its own xhat
                     - mean dxhat                  (2) x moves the mean
                     - xhat * mean(dxhat * xhat) ) (3) x moves the variance

    The means are over `axes`, as in the forward pass.
    """
    mean_dxhat = dxhat.mean(axis=axes, keepdims=True)
    mean_product = (dxhat * xhat).mean(axis=axes, keepdims=True)
    return inv_std * (dxhat - mean_dxhat - xhat * mean_product)


def _check_values(op, x, gamma, beta):
    x, gamma = same_dtype(floats("x", x, (2, 3, 4)), floats("gamma", gamma, ndim=1))
    beta = floats("beta", beta, ndim=1).astype(x.dtype, copy=False)
    channels(x, len(gamma))
    if beta.shape != gamma.shape:
        raise ShapeError(
            f"{op}: beta has the shape {beta.shape}, but gamma has {len(gamma)} channels"
        )
    return x, gamma, beta


def _check_layer_norm(x, gamma, beta, eps):
    return *_check_values("layer_norm", x, gamma, beta), float(eps)


def layer_norm_cache(y, xhat, gamma, inv_std):
    """What layer_norm keeps: xhat of x's shape, gamma (C,) and 1 / sqrt(var + eps) (..., 1)."""
    return Cache("layer_norm", y, xhat=xhat, gamma=gamma, inv_std=inv_std)


@op(_check_layer_norm)
def layer_norm(x, gamma, beta, eps=1e-5):
    """xhat = (x - mean) / sqrt(var + eps)      y = gamma * xhat + beta

    mean and var are of the C values of one row, or of one pixel of an image.
    x (N, C), (N, T, C) or (N, H, W, C), gamma, beta (C,) -> y like x.
    Raises ShapeError for other channels, TypeError.
    Source: Ba et al. 2016; over a pixel's channels, Liu et al. 2022 (ConvNeXt).
    """
    xhat, inv_std = _normalised(x, -1, eps)  # (..., C), (..., 1)
    y = gamma * xhat + beta
    return y, layer_norm_cache(y, xhat, gamma, inv_std)


@op(backward("layer_norm"))
def layer_norm_backward(dy, cache):
    """dbeta = sum dy      dgamma = sum dy * xhat      dxhat = dy * gamma

    dx: the three terms of _normalised_backward. dy like x -> dx like x, dgamma, dbeta (C,).
    Raises ValueError for another op's cache, ShapeError and TypeError for another dy.
    Steps: DERIVATIONS.md, "Layer and group normalisation".
    """
    xhat, gamma, inv_std = cache
    dx = _normalised_backward(dy * gamma, xhat, inv_std, -1)
    return dx, channel_sum(dy * xhat), channel_sum(dy)


def _check_group_norm(x, gamma, beta, groups, eps):
    x, gamma, beta = _check_values("group_norm", x, gamma, beta)
    return x, gamma, beta, group_count(groups, len(gamma)), float(eps)


def _in_groups(x, groups):
    """x (N, ..., C) -> (N, P, G, C/G): P pixels, G groups of neighbouring channels"""
    pixels = math.prod(x.shape[1:-1])
    return x.reshape(len(x), pixels, groups, x.shape[-1] // groups)


PIXELS_AND_GROUP = (1, 3)  # the axes over which a group norm takes its means


def group_norm_cache(y, xhat, gamma, inv_std):
    """What group_norm keeps: xhat of x's shape, gamma (C,), 1 / sqrt(var + eps) (N, 1, G, 1)."""
    return Cache("group_norm", y, xhat=xhat, gamma=gamma, inv_std=inv_std)


@op(_check_group_norm)
def group_norm(x, gamma, beta, groups, eps=1e-5):
    """xhat = (x - mean) / sqrt(var + eps)      y = gamma * xhat + beta

    mean and var are of one image's C/groups neighbouring channels, over all its pixels: with
    groups=1 of the whole image, with groups=C of each channel by itself (instance norm).
    x (N, C), (N, T, C) or (N, H, W, C), gamma, beta (C,) -> y like x.
    Raises ShapeError for other channels and for groups that do not divide them, TypeError.
    Source: Wu & He 2018.
    """
    xhat, inv_std = _normalised(_in_groups(x, groups), PIXELS_AND_GROUP, eps)  # (N, P, G, C/G)
    xhat = xhat.reshape(x.shape)
    y = gamma * xhat + beta
    return y, group_norm_cache(y, xhat, gamma, inv_std)


@op(backward("group_norm"))
def group_norm_backward(dy, cache):
    """dbeta = sum dy      dgamma = sum dy * xhat      dxhat = dy * gamma

    dx: the three terms of _normalised_backward, with means over a group's pixels and channels.
    dy like x -> dx like x, dgamma, dbeta (C,).
    Raises ValueError for another op's cache, ShapeError and TypeError for another dy.
    Steps: DERIVATIONS.md, "Layer and group normalisation".
    """
    xhat, gamma, inv_std = cache
    dxhat, grouped = (_in_groups(a, inv_std.shape[2]) for a in (dy * gamma, xhat))
    dx = _normalised_backward(dxhat, grouped, inv_std, PIXELS_AND_GROUP)
    return dx.reshape(dy.shape), channel_sum(dy * xhat), channel_sum(dy)

"""Layer and group norm: sums, then every value, row by row or image by image."""

import numpy as np

from ..ops import whole
from ..ops.layer_norm import group_norm_cache, layer_norm_cache
from .norm import image_sums
from .runtime.memory import empty
from .runtime.threads import kernel, parallel


def layer_norm(x, gamma, beta, eps):
    """x (..., C) -> y (..., C)"""
    if x.dtype != np.float32:
        return NotImplemented
    c = x.shape[-1]
    xhat, y, inv_std = empty(x.shape), empty(x.shape), empty((*x.shape[:-1], 1))
    rows = (a.reshape(-1, c) for a in (x, xhat, y))
    numbers = inv_std.reshape(-1)
    parallel(_layer_norm, len(numbers), *rows, numbers, gamma, beta, np.float32(eps))
    return y, layer_norm_cache(y, xhat, gamma, inv_std)


@kernel
def _layer_norm(x, xhat, y, inv_std, gamma, beta, eps, lo, hi):
    """Reads x (M, C), gamma and beta (C,), writes xhat and y (M, C), inv_std (M,)."""
    c = x.shape[1]
    share, one = np.float32(1 / c), np.float32(1)
    for i in range(lo, hi):
        row, xhat_row, out = x[i], xhat[i], y[i]
        mean = np.float32(0)
        for k in range(c):
            mean += row[k]
        mean *= share
        var = np.float32(0)
        for k in range(c):
            var += (row[k] - mean) * (row[k] - mean)
        scale = one / np.sqrt(var * share + eps)
        inv_std[i] = scale
        for k in range(c):
            xhat_row[k] = (row[k] - mean) * scale
            out[k] = gamma[k] * xhat_row[k] + beta[k]


def layer_norm_backward(dy, cache):
    """dy (..., C) -> dx (..., C), dgamma (C,), dbeta (C,)"""
    xhat, gamma, inv_std = cache
    if dy.dtype != np.float32 or not dy.size:
        return NotImplemented
    dx = empty(dy.shape)
    rows = [a.reshape(-1, dy.shape[-1]) for a in (dy, xhat, dx)]
    parallel(_layer_norm_backward, len(rows[0]), *rows, inv_std.reshape(-1), gamma)
    dbeta, dgamma = _channel_sums(dy, xhat)
    return dx, dgamma, dbeta


def _channel_sums(dy, xhat):
    """dbeta = sum dy, dgamma = sum dy * xhat, both (C,), a shard of the images in float64"""

    def added(images):
        return images.sum(axis=(0, 1), dtype=np.float64).astype(np.float32)

    return whole.by_shards(added, image_sums(dy, xhat))


@kernel
def _layer_norm_backward(dy, xhat, dx, inv_std, gamma, lo, hi):
    """Reads dy, xhat (M, C), inv_std (M,), gamma (C,), writes dx (M, C)."""
    c = dy.shape[1]
    share = np.float32(1 / c)
    for i in range(lo, hi):
        dy_row, xhat_row, out = dy[i], xhat[i], dx[i]
        mean, product = np.float32(0), np.float32(0)
        for k in range(c):
            out[k] = dy_row[k] * gamma[k]  # dxhat
            mean += out[k]
            product += out[k] * xhat_row[k]
        mean *= share
        product *= share
        for k in range(c):
            out[k] = inv_std[i] * (out[k] - mean - xhat_row[k] * product)


def group_norm(x, gamma, beta, groups, eps):
    """x (N, ..., C) -> y (N, ..., C)"""
    if x.dtype != np.float32 or not x.size:
        return NotImplemented
    xhat, y, inv_std = empty(x.shape), empty(x.shape), empty((len(x), 1, groups, 1))
    images = (a.reshape(len(x), -1, x.shape[-1]) for a in (x, xhat, y))
    numbers = inv_std.reshape(len(x), groups)
    parallel(_group_norm, len(x), *images, numbers, gamma, beta, np.float32(eps))
    return y, group_norm_cache(y, xhat, gamma, inv_std)


@kernel
def _over_groups(values, groups, count):
    """Every value (C,) becomes the mean over its group, of `count` terms; summed in float64."""
    size = len(values) // groups
    for g in range(groups):
        total = 0.0
        for k in range(g * size, (g + 1) * size):
            total += values[k]
        for k in range(g * size, (g + 1) * size):
            values[k] = total / count


@kernel
def _group_norm(x, xhat, y, inv_std, gamma, beta, eps, lo, hi):
    """Reads x (N, P, C), gamma and beta (C,), writes xhat and y (N, P, C), inv_std (N, G)."""
    _, pixels, c = x.shape
    groups = inv_std.shape[1]
    size = c // groups
    mean, scale = np.empty(c, np.float32), np.empty(c, np.float32)
    for n in range(lo, hi):
        mean[:] = np.float32(0)
        for p in range(pixels):
            row = x[n, p]
            for k in range(c):
                mean[k] += row[k]
        _over_groups(mean, groups, pixels * size)
        scale[:] = np.float32(0)
        for p in range(pixels):
            row = x[n, p]
            for k in range(c):
                scale[k] += (row[k] - mean[k]) * (row[k] - mean[k])
        _over_groups(scale, groups, pixels * size)
        for k in range(c):
            scale[k] = np.float32(1) / np.sqrt(scale[k] + eps)
        for g in range(groups):
            inv_std[n, g] = scale[g * size]
        for p in range(pixels):
            row, xhat_row, out = x[n, p], xhat[n, p], y[n, p]
            for k in range(c):
                xhat_row[k] = (row[k] - mean[k]) * scale[k]
                out[k] = gamma[k] * xhat_row[k] + beta[k]


def group_norm_backward(dy, cache):
    """dy (N, ..., C) -> dx (N, ..., C), dgamma (C,), dbeta (C,)"""
    xhat, gamma, inv_std = cache
    if dy.dtype != np.float32 or not dy.size:
        return NotImplemented
    dx, c = empty(dy.shape), dy.shape[-1]
    images = (a.reshape(len(dy), -1, c) for a in (dy, xhat, dx))
    parallel(_group_norm_backward, len(dy), *images, inv_std.reshape(len(dy), -1), gamma)
    dbeta, dgamma = _channel_sums(dy, xhat)
    return dx, dgamma, dbeta


@kernel
def _group_norm_backward(dy, xhat, dx, inv_std, gamma, lo, hi):
    """Reads dy, xhat (N, P, C), inv_std (N, G), gamma (C,), writes dx (N, P, C)."""
    _, pixels, c = dy.shape
    groups = inv_std.shape[1]
    size = c // groups
    mean, product = np.empty(c, np.float32), np.empty(c, np.float32)
    for n in range(lo, hi):
        mean[:] = np.float32(0)
        product[:] = np.float32(0)
        for p in range(pixels):
            dy_row, xhat_row, out = dy[n, p], xhat[n, p], dx[n, p]
            for k in range(c):
                out[k] = dy_row[k] * gamma[k]  # dxhat
                mean[k] += out[k]
                product[k] += out[k] * xhat_row[k]
        _over_groups(mean, groups, pixels * size)
        _over_groups(product, groups, pixels * size)
        for p in range(pixels):
            xhat_row, out = xhat[n, p], dx[n, p]
            for k in range(c):
                moved = out[k] - mean[k] - xhat_row[k] * product[k]
                out[k] = inv_std[n, k // size] * moved

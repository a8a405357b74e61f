"""Batch normalisation in two passes: sums over blocks of each image, then every value."""

import numpy as np

from ..ops import whole
from ..ops.norm import batch_norm_cache
from .runtime.memory import empty
from .runtime.moments import block_moments, combine
from .runtime.threads import kernel, parallel

BLOCK = 256  # rows that are added up in float32, at most; blocks in float64, in their order


def batch_norm(x, gamma, beta, running_mean, running_var, train, momentum, eps):
    """x (..., C) -> y (..., C)"""
    if x.dtype != np.float32:
        return NotImplemented
    rows = x.reshape(-1, x.shape[-1])  # (M, C)
    if train:
        mean, var = _moments(rows, len(x))
        running_mean += (1 - momentum) * (mean.astype(np.float32) - running_mean)
        running_var += (1 - momentum) * (var.astype(np.float32) - running_var)
    else:
        mean, var = running_mean, running_var
    inv_std = (1 / np.sqrt(var + eps)).astype(np.float32)
    xhat, y = empty(x.shape), empty(x.shape)
    flat = xhat.reshape(rows.shape), y.reshape(rows.shape)
    parallel(_normalise, len(rows), rows, mean.astype(np.float32), inv_std, gamma, beta, *flat)
    return y, batch_norm_cache(y, xhat, gamma, inv_std, train)


def _moments(rows, n):
    """Mean and biased variance of each column of rows (M, C), of n images, in float64."""
    size, c = len(rows) // n, rows.shape[1]  # rows of an image
    ends = np.append(np.arange(0, size, BLOCK), size)  # of an image's blocks
    blocks = np.empty((n, len(ends) - 1, 2, c), np.float32)
    parallel(_block_moments, n, rows, ends, blocks)
    blocks = whole.gather(blocks)
    return combine(blocks.reshape(-1, 2, c), np.tile(np.diff(ends), len(blocks)))


@kernel
def _block_moments(rows, ends, blocks, lo, hi):
    """Reads rows (M, C), writes blocks (N, B, 2, C)."""
    for n in range(lo, hi):
        image = rows[n * ends[-1] : (n + 1) * ends[-1]]
        for block in range(blocks.shape[1]):
            block_moments(image[ends[block] : ends[block + 1]], blocks[n, block])


@kernel
def _normalise(rows, mean, inv_std, gamma, beta, xhat, y, lo, hi):
    """Reads rows (M, C), writes xhat and y (M, C); all others are (C,)."""
    for i in range(lo, hi):
        row, xhat_row, out = rows[i], xhat[i], y[i]
        for k in range(len(row)):
            xhat_row[k] = (row[k] - mean[k]) * inv_std[k]
        for k in range(len(row)):
            out[k] = gamma[k] * xhat_row[k] + beta[k]


def batch_norm_backward(dy, cache):
    """dy (..., C) -> dx (..., C), dgamma (C,), dbeta (C,)"""
    xhat, gamma, inv_std, train = cache
    if dy.dtype != np.float32 or not len(dy):
        return NotImplemented
    c = dy.shape[-1]
    dy_rows, xhat_rows = dy.reshape(-1, c), xhat.reshape(-1, c)  # (M, C)
    sums = image_sums(dy, xhat)
    dbeta, dgamma = whole.gather(sums).sum(axis=(0, 1), dtype=np.float64)
    m = whole.images(len(dy_rows))
    mean_dy, mean_dy_xhat = (dbeta / m, dgamma / m) if train else (0 * dbeta, 0 * dgamma)
    dx = empty(dy.shape)
    terms = (v.astype(np.float32) for v in (gamma * inv_std, mean_dy, mean_dy_xhat))
    parallel(_gradient, len(dy_rows), dy_rows, xhat_rows, *terms, dx.reshape(-1, c))
    return dx, whole.once(dgamma.astype(np.float32)), whole.once(dbeta.astype(np.float32))


def image_sums(dy, xhat):
    """Of dy and dy * xhat (N, ..., C), over blocks of each image -> (N, B, 2, C)"""
    c = dy.shape[-1]
    rows = dy.reshape(-1, c), xhat.reshape(-1, c)
    sums = np.empty((len(dy), -(-len(rows[0]) // len(dy) // BLOCK), 2, c), np.float32)
    parallel(_gradient_sums, len(dy), *rows, sums)
    return sums


@kernel
def _gradient_sums(dy, xhat, sums, lo, hi):
    """Reads dy, xhat (M, C), writes sums (N, B, 2, C): of dy and dy * xhat over each block."""
    size, c = len(dy) // len(sums), dy.shape[1]
    for n in range(lo, hi):
        for block in range(sums.shape[1]):
            sum_dy, sum_dy_xhat = sums[n, block, 0], sums[n, block, 1]
            sum_dy[:] = np.float32(0)
            sum_dy_xhat[:] = np.float32(0)
            for i in range(block * BLOCK, min(size, (block + 1) * BLOCK)):
                dy_row, xhat_row = dy[n * size + i], xhat[n * size + i]
                for k in range(c):
                    sum_dy[k] += dy_row[k]
                for k in range(c):
                    sum_dy_xhat[k] += dy_row[k] * xhat_row[k]


@kernel
def _gradient(dy, xhat, scale, mean_dy, mean_dy_xhat, dx, lo, hi):
    """Reads dy, xhat (M, C), writes dx (M, C); the three terms of batch norm, all others (C,)."""
    for i in range(lo, hi):
        dy_row, xhat_row, out = dy[i], xhat[i], dx[i]
        for k in range(len(out)):
            out[k] = scale[k] * (dy_row[k] - mean_dy[k] - xhat_row[k] * mean_dy_xhat[k])

"""Batch normalisation in two passes: sums over blocks of the batch, then every value."""

import numpy as np

from ..ops.norm import batch_norm_cache
from .runtime.memory import empty
from .runtime.moments import block_moments, combine
from .runtime.threads import kernel, parallel

BLOCK = 256  # rows that are added up in float32; blocks are added up in float64, in their order


def batch_norm(x, gamma, beta, running_mean, running_var, train, momentum, eps):
    """x (..., C) -> y (..., C)"""
    if x.dtype != np.float32:
        return NotImplemented
    rows = x.reshape(-1, x.shape[-1])  # (M, C)
    if train:
        mean, var = _moments(rows)
        running_mean += (1 - momentum) * (mean.astype(np.float32) - running_mean)
        running_var += (1 - momentum) * (var.astype(np.float32) - running_var)
    else:
        mean, var = running_mean, running_var
    inv_std = (1 / np.sqrt(var + eps)).astype(np.float32)
    xhat, y = empty(x.shape), empty(x.shape)
    flat = xhat.reshape(rows.shape), y.reshape(rows.shape)
    parallel(_normalise, len(rows), rows, mean.astype(np.float32), inv_std, gamma, beta, *flat)
    return y, batch_norm_cache(y, xhat, gamma, inv_std, train)


def _moments(rows):
    """Mean and biased variance of each column of rows (M, C), in float64."""
    count, c = rows.shape
    blocks = np.empty((-(-count // BLOCK), 2, c), np.float32)
    parallel(_block_moments, len(blocks), rows, blocks)
    return combine(blocks, np.minimum(BLOCK, count - BLOCK * np.arange(len(blocks))))


@kernel
def _block_moments(rows, blocks, lo, hi):
    """Reads rows (M, C), writes blocks (B, 2, C)."""
    for block in range(lo, hi):
        block_moments(rows[block * BLOCK : (block + 1) * BLOCK], blocks[block])


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
    if dy.dtype != np.float32:
        return NotImplemented
    c = dy.shape[-1]
    dy_rows, xhat_rows = dy.reshape(-1, c), xhat.reshape(-1, c)  # (M, C)
    sums = np.empty((2, -(-len(dy_rows) // BLOCK), c), np.float32)
    parallel(_gradient_sums, sums.shape[1], dy_rows, xhat_rows, sums)
    dbeta, dgamma = sums.sum(axis=1, dtype=np.float64)
    m = len(dy_rows)
    mean_dy, mean_dy_xhat = (dbeta / m, dgamma / m) if train else (0 * dbeta, 0 * dgamma)
    dx = empty(dy.shape)
    terms = (v.astype(np.float32) for v in (gamma * inv_std, mean_dy, mean_dy_xhat))
    parallel(_gradient, m, dy_rows, xhat_rows, *terms, dx.reshape(-1, c))
    return dx, dgamma.astype(np.float32), dbeta.astype(np.float32)


@kernel
def _gradient_sums(dy, xhat, sums, lo, hi):
    """Reads dy, xhat (M, C), writes sums (2, B, C): of dy and of dy * xhat over each block."""
    m, c = dy.shape
    for block in range(lo, hi):
        sum_dy, sum_dy_xhat = sums[0, block], sums[1, block]
        sum_dy[:] = np.float32(0)
        sum_dy_xhat[:] = np.float32(0)
        for i in range(block * BLOCK, min(m, (block + 1) * BLOCK)):
            dy_row, xhat_row = dy[i], xhat[i]
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

"""Batch normalisation in two passes: sums over a fixed number of chunks of the batch, then every value."""

import numpy as np
from numba import njit

from ..backend import Cache
from ..memory import empty
from ..parallel import parallel

CHUNKS = 8


def batch_norm(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    if x.dtype != np.float32:
        return NotImplemented
    rows = x.reshape(-1, x.shape[-1])
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
    return y, Cache("batch_norm", y, xhat, gamma, inv_std, train)


def _moments(rows):
    """Mean and biased variance of each column of rows (M, C), in float64."""
    sums = np.zeros((CHUNKS, 2, rows.shape[1]))
    parallel(_sums, CHUNKS, rows, sums)
    one, two = sums.sum(axis=0) / len(rows)
    return rows[0] + one, np.maximum(two - one * one, 0)


@njit(nogil=True, cache=True)
def _sums(rows, sums, lo, hi):
    """Of x - x[0] and its square: the shift keeps a large mean from drowning the variance."""
    m, c = rows.shape
    for chunk in range(lo, hi):
        one, two = sums[chunk]
        for i in range(m * chunk // CHUNKS, m * (chunk + 1) // CHUNKS):
            for k in range(c):
                d = np.float64(rows[i, k] - rows[0, k])
                one[k] += d
                two[k] += d * d


@njit(nogil=True, cache=True)
def _normalise(rows, mean, inv_std, gamma, beta, xhat, y, lo, hi):
    for i in range(lo, hi):
        for k in range(rows.shape[1]):
            value = (rows[i, k] - mean[k]) * inv_std[k]
            xhat[i, k] = value
            y[i, k] = gamma[k] * value + beta[k]


def batch_norm_backward(dy, cache):
    xhat, gamma, inv_std, train = cache
    if dy.dtype != np.float32:
        return NotImplemented
    c = dy.shape[-1]
    dy_rows, xhat_rows = dy.reshape(-1, c), xhat.reshape(-1, c)
    sums = np.zeros((CHUNKS, 2, c))
    parallel(_gradient_sums, CHUNKS, dy_rows, xhat_rows, sums)
    dbeta, dgamma = sums.sum(axis=0)
    m = len(dy_rows)
    one, two = (dbeta / m, dgamma / m) if train else (0 * dbeta, 0 * dgamma)
    dx = empty(dy.shape)
    parameters = (v.astype(np.float32) for v in (gamma * inv_std, one, two))
    parallel(_gradient, m, dy_rows, xhat_rows, *parameters, dx.reshape(-1, c))
    return dx, dgamma.astype(np.float32), dbeta.astype(np.float32)


@njit(nogil=True, cache=True)
def _gradient_sums(dy, xhat, sums, lo, hi):
    m, c = dy.shape
    for chunk in range(lo, hi):
        one, two = sums[chunk]
        for i in range(m * chunk // CHUNKS, m * (chunk + 1) // CHUNKS):
            for k in range(c):
                one[k] += np.float64(dy[i, k])
                two[k] += np.float64(dy[i, k] * xhat[i, k])


@njit(nogil=True, cache=True)
def _gradient(dy, xhat, scale, one, two, dx, lo, hi):
    for i in range(lo, hi):
        for k in range(dy.shape[1]):
            dx[i, k] = scale[k] * (dy[i, k] - one[k] - xhat[i, k] * two[k])

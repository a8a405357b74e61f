"""Mean and variance of each channel, block by block, while a block's values are in the cache.

A block is some rows of pixels (R, W*C). Its mean and its sum of squared deviations are float32; all
blocks are put together in float64 (with n values a channel in each of B blocks):

    mean = sum_b mean_b / B        var = (sum_b squares_b + n * sum_b (mean_b - mean)^2) / (B * n)

so that a large mean does not drown the variance, and the bits depend on the blocks alone, not on
the threads. Source: Chan, Golub & LeVeque 1983.
"""

import numpy as np

from .rows import fold
from .threads import kernel


def combine(blocks, counts):
    """Mean and biased variance (C,), float64, of blocks (B, 2, C) with counts (B,) of pixels."""
    means, squares = blocks[:, 0].astype(np.float64), blocks[:, 1]
    counts = np.asarray(counts, np.float64)[:, None]
    total = counts.sum()
    mean = (counts * means).sum(axis=0) / total
    between = (counts * (means - mean) ** 2).sum(axis=0)
    return mean, (squares.sum(axis=0, dtype=np.float64) + between) / total


@kernel
def block_moments(rows, out):
    """Reads rows (R, W*C), writes out (2, C): each channel's mean and sum of squared deviations."""
    count, length = rows.shape
    c = out.shape[1]
    work = np.empty((2, length), np.float32)
    mean, sums = work[0], work[1]
    first = rows[0, :c]  # taken off before adding up: sums stay small beside a large mean
    _repeat(first, mean)
    sums[:] = np.float32(0)
    for i in range(count):
        row = rows[i]
        for k in range(length):
            sums[k] += row[k] - mean[k]
    fold(sums, out[0])
    share = np.float32(1 / (count * (length // c)))
    for k in range(c):
        out[0, k] = first[k] + out[0, k] * share
    _repeat(out[0], mean)
    sums[:] = np.float32(0)
    for i in range(count):
        row = rows[i]
        for k in range(length):
            d = row[k] - mean[k]
            sums[k] += d * d
    fold(sums, out[1])


@kernel
def _repeat(values, row):
    """row (W*C) = values (C,) for every pixel"""
    c = len(values)
    for j in range(0, len(row), c):
        row[j : j + c] = values

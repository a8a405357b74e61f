"""Loops over an image row: W pixels of C channels each, as W*C values.

Long, plain loops are the fast ones.
"""

import numpy as np

from .threads import kernel


def repeated(width, *vectors):
    """Each vector (C,) repeated for every pixel of a row -> (len(vectors), width*C)"""
    rows = np.empty((len(vectors), width, len(vectors[0])), np.float32)
    for row, vector in zip(rows, vectors, strict=True):
        row[:] = vector
    return rows.reshape(len(vectors), -1)


@kernel
def fold(row, total):
    """Reads row (W*C), writes total (C,), the sum over the pixels."""
    c = len(total)
    total[:] = row[:c]
    for j in range(c, len(row), c):
        part = row[j : j + c]
        for k in range(c):
            total[k] += part[k]


@kernel
def gather(row, first, c, pool, side):
    """Every pool-th pixel of row (W*C) from `first` on, in side (W/pool*C); for pool 1 row."""
    if pool == 1:
        return row
    for j in range(len(side) // c):
        target, source = side[j * c : (j + 1) * c], row[(j * pool + first) * c :]
        for k in range(c):
            target[k] = source[k]
    return side


@kernel
def scatter(side, row, first, c, pool):
    """The inverse of gather."""
    for j in range(len(side) // c):
        source, target = side[j * c : (j + 1) * c], row[(j * pool + first) * c :]
        for k in range(c):
            target[k] = source[k]


@kernel
def activate(a, rows, c, pool, y):
    """Reads a (H, W*C), writes y (H/pool, W/pool*C), with scale, shift = rows (2, W/pool*C):

    the largest over each window of relu(scale * a + shift). NaN passes.
    """
    scale, shift = rows[0], rows[1]  # unpacking would forget that they are contiguous
    side = np.empty(y.shape[1], np.float32)
    for i in range(len(y)):
        best = y[i]
        for place in range(pool * pool):
            part = gather(a[i * pool + place // pool], place % pool, c, pool, side)
            if place == 0:
                _relu(part, scale, shift, best)
            else:
                _larger(part, scale, shift, best)


@kernel
def _relu(part, scale, shift, best):
    for k in range(len(best)):
        z = scale[k] * part[k] + shift[k]
        best[k] = np.float32(0) if z <= np.float32(0) else z


@kernel
def _larger(part, scale, shift, best):
    for k in range(len(best)):
        z = scale[k] * part[k] + shift[k]
        best[k] = best[k] if (z <= best[k]) | (best[k] != best[k]) else z

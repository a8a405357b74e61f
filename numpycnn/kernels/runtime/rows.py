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
def windows(image, i, c, sides):
    """The i-th row of windows of 2 x 2 of an image (H, W*C): each place, side by side."""
    top, bottom = image[2 * i], image[2 * i + 1]
    a, b = gather(top, 0, c, 2, sides[0]), gather(top, 1, c, 2, sides[1])
    return a, b, gather(bottom, 0, c, 2, sides[2]), gather(bottom, 1, c, 2, sides[3])


@kernel
def activate(a, rows, c, pool, y):
    """Reads a (H, W*C), writes y (H/pool, W/pool*C), with scale, shift = rows (2, W/pool*C):

    the largest over each window of relu(scale * a + shift). NaN passes.
    """
    scale, shift = rows[0], rows[1]  # unpacking would forget that they are contiguous
    sides = np.empty((4, y.shape[1]), np.float32)
    for i in range(len(y)):
        best = y[i]
        if pool == 2:
            p, q, r, s = windows(a, i, c, sides)
            for k in range(len(best)):
                z = _larger(scale[k], shift[k], p[k], np.float32(0))
                z = _larger(scale[k], shift[k], q[k], z)
                z = _larger(scale[k], shift[k], r[k], z)
                best[k] = _larger(scale[k], shift[k], s[k], z)
            continue
        part = gather(a[i * pool], 0, c, pool, sides[0])
        for k in range(len(best)):
            best[k] = _larger(scale[k], shift[k], part[k], np.float32(0))
        for place in range(1, pool * pool):
            part = gather(a[i * pool + place // pool], place % pool, c, pool, sides[0])
            for k in range(len(best)):
                best[k] = _larger(scale[k], shift[k], part[k], best[k])


@kernel
def _larger(scale, shift, a, best):
    """scale * a + shift, or the best so far if that is not below it, or NaN."""
    z = scale * a + shift
    return best if (z <= best) | (best != best) else z

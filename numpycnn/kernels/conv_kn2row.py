"""Convolution to few filters: the layer that draws an image, and the gradient with respect to one.

Tiles of pixels x filters (direct.py) would be nearly empty. Here the vector holds the places of the kernel instead,
each with its filters: a product of every pixel for itself, then a sum over shifts.

    q[i, j, (di, dj, f)] = sum_c xpad[i, j, c] * w[di, dj, c, f]
    y[i, j, f] = b[f] + sum_{di,dj} q[i+di, j+dj, (di, dj, f)]

The weight gradient is that of the mirrored convolution, from the few filters to the many channels.
"""

import functools

import numpy as np

from . import conv_direct
from .runtime.memory import empty
from .runtime.simd import WIDTH, product
from .runtime.threads import kernel, parallel


def fits(w, stride, padding):
    """Whether a convolution is one that these kernels are made for, and faster at."""
    sides = [0 <= p < k for k, pair in zip(w.shape, padding, strict=False) for p in pair]
    return stride == (1, 1) and w.shape[3] <= 4 and all(sides)


def correlate(x, w, b, padding):
    """y = conv2d(x, w, b)"""
    n, h, width, c = x.shape
    kh, kw, _, f = w.shape
    (top, bottom), (left, right) = padding
    padded = h + top + bottom, width + left + right
    y = empty((n, padded[0] - kh + 1, padded[1] - kw + 1, f))
    panels = conv_direct.in_panels(w.transpose(2, 0, 1, 3).reshape(1, 1, c, kh * kw * f))
    room = len(panels) * WIDTH  # of a pixel in q
    tables = _tables(h, width, c, top, left, padded[1], kh, kw, f, room)
    bias = np.zeros(f, np.float32) if b is None else b
    parallel(
        _images, n, x, panels, bias, y, padded[1], *tables, scratch=padded[0] * padded[1] * room
    )
    return y


@functools.lru_cache(256)
def _tables(h, width, c, top, left, padded, kh, kw, f, room):
    """Where a pixel lies in x and in q, and what the places of the kernel are away from an output pixel in q."""
    i, j = np.ogrid[:h, :width]
    di, dj = np.ogrid[:kh, :kw]
    pixels, rows = (i * width + j) * c, ((top + i) * padded + left + j) * room
    places = (di * padded + dj) * room + (di * kw + dj) * f
    return tuple(table.ravel().astype(np.int64) for table in (pixels, rows, places))


@kernel
def _images(x, panels, bias, y, padded, pixels, rows, places, q, lo, hi):
    _, oh, ow, f = y.shape
    c, flat, zero = x.shape[3], panels.reshape(-1), np.zeros(WIDTH, np.float32)
    room = len(panels) * WIDTH
    q[:] = np.float32(0)  # the border stays so
    for n in range(lo, hi):
        image = x[n].reshape(-1)
        for p in range(len(panels)):
            at = p * WIDTH
            product(
                len(pixels),
                image,
                pixels,
                rows,
                c,
                1,
                1,
                0,
                flat,
                at * c,
                WIDTH,
                0,
                zero,
                0,
                0,
                q,
                at,
            )
        for i in range(oh):
            for j in range(ow):
                here = q[(i * padded + j) * room :]
                for k in range(f):
                    total = bias[k]
                    for t in range(len(places)):
                        total += here[places[t] + k]
                    y[n, i, j, k] = total


def weight_gradient(x, dy, shape, padding):
    """dw of the convolution's `shape` (kh, kw, C, F): every patch of dy meets the pixel of x in its middle."""
    kh, kw, c, f = shape
    around = tuple(
        (k - 1 - before, k - 1 - after) for k, (before, after) in zip(shape, padding, strict=False)
    )
    dw = conv_direct.weight_gradient(dy, x, (kh, kw, f, c), (1, 1), around)
    return np.ascontiguousarray(dw[::-1, ::-1].swapaxes(2, 3))

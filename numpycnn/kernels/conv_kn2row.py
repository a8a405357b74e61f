"""kn2row, for convolutions to few filters: a decoder's last layer, or the gradient of an image.

Tiles of pixels x filters (conv_direct.py) would be nearly empty. Here each place of the kernel is a
1x1 convolution of its own, all of them one matrix product; their results are shifted and added up.

    q[i, j, (di, dj, f)] = sum_c xpad[i, j, c] * w[di, dj, c, f]
    y[i, j, f] = b[f] + sum_{di,dj} q[i+di, j+dj, (di, dj, f)]

The weight gradient is that of the mirrored convolution, from the few filters to the many channels.
Source: Vasudevan, Anderson & Gregg 2017, who named it kn2row.
"""

import functools
import typing

import numpy as np

from . import conv_direct
from .runtime.memory import empty
from .runtime.operands import At, Out, Panel, Rows, Start
from .runtime.simd import WIDTH, product
from .runtime.threads import kernel, parallel


class Tables(typing.NamedTuple):
    """Where pixels and places of the kernel lie; q (padded H, padded W, P*WIDTH) has a border."""

    padded: int  # columns of q
    pixels: np.ndarray  # (H*W,) in x
    rows: np.ndarray  # (H*W,) in q
    places: np.ndarray  # (kh*kw,) in q, from an output pixel's place on


def fits(w, stride, padding):
    """Whether a convolution is one that these kernels are made for, and faster at."""
    sides = [0 <= p < k for k, pair in zip(w.shape, padding, strict=False) for p in pair]
    return stride == (1, 1) and w.shape[3] <= 4 and all(sides)


def correlate(x, w, b, padding):
    """y = conv2d(x, w, b)      x (N, H, W, C), w (kh, kw, C, F) -> y (N, OH, OW, F)"""
    n, h, width, c = x.shape
    kh, kw, _, f = w.shape
    (top, bottom), (left, right) = padding
    padded = h + top + bottom, width + left + right
    y = empty((n, padded[0] - kh + 1, padded[1] - kw + 1, f))
    by_place = w.transpose(2, 0, 1, 3).reshape(1, 1, c, kh * kw * f)
    panels = conv_direct.in_panels(by_place)  # (P, C, WIDTH)
    room = len(panels) * WIDTH  # of a pixel in q
    tables = _tables(h, width, c, top, left, padded[1], kh, kw, f, room)
    bias = np.zeros(f, np.float32) if b is None else b
    parallel(_images, n, x, panels, bias, y, tables, scratch=padded[0] * padded[1] * room)
    return y


@functools.lru_cache(256)
def _tables(h, width, c, top, left, padded, kh, kw, f, room):
    i, j = np.ogrid[:h, :width]
    di, dj = np.ogrid[:kh, :kw]
    pixels, rows = (i * width + j) * c, ((top + i) * padded + left + j) * room
    places = (di * padded + dj) * room + (di * kw + dj) * f
    return Tables(padded, *(t.ravel().astype(np.int64) for t in (pixels, rows, places)))


@kernel
def _images(x, panels, bias, y, tables, q, lo, hi):
    """Reads x (N, H, W, C), writes y (N, OH, OW, F); q is of one image."""
    _, oh, ow, f = y.shape
    h, w, c = x.shape[1:]
    room = len(panels) * WIDTH
    pixels, panel = Rows(x.reshape(-1), tables.pixels, 1, 0), Panel(panels.reshape(-1), WIDTH)
    zero, out = Start(np.zeros(WIDTH, np.float32), 0), Out(q, tables.rows)
    q[:] = np.float32(0)  # the border stays so
    for n in range(lo, hi):
        for first in range(0, room, WIDTH):
            at = At(n * h * w * c, first * c, 0, first)
            product(h * w, c, 1, pixels, panel, zero, out, at)
        for i in range(oh):
            for j in range(ow):
                here = q[(i * tables.padded + j) * room :]
                for k in range(f):
                    total = bias[k]
                    for t in range(len(tables.places)):
                        total += here[tables.places[t] + k]
                    y[n, i, j, k] = total


def weight_gradient(x, dy, shape, padding):
    """dw of the convolution's `shape` (kh, kw, C, F), from x (N, H, W, C) and dy (N, OH, OW, F).

    As conv_direct's, with x and dy in exchanged roles: every pixel of x meets a patch of dy.
    """
    kh, kw, c, f = shape
    around = tuple(
        (k - 1 - before, k - 1 - after) for k, (before, after) in zip(shape, padding, strict=False)
    )
    dw = conv_direct.weight_gradient(dy, x, (kh, kw, f, c), (1, 1), around)  # (kh, kw, F, C)
    return np.ascontiguousarray(dw[::-1, ::-1].swapaxes(2, 3))

"""Pooling in one pass over the image; of max pooling value and winner together."""

import numpy as np

from ..ops.pool import avg_pool2d_cache, max_pool2d_cache
from .runtime.memory import empty
from .runtime.threads import kernel, parallel


def max_pool2d(x, size, stride):
    """x (N, H, W, C) -> y (N, OH, OW, C)"""
    if x.dtype != np.float32 or size[0] * size[1] > 256:
        return NotImplemented
    n, h, w, c = x.shape
    shape = n, (h - size[0]) // stride[0] + 1, (w - size[1]) // stride[1] + 1, c
    y, winner = empty(shape), empty(shape, np.uint8)
    parallel(_max_pool, n, x, size, stride, y, winner)
    return y, max_pool2d_cache(y, x.shape, winner, size, stride)


@kernel
def _max_pool(x, size, stride, y, winner, lo, hi):
    """Reads x (N, H, W, C), writes y and winner, a window's place of its value (N, OH, OW, C)."""
    _, oh, ow, c = y.shape
    places = np.empty(c, np.int32)
    for n in range(lo, hi):
        for i in range(oh):
            for j in range(ow):
                best = y[n, i, j]
                best[:] = x[n, i * stride[0], j * stride[1]]
                places[:] = np.int32(0)
                for place in range(1, size[0] * size[1]):
                    row, column = i * stride[0] + place // size[1], j * stride[1] + place % size[1]
                    _larger(x[n, row, column], np.int32(place), best, places)
                for k in range(c):
                    winner[n, i, j, k] = places[k]


@kernel
def _larger(value, number, best, places):
    """Where value is larger than the best so far; NaN wins, and the first of equals."""
    for k in range(len(best)):
        new, old, place = value[k], best[k], places[k]  # read before the choice, for vectors
        better = (new > old) | ((new != new) & (old == old))
        places[k] = number if better else place
        best[k] = new if better else old


def max_pool2d_backward(dy, cache):
    """dy (N, OH, OW, C) -> dx (N, H, W, C)"""
    x_shape, winner, size, stride = cache
    if dy.dtype != np.float32 or winner.dtype != np.uint8:
        return NotImplemented
    dx = empty(x_shape)
    parallel(_max_pool_backward, len(dy), dy, winner, size, stride, dx)
    return dx


@kernel
def _max_pool_backward(dy, winner, size, stride, dx, lo, hi):
    """Reads dy and winner (N, OH, OW, C), writes dx (N, H, W, C)."""
    _, oh, ow, c = dy.shape
    zero = np.float32(0)
    for n in range(lo, hi):
        dx[n] = zero
        for i in range(oh):
            for j in range(ow):
                for place in range(size[0] * size[1]):
                    row, column = i * stride[0] + place // size[1], j * stride[1] + place % size[1]
                    dy_row, won, out = dy[n, i, j], winner[n, i, j], dx[n, row, column]
                    for k in range(c):
                        value = dy_row[k]
                        out[k] += value if won[k] == place else zero


def avg_pool2d(x, size, stride):
    """x (N, H, W, C) -> y (N, OH, OW, C)"""
    if x.dtype != np.float32:
        return NotImplemented
    n, h, w, c = x.shape
    y = empty((n, (h - size[0]) // stride[0] + 1, (w - size[1]) // stride[1] + 1, c))
    parallel(_avg_pool, n, x, size, stride, np.float32(1 / (size[0] * size[1])), y)
    return y, avg_pool2d_cache(y, x.shape, size, stride)


@kernel
def _avg_pool(x, size, stride, share, y, lo, hi):
    """Reads x (N, H, W, C), writes y (N, OH, OW, C)."""
    _, oh, ow, c = y.shape
    for n in range(lo, hi):
        for i in range(oh):
            for j in range(ow):
                total = y[n, i, j]
                total[:] = np.float32(0)
                for place in range(size[0] * size[1]):
                    row, column = i * stride[0] + place // size[1], j * stride[1] + place % size[1]
                    value = x[n, row, column]
                    for k in range(c):
                        total[k] += value[k]
                for k in range(c):
                    total[k] *= share


def avg_pool2d_backward(dy, cache):
    """dy (N, OH, OW, C) -> dx (N, H, W, C)"""
    x_shape, size, stride = cache
    if dy.dtype != np.float32:
        return NotImplemented
    dx = empty(x_shape)
    parallel(_avg_pool_backward, len(dy), dy, size, stride, np.float32(1 / (size[0] * size[1])), dx)
    return dx


@kernel
def _avg_pool_backward(dy, size, stride, share, dx, lo, hi):
    """Reads dy (N, OH, OW, C), writes dx (N, H, W, C)."""
    _, oh, ow, c = dy.shape
    for n in range(lo, hi):
        dx[n] = np.float32(0)
        for i in range(oh):
            for j in range(ow):
                dy_row = dy[n, i, j]
                for place in range(size[0] * size[1]):
                    out = dx[n, i * stride[0] + place // size[1], j * stride[1] + place % size[1]]
                    for k in range(c):
                        out[k] += share * dy_row[k]

"""Max pooling in one pass over the image: value and winner together, one image row at a time."""

import numpy as np

from ..backend import Cache
from ..memory import empty
from ..parallel import kernel, parallel


def max_pool2d(x, size=2, stride=None):
    if x.dtype != np.float32 or size[0] * size[1] > 256:
        return NotImplemented
    n, h, w, c = x.shape
    shape = n, (h - size[0]) // stride[0] + 1, (w - size[1]) // stride[1] + 1, c
    y, winner = empty(shape), empty(shape, np.uint8)
    parallel(_max_pool, n, x, size, stride, y, winner)
    return y, Cache("max_pool2d", y, x.shape, winner, size, stride)


@kernel
def _max_pool(x, size, stride, y, winner, lo, hi):
    _, oh, ow, c = y.shape
    for n in range(lo, hi):
        for i in range(oh):
            for j in range(ow):
                best, place_of = y[n, i, j], winner[n, i, j]
                best[:] = x[n, i * stride[0], j * stride[1]]
                place_of[:] = np.uint8(0)
                for place in range(1, size[0] * size[1]):
                    value = x[n, i * stride[0] + place // size[1], j * stride[1] + place % size[1]]
                    for k in range(c):  # NaN wins, and the first of equals
                        if not (value[k] <= best[k]) and best[k] == best[k]:
                            best[k] = value[k]
                            place_of[k] = np.uint8(place)


def max_pool2d_backward(dy, cache):
    x_shape, winner, size, stride = cache
    if dy.dtype != np.float32 or winner.dtype != np.uint8:
        return NotImplemented
    dx = empty(x_shape)
    parallel(_max_pool_backward, len(dy), dy, winner, size, stride, dx)
    return dx


@kernel
def _max_pool_backward(dy, winner, size, stride, dx, lo, hi):
    _, oh, ow, c = dy.shape
    zero = np.float32(0)
    for n in range(lo, hi):
        dx[n] = zero
        for i in range(oh):
            for j in range(ow):
                for place in range(size[0] * size[1]):
                    row, column = i * stride[0] + place // size[1], j * stride[1] + place % size[1]
                    upper, place_of, out = dy[n, i, j], winner[n, i, j], dx[n, row, column]
                    for k in range(c):
                        out[k] += upper[k] if place_of[k] == place else zero

"""Pooling: one number for each window of each channel. Windows may overlap (stride < size).

OH = floor((H - size) / stride) + 1: pixels at the border that fill no window are left out.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..backend import Cache, op
from ..errors import ShapeError
from .checks import backward, images, pair


def _check_pool(x, size, stride):
    x = images(x)
    size = pair("size", size)
    stride = size if stride is None else pair("stride", stride)
    if size[0] > x.shape[1] or size[1] > x.shape[2]:
        raise ShapeError(f"the pooling window {size} is larger than the input {x.shape[1:3]}")
    return x, size, stride


def _windows(x, size, stride):
    """Every window's values side by side: (N, OH, OW, C, size_h * size_w)."""
    windows = sliding_window_view(x, size, axis=(1, 2))  # a view: (N, .., .., C, size_h, size_w)
    windows = windows[:, :: stride[0], :: stride[1]]
    return windows.reshape(*windows.shape[:4], size[0] * size[1])


def _offsets(y_shape, size, stride):
    """For each place (di, dj) in the window: its number, and the rows and columns of x it meets.

    Both are slices with one pixel for each output pixel: x[:, rows, columns] is (N, OH, OW, C).
    """
    oh, ow = y_shape[1:3]
    sh, sw = stride
    for di in range(size[0]):
        for dj in range(size[1]):
            rows = slice(di, di + sh * oh, sh)
            columns = slice(dj, dj + sw * ow, sw)
            yield di * size[1] + dj, rows, columns


def max_pool2d_cache(y, x_shape, winner, size, stride):
    """What max_pool2d keeps: `winner`, like y, is the number of the largest value's place."""
    return Cache("max_pool2d", y, x_shape=x_shape, winner=winner, size=size, stride=stride)


@op(_check_pool)
def max_pool2d(x, size=2, stride=None):
    """y[n,i,j,c] = max_{di,dj} x[n, i*s+di, j*s+dj, c]

    x (N, H, W, C) -> y (N, OH, OW, C); the stride is the size unless given. The first of equal
    values wins, and NaN wins over all. Raises ShapeError for a window larger than x, TypeError.
    """
    windows = _windows(x, size, stride)  # (N, OH, OW, C, size_h*size_w)
    winner = windows.argmax(axis=-1)  # (N, OH, OW, C)
    y = np.take_along_axis(windows, winner[..., None], axis=-1)[..., 0]  # (N, OH, OW, C)
    # One byte each where it suffices: argmax's int64 would be twice as large as x.
    winner = winner.astype(np.uint8 if size[0] * size[1] <= 256 else np.int32)
    return y, max_pool2d_cache(y, x.shape, winner, size, stride)


@op(backward("max_pool2d"))
def max_pool2d_backward(dy, cache):
    """dx[n, i*s+di, j*s+dj, c] += dy[n,i,j,c] where (di, dj) won: no other value had an effect.

    dy (N, OH, OW, C) -> dx (N, H, W, C). Raises ValueError for another op's cache, ShapeError and
    TypeError for another dy.
    Steps: DERIVATIONS.md, "Max pooling".
    """
    x_shape, winner, size, stride = cache
    dx = np.zeros(x_shape, dy.dtype)
    for place, rows, columns in _offsets(dy.shape, size, stride):
        dx[:, rows, columns] += np.where(winner == place, dy, 0)  # (N, OH, OW, C)
    return dx


def avg_pool2d_cache(y, x_shape, size, stride):
    """What avg_pool2d keeps: x itself is not needed, as the gradient does not depend on it."""
    return Cache("avg_pool2d", y, x_shape=x_shape, size=size, stride=stride)


@op(_check_pool)
def avg_pool2d(x, size=2, stride=None):
    """y[n,i,j,c] = 1/(size_h*size_w) * sum_{di,dj} x[n, i*s+di, j*s+dj, c]

    x (N, H, W, C) -> y (N, OH, OW, C); the stride is the size unless given.
    Raises ShapeError for a window larger than x, TypeError.
    """
    y = _windows(x, size, stride).mean(axis=-1)  # (N, OH, OW, C)
    return y, avg_pool2d_cache(y, x.shape, size, stride)


@op(backward("avg_pool2d"))
def avg_pool2d_backward(dy, cache):
    """dx[n, i*s+di, j*s+dj, c] += dy[n,i,j,c] / (size_h*size_w): every value had the same share.

    dy (N, OH, OW, C) -> dx (N, H, W, C). Raises ValueError for another op's cache, ShapeError and
    TypeError for another dy.
    """
    x_shape, size, stride = cache
    dx = np.zeros(x_shape, dy.dtype)
    share = dy / dy.dtype.type(size[0] * size[1])  # (N, OH, OW, C)
    for _, rows, columns in _offsets(dy.shape, size, stride):
        dx[:, rows, columns] += share
    return dx


def _check_global_avg_pool(x):
    x = images(x)
    if 0 in x.shape[1:3]:
        raise ShapeError(f"global_avg_pool: there are no pixels to average in the shape {x.shape}")
    return (x,)


@op(_check_global_avg_pool)
def global_avg_pool(x):
    """y[n,c] = 1/(H*W) * sum_{i,j} x[n,i,j,c]

    x (N, H, W, C) -> y (N, C). Raises ShapeError, also for no pixels; TypeError. Source: Lin, Chen
    & Yan 2013; in the paper's final network it stands where AlexNet has its dense layers.
    """
    y = x.mean(axis=(1, 2))  # (N, C)
    return y, Cache("global_avg_pool", y, x_shape=x.shape)


@op(backward("global_avg_pool"))
def global_avg_pool_backward(dy, cache):
    """dx[n,i,j,c] = dy[n,c] / (H*W)

    dy (N, C) -> dx (N, H, W, C). Raises ValueError for another op's cache, ShapeError and TypeError
    for another dy.
    """
    (x_shape,) = cache
    share = dy / dy.dtype.type(x_shape[1] * x_shape[2])  # (N, C)
    dx = np.broadcast_to(share[:, None, None, :], x_shape)  # (N, H, W, C), read-only
    return dx.copy()

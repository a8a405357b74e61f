"""Depthwise convolution: each channel by itself, straight from x, without patches.

    y[n,i,j,c] = b[c] + sum_{di,dj} x[n, i*s+di*d-top, j*s+dj*d-left, c] * w[di,dj,0,c]

There is no sum over channels, so no matrix product: the inner loop goes over the channels, which
lie side by side in x, w and y.
"""

import numpy as np

from ..ops import whole
from .runtime.memory import empty
from .runtime.threads import kernel, parallel


def fits(w, groups):
    """Whether a convolution has one channel and one filter a group, and more than one group."""
    return groups > 1 and w.shape[2] == 1 and w.shape[3] == groups


def correlate(x, w, b, size, place):
    """y = conv2d(x, w, b)      x (N, H, W, C), w (kh, kw, 1, C) -> y (N, *size, C)

    place: stride, padding and dilation, in pairs.
    """
    c = x.shape[3]
    y = empty((len(x), *size, c))
    bias = np.zeros(c, np.float32) if b is None else b
    parallel(_correlate, len(x), x, w[:, :, 0], bias, y, *_numbers(*place))
    return y


def _numbers(stride, padding, dilation):
    """(top, left), and the other two: what the kernels need of them."""
    return (padding[0][0], padding[1][0]), stride, dilation


@kernel
def _correlate(x, w, bias, y, corner, stride, dilation, lo, hi):
    """Reads x (N, H, W, C), w (kh, kw, C), bias (C,), writes y (N, OH, OW, C)."""
    _, h, width, c = x.shape
    _, oh, ow, _ = y.shape
    kh, kw, _ = w.shape
    for n in range(lo, hi):
        for i in range(oh):
            for j in range(ow):
                total = y[n, i, j]
                total[:] = bias
                for di in range(kh):
                    row = i * stride[0] + di * dilation[0] - corner[0]
                    for dj in range(kw):
                        column = j * stride[1] + dj * dilation[1] - corner[1]
                        if 0 <= row < h and 0 <= column < width:
                            value, weight = x[n, row, column], w[di, dj]
                            for k in range(c):
                                total[k] += value[k] * weight[k]


def input_gradient(shape, w, dy, place):
    """dx (N, H, W, C), the convolution's `shape`, from dy (N, OH, OW, C)"""
    dx = empty(shape)
    parallel(_input_gradient, len(dx), dy, w[:, :, 0], dx, *_numbers(*place))
    return dx


@kernel
def _input_gradient(dy, w, dx, corner, stride, dilation, lo, hi):
    """Reads dy (N, OH, OW, C), w (kh, kw, C), writes dx (N, H, W, C)."""
    _, h, width, c = dx.shape
    _, oh, ow, _ = dy.shape
    kh, kw, _ = w.shape
    for n in range(lo, hi):
        dx[n] = np.float32(0)
        for i in range(oh):
            for j in range(ow):
                gradient = dy[n, i, j]
                for di in range(kh):
                    row = i * stride[0] + di * dilation[0] - corner[0]
                    for dj in range(kw):
                        column = j * stride[1] + dj * dilation[1] - corner[1]
                        if 0 <= row < h and 0 <= column < width:
                            total, weight = dx[n, row, column], w[di, dj]
                            for k in range(c):
                                total[k] += gradient[k] * weight[k]


def weight_gradient(x, dy, shape, place):
    """dw of the convolution's `shape` (kh, kw, 1, C): a sum for each image, a shard in float64"""
    sums = np.zeros((len(x), *shape[:2], shape[3]), np.float32)
    parallel(_weight_gradient, len(x), x, dy, sums, *_numbers(*place))

    def added(images):
        return images.sum(axis=0, dtype=np.float64).astype(np.float32)

    return whole.by_shards(added, sums).reshape(shape)


@kernel
def _weight_gradient(x, dy, sums, corner, stride, dilation, lo, hi):
    """Reads x (N, H, W, C), dy (N, OH, OW, C), adds to sums (N, kh, kw, C)."""
    _, h, width, c = x.shape
    _, oh, ow, _ = dy.shape
    _, kh, kw, _ = sums.shape
    for n in range(lo, hi):
        for i in range(oh):
            for j in range(ow):
                gradient = dy[n, i, j]
                for di in range(kh):
                    row = i * stride[0] + di * dilation[0] - corner[0]
                    for dj in range(kw):
                        column = j * stride[1] + dj * dilation[1] - corner[1]
                        if 0 <= row < h and 0 <= column < width:
                            total, value = sums[n, di, dj], x[n, row, column]
                            for k in range(c):
                                total[k] += gradient[k] * value[k]

"""Pooling layers; the mathematics is in ops/pool.py."""

from ..ops import (
    avg_pool2d,
    avg_pool2d_backward,
    global_avg_pool,
    global_avg_pool_backward,
    max_pool2d,
    max_pool2d_backward,
)
from ..ops.checks import pair
from ..ops.mirror import check_pool
from .base import Layer
from .config import short


class MaxPool2D(Layer):
    """The largest value of each window: x (N, H, W, C) -> y (N, OH, OW, C); see ops.max_pool2d.

    - size: of a window, a number or a pair, 2.
    - stride: from window to window, a number or a pair; the size unless given.
    - symmetric: refuse a width of which the windows leave columns out, for mirror layers, False.

    Raises ShapeError for sizes below 1, in forward for a window larger than x.

    >>> MaxPool2D(2).infer(np.zeros((8, 28, 28, 32))).shape
    (8, 14, 14, 32)
    """

    def __init__(self, size=2, stride=None, symmetric=False):
        self.size = pair("size", size)
        self.stride = self.size if stride is None else pair("stride", stride)
        self.symmetric = symmetric

    def config(self):
        stride = None if self.stride == self.size else short(self.stride)
        more = {"symmetric": True} if self.symmetric else {}  # older files know no such thing
        return {"size": short(self.size), "stride": stride, **more}

    def forward(self, x, train=False):
        if self.symmetric and x.ndim == 4:
            check_pool(x.shape[2], self.size[1], self.stride[1])
        return max_pool2d(x, self.size, self.stride)

    def backward(self, dy, cache):
        return max_pool2d_backward(dy, cache)


class AvgPool2D(Layer):
    """The mean of each window: x (N, H, W, C) -> y (N, OH, OW, C); see ops.avg_pool2d.

    size, stride and errors are as in MaxPool2D.

    >>> AvgPool2D(2).infer(np.arange(4.0).reshape(1, 2, 2, 1)).ravel()
    array([1.5])
    """

    def __init__(self, size=2, stride=None):
        self.size = pair("size", size)
        self.stride = self.size if stride is None else pair("stride", stride)

    def config(self):
        stride = None if self.stride == self.size else short(self.stride)
        return {"size": short(self.size), "stride": stride}

    def forward(self, x, train=False):
        return avg_pool2d(x, self.size, self.stride)

    def backward(self, dy, cache):
        return avg_pool2d_backward(dy, cache)

    def tangent(self, u, dy, cache):
        """u -> avg_pool2d(u), which is linear: see input_gradient.py"""
        return self.forward(u)[0]


class GlobalAvgPool(Layer):
    """The mean of each channel over all pixels: x (N, H, W, C) -> y (N, C); ops.global_avg_pool.

    >>> GlobalAvgPool().infer(np.zeros((8, 7, 7, 64))).shape
    (8, 64)
    """

    def forward(self, x, train=False):
        return global_avg_pool(x)

    def backward(self, dy, cache):
        return global_avg_pool_backward(dy, cache)

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
from .base import Layer
from .config import short


class MaxPool2D(Layer):
    """ops.max_pool2d over windows of `size`; the stride is the size unless given."""

    def __init__(self, size=2, stride=None):
        self.size = pair("size", size)
        self.stride = self.size if stride is None else pair("stride", stride)

    def config(self):
        stride = None if self.stride == self.size else short(self.stride)
        return {"size": short(self.size), "stride": stride}

    def forward(self, x, train=False):
        return max_pool2d(x, self.size, self.stride)

    def backward(self, dy, cache):
        return max_pool2d_backward(dy, cache)


class AvgPool2D(Layer):
    """ops.avg_pool2d over windows of `size`; the stride is the size unless given."""

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
    """ops.global_avg_pool: (N, H, W, C) -> (N, C)."""

    def forward(self, x, train=False):
        return global_avg_pool(x)

    def backward(self, dy, cache):
        return global_avg_pool_backward(dy, cache)

"""Nearest upsampling as a layer; the mathematics is in ops/upsample.py."""

from ..ops import upsample2d, upsample2d_backward
from ..ops.checks import pair
from .base import Layer
from .config import short


class Upsample2D(Layer):
    """Every pixel `size` times: x (N, H, W, C) -> y (N, H*size, W*size, C); see ops.upsample2d.

    size: a number or a pair, 2. Raises ShapeError for sizes below 1.

    >>> Upsample2D(2).infer(np.array([[[[7.0]]]])).shape
    (1, 2, 2, 1)
    """

    def __init__(self, size=2):
        self.size = pair("size", size)

    def config(self):
        return {"size": short(self.size)}

    def forward(self, x, train=False):
        return upsample2d(x, self.size)

    def backward(self, dy, cache):
        return upsample2d_backward(dy, cache)

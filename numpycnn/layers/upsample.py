"""Nearest upsampling as a layer; the mathematics is in ops/upsample.py."""

from ..ops import upsample2d, upsample2d_backward
from ..ops.checks import pair
from .base import Layer
from .config import short


class Upsample2D(Layer):
    """ops.upsample2d: (N, H, W, C) -> (N, H*size, W*size, C)."""

    def __init__(self, size=2):
        self.size = pair("size", size)

    def config(self):
        return {"size": short(self.size)}

    def forward(self, x, train=False):
        return upsample2d(x, self.size)

    def backward(self, dy, cache):
        return upsample2d_backward(dy, cache)

"""Convolution layers; the mathematics is in ops/conv.py."""

import numpy as np

from ..errors import ShapeError
from ..ops import conv2d, conv2d_backward, conv_transpose2d, conv_transpose2d_backward
from ..ops.checks import group_count, pair
from . import init as initialisers
from .base import Layer, Param, value_of
from .config import short


class Conv2D(Layer):
    """ops.conv2d with weights w (kh, kw, C/groups, F): x (N, H, W, C) -> y (N, OH, OW, F).

    - in_channels: C, of x; filters: F, of y.
    - kernel_size, stride: a number, or a pair for rows and columns; the stride is 1.
    - padding: "same" (zeros, so that OH = H / stride, rounded up), "valid" (none), or a number
      or pair.
    - bias: whether b (F,) is added; it starts at 0.
    - init: a name in layers.init, a deviation, or a function of (shape, rng); He's.
    - rng: the Generator that draws w; fresh entropy without.
    - dilation: how far apart the kernel's places lie, a number or pair; side by side is 1.
    - groups: so many convolutions side by side, each of C/groups channels and F/groups filters.

    groups=in_channels is a depthwise convolution: each filter sees one channel. Probes on
    Fashion-MNIST found networks of such blocks, MobileNet's inverted residuals among them, less
    accurate than plain ones of as many parameters, and no faster on a CPU.

    Raises ShapeError at once for sizes, strides, paddings or groups that no input could fit.

    >>> conv = Conv2D(1, 32, 3, stride=2)
    >>> conv.infer(np.zeros((8, 28, 28, 1), np.float32)).shape
    (8, 14, 14, 32)
    """

    always_shown = ("padding",)  # by repr
    input_gradient = True  # fuse() turns it off for a first layer, whose dx nobody needs

    def __init__(
        self, in_channels, filters, kernel_size, stride=1, padding="same", bias=True,
        init="he_normal", rng=None, dilation=1, groups=1,
    ):  # fmt: skip
        self.stride, self.padding = _geometry(stride, padding)
        self.dilation = pair("dilation", dilation)
        self.groups = group_count(group_count(groups, in_channels), filters, "filters")
        shape = (*pair("kernel_size", kernel_size), in_channels // self.groups, filters)
        self.w = Param("w", initialisers.draw(init, shape, rng))
        self.b = Param("b", np.zeros(filters, np.float32)) if bias else None

    def config(self):
        (*kernel_size, channels, filters), bias = self.w.value.shape, self.b is not None
        plain = _config(self, channels * self.groups, filters, kernel_size, bias)
        return {**plain, "dilation": short(self.dilation), "groups": self.groups}

    def place(self):
        """How the kernel lies on the image: stride, padding, dilation, groups."""
        return self.stride, self.padding, self.dilation, self.groups

    def operands(self, x):
        """w and b as conv2d takes them, for this x: what a fused layer computes with."""
        return self.w.value, value_of(self.b)

    def add_grads(self, dw, db):
        """Adds the gradients of these two to those of the parameters; db may be None."""
        self.w.add_grad(dw)
        if db is not None:
            self.b.add_grad(db)

    def forward(self, x, train=False):
        return conv2d(x, *self.operands(x), *self.place())

    def backward(self, dy, cache):
        dx, dw, db = conv2d_backward(dy, cache, input_gradient=self.input_gradient)
        self.add_grads(dw, db)
        return dx

    def tangent(self, u, dy, cache):
        """u -> conv(u, w)      dw += im2col(u).T @ dy: see input_gradient.py"""
        y, cache = conv2d(u, self.operands(u)[0], None, *self.place())
        self.add_grads(conv2d_backward(dy, cache, input_gradient=False)[1], None)
        return y

    def multiply_adds(self, x_shape, y_shape):
        return y_shape[1] * y_shape[2] * self.w.value.size


class ConvTranspose2D(Layer):
    """ops.conv_transpose2d with weights (kh, kw, F, C), as in Keras: (N, H, W, C) -> (N, ., ., F).

    in_channels C, filters F, kernel_size, stride, padding, bias, init and rng are as in Conv2D. The
    stride makes the image larger: "same" gives H * stride rows. Raises ShapeError as Conv2D does.

    >>> ConvTranspose2D(16, 1, 4, stride=2).infer(np.zeros((8, 14, 14, 16), np.float32)).shape
    (8, 28, 28, 1)
    """

    def __init__(
        self, in_channels, filters, kernel_size, stride=1, padding="same", bias=True,
        init="he_normal", rng=None,
    ):  # fmt: skip
        self.stride, self.padding = _geometry(stride, padding)
        kernel_size = pair("kernel_size", kernel_size)
        w = initialisers.draw(init, (*kernel_size, in_channels, filters), rng)  # fan-in first
        self.w = Param("w", np.ascontiguousarray(w.swapaxes(2, 3)))
        self.b = Param("b", np.zeros(filters, np.float32)) if bias else None

    def config(self):
        (*kernel_size, filters, in_channels), bias = self.w.value.shape, self.b is not None
        return _config(self, in_channels, filters, kernel_size, bias)

    def forward(self, x, train=False):
        return conv_transpose2d(x, self.w.value, value_of(self.b), self.stride, self.padding)

    def backward(self, dy, cache):
        dx, dw, db = conv_transpose2d_backward(dy, cache)
        self.w.add_grad(dw)
        if db is not None:
            self.b.add_grad(db)
        return dx

    def multiply_adds(self, x_shape, y_shape):
        return x_shape[1] * x_shape[2] * self.w.value.size


def _config(layer, in_channels, filters, kernel_size, bias):
    """A square kernel, stride or padding is one number, as most people write it."""
    return {
        "in_channels": in_channels, "filters": filters, "kernel_size": short(kernel_size),
        "stride": short(layer.stride), "padding": short(layer.padding), "bias": bias,
    }  # fmt: skip


def _geometry(stride, padding):
    if not isinstance(padding, str):
        padding = pair("padding", padding, least=0)
    elif padding not in ("same", "valid"):
        raise ShapeError(f"padding must be 'same', 'valid' or a whole number, not {padding!r}")
    return pair("stride", stride), padding

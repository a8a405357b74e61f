"""Faster layers that equal the chains they replace, and the function that puts them in."""

import copy

from ..ops.fused import conv_bn_relu, conv_bn_relu_backward
from .activation import ReLU
from .base import Layer
from .combine import Sequential
from .conv import Conv2D
from .norm import BatchNorm
from .pool import MaxPool2D


class ConvBNReLU(Layer):
    """Conv2D, BatchNorm, ReLU and, with `pool` > 1, MaxPool2D in one. It shares the layers that it is made of."""

    def __init__(self, conv, norm, pool=1):
        self.conv, self.norm, self.pool = conv, norm, pool

    def forward(self, x, train=False):
        conv, norm = self.conv, self.norm
        return conv_bn_relu(
            x, conv.w.value, conv.b and conv.b.value, norm.gamma.value, norm.beta.value, norm.running_mean,
            norm.running_var, train, conv.stride, conv.padding, norm.momentum, norm.eps, self.pool,
        )  # fmt: skip

    def backward(self, dy, cache):
        dx, dw, db, dgamma, dbeta = conv_bn_relu_backward(dy, cache, input_gradient=self.conv.input_gradient)
        self.conv.w.add_grad(dw)
        if self.conv.b:
            self.conv.b.add_grad(db)
        self.norm.gamma.add_grad(dgamma)
        self.norm.beta.add_grad(dbeta)
        return dx


def fuse(net, input_gradient=True):
    """A network that computes the same, with conv + batch norm + ReLU (+ pool) in one layer; net is unchanged.

    Both share parameters, running statistics and generators. With input_gradient=False, for training, the
    first convolution gives None for its dx, which costs time and which nobody needs.
    """
    fused = _fused(net)
    if not input_gradient and isinstance(fused, Sequential):
        for i, layer in enumerate(fused.layers):
            conv = layer.conv if isinstance(layer, ConvBNReLU) else layer
            if isinstance(conv, Conv2D):
                first = copy.copy(conv)
                first.input_gradient = False
                fused.layers[i] = ConvBNReLU(first, layer.norm, layer.pool) if conv is not layer else first
            if any(True for _ in conv.params()):
                break
    return fused


def _fused(layer):
    if type(layer) is Sequential:
        return Sequential(*_chain([_fused(one) for one in layer.layers]))
    if hasattr(layer, "branches"):
        twin = copy.copy(layer)
        twin.branches = [_fused(branch) for branch in layer.branches]
        return twin
    return layer


def _chain(layers):
    """The layers, with every run of Conv2D, BatchNorm, ReLU (, MaxPool2D) replaced by one."""
    result, i = [], 0
    while i < len(layers):
        if [type(one) for one in layers[i : i + 3]] == [Conv2D, BatchNorm, ReLU]:
            pool = layers[i + 3] if len(layers) > i + 3 else None
            square = type(pool) is MaxPool2D and pool.size == pool.stride and pool.size[0] == pool.size[1]
            result.append(ConvBNReLU(layers[i], layers[i + 1], pool.size[0] if square else 1))
            i += 4 if square else 3
        else:
            result.append(layers[i])
            i += 1
    return result

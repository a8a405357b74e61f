"""Faster layers that equal the chains they replace, and the function that puts them in."""

import copy
import itertools

import numpy as np

from ..errors import ShapeError
from ..ops.checks import pair
from ..ops.conv import conv_padding, conv_size
from ..ops.fused import Norm, conv_bn_relu, conv_bn_relu_backward
from ..ops.mirror import check_pool
from .activation import ReLU
from .base import Layer
from .combine import Add, Concat, Frozen, Sequential
from .conv import Conv2D
from .mirror import MirrorBatchNorm, MirrorConv2D
from .norm import BatchNorm
from .pool import MaxPool2D


class ConvBNReLU(Layer):
    """Conv2D, BatchNorm (or none), ReLU and, with `pool` > 1, MaxPool2D in one.

    It shares the layers conv and norm that it is made of, which may be a MirrorConv2D and its
    MirrorBatchNorm; x (N, H, W, C) -> y (N, OH // pool, OW // pool, F). Without a norm the same op
    runs with its values of use: mean 0, variance 1, gamma 1, beta 0. With `symmetric`
    a width that the pool does not halve is refused, which would end a mirror network's symmetry.
    Raises ShapeError for that, for a pool that is no whole number of at least 1, or a pair of two,
    and for a convolution with groups or dilation, which the op has not.

    >>> layer = ConvBNReLU(Conv2D(1, 8, 3), BatchNorm(8), pool=2)
    >>> layer.infer(np.zeros((4, 28, 28, 1), np.float32)).shape
    (4, 14, 14, 8)
    """

    opaque = True

    def __init__(self, conv, norm=None, pool=1, symmetric=False):
        self.symmetric = symmetric
        self.conv, self.norm, (self.pool, width) = conv, norm, pair("pool", pool)
        if width != self.pool:
            raise ShapeError(
                f"ConvBNReLU pools square windows, not {pool!r}; put a MaxPool2D after it"
            )
        if not _plain(conv):
            raise ShapeError(f"ConvBNReLU has no groups and no dilation: leave {conv} as it is")

    def norm_arrays(self):
        """The arrays of the op's batch norm, its momentum and eps."""
        norm, filters = self.norm, self.conv.w.value.shape[3]
        if norm is None:
            zero, one = np.zeros(filters, np.float32), np.ones(filters, np.float32)
            return Norm(one, zero, zero, one), 0, 0
        gamma, beta = norm.gamma.value, norm.beta.value
        if len(gamma) != filters:  # the op would take fewer for copies
            raise ShapeError(
                f"gamma has the shape {gamma.shape}, but the convolution has {filters} filters"
            )
        return Norm(gamma, beta, norm.running_mean, norm.running_var), norm.momentum, norm.eps

    def check(self, x_shape):
        """Raises ShapeError where pooling would break a mirror layer's symmetry."""
        if self.symmetric:
            check_pool(self._conv_size(x_shape)[1], self.pool, self.pool)

    def _run(self, x, train, keep):
        conv, (norm, momentum, eps) = self.conv, self.norm_arrays()
        self.check(x.shape)
        how = conv.stride, conv.padding, momentum, eps, self.pool
        train = train and self.norm is not None
        return conv_bn_relu(x, *conv.operands(x), norm, train, *how, keep=keep)

    def forward(self, x, train=False):
        return self._run(x, train, keep=True)

    def infer(self, x):
        return self._run(x, train=False, keep=False)[0]

    def _conv_size(self, x_shape):
        """(OH, OW) of the convolution, which the pool gets."""
        conv = self.conv
        geometry = x_shape[1:3], conv.w.value.shape[:2], conv.stride
        return conv_size(*geometry, conv_padding(*geometry, conv.padding))

    def multiply_adds(self, x_shape, y_shape):
        return self.conv.multiply_adds(x_shape, (x_shape[0], *self._conv_size(x_shape)))

    def backward(self, dy, cache):
        dx, dw, db, dgamma, dbeta = conv_bn_relu_backward(
            dy, cache, input_gradient=self.conv.input_gradient
        )
        self.conv.add_grads(dw, db)
        if self.norm:
            self.norm.gamma.add_grad(dgamma)
            self.norm.beta.add_grad(dbeta)
        return dx


def fuse(net, input_gradient=True):
    """A network that computes the same, with conv (+ batch norm) + ReLU (+ pool) in one layer.

    Convolutions with groups or dilation stay as they are.
    net is unchanged. Both share parameters, running statistics and generators. For training, with
    input_gradient=False, the first convolution gives None for dx, which costs time and which nobody
    needs, and so do frozen layers before the first trained one.
    """
    fused = _fused(net)
    if not input_gradient and isinstance(fused, Sequential):
        for i, layer in enumerate(fused.layers):
            if isinstance(layer, Frozen):
                fused.layers[i] = copy.copy(layer)
                fused.layers[i].input_gradient = False
            conv = layer.conv if type(layer) is ConvBNReLU else layer
            if type(conv) in (Conv2D, MirrorConv2D):  # a subclass may keep state in itself
                first = copy.copy(conv)
                first.input_gradient = False
                fused.layers[i] = first
                if conv is not layer:
                    fused.layers[i] = ConvBNReLU(first, layer.norm, layer.pool, layer.symmetric)
            if any(True for _ in conv.params()):
                break
    return fused


def _fused(layer):
    if type(layer) is Sequential:
        joined, places = _chain([_fused(inner) for inner in layer.layers])
        copied = Sequential(*joined)
        copied.places = [(i, type(layer.layers[i]).__name__) for i in places]
        return copied
    if type(layer) in (Add, Concat):  # a subclass may keep state in itself
        copied = copy.copy(layer)
        copied.branches = [_fused(branch) for branch in layer.branches]
        return copied
    if type(layer) is Frozen:
        return Frozen(_fused(layer.layer))
    return layer


def _chain(layers):
    """The layers, with every run of Conv2D (, BatchNorm), ReLU (, MaxPool2D) replaced by one, and
    every run of Frozen layers by one.

    And the place of each, or of the first of those that it replaces.
    """
    result, places, rest = [], [], list(layers)
    while rest:
        places.append(len(layers) - len(rest))
        kinds = [type(one) if _plain(one) else None for one in rest[:3]]
        if kinds[:3] in ([Conv2D, BatchNorm, ReLU], [MirrorConv2D, MirrorBatchNorm, ReLU]):
            conv, norm, _ = rest[:3]
            del rest[:3]
        elif kinds[:2] in ([Conv2D, ReLU], [MirrorConv2D, ReLU]):
            (conv, _), norm = rest[:2], None
            del rest[:2]
        elif kinds[:2] == [Frozen, Frozen]:
            run = list(itertools.takewhile(lambda one: type(one) is Frozen, rest))
            del rest[: len(run)]
            result.append(Frozen(_fused(Sequential(*(one.layer for one in run)))))
            continue
        else:
            result.append(rest.pop(0))
            continue
        pool = rest.pop(0) if rest and _square(rest[0]) else MaxPool2D(1)
        result.append(ConvBNReLU(conv, norm, pool.size[0], pool.symmetric))
    return result, places


def _plain(layer):
    """Whether it is no convolution with groups or dilation."""
    if not isinstance(layer, Conv2D):
        return True
    return getattr(layer, "groups", 1) == 1 and getattr(layer, "dilation", (1, 1)) == (1, 1)


def _square(layer):
    """Whether it is a max pooling of square windows side by side."""
    return (
        type(layer) is MaxPool2D and layer.size == layer.stride and layer.size[0] == layer.size[1]
    )

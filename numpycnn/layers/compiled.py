"""Networks in use alone: what depends on nothing but the weights is computed once."""

import copy

import numpy as np

from ..errors import CompiledError
from ..ops.fused import conv_bn_relu_prepared
from .base import Layer, Param
from .combine import Identity, Sequential
from .dropout import Dropout
from .fused import ConvBNReLU, fuse
from .traverse import attributes


def compile(net):
    """A network for use alone, with the bits of fuse(net).infer(x): sooner for small batches.

    It takes the place of net in numpycnn.predict and evaluate, and computes with a copy of net's
    weights and layers as they are now. When net's weights change later, by training or by hand, it
    is out of date, and its infer raises CompiledError until net is compiled again. It does not
    train. Any number of threads may use it.
    """
    return net if isinstance(net, Compiled) else Compiled(net)


class Compiled(Layer):
    """What compile returns; `net` is the network itself."""

    opaque = True

    def __init__(self, net):
        self.net = net
        self.run = prepared(copy.deepcopy(net)).infer
        arrays = [(owner, name, getattr(owner, name)) for owner, name in _owners(net)]
        self.known = [(*place, place[2].tobytes()) for place in arrays]

    def __getattr__(self, name):
        """What else the network knows: input_shape, metadata, pixel_scale."""
        if name.startswith("_") or "net" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no {name!r}")
        return getattr(self.net, name)

    def infer(self, x):
        for owner, name, array, content in self.known:
            if getattr(owner, name) is not array or array.tobytes() != content:
                raise CompiledError(
                    "the network was changed after it was compiled: compile it again, "
                    "numpycnn.compile(net)"
                )
        return self.run(np.asarray(x))

    def forward(self, x, train=False):
        if train:
            raise CompiledError("a compiled network does not train: train net, then compile it")
        return self.infer(x), None

    def backward(self, dy, cache):
        raise CompiledError("a compiled network has no backward pass: use its net")


def prepared(net):
    """fuse(net) for infer alone, while net's weights stay as they are."""
    return _prepared(fuse(net))


def _prepared(layer):
    """The layer, or one in its place; fuse made the containers, which are changed."""
    if type(layer) is Sequential:
        layer.layers = [_prepared(inner) for inner in layer.layers]
    elif hasattr(layer, "branches"):
        layer.branches = [_prepared(branch) for branch in layer.branches]
    elif isinstance(layer, Dropout):
        return Identity()
    elif type(layer) is ConvBNReLU:
        return _Prepared(layer)
    return layer


class _Prepared(Layer):
    """ConvBNReLU.infer; its weights are prepared once, for each dtype of x."""

    opaque = True

    def __init__(self, layer):
        self.layer, self.runs = layer, {}

    def infer(self, x):
        self.layer.check(x.shape)
        run = self.runs.get(x.dtype)
        if run is None:
            conv, (norm, _, eps) = self.layer.conv, self.layer.norm_arrays()
            how = conv.stride, conv.padding, eps, self.layer.pool
            run = self.runs[x.dtype] = conv_bn_relu_prepared(*conv.operands(x), norm, *how)
        return run(x)


def _owners(layer):
    """Yields (object, attribute) of each array that the layer computes with."""
    for _, inner in attributes(layer, (Param, Layer)):
        if isinstance(inner, Param):
            yield inner, "value"
        else:
            yield from _owners(inner)
    for name in layer.buffer_names:
        yield layer, name

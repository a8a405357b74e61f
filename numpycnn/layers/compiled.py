"""Networks in use alone: what depends on nothing but the weights is computed once."""

import copy
import itertools
import weakref

import numpy as np

from ..errors import CompiledError, ShapeError
from ..ops import dense
from ..ops.fused import conv_bn_relu_prepared
from ..ops.tape import taped
from .base import Layer, Param
from .combine import Add, Concat, Identity, Sequential
from .dense import Dense
from .dropout import Dropout
from .fused import ConvBNReLU, fuse
from .traverse import attributes


def compile(net):
    """A network for use alone, with the bits of fuse(net).infer(x): sooner for small batches.

    It takes the place of net in numpycnn.predict and evaluate, and computes with a copy of net's
    weights and layers as they are now. When net changes later, by training or by hand, it is out of
    date, and its infer raises CompiledError until net is compiled again. It does not train. Any
    number of threads may use it.
    """
    return net if isinstance(net, Compiled) else Compiled(net)


class Compiled(Layer):
    """What compile returns; `net` is the network itself."""

    opaque = True

    def __init__(self, net):
        self.net, self.state = net, _State(net)
        self.run = _prepared(fuse(copy.deepcopy(net))).infer

    def __reduce__(self):
        """For copy and pickle: compiled anew, for what is prepared belongs to this process."""
        return Compiled, (self.net,)

    def __getattr__(self, name):
        """What else the network knows: input_shape, metadata, pixel_scale."""
        if name.startswith("_") or "net" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no {name!r}")
        return getattr(self.net, name)

    def infer(self, x):
        if not self.state.holds(self.net):
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


class _State:
    """What the layers of a network hold, to see later whether that has changed.

    It does not keep the network itself alive.
    """

    def __init__(self, net):
        layers = list(_inside(net))
        self.own, *others = ((layer, _held(layer)) for layer in layers)
        self.own, self.others = self.own[1], others
        params = [param for layer in layers for _, param in attributes(layer, Param)]
        self.values = [(param, param.value) for param in params]
        arrays = [array for layer in layers for _, array in attributes(layer, np.ndarray)]
        arrays += [value for _, value in self.values]
        self.contents = [(array, array.tobytes()) for array in arrays]

    def holds(self, net):
        return (
            _as_before(net, self.own)
            and all(_as_before(layer, held) for layer, held in self.others)
            and all(param.value is value for param, value in self.values)
            and all(array.tobytes() == content for array, content in self.contents)
        )


def _inside(layer):
    """Yields the layer and all inside it, of Frozen ones too."""
    yield layer
    for _, inner in attributes(layer, Layer):
        yield from _inside(inner)


def _held(layer):
    """Its attributes now: of lists, tuples and dicts what is in them, at any depth."""
    return _copied(vars(layer))


def _copied(value, around=()):
    if not isinstance(value, (list, tuple, dict)) or id(value) in around:
        return value  # a list may hold itself
    around = (*around, id(value))
    if isinstance(value, dict):
        return {key: _copied(one, around) for key, one in value.items()}
    copied = [_copied(one, around) for one in value]
    return copied if isinstance(value, list) else tuple(copied)


def _as_before(layer, held):
    try:
        return vars(layer) == held  # which takes an array for equal to itself, without a look
    except ValueError:  # and does not compare two of them
        return False


_preparations = {}  # {id of a network: (its _State, prepared(net))}, while the network lives


def prepared(net):
    """fuse(net) for infer alone, with the bits of its infer: kept for as long as net is as it is.

    Layers that are not fused are net's own.
    """
    state, run = _preparations.get(id(net), (None, None))
    if run is None or not state.holds(net):
        run = _prepared(fuse(net))
        if run is net:  # nothing was fused
            return run
        if id(net) not in _preparations:
            weakref.finalize(net, _preparations.pop, id(net), None)
        _preparations[id(net)] = _State(net), run
    return run


def _prepared(layer):
    """The layer, or one in its place; fuse made the containers, which are changed.

    A subclass may compute otherwise, so it stays.
    """
    if type(layer) is Sequential:
        return _Chain(layer)
    if type(layer) in (Add, Concat):
        layer.branches = [_prepared(branch) for branch in layer.branches]
    elif type(layer) is Dropout:
        return Identity()
    elif type(layer) is ConvBNReLU:
        return _Prepared(layer)
    elif type(layer) is Dense:
        return _PreparedDense(layer)
    return layer


class _Chain(Sequential):
    """Sequential.infer; few images go through convolutions that follow each other by one call."""

    opaque = True

    def __init__(self, chain):
        super().__init__([_prepared(inner) for inner in chain.layers])
        self.places, self.seen, self.steps = chain.places, set(), []
        others = (layer for layer in self.layers if type(layer) is not Identity)
        for kind, layers in itertools.groupby(others, type):
            functions = [layer.infer for layer in layers]
            self.steps += [taped(_composed(functions))] if kind is _Prepared else functions

    def infer(self, x):
        kind = _kind(x)
        if kind in self.seen:
            try:
                return _composed(self.steps)(x)
            except (ShapeError, TypeError):  # which layer it is says the layer by layer
                pass
        y = super().infer(x)
        if kind:
            self.seen.add(kind)
        return y


def _kind(x):
    """Shape and dtype of an array; None of what else a layer of somebody's own may give."""
    return (x.shape, x.dtype) if isinstance(x, np.ndarray) else None


def _composed(functions):
    """x -> the last function of ... of the first of x"""

    def run(x):
        for function in functions:
            x = function(x)
        return x

    return run


class _PreparedDense(Layer):
    """Dense.infer; for few images its product is prepared."""

    opaque = True

    def __init__(self, layer):
        self.layer, self.seen = layer, set()  # kinds that fit
        self.dtypes = {param.value.dtype for param in layer.params()}
        self.product = taped(lambda x: dense(x, layer.w.value)[0])

    def infer(self, x):
        kind = _kind(x)
        if kind not in self.seen:
            y = self.layer.infer(x)
            if kind and {x.dtype} == self.dtypes:
                self.seen.add(kind)
            return y
        y = self.product(x)
        return y if self.layer.b is None else y + self.layer.b.value


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

"""Where a check is made: a layer and its inputs in float64, and runs of it on fresh copies."""

import copy
import inspect
import math

import numpy as np

from ..layers import Layer, Param
from ..layers.traverse import attributes, named_params, walk
from ..ops import softmax_cross_entropy

SPREAD = 1e-2  # a quarter of the values below this share of the root mean square: spans magnitudes


class LayerError(Exception):
    """What the layer raised, and where: "in Swish.backward, dy (4, 6): ValueError: ..."."""


class Point:
    """A layer and its inputs. Every run is on a fresh copy: nothing of it can reach the next.

    v {name: array} is what can be moved, y = f(v), dy the upstream gradient, dv {name: gradient}
    what backward says. An input is an array, or a tuple of arrays that forward gets as one
    argument.
    """

    def __init__(self, layer, inputs, train, rng, dtype=np.float64):
        self.title = type(layer).__name__
        layer = copy.deepcopy(layer)
        self.layer = cast(layer if isinstance(layer, Layer) else _Guest(layer), dtype)
        self.inputs = [
            tuple(floating(a, dtype) for a in one)
            if isinstance(one, tuple)
            else floating(one, dtype)
            for one in inputs
        ]
        self.train, self.rng, self.dtype = train, rng, dtype
        self.params = named_params(self.layer)
        self.names = _input_names(layer, self.inputs, self.params)
        self.v = {
            name: array
            for name, array in zip(self.names, self.arrays(self.inputs), strict=True)
            if array.dtype.kind == "f"
        }
        self.v |= {name: param.value for name, param in self.params.items() if param.value.size}

    @staticmethod
    def arrays(inputs):
        """The arrays of the inputs, or of gradients given back for them, in one list."""
        return [a for one in inputs for a in (one if isinstance(one, tuple) else (one,))]

    def copies(self, offsets=None):
        """Copies of layer and inputs, with offsets {name: array} added to v."""
        copied = {}  # id of what was copied -> its copy
        layer, inputs = copy.deepcopy(self.layer, copied), copy.deepcopy(self.inputs)
        offsets = offsets or {}
        for name in self.params.keys() & offsets:
            param = copied.get(id(self.params[name])) or named_params(layer)[name]
            param.value = param.value + offsets[name]
        for name, array in zip(self.names, self.arrays(inputs), strict=True):
            if name in offsets:
                array += offsets[name]
        return layer, inputs

    def forward(self, offsets=None, train=None):
        """A run with offsets {name: array} added to v -> layer, inputs, what forward returned."""
        layer, inputs = self.copies(offsets)
        return layer, inputs, self.call(layer, inputs, train)

    def call(self, layer, inputs, train=None):
        """layer.forward(*inputs, train). Raises LayerError for whatever it raises."""
        shapes = ", ".join(str(a.shape) for a in self.arrays(inputs))
        try:
            return layer.forward(*inputs, self.train if train is None else train)
        except Exception as error:
            raise LayerError(where(self.title, "forward", f"x {shapes}", error)) from error

    def y(self, offsets=None):
        """forward's y alone."""
        return self.forward(offsets)[2][0]

    def backward(self, dy):
        """-> dv, of a fresh forward pass"""
        layer, _, (_, cache) = self.forward()
        return self.gradients(layer, self.call_backward(layer, dy.copy(), cache))

    def call_backward(self, layer, dy, cache):
        """layer.backward(dy, cache). Raises LayerError for whatever it raises."""
        try:
            return layer.backward(dy, cache)
        except Exception as error:
            raise LayerError(where(self.title, "backward", f"dy {dy.shape}", error)) from error

    def gradients(self, layer, dx):
        """Copies of dx and of the parameters' gradients, under the names of v."""
        several = len(self.inputs) > 1
        parts = self.arrays(dx if several else (dx,))
        found = dict(zip(self.names, parts, strict=False))
        found |= {name: param.grad for name, param in named_params(layer).items()}
        return {name: copy.copy(found.get(name)) for name in self.v}

    def beside(self):
        """The point shaken by 1 %, away from exact ties."""
        offsets = {name: 1e-2 * self.direction(array) for name, array in self.v.items()}
        layer, inputs = self.copies(offsets)
        point = Point(
            layer.guest if isinstance(layer, _Guest) else layer, inputs, self.train, self.rng
        )
        return point

    def direction(self, v):
        """A random direction, in the units of v."""
        return units(v) * self.rng.standard_normal(v.shape)

    def as_float32(self):
        """The same point in float32, on whichever backend is in use."""
        layer = self.layer.guest if isinstance(self.layer, _Guest) else self.layer
        return Point(layer, self.inputs, self.train, self.rng, np.float32)


def where(title, method, what, error):
    text = " ".join(str(error).split())
    return f"in {title}.{method}, {what}: {type(error).__name__}: {text}"


def _input_names(layer, inputs, params):
    """x; or of several inputs the names that forward gives them; x[0], x[1] of a tuple."""
    names = ["x"]
    if len(inputs) > 1:
        names = [*inspect.signature(layer.forward).parameters][: len(inputs)]
        names = names if len(names) == len(inputs) else [f"x{i}" for i in range(len(inputs))]
    listed = []
    for name, one in zip(names, inputs, strict=True):
        name = name if name not in params else "(input)"
        listed += [f"{name}[{i}]" for i in range(len(one))] if isinstance(one, tuple) else [name]
    return listed


class _Guest(Layer):
    """Lends the walk over layers to one that does not inherit from Layer."""

    def __init__(self, guest):
        self.guest, self.forward, self.backward = guest, guest.forward, guest.backward

    def children(self):
        yield from attributes(self.guest, Layer)

    def params(self):
        own = getattr(self.guest, "params", None)
        yield from own() if own else (p for _, p in attributes(self.guest, Param))


class Loss(Layer):
    """A network and its loss as one layer with one output."""

    def __init__(self, net, labels):
        self.net, self.labels = net, labels

    def forward(self, x, train=False):
        logits, cache = self.net.forward(x, train)
        loss, dlogits = softmax_cross_entropy(logits, self.labels)
        return np.array([loss]), (dlogits, cache)

    def backward(self, dy, cache):
        dlogits, cache = cache
        return self.net.backward(dy * dlogits, cache)


def floating(x, dtype=np.float64):
    """x as the check moves it: floating point; uint8 images as 0..1; other integers as they are."""
    x = np.asarray(x)
    if x.dtype == np.uint8:
        return (x / 255.0).astype(dtype)
    return np.array(x, dtype) if x.dtype.kind == "f" else x


def cast(layer, dtype):
    """Parameters and buffers in another precision, without gradients -> the layer itself."""
    for param in named_params(layer).values():
        param.value, param.grad = np.array(param.value, dtype), None
    for _, inner in walk(layer):
        for name, array in inner.buffers():
            if array.dtype.kind == "f" and hasattr(inner, name):
                setattr(inner, name, array.astype(dtype))
    return layer


def double(layer):
    """Parameters and buffers in float64, without gradients -> the layer itself."""
    return cast(layer, np.float64)


def generator(seed):
    """A stream of its own, as many an x is drawn from default_rng(0): dy = x is a special case."""
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0x6772,)))


def units(v):
    """What a step of each element is measured in: the root mean square of v, 1 for zeros.

    Of an array that spans magnitudes each element's own size: a step that suits 1000 would throw
    0.001 across its pole or its zero. Zeros among them take the smallest.
    """
    size = np.abs(v)
    unit = (math.sqrt(np.mean(v * v)) if v.size else 0) or 1.0
    nonzero = size[size > 0]
    if nonzero.size and np.quantile(nonzero, 0.25) < SPREAD * unit:
        return np.where(size > 0, size, nonzero.min())
    return np.full(v.shape, unit)

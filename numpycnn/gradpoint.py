"""Where a gradient check stands: a layer and its input in float64, and whether it keeps the protocol at all."""

import copy
import math

import numpy as np

from .layers.base import Layer, Param, _attributes, named_params, walk
from .ops import softmax_cross_entropy

# ---- the point at which a layer is checked ----------------------------------------------------


class Point:
    """A layer and its input in float64. Every run is on a fresh copy: nothing of it can reach the next.

    v {name: array} is what can be moved, y = f(v), dy the upstream gradient, dv {name: gradient} what
    backward says. y is None when the layer breaks the protocol so far that nothing can be compared.
    """

    def __init__(self, layer, x, train, rng):
        layer = copy.deepcopy(layer)
        self.layer = double(layer if isinstance(layer, Layer) else _Guest(layer))
        self.x, self.train, self.rng = floating(x), train, rng
        params = named_params(self.layer)
        self.input = "x" if "x" not in params else "(input)"
        self.v = {self.input: self.x} if self.x.dtype.kind == "f" else {}
        self.v |= {name: p.value for name, p in params.items() if p.value.size}
        self.y, self.problems = None, []
        wrong = _wrong_forward(self)
        if not wrong:
            self.y = self.forward()[2]
            self.dy = rng.standard_normal(self.y.shape)
            wrong = _wrong_backward(self)
            self.dv = self.backward(self.dy)
        self.problems += wrong

    def forward(self, offsets=None):
        """Runs forward with offsets {name: array} added to v -> layer, x, y, cache."""
        layer, x, offsets = copy.deepcopy(self.layer), self.x.copy(), offsets or {}
        for name, param in named_params(layer).items():
            if name in offsets:
                param.value = param.value + offsets[name]
        if self.input in offsets:
            x += offsets[self.input]
        result = layer.forward(x, self.train)
        return layer, x, *(result if isinstance(result, tuple) and len(result) == 2 else (None, None))

    def backward(self, dy):
        """-> dv"""
        layer, _, _, cache = self.forward()
        return self.gradients(layer, layer.backward(dy.copy(), cache))

    def gradients(self, layer, dx):
        """Copies of dx and of the parameters' gradients, under the names of v."""
        found = {self.input: dx, **{name: p.grad for name, p in named_params(layer).items()}}
        return {name: copy.copy(found[name]) for name in self.v}

    def beside(self):
        """The point shaken by 1 %, away from exact ties."""
        layer = copy.deepcopy(self.layer)
        for param in named_params(layer).values():
            param.value = param.value + 1e-2 * self.direction(param.value)
        x = self.x + 1e-2 * self.direction(self.x) if self.input in self.v else self.x
        return Point(layer, x, self.train, self.rng)

    def direction(self, v):
        """A random direction, in v's own unit."""
        return unit(v) * self.rng.standard_normal(v.shape)


class _Guest(Layer):
    """Lends the walk over layers to one that does not inherit from Layer."""

    def __init__(self, guest):
        self.guest, self.forward, self.backward = guest, guest.forward, guest.backward

    def children(self):
        yield from _attributes(self.guest, Layer)

    def params(self):
        own = getattr(self.guest, "params", None)
        yield from own() if own else (p for _, p in _attributes(self.guest, Param))


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


def floating(x):
    """x as the check moves it: float64; uint8 images as 0..1; other integers (indices) as they are."""
    x = np.asarray(x)
    if x.dtype == np.uint8:
        return x / 255.0
    return x.astype(np.float64) if x.dtype.kind == "f" else x


def double(layer):
    """Makes parameters and buffers float64, without gradients -> the layer itself."""
    for param in named_params(layer).values():
        param.value, param.grad = np.array(param.value, np.float64), None
    for _, inner in walk(layer):
        for name, array in inner.buffers():
            if array.dtype.kind == "f" and hasattr(inner, name):
                setattr(inner, name, array.astype(np.float64))
    return layer


def generator(seed):
    """A stream of its own: many an x is drawn from default_rng(0), and dy = x would be a special case."""
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0x6772,)))


def unit(v):
    """The root mean square of v, and 1 for zeros: what a step is measured in."""
    return (math.sqrt(np.mean(v * v)) if v.size else 0) or 1.0


# ---- the protocol -----------------------------------------------------------------------------


def _wrong_forward(point):
    """What forward does against the protocol, in sentences."""
    _, x, y, _ = point.forward()
    if not isinstance(y, np.ndarray):
        return ["forward must return a pair (y, cache), y an array"]
    if not y.size or not point.v:
        return ["there is nothing to check: y is empty, or x holds integers and there are no parameters"]
    if y.dtype != np.float64:
        return [f"forward: float64 in must give float64 out, not {y.dtype}"]
    if not np.isfinite(y).all():
        return ["forward gives values that are not finite"]
    if not np.array_equal(x, point.x):
        return ["forward writes into its input x; work on a copy"]
    if not np.allclose(point.forward()[2], y, rtol=1e-9, atol=0):
        return ["forward gave two results for one input and random state; keep its Generator as an attribute"]
    return []


def _wrong_backward(point):
    """What backward does against the protocol, in sentences; takes out of v what cannot be compared."""
    layer, x, _, cache = point.forward()
    dy, wrong = point.dy.copy(), []
    first = point.gradients(layer, layer.backward(dy, cache))
    if not np.array_equal(x, point.x) or not np.array_equal(dy, point.dy):
        wrong.append("backward writes into dy or x; work on a copy")
    for name, grad in first.items():
        expected = point.v[name].shape
        if not isinstance(grad, np.ndarray) or grad.shape != expected:
            came = "is None" if grad is None else f"has the shape {np.shape(grad)}"
            wrong.append(f"backward's gradient of {name} {came}, expected the shape {expected}")
            del point.v[name]
        elif grad.dtype != np.float64:
            wrong.append(f"backward's gradient of {name} is {grad.dtype}: float64 in must give float64")
    if wrong:
        return wrong
    second = point.gradients(layer, layer.backward(point.dy.copy(), cache))
    for name in point.v:
        wrong += _wrong_second(name, first[name], second[name], name == point.input)
    return wrong


def _wrong_second(name, first, second, is_input):
    """After a second backward with the same cache dx must be the same, and a parameter's gradient double."""
    if np.allclose(second, first if is_input else 2 * first, rtol=1e-9, atol=1e-12 * np.abs(first).max()):
        return []
    if not is_input and np.allclose(second, first, rtol=1e-9, atol=0):
        return [f"a second backward overwrote the gradient of {name}; gradients add up: param.add_grad(...)"]
    return [f"a second backward with the same cache gave another gradient of {name}; keep the cache as it is"]

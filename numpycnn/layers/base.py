"""The protocol of a layer, and the few functions that walk over a network of them."""

import contextlib

import numpy as np


class Param:
    """A trained array: its value, and its gradient, which is None until the first backward pass."""

    __slots__ = ("grad", "name", "value")

    def __init__(self, name, value):
        self.name, self.value, self.grad = name, value, None

    def add_grad(self, grad):
        """Gradients add up, so that a layer that is used twice gets both."""
        self.grad = grad if self.grad is None else self.grad + grad

    def __repr__(self):
        return f"Param({self.name}, {self.value.shape}, {self.value.dtype})"


class Layer:
    """A layer is a forward and a backward pass, and what they need between calls.

    Parameters (Param), layers inside (also in lists) and generators are found among the attributes, in order
    of definition; arrays that are saved but not trained are named in `buffer_names`. A layer that is `whole` runs
    what is inside without calling its passes.
    """

    buffer_names = ()
    whole = False

    def forward(self, x, train=False):
        """-> y, cache. The cache is a value: nothing of a call is kept in the layer."""
        raise NotImplementedError(f"{type(self).__name__} has no forward pass")

    def backward(self, dy, cache):
        """Adds to the gradients of the parameters (`param.add_grad`) -> dx."""
        raise NotImplementedError(f"{type(self).__name__} has no backward pass")

    def infer(self, x):
        """-> y, as forward(x)[0]."""
        return self.forward(x)[0]

    def children(self):
        """Yields (name, layer) for the layers directly inside."""
        yield from _attributes(self, Layer)

    def params(self):
        """Yields every Param, those inside included, in order of definition."""
        for _, value in _attributes(self, (Param, Layer)):
            if isinstance(value, Param):
                yield value
            else:
                yield from value.params()

    def buffers(self):
        """Yields (name, array) of this layer's own running statistics: saved, not trained."""
        for name in self.buffer_names:
            yield name, getattr(self, name)

    def multiply_adds(self, x_shape, y_shape):
        """How many multiply-adds one image costs forward; 0 for layers without weights."""
        return 0

    def summary(self, input_shape):
        """A table of layers, output shapes, parameters, multiply-adds and bytes kept for backward, as a str.

        `input_shape` is one image's, without the batch: (28, 28, 1).
        """
        from .summary import summarize

        return summarize(self, input_shape)


def _attributes(layer, kinds):
    for name, value in vars(layer).items():
        if isinstance(value, kinds):
            yield name, value
        elif isinstance(value, (list, tuple)):
            yield from ((f"{name}.{i}", v) for i, v in enumerate(value) if isinstance(v, kinds))


def walk(layer, path=""):
    """Yields (path, layer) for the layer and all inside it, depth first: "", "0", "1", "1.branches.0", ..."""
    yield path, layer
    for name, child in layer.children():
        yield from walk(child, f"{path}.{name}" if path else name)


def named_params(net):
    """{path: Param} over the whole network, e.g. "3.w"; a Param that stands in two places is listed once."""
    found, seen = {}, set()
    for path, layer in walk(net):
        inside = {id(p) for _, child in layer.children() for p in child.params()}
        for param in layer.params():
            if id(param) not in seen and id(param) not in inside:
                seen.add(id(param))
                name = f"{path}.{param.name}" if path else param.name
                if name in found:
                    raise ValueError(f"two parameters are named {name}; give each Param of a layer its own name")
                found[name] = param
    return found


def named_buffers(net):
    """{path: array} of every running statistic, e.g. "4.running_mean"."""
    return {f"{path}.{name}".lstrip("."): array for path, layer in walk(net) for name, array in layer.buffers()}


def finite(net):
    """Whether every parameter and running statistic is."""
    return all(np.isfinite(array).all() for array in (*(p.value for p in net.params()), *named_buffers(net).values()))


def generators(net):
    """{path: numpy.random.Generator} of every layer that draws (dropout), one path for a shared one."""
    found, seen = {}, set()
    for path, layer in walk(net):
        for name, generator in _attributes(layer, np.random.Generator):
            if id(generator) not in seen:
                seen.add(id(generator))
                found[f"{path}.{name}".lstrip(".")] = generator
    return found


@contextlib.contextmanager
def gradients_kept(layer):
    """Within it backward passes may add to the layer's gradients; after it these are as they were."""
    kept = [(param, param.grad) for param in layer.params()]
    yield
    for param, grad in kept:
        param.grad = grad


@contextlib.contextmanager
def watch(net, seen=None, felt=None):
    """Within it, the passes of each layer that calls none inside are told of, as they happen:

    seen(path, layer, x, y, cache) after its forward pass, felt(path, layer, dy, dx, cache) after its backward pass.
    """
    leaves = {id(layer): (path, layer) for path, layer in walk(net) if layer.whole or not any(layer.children())}
    leaves = list(leaves.values())

    def watched_forward(path, layer, forward):
        def run(x, train=False):
            y, cache = forward(x, train)
            seen(path, layer, x, y, cache)
            return y, cache

        return run

    def watched_backward(path, layer, backward):
        def run(dy, cache):
            dx = backward(dy, cache)
            felt(path, layer, dy, dx, cache)
            return dx

        return run

    for path, layer in leaves:
        if seen:
            layer.__dict__["forward"] = watched_forward(path, layer, layer.forward)
        if felt:
            layer.__dict__["backward"] = watched_backward(path, layer, layer.backward)
    try:
        yield
    finally:
        for _, layer in leaves:
            layer.__dict__.pop("forward", None)
            layer.__dict__.pop("backward", None)

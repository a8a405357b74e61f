"""Walks over a network of layers: its parameters, running statistics, generators, and hooks on its passes."""

import contextlib

import numpy as np


def attributes(layer, kinds):
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
                    raise ValueError(
                        f"two parameters are named {name}; give each Param of a layer its own name"
                    )
                found[name] = param
    return found


def named_buffers(net):
    """{path: array} of every running statistic, e.g. "4.running_mean"."""
    return {
        f"{path}.{name}".lstrip("."): array
        for path, layer in walk(net)
        for name, array in layer.buffers()
    }


def all_finite(net):
    """Whether every parameter and running statistic is."""
    return all(
        np.isfinite(array).all()
        for array in (*(p.value for p in net.params()), *named_buffers(net).values())
    )


def generators(net):
    """{path: numpy.random.Generator} of every layer that draws (dropout), one path for a shared one."""
    found, seen = {}, set()
    for path, layer in walk(net):
        for name, generator in attributes(layer, np.random.Generator):
            if id(generator) not in seen:
                seen.add(id(generator))
                found[f"{path}.{name}".lstrip(".")] = generator
    return found


@contextlib.contextmanager
def preserve_gradients(layer):
    """Within it backward passes may add to the layer's gradients; after it these are as they were."""
    kept = [(param, param.grad) for param in layer.params()]
    try:
        yield
    finally:
        for param, grad in kept:
            param.grad = grad


@contextlib.contextmanager
def watch(net, on_forward=None, on_backward=None):
    """Within it, the passes of each layer that calls none inside are told of, as they happen:

    on_forward(path, layer, x, y, cache) after its forward pass, on_backward(path, layer, dy, dx, cache) after its backward pass.
    """
    leaves = {
        id(layer): (path, layer)
        for path, layer in walk(net)
        if layer.opaque or not any(layer.children())
    }
    leaves = list(leaves.values())

    def watched_forward(path, layer, forward):
        def run(x, train=False):
            y, cache = forward(x, train)
            on_forward(path, layer, x, y, cache)
            return y, cache

        return run

    def watched_backward(path, layer, backward):
        def run(dy, cache):
            dx = backward(dy, cache)
            on_backward(path, layer, dy, dx, cache)
            return dx

        return run

    for path, layer in leaves:
        if on_forward:
            layer.__dict__["forward"] = watched_forward(path, layer, layer.forward)
        if on_backward:
            layer.__dict__["backward"] = watched_backward(path, layer, layer.backward)
    try:
        yield
    finally:
        for _, layer in leaves:
            layer.__dict__.pop("forward", None)
            layer.__dict__.pop("backward", None)

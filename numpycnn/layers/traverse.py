"""Walks over a network of layers: parameters, running statistics, generators, hooks."""

import collections
import contextlib
import types

import numpy as np


def attributes(layer, kinds):
    """Yields (name, value) of the layer's attributes of these kinds, also in lists, tuples and
    dicts at any depth: "w", "heads.main", "blocks.0.1". Not inside layers, which have attributes of
    their own.
    """
    for name, container, key in places(layer, kinds):
        yield name, container[key]


def places(layer, kinds):
    """Yields (name, container, key) of the same: the value is container[key]."""
    yield from _inside(vars(layer), kinds, "", ())


def _inside(container, kinds, path, around):
    items = container.items() if isinstance(container, dict) else enumerate(container)
    for key, value in items:
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, kinds):
            yield name, container, key
        elif isinstance(value, (list, tuple, dict)) and id(value) not in around:
            yield from _inside(value, kinds, name, (*around, id(value)))  # a list may hold itself


def walk(layer, path="", frozen=False):
    """Yields (path, layer) for it and all inside, depth first: "", "0", "1", "1.branches.0", ...

    With `frozen` also what Frozen layers hold, under the path of the Frozen, as its arrays have it.
    """
    yield path, layer
    for name, child in layer.children():
        yield from walk(child, f"{path}.{name}" if path else name, frozen)
    if frozen:
        for inner in layer._frozen():
            yield from walk(inner, path, frozen)


def named_params(net):
    """{path: Param} over the whole network, e.g. "3.w".

    A Param that stands in two places is listed once.
    """
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
    """{path: array} of every running statistic, e.g. "4.running_mean".

    Raises ValueError for two of one name, of which a file could hold but one.
    """
    found = {}
    for path, layer in walk(net):
        for name, array in layer.buffers():
            _add(found, f"{path}.{name}".lstrip("."), array)
    return found


def _add(found, name, thing):
    if found.setdefault(name, thing) is not thing:
        raise ValueError(
            f"two arrays or generators are named {name}; give each of a layer its own name, and "
            "layers in a dict keys that differ as text"
        )


def all_finite(net):
    """Whether every parameter and running statistic is."""
    return all(
        np.isfinite(array).all()
        for array in (*(p.value for p in net.params()), *named_buffers(net).values())
    )


def generators(net):
    """{path: numpy.random.Generator} of each layer that draws; one path for a shared one.

    Raises ValueError for two of one name.
    """
    found, seen = {}, set()
    for path, layer in walk(net):
        for name, generator in attributes(layer, np.random.Generator):
            if id(generator) not in seen:
                seen.add(id(generator))
                _add(found, f"{path}.{name}".lstrip("."), generator)
    return found


@contextlib.contextmanager
def preserve_gradients(layer):
    """Within it backward passes may add to the layer's gradients; after it these are as before."""
    kept = [(param, param.grad) for param in layer.params()]
    try:
        yield
    finally:
        for param, grad in kept:
            param.grad = grad


@contextlib.contextmanager
def watch(net, on_forward=None, on_backward=None):
    """Hooks: within it, each pass of a layer that calls none inside is reported as it happens.

    on_forward(path, layer, x, y, cache) after its forward pass, on_backward(path, layer, dy, dx,
    cache) after its backward pass.
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


def uncovered(net):
    """Sentences on what looks like state, but is neither trained nor saved; none when all is well.

    Arrays of numbers that are no Param, no buffer and no argument of the constructor (whole numbers
    in an attribute _name pass for a cache), parameters or layers inside objects that are no layers,
    and what a layer keeps that stands beside the list of a Sequential.
    """
    found = []
    places_of = {id(layer): (path, layer) for path, layer in walk(net, frozen=True)}
    for path, layer in places_of.values():
        own = {id(array) for _, array in layer.buffers()} | {id(p) for p in layer.params()}
        own |= {id(value) for value in _arguments(layer)} | {
            id(child) for _, child in layer.children()
        }
        where = f"{path} {type(layer).__name__}".lstrip()
        found += [
            f"{where}.{name} ({type(inner).__name__}) stands beside the layers that {where} names, "
            "so its running statistics and random state are not saved: put it among them, or "
            "inherit from Layer, not from Sequential"
            for name, inner in layer._left_out()
            if named_buffers(inner) or generators(inner)
        ]
        for name, value in _hidden(layer):
            if id(value) in own:
                continue
            if isinstance(value, np.ndarray):
                found.append(
                    f"{where}.{name} {value.shape} is an array that is neither trained nor saved: "
                    f"make it a Param, or name it in buffer_names if it is a running statistic"
                )
            else:
                found.append(
                    f"{where}.{name} ({type(value).__name__}) is not found, so neither trained nor "
                    "saved: keep it as an attribute, or in a list or dict"
                )
    return found


def _arguments(layer):
    """The values of its arguments, and arrays in lists, tuples and dicts of them."""
    try:
        config = layer.config()
    except TypeError:
        return []
    arrays = [container[key] for _, container, key in _inside(config, np.ndarray, "", ())]
    return [*config.values(), *arrays]


def _hidden(layer):
    """Yields (name, value): arrays of numbers, and what has value and grad or both passes, where
    the walk does not look.
    """
    for name, array in attributes(layer, np.ndarray):
        if array.dtype.kind == "f" or (array.dtype.kind in "iu" and not name.startswith("_")):
            yield name, array
    for name, value in vars(layer).items():
        for thing in _buried(value):
            yield name, thing


def _buried(value, reached=True, around=()):
    """Yields parameters and layers in what is no list, tuple or dict: in sets, deques, arrays of
    objects, and in attributes of objects of somebody's own.
    """
    if isinstance(value, (type, types.ModuleType)) or id(value) in around:
        return
    if _is_state(value):
        if not reached:
            yield value
        return
    if isinstance(value, dict):
        inside = value.values()
    elif isinstance(value, (list, tuple)):
        inside = value
    elif isinstance(value, (set, frozenset, collections.deque)):
        inside, reached = value, False
    elif isinstance(value, np.ndarray) and value.dtype == object:
        inside, reached = value.flat, False
    elif reached and hasattr(value, "__dict__") and not callable(value):
        inside, reached = vars(value).values(), False
    else:
        return
    for one in inside:
        yield from _buried(one, reached, (*around, id(value)))


def _is_state(value):
    is_param = all(hasattr(value, name) for name in ("value", "grad", "add_grad"))
    return is_param or all(hasattr(value, name) for name in ("forward", "backward"))

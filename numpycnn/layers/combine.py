"""Layers made of layers: chains, sums (residual connections), concatenations (dense blocks)."""

import numpy as np

from ..errors import ShapeError
from .base import Layer, pair_of
from .traverse import named_buffers, named_params, preserve_gradients


class Sequential(Layer):
    """One layer after the other: forward y = f_n(...f_1(x)), backward in reverse, the chain rule.

    layers: the chain, one after the other or as one list. Raises TypeError for what is no layer,
    and in forward ShapeError that names the layer at which the shapes stop fitting.

    >>> Sequential(Flatten(), Dense(784, 10)).infer(np.zeros((8, 28, 28, 1), np.float32)).shape
    (8, 10)
    """

    def __init__(self, *layers):
        self.places = None  # of a copy whose layers are joined: where they stand in the original
        self.layers = list(
            layers[0] if len(layers) == 1 and isinstance(layers[0], (list, tuple)) else layers
        )
        _check_layers(self, self.layers)

    def children(self):
        for i, layer in enumerate(self.layers):
            yield str(i), layer

    def forward(self, x, train=False):
        caches = []
        for i, layer in enumerate(self.layers):
            try:
                x, cache = pair_of(layer, layer.forward(x, train))
            except (ShapeError, TypeError) as error:
                raise self._at(i, layer, error) from None
            caches.append(cache)
        return x, caches

    def backward(self, dy, cache):
        _own_cache(self, cache, list, len(self.layers))
        for i, layer in reversed(list(enumerate(self.layers))):
            dy = layer.backward(dy, cache[i])
            if dy is None:  # the layer was told that nobody needs its dx
                if any(True for before in self.layers[:i] for _ in before.params()):
                    raise TypeError(
                        f"layer {i} ({type(layer).__name__}): backward returned None instead of dx"
                    )
                break
        return dy

    def infer(self, x):
        for i, layer in enumerate(self.layers):
            try:
                x = layer.infer(x)
            except (ShapeError, TypeError) as error:
                raise self._at(i, layer, error) from None
        return x

    def _at(self, i, layer, error):
        """The error of layer i, with the number and the class that the user wrote."""
        i, name = self.places[i] if self.places else (i, type(layer).__name__)
        return type(error)(f"layer {i} ({name}): {error}")


def _check_layers(owner, layers):
    for layer in layers:
        if not isinstance(layer, Layer):
            raise TypeError(
                f"{type(owner).__name__} is made of layers, not {layer!r}; "
                "inherit from layers.Layer"
            )


def _own_cache(owner, cache, kind, length):
    if not isinstance(cache, kind) or len(cache) != length:
        raise ValueError(
            f"{type(owner).__name__}.backward needs the cache that its own forward returned"
        )
    return cache


class Frozen(Layer):
    """y = f(x), with f's parameters as they are: saved like running statistics, and not trained.

    Batch norm in it keeps its statistics, and dropout is off. layer: f. Raises TypeError for what
    is no layer.

    >>> list(Frozen(Dense(2, 1)).params())
    []
    """

    input_gradient = True  # False, by layers.fuse: backward gives None, and nothing is kept for it

    def __init__(self, layer):
        _check_layers(self, [layer])
        self.layer = layer

    def children(self):
        yield from ()

    def _frozen(self):
        yield self.layer

    def params(self):
        yield from ()

    def buffers(self):
        for name, param in named_params(self.layer).items():
            yield name, param.value
        yield from named_buffers(self.layer).items()

    def forward(self, x, train=False):
        if not self.input_gradient:
            return self.layer.infer(x), None
        return self.layer.forward(x, train=False)

    def backward(self, dy, cache):
        if not self.input_gradient:
            return None
        with preserve_gradients(self.layer):  # it may be trained elsewhere
            return self.layer.backward(dy, cache)

    def infer(self, x):
        return self.layer.infer(x)

    def multiply_adds(self, x_shape, y_shape):
        return self.layer.multiply_adds(x_shape, y_shape)


class Identity(Layer):
    """y = x, of any shape: the way around of Add and Concat.

    >>> Identity().infer(np.array([3.0]))
    array([3.])
    """

    def forward(self, x, train=False):
        return x, None

    def backward(self, dy, cache):
        return dy


class Reshape(Layer):
    """y[n] = x[n] in another shape: x (N, ...) -> y (N, *shape).

    shape: without the batch; one -1 is worked out. Raises ShapeError in forward where it does not
    fit.

    >>> Reshape(7, 7, -1).infer(np.zeros((8, 98))).shape
    (8, 7, 7, 2)
    """

    def __init__(self, *shape):
        self.shape = (
            tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (list, tuple)) else shape
        )

    def forward(self, x, train=False):
        size = int(np.prod(x.shape[1:]))
        known = int(np.prod([n for n in self.shape if n != -1]))
        shape = tuple(size // max(known, 1) if n == -1 else n for n in self.shape)
        if int(np.prod(shape)) != size:
            raise ShapeError(f"{type(self).__name__} cannot make {self.shape} of {x.shape[1:]}")
        return x.reshape(len(x), *shape), x.shape

    def backward(self, dy, cache):
        shape = (
            isinstance(cache, tuple) and len(cache) > 0 and all(isinstance(n, int) for n in cache)
        )
        if not shape or int(np.prod(cache)) != dy.size:
            raise ValueError(
                f"{type(self).__name__}.backward needs the cache that its own forward returned"
            )
        return dy.reshape(cache)

    def tangent(self, u, dy, cache):
        """u -> u in the other shape: see input_gradient.py"""
        return self.forward(u)[0]


class Flatten(Reshape):
    """(N, H, W, C) -> (N, H*W*C)

    >>> Flatten().infer(np.zeros((8, 28, 28, 1))).shape
    (8, 784)
    """

    def __init__(self):
        super().__init__(-1)

    def config(self):
        return {}


class Add(Layer):
    """y = f(x) + g(x) + ...      Add(Identity(), body) is a residual connection.

    branches: layers that give one shape. Backward: every branch gets dy, and x gets the sum of
    what they give back. Raises TypeError without a branch or for what is no layer, in forward
    ShapeError. Source: He et al. 2016.

    >>> Add(Identity(), ReLU()).infer(np.array([-1.0, 2.0]))
    array([-1.,  4.])
    """

    def __init__(self, *branches):
        if not branches:
            raise TypeError(f"{type(self).__name__} needs at least one branch")
        self.branches = list(branches)
        _check_layers(self, self.branches)

    def forward(self, x, train=False):
        outputs, caches = zip(
            *(pair_of(branch, branch.forward(x, train)) for branch in self.branches), strict=True
        )
        return self._joined(outputs), caches

    def infer(self, x):
        return self._joined([branch.infer(x) for branch in self.branches])

    def _joined(self, outputs):
        if len({y.shape for y in outputs}) != 1:
            raise ShapeError(
                f"Add: the branches give different shapes, {[y.shape for y in outputs]}"
            )
        return sum(outputs[1:], outputs[0])

    def backward(self, dy, cache):
        _own_cache(self, cache, tuple, len(self.branches))
        dxs = [branch.backward(dy, one) for branch, one in zip(self.branches, cache, strict=True)]
        return sum(dxs[1:], dxs[0])


class Concat(Layer):
    """y = [f(x) | g(x) | ...] along the channels; Concat(Identity(), body) is a dense block.

    branches: layers whose outputs differ in channels alone. Backward: every branch gets its slice
    of dy, and x the sum of what they give back. Raises as Add does. Source: Huang et al. 2017.

    >>> Concat(Identity(), ReLU()).infer(np.array([[-1.0, 2.0]]))
    array([[-1.,  2.,  0.,  2.]])
    """

    def __init__(self, *branches):
        if not branches:
            raise TypeError(f"{type(self).__name__} needs at least one branch")
        self.branches = list(branches)
        _check_layers(self, self.branches)

    def forward(self, x, train=False):
        outputs, caches = zip(
            *(pair_of(branch, branch.forward(x, train)) for branch in self.branches), strict=True
        )
        return self._joined(outputs), (caches, [one.shape[-1] for one in outputs])

    def infer(self, x):
        return self._joined([branch.infer(x) for branch in self.branches])

    def _joined(self, outputs):
        if len({y.shape[:-1] for y in outputs}) != 1:
            raise ShapeError(
                f"Concat: the branches differ in more than channels, {[y.shape for y in outputs]}"
            )
        return np.concatenate(outputs, axis=-1)

    def backward(self, dy, cache):
        caches, widths = _own_cache(self, cache, tuple, 2)
        _own_cache(self, caches, tuple, len(self.branches))
        if dy.shape[-1] != sum(widths):
            raise ShapeError(
                f"Concat: dy has {dy.shape[-1]} channels, the forward pass gave {sum(widths)}"
            )
        pieces = np.split(dy, np.cumsum(widths)[:-1], axis=-1)  # one (..., width) a branch
        dxs = [
            b.backward(piece, one)
            for b, piece, one in zip(self.branches, pieces, caches, strict=True)
        ]
        return sum(dxs[1:], dxs[0])

"""The protocol of a layer: parameters, a forward pass, a backward pass."""

import numbers

import numpy as np

from .. import moved
from ..errors import ShapeError
from .config import arguments, written
from .summary import summarize
from .traverse import attributes


class Param:
    """A trained array: its name, its value, and its gradient, None until the first backward pass.

    >>> Param("w", np.zeros((2, 3), np.float32))
    Param(w, (2, 3), float32)
    """

    __slots__ = ("grad", "name", "value")

    def __init__(self, name, value):
        self.name, self.value, self.grad = name, value, None

    def add_grad(self, grad):
        """Gradients add up, so that a layer that is used twice gets both.

        A view of somebody's array is copied: that array may change before the step.
        """
        if self.grad is None:
            grad = np.asarray(grad)
            self.grad = grad if grad.flags.owndata and grad.flags.writeable else grad.copy()
        else:
            self.grad = self.grad + grad

    def __repr__(self):
        return f"Param({self.name}, {self.value.shape}, {self.value.dtype})"


def value_of(param):
    """The array of a Param; None where there is no Param, as for a layer without a bias."""
    return None if param is None else param.value


METHODS = "params", "buffers", "children", "config", "summary", "multiply_adds"  # not for values


class Layer:
    """A layer is a forward and a backward pass, and what they need between calls.

    Parameters (Param), layers inside (also in lists) and generators are found among the attributes,
    in order of definition; arrays that are saved but not trained are named in `buffer_names`. A
    layer that is `opaque` runs what is inside without calling its passes.

    Several ranks share a batch, and a layer sees the images of its own. What goes beyond one image
    asks ops.whole: whole.draw(numbers, shape) for random numbers, whole.total(summed) and
    whole.images(n) for a statistic of the batch, forward and backward.
    """

    buffer_names = ()
    opaque = False

    def forward(self, x, train=False):
        """-> y, cache. The cache is a value: nothing of a call is kept in the layer."""
        raise NotImplementedError(f"{type(self).__name__} has no forward pass")

    def backward(self, dy, cache):
        """Adds to the gradients of the parameters (`param.add_grad`) -> dx."""
        raise NotImplementedError(f"{type(self).__name__} has no backward pass")

    def infer(self, x):
        """-> y, as forward(x)[0]."""
        return pair_of(self, self.forward(x))[0]

    def children(self):
        """Yields (name, layer) for the layers directly inside."""
        yield from attributes(self, Layer)

    def _frozen(self):
        """Yields the layers inside that children leaves out, since they are not trained."""
        yield from ()

    def _left_out(self):
        """Yields (name, layer) for those that no walk finds, as children was overridden."""
        found = {id(inner) for inner in (*(one for _, one in self.children()), *self._frozen())}
        yield from ((name, one) for name, one in attributes(self, Layer) if id(one) not in found)

    def params(self):
        """Yields every Param, those inside included, in order of definition."""
        for _, value in attributes(self, (Param, Layer)):
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

    def config(self):
        """{argument: value} that makes this layer again: the constructor's, from attributes of
        their names.

        repr, checkpoints and the comparison at save stand on it. `init` and `rng` are left out
        where they are not kept. Raises TypeError naming the attribute that is missing: override it
        then.
        """
        return arguments(self)

    def __repr__(self):
        return written(self)

    def __setattr__(self, name, value):
        if name in METHODS:
            raise TypeError(
                f"{type(self).__name__}.{name} is a method of every layer, "
                f"which a value would hide; use another name, such as self.{name}_"
            )
        super().__setattr__(name, value)

    def _repr_html_(self):
        """The summary, where the input's shape is known, else None: a notebook shows repr then."""
        known = fact(self, "input_shape")
        return self.summary()._repr_html_() if known else None

    def summary(self, input_shape=None):
        """A table, a str: layers, shapes, parameters, multiply-adds, bytes kept for backward.

        `input_shape` is one image's, without the batch: (28, 28, 1); networks of `models` know it.
        Raises ShapeError where it is needed and not given.
        """
        input_shape = input_shape or fact(self, "input_shape")
        if input_shape is None:
            raise ShapeError("summary needs the shape of one image: net.summary((28, 28, 1))")
        return summarize(self, input_shape)


def fact(net, name):
    """What models, fit and load note on a network as its attribute "spec", "metadata" or
    "input_shape"; None where there is none, or somebody's own attribute of that name.
    """
    value = getattr(net, name, None)
    if name == "input_shape":
        sizes = isinstance(value, (tuple, list)) and value
        good = sizes and all(isinstance(n, numbers.Integral) for n in sizes)
    else:
        good = isinstance(value, dict) and (name != "spec" or {"model", "arguments"} <= set(value))
    return value if good else None


def pair_of(layer, returned):
    """(y, cache) as forward must return it. Raises TypeError that says so: a batch of two images
    would be taken for the pair, its first image for y.
    """
    if type(returned) is not tuple or len(returned) != 2:
        came = type(returned).__name__
        came = f"a tuple of {len(returned)}" if isinstance(returned, tuple) else f"a single {came}"
        raise TypeError(
            f"{type(layer).__name__}.forward must return a pair (y, cache), not {came}; "
            "`return y, None` where backward needs nothing"
        )
    return returned


__getattr__ = moved("layers.base")

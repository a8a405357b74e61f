"""The integer network as a layer: evaluate, predict and checkpoints take it like any other."""

import math

import numpy as np

from ...errors import CheckpointError, ShapeError
from ...layers import Layer
from ...training import checkpoint
from ..graph import ExportError
from .steps import OPS, Step

DTYPES = {"w": "int8", "b": "int32", "q": "int32", "s": "uint8", "slope": "int32", "table": "uint8"}


class Int8Network(Layer):
    """Steps of whole numbers, each by steps.OPS; `steps` as config() gives them, or Step objects.

    (N, H, W, C) uint8, or floats from 0 to 1 that become pixels -> float32 logits (N, K), which are
    `integers(x)` times the last step's scale. Raises ShapeError, ValueError for other images, and
    CheckpointError for steps that mean nothing.
    """

    def __init__(self, steps):
        self.steps = [one if isinstance(one, Step) else _step(one) for one in steps]
        self.input_shape = self.steps[0].shape

    def config(self):
        return {"steps": [_written(step) for step in self.steps]}

    def buffers(self):
        for i, step in enumerate(self.steps):
            for name, array in step.arrays.items():
                yield f"{i}.{name}", array

    def forward(self, x, train=False):
        return self.infer(x), None

    def backward(self, dy, cache):
        raise ExportError("an integer network is not trained: it has no backward pass")

    def infer(self, x):
        scale = np.float32(self.steps[-1].scale)
        return self.integers(self.pixels(x)).astype(np.float32) * scale

    def pixels(self, x):
        """Images as codes, uint8. Raises ShapeError, ValueError."""
        x = np.asarray(x)
        if x.shape[1:] != self.input_shape:
            raise ShapeError(f"the network takes images {self.input_shape}, not {x.shape[1:]}")
        if x.dtype == np.uint8:
            return x
        if x.size and not (-1e-3 <= x.min() and x.max() <= 1.001):
            raise ValueError(
                f"an integer network takes pixels: uint8, or floats from 0 to 1, not {x.dtype} "
                f"from {x.min():g} to {x.max():g}"
            )
        return np.rint(np.clip(x, 0, 1) * 255).astype(np.uint8)

    def integers(self, x):
        """int32 logits (N, K) of uint8 images: what a C program gives, bit for bit."""
        return self.every(x)[-1].astype(np.int32)

    def every(self, x):
        """The codes that each step gives, the images first; the last are int64 logits."""
        found = [x]
        for step in self.steps[1:]:
            found.append(OPS[step.op](step, *(found[i] for i in step.inputs)))
        return found

    def multiply_adds(self, x_shape=None, y_shape=None):
        return sum(step.multiply_adds() for step in self.steps)

    def weight_bytes(self):
        """Of all arrays."""
        return sum(array.nbytes for _, array in self.buffers())


def _written(step):
    arrays = {name: list(array.shape) for name, array in step.arrays.items()}
    fields = ("op", "name", "inputs", "shape", "scale", "zero", "numbers")
    return {field: getattr(step, field) for field in fields} | {"arrays": arrays}


def _step(written):
    """A Step with arrays of zeros, which the checkpoint fills. Raises CheckpointError."""
    try:
        shapes = written["arrays"].items()
        arrays = {name: np.zeros(shape, DTYPES[name]) for name, shape in shapes}
        if written["op"] not in ("input", *OPS):
            raise KeyError(written["op"])
        return Step(**{**written, "arrays": arrays})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"a step of the integer network means nothing: {error}") from None


def load(path):
    """The integer network of a checkpoint. Raises CheckpointError, also for steps that do not fit
    together: they are run once, on an image of zeros.
    """
    net = checkpoint.load(path, layers=[Int8Network])
    if not isinstance(net, Int8Network):
        raise CheckpointError(
            f"{path} holds no integer network; numpycnn export --to int8 makes one"
        )
    return checked(net)


def checked(net):
    """net, whose steps give what they say. Raises CheckpointError."""
    try:
        if any(i >= n for n, step in enumerate(net.steps) for i in step.inputs):
            raise ValueError("a step reads a later one")
        if math.prod(net.input_shape) > 1 << 24:
            raise ValueError(f"images {net.input_shape}")
        shapes = [y.shape[1:] for y in net.every(np.zeros((1, *net.input_shape), np.uint8))]
        if shapes != [tuple(step.shape) for step in net.steps]:
            raise ValueError(f"steps give {shapes}")
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        text = f"the steps of the integer network do not fit together: {error}"
        raise CheckpointError(text) from None
    return net

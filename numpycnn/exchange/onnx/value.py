"""A value that an ONNX graph computes, as the reader knows it, and what operators ask of one."""

import dataclasses
import math

import numpy as np

from ...errors import CheckpointError

FLOATS = 1, 10, 11, 16  # float32, float16, float64, bfloat16


@dataclasses.dataclass
class Value:
    """A computed value: its dims without the batch, and what they are.

    axes: "nchw", "nhwc", "flat", or "pooled" for the (C, 1, 1) or (1, 1, C) of a global average,
    which is flat for us, or "groups" (G, -1) of the value `whole`, which becomes itself again.
    order[i]: which of our features stands at place i of a flat one.
    """

    dims: list
    axes: str
    order: np.ndarray | None = None
    whole: object = None
    pads: tuple | None = None  # ((top, bottom), (left, right)) that a Pad gave; dims are without
    whole_numbers: bool = False  # uint8, which a Cast makes float32

    def shape(self):
        """One image's, as numpycnn has it."""
        c, *size = self.dims
        return (*size, c) if self.axes == "nchw" else tuple(self.dims)

    def padded(self):
        """Its dims with the zeros of a Pad."""
        dims = list(self.dims)
        for axis, pair in enumerate(self.pads or (), 1 if self.axes == "nchw" else 0):
            dims[axis] += sum(pair)
        return dims

    @property
    def channels(self):
        return (
            self.dims[0 if self.axes == "nchw" else -1] if self.axes != "pooled" else max(self.dims)
        )

    def own(self, values):
        """Constants (D,), one for each feature, in our order."""
        return values if self.order is None or values.size == 1 else values[np.argsort(self.order)]


def resolved(shape, dims):
    """A Reshape's target without the batch, its one -1 worked out."""
    size, known = math.prod(dims), math.prod(n for n in shape if n > 0)
    found = [
        size // max(known, 1) if n == -1 else dims[i] if n == 0 else n for i, n in enumerate(shape)
    ]
    if math.prod(found) != size or min(found) < 1:
        raise CheckpointError(f"a Reshape of {dims} to {shape}")
    return found


def together(node, values):
    """The value of an Add, a Concat or a Mul of computed ones."""
    first = values[0]
    if node.op == "Mul":  # an image times the gate of a squeeze-and-excite
        images = [v for v in values if v.axes in ("nchw", "nhwc")]
        if (
            len(values) != 2
            or len(images) != 1
            or any(len(v.dims) != len(images[0].dims) for v in values)
            or {v.axes for v in values} - {images[0].axes} != {"pooled"}
        ):
            raise CheckpointError(f"{node} of the values {[v.dims for v in values]}")
        return images[0]
    same = all(v.axes == first.axes for v in values)
    orders = all(np.array_equal(v.order, first.order) for v in values)
    if not same or (
        node.op == "Add" and not (orders and all(v.dims == first.dims for v in values))
    ):
        raise CheckpointError(f"{node} of values that differ: {[v.dims for v in values]}")
    if node.op == "Add":
        return first
    axis = node.attrs["axis"] % (len(first.dims) + 1) - 1
    if axis != (0 if first.axes == "nchw" else len(first.dims) - 1) or first.axes == "pooled":
        raise CheckpointError(f"{node} along another axis than the channels")
    dims = list(first.dims)
    dims[axis] = sum(v.dims[axis] for v in values)
    if all(v.order is None for v in values):
        return Value(dims, first.axes)
    orders = [np.arange(*v.dims) if v.order is None else v.order for v in values]
    starts = np.cumsum([0, *(len(one) for one in orders[:-1])])
    order = np.concatenate([one + n for one, n in zip(orders, starts, strict=True)])
    return Value(dims, first.axes, order)


def permutation(node):
    """The axes of a Transpose, from 0 on: PyTorch writes [0, -1, 1, 2] for a movedim."""
    axes = node.attrs.get("perm", [])
    return tuple(i % len(axes) for i in axes)


def transposed(node, value):
    """The value after a Transpose node. Raises CheckpointError for other orders of axes."""
    known = {("nchw", (0, 2, 3, 1)): "nhwc", ("nhwc", (0, 3, 1, 2)): "nchw"}
    axes = known.get((value.axes, permutation(node)))
    if permutation(node) == tuple(range(len(value.dims) + 1)):
        axes = value.axes
    if axes is None:
        raise CheckpointError(f"{node} by {node.attrs.get('perm')} of {value.axes}")
    dims = [value.dims[i - 1] for i in permutation(node)[1:]]
    return dataclasses.replace(value, dims=dims, axes=axes)


def cast(node, value):
    """The value after a Cast node, y = x. Raises CheckpointError where it rounds to integers."""
    to = node.attrs.get("to")
    if to not in FLOATS:
        raise CheckpointError(f"{node} to the type {to}, expected floats: it would round")
    return dataclasses.replace(value, whole_numbers=False)


def image(node, value):
    """The value's (C, H, W). Raises CheckpointError where it is no image in ONNX's order."""
    if value.axes != "nchw":
        raise CheckpointError(f"{node} of a value that is no image (N, C, H, W)")
    return value.dims


def weights(node, given, count):
    """The first constants after the input, float32; None for one that is left out."""
    found = [*given[1:], *[None] * count][:count]
    names = [*node.inputs[1:], *[""] * count][:count]
    for name, one in zip(names, found, strict=True):
        if name and one is None:
            raise CheckpointError(
                f"{node}: its weights {name!r:.60} are computed, expected constants"
            )
    if found[0] is None:
        raise CheckpointError(f"{node} has no weights")
    return found


def per_channel(node, value, array):
    """(C,) or (1,) of a constant that is broadcast to the value. Raises CheckpointError."""
    dims = [1] * (len(value.dims) - array.ndim) + list(array.shape)
    dims = dims[-len(value.dims) :]
    axis = 0 if value.axes == "nchw" else -1
    if (
        array.size not in (1, dims[axis])
        or array.size not in (1, value.channels)
        or value.axes == "pooled"
    ):
        raise CheckpointError(
            f"{node}: an array {array.shape} for {value.dims}, expected one of a channel"
        )
    return value.own(array.reshape(-1))

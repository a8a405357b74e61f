"""Arithmetic on shapes, which exporters leave in their files: worked out while reading.

Keras pads by a Pad whose sizes are computed from the image's shape by forty small operators, and
flattens by a Reshape to (batch, -1). The size of the batch counts as 0: in a Reshape, "as it is".
"""

import numpy as np

from ...errors import CheckpointError
from .protobuf import DTYPES

MOST = 1_000  # elements of an array that is computed: shapes are short


def _axes(node, given):
    """The axes of Unsqueeze, Squeeze and the Reduce operators: an input since opset 13 or 18."""
    axes = node.attrs.get("axes")
    if axes is None and len(given) > 1 and given[1] is not None:
        axes = given[1].tolist()
    return None if axes is None else tuple(axes)


def _slice(node, given):
    x, starts, ends, *rest = given
    axes = rest[0] if rest and rest[0] is not None else np.arange(len(starts))
    steps = rest[1] if len(rest) > 1 and rest[1] is not None else np.ones(len(starts), int)
    index = [slice(None)] * x.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        end = None if end < -(1 << 62) else int(end)  # "to the very beginning", with a step of -1
        index[int(axis)] = slice(int(start), end, int(step))
    return x[tuple(index)]


def _reshape(node, given):
    x, shape = given
    return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(shape.tolist())])


def _cast(node, given):
    x, to = given[0], DTYPES.get(node.attrs.get("to"))
    if x.size > MOST and to in (np.float32, np.float64):
        return x  # weights, which become float32 where they are used: no copy for every Cast
    if x.size > MOST or to is None:
        raise CheckpointError(f"{node} of {x.shape} to the type {node.attrs.get('to')}")
    return x.astype(to)


def _divide(a, b):
    """a / b; of whole numbers towards 0, where // goes down."""
    if a.dtype.kind not in "iu":
        return a / b
    return a // b + ((a % b != 0) & ((a < 0) != (b < 0)))


def _constant_of_shape(node, given):
    value = node.attrs.get("value")
    shape = given[0].tolist()
    if np.prod(shape, dtype=object) > MOST:
        raise ValueError("a constant that is too large")
    return np.full(shape, 0.0 if value is None else value.reshape(-1)[0])


FOLDED = {
    "Add": lambda node, given: given[0] + given[1],
    "Cast": _cast,
    "Concat": lambda node, given: np.concatenate(given, node.attrs["axis"]),
    "ConstantOfShape": _constant_of_shape,
    "Div": lambda node, given: _divide(*given),
    "Gather": lambda node, given: given[0].take(given[1], node.attrs.get("axis", 0)),
    "Identity": lambda node, given: given[0],
    "Mod": lambda node, given: given[0] % given[1],
    "Mul": lambda node, given: given[0] * given[1],
    "Neg": lambda node, given: -given[0],
    "ReduceProd": lambda node, given: np.prod(
        given[0], _axes(node, given), keepdims=bool(node.attrs.get("keepdims", 1))
    ),
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": lambda node, given: np.squeeze(given[0], _axes(node, given)),
    "Sub": lambda node, given: given[0] - given[1],
    "Transpose": lambda node, given: given[0].transpose(node.attrs.get("perm")),
    "Unsqueeze": lambda node, given: np.expand_dims(given[0], _axes(node, given)),
}


def fold(node, given):
    """The value of an operator whose inputs are all known. Raises CheckpointError where it is none
    of FOLDED or makes an array that is large: weights are not computed, but as they stand.
    """
    if node.op not in FOLDED:
        raise CheckpointError(f"{node} of constants; export with constant folding")
    if node.op not in ("Identity", "Cast") and any(
        one.size > MOST for one in given if one is not None
    ):
        raise CheckpointError(f"{node} of weights; export with constant folding")
    with np.errstate(all="ignore"):
        made = np.asarray(FOLDED[node.op](node, given))
    if made.size > MOST and node.op not in ("Identity", "Cast"):
        raise CheckpointError(f"{node} makes a constant of {made.size:,} elements")
    return made

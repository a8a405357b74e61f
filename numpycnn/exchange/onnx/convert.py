"""Operators of ONNX as layers, one function each: (node, the value it reads, its constants)."""

import math

import numpy as np

from ... import layers as L
from ...errors import CheckpointError
from .. import assemble
from ..assemble import Affine
from ..graph import chw
from . import spatial
from .attributes import objections
from .folding import FOLDED
from .value import Value, per_channel, resolved, weights

MOST_FEATURES = 1 << 20  # of an image that is flattened


# ---- what is refused before anything is read --------------------------------------------------


def objection(node):
    """Why numpycnn has no layer for the node, or None."""
    if node.op not in {*OPERATORS, *FOLDED, "Constant", "Shape", *OTHERS}:
        return str(node)
    found = objections(node)
    return f"{node} with {' and '.join(found)}" if found else None


OTHERS = "Softmax", "LogSoftmax", "Dropout"  # what the reader does itself


def constant(node):
    """The array of a Constant node. Raises CheckpointError for one without numbers."""
    for name in ("value", "value_float", "value_int", "value_ints"):
        if node.attrs.get(name) is not None:
            return np.asarray(node.attrs[name])
    raise CheckpointError(f"{node} holds no numbers")


# ---- operators, each -> ([layers and pieces], the value that it makes) ------------------------


def gemm(node, value, given):
    """Gemm or MatMul with a matrix that is known -> Dense. Raises CheckpointError."""
    w, b = weights(node, given, 2)
    if value.axes not in ("flat", "pooled") or w.ndim != 2:
        raise CheckpointError(f"{node} of {value.dims} by {w.shape}, expected features (D,)")
    w = w.T if node.attrs.get("transB") else w
    if w.shape[0] != value.channels:
        raise CheckpointError(f"{node} of {value.channels} features by weights {w.shape}")
    w = (w if value.order is None else w[np.argsort(value.order)]) * node.attrs.get("alpha", 1.0)
    b = None if b is None else b * node.attrs.get("beta", 1.0) * np.ones(w.shape[1])
    return [assemble.dense(w, b)], Value([w.shape[1]], "flat")


def batch_norm(node, value, given):
    """BatchNormalization, in use -> BatchNorm. Raises CheckpointError."""
    arrays = [value.own(v) for v in weights(node, given, 4) if v is not None]
    eps, momentum = node.attrs.get("epsilon", 1e-5), node.attrs.get("momentum", 0.9)
    if len(arrays) != 4 or value.axes == "nhwc":
        raise CheckpointError(f"{node} of {value.axes} with {len(arrays)} arrays, expected 4")
    return [assemble.batch_norm(*arrays, _short(momentum), _short(eps))], value


def _short(number):
    """0.9 of the float32 0.8999999761581421."""
    return float(f"{number:.7g}")


def prelu(node, value, given):
    """PRelu, a slope for each channel -> PReLU. Raises CheckpointError."""
    (alpha,) = weights(node, given, 1)
    return [assemble.prelu(per_channel(node, value, alpha))], value


def affine(node, value, given):
    """Add, Sub, Mul, Div of a constant, and Neg."""
    if node.op == "Neg":
        return [Affine(-np.ones(1), np.zeros(1), value.channels)], value
    i = next(i for i, one in enumerate(given) if one is not None)
    k = per_channel(node, value, given[i]).astype(np.float64)
    if i == 0 and node.op in ("Sub", "Div"):
        raise CheckpointError(f"{node} of a constant by a computed value")
    one, zero = np.ones(1), np.zeros(1)
    scale, shift = {"Add": (one, k), "Sub": (one, -k), "Mul": (k, zero), "Div": (1 / k, zero)}[
        node.op
    ]
    return [Affine(scale, shift, value.channels)], value


def flatten(node, value, given):
    """Flatten, Squeeze, and a Reshape to features."""
    if node.op == "Flatten" and node.attrs.get("axis", 1) != 1:
        raise CheckpointError(f"{node} from the axis {node.attrs['axis']}")
    if node.op == "Reshape" and given[1] is not None and given[1].size == 3:
        return [], _groups(node, value, given[1].tolist())
    if value.axes == "groups" and node.op == "Reshape" and given[1] is not None:
        return [], _whole(node, value, given[1].tolist())
    if node.op == "Reshape":
        target = None if given[1] is None else given[1].tolist()
        if (
            target is None
            or len(target) != 2
            or resolved(target[1:], value.dims) != [math.prod(value.dims)]
        ):
            raise CheckpointError(f"{node} to {target}")
    if value.axes == "flat":
        return [], value
    if value.axes == "pooled":
        return [], Value([value.channels], "flat")
    if node.op == "Squeeze" and math.prod(value.dims) != value.channels:
        raise CheckpointError(f"{node} of {value.dims}")
    size = [math.prod(value.dims)]
    if size[0] > MOST_FEATURES:
        raise CheckpointError(f"{node} of an image of {size[0]:,} values")
    shape = value.shape()
    reordered = value.axes == "nchw" and shape[2] > 1 and max(shape[:2]) > 1
    return [L.Flatten()], Value(size, "flat", chw(shape) if reordered else None)


def _groups(node, value, shape):
    """An image or features as (N, groups, -1), for the InstanceNormalization after it."""
    dims = resolved(shape[1:], value.dims)
    if value.axes not in ("nchw", "flat") or value.order is not None or value.channels % dims[0]:
        raise CheckpointError(f"{node} of {value.dims} to {dims}, expected groups of channels")
    return Value(dims, "groups", whole=value)


def _whole(node, value, shape):
    if resolved(shape[1:], value.dims) != value.whole.dims:
        raise CheckpointError(f"{node} to {shape}, expected {value.whole.dims} again")
    return value.whole


def layer_norm(node, value, given):
    """LayerNormalization over channels, the last axis -> LayerNorm. Raises CheckpointError."""
    gamma, beta = weights(node, given, 2)
    rank = len(value.dims) + 1
    if value.axes not in ("nhwc", "flat") or node.attrs.get("axis", -1) % rank != rank - 1:
        raise CheckpointError(f"{node} of {value.dims}, expected one over channels, the last axis")
    beta = np.zeros_like(gamma) if beta is None else beta
    eps = _short(node.attrs.get("epsilon", 1e-5))
    return [assemble.example_norm(value.own(gamma), value.own(beta), eps)], value


def instance_norm(node, value, given):
    """InstanceNormalization of an image, or of groups -> GroupNorm. Raises CheckpointError."""
    scale, shift = weights(node, given, 2)
    if value.axes not in ("nchw", "groups") or scale.shape != (value.dims[0],):
        raise CheckpointError(f"{node} of {value.dims}, expected an image or groups of channels")
    channels = (value if value.whole is None else value.whole).channels
    size = channels // len(scale)  # of a group
    eps = _short(node.attrs.get("epsilon", 1e-5))
    gamma, beta = np.repeat(scale, size), np.repeat(shift, size)
    return [assemble.example_norm(gamma, beta, eps, len(scale))], value


def unsqueeze(node, value, given):
    """Features as (C, 1, 1), the gate of a squeeze-and-excite, by one operator or by two.

    Raises CheckpointError.
    """
    axes = node.attrs.get("axes") or (given[1].tolist() if len(given) > 1 else [])
    before = len(value.dims) + 1
    rank = before + len(axes)
    features = value.axes == "flat" or (value.axes == "pooled" and before == 3)  # both, or one more
    behind = sorted(a % rank for a in axes) == list(range(before, rank)) and rank <= 4
    if not features or value.order is not None or not behind:
        raise CheckpointError(f"{node} of {value.dims} by the axes {axes}")
    return [], Value([*value.dims, *[1] * len(axes)], "pooled")


def pick(node, value, given):
    """Gather or Slice of features, in another order or some of them. Raises CheckpointError."""
    axes = [node.attrs.get("axis", 0)] if node.op == "Gather" else None
    if node.op == "Slice" and len(given) > 3 and given[3] is not None:
        axes = given[3].tolist()
    if value.axes != "flat" or axes not in ([1], [-1]) or any(one is None for one in given[1:]):
        raise CheckpointError(f"{node} of {value.dims} along {axes}, expected constants, features")
    (features,) = value.dims
    order = np.arange(features) if value.order is None else value.order
    picked = FOLDED[node.op](node, [order[None], *given[1:]])  # (1, as many as are left)
    if picked.ndim != 2 or not 0 < picked.size <= features:
        raise CheckpointError(f"{node} makes {picked.shape[1:]} of {features} features")
    ours = np.arange(features)
    if np.array_equal(np.sort(picked[0]), ours):
        return [], Value([features], "flat", None if (picked[0] == ours).all() else picked[0])
    return [assemble.Reorder(picked[0], features)], Value([picked.size], "flat")


def _plain(kind, argument=None, default=None):
    def made(node, value, given):
        layer = kind(_short(node.attrs.get("alpha", default))) if argument else kind()
        return [layer], value

    return made


OPERATORS = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Neg"), affine),
    **dict.fromkeys(("AveragePool", "MaxPool"), spatial.pool),
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze"), flatten),
    **dict.fromkeys(("Gather", "Slice"), pick),
    **dict.fromkeys(("Gemm", "MatMul"), gemm),
    "BatchNormalization": batch_norm,
    "Conv": spatial.conv,
    "ConvTranspose": spatial.conv_transpose,
    "Gelu": _plain(L.GELU),  # also what patterns.py makes of Erf
    "HardSwish": _plain(L.HardSwish),
    "InstanceNormalization": instance_norm,
    "LayerNormalization": layer_norm,
    "Swish": _plain(L.SiLU),  # x times its Sigmoid: patterns.py
    "Unsqueeze": unsqueeze,
    "Elu": _plain(L.ELU, "alpha", 1.0),
    "GlobalAveragePool": spatial.global_pool,
    "LeakyRelu": _plain(L.LeakyReLU, "alpha", 0.01),
    "PRelu": prelu,
    "Pad": spatial.pad,
    "ReduceMean": spatial.mean,
    "Relu": _plain(L.ReLU),
    "Resize": spatial.resize,
    "Sigmoid": _plain(L.Sigmoid),
    "Tanh": _plain(L.Tanh),
}
NUMBERWISE = {
    "Add", "BatchNormalization", "Cast", "Div", "Dropout", "Elu", "Identity", "LeakyRelu", "Mul",
    "Gelu", "HardSwish", "Neg", "PRelu", "Relu", "Sigmoid", "Sub", "Swish", "Tanh",
}  # fmt: skip

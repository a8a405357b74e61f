"""A flattened image is (H, W, C) here and (C, H, W) in PyTorch: what its features' weights become.

Every value of features has an order: ours[:, i] is theirs[:, order[i]]. A flattened image, the
input and the output tell theirs; layers hand it on, in both directions.
"""

import math

import numpy as np

from ..errors import CheckpointError
from .graph import chw

ALIKE = {  # the same of each feature, or with means over all of them
    "relu", "sigmoid", "tanh", "leaky_relu", "elu", "silu", "gelu", "hard_swish", "prelu",
    "batch_norm", "layer_norm", "standardize", "add", "reshape",
}  # fmt: skip


def reordered(nodes, own):
    """{(id(array), axis): order} of the weights of trace(net, shape); ours are theirs[order].

    own: the ids of arrays that may change. Raises CheckpointError, naming the layer, where no
    order of them gives the same answers.
    """
    orders, found = _orders(nodes, own), {}
    for node in nodes:
        for name, array in node.weights.items():
            if id(array) in own and len(node.shape) == 1 and array.size > 1:
                into = node.inputs if node.op == "dense" and name == "w" else []
                for axis, value in enumerate((*into, node)):
                    _agree(found, (id(array), axis), orders[value], node)
    return found


def _orders(nodes, own):
    """{node: order} of all features. Those of dense layers are free until somebody needs one."""
    orders, alike = {}, [(node, x) for node in nodes if node.op in ALIKE for x in node.inputs]
    for node in nodes:
        for x in (node, *node.inputs):
            if node.op == "reshape" and len(x.shape) > 1:
                flat = np.arange(math.prod(x.shape))
                _agree(orders, x, np.argsort(chw(x.shape)) if len(x.shape) == 3 else flat, node)
    _hand_on(orders, nodes, alike)
    for node in nodes:  # halves, groups, gates, the input: each feature by its place
        free = node.op in ALIKE | {"dense", "concat"}
        free = free and all(a is None or id(a) in own for a in node.weights.values())
        placed = [*node.inputs, node]
        if free:
            placed = [node] if node is nodes[-1] else []
        for x in placed:
            if len(x.shape) == 1:
                _agree(orders, x, np.arange(*x.shape), node)
    for node in nodes:
        _hand_on(orders, nodes, alike)
        if len(node.shape) == 1:
            orders.setdefault(node, np.arange(*node.shape))
    return orders


def _hand_on(orders, nodes, alike):
    """From each value to those that share its order, until nothing changes."""
    before = None
    while before != len(orders):
        before = len(orders)
        for node, x in alike:
            for known, other in ((node, x), (x, node)):
                if known in orders:
                    _agree(orders, other, orders[known], node)
        for node in nodes:
            if node.op == "concat" and all(len(x.shape) == 1 and x in orders for x in node.inputs):
                starts = np.cumsum([0, *(x.shape[0] for x in node.inputs)])
                parts = [at + orders[x] for at, x in zip(starts, node.inputs, strict=False)]
                _agree(orders, node, np.concatenate(parts), node)


def _agree(table, key, order, node):
    """Raises CheckpointError where the key has another one."""
    if not np.array_equal(table.setdefault(key, order), order):
        name = f"layer {node.path or 0} ({node.op})" if node.inputs else "the input"
        raise CheckpointError(
            f"{name} needs one order of features that are a flattened image, (C, H, W) there and "
            "(H, W, C) here, and no weights mend that; for a state that was made for (H, W, C) say "
            "flatten='nhwc'"
        )

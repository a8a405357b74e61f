"""Batch norm inside the layer before it: fewer nodes, the same answers."""

import copy

import numpy as np

from .graph import readers


def fold(nodes):
    """The nodes with batch norm inside the convolution or dense layer before it, where nobody else
    reads that one.

    w' = w * scale, b' = (b - mean) * scale + beta, scale = gamma / sqrt(var + eps); in float64.
    """
    read, new, kept = readers(nodes), {}, []
    for node in nodes:
        source = new.get(node.inputs[0]) if node.inputs else None
        alone = node.inputs and len(read[node.inputs[0]]) == 1
        if node.op == "batch_norm" and alone and source.op in ("conv", "conv_transpose", "dense"):
            _put_inside(source, node)
            new[node] = source
            continue
        new[node] = copy.copy(node)
        new[node].inputs = [new[one] for one in node.inputs]
        kept.append(new[node])
    return kept


def _put_inside(source, norm):
    gamma, beta, mean, var = (
        norm.weights[k].astype(np.float64) for k in ("gamma", "beta", "mean", "var")
    )
    scale = gamma / np.sqrt(var + norm.attrs["eps"])
    w, b = source.weights["w"], source.weights["b"]
    wide = scale[:, None] if source.op == "conv_transpose" else scale  # (kh, kw, F, C), (..., F)
    b = 0.0 if b is None else b.astype(np.float64)
    source.weights = {
        "w": (w.astype(np.float64) * wide).astype(w.dtype),
        "b": ((b - mean) * scale + beta).astype(w.dtype),
    }

"""What a float network does on training images: its ranges, and the moments of what filters see."""

import numpy as np

from ... import ops
from ...ops.conv import im2col
from ..graph import ExportError, readers

PLACES = 7  # of an image: every seventh is enough for moments


def value(node, *xs):
    """What the node gives for x (N, ...), in floating point."""
    x, w, attrs = xs[0], node.weights, node.attrs
    if node.op == "standardize":
        return (x - np.float32(attrs["mean"])) * np.float32(1 / attrs["std"])
    if node.op == "conv":
        return ops.conv2d(x, w["w"], w["b"], attrs["stride"], attrs["pads"])[0]
    if node.op == "dense":
        return ops.dense(x, w["w"], w["b"])[0]
    if node.op in ("max_pool", "avg_pool"):
        return getattr(ops, f"{node.op}2d")(x, attrs["size"], attrs["stride"])[0]
    if node.op == "global_avg_pool":
        return ops.global_avg_pool(x)[0]
    if node.op == "add":
        return sum(xs[1:], x)
    if node.op == "reshape":
        return x.reshape(len(x), *node.shape)
    return getattr(ops, node.op)(x, *attrs.values(), *w.values())[0]  # an activation


def runs(nodes, images, batch_size):
    """Yields {node: what it gives} for each batch of uint8 images."""
    for start in range(0, len(images), batch_size):
        x = images[start : start + batch_size].astype(np.float32) / np.float32(255)
        values = {nodes[0]: x}
        for node in nodes[1:]:
            values[node] = value(node, *(values[one] for one in node.inputs))
            if not np.isfinite(values[node]).all():
                raise ExportError(f"layer {node.path} ({node.op}) gives values that are not finite")
        yield values


def measure(nodes, images, batch_size=100):
    """-> ranges {node: (lowest, highest value over the images, 0 among them)}, and moments {node:
    E[x x^T] (K, K)} of what each filter of K weights sees, over one place in PLACES.
    """
    ranges, moments = {node: (0.0, 0.0) for node in nodes}, {}
    for values in runs(nodes, images, batch_size):
        for node, y in values.items():
            low, high = ranges[node]
            ranges[node] = min(low, float(y.min())), max(high, float(y.max()))
            if node.op in ("conv", "dense") and node is not nodes[-1]:
                seen = patches(node, values[node.inputs[0]])
                moments[node] = moments.get(node, 0) + seen.T @ seen / len(images)
    return ranges, moments


def patches(node, x):
    """What the filters of a convolution or dense layer see: (places, K), one place in PLACES."""
    if node.op == "conv":
        x = im2col(x, node.weights["w"].shape[:2], node.attrs["stride"], node.attrs["pads"])
        x = x.reshape(-1, x.shape[-1])[::PLACES]
    return x.astype(np.float64)


def equalize(nodes, images, batch_size=100):
    """Give channels behind a ReLU ranges that are nearer to each other; net stays what it is.

    One scale is for all channels of a tensor, so one of small values has few codes. Channel k is
    divided by f_k = sqrt(max_k / max), and the weights that read it are multiplied by f_k:
    relu(v / f) = relu(v) / f for f > 0.   Source: Nagel et al. 2019.
    """
    read, pairs = readers(nodes), []
    for node in nodes:
        if node.op in ("conv", "dense") and alone(read, node, "relu"):
            after = found = alone(read, node, "relu")
            while following := alone(read, found, "max_pool", "global_avg_pool"):
                found = following
            reader = alone(read, found, "conv", "dense")
            pairs += [(node, after, reader)] if reader else []
    largest = {after: 0.0 for _, after, _ in pairs}  # (F,)
    for values in runs(nodes, images, batch_size):
        for after in largest:
            y = values[after].reshape(-1, values[after].shape[-1])
            largest[after] = np.maximum(largest[after], y.max(axis=0))
    for node, after, reader in pairs:
        share = largest[after] / (largest[after].max() or 1.0)
        f = np.sqrt(np.maximum(share, 1e-2)).astype(np.float32)  # (F,)
        w, b = node.weights["w"], node.weights["b"]
        node.weights = {"w": w / f, "b": None if b is None else b / f}
        reader.weights = {**reader.weights, "w": reader.weights["w"] * f[:, None]}


def alone(read, node, *kinds):
    """The one reader of the node, if it is of these kinds."""
    found = read[node]
    return found[0] if len(found) == 1 and found[0].op in kinds else None

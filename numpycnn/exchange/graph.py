"""A network in use as a flat list of nodes: what every exporter reads.

Shapes are those of one image, NHWC. What only training needs (Dropout, Identity, Frozen) is gone.
"""

import dataclasses
import math

import numpy as np

from .. import layers as L
from ..errors import ShapeError
from ..layers.base import value_of
from ..ops.conv import conv_padding, conv_size, transposed_padding
from .plain import plain
from .structure import ExportError, deeper, exported, is_chain

__all__ = ["ExportError", "Node", "chw", "readers", "trace"]


@dataclasses.dataclass(eq=False)
class Node:
    """One operation; `shape` is that of its output for one image, `path` the layer's place."""

    op: str
    inputs: list
    shape: tuple
    path: str = ""
    attrs: dict = dataclasses.field(default_factory=dict)
    weights: dict = dataclasses.field(default_factory=dict)


def trace(net, input_shape):
    """-> [Node], in order of execution; the first is the input, the last the output.

    Raises ExportError for a layer that is none of numpycnn's and has no export() -> layers that
    equal it, and ShapeError, naming the layer, where the shapes do not fit.
    """
    nodes = [Node("input", [], tuple(int(n) for n in input_shape))]
    _Trace(nodes).layer(net, nodes[0], "")
    return nodes


def readers(nodes):
    """{node: [the nodes that read it]}"""
    found = {node: [] for node in nodes}
    for node in nodes:
        for source in node.inputs:
            found[source].append(node)
    return found


def chw(shape):
    """order[i]: which feature of a flat (H, W, C) stands at place i of a flat (C, H, W)."""
    h, w, c = shape
    return np.arange(h * w * c).reshape(h, w, c).transpose(2, 0, 1).ravel()


class _Trace:
    """One method for each kind of layer, each (layer, x, path) -> the node of its output."""

    def __init__(self, nodes):
        self.nodes = nodes

    def layer(self, layer, x, path):
        if is_chain(layer):
            for name, child in layer.children():
                x = self.layer(child, x, deeper(path, name))
            return x
        known = getattr(self, type(layer).__name__, None)
        if known is None or type(layer) is not getattr(L, type(layer).__name__, None):
            return self.layer(exported(layer, path), x, path)
        try:
            return known(layer, x, path)
        except ShapeError as error:
            text = str(error)
            text = text if text.startswith("layer ") else f"layer {path or 0} ({layer}): {text}"
            raise ShapeError(text) from None

    def add(self, op, x, shape, path, weights=None, **attrs):
        inputs = x if isinstance(x, list) else [x]
        shape = tuple(int(n) for n in shape)
        self.nodes.append(Node(op, inputs, shape, path, attrs, weights or {}))
        return self.nodes[-1]

    def Identity(self, layer, x, path):
        return x

    def Dropout(self, layer, x, path):
        return x

    def Frozen(self, layer, x, path):
        return self.layer(layer.layer, x, path)

    def ConvBNReLU(self, layer, x, path):
        parts = [layer.conv, *([layer.norm] if layer.norm else []), L.ReLU()]
        parts += [L.MaxPool2D(layer.pool)] if layer.pool > 1 else []
        return self.layer(L.Sequential(*parts), x, path)

    def Add(self, layer, x, path):
        ys = self.branches(layer, x, path)
        if len({y.shape for y in ys}) > 1:
            raise ShapeError(f"the branches give different shapes, {[y.shape for y in ys]}")
        return self.add("add", ys, ys[0].shape, path)

    def Concat(self, layer, x, path):
        ys = self.branches(layer, x, path)
        if len({y.shape[:-1] for y in ys}) > 1:
            raise ShapeError(f"the branches differ in size, {[y.shape for y in ys]}")
        return self.add("concat", ys, (*ys[0].shape[:-1], sum(y.shape[-1] for y in ys)), path)

    def branches(self, layer, x, path):
        return [
            self.layer(b, x, deeper(path, f"branches.{i}")) for i, b in enumerate(layer.branches)
        ]

    def Standardize(self, layer, x, path):
        return self.add("standardize", x, x.shape, path, mean=layer.mean, std=layer.std)

    def Conv2D(self, layer, x, path):
        w, dilation = layer.w.value, layer.dilation
        h, width, _ = self.image(x, w.shape[2] * layer.groups)
        pads = conv_padding((h, width), w.shape[:2], layer.stride, layer.padding, dilation)
        size = conv_size((h, width), w.shape[:2], layer.stride, pads, dilation)
        place = {"stride": layer.stride, "pads": pads, "dilation": dilation, "groups": layer.groups}
        weights = {"w": w, "b": value_of(layer.b)}
        return self.add("conv", x, (*size, w.shape[3]), path, weights, **place)

    def ConvTranspose2D(self, layer, x, path):
        w, size = layer.w.value, self.image(x, layer.w.value.shape[3])[:2]
        full = [(n - 1) * s + k for n, s, k in zip(size, layer.stride, w.shape[:2], strict=True)]
        pads = transposed_padding(full, w.shape[:2], layer.stride, layer.padding)
        size = [n - sum(cut) for n, cut in zip(full, pads, strict=True)]
        if min(size) < 1:
            raise ShapeError(f"padding {layer.padding} leaves nothing of the output")
        weights = {"w": w, "b": value_of(layer.b)}
        shape = (*size, w.shape[2])
        return self.add("conv_transpose", x, shape, path, weights, stride=layer.stride, pads=pads)

    def Dense(self, layer, x, path):
        w = layer.w.value
        if x.shape != w.shape[:1]:
            raise ShapeError(f"the input has the shape {x.shape}, expected {w.shape[:1]}")
        return self.add("dense", x, w.shape[1:], path, {"w": w, "b": value_of(layer.b)})

    def BatchNorm(self, layer, x, path):
        self.channels(x, len(layer.gamma.value))
        weights = {"gamma": layer.gamma.value, "beta": layer.beta.value}
        weights |= {"mean": layer.running_mean, "var": layer.running_var}
        return self.add("batch_norm", x, x.shape, path, weights, eps=layer.eps)

    def LayerNorm(self, layer, x, path):
        self.channels(x, len(layer.gamma.value))
        weights = {"gamma": layer.gamma.value, "beta": layer.beta.value}
        return self.add("layer_norm", x, x.shape, path, weights, eps=layer.eps)

    def GroupNorm(self, layer, x, path):
        self.channels(x, len(layer.gamma.value))
        weights = {"gamma": layer.gamma.value, "beta": layer.beta.value}
        how = {"groups": layer.groups, "eps": layer.eps}
        return self.add("group_norm", x, x.shape, path, weights, **how)

    def SqueezeExcite(self, layer, x, path):
        """The last node reads the image and its gate, features (C,)."""
        self.image(x, layer.channels)
        gate = self.layer(layer.gate, x, deeper(path, "gate"))
        return self.add("channel_scale", [x, gate], x.shape, path)

    def mirror(self, layer, x, path):
        return self.layer(plain(layer, x.shape), x, path)

    MirrorConv2D = MirrorBatchNorm = MirrorMean = mirror

    def ReLU(self, layer, x, path):
        return self.add("relu", x, x.shape, path)

    def Sigmoid(self, layer, x, path):
        return self.add("sigmoid", x, x.shape, path)

    def Tanh(self, layer, x, path):
        return self.add("tanh", x, x.shape, path)

    def SiLU(self, layer, x, path):
        return self.add("silu", x, x.shape, path)

    def GELU(self, layer, x, path):
        return self.add("gelu", x, x.shape, path)

    def HardSwish(self, layer, x, path):
        return self.add("hard_swish", x, x.shape, path)

    def LeakyReLU(self, layer, x, path):
        return self.add("leaky_relu", x, x.shape, path, alpha=layer.negative_slope)

    def ELU(self, layer, x, path):
        return self.add("elu", x, x.shape, path, alpha=layer.alpha)

    def PReLU(self, layer, x, path):
        alpha = layer.alpha.value
        if alpha.size > 1:
            self.channels(x, alpha.size)
        return self.add("prelu", x, x.shape, path, {"alpha": alpha})

    def MaxPool2D(self, layer, x, path):
        return self.pool("max_pool", layer, x, path)

    def AvgPool2D(self, layer, x, path):
        return self.pool("avg_pool", layer, x, path)

    def pool(self, op, layer, x, path):
        h, w, c = self.image(x)
        pads = conv_padding((h, w), layer.size, layer.stride, "valid")
        size = conv_size((h, w), layer.size, layer.stride, pads)
        return self.add(op, x, (*size, c), path, size=layer.size, stride=layer.stride)

    def GlobalAvgPool(self, layer, x, path):
        return self.add("global_avg_pool", x, self.image(x)[2:], path)

    def Flatten(self, layer, x, path):
        return self.add("reshape", x, (math.prod(x.shape),), path)

    def Reshape(self, layer, x, path):
        size, known = math.prod(x.shape), math.prod(n for n in layer.shape if n != -1)
        shape = tuple(size // max(known, 1) if n == -1 else n for n in layer.shape)
        if math.prod(shape) != size:
            raise ShapeError(f"cannot make {layer.shape} of {x.shape}")
        return self.add("reshape", x, shape, path)

    def Upsample2D(self, layer, x, path):
        (h, w, c), (rows, columns) = self.image(x), layer.size
        return self.add("upsample", x, (h * rows, w * columns, c), path, size=layer.size)

    def Sampling(self, layer, x, path):
        """In use it gives the means, the first half."""
        if len(x.shape) != 1 or x.shape[0] % 2:
            raise ShapeError(f"means and log variances side by side are expected, not {x.shape}")
        return self.add("first", x, (x.shape[0] // 2,), path)

    def image(self, x, channels=None):
        if len(x.shape) != 3:
            raise ShapeError(f"an image (H, W, C) is expected, not the shape {x.shape}")
        if channels is not None:
            self.channels(x, channels)
        return x.shape

    def channels(self, x, channels):
        if x.shape[-1] != channels:
            raise ShapeError(f"the input has {x.shape[-1]} channels, expected {channels}")

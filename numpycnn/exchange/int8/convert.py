"""A float network as an integer one: ranges by calibration, then a step for each node of the graph.

values      v = scale * (code - zero)        ranges of a tensor -> scale, zero
weights     w = scale_k * int8               symmetric, a scale for each filter k
sums        scale_x * scale_k                no rounding in them
"""

import numpy as np

from ...errors import ShapeError
from ...layers.base import fact
from ...training import checks
from ..fold import fold
from ..graph import ExportError, readers, trace
from ..parts import part
from .calibrate import alone, equalize, measure, value
from .network import Int8Network
from .steps import MOST_SHIFT, Step
from .weights import weights

TABLE = 1024  # entries of an activation's table: four an output code
SLOPED = "leaky_relu", "prelu"
TABLED = "tanh", "sigmoid", "elu", "silu", "gelu", "hard_swish"
ACTIVATIONS = ("relu", *SLOPED, *TABLED)
KNOWN = (
    *("input", "standardize", "conv", "dense", "add", "max_pool", "avg_pool", "global_avg_pool"),
    *("reshape", *ACTIVATIONS),
)


def quantize(net, images, batch_size=100):
    """-> Int8Network that answers as net does on images like these (N, H, W, C), uint8.

    The images (some hundred training images, never test images) tell the range of every layer.
    Raises ExportError for a layer that does not go, ShapeError and ValueError for the images.
    """
    layers, shape = part(net)
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.shape[1:] != shape or not len(images):
        raise ShapeError(
            f"calibration needs uint8 images {shape}, not {images.dtype} {images.shape}"
        )
    nodes = prepared(layers, shape)
    if nodes[1].op != "standardize":
        checks.check_images(net, images / np.float32(255))  # on the scale that net was trained on
    equalize(nodes, images, batch_size)
    build = _Build(nodes, *measure(nodes, images, batch_size))
    made = Int8Network(build.steps)
    made.pixel_scale = getattr(net, "pixel_scale", None)
    known = fact(net, "metadata") or {}
    made.metadata = {k: known[k] for k in ("classes", "data", "pictures", "recipe") if k in known}
    return made


def prepared(net, shape):
    """The nodes of net, batch norm and dense layers in a row joined.

    Raises ExportError, naming the layer, for what has no integer form.
    """
    nodes = _joined(fold(trace(net, shape)))
    for node in nodes:
        first = node.op != "standardize" or node.inputs[0] is nodes[0]
        plain = node.attrs.get("groups", 1) == 1 and {1} == {*node.attrs.get("dilation", (1,))}
        if node.op not in KNOWN or not first or not plain:
            raise ExportError(
                f"layer {node.path} ({node.op}) has no integer form in this place; the float "
                "network goes as ONNX: --to onnx"
            )
    if len(shape) != 3 or len(nodes) < 2 or nodes[-1].op != "dense":
        raise ExportError("int8 is for classifiers of images (H, W, C) that end in a dense layer")
    if nodes[1].op == "standardize" and len(readers(nodes)[nodes[0]]) > 1:
        raise ExportError("int8 needs Standardize before anything else reads the images")
    return nodes


def _joined(nodes):
    """Two dense layers in a row, such as a mirror mean and the last layer, as one:

    (x W1 + b1) W2 + b2 = x (W1 W2) + (b1 W2 + b2)
    """
    read = readers(nodes)
    for node in list(nodes):
        before = node.inputs[0] if node.inputs else node
        if node.op == before.op == "dense" and len(read[before]) == 1:
            w, b = node.weights["w"], node.weights["b"]
            b = np.zeros(w.shape[1], w.dtype) if b is None else b
            first = before.weights["b"]
            b = b if first is None else first @ w + b
            node.weights, node.inputs = {"w": before.weights["w"] @ w, "b": b}, before.inputs
            nodes = [one for one in nodes if one is not before]
            read = readers(nodes)
    return nodes


def codes(low, high, top=255):
    """(scale, zero) such that codes 0..top reach from low to high, 0 being the code zero."""
    scale = (high - low) / top or 1.0
    return scale, round(-low / scale)


def multiplier(ratio, most=None):
    """(q, s): ratio = q / 2^s to 31 bits, q int32, s 1..50. `most`: the largest to share the s.

    Raises ExportError where the ratio is 2^30 or more.
    """
    exponent = np.frexp(ratio if most is None else most)[1]  # most < 2^exponent
    s = np.minimum(31 - exponent, MOST_SHIFT).astype(np.int64)
    if np.min(s) < 1:
        raise ExportError("the scales of two layers differ by more than 2^30")
    q = np.rint(np.asarray(ratio) * 2.0**s)
    return np.clip(q, -(2**31) + 1, 2**31 - 1).astype(np.int32), s.astype(np.uint8)


class _Build:
    """One method for each kind of node, each (node) -> the step of its output."""

    def __init__(self, nodes, ranges, moments):
        self.nodes, self.ranges, self.moments = nodes, ranges, moments
        self.read = readers(nodes)
        self.steps, self.places, self.counts = [], {}, {}
        for node in nodes:
            if node not in self.places:
                self.places[node] = getattr(self, node.op, self.lookup)(node)

    def step(self, op, node, scale, zero, numbers=None, arrays=None, inputs=None):
        """Add one, with the next free name -> its number."""
        name = node.op if op in ("lookup", "head") else op
        self.counts[name] = self.counts.get(name, 0) + 1
        inputs = tuple(self.places[one] for one in (node.inputs if inputs is None else inputs))
        named = f"{name}{self.counts[name]}"
        self.steps.append(
            Step(op, named, inputs, node.shape, scale, zero, numbers or {}, arrays or {})
        )
        return len(self.steps) - 1

    def given(self, node):
        """The step that gives the node's first input."""
        return self.steps[self.places[node.inputs[0]]]

    def input(self, node):
        """Pixels: p / 255; or (p / 255 - mean) / std = (p - 255 mean) / (255 std)."""
        self.step("input", node, 1 / 255, 0.0)
        return 0

    def standardize(self, node):
        first, std = self.steps[0], node.attrs["std"]
        first.scale, first.zero = 1 / (255 * std), 255 * node.attrs["mean"]
        return 0

    def conv(self, node):
        outside = int(np.clip(round(self.given(node).zero), 0, 255))
        numbers = {"stride": tuple(node.attrs["stride"]), "outside": outside}
        return self.weighted(node, numbers | {"pads": tuple(map(tuple, node.attrs["pads"]))})

    def dense(self, node):
        return self.head(node) if node is self.nodes[-1] else self.weighted(node, {})

    def head(self, node):
        """The last layer, one scale for all classes; with the global average pool that it alone
        reads.
        """
        x, pool = self.given(node), node.inputs[0]
        pixels = pool.inputs[0].shape[0] * pool.inputs[0].shape[1] if self.pooled(pool) else 1
        w, b, scales = weights(node, x, None, pixels)
        scale = float(x.scale / pixels * scales[0])
        return self.step("head", node, scale, 0, {"pixels": pixels}, {"w": w, "b": b})

    def pooled(self, node):
        """Whether the node is a global average pool that the last layer does itself."""
        return node.op == "global_avg_pool" and self.read[node] == [self.nodes[-1]]

    def weighted(self, node, numbers):
        """Convolution or dense layer, with the activation that alone reads it."""
        x, after = self.given(node), alone(self.read, node, *ACTIVATIONS)
        w, b, scales = weights(node, x, self.moments[node])
        arrays = {"w": w, "b": b}
        out = after or node
        scale, zero = codes(*self.ranges[out])
        numbers["offset"], numbers["activation"] = zero, after.op if after else ""
        ratio = x.scale * scales / scale
        if after and after.op in TABLED:
            index, numbers["offset"], arrays["table"] = self.table(node, after, scale, zero)
            ratio = x.scale * scales / index
        most = ratio
        if after and after.op in SLOPED:
            alpha = after.attrs.get("alpha", after.weights.get("alpha")) + np.zeros(len(ratio))
            most = ratio * np.maximum(1, np.abs(alpha))
            arrays["slope"] = multiplier(ratio * alpha, most)[0]
        arrays["q"], arrays["s"] = multiplier(ratio, most)
        made = self.step(node.op, node, scale, zero, numbers, arrays)
        self.places[out] = made
        return made

    def table(self, node, after, scale, zero):
        """(scale of an index, index of 0, codes uint8 (TABLE,)) of an activation behind the sums.

        The indices reach over that part of the values where the code changes.
        """

        def code(v):
            return np.clip(np.rint(value(after, v) / scale) + zero, 0, 255).astype(np.uint8)

        grid = np.linspace(*self.ranges[node], 4 * TABLE)
        change = np.flatnonzero(np.diff(code(grid)))
        ends = (grid[change[0]], grid[change[-1] + 1]) if len(change) else (0.0, 0.0)
        step, middle = codes(min(ends[0], 0.0), max(ends[1], 0.0), TABLE - 1)
        return step, middle, code(step * (np.arange(TABLE) - middle))

    def lookup(self, node):
        """An activation that stands elsewhere: a table of all 256 codes."""
        x = self.given(node)
        alpha = node.weights.get("alpha")
        if alpha is not None and alpha.size > 1:
            raise ExportError(f"layer {node.path} (prelu) has an integer form behind sums alone")
        scale, zero = codes(*self.ranges[node])
        v = value(node, x.scale * (np.arange(256) - x.zero))
        table = np.clip(np.rint(v / scale) + zero, 0, 255).astype(np.uint8)
        return self.step("lookup", node, scale, zero, {}, {"table": table})

    def add(self, node):
        """The branches' scales over the new one are q_k / 2^s, with one s."""
        given = [self.steps[self.places[one]] for one in node.inputs]
        after = alone(self.read, node, "relu")
        scale, zero = codes(*self.ranges[after or node])
        ratios = np.array([x.scale for x in given]) / scale
        q, s = multiplier(ratios, ratios.max())
        b = (2 * zero + 1) << (int(s) - 1)
        b -= sum(round(int(k) * x.zero) for k, x in zip(q, given, strict=True))
        numbers = {"b": int(b), "s": int(s), "activation": after.op if after else ""}
        made = self.step("add", node, scale, zero, numbers, {"q": q})
        self.places[after or node] = made
        return made

    def avg_pool(self, node):
        x, (kh, kw) = self.given(node), node.attrs["size"]
        return self.mean(node, x, (kh, kw), node.attrs["stride"])

    def global_avg_pool(self, node):
        if self.pooled(node):
            return self.places[node.inputs[0]]
        size = node.inputs[0].shape[:2]
        return self.mean(node, self.given(node), size, size)

    def mean(self, node, x, size, stride):
        scale, zero = codes(*self.ranges[node])
        count = size[0] * size[1]
        q, s = multiplier(x.scale / (count * scale))
        numbers = {"size": tuple(size), "stride": tuple(stride), "b": round(-count * x.zero)}
        return self.step(
            "mean", node, scale, zero, numbers | {"q": int(q), "s": int(s), "offset": zero}
        )

    def max_pool(self, node):
        x = self.given(node)
        numbers = {name: tuple(node.attrs[name]) for name in ("size", "stride")}
        return self.step("max_pool", node, x.scale, x.zero, numbers)

    def reshape(self, node):
        x = self.given(node)
        return self.step("reshape", node, x.scale, x.zero)

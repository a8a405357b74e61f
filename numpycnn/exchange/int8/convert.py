"""A float network as an integer one: ranges by calibration, then a step for each node of the graph.

values      v = scale * (code - zero)        ranges of a tensor -> scale, zero
weights     w = scale_k * int8               symmetric, a scale for each filter k
sums        scale_x * scale_k                no rounding in them
"""

import numpy as np

from ... import ops
from ...errors import ShapeError
from ...ops.conv import im2col
from ...training import checks
from ..fold import fold
from ..graph import ExportError, readers, trace
from ..parts import part
from .network import Int8Network
from .steps import MOST_SHIFT, Step

PLACES = 7  # of an image: every seventh is enough for moments
DAMPING = 0.01  # of the moments' mean, so that they have an inverse
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
    known = getattr(net, "metadata", None) or {}
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


def equalize(nodes, images, batch_size=100):
    """Give channels behind a ReLU ranges that are nearer to each other; net stays what it is.

    One scale is for all channels of a tensor, so one of small values has few codes. Channel k is
    divided by f_k = sqrt(max_k / max), and the weights that read it are multiplied by f_k:
    relu(v / f) = relu(v) / f for f > 0.   Source: Nagel et al. 2019.
    """
    read, pairs = readers(nodes), []
    for node in nodes:
        if node.op in ("conv", "dense") and _alone(read, node, "relu"):
            after = found = _alone(read, node, "relu")
            while following := _alone(read, found, "max_pool", "global_avg_pool"):
                found = following
            reader = _alone(read, found, "conv", "dense")
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


def _alone(read, node, *kinds):
    """The one reader of the node, if it is of these kinds."""
    found = read[node]
    return found[0] if len(found) == 1 and found[0].op in kinds else None


def patches(node, x):
    """What the filters of a convolution or dense layer see: (places, K), one place in PLACES."""
    if node.op == "conv":
        x = im2col(x, node.weights["w"].shape[:2], node.attrs["stride"], node.attrs["pads"])
        x = x.reshape(-1, x.shape[-1])[::PLACES]
    return x.astype(np.float64)


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
        x, after = self.given(node), _alone(self.read, node, *ACTIVATIONS)
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
        after = _alone(self.read, node, "relu")
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


def weights(node, x, moments=None, pixels=1):
    """(w int8, b int32, scales (F,)) of a convolution or dense layer behind the step x.

    b_k = round(bias_k / (scale_x scale_k) - zero_x * sum w_k), where x may be a sum of `pixels`
    codes that stands for their mean: scale_x / pixels, zero_x * pixels. A filter of almost no
    weight would make its bias larger than any int32: its scale is raised until the bias fits into
    30 bits. Without moments, as for the last layer, all filters have one scale. Raises ExportError
    where the sums could leave 32 bits all the same.
    """
    scale, zero, w = x.scale / pixels, x.zero * pixels, node.weights["w"].astype(np.float64)
    bias = np.zeros(w.shape[-1]) if node.weights["b"] is None else node.weights["b"].astype(float)
    axes = tuple(range(w.ndim - 1))
    largest = np.abs(w).max(axis=axes)
    scales = np.maximum(largest / 127, np.abs(bias) / (scale * 2**30))
    scales = np.maximum(scales if moments is not None else scales.max(), 1e-30)
    scales = scales + np.zeros(w.shape[-1])
    w = rounded(w.reshape(-1, len(scales)), scales, moments).reshape(w.shape)
    b = np.rint(bias / (scale * scales) - w.sum(axis=axes, dtype=np.int64) * zero)
    if (np.abs(b) + 255 * pixels * np.abs(w.astype(np.int64)).sum(axis=axes)).max() >= 2**31:
        raise ExportError(
            f"layer {node.path} ({node.op}): sums of {w[..., 0].size:,} products can leave 32 bits"
        )
    return w, b.astype(np.int32), scales


def rounded(w, scales, moments=None):
    """W (K, F) int8 near w / scales; with moments H (K, K) such that E[((w - scales W)^T x)^2] =
    (w - scales W)^T H (w - scales W) is small.

    One weight after the other is rounded, and the ones behind it make up for its error d: they
    move by d U[i, j] / U[i, i], U^T U = H^-1.   Steps: ../INT8.md. Source: Frantar et al. 2022.
    """
    w = w / scales
    if moments is None:
        return np.clip(np.rint(w), -127, 127).astype(np.int8)
    damped = moments + (DAMPING * np.trace(moments) / len(w) + 1e-9) * np.eye(len(w))
    upper = np.linalg.cholesky(np.linalg.inv(damped)).T  # U
    whole = np.zeros(w.shape, np.int8)
    for i in range(len(w)):
        whole[i] = np.clip(np.rint(w[i]), -127, 127)
        w[i + 1 :] -= np.outer(upper[i, i + 1 :] / upper[i, i], w[i] - whole[i])
    return whole

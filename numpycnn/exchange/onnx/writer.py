"""The nodes of a network as those of an ONNX model of opset 17.

Inside, images are NCHW, as ONNX has them. No Transpose is needed for that: where an image becomes
features, or features an image, the rows or columns of the dense layer beside it change their order.
"""

import numpy as np

from .. import graph
from . import protobuf

ELEMENTWISE = {
    "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "leaky_relu": "LeakyRelu", "elu": "Elu",
    "hard_swish": "HardSwish",
}  # fmt: skip


class Writer:
    """One method for each op, each (node, inputs) -> the name of its output.

    order[node]: for features that stand in ONNX's order, which of ours stands at each place.
    """

    def __init__(self, nodes, layout, dtype):
        self.nodes, self.layout, self.dtype = nodes, layout, dtype
        self.readers = graph.readers(nodes)
        self.out, self.tensors, self.names, self.order = [], [], {}, {}

    def model(self, softmax, metadata):
        first, last = self.nodes[0], self.nodes[-1]
        image = len(first.shape) == 3
        name = "images" if image else "codes"
        dtype = "uint8" if self.dtype == "uint8" else "float32"
        inputs = protobuf.value_info(name, dtype, ["N", *self.outside(first.shape)])
        if image and self.layout == "nhwc":
            name = self.emit("Transpose", [name], perm=[0, 3, 1, 2])
        if dtype == "uint8":
            name = self.emit("Cast", [name], to=protobuf.TYPES["float32"])
        self.names[first] = name
        for node in self.nodes[1:]:
            ins = [self.names[one] for one in node.inputs]
            self.names[node] = self.write(node, ins)
        result, name = self.end(last, softmax)
        outputs = protobuf.value_info(result, "float32", ["N", *self.outside(last.shape)])
        self.emit("Identity", [name], result)
        return protobuf.model(self.out, [inputs], [outputs], self.tensors, metadata)

    def end(self, last, softmax):
        """-> the output's name outside, and the name of what it is inside."""
        if len(last.shape) == 3:
            name = self.names[last]
            nhwc = self.layout == "nhwc"
            return "images_out", self.emit("Transpose", [name], perm=[0, 2, 3, 1]) if nhwc else name
        name = self.plain(last)
        if softmax:
            return "probabilities", self.emit("Softmax", [name], axis=-1)
        return "logits", name

    def outside(self, shape):
        """One image's shape at an end of the model."""
        return [shape[2], *shape[:2]] if len(shape) == 3 and self.layout == "nchw" else list(shape)

    def emit(self, op, inputs, output=None, **attributes):
        output = output or f"{op.lower()}_{len(self.out)}"
        self.out.append(protobuf.node(op, inputs, [output], **attributes))
        return output

    def constant(self, array, name):
        name = f"{name}.{len(self.tensors)}"
        kind = np.int64 if array.dtype.kind == "i" else np.float32
        self.tensors.append(protobuf.tensor(name, np.asarray(array, kind)))
        return name

    def plain(self, node):
        """The name of its features in our order."""
        order = self.order.get(node)
        if order is None:
            return self.names[node]
        back = self.constant(np.argsort(order), "order")
        return self.emit("Gather", [self.names[node], back], axis=1)

    def write(self, node, ins):
        if node.op in ELEMENTWISE:
            self.order[node] = self.order.get(node.inputs[0])
            slope = {"alpha": float(node.attrs["alpha"])} if node.attrs else {}
            return self.emit(ELEMENTWISE[node.op], ins, **slope)
        return getattr(self, node.op)(node, ins)

    def standardize(self, node, ins):
        self.order[node] = self.order.get(node.inputs[0])
        unit = 255.0 if self.dtype == "uint8" and node.inputs[0] is self.nodes[0] else 1.0
        mean, std = node.attrs["mean"] * unit, node.attrs["std"] * unit
        y = self.emit("Sub", [ins[0], self.constant(np.float32(mean), f"{node.path}.mean")])
        return self.emit("Mul", [y, self.constant(np.float32(1 / std), f"{node.path}.scale")])

    def weights(self, node, w, b):
        given = [self.constant(w, f"{node.path}.w")]
        return given + ([] if b is None else [self.constant(b, f"{node.path}.b")])

    def conv(self, node, ins):
        w, (begins, ends) = node.weights["w"], zip(*node.attrs["pads"], strict=True)
        given = self.weights(node, w.transpose(3, 2, 0, 1), node.weights["b"])
        place = {"kernel_shape": list(w.shape[:2]), "strides": list(node.attrs["stride"])}
        place |= {"dilations": list(node.attrs["dilation"]), "group": node.attrs["groups"]}
        return self.emit("Conv", [*ins, *given], **place, pads=[*begins, *ends])

    def conv_transpose(self, node, ins):
        w, (begins, ends) = node.weights["w"], zip(*node.attrs["pads"], strict=True)
        given = self.weights(node, w.transpose(3, 2, 0, 1), node.weights["b"])
        place = {"kernel_shape": list(w.shape[:2]), "strides": list(node.attrs["stride"])}
        more = [max(-n, 0) for n in ends]
        pads = [*begins, *(max(n, 0) for n in ends)]
        return self.emit("ConvTranspose", [*ins, *given], **place, pads=pads, output_padding=more)

    def dense(self, node, ins):
        w, b = node.weights["w"], node.weights["b"]
        if (order := self.order.get(node.inputs[0])) is not None:
            w = w[order]
        if (order := self.wanted(node)) is not None:
            self.order[node] = order
            w, b = w[:, order], None if b is None else b[order]
        return self.emit("Gemm", [*ins, *self.weights(node, w, b)])

    def wanted(self, node):
        """The order in which an image that is made of these features has them, or None."""
        while len(self.readers[node]) == 1:
            (node,) = self.readers[node]
            if node.op == "reshape":
                return graph.chw(node.shape) if len(node.shape) == 3 else None
            if node.op not in (*ELEMENTWISE, "silu", "gelu", "batch_norm", "prelu", "standardize"):
                return None
        return None

    def batch_norm(self, node, ins):
        order = self.order[node] = self.order.get(node.inputs[0])
        values = (node.weights[k] for k in ("gamma", "beta", "mean", "var"))
        values = [v if order is None else v[order] for v in values]
        given = [self.constant(v, f"{node.path}.norm") for v in values]
        return self.emit("BatchNormalization", [*ins, *given], epsilon=float(node.attrs["eps"]))

    def silu(self, node, ins):
        self.order[node] = self.order.get(node.inputs[0])
        return self.emit("Mul", [*ins, self.emit("Sigmoid", ins)])

    def gelu(self, node, ins):
        """x * (erf(x / sqrt 2) + 1) / 2, as PyTorch writes it: opset 17 has no Gelu."""
        self.order[node] = self.order.get(node.inputs[0])
        root, one, half = (
            self.constant(np.float32(v), f"{node.path}.gelu") for v in (np.sqrt(2), 1, 0.5)
        )
        erf = self.emit("Erf", [self.emit("Div", [*ins, root])])
        return self.emit("Mul", [self.emit("Mul", [*ins, self.emit("Add", [erf, one])]), half])

    def layer_norm(self, node, ins):
        image, order = len(node.shape) == 3, self.order.get(node.inputs[0])
        self.order[node] = order
        values = (v if order is None else v[order] for v in node.weights.values())
        given = [self.constant(v, f"{node.path}.norm") for v in values]
        x = self.emit("Transpose", ins, perm=[0, 2, 3, 1]) if image else ins[0]
        eps = float(node.attrs["eps"])
        y = self.emit("LayerNormalization", [x, *given], axis=-1, epsilon=eps)
        return self.emit("Transpose", [y], perm=[0, 3, 1, 2]) if image else y

    def group_norm(self, node, ins):
        """As PyTorch writes it: an instance norm of the groups, then gamma and beta."""
        image, groups = len(node.shape) == 3, node.attrs["groups"]
        x = ins[0] if image else self.plain(node.inputs[0])
        ones, zeros = np.ones(groups, np.float32), np.zeros(groups, np.float32)
        given = [self.constant(v, f"{node.path}.group") for v in (ones, zeros)]
        x = self.emit("Reshape", [x, self.dims((groups, -1))])
        eps = float(node.attrs["eps"])
        y = self.emit("InstanceNormalization", [x, *given], epsilon=eps)
        shape = (node.shape[2], *node.shape[:2]) if image else node.shape
        y = self.emit("Reshape", [y, self.dims(shape)])
        gamma, beta = (v.reshape(-1, 1, 1) if image else v for v in node.weights.values())
        y = self.emit("Mul", [y, self.constant(gamma, f"{node.path}.gamma")])
        return self.emit("Add", [y, self.constant(beta, f"{node.path}.beta")])

    def channel_scale(self, node, ins):
        axes = self.constant(np.array([2, 3], np.int64), "axes")
        gate = self.emit("Unsqueeze", [self.plain(node.inputs[1]), axes])
        return self.emit("Mul", [ins[0], gate])

    def prelu(self, node, ins):
        order = self.order[node] = self.order.get(node.inputs[0])
        alpha = node.weights["alpha"]
        alpha = alpha if order is None or alpha.size == 1 else alpha[order]
        alpha = alpha.reshape(-1, 1, 1) if len(node.shape) == 3 else alpha
        return self.emit("PRelu", [*ins, self.constant(alpha, f"{node.path}.alpha")])

    def max_pool(self, node, ins):
        return self.emit("MaxPool", ins, **_window(node))

    def avg_pool(self, node, ins):
        return self.emit("AveragePool", ins, **_window(node))

    def global_avg_pool(self, node, ins):
        return self.emit("Flatten", [self.emit("GlobalAveragePool", ins)])

    def upsample(self, node, ins):
        scales = self.constant(np.float32([1, 1, *node.attrs["size"]]), f"{node.path}.scales")
        how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
        return self.emit("Resize", [*ins, "", scales], **how, nearest_mode="floor")

    def reshape(self, node, ins):
        source = node.inputs[0]
        if len(node.shape) not in (1, 3) or len(source.shape) not in (1, 3):
            raise graph.ExportError(
                f"layer {node.path}: {source.shape} to {node.shape} cannot go; "
                "images (H, W, C) and features (D,) can"
            )
        if len(source.shape) == len(node.shape) == 1:
            self.order[node] = self.order.get(source)
            return ins[0]
        if len(source.shape) == len(node.shape) == 3:  # rare: by way of NHWC
            x = self.emit("Transpose", ins, perm=[0, 2, 3, 1])
            x = self.emit("Reshape", [x, self.dims(node.shape)])
            return self.emit("Transpose", [x], perm=[0, 3, 1, 2])
        if len(node.shape) == 1:
            if max(source.shape[:2]) > 1 and source.shape[2] > 1:
                self.order[node] = graph.chw(source.shape)
            return self.emit("Flatten", ins)
        h, w, c = node.shape
        order = self.order.get(source)
        if order is None or not np.array_equal(order, graph.chw(node.shape)):
            name = self.plain(source)
            ins = [
                self.emit("Gather", [name, self.constant(graph.chw(node.shape), "order")], axis=1)
            ]
        return self.emit("Reshape", [ins[0], self.dims((c, h, w))])

    def dims(self, shape):
        return self.constant(np.array([0, *shape], np.int64), "shape")

    def first(self, node, ins):
        ends = (self.constant(np.array([n], np.int64), "slice") for n in (0, node.shape[0], 1))
        return self.emit("Slice", [self.plain(node.inputs[0]), *ends])

    def add(self, node, ins):
        orders = [self.order.get(one) for one in node.inputs]
        if any(o is not None for o in orders):
            if all(o is not None and np.array_equal(o, orders[0]) for o in orders):
                self.order[node] = orders[0]
            else:
                ins = [self.plain(one) for one in node.inputs]
        y = ins[0]
        for other in ins[1:]:
            y = self.emit("Add", [y, other])
        return y

    def concat(self, node, ins):
        if len(node.shape) == 1:
            ins = [self.plain(one) for one in node.inputs]
        return self.emit("Concat", ins, axis=1)


def _window(node):
    return {"kernel_shape": list(node.attrs["size"]), "strides": list(node.attrs["stride"])}

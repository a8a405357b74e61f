"""An ONNX file -> a network: chains, sums and concatenations of what numpycnn has layers for.

Every value of the graph is an array (a weight, or a shape that is worked out on the way) or a
computed one, of which the axes are known; every operator becomes layers. Images may be NCHW or, as
Keras exports them, NHWC with a Transpose on both sides of a convolution.
"""

import dataclasses
import json
import math

import numpy as np

from ... import layers as L
from ...errors import CheckpointError
from .. import graph
from ..assemble import NO_MARGIN, Reorder, branched, joined, settle, standardize
from ..nesting import nest
from ..reading import read
from . import convert, patterns
from .folding import fold
from .model import parse
from .value import Value, cast, permutation, resolved, together, transposed

FLOAT, UINT8 = 1, 2  # types of the input
LARGEST = 1 << 24  # values of one image, anywhere in the network
JOINS = {"Add": L.Add, "Concat": L.Concat, "Mul": L.SqueezeExcite}
PASSING = "Cast", "Identity", "Dropout"  # y = x in use
TO_NCHW = 0, 3, 1, 2


def load(path):
    """The network of an ONNX file; net.input_shape and net.metadata hold what else it tells.

    A softmax at its end is left out: numpycnn's networks end in logits. Raises CheckpointError, in
    one line: for a damaged file, and naming all nodes for which numpycnn has no layer.
    """
    return read(path, "an ONNX model", lambda content: network(parse(content)))


def network(model):
    """Raises CheckpointError, ValueError."""
    model = dataclasses.replace(model, nodes=patterns.joined(model.nodes, model.constants))
    unknown = [text for node in model.nodes if (text := convert.objection(node))]
    if unknown:
        raise CheckpointError(f"numpycnn has no layers for {', '.join(unknown)}")
    reader = _Reader(model)
    net = reader.network()
    settle(net, net.input_shape)
    net.metadata = _metadata(model.metadata)
    return net


def _metadata(noted):
    try:
        classes = json.loads(noted.get("classes", "null"))
    except ValueError:
        classes = None
    good = isinstance(classes, list) and all(isinstance(name, str) for name in classes)
    return {"classes": classes} if good else {}


class _Reader:
    def __init__(self, model):
        self.model, self.constants = model, dict(model.constants)
        self.values, self.pieces, self.sources, self.concats = {}, {}, {}, {}
        self.kinds = {node.outputs[0]: node.op for node in model.nodes}
        self.same = {}  # {name: the name of the value that it equals}
        self.next = {}  # {name: [the nodes that read it]}
        for node in model.nodes:
            for name in node.inputs:
                self.next.setdefault(name, []).append(node)

    def network(self):
        (name, dtype, dims), (output, *_) = self.model.input, self.model.output
        if dtype not in (FLOAT, UINT8) or len(dims) not in (2, 4) or min(dims[1:]) < 1:
            raise CheckpointError(
                f"its input is {dims} of the type {dtype}, expected float32 or uint8, and a "
                "batch of images or features whose sizes are numbers"
            )
        if math.prod(dims[1:]) > LARGEST:
            raise CheckpointError(f"its input has {math.prod(dims[1:]):,} values")
        axes = self.axes(name, len(dims))
        self.values[name] = Value(dims[1:], axes, whole_numbers=dtype == UINT8)
        for node in self.model.nodes:
            self.node(node)
        if output not in self.values:
            raise CheckpointError("its output is not computed from its input")
        if self.values[output].pads:
            raise CheckpointError(NO_MARGIN)
        end, order = self.same.get(output, output), self.values[output].order
        if order is not None:
            self.pieces[end] = [*self.pieces.get(end, []), Reorder(order, len(order))]
        net = L.Sequential(*self.layers(nest(self.sources, end, name)))
        if dtype == UINT8:
            _in_unit(net)
        net.input_shape = self.values[name].shape()
        return net

    def axes(self, name, rank):
        """nhwc where the value, or what is made of it number by number, is transposed to nchw."""
        if rank != 4:
            return "flat"
        seen, ahead = set(), [name]
        while ahead:
            for node in self.next.get(ahead.pop(), []):
                if node.op == "Transpose" and permutation(node) == TO_NCHW:
                    return "nhwc"
                if node.op in convert.NUMBERWISE and node.outputs[0] not in seen:
                    seen.add(node.outputs[0])
                    ahead.append(node.outputs[0])
        return "nchw"

    def node(self, node):
        for name in node.inputs:
            if name and name not in self.constants and name not in self.values:
                raise CheckpointError(f"{node} reads {name!r:.60}, which nothing before it makes")
        if node.outputs[0] in self.constants or node.outputs[0] in self.values:
            raise CheckpointError(f"{node} makes {node.outputs[0]!r:.60}, which there is already")
        given = [self.constants.get(name) for name in node.inputs]
        computed = [name for name in node.inputs if name in self.values]
        if node.op == "Constant":
            self.constants[node.outputs[0]] = convert.constant(node)
        elif node.op == "Shape":
            shape = self.values[computed[0]].padded() if computed else given[0].shape
            shape = [0, *shape] if computed else shape
            shape = shape[node.attrs.get("start", 0) : node.attrs.get("end")]
            self.constants[node.outputs[0]] = np.array(shape, np.int64)
        elif not computed:
            self.constants[node.outputs[0]] = fold(node, given)
        else:
            self.computed(node, given, computed)

    def computed(self, node, given, computed):
        name, values = node.outputs[0], [self.values[one] for one in computed]
        padded = any(one.pads for one in values)
        if node.op == "Dropout" and len(given) > 2 and np.any(given[2]):
            raise CheckpointError(f"{node} in training mode, expected a network in use: eval()")
        if values[0].whole_numbers and node.op not in ("Cast", "Identity", "Transpose"):
            raise CheckpointError(f"{node} of uint8, expected a Cast to float32 before it")
        joins = node.op in JOINS and len(computed) == len(node.inputs) > 1
        if joins and not padded:
            self.values[name] = together(node, values)
            self.pieces[name], computed = [], self.shorter(node.op, computed, name)
        elif padded and node.op not in ("Conv", "Transpose", *PASSING):
            raise CheckpointError(f"{node} of a padded image; numpycnn pads for convolutions alone")
        elif len(computed) > 1:
            raise CheckpointError(f"{node} of {len(computed)} computed values")
        elif node.op == "Cast":
            self.pieces[name], self.values[name] = [], cast(node, values[0])
        elif node.op in PASSING or (node.op == "Concat" and len(node.inputs) == 1):
            self.pieces[name], self.values[name] = [], values[0]
        elif node.op == "Transpose":
            self.pieces[name], self.values[name] = [], transposed(node, values[0])
        elif node.op in ("Softmax", "LogSoftmax"):
            self.pieces[name], self.values[name] = [], self.at_the_end(node, values[0])
        elif node.op == "Reshape" and given[1] is not None and given[1].size == 4:
            self.pieces[name], self.values[name] = self.image(node, values[0], given[1])
        elif node.op in convert.OPERATORS:
            made = convert.OPERATORS[node.op](node, values[0], given)
            self.pieces[name], self.values[name] = made
        else:
            raise CheckpointError(f"{node} of a computed value: numpycnn has no layer for it")
        before = [self.same.get(one, one) for one in computed]
        if len(before) == 1 and not self.pieces[name]:
            self.same[name] = before[0]  # another name, or other axes, of the same
        else:
            self.sources[name] = before
        if math.prod(self.values[name].dims) > LARGEST:
            raise CheckpointError(f"{node} makes an image of {self.values[name].dims}")

    def shorter(self, op, computed, name):
        """Concat(a, b, c) where there is a Concat(a, b): of that and c, as DenseNets grow."""
        if op != "Concat":
            return computed
        self.concats[tuple(computed)] = name
        for cut in range(len(computed) - 1, 1, -1):
            if before := self.concats.get(tuple(computed[:cut])):
                return [before, *computed[cut:]]
        return computed

    def at_the_end(self, node, value):
        name = node.outputs[0]
        while len(after := self.next.get(name, [])) == 1 and after[0].op in PASSING:
            name = after[0].outputs[0]
        if name != self.model.output[0]:
            raise CheckpointError(
                f"{node} is not at the end; numpycnn has softmax in the loss alone"
            )
        rank = len(value.dims) + 1
        channels = {"nhwc": rank - 1, "pooled": value.dims.index(value.channels) + 1}
        if node.attrs.get("axis", -1) % rank != channels.get(value.axes, 1):
            raise CheckpointError(f"{node} of {value.dims}, expected one over classes")
        return value

    def readers(self, name):
        """Yields the nodes that read a value, or what is only another name of it."""
        for node in self.next.get(name, []):
            if node.op in PASSING:
                yield from self.readers(node.outputs[0])
            else:
                yield node

    def image(self, node, value, shape):
        """Features that become an image."""
        dims = resolved(shape.tolist()[1:], value.dims)
        if value.axes == "groups":
            return convert.flatten(node, value, [None, shape])
        after = list(self.readers(node.outputs[0]))
        gate = value.axes == "flat" and value.order is None and math.prod(dims) == max(dims)
        if gate and [one.op for one in after] == ["Mul"] and len(after[0].inputs) == 2:
            return [], Value(dims, "pooled")
        made = Value(dims, self.axes(node.outputs[0], 4))
        if value.axes == "pooled" and made.shape() == (1, 1, value.dims[0]):
            return [], value
        if value.axes == made.axes == "nhwc":
            return [L.Reshape(*made.shape())], made
        if value.axes != "flat":
            raise CheckpointError(f"{node} of an image to {dims}")
        size = math.prod(dims)
        order = np.arange(size) if value.order is None else value.order
        if made.axes == "nchw":
            order = order[np.argsort(graph.chw(made.shape()))]
        moved = [] if np.array_equal(order, np.arange(size)) else [Reorder(order, size)]
        return [*moved, L.Reshape(*made.shape())], made

    def layers(self, steps):
        """The layers of a chain of nest's steps."""
        pieces = []
        for name, branches in steps:
            if branches:
                chains = [self.layers(one) for one in branches]
                pieces.append(branched(JOINS[self.kinds[name]], chains))
            pieces += self.pieces[name]
        return joined(pieces)


def _in_unit(net):
    """For uint8 images, which Standardize divides by 255 itself."""
    first = net.layers[0] if net.layers else None
    if isinstance(first, L.Standardize):
        scale, mean = 255 / first.std, first.mean / 255
        net.layers[0] = standardize(scale, -mean * scale)
    else:
        net.layers.insert(0, L.Standardize(0.0, 1 / 255))

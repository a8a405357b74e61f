"""The bytes of an ONNX file -> its graph as plain Python, arrays as views. Nothing is run."""

import dataclasses
import math

import numpy as np

from ...errors import CheckpointError
from .protobuf import DTYPES, Fields

FLOAT, INT, TEXT, TENSOR, INTS = 1, 2, 3, 4, 7  # kinds of attributes


@dataclasses.dataclass
class Node:
    """An operator; `inputs` may hold "" for one that is left out."""

    op: str
    name: str
    inputs: list
    outputs: list
    attrs: dict

    def __str__(self):
        return f"{self.op} ({self.name or self.outputs[0]})"


@dataclasses.dataclass
class Model:
    """input and output: (name, number of the type, dims); a dimension without a number is 0."""

    nodes: list
    constants: dict
    input: tuple
    output: tuple
    metadata: dict


def parse(content):
    """Raises CheckpointError or ValueError for what is no model in one file with one input."""
    read = _Reading()
    top = read.fields(memoryview(content))
    if 7 not in top or 8 not in top:
        raise CheckpointError("it is damaged, or no ONNX model: it lacks a graph or its version")
    graph = read.fields(read.last(top, 7))
    if 25 in top or 15 in graph:
        raise CheckpointError("it has functions or sparse arrays; export plain operators")
    nodes = [read.node(data) for data in graph.get(1, [])]
    constants = dict(read.tensor(data) for data in graph.get(5, []))
    inputs = [read.value(data) for data in graph.get(11, [])]
    inputs = [one for one in inputs if one[0] not in constants]
    outputs = [read.value(data) for data in graph.get(12, [])]
    if len(inputs) != 1 or len(outputs) != 1:
        raise CheckpointError(
            f"it has {len(inputs)} inputs and {len(outputs)} outputs, expected one of each"
        )
    notes = (read.fields(data) for data in top.get(14, []))
    metadata = {read.text(note, 1): read.text(note, 2) for note in notes}
    return Model(nodes, constants, inputs[0], outputs[0], metadata)


class _Reading:
    """Messages of onnx.proto3, by the numbers of their fields."""

    def __init__(self):
        self.wire = Fields()

    def fields(self, data):
        if not isinstance(data, memoryview):
            raise ValueError("a number stands where a message was expected")
        return self.wire.read(data)

    def last(self, found, number, default=b""):
        """The last value counts, as in every protobuf reader."""
        return (
            found[number][-1]
            if number in found
            else memoryview(default)
            if default == b""
            else default
        )

    def text(self, found, number):
        return bytes(self.last(found, number)).decode()

    def texts(self, found, number):
        return [bytes(one).decode() for one in found.get(number, [])]

    def node(self, data):
        found = self.fields(data)
        op, name, domain = (self.text(found, n) for n in (4, 3, 7))
        outputs = self.texts(found, 2)
        if not outputs:
            raise ValueError(f"the node {op} has no output")
        if domain not in ("", "ai.onnx"):
            op = f"{domain}.{op}"
        attrs = dict(self.attribute(one) for one in found.get(5, []))
        return Node(op, name, self.texts(found, 1), outputs, attrs)

    def attribute(self, data):
        found = self.fields(data)
        name, kind = self.text(found, 1), self.last(found, 20, 0)
        if kind == FLOAT:
            return name, float(np.frombuffer(self.last(found, 2, bytes(4)), "<f4")[0])
        if kind == INT:
            return name, self.wire.integers([self.last(found, 3, 0)])[0]
        if kind == TEXT:
            return name, self.text(found, 4)
        if kind == TENSOR:
            return name, self.tensor(self.last(found, 5))[1]
        if kind == INTS:
            return name, self.wire.integers(found.get(8, []))
        return name, None  # of no use to a network of ours

    def tensor(self, data):
        """-> name, array; its shape is that of the bytes which are there."""
        found = self.fields(data)
        name, dims = self.text(found, 8), self.wire.integers(found.get(1, []))
        if self.last(found, 14, 0) or 13 in found:
            raise CheckpointError(
                f"the array {name!r:.60} is in another file; save the model in one file"
            )
        dtype = DTYPES.get(self.last(found, 2, 0))
        if dtype is None:
            raise CheckpointError(f"the array {name!r:.60} is of a type that numpycnn has not")
        array = self.elements(found, dtype)
        if any(n < 0 for n in dims) or math.prod(dims) != array.size:
            raise ValueError(f"the array {name!r:.60} should be {dims!s:.60}")
        return name, array.reshape(dims)

    def elements(self, found, dtype):
        little = dtype.newbyteorder("<")
        if 9 in found:
            return np.frombuffer(self.last(found, 9), little)
        for number, kind in ((4, "<f4"), (10, "<f8")):
            if number in found:
                parts = [np.frombuffer(one, kind) for one in found[number]]
                return np.concatenate(parts).astype(dtype)
        number = 7 if dtype == np.int64 else 5
        return np.array(self.wire.integers(found.get(number, [])), np.int64).astype(dtype)

    def value(self, data):
        found = self.fields(data)
        kind = self.fields(self.last(self.fields(self.last(found, 2)), 1))
        dims = []
        for dim in self.fields(self.last(kind, 2)).get(1, []) if 2 in kind else []:
            dims += self.wire.integers([self.last(self.fields(dim), 1, 0)])
        return self.text(found, 1), self.last(kind, 1, 0), dims

"""Protobuf's wire format, as far as an ONNX model needs it.

A message is a row of fields: a number with a kind, then the value. Kind 0 is a varint (seven bits
a byte, the lowest first), 1 and 5 are 8 and 4 bytes, 2 is a length and so many bytes: text, arrays
and messages inside. Source: protobuf.dev/programming-guides/encoding; the fields' numbers:
onnx.proto3.
"""

import struct

import numpy as np

MAX_FIELDS = 100_000  # in a file; a ResNet-152 has 30,000, and each takes some 200 bytes
TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "bool": 9, "float64": 11}
DTYPES = {number: np.dtype(name) for name, number in TYPES.items()} | {10: np.dtype("float16")}

# ---- writing ----------------------------------------------------------------------------------


def varint(n):
    """A whole number in groups of seven bits, the lowest first: protobuf's own form."""
    n &= (1 << 64) - 1  # negative numbers as two's complement
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes([*out, n])


def message(*fields):
    """The bytes of (field number, value) pairs; a value is an int, a float, text or bytes."""
    out = []
    for number, value in fields:
        if isinstance(value, (bool, int)):
            out += [varint(number << 3), varint(int(value))]
        elif isinstance(value, float):
            out += [varint(number << 3 | 5), struct.pack("<f", value)]
        else:
            content = value.encode() if isinstance(value, str) else value
            out += [varint(number << 3 | 2), varint(len(content)), content]
    return b"".join(out)


def tensor(name, array):
    """A TensorProto."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    dims = [(1, int(n)) for n in array.shape]
    return message(*dims, (2, TYPES[array.dtype.name]), (8, name), (9, little.tobytes()))


def node(op, inputs, outputs, **attributes):
    """A NodeProto; the attributes are floats, ints, texts or lists of ints."""
    fields = [(1, name) for name in inputs] + [(2, name) for name in outputs]
    fields += [(3, outputs[0]), (4, op)]
    return message(*fields, *[(5, _attribute(k, v)) for k, v in attributes.items()])


def _attribute(name, value):
    number, kind = {float: (2, 1), int: (3, 2), str: (4, 3), list: (8, 7)}[type(value)]
    values = value if isinstance(value, list) else [value]
    return message((1, name), *[(number, one) for one in values], (20, kind))


def value_info(name, dtype, dims):
    """A ValueInfoProto: a graph's input or output; a dimension is a number or a name."""
    shape = message(*[(1, message((2 if isinstance(d, str) else 1, d))) for d in dims])
    return message((1, name), (2, message((1, message((1, TYPES[dtype]), (2, shape))))))


def model(nodes, inputs, outputs, tensors, metadata, *, opset=17, producer="numpycnn"):
    """A ModelProto of the intermediate representation 8, which opset 17 came with."""
    parts = [(1, one) for one in nodes], [(2, producer)], [(5, one) for one in tensors]
    parts = *parts, [(11, one) for one in inputs], [(12, one) for one in outputs]
    graph = message(*[field for part in parts for field in part])
    properties = [(14, message((1, k), (2, v))) for k, v in metadata.items()]
    return message((1, 8), (2, producer), (7, graph), (8, message((2, opset))), *properties)


# ---- reading ----------------------------------------------------------------------------------


class Fields:
    """Reads messages, MAX_FIELDS fields in all: a file of empty ones would fill the memory."""

    def __init__(self):
        self.left = MAX_FIELDS

    def read(self, data):
        """memoryview -> {field number: [values]}; bytes are views. Raises ValueError."""
        found, at = {}, 0
        while at < len(data):
            key, at = self.varint(data, at)
            number, kind = key >> 3, key & 7
            if kind == 0:
                value, at = self.varint(data, at)
            elif kind in (1, 2, 5):
                size, at = self.varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
                if size > len(data) - at:
                    raise ValueError("a field is longer than what is left of the file")
                value, at = data[at : at + size], at + size
            else:
                raise ValueError(f"a field of the kind {kind}, which there is not")
            found.setdefault(number, []).append(value)
            self.count(1)
        return found

    def count(self, fields):
        self.left -= fields
        if self.left < 0:
            raise ValueError(f"it has more than {MAX_FIELDS:,} fields, expected a small network")

    def varint(self, data, at):
        value = 0
        for shift in range(0, 64, 7):
            if at >= len(data):
                raise ValueError("it ends within a number")
            byte, at = data[at], at + 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
        raise ValueError("a number has more than 64 bits")

    def integers(self, values):
        """Signed integers of a repeated field, packed in bytes or one by one."""
        found = []
        for value in values:
            if isinstance(value, memoryview):
                at = 0
                while at < len(value):
                    one, at = self.varint(value, at)
                    self.count(1)
                    found.append(one)
            else:
                found.append(value)
        return [n - (1 << 64) if n >> 63 else n for n in found]

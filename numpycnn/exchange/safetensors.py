"""safetensors: arrays by name in one file, which PyTorch's world reads. Nothing in it is run.

Eight bytes give the length of a JSON text, which gives each array's dtype, shape and place; then
the arrays. Source: github.com/huggingface/safetensors, "Format".
"""

import json
import math
import struct

import numpy as np

from .. import files
from ..errors import CheckpointError
from .reading import read

DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
CODES = {np.dtype(dtype): code for code, dtype in DTYPES.items()}
MAX_HEADER = 1 << 22  # bytes of JSON, which takes up to 26 times as much in memory


def encode(arrays, metadata=None):
    """-> the file's bytes; arrays {name: array}, metadata {text: text}. Raises TypeError."""
    header, at, pieces = {"__metadata__": metadata} if metadata else {}, 0, []
    for name, array in arrays.items():
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        if little.dtype not in CODES:
            raise TypeError(f"{name}: safetensors has no {array.dtype}")
        end = at + little.nbytes
        place = {"shape": list(array.shape), "data_offsets": [at, end]}
        header[name] = {"dtype": CODES[little.dtype], **place}
        pieces.append(little.tobytes())
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # so that the arrays begin at a multiple of 8
    return b"".join([struct.pack("<Q", len(text)), text, *pieces])


def save(path, arrays, metadata=None):
    """Write the arrays as encode does. Raises TypeError, OSError."""
    files.write(path, encode(arrays, metadata))


def load(path):
    """-> {name: array}, metadata; BF16 as float32. Raises CheckpointError, in one line, for a bad
    file.
    """
    return read(path, "a safetensors file", decode)


def decode(content):
    """-> {name: array}, metadata, of the file's bytes. Raises CheckpointError, ValueError."""
    (length,) = struct.unpack("<Q", content[:8])
    if length > min(MAX_HEADER, len(content) - 8):
        raise CheckpointError(f"it is damaged: a header of {length:,} bytes, more than may be")
    header, body = json.loads(content[8 : 8 + length].decode()), memoryview(content)[8 + length :]
    metadata, arrays, at = header.pop("__metadata__", {}), {}, 0
    for name, facts in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        (start, end), shape = facts["data_offsets"], facts["shape"]
        if facts["dtype"] not in {*DTYPES, "BF16"}:
            known = ", ".join((*DTYPES, "BF16"))
            raise CheckpointError(f"{name!r:.60} is {facts['dtype']!s:.20}, expected {known}")
        dtype = np.dtype(DTYPES.get(facts["dtype"], "<u2"))
        sizes = (start, end, *shape)
        if any(type(n) is not int or n < 0 for n in sizes) or start != at or end > len(body):
            raise CheckpointError(f"it is damaged: {name!r:.60} is not where it should be")
        if math.prod(shape) * dtype.itemsize != end - start:
            raise CheckpointError(f"it is damaged: {name!r:.60} has not the bytes of {shape!s:.60}")
        array = np.frombuffer(body[start:end], dtype).reshape(shape)
        if facts["dtype"] == "BF16":  # the upper half of a float32
            array = (array.astype("=u4") << 16).view(np.float32)
        arrays[name] = array.astype(array.dtype.newbyteorder("="))
        at = end
    if at != len(body):
        raise CheckpointError("it is damaged: there are bytes that belong to no array")
    return arrays, metadata

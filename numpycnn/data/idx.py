"""The IDX file format of MNIST and its successors, read as if every file were damaged.

    two zero bytes | type code | number of dimensions | the dimensions, 4 bytes each | the elements

All numbers are big-endian (LeCun, Cortes, Burges: "The MNIST database of handwritten digits").
"""

import math
import os
import struct
import zlib

import numpy as np

from ..errors import DatasetError
from .sources import Single, readable

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_DIMENSIONS = 4
CHUNK = 1 << 20
# a gzipped array may be this much larger than its file: memory < file + 64 MiB
EXPANSION = 56 << 20


def read(path, expansion=EXPANSION):
    """The array in an IDX file, gzipped or not (its first bytes decide, not its name), native byte
    order.

    1 to 4 dimensions, none of them 0. A gzip file may declare at most its own size + `expansion`
    bytes (None: any number, for files with a known checksum), and memory is taken as data arrives.
    Raises DatasetError, one line with the path, for anything missing, unreadable, cut, damaged or
    too long.
    """
    return read_from(Single(path), path, expansion)


def read_from(source, name, expansion=EXPANSION):
    """The same of a file in a source (sources.py)."""
    where = source.where(name)
    try:
        with readable(where), source.open(name) as file:
            return _read(file, file.seek(0, os.SEEK_END), expansion)
    except (EOFError, zlib.error) as error:
        raise DatasetError(f"{where}: {error}") from error
    except DatasetError:
        raise
    except ValueError as error:
        raise DatasetError(f"{where}: {error}") from error


def _read(file, size, expansion):
    file.seek(0)
    gzipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    stream = _Gzip(file) if gzipped else file
    dtype, shape = _header(stream)
    count = math.prod(shape) * dtype.itemsize
    if not gzipped:
        _check_length(4 + 4 * len(shape) + count, size, shape)
    elif expansion is not None and count > size + expansion:
        raise ValueError(
            f"its header declares {shape}, {count} bytes, in a gzip file of {size} bytes: "
            f"refused as a possible gzip bomb; if you trust it, unpack it with gunzip and read that"
        )
    data = _elements(stream, count)
    if stream.read(1):
        raise ValueError(f"there are bytes after the end of the array {shape}")
    return data.view(dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _header(stream):
    """-> dtype, shape"""
    start = _exactly(stream, 4, "magic number")
    if start[:2] != b"\0\0" or start[2] not in TYPES:
        beginning = (start + stream.read(CHUNK))[:200].lstrip().lower()
        if beginning.startswith((b"<!doctype html", b"<html")):
            raise ValueError(
                "looks like an HTML page, not an IDX file (did a login or error page answer?)"
            )
        raise ValueError(
            f"not an IDX file: it starts with 0x{start.hex()}; expected 0x0000, type, dimensions"
        )
    if not 1 <= start[3] <= MAX_DIMENSIONS:
        raise ValueError(
            f"its header declares {start[3]} dimensions; expected 1 to {MAX_DIMENSIONS}"
        )
    shape = struct.unpack(f">{start[3]}I", _exactly(stream, 4 * start[3], "header"))
    if 0 in shape:
        raise ValueError(f"its header declares an array without elements, {shape}")
    return np.dtype(TYPES[start[2]]), shape


def _check_length(expected, size, shape):
    if size < expected:
        raise ValueError(f"the file is cut off: {shape} needs {expected} bytes, it has {size}")
    if size > expected:
        raise ValueError(f"there are {size - expected} bytes after the end of the array {shape}")


def _exactly(stream, count, what):
    data = b""
    while len(data) < count:
        piece = stream.read(count - len(data))
        if not piece:
            raise EOFError(
                f"the file is cut off in its {what}" if data else f"the file is empty: no {what}"
            )
        data += piece
    return data


def _elements(stream, count):
    """`count` bytes, in a buffer that at most doubles with what has arrived."""
    data, filled = np.empty(min(count, CHUNK), np.uint8), 0
    while filled < count:
        if filled == data.size:
            data.resize(min(count, 2 * filled), refcheck=False)
        piece = stream.read(min(CHUNK, data.size - filled))
        if not piece:
            raise EOFError(
                f"the file is cut off: its header declares {count} bytes of data, {filled} came"
            )
        data[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
        filled += len(piece)
    return data


class _Gzip:
    """Reads one gzip member in bounded pieces.

    Gzip.open would accept an empty one and padding after it.
    """

    def __init__(self, file):
        self.file, self.inflate = file, zlib.decompressobj(wbits=31)

    def read(self, count):
        while not self.inflate.eof:
            packed = self.inflate.unconsumed_tail or self.file.read(CHUNK)
            piece = self.inflate.decompress(
                packed, count
            )  # checks the CRC and the length at the end
            if piece:
                return piece
            if not packed:
                raise EOFError("the gzip stream is cut off")
        if self.inflate.unused_data or self.file.read(1):
            raise ValueError("there are bytes after the end of the gzip stream")
        return b""

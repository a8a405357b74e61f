"""IDX and gzip files that were cut, flipped, forged or swapped for something else; folders with a
checksum.

The long form: `python -m tests.faults.fuzz data --count 100000 --seed 1`
"""

import gzip
import hashlib
import os
import random
import struct
import time
import tracemalloc
import zlib
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest

from numpycnn.data import datasets, idx, official
from numpycnn.errors import DatasetError

ALLOWANCE, LIMIT = 64 << 20, 1.0  # bytes beyond the file's size, seconds
BOMBS = 0.003  # their share of the files: they take longest
CODES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
HTML = b"<!DOCTYPE html><html><head><title>sign in</title></head></html>"


def idx_file(draw):
    """A right one, of any type and shape."""
    code = draw.choice(list(CODES))
    shape = [draw.randint(1, 6) for _ in range(draw.randint(1, 4))]
    size = int(np.prod(shape)) * np.dtype(CODES[code]).itemsize
    return (
        bytes([0, 0, code, len(shape)])
        + struct.pack(f">{len(shape)}I", *shape)
        + draw.randbytes(size)
    )


def cut(draw, content):
    return content[: draw.randrange(len(content))]


def flip(draw, content):
    damaged = bytearray(content)
    for _ in range(draw.choice([1, 1, 1, 2, 8])):
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
    return bytes(damaged)


def splice(draw, content):
    """A piece left out, doubled, moved or replaced by noise."""
    a, b = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    piece, other = content[a:b], draw.randrange(len(content) + 1)
    return draw.choice([
        content[:a] + content[b:], content[:b] + piece + content[b:],
        content[:a] + draw.randbytes(b - a) + content[b:],
        content[:other] + piece + content[other:], content + draw.randbytes(draw.randint(1, 40)),
    ])  # fmt: skip


def lie(draw, content):
    """Another header before the same elements: sizes up to 2^32 - 1, any type, any number of
    dimensions.
    """
    start = 4 + 4 * content[3]
    sizes = [
        draw.choice([0, 1, 2, 255, 65_536, 1 << 24, 1 << 31, (1 << 32) - 1])
        for _ in range(draw.randint(0, 6))
    ]
    head = bytes(
        [
            0,
            draw.choice([0, 0, 0, 1]),
            draw.choice([*CODES, 0x0A, 0, 255]),
            draw.choice([len(sizes), 3, 255]),
        ]
    )
    return head + struct.pack(f">{len(sizes)}I", *sizes) + content[start:]


def other(draw, content):
    """Something that is no IDX file at all, or hardly one."""
    return draw.choice([
        b"", HTML, b"\n " + HTML, b"PK\x03\x04" + content, b"\x1f\x8b", b"\x1f\x8b\x08\0",
        content * 2, draw.randbytes(200), b"\x89PNG\r\n\x1a\n", b"version https://git-lfs.github.com/spec/v1\n",
    ])  # fmt: skip


def bomb(draw, content):
    """Few bytes that unpack to very many: behind the array, or as what the header promises."""
    size = draw.choice([1, 100, 300]) << 20
    squeeze = zlib.compressobj(1, zlib.DEFLATED, 31)
    promised = bytes([0, 0, 8, 1]) + struct.pack(">I", size)
    parts = [squeeze.compress(draw.choice([content, promised]))]
    parts += [squeeze.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join([*parts, squeeze.flush()])


def mutated(draw, content):
    """-> the file, and the array's bytes it must give if it is accepted, or None where any array
    may come.
    """
    kind = draw.choice([cut, flip, splice, lie, other, cut, flip, splice, lie])
    if draw.random() < BOMBS:
        return bomb(draw, content), None  # a small one is a right file
    place = draw.randrange(3)
    if place == 0:  # plain: nothing in the format protects the elements; a data set's checksum does
        return kind(draw, content), None
    if place == 1:  # damage inside, then packed as if it were right
        return gzip.compress(kind(draw, content), 1, mtime=0), None
    packed = gzip.compress(content, mtime=0)
    if kind in (lie, other):
        kind = splice
    return kind(draw, packed), content


def read(path, size):
    """idx.read, or None after a DatasetError of one line.

    Raises if it takes too long or too much memory.
    """
    tracemalloc.reset_peak()
    before, began = tracemalloc.get_traced_memory()[0], time.perf_counter()
    try:
        found = idx.read(path)
    except DatasetError as error:
        if not str(error).startswith(str(path)) or "\n" in str(error):
            raise RuntimeError(f"not one line with the path in it: {error!r}") from error
        found = None
    if tracemalloc.get_traced_memory()[1] - before > size + ALLOWANCE:
        raise RuntimeError(
            f"{tracemalloc.get_traced_memory()[1] - before} bytes for a file of {size}"
        )
    if time.perf_counter() - began > LIMIT:
        raise RuntimeError(f"{time.perf_counter() - began:.1f} s")
    return found


def fuzz(count, seed, folder):
    """Read `count` mutated files, and a data set with a checksum around each tenth -> what was
    seen, as a line.
    """
    draw, path, accepted, sets = random.Random(seed), os.path.join(folder, "file ü"), 0, 0
    tracemalloc.start()
    try:
        for number in range(count):
            right = idx_file(draw)
            content, promised = mutated(draw, right)
            with open(path, "wb") as file:
                file.write(content)
            found = read(path, len(content))
            if found is not None:
                accepted += 1
                elements = found.astype(found.dtype.newbyteorder(">")).tobytes()
                again = struct.pack(f">{found.ndim}I", *found.shape) + elements
                if promised is not None and again != promised[4:]:
                    raise RuntimeError(f"seed {seed}, file {number}: a silent difference")
            if number % 10 == 0:
                sets += verified_set(draw, folder)
    finally:
        tracemalloc.stop()
    return (
        f"{count} files, {accepted} accepted as right; {sets} data sets with checksums; 0 defects"
    )


def verified_set(draw, folder):
    """Damage one file of a folder whose checksums are known: it is refused, or what comes is what
    was there.
    """
    folder, files = os.path.join(folder, "set"), official_files()
    os.makedirs(folder, exist_ok=True)
    checksums = {
        name: "sha256:" + hashlib.sha256(content).hexdigest() for name, content in files.items()
    }
    entry = replace(official.OFFICIAL["fashion-mnist"], files=checksums)
    name = draw.choice(list(files))
    damaged = draw.choice([cut, flip, splice])(draw, files[name])
    with mock.patch.dict(official.OFFICIAL, {"fashion-mnist": entry}):
        for one, content in files.items():
            with open(os.path.join(folder, one), "wb") as file:
                file.write(damaged if one == name else content)
        try:
            datasets.load("fashion-mnist", path=folder, progress=False)
        except DatasetError as error:
            if name not in str(error) or "\n" in str(error):
                raise RuntimeError(f"{name} was damaged: {error!r}") from error
        else:
            if damaged != files[name]:
                raise RuntimeError(f"{name} was damaged, and nobody noticed")
    return 1


def official_files():
    rng = np.random.default_rng(0)
    arrays = (
        rng.integers(0, 256, (10, 28, 28)),
        np.arange(10),
        rng.integers(0, 256, (10, 28, 28)),
        np.arange(10),
    )
    heads = [bytes([0, 0, 8, a.ndim]) + struct.pack(f">{a.ndim}I", *a.shape) for a in arrays]
    contents = (
        gzip.compress(h + a.astype("u1").tobytes(), mtime=0)
        for h, a in zip(heads, arrays, strict=True)
    )
    return dict(zip(official.IDX_FILES, contents, strict=True))


def test_mutated_files(tmp_path):
    line = fuzz(2000, 0, tmp_path)
    accepted = int(line.split()[2])
    assert 100 < accepted < 1400  # neither everything nor nothing


def test_the_fuzzer_would_notice(tmp_path, monkeypatch):
    """A reader that ignores the checksum of a gzip file is caught."""

    def careless(path, expansion=None):
        with open(path, "rb") as file:
            content = file.read()
        try:
            unpacked = zlib.decompressobj(wbits=31).decompress(content)  # never looks at the end
            shape = struct.unpack(f">{unpacked[3]}I", unpacked[4 : 4 + 4 * unpacked[3]])
            return np.frombuffer(unpacked[4 + 4 * unpacked[3] :], CODES[unpacked[2]])[
                : np.prod(shape)
            ].reshape(shape)
        except Exception as error:
            raise DatasetError(f"{path}: {type(error).__name__}") from None

    monkeypatch.setattr(idx, "read", careless)
    monkeypatch.setitem(globals(), "BOMBS", 0)
    with pytest.raises(RuntimeError, match="silent difference"):
        fuzz(2000, 0, tmp_path)

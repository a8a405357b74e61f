import gzip
import struct
import tracemalloc
import zlib

import numpy as np
import pytest

from numpycnn.data import idx
from numpycnn.errors import DatasetError

TYPES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}
MiB = 1 << 20


def header(code, *shape):
    return bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


def packed(array, dtype="u1"):
    return header(TYPES[dtype], *array.shape) + array.astype(dtype).tobytes()


def write(folder, content, name="file"):
    path = folder / name
    path.write_bytes(content)
    return path


def refused(path, word=None):
    with pytest.raises(DatasetError, match=word) as info:
        idx.read(path)
    message = str(info.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 4), (2, 3, 4, 1)])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_reads_what_was_written(tmp_path, dtype, shape, pack):
    array = np.random.default_rng(0).integers(-100, 100, shape).astype(dtype)
    read = idx.read(write(tmp_path, pack(packed(array, dtype))))
    assert read.dtype == np.dtype(dtype).newbyteorder("=")
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, array)
    read[...] = 0  # writeable


def test_the_magic_bytes_decide_not_the_name(tmp_path):
    array = np.arange(6, dtype="u1").reshape(2, 3)
    for name, content in ("a.gz", packed(array)), ("a", gzip.compress(packed(array))):
        np.testing.assert_array_equal(idx.read(write(tmp_path, content, name)), array)


def test_spaces_letters_and_links_in_the_path(tmp_path):
    path = write(tmp_path, packed(np.arange(4)), "ein Größe ü.idx")
    (tmp_path / "a link").symlink_to(path)
    assert idx.read(tmp_path / "a link").tolist() == [0, 1, 2, 3]
    assert idx.read(str(path)).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_cut_at_every_byte(tmp_path, pack):
    content = pack(packed(np.random.default_rng(0).integers(0, 256, (3, 4, 5))))
    for length in range(len(content)):
        refused(write(tmp_path, content[:length]))


def test_gzip_flipped_at_every_byte_is_never_misread(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (3, 4, 5)).astype("u1")
    content = gzip.compress(packed(array), mtime=0)
    for i in range(len(content)):
        damaged = bytearray(content)
        damaged[i] ^= 0x10
        try:
            read = idx.read(write(tmp_path, bytes(damaged)))
        except DatasetError:
            continue
        np.testing.assert_array_equal(
            read, array
        )  # the gzip header's time stamp and system are not data
        assert i < 10


@pytest.mark.parametrize("junk", [b"\0", b"junk", b"\0" * 4096])
def test_trailing_bytes(tmp_path, junk):
    content = packed(np.arange(20))
    for damaged in content + junk, gzip.compress(content + junk), gzip.compress(content) + junk:
        refused(write(tmp_path, damaged), "after the end")
    refused(write(tmp_path, gzip.compress(content) * 2), "after the end")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (gzip.compress(b"", mtime=0), "empty"),
        (b"<!DOCTYPE html><html>sign in</html>", "HTML"),
        (b"\n\n  <html><body>404", "HTML"),
        (gzip.compress(b"<html></html>", mtime=0), "HTML"),
        (b"\x89PNG\r\n\x1a\n", "not an IDX file"),
        (b"\0\1\x08\1" + b"\0\0\0\1a", "not an IDX file"),
        (header(0x0A, 1) + b"a", "not an IDX file"),
        (header(0x0F, 1) + b"a", "not an IDX file"),
        (header(0x08), "0 dimensions"),
        (header(0x08, *[1] * 5) + b"a", "5 dimensions"),
        (bytes([0, 0, 8, 255]), "255 dimensions"),
        (header(0x08, 0), "without elements"),
        (header(0x08, 3, 0, 2**32 - 1), "without elements"),
    ],
)
def test_what_is_not_idx(tmp_path, content, word):
    refused(write(tmp_path, content), word)


def test_missing_folder_and_unreadable(tmp_path):
    refused(tmp_path / "nothing", "no such file")
    refused(tmp_path, "is a folder")


def peak(path):
    tracemalloc.start()
    try:
        refused(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", [(2**32 - 1,), (2**32 - 1,) * 4, (60000, 28, 28), (6 * MiB,)])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_lying_header_takes_no_memory(tmp_path, shape, pack):
    path = write(tmp_path, pack(header(0x0E, *shape) + bytes(1000)))
    assert peak(path) < 4 * MiB


def test_gzip_bombs(tmp_path):
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros, pieces = bytes(MiB), []
    for _ in range(200):
        pieces.append(squeeze.compress(zeros))
    bomb = b"".join([*pieces, squeeze.flush()])
    honest = zlib.compressobj(9, zlib.DEFLATED, 31)
    start = honest.compress(header(0x08, 200, MiB))
    honest_bomb = start + b"".join(honest.compress(zeros) for _ in range(200)) + honest.flush()
    longer = zlib.compressobj(9, zlib.DEFLATED, 31)
    start = longer.compress(header(0x08, MiB))
    longer_bomb = start + b"".join(longer.compress(zeros) for _ in range(200)) + longer.flush()
    for content, word in (
        (bomb, "dimensions"),
        (honest_bomb, "gzip bomb"),
        (longer_bomb, "after the end"),
    ):
        path = write(tmp_path, content)
        refused(path, word)
        assert peak(path) < len(content) + 16 * MiB


def test_the_largest_array_allowed_stays_below_file_and_64_mib(tmp_path):
    content = gzip.compress(header(0x08, 50, MiB) + bytes(50 * MiB), 1)
    path = write(tmp_path, content)
    tracemalloc.start()
    try:
        assert idx.read(path).shape == (50, MiB)
        assert tracemalloc.get_traced_memory()[1] < len(content) + 64 * MiB
    finally:
        tracemalloc.stop()
    assert idx.read(path, expansion=None).shape == (50, MiB)
    with pytest.raises(DatasetError, match="gunzip"):
        idx.read(path, expansion=MiB)

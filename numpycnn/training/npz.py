"""The file of a checkpoint: an .npz that np.load reads too, and a reader that trusts nothing.

Members, stored and never compressed: metadata.json, metadata.sha256 (its checksum), and NAME.npy
for every array. "arrays" in the JSON gives each array's dtype, shape and the sha256 of its .npy. No
.npy header is ever parsed, let alone a pickle: the reader compares it with the one that it would
have written itself.
"""

import hashlib
import io
import json
import math
import os
import re
import stat
import struct
import zipfile

import numpy as np

from ..errors import CheckpointError
from ..files import PIECE, shown

# one higher when an older numpycnn would misread a new file; tests keep one file of each
FORMAT = 1
DTYPES = ("<f4", "<f8", "|b1", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8")
NAME = re.compile(r"(param|buffer|optimizer)/\w[\w.: -]{0,199}")
METADATA, CHECKSUM = "metadata.json", "metadata.sha256"
MAX_METADATA = 1 << 20  # bytes; parsed JSON takes up to 26 times its length
MAX_FILE = (1 << 31) - (1 << 22)  # bytes; beyond it a zip archive needs its 64-bit form
DAMAGED = "it is damaged, or numpycnn.save did not write it; take another copy"


def damaged(what):
    """The CheckpointError for a file that says or lacks `what`."""
    return CheckpointError(f"{what}; {DAMAGED}")


# ---- writing ----------------------------------------------------------------------------------


def pack(arrays, metadata):
    """-> the file's bytes, the same for the same content. arrays: {"param/1.w": array, ...}.

    Raises TypeError for metadata that JSON cannot hold and for arrays of other kinds than DTYPES,
    ValueError for names that a file must not have, for more than 1 MiB of metadata or 2 GiB in all.
    """
    little = {name: _little_endian(name, array) for name, array in arrays.items()}
    described = {name: _describe(array) for name, array in little.items()}
    text = _to_json({**metadata, "arrays": described}).encode("ascii")
    size = sum(array.nbytes for array in little.values())
    if len(text) > MAX_METADATA or size > MAX_FILE:
        raise ValueError(
            f"a checkpoint holds at most {MAX_METADATA:,} bytes of metadata and {MAX_FILE:,} "
            f"of arrays, not {len(text):,} and {size:,}; keep long metadata in a file beside it"
        )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        _add(archive, METADATA, text)
        _add(archive, CHECKSUM, hashlib.sha256(text).hexdigest().encode("ascii"))
        for name, array in little.items():
            _add(archive, f"{name}.npy", _header(array.dtype.str, array.shape), _raw(array))
    return file.getvalue()


def _little_endian(name, array):
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{shown(name)}: names of arrays may only have letters, digits, spaces and . _ : -"
        )
    if not isinstance(array, np.ndarray) or array.dtype.newbyteorder("<").str not in DTYPES:
        came = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise TypeError(
            f"{name} must be an array of float32, float64, whole numbers or bool, not {came}"
        )
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")


def _describe(array):
    checksum = hashlib.sha256(_header(array.dtype.str, array.shape))
    checksum.update(_raw(array))
    return {"dtype": array.dtype.str, "shape": list(array.shape), "sha256": checksum.hexdigest()}


def _header(dtype, shape):
    """The bytes before the data of an .npy file, version 1.0, padded to a multiple of 64."""
    text = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {tuple(shape)!r}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode("ascii")


def _raw(array):
    return array.reshape(-1).view(np.uint8)


def _to_json(metadata):
    def number(value):
        plain = value.item() if isinstance(value, np.generic) else value
        if plain is None or not isinstance(plain, (bool, int, float, str)):
            raise TypeError(f"{type(value).__name__} is not a kind of value that JSON holds")
        return plain

    try:
        return json.dumps(metadata, default=number)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(
            f"metadata must be what JSON holds (numbers, text, lists, dicts): {error}"
        ) from None


def _add(archive, name, *pieces):
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.create_system, info.external_attr = 3, 0o644 << 16
    with archive.open(info, "w") as member:
        for piece in pieces:
            member.write(piece)


# ---- reading ----------------------------------------------------------------------------------


def read(path):
    """-> metadata, {name: array}, all of it verified; memory stays below the file's size + 64 MiB.

    Raises CheckpointError, in one line, for whatever is not a whole file of `pack`.
    """
    where = shown(os.fsdecode(path))
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise CheckpointError("this is no file; give the .npz that numpycnn.save wrote")
        with open(path, "rb") as file:
            return _read(file)
    except CheckpointError as error:
        raise CheckpointError(f"{where}: {error}") from None
    except FileNotFoundError:
        raise CheckpointError(f"{where}: there is no such checkpoint{_beside(path)}") from None
    except OSError as error:
        raise CheckpointError(f"{where}: cannot be read: {error.strerror or error}") from None
    # whatever hostile bytes make zipfile, json and NumPy raise, MemoryError too
    except Exception as error:
        raise damaged(f"{where}: {shown(error) or type(error).__name__}") from None


def _beside(path):
    folder = os.path.dirname(os.fsdecode(path)) or "."
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".npz"))[:3]
    except (OSError, ValueError):
        return f"; the folder {shown(folder)} does not exist"
    return f"; beside it: {shown(', '.join(names))}" if names else ""


def _read(file):
    size = os.fstat(file.fileno()).st_size
    _check_end(file, size)
    with zipfile.ZipFile(file) as archive:
        members = _members(archive, size)
        metadata = _metadata(archive, members)
        declared = {f"{name}.npy": name for name in metadata["arrays"]}
        odd = sorted(declared.keys() ^ (members.keys() - {METADATA, CHECKSUM}))
        odd += [name for name in declared.values() if not NAME.fullmatch(name)]
        if odd:
            raise damaged(
                f"members that are extra, missing or misnamed: {shown(', '.join(odd[:3]))}"
            )
        arrays = metadata["arrays"]
        return metadata, {
            name: _array(archive, members[key], arrays[name]) for key, name in declared.items()
        }


def _check_end(file, size):
    """A 32-bit archive without comment, with a directory that is small enough to be parsed."""
    file.seek(max(size - 42, 0))
    tail = file.read(42)
    if tail[-22:-18] != b"PK\5\6" or tail[-2:] != b"\0\0" or tail[:4] == b"PK\6\7":
        raise damaged(f"{size:,} bytes that do not end as an .npz of numpycnn does")
    (directory,) = struct.unpack("<I", tail[-10:-6])
    if directory > MAX_METADATA:
        raise damaged(f"a directory of {directory:,} bytes, expected at most {MAX_METADATA:,}")


def _members(archive, size):
    """{name as it stands in the file: ZipInfo}, nothing compressed, no name twice, no bytes used
    twice.
    """
    members = {info.orig_filename: info for info in archive.infolist()}
    if len(members) != len(archive.infolist()):
        raise damaged("two members of one name")
    for name, info in members.items():
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise damaged(f"the member {shown(name)} is compressed, expected it stored")
    if sum(info.file_size for info in members.values()) > size:
        raise damaged(f"the members are larger than the file's {size:,} bytes")
    return members


def _metadata(archive, members):
    for name, most in ((METADATA, MAX_METADATA), (CHECKSUM, 64)):
        if name not in members or members[name].file_size > most:
            raise damaged(f"no {name} of at most {most:,} bytes in it")
    text, checksum = archive.read(members[METADATA]), archive.read(members[CHECKSUM])
    if hashlib.sha256(text).hexdigest().encode() != checksum:
        raise damaged(f"{METADATA} does not have its checksum")
    metadata = json.loads(text.decode("ascii"))
    version = metadata.get("format") if type(metadata) is dict else None
    if type(version) is int and version > FORMAT:
        raise CheckpointError(
            f"it has format version {shown(version, 20)}, expected at most {FORMAT}; "
            "install a newer numpycnn"
        )
    if type(version) is not int or version < 1 or type(metadata.get("arrays")) is not dict:
        raise damaged("the metadata lacks a format version or the list of arrays")
    return metadata


def _array(archive, info, declared):
    """The array of one member, allocated only when its declared size is the size of the member."""
    name = shown(info.orig_filename)
    dtype, shape = (
        (declared.get("dtype"), declared.get("shape")) if type(declared) is dict else (None, None)
    )
    if (
        dtype not in DTYPES
        or type(shape) is not list
        or any(type(n) is not int or n < 0 for n in shape)
    ):
        raise damaged(
            f"{name} is declared as {shown(declared, 80)}, expected a dtype, a shape and a sha256"
        )
    header = _header(dtype, shape)
    size = len(header) + math.prod(shape) * np.dtype(dtype).itemsize
    if size != info.file_size:
        raise damaged(f"{name} should have {shown(size, 40)} bytes and has {info.file_size:,}")
    array = np.empty(shape, dtype)
    flat, checksum = _raw(array), hashlib.sha256(header)
    with archive.open(info) as member:
        same = member.read(len(header)) == header
        for start in range(0, flat.size, PIECE):
            piece = member.read(min(PIECE, flat.size - start))
            checksum.update(piece)
            flat[start : start + len(piece)] = np.frombuffer(piece, np.uint8)
    if not same or checksum.hexdigest() != declared.get("sha256"):
        raise damaged(f"{name} does not have its checksum")
    return array.astype(array.dtype.newbyteorder("="), copy=False)

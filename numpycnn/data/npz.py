"""A person's own arrays: an .npz with x_train, y_train, x_test, y_test and, if they like, classes."""

import math
import os
import zipfile
import zlib

import numpy as np

from ..errors import DatasetError
from .dataset import Dataset

NAMES = ("x_train", "y_train", "x_test", "y_test")
EXPANSION = 20  # an .npz may unpack to this many times its size, ...
SLACK = 64 << 20  # ... and this much more


def read(path):
    """-> Dataset. Grey images may be (N, H, W). No pickle is ever opened, and nothing is allocated
    before the sizes that the file declares have been compared with each other and with the file's own.

    Raises DatasetError, one line with the path.
    """
    try:
        with zipfile.ZipFile(path) as file:
            arrays = _arrays(file, os.path.getsize(path))
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (
        ValueError,
        EOFError,
        RuntimeError,
        NotImplementedError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise DatasetError(f"{path}: {' '.join(str(error).split())}") from error
    classes = arrays.get("classes")
    if classes is not None and (classes.ndim != 1 or classes.dtype.kind not in "Uiu"):
        raise DatasetError(
            f"{path}: classes is {classes.dtype} of the shape {classes.shape}; expected one name a class"
        )
    x_train, y_train, x_test, y_test = (arrays[name] for name in NAMES)
    x_train, x_test = (x[..., None] if x.ndim == 3 else x for x in (x_train, x_test))
    return Dataset(str(path), x_train, y_train, x_test, y_test, classes, str(path))


def _arrays(file, size):
    members = {name.removesuffix(".npy"): name for name in file.namelist()}
    missing = [name for name in NAMES if name not in members]
    if missing:
        raise ValueError(
            f"no array {' and no '.join(missing)}; expected {', '.join(NAMES)}; it has "
            f"{', '.join(sorted(members)[:8]) or 'none'}"
        )
    wanted = {name: file.getinfo(members[name]) for name in (*NAMES, "classes") if name in members}
    total = sum(info.file_size for info in wanted.values())
    if total > EXPANSION * size + SLACK:
        raise ValueError(
            f"unpacks to {total} bytes, from a file of {size}: refused as a possible zip bomb"
        )
    for name, info in wanted.items():
        _check_header(file, name, info)
    arrays = {}
    for name, info in wanted.items():
        with file.open(info) as member:
            arrays[name] = np.lib.format.read_array(member, allow_pickle=False)
    return arrays


def _check_header(file, name, info):
    """The .npy header inside must ask for exactly the bytes that the .zip declares."""
    with file.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"{name}: .npy version {version}; expected 1.0 or 2.0")
        read_header = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
        shape, _, dtype = read_header(member)
        expected = member.tell() + math.prod(shape) * dtype.itemsize
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects (a pickle), which are never opened")
    if expected != info.file_size:
        raise ValueError(
            f"{name}: its header asks for {expected} bytes, {shape} {dtype}, the archive has {info.file_size}"
        )

"""A person's own arrays: an .npz with x_train, y_train, x_test, y_test and perhaps classes."""

import contextlib
import math
import os
import zipfile

import numpy as np

from ..errors import DatasetError
from ..files import shown
from . import array_names, assemble
from .sources import Single, readable

EXPANSION = 20  # an .npz may unpack to this many times its size, ...
SLACK = 64 << 20  # ... and this much more


def read(path):
    """-> Dataset. Grey images may be (N, H, W), labels (N, 1). The arrays' names are x_train and
    y_train and so on, those of MedMNIST (train_images), or arr_0 to arr_3 in that order
    (array_names.py).

    No pickle is ever opened, and nothing is allocated before the sizes that the file declares have
    been compared with each other and with the file's own. Raises DatasetError, one line with the
    path.
    """
    return read_from(Single(path, "an .npz"), path)


def read_from(source, name, called=None):
    """The same of a file in a source (sources.py), as a data set that is called so."""
    path = called or source.where(name)
    with opened(source, name) as (file, size):
        arrays = _arrays(file, size)
    classes = arrays.pop("classes", None)
    if classes is not None and (classes.ndim != 1 or classes.dtype.kind not in "Uiu"):
        raise DatasetError(
            f"{path}: classes is {classes.dtype} of the shape {classes.shape}; expected one name a "
            "class"
        )
    parts = {part: (arrays[part, "images"], arrays[part, "labels"]) for part, _ in arrays}
    return assemble.dataset(str(path), parts, classes, str(path))


@contextlib.contextmanager
def opened(source, name):
    """An .npz as a ZipFile, and its size; what is wrong with it is a DatasetError of one line."""
    where = source.where(name)
    try:
        with readable(where), source.open(name) as file, zipfile.ZipFile(file) as archive:
            yield archive, file.seek(0, os.SEEK_END)
    except DatasetError:
        raise
    # whatever hostile bytes make zipfile and NumPy raise, MemoryError too
    except Exception as error:
        text = shown(error) or type(error).__name__
        raise DatasetError(f"{where}: {text}") from error


def only_array(source, name):
    """The array of an .npz that holds no other (Kuzushiji-MNIST's)."""
    with opened(source, name) as (file, size):
        members = [info for info in file.infolist() if info.filename.endswith(".npy")]
        if len(members) != 1:
            raise ValueError(f"{len(members)} arrays; expected one in each of several .npz files")
        return _read(file, "its array", members[0], size)


def _arrays(file, size):
    """{(part, "images" or "labels"): array, "classes": array}"""
    members = {name.removesuffix(".npy"): file.getinfo(name) for name in file.namelist()}
    keys = array_names.keys(members, lambda name: len(_header(file, name, members[name])[0]))
    total = sum(members[name].file_size for name in keys)
    if total > EXPANSION * size + SLACK:
        raise ValueError(
            f"unpacks to {total} bytes, from a file of {size}: refused as a possible zip bomb"
        )
    for name in keys:
        _check_header(file, name, members[name])
    return {key: _read(file, name, members[name], size) for name, key in keys.items()}


def _read(file, name, info, size):
    if info.file_size > EXPANSION * size + SLACK:
        raise ValueError(
            f"{name} unpacks to {info.file_size} bytes: refused as a possible zip bomb"
        )
    _check_header(file, name, info)
    with file.open(info) as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _check_header(file, name, info):
    """The .npy header inside must ask for exactly the bytes that the .zip declares."""
    shape, dtype, start = _header(file, name, info)
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects (a pickle), which are never opened")
    expected = start + math.prod(shape) * dtype.itemsize
    if expected != info.file_size:
        raise ValueError(
            f"{name}: its header asks for {expected} bytes, {shape} {dtype}, the archive has "
            f"{info.file_size}"
        )


def _header(file, name, info):
    """-> shape, dtype, where the elements start"""
    with file.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"{name}: .npy version {version}; expected 1.0 or 2.0")
        read_header = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
        shape, _, dtype = read_header(member)
        return shape, dtype, member.tell()

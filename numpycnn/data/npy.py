"""A folder of arrays, one a file: x_train.npy, y_train.npy, the test's; or .npz of one each.

Those in a folder are memory-mapped: they may be larger than the memory.
"""

import json
import math
import os
import posixpath

import numpy as np

from ..errors import DatasetError
from ..files import shown
from . import array_names, assemble, npz
from .sources import Folder, readable

ENDINGS = (".npy", ".npz")
ABOUT = "dataset.json"  # beside the arrays: class names, how pictures became these images
MOST_ABOUT = 1 << 20  # bytes of it


def find(source):
    """{name in the source: name of the array} of all .npy and .npz files; {} without any."""
    stems = {}
    for name in source.names:
        stem, ending = posixpath.splitext(posixpath.basename(name))
        if ending.lower() in ENDINGS:
            stems[name] = stem
    common = set.intersection(*(set(stem.split("-")) for stem in stems.values())) if stems else ()
    if len(stems) > 1:  # kmnist-train-imgs, kmnist-train-labels
        stems = {
            name: "-".join(word for word in stem.split("-") if word not in common) or stem
            for name, stem in stems.items()
        }
    return stems


def read_folder(path):
    """-> Dataset of the arrays in the folder at `path`."""
    source = Folder(path)
    return read(source, find(source), str(path))


def read(source, stems, name):
    """-> Dataset of what find found. Raises DatasetError, one line."""
    if len(stems) == 1:
        (only,) = stems
        if only.lower().endswith(".npz"):
            return npz.read_from(source, only, name)
    by_stem = {stem: file for file, stem in stems.items()}
    try:
        keys = array_names.keys(by_stem, lambda stem: _array(source, by_stem[stem]).ndim)
    except ValueError as error:
        raise DatasetError(f"{source.path}: {error}") from None
    arrays = {key: _array(source, by_stem[stem]) for stem, key in keys.items()}
    about = _about(source)
    classes = arrays.pop("classes", about.get("classes"))
    parts = {part: (arrays[part, "images"], arrays[part, "labels"]) for part, _ in arrays}
    found = assemble.dataset(name, parts, classes, source.path, pictures=about.get("pictures"))
    found.__dict__.update(_noted(source, about))  # what else would be computed of all pixels
    return found


def stamp(path):
    """What tells that a file is the one it was: its size and when it was written."""
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns]


def _noted(source, about):
    """The hash, mean and deviation that data pack noted, where its files are still those."""
    stamps, noted = about.get("stamps"), about.get("noted")
    if not (isinstance(source, Folder) and isinstance(stamps, dict) and isinstance(noted, dict)):
        return {}
    for stem, expected in stamps.items():
        name = f"{stem}.npy"
        if name not in source.names or stamp(source.where(name)) != expected:
            return {}
    moments = noted.get("mean"), noted.get("std")
    if not all(isinstance(value, float) for value in moments):
        return {}
    digest = noted.get("sha256")
    return {"_moments": moments, **({"sha256": digest} if isinstance(digest, str) else {})}


def _array(source, name):
    where = source.where(name)
    if name.lower().endswith(".npz"):
        return npz.only_array(source, name)
    with readable(where), source.open(name) as file:
        try:
            version = np.lib.format.read_magic(file)
            if version not in ((1, 0), (2, 0)):
                raise ValueError(f".npy version {version}; expected 1.0 or 2.0")
            read_header = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
            shape, fortran, dtype = read_header(file)
        except Exception as error:  # whatever hostile bytes make NumPy raise
            raise DatasetError(f"{where}: not a whole .npy file: {shown(error, 100)}") from None
        start, size = file.tell(), file.seek(0, os.SEEK_END)
        if dtype.hasobject:
            raise DatasetError(
                f"{where}: holds Python objects (a pickle), which are never opened; expected "
                "numbers: write it with np.save of an array of one kind"
            )
        needed = start + math.prod(shape) * dtype.itemsize
        if needed != size:
            what = "cut off" if size < needed else "longer than its header says"
            raise DatasetError(
                f"{where}: {what}: {shape} {dtype} needs {needed:,} bytes, it has {size:,}"
            )
        if not isinstance(source, Folder) or 0 in shape:
            file.seek(0)
            return np.lib.format.read_array(file, allow_pickle=False)
        # of the open file, which nobody can have changed for another since it was looked at
        order = "F" if fortran else "C"
        return np.memmap(file, dtype, "r", start, shape, order)


def _about(source):
    """What data pack wrote beside the arrays, or {}."""
    if ABOUT not in source.names:
        return {}
    where = source.where(ABOUT)
    with readable(where), source.open(ABOUT) as file:
        try:
            about = json.loads(file.read(MOST_ABOUT))
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{where}: not JSON: {shown(error)}") from None
    classes, pictures = (
        about.get(k) if isinstance(about, dict) else 0 for k in ("classes", "pictures")
    )
    fine = classes is None or (
        isinstance(classes, list) and all(isinstance(c, str) for c in classes)
    )
    if not fine or not isinstance(pictures, (dict, type(None))):
        raise DatasetError(f"{where}: expected the class names as a list of texts, classes")
    return about

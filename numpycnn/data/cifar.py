"""CIFAR-10 and -100 in their binary form: a label or two, then 32 x 32 pixels, red, green, blue.

A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

import posixpath
import re

import numpy as np

from ..errors import DatasetError
from . import assemble
from .sources import readable

PIXELS = 3 * 32 * 32
BATCH = re.compile(r"data_batch_\d+\.bin|test_batch\.bin")
FINE = ("train.bin", "test.bin")  # CIFAR-100's: a coarse label, then the fine one
NAMES = ("batches.meta.txt", "fine_label_names.txt")
PYTHON = {"data_batch_1", "test_batch", "batches.meta"}  # pickles


def find(source):
    """The names of the binary files, or []. Raises DatasetError for the Python form."""
    bases = {posixpath.basename(name): name for name in source.names}
    if PYTHON <= bases.keys() or {"train", "test", "meta"} <= bases.keys():
        raise DatasetError(
            f"{source.path}: CIFAR in its Python form, pickles, which run code when they are "
            "opened; expected the binary form: cifar-10-binary.tar.gz or cifar-100-binary.tar.gz "
            "from the same page"
        )
    found = [name for base, name in sorted(bases.items()) if BATCH.fullmatch(base)]
    return found or [bases[base] for base in FINE if set(FINE) <= bases.keys()]


def read(source, names, name):
    """-> Dataset of what find found. Raises DatasetError, one line."""
    fine = posixpath.basename(names[0]) in FINE
    parts = {}
    for file in names:
        part = "test" if posixpath.basename(file).startswith("test") else "train"
        parts.setdefault(part, []).append(_batch(source, file, 2 if fine else 1))
    joined = {
        part: tuple(map(np.concatenate, zip(*batches, strict=True)))
        for part, batches in parts.items()
    }
    return assemble.dataset(name, joined, _classes(source), source.path)


def _batch(source, name, labels):
    with readable(source.where(name)), source.open(name) as file:
        content = np.frombuffer(file.read(), np.uint8)
    if not content.size or content.size % (labels + PIXELS):
        raise DatasetError(
            f"{source.where(name)}: {content.size:,} bytes; expected a multiple of "
            f"{labels + PIXELS}, the size of an image and its label"
        )
    rows = content.reshape(-1, labels + PIXELS)
    images = rows[:, labels:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)  # (N, 32, 32, 3)
    return images, rows[:, labels - 1].astype(np.int64)


def _classes(source):
    """The class names of the file beside, or None."""
    for name in source.names:
        if posixpath.basename(name) in NAMES:
            with readable(source.where(name)), source.open(name) as file:
                lines = file.read(1 << 16).decode("utf-8", "replace").split("\n")
            return [line.strip() for line in lines if line.strip()]
    return None

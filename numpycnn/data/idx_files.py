"""A person's own four IDX files, under all the names that they are handed out with.

train-images-idx3-ubyte.gz     train-images.idx3-ubyte     emnist-letters-train-labels-idx1-ubyte
raw/...                        train-images-idx3-ubyte/train-images-idx3-ubyte
"""

import posixpath
import re

import numpy as np

from ..errors import DatasetError
from . import assemble, idx
from .official import EMNIST
from .splits import WORDS

NAME = re.compile(
    r"(?P<first>.*?)(?P<part>[a-z]+|t10k)[-_. ]?(?P<what>images?|labels?)"
    r"[-_.]idx[1-4][-_.](?:ubyte|int)(?:\.(?:gz|idx))?"
)
PARTS = {word: part for part, words in WORDS.items() for word in words}


def find(source):
    """{first letters of the names: {(part, "images" or "labels"): name}}; {} if there are none."""
    sets = {}
    for name in source.names:
        match = NAME.fullmatch(posixpath.basename(name).lower())
        if match and match["part"] in PARTS:
            key = PARTS[match["part"]], match["what"].rstrip("s") + "s"
            files = sets.setdefault(match["first"].strip("-_. "), {})
            if key not in files or name.endswith(".gz"):  # the packed one of two
                files[key] = name
    return sets


def read(source, sets, name):
    """-> Dataset of what find found. Raises DatasetError for several sets and for missing files."""
    if len(sets) > 1:
        raise DatasetError(
            f"{source.path}: IDX files of {len(sets)} data sets, {', '.join(sorted(sets))}; "
            "expected one: put the four files of each into a folder of its own"
        )
    (files,) = sets.values()
    wanted = {(part, what) for part in {part for part, _ in files} | {"train"} for what in WHAT}
    missing = sorted(wanted - files.keys())
    if missing:
        there = ", ".join(posixpath.basename(name) for name in files.values())
        raise DatasetError(
            f"{source.path}: the {' and the '.join(f'{part} {what}' for part, what in missing)} "
            f"not found beside {there}; expected names such as train-images-idx3-ubyte.gz and "
            "train-labels-idx1-ubyte.gz, t10k-... for the test, or the same unpacked"
        )
    (first,) = sets
    split = first.rpartition("emnist-")[2] if "emnist-" in first else None
    classes, first_label, *_ = EMNIST.get(split, (None, 0))  # known by its names alone
    parts = {}
    for part in {part for part, _ in files}:
        x, y = (idx.read_from(source, files[part, what]) for what in WHAT)
        x = x.transpose(0, 2, 1) if classes and x.ndim == 3 else x  # EMNIST's lie on their side
        parts[part] = x, label_column(y, first_label)
    return assemble.dataset(name, parts, classes and tuple(classes), source.path)


def label_column(labels, first=0):
    """Labels (N,) from 0; of QMNIST's (N, 8) the first column. `first`: that of the first class."""
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 8 else labels
    return labels.astype(np.int64) - first if first else labels


WHAT = ("images", "labels")

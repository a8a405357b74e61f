"""Data sets of tables with an image in each row, as Kaggle hands them out.

label,pixel1,...,pixel784       with a header or without; the label first, last or named
emotion,pixels,Usage            the pixels in one cell: csv_string.py
"""

import os
import posixpath
import re
import warnings

import numpy as np

from ..errors import DatasetError
from . import assemble, csv_string
from .csv_table import LEAST, Table, shape_of
from .layout import listed
from .sources import Single
from .splits import part_and_rest

ENDINGS = (".csv", ".tsv")


def is_table(name):
    """By its ending."""
    return name.lower().endswith(ENDINGS)


def find(source):
    """The names of the tables in a source that hold pixels: many columns, or one of strings."""
    tables = [name for name in source.names if is_table(name)]
    return [
        name for name in tables if _columns(source, name) > LEAST or csv_string.fits(source, name)
    ]


def _columns(source, name):
    try:
        with source.open(name) as file:
            return len(re.split(rb"[,;\t]", file.read(1 << 16).partition(b"\n")[0]))
    except OSError:
        return 0


def read_file(path, shape=None):
    """-> Dataset of one table and, if its name says train, of those for test and val beside it."""
    folder, base = os.path.split(str(path))
    part, rest = part_and_rest(_stem(base))
    names = [str(path)]
    if part == "train":
        others = (one for one in sorted(os.listdir(folder or ".")) if is_table(one) and one != base)
        alike = [one for one in others if part_and_rest(_stem(one))[1] == rest]
        names += [os.path.join(folder, one) for one in alike if part_and_rest(_stem(one))[0]]
    return read(Single(path), names, shape)


def _stem(name):
    return posixpath.splitext(posixpath.basename(name))[0]


def read(source, names, shape=None):
    """-> Dataset. shape: (H, W) or (H, W, C); None: square and grey, or of three colours.

    With names of parts (train, test, val) each table is one. A table without labels is left out,
    with a UserWarning. Raises DatasetError, one line.
    """
    if csv_string.fits(source, names[0]):
        return _of_strings(source, names[0], shape)
    tables, parts, unlabelled = _tables(source, names), {}, []
    for part, table in tables.items():
        x, y = table.read()
        if y is None:
            unlabelled.append(f"{table.where}: {len(x):,} rows without a label column")
        else:
            parts[part] = x.reshape(-1, *_shape(table.where, len(table.pixels), shape)), y
    if "train" not in parts:
        raise DatasetError(f"{unlabelled[0]}; expected a label and the pixels in each row")
    if tables["train"].unused:
        unlabelled.append(f"{tables['train'].where}: columns {listed(tables['train'].unused)}")
    if unlabelled:
        warnings.warn(f"ignored {'; '.join(unlabelled)}", stacklevel=2)
    parts, classes = _numbered(source, parts)
    if any(x.dtype == np.float32 for x, _ in parts.values()):
        parts = {part: (x.astype(np.float32), y) for part, (x, y) in parts.items()}
    table = tables["train"]
    column = {0: "the first", table.width - 1: "the last"}.get(
        table.label, f"number {table.label + 1}"
    )
    description = f"{source.path}, the label in {column} column"
    return assemble.dataset(str(source.path), parts, classes, description)


def _of_strings(source, name, shape):
    parts, unused = csv_string.read(source, name)
    if unused:
        warnings.warn(f"ignored {source.where(name)}: columns {listed(unused)}", stacklevel=3)
    parts = {
        part: (x.reshape(-1, *_shape(source.where(name), x.shape[1], shape)), y)
        for part, (x, y) in parts.items()
    }
    parts, classes = _numbered(source, parts)
    return assemble.dataset(str(source.path), parts, classes, f"{source.path}, pixels in one cell")


def _tables(source, names):
    """{part: Table}, the one for training first."""
    by_part = {}
    for name in names:
        part = part_and_rest(_stem(name))[0] or "train"
        if part in by_part:
            raise DatasetError(
                f"{source.path}: both {by_part[part]} and {name} may be the {part} images; "
                "expected one table each, with train or test in its name; "
                "give one of them as the data"
            )
        by_part[part] = name
    if "train" not in by_part:
        if len(by_part) > 1:
            raise DatasetError(f"{source.path}: no table for training, only {listed(names)}")
        by_part = {"train": names[0]}
    train = Table(source, by_part.pop("train"))
    return {"train": train, **{p: Table(source, name, like=train) for p, name in by_part.items()}}


def _shape(where, count, shape):
    """(H, W, C) of an image of so many pixels."""
    shape = shape_of(count) if shape is None else (*shape, 1)[:3]
    if shape is None or np.prod(shape) != count:
        given = f", not the {'x'.join(map(str, shape))} of shape" if shape else ""
        raise DatasetError(
            f"{where}: {count} pixels a row{given}; expected a square image, grey or of "
            "three colours; otherwise give shape=(height, width, channels) (--shape 32x24x3)"
        )
    return shape


def _numbered(source, parts):
    """Labels as numbers; where they are text, the classes are those of the training rows."""
    if all(y.dtype.kind == "i" for _, y in parts.values()):
        return parts, None
    texts = {part: y.astype(str) for part, (_, y) in parts.items()}
    classes = sorted(set(texts["train"]))
    number = {label: i for i, label in enumerate(classes)}
    strange = sorted({label for y in texts.values() for label in y} - set(classes))
    if strange:
        raise DatasetError(
            f"{source.path}: the test rows have labels that no training row has: "
            f"{listed(strange)}; expected {listed(classes)}"
        )
    found = {part: np.array([number[label] for label in y]) for part, y in texts.items()}
    return {part: (x, found[part]) for part, (x, _) in parts.items()}, tuple(classes)

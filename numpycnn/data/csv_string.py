"""Tables with the pixels of an image in one cell, as FER2013 has them.

emotion,pixels,Usage        0,"70 80 82 ...",Training
"""

import itertools

import numpy as np

from ..errors import DatasetError
from ..files import shown
from .csv_table import LABEL, ROWS, grey_levels, labels_of, lines_of, rows_of
from .splits import part_in

PIXELS = "pixels"
USAGE = {"usage", "split", "part", "set"}


def fits(source, name):
    """Whether the table has a column "pixels", and no column for each."""
    try:
        names = _header(source, name)
    except (DatasetError, OSError):
        return False
    return PIXELS in names and len(names) <= 16


def _header(source, name):
    first = next(rows_of(itertools.islice(lines_of(source, name), 1), source.where(name)), [])
    return [cell.strip().lower() for cell in first]


def read(source, name):
    """-> {part: (pixels (N, P), labels (N,) int64 or str)}, columns that are not used.

    Raises DatasetError, one line.
    """
    where, names = source.where(name), _header(source, name)
    known = [i for i, one in enumerate(names) if one in LABEL | {"emotion"}]
    others = [i for i, one in enumerate(names) if one not in USAGE | {PIXELS}]
    if len(known or others) != 1:
        raise DatasetError(
            f"{where}: columns {', '.join(names)}; expected pixels, one column named label, and "
            "perhaps usage"
        )
    (label,), pixels = known or others, names.index(PIXELS)
    usage = next((i for i, one in enumerate(names) if one in USAGE), None)
    rows = itertools.islice(rows_of(lines_of(source, name), where), 1, None)
    images, labels, parts, row = [], [], [], 2
    while chunk := list(itertools.islice(rows, ROWS)):
        for i, cells in enumerate(chunk):
            if len(cells) != len(names):
                raise DatasetError(
                    f"{where}: row {row + i} has {len(cells)} columns; expected {len(names)}"
                )
            at = f"{where}: row {row + i}"
            parts.append("train" if usage is None else part_in(cells[usage], at, names[usage]))
        images.append(_images([cells[pixels] for cells in chunk], where, row))
        labels += [cells[label].strip() for cells in chunk]
        row += len(chunk)
    if not images:
        raise DatasetError(f"{where}: a header and no rows")
    if len({x.shape[1] for x in images}) > 1:
        raise DatasetError(f"{where}: rows of different numbers of pixels; expected one number")
    x, y, parts = np.concatenate(images), labels_of(labels, where, 2), np.array(parts)
    found = {part: (x[parts == part], y[parts == part]) for part in ("train", "val", "test")}
    unused = [shown(names[i], 30) for i in others if i != label]
    return {part: pair for part, pair in found.items() if len(pair[1])}, unused


def _images(cells, where, row):
    """(rows, P): numbers with blanks between them."""
    if not all(map(str.strip, cells)):
        raise DatasetError(f"{where}: near row {row}: a row without pixels")
    try:
        values = np.loadtxt(cells, np.float32, ndmin=2, comments=None)
    except ValueError as error:
        reason = f"near row {row}: {shown(error, 120)}"
        counts = [len(cell.split()) for cell in cells]
        for i, count in enumerate(counts):
            if count != counts[0]:
                reason = f"row {row + i} has {count} pixels, row {row} has {counts[0]}"
                break
        raise DatasetError(
            f"{where}: {reason}; expected as many numbers in each row's pixels, blanks between them"
        ) from None
    return grey_levels(values, where, row)

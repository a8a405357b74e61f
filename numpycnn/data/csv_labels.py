"""A table beside pictures that names a class for each of them."""

import collections
import csv
import io
import itertools
import posixpath

from ..errors import DatasetError

ROWS = 200  # that are compared with the pictures
BYTES = 1 << 20  # in which they must be
ENDINGS = (".csv", ".tsv")


def check(source, items):
    """Refuse a table that names the pictures with other classes than their folders' names."""
    labels, total = collections.defaultdict(set), 0
    for name, label in itertools.chain(*items.values()):
        base = posixpath.basename(name)
        for spelling in (base, posixpath.splitext(base)[0]):
            labels[spelling].add(label)
        total += 1
    for name in source.names:
        if name.lower().endswith(ENDINGS) and _contradicts(_rows(source, name), labels, total):
            folders = sorted(set().union(*labels.values()))
            raise DatasetError(
                f"{source.where(name)} names the pictures and gives them other classes than their "
                f"folders' names ({', '.join(folders[:5])}); expected one of the two: move the "
                "table out of the folder, or take its classes by "
                f"labels={posixpath.basename(name)!r}"
            )


def _rows(source, name):
    """The first rows of a table; none where it cannot be read as one."""
    try:
        with source.open(name) as file:
            text = file.read(BYTES).decode("utf-8-sig", "replace")
        dialect = "excel-tab" if name.lower().endswith(".tsv") else "excel"
        return list(itertools.islice(csv.reader(io.StringIO(text), dialect), ROWS))
    except (OSError, csv.Error):
        return []


def _contradicts(rows, labels, total):
    """Whether the rows name pictures, and most do not have their class beside the name.

    A number in a cell is the name of a picture only where there are rows for half of them.
    """
    naming = agreeing = 0
    for row in rows:
        paths = [cell.strip().replace("\\", "/").split("/") for cell in row]
        known = [labels[path[-1]] for path in paths if path[-1] in labels]
        naming += bool(known)
        agreeing += bool(known) and any(known[0] & set(path) for path in paths)
    least = max(len(rows) - 1, min(total, ROWS) / 2)  # the first row may be a header
    return naming >= least and agreeing <= naming / 2

"""The class of each picture by something else than its folder: its file name, or a table.

labels="names"          cat.0.jpg, great_dane_12.png, car (3).jpg
labels="labels.csv"     a column with the files' names, one with their classes
"""

import csv
import itertools
import os
import posixpath
import re

from ..errors import DatasetError
from ..files import shown
from .csv_labels import ENDINGS
from .splits import part_in

NAMES = "names"
STEM = re.compile(r"(.*[^\W\d_])[\W_]*\d+[\W_]*")
LABEL = {"label", "labels", "class", "category", "target", "breed", "species", "class_name", "y"}
PART = {"split", "set", "subset", "usage", "part"}
ROWS = 1 << 22  # of a table


def class_in(name):
    """ "cat" of train/cat.0.jpg; None where a name is a number alone, or has none."""
    found = STEM.fullmatch(posixpath.splitext(posixpath.basename(name))[0])
    return found and found[1].strip(" ._-")


def by_name(names):
    """{name: (class or None, None)}"""
    return {name: (class_in(name), None) for name in names}


def by_table(source, table, names):
    """-> {name: (class or None, part or None)}, how many rows name no picture.

    Raises DatasetError for a table that is none, whose columns cannot be told apart, that gives a
    picture two classes or parts, or names a part that is none.
    """
    rows, where = _read(source, table)
    spellings = _spellings(names)
    naming = _naming_column(rows, spellings)
    if naming is None:
        raise DatasetError(
            f"{where}: no column names the pictures, such as {names[0]}; its first row is "
            f"{shown(', '.join(rows[0]) if rows else 'empty', 80)}"
        )
    header = _key(rows[0][naming]) not in spellings
    column, part = _columns(where, rows, naming, header)
    found, lost = dict.fromkeys(names, (None, None)), 0
    for i, row in enumerate(rows[header:], 1 + header):
        name = spellings.get(_key(row[naming])) if len(row) > naming else None
        if name is None or len(row) <= column:
            lost += 1
            continue
        label, kind = row[column].strip(), None
        if not label:
            continue
        if part is not None:
            cell = row[part] if len(row) > part else ""
            kind = part_in(cell, f"{where}: row {i}", rows[0][part].strip())
        if found[name] not in ((None, None), (label, kind)):
            one, other = (" ".join(filter(None, pair)) for pair in (found[name], (label, kind)))
            raise DatasetError(
                f"{where}: row {i} says {shown(other, 40)} of {name}, a row before it "
                f"{shown(one, 40)}; expected one class, and one part, for each picture"
            )
        found[name] = label, kind
    return found, lost


def _read(source, table):
    """Its rows, and where it is: in the source, or a file elsewhere."""
    near = [name for name in source.names if posixpath.basename(name) == table]
    inside = table if table in source.names else near[0] if len(near) == 1 else None
    if inside is None:
        if not os.path.isfile(table):
            tables = [name for name in source.names if name.lower().endswith(ENDINGS)]
            raise DatasetError(
                f"{source.path}: no table {table} for the labels, in it or elsewhere; in it "
                f"{'is ' + ', '.join(tables[:5]) if tables else 'is none'}; expected one with the "
                f"files' names and their classes, or labels={NAMES!r} (--labels {NAMES}) for "
                "classes in the files' names"
            )
    where = source.where(inside) if inside else shown(table)
    try:
        with source.open(inside) if inside else open(table, "rb") as file:
            lines = (
                line.decode("utf-8-sig", "replace")
                for line in iter(lambda: file.readline(1 << 16), b"")
            )
            first = next(lines, "")
            delimiter = max(",;\t", key=first.count)
            reader = csv.reader(itertools.chain([first], lines), delimiter=delimiter)
            return [row for row in itertools.islice(reader, ROWS) if row], where
    except csv.Error as error:
        raise DatasetError(f"{where}: not a table: {error}") from None


def _key(cell):
    return cell.strip().replace("\\", "/").removeprefix("./")


def _spellings(names):
    """{how a cell may name a picture: its name}: path, its end, without ending; none in doubt."""
    found, doubtful = {}, set()
    for name in names:
        words = name.split("/")
        ends = ["/".join(words[i:]) for i in range(len(words))]
        for spelling in {*ends, *(posixpath.splitext(end)[0] for end in ends)}:
            if found.setdefault(spelling, name) != name:
                doubtful.add(spelling)
    return {spelling: name for spelling, name in found.items() if spelling not in doubtful}


def _naming_column(rows, spellings):
    """The column that names most pictures."""
    few = rows[:1000]
    width = max(map(len, few), default=0)
    hits = [sum(len(row) > i and _key(row[i]) in spellings for row in few) for i in range(width)]
    return hits.index(max(hits)) if any(hits) else None


def _columns(where, rows, naming, header):
    """-> the column of classes, that of parts or None"""
    others = [i for i in range(len(rows[0])) if i != naming]
    part = None
    if header:
        names = {i: rows[0][i].strip().lower() for i in others}
        part = next((i for i in others if names[i] in PART), None)
        others = [i for i in others if i != part]
        labelled = [i for i in others if names[i] in LABEL]
        others = labelled or others
    if len(others) != 1:
        columns = ", ".join(shown(rows[0][i], 30) for i in others[:5]) or "none"
        raise DatasetError(
            f"{where}: the columns that may hold the classes are {columns}; expected one, or a "
            "header with one column named label"
        )
    return others[0], part

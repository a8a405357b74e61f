"""One table of an image a row: which column is the label, which are pixels, and their values."""

import csv
import itertools
import math
import re

import numpy as np

from ..errors import DatasetError
from ..files import shown
from .sources import readable

ROWS = 1024  # that are parsed at a time
SCAN = 5000  # rows that tell the label's column where no header does
LINE = 1 << 24  # bytes of the longest line
LEAST = 16  # pixels
LABEL = {"label", "labels", "class", "class_id", "target", "y", "digit", "category"}
INDEX = {"", "id", "index", "unnamed: 0", "image_id"}
PIXEL = re.compile(r"\d+x\d+|(pixel|pix|px|p|x|col|column|v|attr|feature|f)?[ _.-]?\d+(\.\d+)?")


class Table:
    """Its `label` column (None: it has none) and `pixels`, a list of columns. Raises DatasetError.

    `like`: another table, whose columns these are: by their names, and by their places where this
    one has no names.
    """

    def __init__(self, source, name, like=None):
        self.source, self.name = source, name
        self.where = source.where(name)
        first = list(itertools.islice(lines_of(source, name), SCAN))
        if not first:
            raise DatasetError(f"{self.where}: empty; expected a label and the pixels in each row")
        self.delimiter = max(",;\t", key=first[0].count)
        rows = list(rows_of(first, self.where, self.delimiter))
        self.header = _is_header(rows)
        self.width, self.unused = len(rows[0]), []
        named = self.header and not all(map(_number, rows[0]))
        self.names = [cell.strip().lower() for cell in rows[0]] if named else None
        self.label, self.pixels = self._as(like) or self._columns(rows)

    def _as(self, like):
        """The label's column and those of pixels as in another table; None where it has others."""
        if like is None or like.label is None:
            return None
        if self.names is None or self.names == like.names:
            return (like.label, like.pixels) if self.width == like.width else None
        if like.names is None:
            return None
        places = {name: i for i, name in enumerate(self.names)}
        pixels = [like.names[i] for i in like.pixels]
        if len(places.keys() & {*pixels}) < len(pixels) or len(places) < self.width:
            return None
        known = {like.names[like.label]} & places.keys() or (LABEL - {*pixels}) & places.keys()
        label = places[known.pop()] if len(known) == 1 else None
        return label, [places[name] for name in pixels]

    def _columns(self, rows):
        """-> the label's column or None, the columns of pixels"""
        every = range(self.width)
        if self.header:
            names = self.names or [cell.strip().lower() for cell in rows[0]]
            label = [i for i in every if names[i] in LABEL]
            others = [i for i in every if i not in label and not PIXEL.fullmatch(names[i])]
            others = [i for i in others if names[i] not in INDEX]
            self.unused = [shown(rows[0][i], 30) for i in others if label]
            if not label and len(others) == 1:
                label = others
            if len(label) == 1:
                pixels = [i for i in every if PIXEL.fullmatch(names[i]) and i not in label]
                return label[0], pixels
            if len(label) > 1 or others:
                columns = ", ".join(shown(rows[0][i], 30) for i in (label or others)[:5])
                raise DatasetError(
                    f"{self.where}: the label may be any of the columns {columns}; expected one "
                    "column named label, and pixels"
                )
            rows, every = rows[1:], [i for i in every if names[i] not in INDEX]
        if shape_of(len(every)) and not shape_of(len(every) - 1):
            return None, [*every]
        label = self._first_or_last(rows, [*every[:1], *every[-1:]])
        return label, [i for i in every if i != label]

    def _first_or_last(self, rows, both):
        """The one of both columns whose values are those of labels."""
        fits = {i: _distinct_labels([row[i] for row in rows if row]) for i in both}
        fits = {i: count for i, count in fits.items() if count}
        if not fits or (len(fits) == 2 and len(set(fits.values())) == 1):
            raise DatasetError(
                f"{self.where}: {self.width} columns, of which neither the first nor the last is "
                "plainly the label; expected a header that names one label"
            )
        return min(fits, key=fits.get)

    def read(self):
        """-> pixels (N, P), uint8 or float32; labels (N,) int64 or str, or None."""
        lines = itertools.islice(lines_of(self.source, self.name), int(self.header), None)
        images, labels, row = [], [], 1 + self.header
        while chunk := list(itertools.islice(lines, ROWS)):
            if self.label is not None:
                cells = rows_of(chunk, self.where, self.delimiter)
                labels += [self._label(line, row + i) for i, line in enumerate(cells)]
            images.append(self._pixels(chunk, row))
            row += len(chunk)
        if not images:
            raise DatasetError(f"{self.where}: a header and no rows")
        pixels, y = np.concatenate(images), None
        if self.label is not None:
            y = labels_of(labels, self.where, 1 + self.header)
        return pixels, y

    def _label(self, cells, row):
        if len(cells) != self.width:
            raise DatasetError(
                f"{self.where}: row {row} has {len(cells)} columns; expected {self.width}"
            )
        return cells[self.label].strip()

    def _pixels(self, lines, row):
        """(rows, P) uint8 where all are whole, otherwise float32"""
        try:
            values = np.loadtxt(
                lines, np.float32, delimiter=self.delimiter, usecols=self.pixels, ndmin=2,
                comments=None, quotechar='"',
            )  # fmt: skip
        except ValueError as error:
            raise DatasetError(
                f"{self.where}: near row {row}: {shown(error, 120)}; expected numbers"
            ) from None
        return grey_levels(values, self.where, row)


def lines_of(source, name):
    """Yields a file's lines that are not empty, decoded. Raises DatasetError."""
    where, encoding = source.where(name), "utf-8-sig"
    with readable(where), source.open(name) as file:
        while line := file.readline(LINE):
            if len(line) == LINE:
                raise DatasetError(f"{where}: a line of more than {LINE:,} bytes")
            text = line.decode(encoding, "replace")
            encoding = "utf-8"
            if text.strip():
                yield text


def rows_of(lines, where, delimiter=","):
    """Yields the lines cut into cells. Raises DatasetError."""
    try:
        yield from csv.reader(lines, delimiter=delimiter)
    except csv.Error as error:
        raise DatasetError(f"{where}: not a table: {shown(error, 100)}") from None


def grey_levels(values, where, row):
    """float32 values as uint8 where all are whole. Raises DatasetError for others than pixels."""
    if not (values >= 0).all() or not (values <= 255).all():
        raise DatasetError(
            f"{where}: pixels from {values.min():g} to {values.max():g} near row {row}; "
            "expected 0 to 255, or 0 to 1"
        )
    return values.astype(np.uint8) if (values % 1 == 0).all() else values


def labels_of(cells, where, first):
    """int64 where all are whole numbers, otherwise the text; `first`: the number of their first
    row. Raises DatasetError.
    """
    if "" in cells:
        row = first + cells.index("")
        raise DatasetError(f"{where}: row {row} has no label; expected one in each row")
    try:
        numbers = np.array([float(cell) for cell in cells])
    except ValueError:
        return np.array(cells)
    if (numbers % 1).any():
        raise DatasetError(
            f"{where}: the label {numbers[(numbers % 1) != 0][0]:g} is no whole number"
        )
    return numbers.astype(np.int64)


def shape_of(pixels):
    """(H, W, C) of a square image of so many, grey or of three colours, or None."""
    for channels in (1, 3):
        side = math.isqrt(pixels // channels)
        if pixels >= LEAST and side * side * channels == pixels:
            return side, side, channels
    return None


def _is_header(rows):
    """Whether the first row holds names; pandas writes 0, 0.1, 0.2 where they were values."""
    if any(not _number(cell) for cell in rows[0][1:-1]):
        return True
    texts = [not _number(cell) for cell in (rows[0][0], rows[0][-1])]
    if any(texts) and len(rows) > 1:  # a label may be text, then that of the next row is too
        return texts != [not _number(cell) for cell in (rows[1][0], rows[1][-1])]
    fractions = [any("." in cell for cell in row) for row in rows[:20]]
    return fractions[0] and not any(fractions[1:])


def _number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _distinct_labels(cells):
    """How many classes there are in the cells of a column, or 0 where they cannot be labels."""
    if not all(map(_number, cells)):
        return len(set(cells))
    values = np.unique(np.array(cells, float))
    if (values % 1).any() or values[0] < 0 or len(values) < 2:
        return 0
    return len(values) if 2 * len(values) > values[-1] else 0

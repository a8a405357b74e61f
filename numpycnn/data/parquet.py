"""Image data sets as Hugging Face stores them: Parquet with a picture and a label in each row."""

import io
import json
import posixpath

import numpy as np

from ..errors import DatasetError, MissingPackage
from ..files import shown
from . import assemble, decode
from .sources import readable
from .splits import part_and_rest

IMAGE = ("image", "img", "picture", "pixel_values")
LABEL = ("label", "labels", "fine_label", "class", "target", "digit", "character")


def find(source):
    """The names of the Parquet files."""
    return [name for name in source.names if name.lower().endswith(".parquet")]


def read(source, names, options, name):
    """-> Dataset. The files' names, or those of their folders, say the part: train-00000-of-00001.

    Raises DatasetError, one line; MissingPackage without pyarrow.
    """
    pictures, labels, classes = _Rows(), {}, None
    for file in names:
        below = file.removeprefix(source.path)  # of a file alone nothing
        words = [posixpath.splitext(posixpath.basename(file))[0], *below.split("/")[:-1][::-1]]
        part = next((p for p, _ in map(part_and_rest, words) if p), "train")
        classes = _file(source, file, part, pictures, labels) or classes
    order = [one for part in ("train", "val", "test") for one in pictures.of(part)]
    x, kept, treatment, skipped = decode.read(
        _Named(source, pictures), order, options.treatment, options.skip_broken
    )
    parts = {}
    for part in ("train", "val", "test"):
        inside = [i for i, k in enumerate(kept) if order[k].startswith(f"{part}:")]
        if inside:
            y = np.array([labels[order[kept[i]]] for i in inside])
            parts[part] = x[inside[0] : inside[-1] + 1], y
    return assemble.dataset(
        name, parts, classes, f"{source.path}{'; ' + skipped if skipped else ''}",
        pictures=treatment.stored(),
    )  # fmt: skip


class _Rows(dict):
    """{part:file row N: the bytes of a picture}"""

    def of(self, part):
        return [name for name in self if name.startswith(f"{part}:")]


class _Named:
    """The pictures as a source (sources.py)."""

    def __init__(self, source, rows):
        self.path, self.rows, self.names = source.path, rows, list(rows)

    def open(self, name):
        return io.BytesIO(self.rows[name])

    def where(self, name):
        return f"{self.path}/{name.partition(':')[2]}"


def _file(source, name, part, pictures, labels):
    """Adds the rows of one file -> the class names that its metadata hold, or None."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MissingPackage("pyarrow", "parquet") from None
    where = source.where(name)
    with readable(where), source.open(name) as file:
        try:
            table = parquet.ParquetFile(file)
            image, label = _columns(where, table.schema_arrow)
            row = 0
            for batch in table.iter_batches(64, columns=[image, label]):
                for picture, y in zip(*(batch.column(c).to_pylist() for c in (0, 1)), strict=True):
                    content = picture.get("bytes") if isinstance(picture, dict) else picture
                    if not isinstance(content, bytes) or not isinstance(y, int):
                        raise DatasetError(
                            f"{where}: row {row} has no picture inside, or no number as its label"
                        )
                    key = f"{part}:{name} row {row}"
                    pictures[key], labels[key] = content, y
                    row += 1
            return _names(table.schema_arrow.metadata, label)
        except pyarrow.ArrowException as error:
            raise DatasetError(f"{where}: not a whole Parquet file: {shown(error, 100)}") from None


def _columns(where, schema):
    image = next((name for name in IMAGE if name in schema.names), None)
    label = next((name for name in LABEL if name in schema.names), None)
    if image is None or label is None:
        raise DatasetError(
            f"{where}: columns {shown(', '.join(schema.names), 80)}; expected image and label"
        )
    return image, label


def _names(metadata, label):
    """The class names in Hugging Face's metadata, or None."""
    try:
        found = json.loads((metadata or {})[b"huggingface"])["info"]["features"][label]["names"]
    except (KeyError, ValueError, TypeError):
        return None
    return [str(name) for name in found] if isinstance(found, list) else None

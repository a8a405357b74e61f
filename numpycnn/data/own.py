"""A person's own data, of whatever form: which reader suits what is there."""

import contextlib
import itertools
import warnings

from ..errors import DatasetError
from ..files import open_regular
from . import (
    archives,
    array_names,
    cifar,
    csv_pixels,
    folder,
    formats,
    idx_files,
    layout,
    npy,
    npz,
    parquet,
)
from .options import PICTURES
from .sources import Folder, Single, readable

EXPECTED = (
    "a folder of pictures, IDX files, tables or arrays, a .zip or .tar.gz of these, an .npz or a "
    ".csv of pixels"
)


def read(place, name, options):
    """-> Dataset of a folder or file at the path `place`. Raises DatasetError, one line."""
    if place.is_dir():
        return of_source(Folder(place), name, options)
    with readable(place), open_regular(place, EXPECTED) as file:
        start = file.read(256)
    archive = archives.open_archive(place)
    if archive is not None:
        if archive.names and all(one.endswith(".npy") and "/" not in one for one in archive.names):
            options.refuse(place, "an .npz")
            return npz.read(place)
        return of_source(archive, name, options)
    what, advice = formats.kind(start)
    if what is None and csv_pixels.is_table(place.name):
        options.refuse(place, "a table of pixels", ["shape"])
        return csv_pixels.read_file(place, options.shape)
    if str(place).lower().endswith(".parquet"):
        options.refuse(place, "a Parquet file", ("size", "fit", "colour", "skip_broken"))
        return parquet.read(Single(place), [str(place)], options, name)
    raise DatasetError(
        f"{place}: {'this is ' + what if what else 'not a known format'}; expected {EXPECTED}"
        f"{'; ' + advice if advice else ''}"
    )


def of_source(source, name, options):
    """-> Dataset of the files in a source (sources.py)."""
    if sets := idx_files.find(source):
        options.refuse(name, "IDX files")
        return idx_files.read(source, sets, name)
    if arrays := _arrays(source):
        options.refuse(name, "arrays")
        _note_pictures(source)
        return npy.read(source, arrays, name)
    if batches := cifar.find(source):
        options.refuse(name, "CIFAR's files")
        return cifar.read(source, batches, name)
    if tables := parquet.find(source):
        options.refuse(name, "Parquet files", ("size", "fit", "colour", "skip_broken"))
        return parquet.read(source, tables, options, name)
    if any(map(layout.is_picture, source.names)):
        options.refuse(name, "pictures", PICTURES)
        return folder.read(source, options)
    if tables := csv_pixels.find(source):
        options.refuse(name, "tables of pixels", ["shape"])
        return csv_pixels.read(source, tables, options.shape)
    raise DatasetError(_nothing(source))


def _arrays(source):
    """What npy.find finds, where images and labels are among it."""
    stems = npy.find(source)
    if len(stems) == 1 and next(iter(stems)).lower().endswith(".npz"):
        return stems
    known = [array_names.key(stem) for stem in stems.values()]
    return stems if {("train", "images"), ("train", "labels")} & set(known) else {}


def _note_pictures(source):
    pictures = [name for name in source.names if layout.is_picture(name)]
    if pictures:
        beside = f"{layout.count(len(pictures))} beside the arrays ({layout.listed(pictures)})"
        warnings.warn(f"{source.path}: ignored {beside}", stacklevel=4)


def _nothing(source):
    """That there are no images in a source, what its files are, and what to do with those."""
    found = []
    for name in itertools.islice(source.names, 20):
        with contextlib.suppress(OSError), source.open(name) as file:
            what, advice = formats.kind(file.read(256))
            if what:
                found.append(f"{source.where(name)} is {what}: {advice}")
    text = layout.nothing(source)
    return f"{text}; {'; '.join(found[:3])}" if found else text

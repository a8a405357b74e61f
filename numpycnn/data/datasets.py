"""Finds a data set: load("fashion-mnist"), load("a folder"), load("my.npz"), load("synthetic")."""

import contextlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import DatasetError, DownloadError, unknown
from . import archives, download, idx, idx_files, own, synthetic
from .dataset import Dataset
from .official import IDX_FILES, OFFICIAL
from .options import NAMES, Options
from .picture import treatment_for

SYNTHETIC_TRAIN, SYNTHETIC_TEST = 10_000, 2_000


def load(name, path=None, progress=True, **options):
    """-> Dataset: uint8 images (N, H, W, C), integer labels, class names.

    name: "fashion-mnist", "mnist", "kmnist", "qmnist", "cifar10", "emnist" (its balanced split),
    "emnist-letters", -digits, -mnist, -bymerge, -byclass, or "synthetic"; or the path of a folder
    of pictures, IDX files or tables, of an archive of these, or of an .npz, .npy, .csv, .parquet,
    IDX or CIFAR file. options: those of options.Options, for such
    paths: load("photos", size=64, fit="crop"). A known name goes before a folder of the same name
    in the working directory; write ./mnist for that. Files are sought in `path`;
    $NUMPYCNN_DATA/<name>; the cache folder ($NUMPYCNN_CACHE moves it); those of a known name are
    then downloaded, with a progress bar on standard error, and verified at every load. Raises
    DatasetError (bad data), DownloadError (no network, no mirror), UnknownNameError.
    """
    options = Options(**options)
    with _named(name, path):
        if isinstance(name, str) and name in OFFICIAL:
            options.refuse(name, "a data set that is known by name")
            return _official(name, path, progress)
        if isinstance(name, str) and name == "synthetic" and path is None:
            options.refuse(name, "a data set that is known by name")
            return _synthetic("garments drawn by numpycnn.data.synthetic, seed 0")
        return _own(name, path, options)


def load_for(metadata, name, shape, **options):
    """load(name, **options) for the network whose checkpoint has this metadata.

    The data that it was trained on are read as they were then, where no option says otherwise, and
    picture files become images of its `shape` (H, W, C). Labels count classes in its order, where
    the names are the same. Raises what load does.
    """
    recipe, own = metadata.get("recipe"), {}
    if name == metadata.get("data") and isinstance(recipe, dict):
        stored = recipe.get("reading")
        own = {k: stored[k] for k in NAMES if k in stored} if isinstance(stored, dict) else {}
    found = load(name, **{**own, **options}, like=treatment_for(metadata, shape))
    return found.in_order(metadata.get("classes"))


def load_default(progress=True):
    """Fashion-MNIST where it can be had, otherwise the synthetic garments.

    `source` says which, and why.
    """
    try:
        with _named("fashion-mnist"):
            return _official("fashion-mnist", None, progress, tries=1)
    except DownloadError:
        return _synthetic(
            "synthetic garments, drawn by this program: "
            "Fashion-MNIST is not here and could not be downloaded"
        )


@contextlib.contextmanager
def _named(name, path=None):
    """A file that cannot be read is bad data, of that name."""
    try:
        yield
    except DatasetError:
        raise
    except OSError as error:
        raise DatasetError(
            f"{name}: {error.filename or path} cannot be read: {error.strerror}"
        ) from error


def _synthetic(source):
    train, test = np.random.SeedSequence(0).spawn(2)
    return Dataset(
        "synthetic",
        *synthetic.make(SYNTHETIC_TRAIN, train),
        *synthetic.make(SYNTHETIC_TEST, test),
        synthetic.CLASSES,
        source,
    )


def _own(name, path, options):
    """A folder or an .npz: at `path`, or at `name`, or at $NUMPYCNN_DATA/<name>."""
    place = Path(name if path is None else path)
    if path is None and not place.exists() and _data_folder(name).exists():
        place = _data_folder(name)
    if not place.exists():
        if path is None and place.name == str(name) and not place.suffix:
            raise unknown("data set", str(name), [*OFFICIAL, "synthetic"])
        raise DatasetError(
            f"{place}: no such file or folder; expected {own.EXPECTED}; known names: "
            f"{', '.join(OFFICIAL)}, synthetic"
        )
    known = next((known for known in OFFICIAL if _are_of(place, known)), None)
    if known:
        return _read_idx_folder(known, place, OFFICIAL[known])
    found = own.read(place, str(name), options)
    # named so that this name loads it again: a folder may be called mnist
    return replace(found, name=f"./{place}") if str(place) in (*OFFICIAL, "synthetic") else found


def _official(name, path, progress, tries=None):
    official = OFFICIAL[name]
    if path is not None:
        return _read_idx_folder(name, Path(path), official)
    if _any_of(_data_folder(name), official.files):
        return _read_idx_folder(name, _data_folder(name), official)
    cache = download.cache_folder() / name
    if download.missing(name, cache):
        download.fetch(name, cache, progress, tries or download.TRIES)
    return _read_idx_folder(name, cache, official)


def present(name):
    """Whether the data set of that name, or at that path, is on this machine: load(name) would
    download nothing.
    """
    if name in OFFICIAL:
        return place(name) is not None
    return name == "synthetic" or Path(name).exists() or _data_folder(name).exists()


def place(name):
    """The folder that load(name) of a known data set reads without a download, or None."""
    given, cache = _data_folder(name), download.cache_folder() / name
    if _any_of(given, OFFICIAL[name].files):
        return given
    return None if download.missing(name, cache) else cache


def _data_folder(name):
    """$NUMPYCNN_DATA/<name>; without the variable, a path that does not exist."""
    return Path(os.environ.get("NUMPYCNN_DATA") or os.devnull) / name


def _any_of(place, files):
    return any(_find(place, file) for file in files)


def _are_of(place, known):
    """Whether all files of a known data set lie here.

    Its last, small one tells most strangers apart.
    """
    last = [*OFFICIAL[known].files][-1:]
    return not download.missing(known, place, last) and not download.missing(known, place)


def _find(place, file):
    """The file, or its unpacked form, or None."""
    for candidate in (place / file, place / file.removesuffix(".gz")):
        if candidate.is_file():
            return candidate
    return None


def _read_idx_folder(name, place, official):
    """official None: a person's own IDX files, under the official names."""
    names = IDX_FILES if official is None else tuple(official.files)
    paths = [_find(place, file) for file in names]
    missing = [file for file, path in zip(names, paths, strict=True) if path is None]
    if missing:
        raise DatasetError(
            f"{place}: {' and '.join(missing)} not found; "
            f"expected {', '.join(names)}, or the same unpacked"
        )
    if official is not None:
        for path, checksum in zip(paths, official.files.values(), strict=True):
            _verify(name, path, checksum)
    return _assemble(name, place, paths, official)


def _verify(name, path, checksum):
    """Unpacked files have no published checksum; their structure is checked like anybody's."""
    if path.suffix == ".gz" and not download.matches(path, checksum):
        raise DatasetError(
            f"{path}: not the official file of {name}, its checksum is not {checksum}; "
            f"get it again, or load the folder by its path, {path.parent}, if the data is your own"
        )


def _assemble(name, place, paths, official):
    packed = all(path.suffix == ".gz" for path in paths)
    if len(paths) == 1:  # CIFAR's archive
        found = own.of_source(archives.open_archive(paths[0]), name, Options())
        return replace(found, classes=official.classes, source=str(place))
    # a checksum has vouched for packed official files, so that they may unpack to any size
    arrays = [idx.read(path, None if official and packed else idx.EXPANSION) for path in paths]
    for i in (0, 2):
        images, labels = arrays[i : i + 2]
        if official is not None and official.transposed:
            images = images.transpose(0, 2, 1)
        arrays[i] = images[..., None] if images.ndim == 3 else images
        arrays[i + 1] = idx_files.label_column(labels, official.first_label if official else 0)
    source = (
        f"{place}" if packed or official is None else f"{place} (unpacked: checksums not verified)"
    )
    return Dataset(name, *arrays, official and official.classes, source)

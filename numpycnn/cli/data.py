"""`numpycnn data`: fetch and verify a data set, pack pictures for memory-mapping, look at data."""

import pathlib

from ..errors import DatasetError, printable
from .networks import reading
from .output import check_used, say

USAGE = "expected a NAME, or: pack PHOTOS OUT --size N, or: look DATA"


def data(args):
    """Fetch a data set, look at your own, or pack more than fits."""
    first, *others = args.names
    check_used(args, {"--out": ("look",)}, first)
    if first == "pack" and len(others) == 2:
        return _pack(*others, args)
    if first == "look" and len(others) == 1:
        return _look(*others, args)
    if others or first in ("pack", "look"):
        raise ValueError(f"data {' '.join(args.names)}: {USAGE}")
    from .. import data as datasets

    return _facts(datasets.load(first, **reading(args)))


def _facts(d):
    sizes = {"train": len(d.x_train), "test": len(d.x_test), "image": list(d.x_train.shape[1:])}
    val = 0 if d.x_val is None else len(d.x_val)
    counts = f"{len(d.x_train):,} training{f', {val:,} validation' if val else ''} and "
    counts += f"{len(d.x_test):,} test images, {len(d.classes)} classes"
    facts = {
        "name": d.name,
        "classes": list(d.classes),
        "sha256": d.sha256,
        "source": d.source,
        **sizes,
        **({"val": val} if val else {}),
    }
    return facts, f"{d.name}: {counts}; {d.source}"


def _pack(photos, out, args):
    from tqdm import tqdm

    from ..data import archives, pack
    from ..data.options import Options
    from ..data.sources import Folder

    place = pathlib.Path(photos)
    if not place.exists():
        raise DatasetError(f"{photos}: no such folder or archive of pictures")
    source = Folder(place) if place.is_dir() else archives.open_archive(place)
    if source is None:
        raise DatasetError(f"{photos}: expected a folder of pictures, a .zip or a .tar.gz")
    bars = {}

    def progress(part, done, total):
        if part not in bars:
            bars[part] = tqdm(total=total, desc=part, unit=" pictures", leave=False, disable=None)
        bars[part].update(done - bars[part].n)

    try:
        found = pack.pack(source, out, Options(**reading(args)), progress)
    except KeyboardInterrupt as stop:
        stop.args = ("stopped; the same command goes on from here",)
        raise
    finally:
        for bar in bars.values():
            bar.close()
    say(f"{out}: mean {found.mean:.4f}, deviation {found.std:.4f} of the training pixels")
    facts, text = _facts(found)
    return {**facts, "mean": found.mean, "std": found.std}, text


def _look(name, args):
    from .. import data as datasets
    from ..data import look

    stem = printable(pathlib.Path(name).resolve().name or "data").replace("/", "_")
    out = look.folder(args.out or f"{stem}-look", name)
    result = look.write(out, datasets.load(name, **reading(args)))
    return result, look.text(result)

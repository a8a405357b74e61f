"""Writes a folder of pictures as arrays in files, which are memory-mapped: more than memory holds.

    OUT/x_train.npy, y_train.npy, x_test.npy, ...      as npy.py reads them
    OUT/dataset.json                                   classes, treatment, hash, mean, deviation

A run that was stopped is taken up where it was: OUT/packing.json says how far it is.
"""

import hashlib
import json
import pathlib
import warnings

import numpy as np

from .. import files
from ..errors import DatasetError
from . import assemble, decode, layout, npy
from .options import PICTURES

STATE = "packing.json"
EVERY = 256  # pictures, after which it is noted how far it is


def pack(source, out, options, progress=lambda part, done, total: None):
    """Write the pictures of a source (sources.py) into the folder `out` -> the Dataset there.

    progress: called after each picture. What is left out is named by a UserWarning. Raises
    DatasetError, one line; OSError about `out`.
    """
    if options.size is None:
        raise DatasetError("pack: no size is given; expected one, such as size=224 (--size 224)")
    options.refuse(source.path, "pictures", PICTURES)
    out = pathlib.Path(out)
    found = layout.find(source, options.classes_at, options.labels)
    items = _with_test(source, found)
    known = _treatment(source, items, options)
    plan = _plan(source, items, found.classes, known)
    state = _begin(out, plan, options.skip_broken)
    for part, places in items.items():
        if places:
            _part(source, out, part, places, known, state, progress)
    names, broken = [name for part in found.items.values() for name, _ in part], state["broken"]
    if broken and not options.skip_broken:
        _save(out, {**state, "refused": True})
        raise DatasetError(decode.refusal(source, names, broken))
    whole = _finish(source, out, items, found, known, state)
    left = found.ignored + ([decode.skipped(source, names, broken)] if broken else [])
    if left:
        warnings.warn(f"{source.path}: ignored {'; '.join(left)}", stacklevel=2)
    return whole


def _with_test(source, found):
    """{part: [(name, class)]}; as in assemble.dataset there is always a test part."""
    items = {part: found.items[part] for part in layout.PARTS}
    if not items["test"] and items["val"]:
        items["test"], items["val"] = items["val"], []
    if not items["test"]:
        places = items["train"]
        number = {label: i for i, label in enumerate(found.classes)}
        labels = np.array([number[label] for _, label in places])
        (train, _), (test, _) = assemble.drawn(source.path, np.arange(len(places)), labels)
        items["train"], items["test"] = ([places[i] for i in part] for part in (train, test))
    return items


def _treatment(source, items, options):
    """Colour where one of the pictures has it, unless the options say."""
    treatment = options.treatment
    if treatment.colour is not None:
        return treatment
    for name, _ in (place for places in items.values() for place in places):
        try:
            if decode.header(source, name)[1] not in decode.GREY:
                return decode.Treatment(treatment.size, treatment.fit, True)
        except decode.Broken:
            continue  # it is noted when its pixels are read
    return decode.Treatment(treatment.size, treatment.fit, False)


def _plan(source, items, classes, treatment):
    """What is packed and how, as a checksum: another plan is not taken up."""
    text = json.dumps([source.path, items, classes, treatment.stored()])
    return hashlib.sha256(text.encode()).hexdigest()


def _begin(out, plan, skip):
    """The state of a run of the same plan in `out`, or a new one. Raises DatasetError.

    One that was refused for broken pictures starts anew, unless they are to be skipped now.
    """
    new = {"plan": plan, "seen": {}, "rows": {}, "broken": {}}
    out.mkdir(parents=True, exist_ok=True)
    path = out / STATE
    if path.exists():
        try:
            state = json.loads(path.read_text())
            if state["plan"] == plan:
                return new if state.get("refused") and not skip else state
        except (ValueError, KeyError, TypeError):
            pass
        raise DatasetError(
            f"{out}: the beginning of another pack; expected the same pictures and options, or a "
            "new folder"
        )
    if any(out.iterdir()):
        raise DatasetError(f"{out}: exists and is not empty; expected a new folder")
    _save(out, new)
    return new


def _save(out, state):
    files.write(out / STATE, json.dumps(state).encode())


def _part(source, out, part, places, treatment, state, progress):
    """Writes x_PART.npy, picture by picture from where the state is."""
    shape = len(places), *treatment.size, 3 if treatment.colour else 1
    path = out / f"x_{part}.npy"
    seen, row = state["seen"].get(part, 0), state["rows"].get(part, 0)
    fresh = not (path.exists() and seen)
    images = np.lib.format.open_memmap(path, "w+" if fresh else "r+", np.uint8, shape)
    seen, row = (0, 0) if fresh else (seen, row)
    for i in range(seen, len(places)):
        name = places[i][0]
        try:
            images[row] = decode.decode(source, name, treatment)
            row += 1
        except decode.Broken as error:
            state["broken"][name] = str(error)
        if i % EVERY == EVERY - 1 or i == len(places) - 1:
            images.flush()
            state["seen"][part], state["rows"][part] = i + 1, row
            _save(out, state)
        progress(part, i + 1, len(places))


def _finish(source, out, items, found, treatment, state):
    number = {label: i for i, label in enumerate(found.classes)}
    for part, places in items.items():
        if places:
            kept = [number[label] for name, label in places if name not in state["broken"]]
            if not kept:
                raise DatasetError(f"{source.path}: no picture for {part} can be read")
            _cut(out / f"x_{part}.npy", len(kept))
            np.save(out / f"y_{part}.npy", np.array(kept))
    about = {"classes": list(found.classes), "pictures": treatment.stored()}
    path = out / npy.ABOUT
    files.write(path, json.dumps(about).encode())
    whole = npy.read_folder(out)
    noted = {"sha256": whole.sha256, "mean": whole.mean, "std": whole.std}
    stamps = {f"x_{part}": npy.stamp(out / f"x_{part}.npy") for part in whole.parts}
    text = json.dumps({**about, "noted": noted, "stamps": stamps, "of": source.path}, indent=1)
    files.write(path, text.encode())
    (out / STATE).unlink()
    return npy.read_folder(out)


def _cut(path, rows):
    """Shortens an array to its first rows, in place: its header has room for a smaller number."""
    array = np.load(path, mmap_mode="r")
    if len(array) == rows:
        return
    start, shape, dtype = array.offset, (rows, *array.shape[1:]), array.dtype
    size = start + rows * array[:1].nbytes
    del array
    described = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    with open(path, "r+b") as file:
        np.lib.format.write_array_header_1_0(file, described)
        if file.tell() != start:
            raise OSError(0, "its header would need another length", str(path))
        file.truncate(size)

"""Which pictures of a folder belong to which part and class, and which to none, without a guess.

CLASS/picture               a part is drawn for testing
train/CLASS/picture         and test/, val/ beside it, in any letter case (splits.py)
"""

import collections
import posixpath
from dataclasses import dataclass, field

from ..errors import DatasetError
from . import csv_labels, labels
from .splits import part_and_rest, part_of

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"}
PARTS = ("train", "val", "test")
SHOWN = 5  # names that a sentence lists


@dataclass
class Layout:
    """items: {"train": [(name in the source, class)], "val": ..., "test": ...}; class names."""

    items: dict
    classes: tuple
    ignored: list = field(default_factory=list)  # sentences


def find(source, classes_at=None, labels=None):
    """-> Layout of a source's pictures. Raises DatasetError where it would have to guess.

    classes_at: how many folders below a part's own (or the source) the classes stand; None: 1, if
    there are pictures in such folders. labels: "names" or the name of a table, where folders do not
    say the class (labels.py).
    """
    names = [name for name in source.names if is_picture(name)]
    if not names:
        raise DatasetError(nothing(source))
    if labels is not None:
        return _labelled(source, names, labels)
    parts, beside = _parts(source, names)
    items, without = _classes(source, parts, classes_at)
    classes = sorted({label for _, label in items["train"]})
    _check_classes(source, items, classes)
    csv_labels.check(source, items)
    ignored = _hidden(source) + _others(source) + beside + without
    return Layout(items, tuple(classes), ignored)


def _labelled(source, names, given):
    """The Layout by file names or a table; parts are those of folders, or of a table's column."""
    if given == labels.NAMES:
        found, lost = labels.by_name(names), 0
    else:
        found, lost = labels.by_table(source, given, names)
    items, without = {part: [] for part in PARTS}, []
    for name, (label, part) in found.items():
        kinds = [part_of(folder) for folder in name.split("/")[:-1]]
        part = part or next((kind for kind in kinds if kind), "train")
        items[part].append((name, label)) if label else without.append(name)
    if not items["train"]:
        raise DatasetError(
            f"{source.path}: by labels={given!r} no training picture has a class; expected names "
            "such as cat.0.jpg, or a table with the files' names and classes"
        )
    classes = sorted({label for _, label in items["train"]})
    _check_classes(source, items, classes)
    ignored = _hidden(source)
    ignored += [f"{count(len(without))} without a class ({listed(without)})"] if without else []
    ignored += [f"{count(lost, 'row')} of {given} without a picture"] if lost else []
    return Layout(items, tuple(classes), ignored)


EXPECTED = "a folder for each class with its pictures (PNG, JPEG), or train/ and test/ with those"


LABELS = "labels='names' (--labels names) or labels='TABLE.csv'"


def is_picture(name):
    """By its ending."""
    return posixpath.splitext(name)[1].lower() in SUFFIXES


def listed(names):
    """Some names, and how many there are beside: "a, b and 3 more"."""
    names = [str(name) for name in names]
    more = len(names) - SHOWN
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:SHOWN])} and {more} more"


def count(n, what="picture"):
    """ "1 picture", "2 pictures"."""
    return f"{n:,} {what}" + ("" if n == 1 else "s")


# ---- parts --------------------------------------------------------------------------------------


def _parts(source, names):
    """-> {part: [(name, the folders below the part's own)]}, sentences on what is beside them."""
    places = _inside([(name, tuple(name.split("/")[:-1])) for name in names])
    tops = collections.defaultdict(list)
    for name, folders in places:
        tops[folders[0] if folders else ""].append((name, folders[1:]))
    kinds = _kinds([top for top in tops if top])
    trains = [top for top, kind in kinds.items() if kind == "train"]
    if not any(folders for top in trains for _, folders in tops[top]):
        _refuse_parts(source, kinds, tops)
        return {"train": places}, []
    parts, beside = {"train": [], "val": [], "test": []}, []
    for top, inside in tops.items():
        if kinds.get(top):
            parts[kinds[top]] += _inside(inside, kinds[top])
        else:
            where = f"in {top}/" if top else "in no folder"
            beside.append(f"{count(len(inside))} {where}, beside {trains[0]}/")
    return parts, beside


def _kinds(tops):
    """{folder: part or None}; dogs_train and dogs_test are parts too, as only the part differs."""
    mentioned = {top: part_and_rest(top) for top in tops}
    rests = {rest for part, rest in mentioned.values() if part}
    if len(rests) == 1 and len({part for part, _ in mentioned.values() if part}) > 1:
        return {top: part for top, (part, _) in mentioned.items()}
    return {top: part_of(top) for top in tops}


def _inside(places, part=None):
    """Without the folders around everything that hold no picture themselves, as archives have.

    Below a part's folder only one of the part's name is left out: seg_train/seg_train/CLASS.
    """
    while places:
        outer = {folders[:1] for _, folders in places}
        deeper = all(len(folders) > 1 for _, folders in places)
        if len(outer) != 1 or not deeper:
            break
        (name,) = next(iter(outer))
        if part_and_rest(name)[0] != part:
            break
        places = [(name, folders[1:]) for name, folders in places]
    return places


def _refuse_parts(source, kinds, tops):
    """Where folders are named like parts and hold no classes, they are not classes themselves."""
    named = [top for top, kind in kinds.items() if kind]
    if not named:
        return
    loose = [name for top in named for name, folders in tops[top] if not folders]
    inside = sorted({labels.class_in(name) for name in loose} - {None})
    hint = f" ({listed(inside)})" if len(inside) > 1 else ""
    raise DatasetError(
        f"{source.path}: {' and '.join(f'{top}/' for top in named)} {_is_named(named)}, "
        f"and there are no class folders inside; expected train/CLASS/: move the pictures of "
        f"each class{hint} into a folder of its name, or say where the classes are: {LABELS}"
        f"{_unless(named)}"
    )


def _is_named(named):
    one = "is the name of a part of a data set, not of a class"
    return one if len(named) == 1 else "are names of parts of a data set, not of classes"


def _unless(named):
    return f"; if {named[0]} is a class, rename its folder" if len(named) == 1 else ""


# ---- classes ------------------------------------------------------------------------------------


def _classes(source, parts, classes_at):
    """-> {part: [(name, class)]}, sentences about pictures that have no class."""
    level = classes_at or 1
    deepest = max((len(folders) for _, folders in parts["train"]), default=0)
    counts = collections.Counter(len(folders) for _, folders in parts["train"])
    if deepest < level:
        raise DatasetError(
            f"{source.path}: {count(len(parts['train']))} in no class folder; expected {EXPECTED}; "
            f"for classes in files' names or a table: {LABELS}"
        )
    if classes_at is None and not counts[1]:
        _refuse_deep(source, parts["train"])
    items, ignored = {}, []
    for part in PARTS:
        places = parts.get(part, [])
        flat = [name for name, folders in places if len(folders) < level]
        deep = [name for name, folders in places if len(folders) > level and classes_at is None]
        if flat:
            ignored.append(f"{count(len(flat))} in no class folder ({listed(flat)})")
        if deep:
            ignored.append(
                f"{count(len(deep))} in folders inside the class folders ({listed(deep)}), which "
                "classes_at=1 takes too"
            )
        out = {*flat, *deep}
        items[part] = [(name, folders[:level]) for name, folders in places if name not in out]
    return _named(items), ignored


def _named(items):
    """The last folder's name, or if two classes would have one name, the folders from the top."""
    paths = {path for places in items.values() for _, path in places}
    last = collections.Counter(path[-1] for path in paths)
    name = {path: path[-1] if last[path[-1]] == 1 else "/".join(path) for path in paths}
    return {part: [(one, name[path]) for one, path in places] for part, places in items.items()}


def _refuse_deep(source, places):
    """All pictures are two folders deep or more: either level may be meant."""
    outer = sorted({folders[0] for _, folders in places})
    inner = sorted({folders[1] for _, folders in places})
    raise DatasetError(
        f"{source.path}: all pictures are in folders inside folders ({places[0][0]}); expected "
        f"to be told which are the classes: classes_at=1 (--classes-at 1) takes {listed(outer)}, "
        f"classes_at=2 {listed(inner)}"
    )


def _check_classes(source, items, classes):
    parts = [name for name in classes if part_of(name)]
    if parts:
        raise DatasetError(
            f"{source.path}: {' and '.join(parts)} {_is_named(parts)}; expected train/CLASS/ and "
            f"test/CLASS/{_unless(parts)}"
        )
    for part in ("val", "test"):
        alone = sorted({label for _, label in items[part]} - set(classes))
        if alone:
            raise DatasetError(
                f"{source.path}: {listed(alone)} {'has' if len(alone) == 1 else 'have'} pictures "
                f"for {part} and none for training; the training pictures' classes are "
                f"{listed(classes)}; expected the same names in each part"
            )


# ---- what is left out ---------------------------------------------------------------------------


def _hidden(source):
    total = sum(source.hidden.values())
    if not total:
        return []
    places = listed(f"{name}" for name in source.hidden)
    return [f"{count(total, 'hidden file')} ({places})"]


def _others(source):
    """Files that are no pictures, by their endings."""
    others = [name for name in source.names if not is_picture(name)]
    if not others:
        return []
    endings = collections.Counter(posixpath.splitext(name)[1].lower() or "none" for name in others)
    kinds = listed(f"{n} {ending}" for ending, n in endings.most_common())
    return [f"{count(len(others), 'file')} of other kinds ({kinds})"]


def nothing(source):
    """The sentence for a source without pictures, with what there is instead."""
    found = " and ".join([*_hidden(source), *_others(source)])
    return f"{source.path}: no pictures; expected {EXPECTED}{'; found ' + found if found else ''}"

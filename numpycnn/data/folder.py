"""A person's own pictures: a folder with one subfolder a class."""

import warnings

import numpy as np

from .. import moved
from . import assemble, decode, layout


def read(source, options):
    """-> Dataset. The classes are the names of the class folders, in alphabetical order.

    Pictures become grey (C = 1) if all are grey, otherwise RGB (C = 3), of the options' size.
    What is left out is named by a UserWarning. Raises DatasetError, one line.
    """
    found = layout.find(source, options.classes_at, options.labels)
    places = [place for part in layout.PARTS for place in found.items[part]]
    names = [name for name, _ in places]
    x, kept, treatment, skipped = decode.read(source, names, options.treatment, options.skip_broken)
    found.ignored += [skipped] if skipped else []
    number = {label: i for i, label in enumerate(found.classes)}
    y = np.array([number[label] for _, label in places])[kept]
    ends = np.cumsum([len(found.items[part]) for part in layout.PARTS])[:2]
    ends = np.searchsorted(kept, ends)  # without the broken ones
    pairs = zip(np.split(x, ends), np.split(y, ends), strict=True)
    parts = dict(zip(layout.PARTS, pairs, strict=True))
    files = np.split(np.array([source.where(names[i]) for i in kept], object), ends)
    if found.ignored:
        warnings.warn(f"{source.path}: ignored {'; '.join(found.ignored)}", stacklevel=2)
    return assemble.dataset(
        source.path, parts, found.classes, f"{source.path}, {layout.count(len(x))}",
        dict(zip(layout.PARTS, files, strict=True)), pictures=treatment.stored(),
    )  # fmt: skip


__getattr__ = moved("data.folder")

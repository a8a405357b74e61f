"""Joins the parts that a reader found: grey images, columns of labels, a test set to draw."""

import numpy as np

from ..errors import DatasetError
from .dataset import Dataset, stratified
from .rows import take


def dataset(name, parts, classes=None, source="", files=None, **more):
    """-> Dataset of {"train": (x, y), "val": ..., "test": ...}, the last two if there are any.

    Grey images may be (N, H, W), labels (N, 1). Without a test part the one for validation takes
    its place; without both, a fifth of each class, drawn with seed 0. files: {part: names of the
    images' files}. Raises DatasetError.
    """
    files = {part: names for part, names in (files or {}).items() if len(names)}
    parts = {part: (_images(name, x), _labels(y)) for part, (x, y) in parts.items() if len(x)}
    if "train" not in parts:
        raise DatasetError(f"{name}: no training images, only {' and '.join(parts) or 'nothing'}")
    if "test" not in parts and "val" in parts:
        parts["test"] = parts.pop("val")
        files = {{"val": "test"}.get(part, part): names for part, names in files.items()}
        source += "; no test images: those for validation are the test set"
    if "test" not in parts:
        labels = parts["train"][1]
        parts["train"], parts["test"] = drawn(name, *parts["train"])
        if files:
            (train, _), (test, _) = drawn(name, np.array(files["train"], object), labels)
            files = {"train": train, "test": test}
        source += f", of which {len(parts['test'][1]):,} drawn for testing"
    val = dict(zip(("x_val", "y_val"), parts.get("val", ()), strict=False))
    more |= {"files": {part: tuple(names) for part, names in files.items()} or None}
    return Dataset(name, *parts["train"], *parts["test"], classes, source, **val, **more)


def drawn(name, x, y):
    """-> (x, y) for training, (x, y) for testing: a fifth of each class, drawn with seed 0."""
    n = round(len(y) / 5)
    if len(x) != len(y):
        raise DatasetError(f"{name}: {len(x)} images and {len(y)} labels; expected equal numbers")
    if n < 1:
        raise DatasetError(f"{name}: {len(y)} images; expected at least 3, better hundreds a class")
    chosen = np.zeros(len(y), bool)
    chosen[stratified(y, n, seed=0)] = True
    return (take(x, ~chosen), y[~chosen]), (take(x, chosen), y[chosen])


def _images(name, x):
    """(N, H, W, C); three equal sides above 4 would mean volumes, as in MedMNIST's 3D sets."""
    if x.ndim == 4 and x.shape[3] > 4 and len(set(x.shape[1:])) == 1:
        raise DatasetError(f"{name}: arrays {x.shape} are volumes; expected images, (N, H, W)")
    return x[..., None] if x.ndim == 3 else x


def _labels(y):
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y

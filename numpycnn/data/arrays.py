"""What a Dataset refuses: arrays that are no images or labels, parts that do not fit together."""

import numpy as np

from ..errors import DatasetError
from ..ops.loss import describe_rows
from .rows import Rows, lazy, pieces

PARTS = {"train": "training", "val": "validation", "test": "test"}


def images(x, what):
    """x as a data set holds it: (N, H, W, C), uint8 or float32 in [0, 1]. Raises DatasetError."""
    x = lazy(x)
    if x.ndim != 4 or 0 in x.shape:
        hint = "; for grey images use x[..., None]" if x.ndim == 3 else ""
        raise DatasetError(
            f"{what} has shape {x.shape}; expected images (N, H, W, C), none of them 0{hint}"
        )
    channels, height, width = x.shape[1:]  # if it is NCHW
    if width > 4 and (channels in (1, 3) or (channels in (2, 4) and height == width)):
        raise DatasetError(
            f"{what} has shape {x.shape}, which looks like NCHW; expected (N, H, W, C): "
            "use x.transpose(0, 2, 3, 1)"
        )
    if x.dtype.kind == "f":
        x = x.astype(np.float32, copy=False)
        _check_floats(x, what)
    elif x.dtype != np.uint8:
        raise DatasetError(f"{what} is {x.dtype}; expected uint8 (0 to 255), or floats in [0, 1]")
    return x if isinstance(x, Rows) else np.ascontiguousarray(x)


def _check_floats(x, what):
    bad, count, low, high = None, 0, np.inf, -np.inf
    for i, piece in pieces(x):
        low, high = min(low, piece.min()), max(high, piece.max())  # nan where there is one
        wrong = ~np.isfinite(piece) if not np.isfinite([low, high]).all() else np.zeros(0)
        if wrong.any() and bad is None:
            bad = tuple(int(k) for k in np.add(np.argwhere(wrong)[0], (i, 0, 0, 0)))
        count += int(wrong.sum())
    if count:
        raise DatasetError(
            f"{what} holds {count} values that are NaN or infinite, the first at {bad}"
        )
    if low < 0 or high > 1:
        raise DatasetError(
            f"{what} holds floats from {low:g} to {high:g}; expected 0 to 1, or uint8: "
            "use x.astype('uint8') for 0 to 255"
        )


def labels(y, what):
    """y as an array of whole numbers (N,). Raises DatasetError, naming `what`."""
    y = np.asarray(y)
    if y.ndim == 2 and len(y):
        raise DatasetError(f"{what} must be integers (N,), not {describe_rows(y)}")
    if y.ndim != 1 or len(y) == 0:
        raise DatasetError(f"{what} has shape {y.shape}; expected labels (N,), at least one")
    if y.dtype.kind not in "iu":
        raise DatasetError(
            f"{what} is {y.dtype}; expected whole-number labels 0 to K-1"
            + (": use y.astype('int64')" if y.dtype.kind in "fb" else "")
        )
    return np.ascontiguousarray(y, dtype=np.int64)


def zeros_and_ones(data):
    """A sentence on parts whose pixels are only 0 and 1 as uint8, or None."""
    parts = [(f"x_{part}", getattr(data, f"x_{part}")) for part in data.parts]
    dark = [
        name
        for name, x in parts
        if x.dtype == np.uint8 and all(piece.max() <= 1 for _, piece in pieces(x))
    ]
    if not dark:
        return None
    return (
        f"no pixel of {' and '.join(dark)} is above 1, where 255 is white; expected 0 to 255: "
        "multiply them by 255"
    )


def missing_classes(y, classes):
    """A sentence on the classes (their names) that no label in y (N,) has, or None."""
    counts = np.bincount(y, minlength=len(classes))
    missing = np.flatnonzero(counts == 0)
    if not len(missing):
        return None
    names = ", ".join(str(classes[k]) for k in missing[:5])
    names += f" and {len(missing) - 5:,} more" if len(missing) > 5 else ""
    some = "class" if len(missing) == 1 else "classes"
    return f"no training image has the {some} {names} (of {len(classes):,}): {_advice(missing, y)}"


def _advice(missing, y):
    if len(missing) == 1 and missing[0] == 0:
        return "if labels count from 1, use y - 1"
    if missing[-1] > y.max():
        return "the network can never learn them; add images, or leave these classes out"
    return "to number the others without gaps, use y = np.unique(y, return_inverse=True)[1]"


def check_gaps(data):
    """Refuse classes made up from labels such as {3, 5}, where most would have no image."""
    if data.y_train.min() < 0 or data.y_test.min() < 0:
        return  # check_together says more
    present = np.union1d(data.y_train, data.y_test)
    if 2 * len(present) < len(data.classes):
        raise DatasetError(
            f"{data.name}: only {len(present)} of the labels 0 to {present[-1]} occur "
            f"({', '.join(map(str, present[:5]))}{', ...' if len(present) > 5 else ''}); number "
            "them without gaps, training and test labels together: "
            "y = np.unique(y, return_inverse=True)[1]"
        )


def check_together(data):
    """Refuse parts that do not fit together: counts, labels, shapes. Raises DatasetError."""
    for part in data.parts:
        x, y = getattr(data, f"x_{part}"), getattr(data, f"y_{part}")
        if len(x) != len(y):
            raise DatasetError(
                f"{data.name}: {len(x)} images in x_{part} and {len(y)} labels in y_{part}; "
                "expected equal numbers"
            )
        wrong = np.flatnonzero((y < 0) | (y >= len(data.classes)))
        if len(wrong):
            raise DatasetError(
                f"{data.name}: y_{part}[{wrong[0]}] is {y[wrong[0]]}; expected a label from 0 to "
                f"{len(data.classes) - 1}"
            )
        if data.x_train.shape[1:] != x.shape[1:] or data.x_train.dtype != x.dtype:
            raise DatasetError(
                f"{data.name}: training images are {data.x_train.shape[1:]} {data.x_train.dtype}, "
                f"{PARTS[part]} images {x.shape[1:]} {x.dtype}; expected the same"
            )

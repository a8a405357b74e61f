"""Dataset: training and test images with their labels, checked once, here."""

import hashlib
import warnings
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..errors import DatasetError, printable
from ..ops.loss import describe_rows
from ..tables import as_data_url, as_html
from .rows import Rows, lazy, pieces, take

MOST_CLASSES = 10_000  # a table of classes x classes has 800 MB then
MOST_SHOWN = 20  # classes in a notebook
PARTS = {"train": "training", "val": "validation", "test": "test"}


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images (N, H, W, C), uint8, or float32 in [0, 1]; labels (N,) int64 in 0..K-1; K class names.

    Other floats become float32, other integer labels int64; everything else raises DatasetError,
    one line. classes None: "0", "1", ... up to the largest label. `source` tells people where the
    data came from. x_val, y_val: validation images, where the data have their own. pictures: how
    picture files become such images (decode.Treatment.stored). files: {part: names of the files, in
    order}, where each image is a file.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: tuple = None
    source: str = ""
    x_val: np.ndarray = None
    y_val: np.ndarray = None
    pictures: dict = None
    files: dict = None

    def __post_init__(self):
        put = object.__setattr__  # the class is frozen for everybody else
        for part in self.parts:
            put(self, f"x_{part}", _images(getattr(self, f"x_{part}"), f"{self.name}: x_{part}"))
            put(self, f"y_{part}", _labels(getattr(self, f"y_{part}"), f"{self.name}: y_{part}"))
        if self.classes is None:
            largest = max(getattr(self, f"y_{part}").max() for part in self.parts)
            if largest >= MOST_CLASSES:
                raise DatasetError(
                    f"{self.name}: label {largest} is too large to count classes by; "
                    "make labels 0, 1, ... of them: np.unique(y, return_inverse=True)[1]"
                )
            put(self, "classes", range(1 + largest))
            _check_gaps(self)
        put(self, "classes", tuple(printable(c) for c in self.classes))
        if len(set(self.classes)) < len(self.classes):
            twice = next(name for name in self.classes if self.classes.count(name) > 1)
            raise DatasetError(
                f"{self.name}: two classes are named {twice}; expected a name of its own for each"
            )
        _check_together(self)
        if len(self.classes) > MOST_CLASSES:
            raise DatasetError(
                f"{self.name}: {len(self.classes):,} classes; expected at most {MOST_CLASSES:,}"
            )
        if sentence := missing_classes(self.y_train, self.classes):
            warnings.warn(f"{self.name}: {sentence}", stacklevel=3)

    def __repr__(self):
        counts = ", ".join(
            f"{len(getattr(self, f'y_{part}')):,} {PARTS[part]}" for part in self.parts
        )
        height, width, channels = self.x_train.shape[1:]
        size = f"{height} x {width} x {channels} {self.x_train.dtype}"
        return f"Dataset {self.name}: {counts} images {size}, {len(self.classes)} classes"

    def _repr_html_(self):
        rows = [("class", *(PARTS[part] for part in self.parts))]
        counts = [
            np.bincount(getattr(self, f"y_{p}"), minlength=len(self.classes)) for p in self.parts
        ]
        rows += [
            (name, *(f"{c[k]:,}" for c in counts))
            for k, name in enumerate(self.classes[:MOST_SHOWN])
        ]
        more = len(self.classes) - MOST_SHOWN
        lines = [f"and {more:,} more classes"] if more > 0 else []
        from ..report import grids  # matplotlib takes half a second to import

        firsts = np.unique(self.y_train, return_index=True)[1][:MOST_SHOWN]
        png = grids.show(self.x_train[firsts], self.y_train[firsts], self.classes)._repr_png_()
        picture = f'<img alt="an image of each class" src="{as_data_url(png)}">'
        return as_html(rows, title=repr(self), lines=lines) + picture

    def show(self, n=20, part="train", seed=0, path=None):
        """n images of a part, drawn at random by `seed`, with their classes: a Figure, or the path.

        Raises ValueError for a part that there is not, and for fewer than one image.
        """
        if part not in self.parts or n < 1:
            raise ValueError(f"show takes at least 1 image of {self.parts}, not {n} of {part!r}")
        from ..report import grids

        x, y = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
        chosen = np.random.default_rng(seed).choice(len(y), min(n, len(y)), replace=False)
        return grids.show(x[chosen], y[chosen], self.classes, path=path)

    @property
    def parts(self):
        """The parts that there are: "train", "test" and, where the data have it, "val"."""
        return ("train", "test") if self.x_val is None else ("train", "test", "val")

    @cached_property
    def sha256(self):
        """Hash of the arrays, x and y of each part: dtypes, shapes and bytes."""
        digest = hashlib.sha256()
        for part in self.parts:
            for array in (getattr(self, f"x_{part}"), getattr(self, f"y_{part}")):
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                for _, piece in pieces(array):
                    digest.update(np.ascontiguousarray(piece).data)
        return digest.hexdigest()

    @property
    def mean(self):
        """Mean of the training pixels, scaled to [0, 1]."""
        return self._moments[0]

    @property
    def std(self):
        """Standard deviation of the training pixels, scaled to [0, 1]: sqrt(E[x^2] - E[x]^2)."""
        return self._moments[1]

    @property
    def light(self):
        """Whether the border of the training images is light, as paper is: predict prepares photos
        like them.
        """
        total = count = 0.0
        for _, x in pieces(self.x_train):
            for edge in (x[:, [0, -1]], x[:, :, [0, -1]]):
                total, count = total + edge.sum(dtype=np.float64), count + edge.size
        return bool(total / count >= (128 if self.x_train.dtype == np.uint8 else 0.5))

    @cached_property
    def _moments(self):
        total = squares = 0.0
        for _, piece in pieces(self.x_train):
            more = _sums(piece)
            total, squares = total + more[0], squares + more[1]
        n, scale = self.x_train.size, 255 if self.x_train.dtype == np.uint8 else 1
        mean = total / n
        return float(mean / scale), float(np.sqrt(max(squares / n - mean**2, 0)) / scale)

    def split(self, n, seed=0):
        """-> (x_train, y_train), (x_val, y_val): n training images, each class in proportion, set
        apart.
        """
        if not 0 < n < len(self.y_train):
            raise DatasetError(
                f"{self.name}: a validation split of {n}; expected 1 to {len(self.y_train) - 1}"
            )
        chosen = np.zeros(len(self.y_train), bool)
        chosen[stratified(self.y_train, n, seed)] = True
        x, y = self.x_train, self.y_train
        return (take(x, ~chosen), y[~chosen]), (take(x, chosen), y[chosen])

    def limit(self, n, seed=0):
        """A Dataset with n training images, as many of each class as possible, and the whole test
        set.
        """
        if n < 1:
            raise DatasetError(f"{self.name}: a limit of {n} training images; expected at least 1")
        if n >= len(self.y_train):
            return self
        chosen = stratified(self.y_train, n, seed, balanced=True)
        return replace(
            self,
            x_train=take(self.x_train, chosen),
            y_train=self.y_train[chosen],
            files=self.files
            and {
                **self.files,
                "train": tuple(self.files["train"][i] for i in chosen),
            },
            source=f"{self.source}; {n} of its {len(self.y_train)} training images",
        )


def _sums(x):
    """The sum of the pixels, and that of their squares."""
    x = x.astype(np.float64).ravel()
    return x.sum(), x @ x


def stratified(labels, n, seed, balanced=False):
    """Sorted indices of n labels: each class in proportion, or (balanced) equally often where it
    has enough.

    Every class is shuffled; the i-th of its m members has rank (i + 1/2) / m, or i; the n lowest
    win.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    rank = np.empty(len(labels))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        place = np.arange(len(members))
        rank[members] = place if balanced else (place + 0.5) / len(members)
    return np.sort(np.lexsort((labels, rank))[:n])


def _images(x, what):
    x = lazy(x)
    if x.ndim != 4 or 0 in x.shape:
        hint = "; for grey images use x[..., None]" if x.ndim == 3 else ""
        raise DatasetError(
            f"{what} has shape {x.shape}; expected images (N, H, W, C), none of them 0{hint}"
        )
    if x.shape[1] in (1, 3) and x.shape[3] > 4:
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


def _labels(y, what):
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


def _check_gaps(data):
    """Refuse classes made up from labels such as {3, 5}, where most would have no image."""
    if data.y_train.min() < 0 or data.y_test.min() < 0:
        return  # _check_together says more
    present = np.union1d(data.y_train, data.y_test)
    if 2 * len(present) < len(data.classes):
        raise DatasetError(
            f"{data.name}: only {len(present)} of the labels 0 to {present[-1]} occur "
            f"({', '.join(map(str, present[:5]))}{', ...' if len(present) > 5 else ''}); number "
            "them without gaps, training and test labels together: "
            "y = np.unique(y, return_inverse=True)[1]"
        )


def _check_together(data):
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

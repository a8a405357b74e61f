"""Dataset: training and test images with their labels, checked once, here."""

import hashlib
import warnings
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..errors import DatasetError, printable
from ..tables import as_data_url, as_html
from . import arrays
from .arrays import PARTS
from .rows import pieces, take

MOST_CLASSES = 10_000  # a table of classes x classes has 800 MB then
MOST_SHOWN = 20  # classes in a notebook


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
            x, y = f"x_{part}", f"y_{part}"
            put(self, x, arrays.images(getattr(self, x), f"{self.name}: {x}"))
            put(self, y, arrays.labels(getattr(self, y), f"{self.name}: {y}"))
        if self.classes is None:
            largest = max(getattr(self, f"y_{part}").max() for part in self.parts)
            if largest >= MOST_CLASSES:
                raise DatasetError(
                    f"{self.name}: label {largest} is too large to count classes by; "
                    "make labels 0, 1, ... of them: np.unique(y, return_inverse=True)[1]"
                )
            put(self, "classes", range(1 + largest))
            arrays.check_gaps(self)
        put(self, "classes", tuple(printable(c) for c in self.classes))
        if len(set(self.classes)) < len(self.classes):
            twice = next(name for name in self.classes if self.classes.count(name) > 1)
            raise DatasetError(
                f"{self.name}: two classes are named {twice}; expected a name of its own for each"
            )
        arrays.check_together(self)
        if len(self.classes) > MOST_CLASSES:
            raise DatasetError(
                f"{self.name}: {len(self.classes):,} classes; expected at most {MOST_CLASSES:,}"
            )
        said = arrays.missing_classes(self.y_train, self.classes), arrays.zeros_and_ones(self)
        for sentence in filter(None, said):
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
        apart; where n is large enough, one at least of each class that has two.

        Raises DatasetError unless n is from 1 to N - 1.
        """
        if not 0 < n < len(self.y_train):
            raise DatasetError(
                f"{self.name}: a validation split of {n}; expected 1 to {len(self.y_train) - 1}"
            )
        chosen = np.zeros(len(self.y_train), bool)
        chosen[stratified(self.y_train, n, seed, every=True)] = True
        x, y = self.x_train, self.y_train
        return (take(x, ~chosen), y[~chosen]), (take(x, chosen), y[chosen])

    def in_order(self, classes):
        """A Dataset whose labels count its classes in this order; this one where these are others.

        classes: names, as a checkpoint holds them, or None.
        """
        names = [printable(one) for one in classes] if isinstance(classes, (list, tuple)) else []
        if sorted(names) != sorted(self.classes) or names == [*self.classes]:
            return self
        number = np.array([names.index(name) for name in self.classes])
        labels = {f"y_{part}": number[getattr(self, f"y_{part}")] for part in self.parts}
        return replace(self, classes=tuple(names), **labels)

    def limit(self, n, seed=0):
        """A Dataset with n training images, as many of each class as possible, and the whole test
        set; this one where it has no more than n. Raises DatasetError for n below 1.
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


def stratified(labels, n, seed, balanced=False, every=False):
    """Sorted indices of n labels: each class in proportion, or (balanced) equally often where it
    has enough.

    Every class is shuffled; the i-th of its m members has rank (i + 1/2) / m, or i; the n lowest
    win. With `every` the first member of each class with two has the rank 0.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    rank = np.empty(len(labels))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        place = np.arange(len(members))
        rank[members] = place if balanced else (place + 0.5) / len(members)
        if every and len(members) > 1:
            rank[members[0]] = 0
    return np.sort(np.lexsort((labels, rank))[:n])

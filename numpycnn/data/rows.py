"""Images that are not in memory: rows of a memory-mapped array, copied when they are asked for."""

import math

import numpy as np

PIECE = 1 << 22  # bytes of images that are in memory at a time, where all are looked at
MOST = 4096  # images, too


class Rows:
    """The rows `index` (N,) of an array (M, ...), without a copy of them.

    It has shape, ndim, dtype, size and len; x[i], x[a:b:c] and x[integers] give arrays, as with an
    array, except that a slice with a step, x[::2], gives Rows. np.asarray(x) copies all.
    """

    def __init__(self, array, index):
        self.array, self.index = array, np.asarray(index)

    shape = property(lambda self: (len(self.index), *self.array.shape[1:]))
    ndim = property(lambda self: self.array.ndim)
    dtype = property(lambda self: self.array.dtype)
    size = property(lambda self: math.prod(self.shape))

    def __len__(self):
        return len(self.index)

    def __getitem__(self, chosen):
        first, *others = chosen if isinstance(chosen, tuple) else (chosen,)
        index = self.index[first]
        if isinstance(first, slice) and first.step is not None and not others:
            return Rows(self.array, index)
        found = self.array[index]
        return found[(slice(None), *others)] if others else found

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array[self.index], dtype)

    def astype(self, dtype, copy=True):
        """Itself where it has the dtype already, otherwise an array."""
        return self if self.dtype == dtype else np.asarray(self, dtype)


def lazy(x):
    """x where it is an array or Rows, otherwise np.asarray(x)."""
    return x if isinstance(x, (np.ndarray, Rows)) else np.asarray(x)


def in_file(x):
    """Whether x is Rows, or an array that is memory-mapped."""
    while x is not None:
        if isinstance(x, (Rows, np.memmap)):
            return True
        x = getattr(x, "base", None)
    return False


def take(x, chosen):
    """x[chosen], a bool mask or indices: of an array in a file as Rows, without a copy."""
    if not in_file(x):
        return x[chosen]
    index = np.flatnonzero(chosen) if np.asarray(chosen).dtype == bool else np.asarray(chosen)
    return Rows(x.array, x.index[index]) if isinstance(x, Rows) else Rows(x, index)


def span(x, start, stop):
    """x[start:stop]; of Rows as Rows, without a copy."""
    return Rows(x.array, x.index[start:stop]) if isinstance(x, Rows) else x[start:stop]


def pieces(x):
    """Yields (i, x[i:j]) of all images in order, each piece small enough to be in memory."""
    step = max(1, min(MOST, PIECE // max(1, math.prod(x.shape[1:]) * x.dtype.itemsize)))
    for i in range(0, len(x), step):
        yield i, np.asarray(x[i : i + step])

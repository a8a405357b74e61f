"""What follows a convolution, done to each image while it is still in the cache."""

import typing

import numpy as np

from .moments import block_moments
from .rows import activate
from .threads import kernel


class Epilogue(typing.NamedTuple):
    """moments (N, 2, F) gets those of each image (see moments.py). z (N, OH/pool, OW/pool * F) gets

        z = the largest over each window of relu(scale * y + shift)         scale, shift = rows (2, OW/pool * F)

    and y itself is then kept nowhere. Either is empty where it is not wanted.
    """

    moments: np.ndarray
    rows: np.ndarray
    pool: int
    z: np.ndarray


def epilogue(f, moments=None, rows=None, pool=1, z=None):
    """An Epilogue for f filters; what is not given is not wanted."""
    moments = np.empty((0, 2, f), np.float32) if moments is None else moments
    rows = np.empty((0, 0), np.float32) if rows is None else rows
    return Epilogue(moments, rows, pool, np.empty((0, 0, 0), np.float32) if z is None else z)


@kernel
def finish(then, y, begin, first, count):
    """For the images from `first` on, which are y[begin : begin + count] (OH, OW * F)."""
    for n in range(count):
        if len(then.moments):
            block_moments(y[begin + n], then.moments[first + n])
        if len(then.z):
            activate(y[begin + n], then.rows, then.moments.shape[2], then.pool, then.z[first + n])

"""What follows a convolution, done to each image while it is still in the cache."""

import typing

import numpy as np

from .moments import block_moments
from .rows import activate
from .threads import kernel


class Epilogue(typing.NamedTuple):
    """moments (N, 2, F) gets those of each image (see moments.py). z (N, OH/pool, OW/pool*F) gets

        z = the largest over each window of relu(scale * y + shift)

    scale and shift being rows (2, OW/pool*F); y itself is then kept nowhere. Either is empty where
    it is not wanted.
    """

    moments: np.ndarray
    rows: np.ndarray
    pool: int
    z: np.ndarray

    @classmethod
    def of(cls, f, moments=None, rows=None, pool=1, z=None):
        """One for f filters; what is not given is not wanted."""
        moments = np.empty((0, 2, f), np.float32) if moments is None else moments
        rows = np.empty((0, 0), np.float32) if rows is None else rows
        return cls(moments, rows, pool, np.empty((0, 0, 0), np.float32) if z is None else z)


@kernel
def finish(epilogue, y, begin, first, count):
    """Reads y[begin : begin + count] (count, OH, OW*F), which are the images from `first` on."""
    for n in range(count):
        if len(epilogue.moments):
            block_moments(y[begin + n], epilogue.moments[first + n])
        if len(epilogue.z):
            f = epilogue.moments.shape[2]
            activate(y[begin + n], epilogue.rows, f, epilogue.pool, epilogue.z[first + n])

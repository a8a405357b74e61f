"""What every export does before it writes: eight answers, compared with the network's."""

import numpy as np

from .structure import ExportError


def noise(shape):
    """Eight images, or codes, of random bytes: (8, *shape) uint8; / 255 they are in [0, 1]."""
    return np.random.default_rng(0).integers(0, 256, (8, *shape)).astype(np.uint8)


def difference(y, expected, what):
    """The largest, of two arrays. Raises ExportError where it is more than rounding."""
    error, largest = float(np.abs(y - expected).max()), float(np.abs(expected).max())
    if not error <= 1e-5 * largest + 1e-4:
        raise ExportError(
            f"{what} would give other answers: they differ by {error:.2g} at {largest:.2g}; "
            "please report the network"
        )
    return error

"""The first layer of a network: raw pixels become floating point of mean 0 and deviation 1."""

import warnings

import numpy as np

from ..errors import ShapeError
from .base import Layer

# Of floats. Images from 0 to 1 lie far below, and so do the normal deviates of gradient checks.
LARGEST = 16.0


class Standardize(Layer):
    """y = (x - mean) / std      x in [0, 1]; uint8 images (0..255) are divided by 255 first

    mean and std are those of the training images, fixed when the network is made; those of pixels
    from 0 to 255 give a warning. float64 stays float64, every other kind becomes float32. Raises
    ShapeError for a std that is not positive, TypeError for other dtypes, ValueError for floats
    that are plainly no pixels from 0 to 1.

    >>> Standardize(mean=0.5, std=0.25).infer(np.array([[0, 255]], np.uint8))
    array([[-2.,  2.]], dtype=float32)
    """

    def __init__(self, mean=0.0, std=1.0):
        if not std > 0 or not np.isfinite([mean, std]).all():
            raise ShapeError(
                f"Standardize needs a finite mean and a std > 0, not {mean!r} and {std!r}"
            )
        if max(abs(mean), std) > LARGEST:
            warnings.warn(
                f"Standardize expects mean and std of pixels from 0 to 1, not {mean:g} and "
                f"{std:g}: divide both by 255",
                stacklevel=2,
            )
        self.mean, self.std = float(mean), float(std)

    def forward(self, x, train=False):
        x = np.asarray(x)
        if x.dtype.kind not in "fu" or (x.dtype.kind == "u" and x.dtype != np.uint8):
            raise TypeError(
                f"images must be uint8 (0..255) or floating point (0..1), not {x.dtype}"
            )
        if x.dtype.kind == "f" and x.size and LARGEST < max(x.max(), -x.min()) < np.inf:
            raise ValueError(
                f"Standardize expects uint8 (0 to 255) or floats from 0 to 1, not floats from "
                f"{x.min():g} to {x.max():g}: use x.astype('uint8'), or x / 255"
            )
        unit = 255.0 if x.dtype == np.uint8 else 1.0
        y = x.astype(np.float64 if x.dtype.itemsize >= 8 else np.float32, copy=False)
        kind = y.dtype.type
        return (y - kind(self.mean * unit)) * kind(1 / (self.std * unit)), None

    def backward(self, dy, cache):
        """dx = dy / std"""
        return dy * dy.dtype.type(1 / self.std)

    def tangent(self, u, dy, cache):
        """u -> u / std: see input_gradient.py"""
        return self.backward(u, cache)

"""ReLU with its mask, and leaky ReLU with its slope, in one pass.

They have no backward kernels: NumPy is as fast.
"""

import numpy as np

from ..ops.activation import leaky_relu_cache, relu_cache
from .runtime.memory import empty
from .runtime.threads import kernel, parallel


def relu(x):
    """x of any shape -> y, and where x is positive"""
    if x.dtype != np.float32:
        return NotImplemented
    y, positive = empty(x.shape), empty(x.shape, np.bool_)
    parallel(_relu, x.size, x.reshape(-1), y.reshape(-1), positive.reshape(-1))
    return y, relu_cache(y, positive)


@kernel
def _relu(x, y, positive, lo, hi):
    """Reads x (n,), writes y (n,) and positive (n,)."""
    x, y, positive = x[lo:hi], y[lo:hi], positive[lo:hi]
    for i in range(len(x)):
        value = x[i]
        positive[i] = value > 0
        y[i] = np.float32(0) if value <= 0 else value  # written so that NaN passes


def leaky_relu(x, negative_slope):
    """x of any shape -> y, and its derivative in x"""
    if x.dtype != np.float32:
        return NotImplemented
    y, slope = empty(x.shape), empty(x.shape)
    flat = (a.reshape(-1) for a in (x, y, slope))
    parallel(_leaky_relu, x.size, np.float32(negative_slope), *flat)
    return y, leaky_relu_cache(y, slope)


@kernel
def _leaky_relu(negative_slope, x, y, slope, lo, hi):
    """Reads x (n,), writes y (n,) and slope (n,)."""
    x, y, slope = x[lo:hi], y[lo:hi], slope[lo:hi]
    for i in range(len(x)):
        slope[i] = np.float32(1) if x[i] > 0 else negative_slope
        y[i] = slope[i] * x[i]

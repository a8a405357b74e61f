"""ReLU with its mask, and leaky ReLU with its slope, in one pass. Backward in NumPy is as fast as a twin was."""

import numpy as np

from ..ops.activation import leaky_relu_cache, relu_cache
from .runtime.memory import empty
from .runtime.threads import kernel, parallel


def relu(x):
    if x.dtype != np.float32:
        return NotImplemented
    y, positive = empty(x.shape), empty(x.shape, np.bool_)
    parallel(_relu, x.size, x.reshape(-1), y.reshape(-1), positive.reshape(-1))
    return y, relu_cache(y, positive)


@kernel
def _relu(x, y, positive, lo, hi):
    x, y, positive = x[lo:hi], y[lo:hi], positive[lo:hi]
    for i in range(len(x)):
        value = x[i]
        positive[i] = value > 0
        y[i] = np.float32(0) if value <= 0 else value  # written so that NaN passes


def leaky_relu(x, negative_slope=0.01):
    if x.dtype != np.float32:
        return NotImplemented
    y, slope = empty(x.shape), empty(x.shape)
    parallel(
        _leaky_relu,
        x.size,
        x.reshape(-1),
        np.float32(negative_slope),
        y.reshape(-1),
        slope.reshape(-1),
    )
    return y, leaky_relu_cache(y, slope)


@kernel
def _leaky_relu(x, negative_slope, y, slope, lo, hi):
    x, y, slope = x[lo:hi], y[lo:hi], slope[lo:hi]
    for i in range(len(x)):
        slope[i] = np.float32(1) if x[i] > 0 else negative_slope
        y[i] = slope[i] * x[i]

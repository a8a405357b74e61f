"""ReLU with its mask in one pass."""

import numpy as np

from ..backend import Cache
from ..machine.memory import empty
from ..machine.parallel import kernel, parallel


def relu(x):
    if x.dtype != np.float32:
        return NotImplemented
    y, positive = empty(x.shape), empty(x.shape, np.bool_)
    parallel(_relu, x.size, x.reshape(-1), y.reshape(-1), positive.reshape(-1))
    return y, Cache("relu", y, positive)


@kernel
def _relu(x, y, positive, lo, hi):
    x, y, positive = x[lo:hi], y[lo:hi], positive[lo:hi]
    for i in range(len(x)):
        value = x[i]
        positive[i] = value > 0
        y[i] = np.float32(0) if value <= 0 else value  # written so that NaN passes


def relu_backward(dy, cache):
    (positive,) = cache
    if dy.dtype != np.float32:
        return NotImplemented
    dx = empty(dy.shape)
    parallel(_relu_backward, dy.size, dy.reshape(-1), positive.reshape(-1), dx.reshape(-1))
    return dx


@kernel
def _relu_backward(dy, positive, dx, lo, hi):
    dy, positive, dx = dy[lo:hi], positive[lo:hi], dx[lo:hi]
    for i in range(len(dx)):
        dx[i] = dy[i] * np.float32(positive[i])

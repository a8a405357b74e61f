"""Activations in one pass: ReLU with its mask, leaky ReLU with its slope, and those with a gate.

Where there is no backward kernel, NumPy is as fast.
"""

import math

import numpy as np

from ..ops.activation import (
    gelu_cache,
    hard_swish_cache,
    leaky_relu_cache,
    relu_cache,
    silu_cache,
)
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


def silu(x):
    """x of any shape -> y, and s = sigmoid(x)"""
    if x.dtype != np.float32:
        return NotImplemented
    y, s = empty(x.shape), empty(x.shape)
    parallel(_silu, x.size, x.reshape(-1), y.reshape(-1), s.reshape(-1))
    return y, silu_cache(y, s)


@kernel
def _silu(x, y, s, lo, hi):
    """Reads x (n,), writes y (n,) and s (n,)."""
    x, y, s = x[lo:hi], y[lo:hi], s[lo:hi]
    one = np.float32(1)
    for i in range(len(x)):
        e = np.exp(-abs(x[i]))
        s[i] = (one if x[i] >= 0 else e) / (one + e)
        y[i] = x[i] * s[i]


def gelu(x):
    """x of any shape -> y, and Phi(x)"""
    if x.dtype != np.float32:
        return NotImplemented
    y, cdf = empty(x.shape), empty(x.shape)
    parallel(_gelu, x.size, x.reshape(-1), y.reshape(-1), cdf.reshape(-1))
    return y, gelu_cache(y, x, cdf)


@kernel
def _gelu(x, y, cdf, lo, hi):
    """Reads x (n,), writes y (n,) and cdf (n,)."""
    x, y, cdf = x[lo:hi], y[lo:hi], cdf[lo:hi]
    scale, half = np.float32(-math.sqrt(0.5)), np.float32(0.5)
    for i in range(len(x)):
        cdf[i] = half * math.erfc(x[i] * scale)
        y[i] = x[i] * cdf[i]


def hard_swish(x):
    """x of any shape -> y"""
    if x.dtype != np.float32:
        return NotImplemented
    y = empty(x.shape)
    parallel(_hard_swish, x.size, x.reshape(-1), y.reshape(-1))
    return y, hard_swish_cache(y, x)


@kernel
def _hard_swish(x, y, lo, hi):
    """Reads x (n,), writes y (n,)."""
    x, y = x[lo:hi], y[lo:hi]
    zero, three, six, share = np.float32(0), np.float32(3), np.float32(6), np.float32(1 / 6)
    for i in range(len(x)):
        y[i] = x[i] * (min(max(x[i] + three, zero), six) * share)


def hard_swish_backward(dy, cache):
    """dy of any shape -> dx"""
    (x,) = cache
    if dy.dtype != np.float32:
        return NotImplemented
    dx = empty(x.shape)
    parallel(_hard_swish_backward, x.size, *(a.reshape(-1) for a in (dy, x, dx)))
    return dx


@kernel
def _hard_swish_backward(dy, x, dx, lo, hi):
    """Reads dy and x (n,), writes dx (n,)."""
    dy, x, dx = dy[lo:hi], x[lo:hi], dx[lo:hi]
    zero, one, third, half = np.float32(0), np.float32(1), np.float32(1 / 3), np.float32(0.5)
    for i in range(len(dy)):
        v = x[i]
        dx[i] = dy[i] * (zero if v <= -3 else one if v >= 3 else v * third + half)

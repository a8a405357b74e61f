"""Dropout in one pass after the random numbers, which are those of the reference, bit for bit."""

import functools
import math

import numpy as np

from ..ops import whole
from ..ops.dropout import dropout_cache
from .runtime import pcg64
from .runtime.memory import empty
from .runtime.threads import kernel, parallel


def dropout(x, rate, rng, train):
    """x of any shape -> y"""
    if x.dtype != np.float32 or not (train and rate > 0):
        return NotImplemented
    bits = whole.draw(functools.partial(_bits, rng), x.shape).reshape(-1)
    y, mask = empty(x.shape), empty(x.shape)
    limit, scale = np.int32(round(rate * (1 << 16))), np.float32(1 / (1 - rate))
    flat = (a.reshape(-1) for a in (x, y, mask))
    parallel(_dropout, x.size, bits, limit, scale, *flat)
    return y, dropout_cache(y, mask)


def _bits(rng, shape):
    """16 random bits a value: two values of each draw of 32, in the order of the reference."""
    size = math.prod(shape)
    draws = -(-size // 2)
    if draws % 2 == 0 and pcg64.fits(rng.bit_generator):  # whose draws are halves of 64 bits
        bits = pcg64.raw(rng.bit_generator, draws // 2)
    else:
        bits = rng.integers(1 << 32, size=draws, dtype=np.uint32)
    return bits.view(np.uint16)[:size].reshape(shape)


@kernel
def _dropout(bits, limit, scale, x, y, mask, lo, hi):
    """Reads bits and x (n,), writes y and mask (n,)."""
    bits, x, y, mask = bits[lo:hi], x[lo:hi], y[lo:hi], mask[lo:hi]
    for i in range(len(x)):
        factor = scale if bits[i] >= limit else np.float32(0)
        mask[i] = factor
        y[i] = x[i] * factor


def dropout_backward(dy, cache):
    """dy of any shape -> dx"""
    (mask,) = cache
    if mask is None or dy.dtype != np.float32:
        return NotImplemented
    dx = empty(dy.shape)
    parallel(_multiply, dy.size, dy.reshape(-1), mask.reshape(-1), dx.reshape(-1))
    return dx


@kernel
def _multiply(a, b, out, lo, hi):
    """Reads a and b (n,), writes out (n,)."""
    a, b, out = a[lo:hi], b[lo:hi], out[lo:hi]
    for i in range(len(out)):
        out[i] = a[i] * b[i]

"""Matrix products by the same register tiles as the convolutions: one set of threads, the same bits for any number.

BLAS alone is as fast, but its threads go on spinning when its work is done and get in the way of ours: with it, a
step of AlexNet at batch 128 takes half as long again.
"""

import numpy as np

from ..ops.dense import dense_cache
from .runtime.memory import empty
from .runtime.simd import WIDTH, product, steps
from .runtime.threads import kernel, parallel

WORTH = 2_000_000  # multiply-adds for which another thread is woken: what one alone does in some 40 microseconds


def dense(x, w, b=None):
    if x.dtype != np.float32 or not (x.size and w.size):
        return NotImplemented
    y = _product(x, w)
    if b is not None:
        y += b
    return y, dense_cache(y, x, w, b is not None)


def dense_backward(dy, cache):
    x, w, has_bias = cache
    if dy.dtype != np.float32 or not (x.size and w.size):
        return NotImplemented
    return _product(dy, w.T), _product(x.T, dy), dy.sum(axis=0) if has_bias else None


def _product(left, right):
    """left @ right; both may be the transpose of a C-contiguous array."""
    (rows, inner), columns = left.shape, right.shape[1]
    out = empty((rows, columns))
    turned = not right.flags.c_contiguous
    row, step = (inner, 1) if left.flags.c_contiguous else (1, rows)
    flat = (left if left.flags.c_contiguous else left.T).reshape(-1)
    tables = steps(rows, row), step, right.T if turned else right, turned, out, steps(rows, WIDTH)
    least = -(-WORTH // (rows * inner * WIDTH))
    parallel(
        _panels, -(-columns // WIDTH), flat, *tables, scratch=(inner + rows) * WIDTH, least=least
    )
    return out


@kernel
def _panels(left, starts, step, right, turned, out, places, memory, lo, hi):
    """WIDTH columns of the product at a time; those of `right` are copied side by side first."""
    rows, columns = out.shape
    inner = right.shape[1] if turned else right.shape[0]
    flat, result, zero = (
        memory[: inner * WIDTH],
        memory[inner * WIDTH :],
        np.zeros(WIDTH, np.float32),
    )
    for p in range(lo, hi):
        first = p * WIDTH
        wide = min(WIDTH, columns - first)
        if wide < WIDTH:
            flat[:] = np.float32(0)
        for i in range(inner):
            target = flat[i * WIDTH :]
            if turned:
                for k in range(wide):
                    target[k] = right[first + k, i]
            else:
                _copy(right[i, first:], wide, target)
        product(
            rows, left, starts, places, inner, step, 1, 0, flat, 0, WIDTH, 0, zero, 0, 0, result, 0
        )
        for i in range(rows):
            _copy(result[i * WIDTH :], wide, out[i, first:])


@kernel
def _copy(source, count, target):
    for k in range(count):
        target[k] = source[k]

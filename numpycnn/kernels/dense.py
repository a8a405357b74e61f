"""Matrix products by the same register tiles as the convolutions: one set of threads, the same bits for any number."""

import numpy as np

from ..backend import Cache
from ..machine.memory import empty
from ..machine.parallel import kernel, parallel
from ..machine.simd import WIDTH, product, steps


def dense(x, w, b=None):
    if x.dtype != np.float32 or not (x.size and w.size):
        return NotImplemented
    y = _product(x, w)
    if b is not None:
        y += b
    return y, Cache("dense", y, x, w, b is not None)


def dense_backward(dy, cache):
    x, w, has_bias = cache
    if dy.dtype != np.float32 or not (x.size and w.size):
        return NotImplemented
    return _product(dy, w.T), _product(x.T, dy), dy.sum(axis=0) if has_bias else None


def _product(left, right):
    """left @ right; left may be the transpose of a C-contiguous array."""
    rows, inner = left.shape
    out = empty((rows, right.shape[1]))
    row, step = (inner, 1) if left.flags.c_contiguous else (1, rows)
    flat = left.reshape(-1) if left.flags.c_contiguous else left.T.reshape(-1)
    panels = -(-right.shape[1] // WIDTH)
    memory = (inner + rows) * WIDTH
    parallel(_panels, panels, flat, steps(rows, row), step, right, out, steps(rows, WIDTH), scratch=memory)
    return out


@kernel
def _panels(left, starts, step, right, out, places, memory, lo, hi):
    """WIDTH columns of the product at a time; those of `right` are copied side by side first."""
    rows, columns = out.shape
    inner = right.shape[0]
    flat, result, zero = memory[: inner * WIDTH], memory[inner * WIDTH :], np.zeros(WIDTH, np.float32)
    panel, block = flat.reshape(inner, WIDTH), result.reshape(rows, WIDTH)
    for p in range(lo, hi):
        first = p * WIDTH
        wide = min(WIDTH, columns - first)
        panel[:, :wide] = right[:, first : first + wide]
        panel[:, wide:] = np.float32(0)
        product(rows, left, starts, places, inner, step, 1, 0, flat, 0, WIDTH, 0, zero, 0, 0, result, 0)
        out[:, first : first + wide] = block[:, :wide]

"""Matrix products by the convolutions' register tiles: the same bits for any number of threads.

BLAS alone is as fast, but its threads go on spinning when its work is done and get in the way of
ours: with it, a step of AlexNet at batch 128 takes half as long again.
"""

import numpy as np

from ..ops import whole
from ..ops.dense import dense_cache
from .runtime.memory import empty
from .runtime.operands import At, Out, Panel, Rows, Start
from .runtime.simd import WIDTH, product, steps
from .runtime.threads import kernel, parallel
from .runtime.tree import add_up

ROOM = 96  # rows of a product at a time: whole tiles, and with all shards in a near cache


def dense(x, w, b):
    """x (N, D), w (D, K) -> y (N, K)"""
    if x.dtype != np.float32 or not (x.size and w.size):
        return NotImplemented
    y = _product(x, w)
    if b is not None:
        y += b
    return y, dense_cache(y, x, w, b is not None)


def dense_backward(dy, cache):
    """dy (N, K) -> dx (N, D), dw (D, K), db (K,) or None"""
    x, w, has_bias = cache
    if dy.dtype != np.float32 or not (x.size and w.size):
        return NotImplemented
    dw = _product(x.T, dy, whole.edges(len(x)))
    db = whole.by_shards(lambda dy: dy.sum(axis=0), dy) if has_bias else None
    return _product(dy, w.T), dw, db


def _product(left, right, edges=None):
    """left (rows, inner) @ right (inner, columns); both may be transposes of contiguous arrays.

    `edges`: the parts of inner that are added up each for itself, then in whole.tree's order.
    """
    (rows, inner), columns = left.shape, right.shape[1]
    out = empty((rows, columns))
    turned = not right.flags.c_contiguous
    row, step = (inner, 1) if left.flags.c_contiguous else (1, rows)
    flat = (left if left.flags.c_contiguous else left.T).reshape(-1)
    edges = np.array([0, inner] if edges is None else edges)
    operands = Rows(flat, steps(rows, row), step, 0), row, right.T if turned else right, turned
    arguments = *operands, edges, out, steps(ROOM, WIDTH)
    memory = (inner + (len(edges) - 1) * ROOM) * WIDTH
    parallel(_panels, -(-columns // WIDTH), *arguments, scratch=memory)
    return out


@kernel
def _panels(left, row, right, turned, edges, out, places, memory, lo, hi):
    """Reads left (Rows), right (inner, columns) or its transpose, writes out (rows, columns).

    WIDTH columns of the product at a time, of which those of `right` are copied side by side first,
    and ROOM rows: each part's sums lie side by side, and are added up there.
    """
    rows, columns = out.shape
    inner = right.shape[1] if turned else right.shape[0]
    flat = memory[: inner * WIDTH]  # (inner, WIDTH)
    result = memory[inner * WIDTH :]  # (parts, ROOM, WIDTH)
    panel, zero = Panel(flat, WIDTH), Start(np.zeros(WIDTH, np.float32), 0)
    sums, parts = Out(result, places), len(edges) - 1
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
        for top in range(0, rows, ROOM):
            count = min(ROOM, rows - top)
            for part in range(parts):
                begin, length = edges[part], edges[part + 1] - edges[part]
                at = At(top * row + begin * left.step, begin * WIDTH, 0, part * ROOM * WIDTH)
                product(count, length, 1, left, panel, zero, sums, at)
            add_up(result, parts, ROOM * WIDTH, count * WIDTH)
            for i in range(count):
                _copy(result[i * WIDTH :], wide, out[top + i, first:])


@kernel
def _copy(source, count, target):
    for k in range(count):
        target[k] = source[k]

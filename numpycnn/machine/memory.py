"""Large arrays without the price of fresh memory: np.empty that takes back what nobody looks at any more.

Fresh pages cost more than a pass over them. A block is free when no array refers to it, by Python's own
reference count, so that nothing a caller still holds (a cache, a view) is ever written over. Arrays begin at
multiples of a cache line, of which a vector may fill all: NumPy's begin in the middle of one.
"""

import math
import sys
import threading

import numpy as np

_local = threading.local()
LINE = 64


def empty(shape, dtype=np.float32):
    """An uninitialised array, as np.empty, in a block that is reused once no array refers to it."""
    nbytes = math.prod(shape if isinstance(shape, tuple) else (shape,)) * np.dtype(dtype).itemsize
    block, start = _take(nbytes)
    return block[start : start + nbytes].view(dtype).reshape(shape)


def _blocks():
    if not hasattr(_local, "blocks"):
        _local.blocks = []
    return _local.blocks


def _take(nbytes):
    """The smallest free block of nbytes to 2 * nbytes; else a new one, and what is idle goes back."""
    blocks, best, least = _blocks(), None, 2 * (nbytes + LINE)
    for one in blocks:
        size = one[0].nbytes
        if nbytes + LINE <= size <= least and _references(one) == _FREE:
            best, least = one, size
    if best is None:
        blocks[:] = [one for one in blocks if _references(one) != _FREE]
        best = _block(nbytes)
        blocks.append(best)
    return best


def _block(nbytes):
    """(memory, where its first cache line begins)"""
    memory = np.empty(nbytes + LINE, np.uint8)
    return memory, -memory.ctypes.data % LINE


def _references(one):
    return sys.getrefcount(one[0])


_FREE = _references(_block(1))  # what the count is when the list alone refers to a block

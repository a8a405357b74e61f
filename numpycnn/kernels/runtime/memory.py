"""A memory pool for large arrays: np.empty that reuses what no array refers to any more.

Fresh pages cost more than a pass over them. A block is free when no array refers to it, by Python's
own reference count, so that nothing a caller still holds (a cache, a view) is ever written over.
Arrays begin at multiples of a cache line, all of which a vector may fill: NumPy's begin in the
middle of one.
"""

import math
import sys
import threading

import numpy as np

_local = threading.local()
LINE = 64
SMALL = 1 << 15  # bytes: the system has such pieces at hand
# A block not used for so many arrays goes back to the system; a training step takes about 100.
KEEP = 400


def empty(shape, dtype=np.float32):
    """An uninitialised array, as np.empty, in a block that is reused once no array refers to it."""
    nbytes = math.prod(shape if isinstance(shape, tuple) else (shape,)) * np.dtype(dtype).itemsize
    block = _Block(nbytes) if nbytes < SMALL else _take(nbytes)
    return block.memory[block.start : block.start + nbytes].view(dtype).reshape(shape)


class _Block:
    """Memory, where its first cache line begins, and the number of the last array in it."""

    __slots__ = ("last", "memory", "start")

    def __init__(self, nbytes):
        self.memory, self.last = np.empty(nbytes + LINE, np.uint8), 0
        self.start = -self.memory.ctypes.data % LINE

    def free(self):
        """Whether no array refers to it."""
        return sys.getrefcount(self.memory) == _FREE


def _take(nbytes):
    """The smallest free block of nbytes to 2 * nbytes, or a new one; unused ones are given back."""
    if not hasattr(_local, "blocks"):
        _local.blocks, _local.number = [], 0
    _local.number += 1
    best, least = None, 2 * (nbytes + LINE)
    for block in _local.blocks:
        size = block.memory.nbytes
        if nbytes + LINE <= size <= least and block.free():
            best, least = block, size
    if best is None:
        oldest = _local.number - KEEP
        _local.blocks = [
            block for block in _local.blocks if block.last > oldest or not block.free()
        ]
        best = _Block(nbytes)
        _local.blocks.append(best)
    best.last = _local.number
    return best


_FREE = 2  # the block's own reference to its memory, and that of the call which counts

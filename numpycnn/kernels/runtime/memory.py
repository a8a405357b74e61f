"""A memory pool for large arrays: np.empty that reuses what no array refers to any more.

Fresh pages cost more than a pass over them. A block is free when no array refers to it, by Python's
own reference count, so that nothing a caller still holds (a cache, a view) is ever written over.
Its arrays begin at multiples of a cache line, all of which a vector may fill: NumPy's begin in the
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
    if nbytes < SMALL:
        return np.empty(shape, dtype)
    block = _take(nbytes)
    return np.ndarray(shape, dtype, block.memory, block.start)


class _Block:
    """Memory, where its first cache line begins, and the number of the last array in it."""

    __slots__ = ("last", "memory", "start")

    def __init__(self, nbytes):
        self.memory, self.last = np.empty(nbytes + LINE, np.uint8), 0
        self.start = -self.memory.__array_interface__["data"][0] % LINE

    def free(self):
        """Whether no array refers to it."""
        return sys.getrefcount(self.memory) == _FREE


def _take(nbytes):
    """The smallest free block of nbytes to 2 * nbytes, or a new one; unused ones are given back."""
    if not hasattr(_local, "blocks"):
        _local.blocks, _local.number = {}, 0  # {bytes: blocks of that size}
    _local.number += 1
    best = next((block for block in _local.blocks.get(nbytes, ()) if block.free()), None)
    if best is None:  # a size that is not seen all the time
        others = sorted(size for size in _local.blocks if nbytes < size <= 2 * nbytes)
        best = next((b for size in others for b in _local.blocks[size] if b.free()), None)
    if best is None:
        _give_back(_local.blocks, _local.number - KEEP)
        best = _Block(nbytes)
        _local.blocks.setdefault(nbytes, []).append(best)
    best.last = _local.number
    return best


def _give_back(blocks, oldest):
    """To the system, what is free and was last used before the array number `oldest`."""
    for size, same in list(blocks.items()):
        same[:] = [block for block in same if block.last > oldest or not block.free()]
        if not same:
            del blocks[size]


_FREE = 2  # the block's own reference to its memory, and that of the call which counts

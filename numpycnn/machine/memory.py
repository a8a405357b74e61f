"""Large arrays without the price of fresh memory: np.empty that takes back what nobody looks at any more.

Fresh pages cost more than a pass over them. A block is free when no array refers to it, by Python's own
reference count, so that nothing a caller still holds (a cache, a view) is ever written over.
"""

import sys
import threading

import numpy as np

_local = threading.local()


def empty(shape, dtype=np.float32):
    """An uninitialised array, as np.empty, in a block that is reused once no array refers to it."""
    count = int(np.prod(shape, dtype=np.int64))
    nbytes = count * np.dtype(dtype).itemsize
    block = _take(nbytes)
    return block[:nbytes].view(dtype).reshape(shape)


def _blocks():
    if not hasattr(_local, "blocks"):
        _local.blocks = []
    return _local.blocks


def _take(nbytes):
    """The smallest free block of nbytes to 2 * nbytes; else a new one, and what is idle goes back."""
    blocks, best = _blocks(), None
    for i in range(len(blocks)):
        size = blocks[i].nbytes
        if (
            nbytes <= size <= 2 * nbytes
            and (best is None or size < blocks[best].nbytes)
            and _references(blocks, i) == _FREE
        ):
            best = i
    if best is not None:
        return blocks[best]
    blocks[:] = [blocks[i] for i in range(len(blocks)) if _references(blocks, i) != _FREE]
    blocks.append(np.empty(max(nbytes, 1), np.uint8))
    return blocks[-1]


def _references(blocks, i):
    return sys.getrefcount(blocks[i])


_FREE = _references([np.empty(1, np.uint8)], 0)  # what the count is when the list alone refers to a block

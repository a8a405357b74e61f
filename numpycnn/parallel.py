"""Threads for kernels that release the GIL: each gets one contiguous share of the work.

Plain Python threads, not numba's: they survive a fork, several callers may use them at once, and kernels compile
in a third of the time. A kernel's result must not depend on where the shares are cut: sums over the batch go
into a fixed number of chunks, added up in a fixed order, and have the same bits for any number of threads.
"""

import concurrent.futures
import os

from numba import njit

from .backend import threads

# How every kernel is compiled. `contract` lets a*b + c be one instruction; no other liberty is taken, so that NaN
# stays NaN. Division by zero gives infinity as in NumPy: Python's error would keep loops from being vectorised.
kernel = njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})

_pool = None
_pool_key = None


def parallel(function, n, *args):
    """function(*args, lo, hi) over the n items, cut into as many shares as there are threads."""
    count = min(threads(), n)
    if count <= 1:
        if n:
            function(*args, 0, n)
        return
    cuts = [n * i // count for i in range(count + 1)]
    others = [_executor().submit(function, *args, cuts[i], cuts[i + 1]) for i in range(1, count)]
    try:
        function(*args, cuts[0], cuts[1])
    finally:
        concurrent.futures.wait(others)
    for other in others:
        other.result()


def _executor():
    """The pool of this process: a forked child makes its own."""
    global _pool, _pool_key
    key = os.getpid(), threads()
    if _pool_key != key:
        _pool, _pool_key = concurrent.futures.ThreadPoolExecutor(threads(), "numpycnn"), key
    return _pool

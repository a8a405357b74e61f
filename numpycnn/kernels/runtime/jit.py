"""How numba compiles a kernel, once for each kind of arguments, and keeps it on disk."""

import sys

from numba import config, njit
from numba.core import event

from .compile_cache import cache_of


def kernel(function):
    """Decorate a function: numba compiles it, once, for each kind of arguments.

    `contract` lets a*b + c be one instruction; no other liberty is taken, so that NaN stays NaN.
    Division by zero gives infinity as in NumPy: Python's error would keep loops from being
    vectorised.
    """
    compiled = njit(nogil=True, error_model="numpy", fastmath={"contract"})(function)
    if not config.DISABLE_JIT:
        compiled._cache = cache_of(function)
    return compiled


class _Announce(event.Listener):
    """Says so when the first kernel is compiled that was not in numba's cache: it takes a while."""

    def on_start(self, found):
        module = found.data["dispatcher"].py_func.__module__
        if not module.startswith("numpycnn."):  # somebody else's function
            return
        event.unregister("numba:compile", self)
        sys.stderr.write("numpycnn: compiling the kernels, once: about 20 seconds\n")

    def on_end(self, _):
        pass


event.register("numba:compile", _Announce())

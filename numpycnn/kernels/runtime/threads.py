"""Threads for kernels that release the GIL: each gets one contiguous share of the work.

Plain Python threads, not numba's: they survive a fork, several callers may use them at once, and
kernels compile in a quarter of the time. A kernel's result must not depend on where the shares are
cut: sums over the batch go into a fixed number of chunks, added up in a fixed order, and have the
same bits for any number of threads.
"""

import itertools
import os
import sys
import threading

from numba import config, njit
from numba.core import event

from ...backend import threads
from .compile_cache import cache_of
from .memory import empty


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


def parallel(function, n, *args, scratch=0, least=1):
    """function(*args, lo, hi) over the n items, cut into as many shares as there are threads.

    No share has fewer than `least` items: to wake a thread may take 50 us, in which one alone gets
    further. With `scratch`, function(*args, scratch, lo, hi): every share gets so many float32 of
    its own, uninitialised. Memory that a kernel took itself would be given back to the system, and
    cost as much as the work, each time.
    """
    count = min(threads(), max(1, n // least))
    team = _team(count) if count > 1 else None
    if team is None or not team.free.acquire(blocking=False):  # taken: this caller works alone
        if n:
            function(*args, *_scratch(scratch), 0, n)
        return
    cuts = [n * i // count for i in range(count + 1)]
    try:
        team.run(function, [(*args, *_scratch(scratch), *cut) for cut in itertools.pairwise(cuts)])
    except BaseException:  # Ctrl-C too: a thread may still be at work, and must not be asked again
        _teams.clear()
        raise
    finally:
        team.free.release()


def _scratch(size):
    return (empty(size),) if size else ()


class _Team:
    """Waiting threads, each with a lock to wake it and one that it opens when done.

    That takes a quarter of the time of concurrent.futures.
    """

    def __init__(self, size):
        self.free = threading.Lock()
        self.workers = [_Worker() for _ in range(size - 1)]

    def run(self, function, shares):
        own, *others = shares
        for worker, share in zip(self.workers, others, strict=True):
            worker.start(function, share)
        try:
            function(*own)
        finally:
            errors = [worker.finish() for worker in self.workers]
        for error in errors:
            if error is not None:
                raise error


class _Worker:
    def __init__(self):
        self.wake, self.done, self.job, self.error = threading.Lock(), threading.Lock(), None, None
        self.wake.acquire()
        self.done.acquire()
        threading.Thread(target=self._loop, name="numpycnn", daemon=True).start()

    def _loop(self):
        while True:
            self.wake.acquire()
            function, args = self.job
            try:
                function(*args)
            except BaseException as error:  # it is raised again where the work was asked for
                self.error = error
            self.job = function = args = None  # the arrays are the caller's again
            self.done.release()

    def start(self, function, args):
        self.job, self.error = (function, args), None
        self.wake.release()

    def finish(self):
        self.done.acquire()
        return self.error


_teams = {}


def _team(size):
    """The team of this process: a forked child makes its own."""
    key = os.getpid(), size
    if key not in _teams:
        _teams[key] = _Team(size)
    return _teams[key]

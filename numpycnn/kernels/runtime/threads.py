"""Threads for kernels that release the GIL: each gets one contiguous share of the work.

Plain Python threads, not numba's: they survive a fork, several callers may use them at once, and
kernels compile in a quarter of the time. A kernel's result must not depend on where the shares are
cut: sums over the batch go into a fixed number of chunks, added up in a fixed order, and have the
same bits for any number of threads.
"""

import itertools
import os
import statistics
import sys
import threading
import time

import numpy as np
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


def parallel(function, n, *args, scratch=0):
    """function(*args, lo, hi) over the n items, cut into shares, one for each thread that pays.

    With `scratch`, function(*args, scratch, lo, hi): every share gets so many float32 of its own,
    uninitialised. Memory that a kernel took itself would be given back to the system, and cost as
    much as the work, each time.
    """
    most = min(threads(), n)
    team = _team() if most > 1 else None
    if team is None or not team.free.acquire(blocking=False):  # taken: this caller works alone
        if n:
            function(*args, *_scratch(scratch), 0, n)
        return
    try:
        region = function, n, *(a.shape for a in args if isinstance(a, np.ndarray))
        work = team.work.get(region, 0.0)
        count = paying(work, team.wake, most)
        cuts = [n * i // count for i in range(count + 1)]
        shares = [(*args, *_scratch(scratch), *cut) for cut in itertools.pairwise(cuts)]
        alone = team.run(function, shares) * n / cuts[1]
        team.work[region] = min(alone, work or alone)  # of all runs: others may be in the way
    except BaseException:  # Ctrl-C too: a thread may still be at work, and must not be asked again
        _teams.clear()
        raise
    finally:
        team.free.release()


def paying(work, wake, most):
    """How many threads a region pays for: the T up to `most` for which its time is least,

        time(T) = work / T + wake * (T - 1)      T = sqrt(work / wake)

    work: seconds that one thread needs, 0 if it is not known yet; wake: those that each further
    thread costs.
    """
    return max(1, min(most, round((work / wake) ** 0.5)))


def _scratch(size):
    return (empty(size),) if size else ()


class _Team:
    """The caller and its waiting threads, of which a region wakes as many as pay.

    Each has a lock to wake it and one that it opens when done. That takes a quarter of the time of
    concurrent.futures. `work` is what regions take one thread, in seconds; `wake` is measured.
    """

    def __init__(self):
        self.free, self.workers, self.work = threading.Lock(), [], {}
        self.wake = statistics.median(self._wake() for _ in range(21))

    def _wake(self):
        """How long it takes to wake one thread for nothing, in seconds."""
        start = time.perf_counter()
        self.run(_nothing, [(), ()])
        return time.perf_counter() - start

    def run(self, function, shares):
        """Each share by a thread of its own -> seconds that the caller's took, the first one."""
        own, *others = shares
        while len(self.workers) < len(others):
            self.workers.append(_Worker())
        workers = self.workers[: len(others)]
        for worker, share in zip(workers, others, strict=True):
            worker.start(function, share)
        start = time.perf_counter()
        try:
            function(*own)
        finally:
            took = time.perf_counter() - start
            errors = [worker.finish() for worker in workers]
        for error in errors:
            if error is not None:
                raise error
        return took


def _nothing():
    pass


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


def _team():
    """The team of this process: a forked child makes its own."""
    process = os.getpid()
    if process not in _teams:
        _teams[process] = _Team()
    return _teams[process]

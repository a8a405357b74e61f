"""Threads for kernels that release the GIL: each gets one contiguous share of the work.

Plain Python threads, not numba's: they survive a fork, several callers may use them at once, and
kernels compile in a quarter of the time. They hand work over without Python's lock (handover.py).
A kernel's result must not depend on where the shares are cut: sums over the batch go into a fixed
number of chunks, added up in a fixed order, and have the same bits for any number of threads.
"""

import contextlib
import itertools
import os
import statistics
import threading
import time

import numpy as np

from ...backend import processors, threads
from .handover import (
    ADDRESS,
    BOX,
    FAILURE,
    ITEMS,
    JOB,
    SHARES,
    SLEEPERS,
    WAKE,
    describe,
    finish,
    number,
    serve,
    start,
)
from .jit import kernel
from .memory import empty

MOST = 256  # threads
LINE = 16  # float32 in a cache line


def parallel(function, n, *args, scratch=0):
    """function(*args, lo, hi) over the n items, cut into shares, one for each thread that pays.

    With `scratch`, function(*args, scratch, lo, hi): every share gets so many float32 of its own,
    uninitialised. Memory that a kernel took itself would be given back to the system, and cost as
    much as the work, each time. A function that is no kernel gets one share after another.
    """
    if (calls := getattr(_recording, "calls", None)) is not None:
        calls.append((function, n, args, scratch))
    most = min(threads(), n)
    team = _team() if most > 1 else None
    if team is None or not team.free.acquire(blocking=False):  # taken: this caller works alone
        if n:
            function(*args, *_scratch(scratch), 0, n)
        return
    try:
        region = function, n, *(a.shape for a in args if isinstance(a, np.ndarray))
        work = team.work.get(region, 0.0)
        count = paying(work, team.wake, min(most, team.most))
        begin = time.perf_counter()
        team.run(function, n, args, scratch, count)
        alone = (time.perf_counter() - begin) * count
        team.work[region] = min(alone, work or alone)  # of all runs: others may be in the way
    except BaseException:  # Ctrl-C too: a thread may still be at work, and must not be asked again
        _teams.clear()
        _abandoned.append((team, args))  # with what it may still write to
        raise
    finally:
        team.free.release()


_recording = threading.local()  # calls: what parallel is asked for, while somebody wants to know


@contextlib.contextmanager
def recorded():
    """Gives a list of (function, n, args, scratch), each that this thread asks parallel for."""
    _recording.calls = []
    try:
        yield _recording.calls
    finally:
        del _recording.calls


def jobs_of(calls):
    """Recorded calls of kernels as jobs, and the scratch memory of them all.

    They hold addresses: of the calls' arrays, which must be kept, and of the scratch memory.
    """
    jobs, scratch = _lines(len(calls), JOB), empty(max((call[3] for call in calls), default=0))
    for job, (function, n, args, size) in zip(jobs, calls, strict=True):
        given = (*args, scratch[:size]) if size else args
        job[ADDRESS] = _address_of(function, describe(job, given), given)
        job[ITEMS], job[SHARES] = n, 1
    return jobs, scratch


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
    """The caller and its waiting threads, of which a region asks as many as pay, up to `most`:
    more threads than processors would wait for each other.

    `work` is what regions take one thread, in seconds; `wake`, what each further one costs, is
    measured.
    """

    def __init__(self):
        self.free, self.workers, self.work = threading.Lock(), [], {}
        self.most = min(processors(), MOST)
        self.boxes, self.job = _lines(self.most, BOX), _lines(1, JOB)[0]
        self.wake = statistics.median(self._wake() for _ in range(21))

    def _wake(self):
        """How long it takes to ask one thread for nothing, in seconds."""
        begin = time.perf_counter()
        self.run(_nothing, 2, (self.job,), 0, 2)
        return time.perf_counter() - begin

    def run(self, function, n, args, scratch, count):
        """The n items in `count` shares, each by a thread of its own, the first by the caller."""
        if count == 1 or not _compiled(function):
            _in_turn(function, n, args, scratch, count)
            return
        for i in range(len(self.workers), count - 1):
            self.workers.append(_Worker(self.boxes[i], self.job))
        room = -(-scratch // LINE) * LINE
        given = (*args, empty(room * count)) if scratch else args
        address = _address_of(function, describe(self.job, given), given)
        state = start(self.boxes, self.job, address, n, count, scratch, room)
        if state == SLEEPERS:
            for worker in self.workers[: count - 1]:
                worker.rouse()
            state = finish(self.boxes, self.job, True)
        while state >= 0:
            self.workers[state].done.acquire()
            state = finish(self.boxes, self.job, False)
        if state == FAILURE:
            _in_turn(function, n, args, scratch, count)  # by Python, which gets to see the error
            raise RuntimeError(
                f"{function.__name__} failed in a thread, but not when it was run again: what it "
                "wrote cannot be trusted. Was there too little memory?"
            )


def _compiled(function):
    """Whether it is a kernel, which needs nothing of Python."""
    return getattr(function, "targetoptions", {}).get("nogil", False)


def _in_turn(function, n, args, scratch, count):
    for cut in itertools.pairwise(n * i // count for i in range(count + 1)):
        function(*args, *_scratch(scratch), *cut)


def _lines(rows, length):
    """Zeros (rows, length), int64, that begin at a multiple of two cache lines."""
    memory = np.zeros(rows * length + 16, np.int64)
    begin = -memory.ctypes.data // 8 % 16
    return memory[begin : begin + rows * length].reshape(rows, length)


_addresses = {}  # {(kernel, number of its arguments' types): where it is in memory}


def _address_of(function, kinds, args):
    """Where in memory the kernel is that numba compiled for such arguments, or compiles now."""
    if found := _addresses.get((function, kinds)):
        return found
    types = tuple(map(function.typeof_pyval, args))
    if number(types) != kinds:
        raise AssertionError(f"the job was described with other types than {types}")
    signature = (*types, *map(function.typeof_pyval, (0, 0)))  # lo and hi
    function.compile(signature)
    found = function.overloads[signature]
    address = found.library.get_pointer_to_function(found.fndesc.llvm_func_name)
    _addresses[function, kinds] = address
    return address


@kernel
def _nothing(job, lo, hi):
    pass


class _Worker:
    """A thread, and the two locks by which it and its caller sleep."""

    def __init__(self, box, job):
        self.given = box, job
        self.wake, self.done = threading.Lock(), threading.Lock()
        self.wake.acquire()
        self.done.acquire()
        threading.Thread(target=self._loop, name="numpycnn", daemon=True).start()

    def _loop(self):
        while True:
            if serve(*self.given):
                self.done.release()
            else:
                self.wake.acquire()

    def rouse(self):
        """Wakes it, if it sleeps."""
        if self.given[0][WAKE]:
            self.wake.release()


_teams, _abandoned = [], []
if hasattr(os, "register_at_fork"):
    # Threads stay behind: a child makes its own.
    os.register_at_fork(after_in_child=lambda: _teams.clear())


def _team():
    """The team of this process."""
    if not _teams:
        _teams.append(_Team())
    return _teams[0]

"""Kernels that run one after the other, without Python between them.

For one image Python takes as long as the kernels. So what `parallel` is asked for is recorded once:
the kernels and their arguments, x and y among them. From then on an image is copied to that x, and
one kernel calls the others, in one thread. Nothing is looked up, checked or allocated.
"""

import numpy as np
from numba import config

from ..backend import backend, threads
from .runtime.handover import FAILURE, repeat
from .runtime.threads import jobs_of, recorded

SMALL = 1 << 13  # values of x: ten small images, beside which Python's time is no longer seen
SHAPES = 8  # of x, whose tapes are kept


def taped(function):
    """function for any x; from a tape, with the same bits, for few images that one thread does."""
    return function if config.DISABLE_JIT else _Tapes(function)


class _Tapes:
    """The tapes of a function by the shape of x, those that are not in use.

    So any number of threads may call it.
    """

    def __init__(self, function):
        self.function, self.free = function, {}

    def __call__(self, x):
        few = 0 < x.size <= SMALL and (len(x) == 1 or threads() == 1)
        if not few or x.dtype != np.float32 or backend() != "numba":
            return self.function(x)
        free = self.free.setdefault(x.shape, [])
        try:
            tape = free.pop()
        except IndexError:
            tape = _Tape(self.function, x)
            if len(self.free) > SHAPES:
                self.free.pop(next(iter(self.free)), None)
        y = tape.play(x)
        free.append(tape)
        return self.function(x) if y is None else y


class _Tape:
    """What a function asks of kernels for an x, as jobs from that x to y.

    It is of use only if the kernels do all of it, which another x shows: `whole`.
    """

    def __init__(self, function, x):
        function(x)  # what it prepares at its first call is not recorded
        self.x, self.whole = x.copy(), True
        with recorded() as self.calls:  # which keeps their arrays
            self.y = function(self.x)
        self.jobs, self.scratch = jobs_of(self.calls)
        other = np.flip(x) + np.float32(1)
        self.whole = self.play(other).tobytes() == function(other).tobytes()

    def play(self, x):
        """y; None where Python must do it, which gets to see a kernel's error."""
        self.x[...] = x
        return self.y.copy() if self.whole and repeat(self.jobs) != FAILURE else None

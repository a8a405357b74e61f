"""What ranks send each other by MPI: arrays and objects of all, sums, and that nobody is silent.

No message blocks: each is asked again and again whether it is through, so that Ctrl-C is heard, and
a rank that never answers is noticed.
"""

import atexit
import contextlib
import os
import pickle
import socket
import sys
import threading
import time
import zlib

import numpy as np

from ..errors import RankError
from ..ops import whole

ALIVE = 32767  # the tag of a rank at work: MPI's largest that is promised
LEAVING = 5  # seconds in which ranks that fail alike have all failed


class Messages:
    """Messages between all ranks of `world`, an mpi4py communicator; all send the same ones."""

    def __init__(self, world, timeout):
        self.world, self.aside, self.timeout = world, world.Dup(), timeout
        self.rank, self.size = world.rank, world.size
        self.calls, self.sent = 0, []  # messages so far; those sent aside, which must be kept
        self.ending = False  # by MPI, at exit
        self.names = [f"rank {k}" for k in range(self.size)]
        hosts = self.everyone(socket.gethostname())
        self.names = [f"rank {k} ({host})" for k, host in enumerate(hosts)]

    def gather(self, array, counts):
        """Arrays (count, ..) of all ranks, one after the other -> (sum of counts, ..)"""
        array = np.ascontiguousarray(array)
        out = np.empty((sum(counts), *array.shape[1:]), array.dtype)
        sizes = [int(count) * out[:1].nbytes for count in counts]
        received = [out.reshape(-1).view(np.uint8), sizes]
        self.wait(self.world.Iallgatherv(array.reshape(-1).view(np.uint8), received))
        return out

    def everyone(self, value):
        """[rank 0's value, rank 1's, ..], of any kind."""
        data = np.frombuffer(pickle.dumps(value), np.uint8)
        sizes = self.gather(np.array([len(data)]), [1] * self.size)
        every = self.gather(data, sizes)
        return [pickle.loads(one) for one in np.split(every, np.cumsum(sizes)[:-1])]

    def share(self, value):
        """Rank 0's value, of any kind."""
        data = np.frombuffer(pickle.dumps(value if self.rank == 0 else None), np.uint8)
        size = np.array([len(data)])
        self.wait(self.world.Ibcast(size))
        buffer = data.copy() if self.rank == 0 else np.empty(size[0], np.uint8)
        self.wait(self.world.Ibcast(buffer))
        return value if self.rank == 0 else pickle.loads(buffer)

    def summed(self, arrays):
        """The sums of all ranks' arrays: each rank adds up its piece of one flat buffer."""
        sums = list(arrays)
        for kind in sorted({array.dtype for array in arrays}, key=str):
            places = [i for i, array in enumerate(arrays) if array.dtype == kind]
            flat = np.concatenate([arrays[i].ravel() for i in places])
            own = np.zeros((self.size, -(-flat.size // self.size)), kind)  # (R, piece)
            own.reshape(-1)[: flat.size] = flat
            pieces = np.empty_like(own)  # of every rank the piece that is added up here
            self.wait(self.world.Ialltoall(own, pieces))
            flat = self.gather(whole.tree(pieces), [own.shape[1]] * self.size)
            ends = np.cumsum([arrays[i].size for i in places])
            for i, part in zip(places, np.split(flat, ends), strict=False):
                sums[i] = part.reshape(arrays[i].shape)
        return sums

    def wait(self, request, timeout=None):
        """Until the message is through. Raises RankError when a rank has been silent too long.

        After half of that time each rank that waits says so to the others: who did not is silent.
        """
        self.calls += 1
        timeout, others = timeout or self.timeout, [k for k in range(self.size) if k != self.rank]
        tag, told, waited, last = self.calls % ALIVE, False, 0.0, time.monotonic()
        while not request.Test():
            now = time.monotonic()
            waited += min(now - last, 1.0)  # more, and it was this process that stood still
            last = now
            if waited > timeout / 4 and self._heard():
                waited = 0.0
            if waited > timeout / 2 and not told:
                self.sent += [self.aside.Isend(np.zeros(1, np.uint8), k, tag) for k in others]
                told = True
            if waited > timeout:
                raise self._silence([k for k in others if not self.aside.Iprobe(k, tag)], timeout)
            if waited < 0.002:
                getattr(os, "sched_yield", int)()
            else:  # the cores are for those that are still at work
                time.sleep(0.0002)

    @contextlib.contextmanager
    def at_work(self):
        """Within it the others, who wait for what this rank does alone, hear that it is alive.

        Unless the MPI library takes no calls of a second thread.
        """
        from mpi4py import MPI

        if MPI.Query_thread() < MPI.THREAD_SERIALIZED:
            yield
            return
        done, others = threading.Event(), [k for k in range(self.size) if k != self.rank]

        def tell():
            while not done.wait(self.timeout / 4):
                self.sent += [self.aside.Isend(np.zeros(1, np.uint8), k, ALIVE) for k in others]

        thread = threading.Thread(target=tell, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _heard(self):
        """Whether a rank has said that it is at work, since this was asked."""
        heard = False
        while self.aside.Iprobe(tag=ALIVE):
            self.aside.Recv(np.empty(1, np.uint8), tag=ALIVE)
            heard = True
        return heard

    def _silence(self, silent, timeout):
        names = ", ".join(self.names[k] for k in silent) or "the network"
        error = RankError(
            f"{names}: silent for {timeout:g} seconds, which ends the training; "
            "checkpoints are whole, --resume continues"
        )
        error.quiet = self.rank != min({*range(self.size)} - {*silent})  # one tells it
        atexit.register(_end_all, self.world, error)
        self.ending = True
        return error

    def leave(self, error):
        """Before this rank ends by an error: where all end by the same kind, the first tells it.

        Otherwise the others do not know, and wait for this one: then all are ended, by MPI.
        """
        if self.ending:
            return
        kind = np.array([zlib.crc32(type(error).__name__.encode())])
        kinds, start = np.empty(self.size, kind.dtype), time.monotonic()
        request = self.aside.Iallgather(kind, kinds)
        while not request.Test():
            if time.monotonic() - start > LEAVING:
                atexit.register(_end_all, self.world, error)
                break
            time.sleep(0.01)
        else:
            error.quiet = self.rank > 0 and kinds[self.rank] == kinds[0]
            return
        if not isinstance(error, (KeyboardInterrupt, SystemExit)):
            error.rank = self.names[self.rank]


def _end_all(world, error):
    """MPI's end of all ranks; the launcher adds lines of its own."""
    if getattr(error, "quiet", False):
        time.sleep(LEAVING)  # for the one that tells it
    sys.stdout.flush()
    sys.stderr.flush()
    world.Abort(128 + getattr(error, "signum", 2) if isinstance(error, KeyboardInterrupt) else 1)

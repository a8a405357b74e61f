"""Training by several processes (ranks), on one machine or many, to the bits of a single one.

    mpirun -n 4 numpycnn train --batch-size 128     # 128 in all: 32 images on each

Every rank has the whole network and all the data. Of each batch it takes its share of the images
through both passes; then the ranks add up their gradients and make the same step. In between they
must talk where a number depends on the whole batch (ops/whole.py is where the passes ask):

- Batch norm. xhat = (x - mean) / std takes mean and variance over the batch, so every rank needs
  everybody's sum of x and of (x - mean)^2. Backward, x has moved them for everybody: two of the
  three terms of dx are means over the batch, of dy and of dy * xhat. That makes two sums forward
  and two backward a layer, which travel together, image by image, and are combined in image order.
- The loss is a mean over the batch: the logits are gathered, and every rank computes all of it.
- Gradients of parameters: flat, in one buffer. The batch has eight shards, summed each for itself;
  a rank holds one or more of them, and a fixed tree adds them up: 1, 2, 4 and 8 ranks make the same
  additions (other numbers of ranks train as well, to bits of their own).
- Order, augmentation and dropout: each rank draws the numbers of the whole batch.

A batch of fewer images than shards is computed by every rank whole, and nothing is exchanged.
Kernels (float32, the backend "numba") keep the bits; BLAS, under "numpy", rounds by the size.
"""

import atexit
import contextlib
import dataclasses
import hashlib
import os
import pathlib
import pickle
import socket
import sys
import time
import zlib

import numpy as np

from .errors import RankError
from .layers.traverse import generators, named_buffers, named_params
from .ops import whole

LAUNCHERS = "OMPI_COMM_WORLD", "PMI"  # how the variables of Open MPI and of MPICH begin
TIMEOUT = 300  # seconds that a rank may be silent
LEAVING = 5  # seconds in which ranks that fail alike have all failed


class Alone:
    """A training by one process: nothing is exchanged."""

    rank, size, leads = 0, 1, True

    def first(self, function):
        """function() on the first rank only; all get what it returns, or raises."""
        return function()

    def share(self, value):
        """The first rank's value."""
        return value

    def largest(self, number):
        """The largest of all ranks' whole numbers."""
        return number

    def compare(self, **facts):
        """Raise RankError, on all, where a rank has another {what: checksum} than the others."""

    @contextlib.contextmanager
    def batch(self, n):
        """A context for the two passes of a batch of n images -> the slice of those here."""
        yield slice(0, n)

    def gather(self, values):
        """values (n, ..) of the images here -> those of all images of the batch."""
        return values

    def add_up(self, params, stop=0):
        """Gradients of the images here -> of the whole batch; returns whether any rank says stop.

        Called once a batch, inside its context.
        """
        return bool(stop)


class Ranks(Alone):
    """This process among others. All call the same methods, in the same order."""

    def __init__(self, world, timeout=TIMEOUT):
        self.world, self.aside, self.timeout = world, world.Dup(), timeout
        self.rank, self.size, self.leads = world.rank, world.size, world.rank == 0
        self.calls, self.sent = 0, []
        self.names = [f"rank {k}" for k in range(self.size)]
        host = socket.gethostname()
        self.names = [f"rank {k} ({other})" for k, other in enumerate(self._everyone(host))]

    # ---- the batch -----------------------------------------------------------------------------

    @contextlib.contextmanager
    def batch(self, n):
        shards = self.size if whole.SHARDS % self.size else whole.SHARDS
        if n < shards:  # too few to share: every rank computes all of it
            yield slice(0, n)
            return
        edges = [n * i // shards for i in range(shards + 1)]
        each = shards // self.size
        cuts, own = edges[::each], edges[self.rank * each : (self.rank + 1) * each + 1]
        whole.part = Part(self, n, own[0], [edge - own[0] for edge in own], np.diff(cuts))
        try:
            yield slice(own[0], own[-1])
        finally:
            whole.part = None

    def gather(self, values):
        return whole.gather(values)

    def add_up(self, params, stop=0):
        if whole.part is None:
            return self.largest(stop) > 0
        params = [param for param in params if param.grad is not None]
        flag = np.array([stop], np.float32)
        *sums, flag = self._summed([*(param.grad for param in params), flag])
        for param, total in zip(params, sums, strict=True):
            param.grad = total
        return flag[0] > 0

    def _summed(self, arrays):
        """The sums of all ranks' arrays: each rank adds up its piece of one flat buffer."""
        sums = list(arrays)
        for kind in sorted({array.dtype for array in arrays}, key=str):
            places = [i for i, array in enumerate(arrays) if array.dtype == kind]
            flat = np.concatenate([arrays[i].ravel() for i in places])
            own = np.zeros((self.size, -(-flat.size // self.size)), kind)
            own.reshape(-1)[: flat.size] = flat
            pieces = np.empty_like(own)  # (R, piece): of every rank the one that is added up here
            self._wait(self.world.Ialltoall(own, pieces))
            flat = self._gather(whole.tree(pieces), [own.shape[1]] * self.size)
            ends = np.cumsum([arrays[i].size for i in places])
            for i, part in zip(places, np.split(flat, ends), strict=False):
                sums[i] = part.reshape(arrays[i].shape)
        return sums

    # ---- agreement -----------------------------------------------------------------------------

    def first(self, function):
        outcome = None
        if self.leads:
            try:
                outcome = function(), None
            except Exception as error:
                self.share((None, _portable(error)))
                raise
        result, error = self.share(outcome)
        if error is not None:
            raise error
        return result

    def share(self, value):
        data = pickle.dumps(value) if self.leads else b""
        size = np.array([len(data)])
        self._wait(self.world.Ibcast(size))
        buffer = np.frombuffer(data, np.uint8).copy() if self.leads else np.empty(size[0], np.uint8)
        self._wait(self.world.Ibcast(buffer))
        return value if self.leads else pickle.loads(buffer)

    def largest(self, number):
        return max(self._everyone(number))

    def compare(self, **facts):
        everyone = self._everyone(facts)
        for what in facts:
            values = [one[what] for one in everyone]
            usual = max(values, key=values.count)
            odd = [name for name, value in zip(self.names, values, strict=True) if value != usual]
            if odd:
                raise RankError(
                    f"{', '.join(odd)}: other {what} than the other ranks; "
                    "all ranks need the same data, settings and code"
                )

    # ---- messages ------------------------------------------------------------------------------

    def _everyone(self, value):
        """[rank 0's value, rank 1's, ..], of any kind."""
        data = np.frombuffer(pickle.dumps(value), np.uint8)
        sizes = self._gather(np.array([len(data)]), [1] * self.size)
        every = self._gather(data, sizes)
        return [pickle.loads(one) for one in np.split(every, np.cumsum(sizes)[:-1])]

    def _gather(self, array, counts):
        """Arrays (count, ..) of all ranks, one after the other -> (sum of counts, ..)"""
        array = np.ascontiguousarray(array)
        out = np.empty((sum(counts), *array.shape[1:]), array.dtype)
        sizes = [int(count) * out[:1].nbytes for count in counts]
        received = [out.reshape(-1).view(np.uint8), sizes]
        self._wait(self.world.Iallgatherv(array.reshape(-1).view(np.uint8), received))
        return out

    def _wait(self, request, timeout=None):
        """Until the message is through. Raises RankError when a rank has been silent too long.

        After half of that time each rank that waits says so to the others: who did not is silent.
        """
        self.calls += 1
        tag, start, told = self.calls % 32768, time.monotonic(), False
        timeout, others = timeout or self.timeout, [k for k in range(self.size) if k != self.rank]
        while not request.Test():
            waited = time.monotonic() - start
            if waited > timeout / 2 and not told:
                self.sent += [self.aside.Isend(np.zeros(1, np.uint8), k, tag) for k in others]
                told = True
            if waited > timeout:
                silent = [k for k in others if not self.aside.Iprobe(k, tag)]
                names = ", ".join(self.names[k] for k in silent) or "the network"
                error = RankError(
                    f"{names}: silent for {timeout:g} seconds, which ends the training; "
                    "checkpoints are whole, --resume continues"
                )
                error.quiet = self.rank != min({*range(self.size)} - {*silent})
                raise error
            if waited < 0.002:
                getattr(os, "sched_yield", int)()
            else:  # the cores are for those that are still at work
                time.sleep(0.0002)

    def leave(self, error):
        """Before this rank ends by an error: where all end by the same, the first one tells it.

        Otherwise the others do not know, and wait for this one: then all are ended.
        """
        kind = np.array([zlib.crc32(type(error).__name__.encode())])
        kinds, start = np.empty(self.size, kind.dtype), time.monotonic()
        request = self.aside.Iallgather(kind, kinds)
        while not request.Test():
            if time.monotonic() - start > LEAVING:
                atexit.register(_end_all, self.world, error)
                break
            time.sleep(0.01)
        else:
            error.quiet = not self.leads and kinds[self.rank] == kinds[0]
            return
        if not hasattr(error, "quiet") and error.args:
            error.args = (f"{self.names[self.rank]}: {error}",)


@dataclasses.dataclass
class Part:
    """A rank's part of a batch, as ops/whole.py asks for it."""

    ranks: Ranks
    images: int  # of the whole batch
    start: int  # the first one here
    edges: list  # of the shards here, counted from there
    counts: np.ndarray  # (R,) images of each rank

    @property
    def held(self):
        """How many images are here."""
        return self.edges[-1]

    @property
    def first(self):
        """Whether this is the first part."""
        return self.ranks.leads

    def gather(self, values, times):
        """values of the images here, `times` of each -> those of all images, in order."""
        return self.ranks._gather(values, self.counts * times)

    def stack(self, array):
        """(R, ..): every rank's array."""
        return self.ranks._gather(array[None], [1] * self.ranks.size)


_current = Alone()


def current():
    """The Ranks that this process has joined, or Alone."""
    return _current


def launched():
    """How many processes the launcher of this one started, as it says in the environment."""
    return max(int(os.environ.get(f"{name}_SIZE", 1)) for name in LAUNCHERS)


@contextlib.contextmanager
def joined(timeout=TIMEOUT):
    """A context in which `fit` trains with all processes that mpirun started -> Ranks, or Alone.

    Raises RankError where mpi4py is missing, or does not know these processes; RankError too, from
    inside, when a rank is silent for `timeout` seconds.
    """
    global _current
    if launched() == 1:
        yield _current
        return
    ranks = Ranks(_world(), timeout)
    _current = ranks
    try:
        yield ranks
        ranks._wait(ranks.world.Ibarrier(), float("inf"))  # the first one may still be writing
    except BaseException as error:
        ranks.leave(error)
        raise
    finally:
        _current = Alone()


def _world():
    size = launched()
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: there is no MPI library
        text = (
            f"{size} processes were started together, which needs mpi4py and an MPI: "
            f'pip install "numpycnn[mpi]" ({" ".join(str(error).split())})'
        )
    else:
        world = MPI.COMM_WORLD
        if world.size == size:
            return world
        text = (
            f"{size} processes were started together, but mpi4py sees {world.size}: it has "
            "another MPI than the launcher; use that one's mpirun"
        )
    error = RankError(text)
    error.quiet = any(int(os.environ.get(f"{name}_RANK", 0)) for name in LAUNCHERS)
    raise error


def _portable(error):
    """The error, or one of its text where the others could not make it of its pickle."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RankError(str(error))
    return error


def _end_all(world, error):
    """MPI's end of all ranks; the launcher adds lines of its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    world.Abort(128 + getattr(error, "signum", 2) if isinstance(error, KeyboardInterrupt) else 1)


def code():
    """A checksum of this package's files, and of the versions that decide on bits."""
    digest = hashlib.sha256(np.__version__.encode())
    folder = pathlib.Path(__file__).parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder)}".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def weights(net):
    """A checksum of a network's parameters, running statistics and random states."""
    arrays = [param.value for param in named_params(net).values()] + [*named_buffers(net).values()]
    states = [repr(generator.bit_generator.state) for generator in generators(net).values()]
    found = zlib.crc32("".join(states).encode())
    for array in arrays:
        found = zlib.crc32(np.ascontiguousarray(array), found)
    return found

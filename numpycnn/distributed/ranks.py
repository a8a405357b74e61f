"""What the training loop asks: of one process (Alone), or of one among several (Ranks)."""

import contextlib
import dataclasses
import pickle

import numpy as np

from ..errors import RankError
from ..ops import whole
from .messages import Messages

SAME = "all need the same code, data, settings and weights"


class Alone:
    """A training by one process: nothing is exchanged."""

    size, leads = 1, True

    def first(self, function):
        """function() on the first rank only; all get what it returns, or raises."""
        return function()

    def in_turn(self, function):
        """function() on all, on the first rank before the others: what it fetches is there then."""
        return function()

    def share(self, value):
        """The first rank's value."""
        return value

    def compare(self, advice="", **facts):
        """Raise RankError, on all, where a rank has another {what: value} than the others."""

    @contextlib.contextmanager
    def batch(self, n):
        """A context for the two passes of a batch of n images -> the slice of those here."""
        with whole.alone(n):
            yield slice(0, n)

    def gather(self, values):
        """values (n, ..) of the images here -> those of all images of the batch."""
        return values

    def add_up(self, params, signum=None):
        """The gradients of the images here become those of the whole batch, in its context.

        With them travels whether this rank has been asked to stop, by the signal `signum`.
        """

    def asked(self, signum):
        """The signal of any rank, if it came before gradients were added up; 0 or None if none."""
        return signum

    def largest(self, number):
        """The largest of all ranks' numbers, None being 0."""
        return number or 0


class Ranks(Alone):
    """This process among others. All call the same methods, in the same order."""

    def __init__(self, world, timeout):
        self.messages = Messages(world, timeout)
        self.size, self.leads, self.stopping = world.size, world.rank == 0, False

    def first(self, function):
        outcome = None
        if self.leads:
            try:
                with self.messages.at_work():
                    outcome = function(), None
            except Exception as error:
                self.share((None, _portable(error)))
                raise
        result, error = self.share(outcome)
        if error is not None:
            raise error
        return result

    def in_turn(self, function):
        found = []
        self.first(lambda: found.append(function()))
        return found[0] if self.leads else function()

    def share(self, value):
        return self.messages.share(value)

    def compare(self, advice=SAME, **facts):
        everyone = self.messages.everyone(facts)
        for what in facts:
            values = [one[what] for one in everyone]
            usual = max(values, key=values.count)
            names = [k for k, v in zip(self.messages.names, values, strict=True) if v != usual]
            if names:
                other = next(value for value in values if value != usual)
                raise RankError(
                    f"{', '.join(names)}: other {what} than the other ranks"
                    f"{_difference(other, usual)}; {advice}"
                )

    @contextlib.contextmanager
    def batch(self, n):
        shards = self.size if whole.SHARDS % self.size else whole.SHARDS
        if n < shards:  # too few to share: every rank computes all of it
            with super().batch(n) as here:
                yield here
            return
        edges = [n * i // shards for i in range(shards + 1)]
        each, rank = shards // self.size, self.messages.rank
        own = edges[rank * each : (rank + 1) * each + 1]
        counts = np.diff(edges[::each])
        whole.part = Part(self.messages, n, own[0], [edge - own[0] for edge in own], counts)
        try:
            yield slice(own[0], own[-1])
        finally:
            whole.part = None

    def gather(self, values):
        return whole.gather(values)

    def add_up(self, params, signum=None):
        if whole.part is None:  # a batch that is not shared
            self.stopping = self.largest(signum) > 0
            return
        params = [param for param in params if param.grad is not None]
        flag = np.array([signum is not None], np.float32)
        *sums, flag = self.messages.summed([*(param.grad for param in params), flag])
        for param, total in zip(params, sums, strict=True):
            param.grad = total
        self.stopping = flag[0] > 0

    def asked(self, signum):
        return self.largest(signum) if self.stopping else 0

    def largest(self, number):
        return max(self.messages.everyone(number or 0))


@dataclasses.dataclass
class Part:
    """A rank's part of a batch, as ops/whole.py asks for it."""

    messages: Messages
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
        return self.messages.rank == 0

    def gather(self, values, times):
        """values of the images here, `times` of each -> those of all images, in order."""
        return self.messages.gather(values, self.counts * times)

    def stack(self, array):
        """(R, ..): every rank's array."""
        return self.messages.gather(array[None], [1] * self.messages.size)


def _difference(one, usual):
    """ ": lr 0.02, not 0.01", of the first value that is another one; nothing for checksums."""
    if not isinstance(usual, dict):
        return ""
    key = next(key for key in {**usual, **one} if one.get(key) != usual.get(key))
    return f": {key} {one.get(key)!r}, not {usual.get(key)!r}"


def _portable(error):
    """The error, or one with its text where the other ranks could not make it of its pickle."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RankError(str(error))
    return error

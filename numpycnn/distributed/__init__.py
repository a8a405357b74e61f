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
Bits are those of the kernels, in float32: in float64 or without numba, dense layers and batch norm
round by how many images a rank has.
"""

import contextlib
import os

from ..errors import RankError
from .checksums import code, random_states, weights
from .ranks import Alone, Ranks

__all__ = [
    "TIMEOUT", "code", "current", "follows", "joined", "launched", "random_states", "refusal",
    "weights",
]  # fmt: skip

LAUNCHERS = {  # variables with size and rank of Open MPI, of MPICH, and of a step of Slurm's srun
    "OMPI_COMM_WORLD_SIZE": "OMPI_COMM_WORLD_RANK",
    "PMI_SIZE": "PMI_RANK",
    "SLURM_STEP_NUM_TASKS": "SLURM_PROCID",
}
TIMEOUT = 300  # seconds that a rank may be silent
_current = Alone()


def current():
    """The Ranks that this process has joined, or Alone."""
    return _current


def launched():
    """How many processes the launcher of this one started, as it says in the environment."""
    return _told()[0]


def follows():
    """Whether the launcher started another process before this one: what all say, that one says."""
    return _told()[1] > 0


def _told():
    """(size, rank): mpirun has its own daemons started by srun, so what it says comes first."""
    for size, rank in LAUNCHERS.items():
        if os.environ.get(size):
            return int(os.environ[size]), int(os.environ.get(rank) or 0)
    return 1, 0


@contextlib.contextmanager
def joined(timeout=TIMEOUT):
    """A context in which `fit` trains with all processes that mpirun started -> Ranks, or Alone.

    Raises RankError where mpi4py is missing, or does not know these processes; and inside, when a
    rank is silent for `timeout` seconds.
    """
    global _current
    if launched() == 1:
        yield _current
        return
    ranks = Ranks(_world(), timeout)
    _current = ranks
    try:
        yield ranks
        ranks.messages.wait(ranks.messages.world.Ibarrier(), float("inf"))  # rank 0 still writes
    except BaseException as error:
        ranks.messages.leave(error)
        raise
    finally:
        _current = Alone()


def refusal(text):
    """A RankError for all processes that a launcher started, one of which tells it."""
    error = RankError(text)
    error.quiet = follows()
    return error


def _world():
    size = launched()
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: there is no MPI library
        text = (
            f"{size} processes were started together, which needs mpi4py and an MPI library: "
            f'pip install "numpycnn[mpi]" ({" ".join(str(error).split())})'
        )
    else:
        world = MPI.COMM_WORLD
        if world.size == size:
            return world
        text = (
            f"{size} processes were started together, but mpi4py sees {world.size}: it has "
            "another MPI library than the launcher; use that library's mpirun"
        )
    raise refusal(text)

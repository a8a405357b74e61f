"""What four ranks do in one go, for test_ranks.py: mpirun -n 4 python -m tests.distributed.together

Prints one JSON object. The same training is done by all four ranks, by two pairs of them (each pair
a training of its own) and by every process alone; whoever stops is another one than who resumes.
"""

import contextlib
import json
import pathlib
import shutil
import signal
import sys
import tempfile

import numpy as np
from mpi4py import MPI

import numpycnn as nc
from numpycnn import distributed
from numpycnn.distributed import checksums
from numpycnn.distributed.ranks import Ranks
from numpycnn.layers import (
    BatchNorm,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Dropout,
    Flatten,
    MaxPool2D,
    PReLU,
    ReLU,
    Sequential,
)
from numpycnn.layers.mirror import MirrorBatchNorm, MirrorConv2D

WORLD = MPI.COMM_WORLD
RNG = np.random.default_rng(0)
X, Y = RNG.random((75, 8, 8, 1), np.float32), RNG.integers(0, 3, 75)


def network(seed=1):
    """Every kind of layer whose passes sum over the batch: fused and not, each convolution."""
    rng = np.random.default_rng(seed)
    return Sequential(
        Conv2D(1, 16, 3, rng=rng), BatchNorm(16), ReLU(), MaxPool2D(2),  # direct, fused
        Conv2D(16, 16, 3, rng=rng), BatchNorm(16), ReLU(),  # Winograd
        MirrorConv2D(8, 8, 3, rng=rng), MirrorBatchNorm(8), ReLU(), Dropout(0.3, rng=rng),
        MirrorConv2D(8, 4, 3, bias=True, rng=rng), Conv2D(8, 8, 3, dilation=2, rng=rng),
        ConvTranspose2D(8, 16, 3, rng=rng),  # NumPy alone
        Conv2D(16, 2, 3, rng=rng), PReLU(2), BatchNorm(2), Flatten(),  # kn2row, not fused
        Dense(32, 8, rng=rng), BatchNorm(8), ReLU(), Dense(8, 3, rng=rng),
    )  # fmt: skip


TAUGHT = {"teacher": network(seed=2)}


@contextlib.contextmanager
def together(world):
    """fit trains with the ranks of this communicator."""
    distributed._current = Ranks(world, 60) if world else distributed.ranks.Alone()
    try:
        yield
    finally:
        distributed._current = distributed.ranks.Alone()


def augment(stop_at=None):
    """Mirrors half of the images; this process is asked to stop in that call."""
    calls = []

    def change(x, rng):
        calls.append(1)
        if len(calls) == stop_at:
            signal.raise_signal(signal.SIGTERM)
        chosen = rng.random(len(x)) < 0.5
        return np.where(chosen[:, None, None, None], x[:, :, ::-1], x)

    return change


def train(images, stop_at=None, net=None, **settings):
    """Two epochs of batches of 32, 32 and what is left -> the weights' checksum."""
    net = net or network()
    settings = {"epochs": 2, "batch_size": 32, "lr": 0.01, "progress": False, **settings}
    nc.fit(net, X[:images], Y[:images], augment=augment(stop_at), **settings)
    return distributed.weights(net)


def bits(images, **settings):
    """{ranks: the checksums of all of them}"""
    found = {}
    for size, world in ((4, WORLD), (2, WORLD.Split(WORLD.rank // 2, WORLD.rank)), (1, None)):
        with together(world):
            found[size] = WORLD.allgather(train(images, **settings))
    return found


def resumed(folder):
    """Four ranks until the third one gets SIGTERM, two of them go on, one finishes."""
    folder = pathlib.Path(folder)
    pair = WORLD.Split(WORLD.rank // 2, WORLD.rank)
    how = {"out": folder, "clip": 1.0, "ema": 0.9}
    stops = []
    with together(WORLD):
        whole = train(75, **how | {"out": None})
        try:
            train(75, stop_at=2 if WORLD.rank == 2 else None, **how)
        except KeyboardInterrupt as error:
            stops.append(error.signum)
    if WORLD.rank < 2:
        with together(pair):
            try:
                train(75, stop_at=3 if WORLD.rank == 1 else None, resume=True, **how)
            except KeyboardInterrupt as error:
                stops.append(error.signum)
    WORLD.Barrier()
    last = train(75, resume=True, **how) if WORLD.rank == 0 else None
    return {"whole": whole, "resumed": last, "stops": WORLD.allgather(stops)}


@contextlib.contextmanager
def other_code():
    """Within it the third rank's package has one more line."""
    package = checksums.PACKAGE
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, "numpycnn")
        if WORLD.rank == 2:
            shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
            with open(copy / "ops" / "dense.py", "a") as file:
                file.write("\n")
            checksums.PACKAGE = copy
        checksums.code.cache_clear()
        yield
        checksums.PACKAGE = package
        checksums.code.cache_clear()


def refusals():
    """What each rank is told when one differs, {what: [every rank's text]}."""
    other = network()
    next(other.params()).value[0] += WORLD.rank == 1
    cases = {
        "weights": {"net": other},
        "settings": {"batch_size": 16, "images": 32} if WORLD.rank == 3 else {},
        "data": {"validation": (X[:5] + (WORLD.rank == 0), Y[:5])},
        "code": {},
    }
    found = {}
    for what, settings in cases.items():
        with together(WORLD), other_code() if what == "code" else contextlib.nullcontext():
            try:
                train(**{"images": 75, **settings})
                text = "trained"
            except distributed.RankError as error:
                text = str(error)
        found[what] = WORLD.allgather(text)
    return found


class Poison(nc.layers.Identity):
    """In the fourth training pass of the fourth rank all is NaN."""

    calls = 0

    def forward(self, x, train=False):
        self.calls += train
        return (x * np.float32(np.nan) if self.calls == 4 and WORLD.rank == 3 else x), None


class Noise(nc.layers.Identity):
    """Adds noise, drawn for the images here."""

    def __init__(self):
        self.rng = np.random.default_rng(1)

    def forward(self, x, train=False):
        return (x + self.rng.random(x.shape, np.float32) if train else x), None


def drawn():
    """[every rank's error] where a layer draws for its own images only."""
    return errors_with(Noise(), distributed.RankError)


def diverged():
    """[every rank's error] where the images of one of them become NaN."""
    return errors_with(Poison(), nc.errors.TrainingDiverged)


def errors_with(first, kind):
    net = network()
    net.layers.insert(0, first)
    with together(WORLD):
        try:
            train(75, net=net)
            text = "trained"
        except kind as error:
            text = str(error)
    return WORLD.allgather(text)


if __name__ == "__main__":
    nc.use("numba", threads=1)
    result = {
        "bits": {75: bits(75), 67: bits(67), "taught": bits(67, **TAUGHT)},
        "resumed": resumed(sys.argv[1]),
        "refused": refusals(),
        "diverged": diverged(),
        "drawn": drawn(),
    }
    if WORLD.rank == 0:
        print(json.dumps(result))

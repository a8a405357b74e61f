"""The networks of the benchmarks in numpycnn, and what they are to do; opponents.py has PyTorch's
and DeZero's.

Every builder gets a Job and returns (run, info): run() does one unit of the job's work and returns
a number that must be finite. The frameworks are imported inside, each in the process of its
contender.
"""

import dataclasses
import itertools
import time

import numpy as np

from .race import Contender

VGG = {"filters": (32, 64, 92), "dropout": (0.1, 0.2, 0)}  # the paper's, without its last dropout
ALEXNET = {"filters": (32, 64), "hidden": (256, 128), "dropout": 0.7}  # the tuned AlexNet
INFER_BATCHES = (100, 250, 500)  # divide 10,000; each contender uses its best


@dataclasses.dataclass(frozen=True)
class Job:
    """What to do, and how large.

    work: "step" (forward, loss, backward, optimiser), "infer" (`images` forward), "batching" (an
    epoch's).
    """

    work: str = "step"
    model: str = "vgg"
    batch: int = 32
    threads: int = 2
    side: int = 28
    width: int = 1  # filters of vgg times this
    images: int = 10_000
    pixels: str = "float32"


def data(job):
    """Random images (N, H, W, 1) and labels; for a step, as many as make up to eight batches."""
    n = job.images if job.work != "step" else job.batch * max(1, min(8, 2048 // job.batch))
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (n, job.side, job.side, 1), dtype=np.uint8)
    if job.pixels == "float32":
        x = x / np.float32(255)  # in [0, 1], as networks with Standardize take them
    return x, rng.integers(0, 10, n)


def batches_of(job):
    """The pieces of data(job), one a step."""
    x, y = data(job)
    return [(x[i : i + job.batch], y[i : i + job.batch]) for i in range(0, len(x), job.batch)]


def repeat(step, pieces):
    """run() that takes the pieces in turn."""
    turn = itertools.cycle(pieces)
    return lambda: step(*next(turn))


def best_batch(infer):
    """Of the batch sizes, that at which infer(batch, limit) does `limit` images fastest -> run,
    info.
    """

    def seconds(batch):
        infer(batch, 1000)
        begin = time.perf_counter()
        infer(batch, 1000)
        return time.perf_counter() - begin

    best = min(INFER_BATCHES, key=seconds)
    return lambda: infer(best), {"batch": best, "note": f"batch {best}"}


def our_network(job):
    from numpycnn import models

    shape = {"input_shape": (job.side, job.side, 1)}
    if job.model == "alexnet":
        return models.alexnet(**ALEXNET, **shape, rng=np.random.default_rng(0))
    filters = tuple(f * job.width for f in VGG["filters"])
    return models.vgg(**{**VGG, "filters": filters}, **shape, rng=np.random.default_rng(0))


def our_step(net):
    """What training.fit does with a batch."""
    from numpycnn import layers, ops, optim

    fast, optimizer = layers.fuse(net, input_gradient=False), optim.Adam(net.params(), 1e-3)

    def step(x, y):
        optimizer.zero_grad()
        logits, cache = fast.forward(x, train=True)
        loss, dlogits = ops.softmax_cross_entropy(logits, y)
        fast.backward(dlogits, cache)
        optimizer.step()
        return loss

    return step


def ours(job, backend="numba"):
    import numpycnn

    numpycnn.use(backend, threads=job.threads)
    net = our_network(job)
    info = {"parameters": sum(p.value.size for p in net.params())}
    if job.work == "batching":
        return _batching(job), info
    if job.work == "infer":
        x, _ = data(job)
        run, best = best_batch(
            lambda batch, limit=None: numpycnn.predict(net, x[:limit], batch)[0, 0]
        )
        return run, {**info, **best}
    return repeat(our_step(net), batches_of(job)), info


def _batching(job):
    """One epoch of shuffled batches with the recipe's augmentation, nothing trained."""
    from numpycnn.data.augment import augmentation
    from numpycnn.data.batches import batches

    x, y = data(job)
    epochs, augment = itertools.count(), augmentation("flip,crop")

    def run():
        for xb, _ in batches(x, y, job.batch, seed=0, epoch=next(epochs), augment=augment):
            last = xb
        return last[0, 0, 0, 0]

    return run


OUR_IMPORTS = (
    "numpycnn.training",
    "numpycnn.cli.recipes",
    "numpycnn.kernels.conv",
    "numpycnn.kernels.fused",
)


def numpycnn_with(job, name="numpycnn", backend="numba"):
    imports = OUR_IMPORTS if backend == "numba" else OUR_IMPORTS[:2]
    return Contender(name, ours, job, imports, {"backend": backend})

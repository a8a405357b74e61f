"""The networks of issue 3 in numpycnn, PyTorch and DeZero: the same layers, batch, optimiser and threads.

Every builder gets a Job and returns (run, info): run() does one unit of the job's work and returns a number that
must be finite. The frameworks are imported inside, each in the process of its contender.
"""

import dataclasses
import itertools
import time

import numpy as np

from .common import Contender

VGG = {"filters": (32, 64, 92), "dropout": (0.1, 0.2, 0)}  # the network of performance.md
ALEXNET = {"filters": (32, 64), "hidden": (256, 128), "dropout": 0.7}  # the tuned AlexNet
INFER_BATCHES = (100, 250, 500)  # divide 10,000; each contender uses its best


@dataclasses.dataclass(frozen=True)
class Job:
    """work: "step" (forward, loss, backward, optimiser), "infer" (all `images` forward) or "batching" (an epoch's)."""

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
        x = (x / np.float32(255) - np.float32(0.5)) * np.float32(3)
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
    """Of the batch sizes, that at which infer(batch) is fastest -> run, info."""

    def seconds(batch):
        infer(batch)
        begin = time.perf_counter()
        infer(batch)
        return time.perf_counter() - begin

    best = min(INFER_BATCHES, key=seconds)
    return lambda: infer(best), {"batch": best, "note": f"batch {best}"}


# ---- numpycnn ---------------------------------------------------------------------------------------


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
        run, best = best_batch(lambda batch: numpycnn.predict(net, x, batch)[0, 0])
        return run, {**info, **best}
    return repeat(our_step(net), batches_of(job)), info


def _batching(job):
    """One epoch of shuffled batches with the recipe's augmentation, nothing trained."""
    from numpycnn.data.batches import batches
    from numpycnn.recipes import augmentation

    x, y = data(job)
    epochs, augment = itertools.count(), augmentation("flip,crop")

    def run():
        for xb, _ in batches(x, y, job.batch, seed=0, epoch=next(epochs), augment=augment):
            last = xb
        return last[0, 0, 0, 0]

    return run


# ---- PyTorch ----------------------------------------------------------------------------------------


def torch_network(job):
    from torch import nn

    layers, channels, side = [], 1, job.side
    if job.model == "alexnet":
        for f in ALEXNET["filters"]:
            layers += [nn.Conv2d(channels, f, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
            channels, side = f, side // 2
        layers.append(nn.Flatten())
        features = channels * side * side
        for size in ALEXNET["hidden"]:
            layers += [nn.Linear(features, size), nn.ReLU(), nn.Dropout(ALEXNET["dropout"])]
            features = size
        return nn.Sequential(*layers, nn.Linear(features, 10))
    for level, f in enumerate(VGG["filters"]):
        f *= job.width
        for _ in range(2):
            layers += [nn.Conv2d(channels, f, 3, padding=1), nn.BatchNorm2d(f, momentum=0.1), nn.ReLU()]
            channels = f
        if level < 2:
            layers += [nn.MaxPool2d(2), nn.Dropout(VGG["dropout"][level])]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def torch_form(job, layout="NCHW", compiled=False, folded=False):
    import torch

    torch.set_num_threads(job.threads)
    torch.manual_seed(0)
    net = torch_network(job)
    info = {"parameters": sum(p.numel() for p in net.parameters())}
    memory = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    net = net.to(memory_format=memory)

    def tensor(x):
        return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2))).contiguous(memory_format=memory)

    if job.work == "infer":
        run, best = best_batch(_torch_infer(net.eval(), tensor(data(job)[0]), compiled, folded))
        return run, {**info, **best}
    forward = torch.compile(net) if compiled else net
    optimizer, loss_of = torch.optim.Adam(net.parameters(), 1e-3, fused=True), torch.nn.CrossEntropyLoss()

    def step(x, y):
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(forward(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return repeat(step, [(tensor(x), torch.from_numpy(y)) for x, y in batches_of(job)]), info


def _torch_infer(net, x, compiled, folded):
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    if folded:
        kept = []
        for layer in net:
            if isinstance(layer, torch.nn.BatchNorm2d):
                kept[-1] = fuse_conv_bn_eval(kept[-1], layer)
            else:
                kept.append(layer)
        net = torch.nn.Sequential(*kept).eval()
    forward = torch.compile(net, dynamic=False) if compiled else net

    def infer(batch):
        with torch.inference_mode():
            return torch.cat([forward(x[i : i + batch]) for i in range(0, len(x), batch)])[0, 0]

    return infer


# ---- DeZero -----------------------------------------------------------------------------------------


def dezero_form(job):
    import dezero
    import dezero.functions as F
    import dezero.layers as L

    _mend_dezero(dezero)
    blocks = [[(L.Conv2d(f, 3, pad=1), L.BatchNorm()) for _ in range(2)] for f in VGG["filters"]]
    last = L.Linear(10)

    class Net(dezero.Model):
        def forward(self, x):
            for level, block in enumerate(blocks):
                for conv, norm in block:
                    x = F.relu(norm(conv(x)))
                if level < 2:
                    x = F.dropout(F.pooling(x, 2, 2), VGG["dropout"][level])
            return last(F.sum(x, axis=(2, 3)) * (1 / (x.shape[2] * x.shape[3])))

    net = Net()
    for i, layer in enumerate([one for block in blocks for pair in block for one in pair] + [last]):
        setattr(net, f"layer{i}", layer)  # where DeZero looks for parameters
    pieces = [(np.ascontiguousarray(x.transpose(0, 3, 1, 2)), y.astype(np.uint8)) for x, y in batches_of(job)]
    net(pieces[0][0])  # makes the parameters
    for p in net.params():
        p.data = p.data.astype(np.float32)
    optimizer = dezero.optimizers.Adam().setup(net)

    def step(x, y):
        loss = F.softmax_cross_entropy(net(x), y)
        net.cleargrads()
        loss.backward()
        optimizer.update()
        return loss.data

    step(*pieces[0])
    if any(p.grad is not None and p.grad.dtype != np.float32 for p in net.params()):
        raise TypeError("DeZero's gradients are not float32: the comparison would not be fair")
    statistics = {"avg_mean", "avg_var"}
    return repeat(step, pieces), {"parameters": sum(p.size for p in net.params() if p.name not in statistics)}


def _mend_dezero(dezero):
    """Since NumPy 2, float32 * np.array(0.5) is float64; DeZero writes its constants so. Make them float32.

    Labels are given as uint8 for the same reason: float32 - int64 is float64 in its loss.
    """
    as_array = dezero.core.as_array

    def mended(x, array_module=np):
        return np.asarray(x, np.float32) if isinstance(x, (int, float)) else as_array(x, array_module)

    dezero.core.as_array = mended


# ---- who runs ----------------------------------------------------------------------------------------

OUR_IMPORTS = ("numpycnn.training", "numpycnn.recipes", "numpycnn.kernels.conv", "numpycnn.kernels.fused")
PASSIVE = {"OMP_WAIT_POLICY": "passive"}  # PyTorch's workers sleep instead of spinning; its faster way counts


def numpycnn_with(job, name="numpycnn", backend="numba"):
    imports = OUR_IMPORTS if backend == "numba" else OUR_IMPORTS[:2]
    return Contender(name, ours, job, imports, {"backend": backend})


def torch_forms(job):
    """PyTorch in its forms, each with OpenMP workers that spin and that sleep."""
    found = []
    for name, options in (
        ("torch NCHW", {}),
        ("torch channels_last", {"layout": "channels_last"}),
        ("torch.compile NCHW", {"compiled": True}),
        ("torch.compile channels_last", {"compiled": True, "layout": "channels_last"}),
    ):
        imports = ("torch", "torch._dynamo") if "compile" in name else ("torch",)
        found += [Contender(name, torch_form, job, imports, options, dict(env)) for env in ({}, PASSIVE)]
    return found


def torch_folded(job):
    options = {"layout": "channels_last", "folded": True}
    return Contender("torch channels_last, BN folded", torch_form, job, ("torch",), options)


def dezero(job):
    return Contender("DeZero", dezero_form, job, ("dezero",))

"""The same networks in PyTorch and DeZero; the builders are as in contenders.py."""

import numpy as np

from .contenders import ALEXNET, VGG, batches_of, best_batch, data, repeat
from .race import Contender


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
            layers += [
                nn.Conv2d(channels, f, 3, padding=1),
                nn.BatchNorm2d(f, momentum=0.1),
                nn.ReLU(),
            ]
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
        x = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
        return x.contiguous(memory_format=memory)

    if job.work == "infer":
        run, best = best_batch(_torch_infer(net.eval(), tensor(data(job)[0]), compiled, folded))
        return run, {**info, **best}
    forward = torch.compile(net) if compiled else net
    optimizer, loss_of = (
        torch.optim.Adam(net.parameters(), 1e-3, fused=True),
        torch.nn.CrossEntropyLoss(),
    )

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

    def infer(batch, limit=None):
        images = x[:limit]
        with torch.inference_mode():
            return torch.cat(
                [forward(images[i : i + batch]) for i in range(0, len(images), batch)]
            )[0, 0]

    return infer


def dezero_form(job):
    _mend_numpy()
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
            n, c, h, w = x.shape
            return last(
                F.sum(F.reshape(x, (n, c, h * w)), axis=2) * (1 / (h * w))
            )  # global average pooling

    net = Net()
    for i, layer in enumerate([one for block in blocks for pair in block for one in pair] + [last]):
        setattr(net, f"layer{i}", layer)  # where DeZero looks for parameters
    pieces = [
        (np.ascontiguousarray(x.transpose(0, 3, 1, 2)), y.astype(np.uint8))
        for x, y in batches_of(job)
    ]
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
    return repeat(step, pieces), {
        "parameters": sum(p.size for p in net.params() if p.name not in statistics)
    }


def _mend_numpy():
    """DeZero 0.0.13 looks np.int up, which NumPy 1.24 took out."""
    vars(np).setdefault("int", int)


def _mend_dezero(dezero):
    """Since NumPy 2, float32 * np.array(0.5) is float64; DeZero writes its constants so. Make them
    float32.

    Labels are given as uint8 for the same reason: float32 - int64 is float64 in its loss.
    """
    as_array = dezero.core.as_array

    def mended(x, array_module=np):
        return (
            np.asarray(x, np.float32) if isinstance(x, (int, float)) else as_array(x, array_module)
        )

    dezero.core.as_array = mended


# ---- who runs ------------------------------------------------------------------------

TORCH_IMPORTS = ("torch", "torch._dynamo")  # its optimisers import the second
PASSIVE = {
    "OMP_WAIT_POLICY": "passive"
}  # PyTorch's workers sleep instead of spinning: the faster way counts


def torch_forms(job):
    """PyTorch in its forms, each with OpenMP workers that spin and that sleep."""
    found = []
    for name, options in (
        ("torch NCHW", {}),
        ("torch channels_last", {"layout": "channels_last"}),
        ("torch.compile NCHW", {"compiled": True}),
        ("torch.compile channels_last", {"compiled": True, "layout": "channels_last"}),
    ):
        for environment in ({}, PASSIVE):
            found.append(
                Contender(name, torch_form, job, TORCH_IMPORTS, options, dict(environment))
            )
    return found


def torch_folded(job):
    options = {"layout": "channels_last", "folded": True}
    return Contender("torch channels_last, BN folded", torch_form, job, TORCH_IMPORTS, options)


def dezero(job):
    return Contender("DeZero", dezero_form, job)

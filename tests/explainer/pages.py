"""Networks to explain, and their pages' own mathematics, run by node."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np

import numpycnn as nc
from numpycnn import layers as L
from numpycnn import models

NODE = shutil.which("node")


def rng(seed=0):
    return np.random.default_rng(seed)


def image(shape=(12, 12, 1), seed=1):
    """Pixels with ties: many equal ones, as garments have."""
    return (rng(seed).integers(0, 5, shape) * 50).astype(np.uint8)


def batch(shape=(12, 12, 1), n=5, classes=4, seed=2):
    r = rng(seed)
    return (r.integers(0, 5, (n, *shape)) * 50).astype(np.uint8), r.integers(0, classes, n)


def shaken(net, seed=3):
    """No parameter or running statistic stays at its first value: no fault hides behind 0 or 1."""
    r = rng(seed)
    for param in net.params():
        param.value[...] += (0.2 * r.standard_normal(param.value.shape)).astype(np.float32)
    for name, array in L.traverse.named_buffers(net).items():
        variance = name.endswith("var")
        array[...] = r.uniform(0.5, 1.5, array.shape) if variance else r.normal(size=array.shape)
    return net


def hard():
    """Non-zero biases, stride 2, asymmetric padding, overlapping pools, ties, dropout."""
    return shaken(
        L.Sequential(
            L.Standardize(0.3, 0.4),
            L.Conv2D(1, 4, 3, rng=rng()), L.BatchNorm(4), L.ReLU(), L.MaxPool2D(3, 2),
            L.Dropout(0.4, rng=rng(5)),
            L.Conv2D(4, 5, (3, 2), stride=2, padding="same", rng=rng(6)),
            L.PReLU(5), L.Flatten(), L.Dense(45, 4, rng=rng(7)),
        )
    )  # fmt: skip


def others():
    """Every layer that `hard` has not, both joins among them."""
    return shaken(
        L.Sequential(
            L.Standardize(0.3, 0.4),
            L.Conv2D(1, 3, 3, padding="valid", rng=rng()), L.LeakyReLU(0.2),
            L.Concat(L.Identity(), L.Sequential(L.Conv2D(3, 2, 1, rng=rng(4)), L.Tanh())),
            L.AvgPool2D(3, 2), L.ELU(0.7),
            L.Add(L.Identity(), L.Sequential(L.Conv2D(5, 5, 3, rng=rng(5)), L.Sigmoid())),
            L.ConvTranspose2D(5, 3, 3, stride=2, rng=rng(6)), L.Upsample2D((2, 1)),
            L.ConvTranspose2D(3, 4, (2, 3), stride=(1, 2), padding=1, bias=False, rng=rng(7)),
            L.PReLU(), L.GlobalAvgPool(), L.Reshape(2, 2, 1), L.Flatten(),
            L.Dense(4, 4, bias=False, rng=rng(8)), L.Sampling(rng=rng(9)),
            L.Dense(2, 4, rng=rng(10)),
        )
    )  # fmt: skip


def small_blocks():
    """What small networks are made of: groups, dilation, gates, norms of an example."""
    return shaken(
        L.Sequential(
            L.Standardize(0.3, 0.4),
            L.Conv2D(1, 6, 3, dilation=2, rng=rng()), L.LayerNorm(6), L.GELU(),
            L.Conv2D(6, 6, (3, 2), stride=2, groups=6, rng=rng(4)), L.GroupNorm(2, 6), L.SiLU(),
            L.SqueezeExcite(6, 2, rng=rng(5)),
            L.Conv2D(6, 8, 3, padding=1, dilation=(1, 2), groups=2, rng=rng(6)), L.HardSwish(),
            L.Add(L.Identity(), L.SqueezeExcite(8, 4, rng=rng(7))), L.GroupNorm(8, 8),
            L.GlobalAvgPool(), L.LayerNorm(8), L.Dense(8, 4, rng=rng(8)),
        )
    )  # fmt: skip


def conditional_vae():
    return shaken(
        models.vae(latent=3, classes=2, filters=(4, 6), depth=1, input_shape=(8, 8, 1), rng=rng())
    )


def mirror():
    """Mirror layers: as the first one and behind it, strided, with a bias, in both norms' runs."""
    return shaken(
        L.Sequential(
            L.Standardize(0.3, 0.4),
            L.MirrorConv2D(1, 3, 3, first=True, rng=rng()), L.MirrorBatchNorm(3), L.ReLU(),
            L.MaxPool2D(2),
            L.MirrorConv2D(3, 2, (2, 3), padding=(1, 1), bias=True, rng=rng(4)), L.Tanh(),
            L.MirrorConv2D(2, 3, (1, 2), (2, 2), "valid", rng=rng(5)), L.MirrorBatchNorm(3),
            L.GlobalAvgPool(), L.MirrorMean(), L.Dense(3, 4, rng=rng(6)),
        )
    )  # fmt: skip


class Page:
    """The mathematics of a page in a process of node: page("verify(runs, 5)") -> its value."""

    def __init__(self, path):
        script = Path(__file__).with_name("run.mjs")
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([NODE, script, path], stdin=pipe, stdout=pipe, text=True)

    def __call__(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def swap(self, old, new):
        """Another text in the mathematics -> how often the old one stood there."""
        return self(json.dumps({"swap": [old, new]}))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def write(path, net, picture=None, others="usual", **settings):
    """The page of a network -> its path."""
    picture = image() if picture is None else picture
    others = batch(picture.shape) if isinstance(others, str) else others
    nc.explain(net, picture, path, batch=others, **settings)
    return path

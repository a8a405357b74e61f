"""Networks to explain, and the pages' own mathematics, run by node."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np

import numpycnn as nc
from numpycnn import layers as L

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
    """No parameter or running statistic stays at its first value: none may hide behind 0 or 1."""
    r = rng(seed)
    for param in net.params():
        param.value[...] += (0.3 * r.standard_normal(param.value.shape)).astype(np.float32)
    for name, array in L.traverse.named_buffers(net).items():
        array[...] = (
            r.uniform(0.5, 1.5, array.shape) if name.endswith("var") else r.normal(size=array.shape)
        )
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

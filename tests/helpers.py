"""What several tests share: small images and networks, short runs, the command in a process."""

import csv
import os
import subprocess
import sys

import numpy as np

import numpycnn as nc
from numpycnn.layers.traverse import named_buffers, named_params
from numpycnn.training import checkpoint, loop

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def pictures(n, seed=0, size=12):
    """n noisy grey images of four classes: the place of a brighter bar."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % 4)
    x = rng.integers(0, 120, (n, size, size, 1)).astype(np.uint8)
    for image, label in zip(x, y, strict=True):
        image[size // 4 * label : size // 4 * (label + 1)] += 60
    return x, y


def small(name="vgg", seed=0, **arguments):
    """A network for these images, of one level or two."""
    forms = {
        "vgg": {"filters": (8, 12), "depth": 1, "dropout": (0.1, 0.2)},
        "alexnet": {"filters": (4, 8), "kernel_size": 3, "hidden": (16, 12), "dropout": 0.3},
    }
    common = {"classes": 4, "input_shape": (12, 12, 1), "mean": 0.3, "std": 0.2}
    return nc.models.build(name, seed, **{**common, **forms[name], **arguments})


def fit(net, x, y, **settings):
    """numpycnn.fit, two epochs of batches of 16 unless told otherwise."""
    return loop.fit(net, x, y, **{"batch_size": 16, "epochs": 2, "progress": False, **settings})


def arrays(net):
    """{name: copy} of all parameters and running statistics."""
    return {k: p.value.copy() for k, p in named_params(net).items()} | {
        k: b.copy() for k, b in named_buffers(net).items()
    }


def same(a, b):
    """Whether two such dicts have the same bits."""
    return a.keys() == b.keys() and all(a[k].tobytes() == b[k].tobytes() for k in a)


def settings():
    """Settings of fit that use its random numbers, schedule and validation."""
    augment = nc.data.augment.compose(nc.data.augment.horizontal_flip, nc.data.augment.random_crop)
    return {
        "schedule": "one_cycle",
        "augment": augment,
        "validation": pictures(12, 5),
        "epochs": 3,
        "lr": 0.01,
    }


def state(folder):
    """All that the last checkpoint holds, apart from the seconds."""
    metadata, stored = checkpoint.read(folder / "last.npz")
    fitted = metadata["fit"]
    del fitted["history"]["seconds"], fitted["running"]["seconds"]
    return repr((metadata["optimizer"], metadata["random"], fitted)), {
        k: v.tobytes() for k, v in stored.items()
    }


def rows(folder):
    """The rows of history.csv, apart from the seconds."""
    with open(folder / "history.csv", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def write_data(path, classes=("one", "two", "three", "four"), **changes):
    """An .npz data set of 64 such images and 40 to test on -> its path."""
    (x, y), (x_test, y_test) = pictures(64), pictures(40, 1)
    content = {
        "x_train": x,
        "y_train": y,
        "x_test": x_test,
        "y_test": y_test,
        "classes": np.array(classes),
    }
    np.savez(path, **{**content, **changes})
    return str(path)


def start(*arguments, **settings):
    """The command, or `-c` and code, in a process of its own."""
    command = [
        sys.executable,
        *(() if arguments[0] == "-c" else ("-m", "numpycnn")),
        *map(str, arguments),
    ]
    environment = {**os.environ, "PYTHONPATH": ROOT, **settings.pop("env", {})}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, **{**pipes, **settings})


def finish(*arguments, **settings):
    """The same, to its end -> exit code, standard output, standard error."""
    with start(*arguments, **settings) as process:
        out, err = process.communicate(timeout=120)
    assert "Traceback" not in err
    return process.returncode, out, err

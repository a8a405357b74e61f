"""Global average pooling."""

import itertools

import numpy as np

from ... import ops
from ..exercise import Exercise, Probe
from . import computations
from .common import IMAGE, judge, noise


def _globalcases(rng):
    for n, (h, w), c in itertools.product((1, 3), ((3, 3), (4, 2), (2, 5)), (1, 4)):
        about = {"batch": n, "maps": "square" if h == w else "not square", "channels": c}
        yield noise(rng, n, h, w, c), about, {"N": n, "H": h, "W": w, "H*W": h * w, "C": c}


def _global(rng):
    for x, about, sizes in _globalcases(rng):
        yield Probe({"x": x}, about, sizes)


def _global_backward(rng):
    for x, about, sizes in _globalcases(rng):
        y, cache = ops.global_avg_pool(x)
        yield Probe({"dy": noise(rng, *y.shape), "cache": cache}, about, sizes)


GLOBAL = Exercise(
    "global_avg_pool",
    "global average pooling, forward",
    2,
    ("ops/pool.py", "global_avg_pool"),
    ("y",),
    _global,
    ops.global_avg_pool,
    "Each channel of each image becomes one number: its mean over all pixels.",
    ">>> global_avg_pool(np.arange(4.0).reshape(1, 2, 2, 1))[0]  # (0 + 1 + 2 + 3) / 4\n"
    "array([[1.5]])",
    axes={"y": ("image", "channel")},
    twins={
        "y": [
            ("it is the maximum, not the mean", lambda a: a["x"].max((1, 2))),
            ("it is the sum over the channels, not over rows and columns", lambda a: a["x"].sum(3)),
            ("it is the mean over rows alone", lambda a: a["x"].mean(1)),
            ("it is the mean over columns alone", lambda a: a["x"].mean(2)),
            (
                "it is the mean over the batch too",
                lambda a: np.broadcast_to(a["x"].mean((0, 1, 2)), a["x"].shape[::3]),
            ),
        ]
    },
    steps=computations.global_avg_pool,
    step=("pretrained:paper", "GlobalAvgPool", "forward"),
)

GLOBAL_BACKWARD = Exercise(
    "global_avg_pool_backward",
    "global average pooling, backward",
    2,
    ("ops/pool.py", "global_avg_pool_backward"),
    ("dx",),
    _global_backward,
    ops.global_avg_pool_backward,
    "Every pixel had the share 1/(H*W) in its channel's mean.",
    ">>> y, cache = ops.global_avg_pool(np.ones((1, 2, 2, 1)))\n"
    ">>> global_avg_pool_backward(np.array([[8.0]]), cache).ravel()\narray([2., 2., 2., 2.])",
    given=("global_avg_pool",),
    axes={"dx": IMAGE},
    twins={
        "dx": [
            ("only the first pixel gets dy, not all of them", lambda a: _corner(a, 1)),
            (
                "only the first pixel gets its share, not all of them",
                lambda a: _corner(a, a["cache"].x_shape[1] * a["cache"].x_shape[2]),
            ),
        ]
    },
    judge=judge(
        ops.global_avg_pool, lambda: [np.random.default_rng(0).standard_normal((2, 3, 4, 2))], "x"
    ),
    step=("pretrained:paper", "GlobalAvgPool", "backward"),
)


def _corner(a, divisor):
    dx = np.zeros(a["cache"].x_shape)
    dx[:, 0, 0] = a["dy"] / divisor
    return dx


EXERCISES = (
    GLOBAL,
    GLOBAL_BACKWARD,
)

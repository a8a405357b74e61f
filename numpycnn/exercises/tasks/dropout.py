"""Dropout: whoever writes it may draw in his own way, so that the draw is measured."""

import numpy as np

from ... import ops
from ..exercise import Exercise, Probe, Trouble, named
from . import computations
from .common import judge, noise


def _dropout_probes(rng):
    for train in (True, False):
        for rate in (0.25, 0.5, 0.1):
            for sign in (1, -1):
                args = {
                    "x": (noise(rng, 40, 50) ** 2 + 0.1) * sign,
                    "rate": rate,
                    "rng": np.random.default_rng(int(rng.integers(1 << 30))),
                    "train": train,
                }
                about = {"train": train, "rate": rate, "x": "positive" if sign > 0 else "negative"}
                sizes = {"1/(1-rate)": 1 / (1 - rate), "(1-rate)": 1 - rate, "rate": rate}
                yield Probe(args, about, sizes)


def _dropout_run(function, args):
    """What can be seen of a call: the scale of what is kept, and the share that is dropped."""
    x = args["x"]
    other = args | {"rng": np.random.default_rng(12345)}
    y, second = (named(function(*one.values()), ("y",))["y"] for one in (args, other))
    if args["train"] and np.array_equal(y, second) and not np.array_equal(y, x):
        raise Trouble("nothing is drawn from rng: another generator gives the same")
    if np.shape(y) != x.shape:
        raise Trouble(f"y has the shape {np.shape(y)}, not that of x, {x.shape}")
    kept = np.asarray(y, float) / x
    dropped = kept == 0
    scales = kept[~dropped]
    scale = scales.mean() if len(scales) else 0.0
    if len(scales) and np.ptp(scales) > 1e-5 * abs(scale):
        raise Trouble("y is not x times one number wherever it is kept")
    if (
        args["train"]
        and dropped.ndim
        and dropped.any()
        and (_rows_alike(dropped) or _rows_alike(dropped.T))
    ):
        raise Trouble("whole rows or columns are dropped at once: every value needs its own draw")
    return {"scale of what is kept": np.float64(scale), "share that is dropped": dropped.mean()}


def _rows_alike(dropped):
    return bool((dropped == dropped[:1]).all())


def _dropout_right(args, got):
    rate = args["rate"] if args["train"] else 0.0
    share = rate
    if got is not None and abs(got["share that is dropped"] - rate) < (0.05 if rate else 1e-12):
        share = got["share that is dropped"]  # within five standard deviations of a fair draw
    return {"scale of what is kept": np.float64(1 / (1 - rate)), "share that is dropped": share}


DROPOUT = Exercise(
    "dropout",
    "dropout, forward",
    3,
    ("ops/dropout.py", "dropout"),
    ("y",),
    _dropout_probes,
    ops.dropout,
    "In training each value is dropped with the probability `rate`, and what is kept is scaled so\n"
    "that the expected value stays. When not training y is x. Draw from `rng`, in any way "
    "that you\n"
    "like: the check looks at the share dropped and at the scale.",
    ">>> dropout(np.array([1.0, 2.0]), 0.5, None, train=False)[0]\narray([1., 2.])",
    run=_dropout_run,
    right=_dropout_right,
    float32=False,
    tolerance=1e-5,
    step=("pretrained:paper", "Dropout", "forward"),
)


def _dropout_backward_probes(rng):
    for n in (1, 4):
        for rate in (0.25, 0.5, 0.1):
            for train in (True, False):
                y, cache = ops.dropout(noise(rng, n, 30), rate, rng, train)
                about = {"train": train, "rate": rate, "batch": n}
                sizes = {
                    "N": n,
                    "1/(1-rate)": 1 / (1 - rate) if train else 1.0,
                    "(1-rate)": 1 - rate,
                }
                yield Probe({"dy": noise(rng, *y.shape), "cache": cache}, about, sizes)


def _mask(args):
    mask = args["cache"].mask
    return np.ones_like(args["dy"]) if mask is None else mask


def _dropout_judge(x):
    return ops.dropout(x, 0.25, np.random.default_rng(1), True)


DROPOUT_BACKWARD = Exercise(
    "dropout_backward",
    "dropout, backward",
    3,
    ("ops/dropout.py", "dropout_backward"),
    ("dx",),
    _dropout_backward_probes,
    ops.dropout_backward,
    "What was dropped had no effect; what was kept was multiplied by mask, 1/(1 - rate).\n"
    "mask is None where nothing was dropped.",
    ">>> y, cache = ops.dropout(np.ones(4), 0.5, np.random.default_rng(1))\n"
    ">>> y\narray([2., 0., 2., 2.])\n"
    ">>> dropout_backward(np.array([1.0, 2.0, 3.0, 4.0]), cache)\narray([2., 0., 6., 8.])",
    given=("dropout",),
    axes={"dx": ("example", "feature")},
    twins={
        "dx": [
            (
                "dy passes where x was dropped, and is 0 where it was kept",
                lambda a: a["dy"] * (_mask(a) == 0),
            ),
            ("dy passes unchanged: the mask is not used", lambda a: a["dy"]),
            ("the mask is given, without dy", _mask),
            ("the scale 1/(1-rate) is missing", lambda a: a["dy"] * (_mask(a) > 0)),
            ("the scale 1/(1-rate) is there twice", lambda a: a["dy"] * _mask(a) ** 2),
        ]
    },
    judge=judge(_dropout_judge, lambda: [np.random.default_rng(0).standard_normal((3, 8))], "x"),
    steps=computations.gated(_mask),
    step=("pretrained:paper", "Dropout", "backward"),
)

EXERCISES = (
    DROPOUT,
    DROPOUT_BACKWARD,
)

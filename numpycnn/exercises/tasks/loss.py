"""Softmax cross-entropy and dropout."""

import numpy as np

from ... import ops
from ..exercise import Exercise, Probe, Trouble, named
from .common import judge, noise

# ---- softmax cross-entropy --------------------------------------------------------------------


def _entropy_probes(rng):
    for n in (1, 2, 5):
        for k in (3, 4):
            for scale, words in ((1, "small"), (1000, "in the thousands")):
                logits = noise(rng, n, k) * scale + (0 if scale > 1 else 1)
                args = {"logits": logits, "labels": rng.integers(0, k, n)}
                about = {"batch": n, "classes": k, "scores": words}
                yield Probe(args, about, {"N": n, "K": k, "ln 2": np.log(2)})


def _a(args):
    s = args["logits"] - args["logits"].max(axis=1, keepdims=True)
    e = np.exp(s)
    return e / e.sum(axis=1, keepdims=True)


def _y(args):
    return np.eye(args["logits"].shape[1])[args["labels"]]


def _n(args):
    return len(args["labels"])


def _picked(args, table):
    return table[np.arange(_n(args)), args["labels"]]


def _log_a(args):
    s = args["logits"] - args["logits"].max(axis=1, keepdims=True)
    return s - np.log(np.exp(s).sum(axis=1, keepdims=True))


def _softmax_of(s):
    e = np.exp(s - s.max())
    return e / e.sum()


def _columns(args):
    e = np.exp(args["logits"] - args["logits"].max(axis=0))
    return e / e.sum(axis=0)


SOFTMAX_CROSS_ENTROPY = Exercise(
    "softmax_cross_entropy",
    "softmax cross-entropy and its gradient",
    1,
    ("ops/loss.py", "softmax_cross_entropy"),
    ("loss", "dlogits"),
    _entropy_probes,
    ops.softmax_cross_entropy,
    "Write softmax_cross_entropy(logits, labels), without smoothing and class weights: the mean\n"
    "over the batch, and its gradient. Logits may be in the thousands: exp of them is "
    "infinite, and\n"
    "the maximum of a row can be taken off before. Then log a is best found from the logits.",
    ">>> loss, dlogits = softmax_cross_entropy(np.array([[0.0, 0.0]]), np.array([1]))\n"
    ">>> round(loss, 4), dlogits  # a = [1/2, 1/2], -log a = 0.6931\n"
    "(0.6931, array([[ 0.5, -0.5]]))",
    "a[n,k] = exp(s[n,k]) / sum_j exp(s[n,j])      C = -1/N sum_n log a[n,label]"
    "      dC/ds[n,k] = (a[n,k] - y[n,k]) / N",
    axes={"dlogits": ("example", "class")},
    terms={
        "dlogits": [
            ("the term a", lambda a: _a(a) / _n(a)),
            ("the term y", lambda a: -_y(a) / _n(a)),
        ]
    },
    twins={
        "loss": [
            (
                "the sum of 1 - a stands in place of -log a",
                lambda a: np.mean(1 - _picked(a, _a(a))),
            ),
            ("the logarithm is missing", lambda a: -np.mean(_picked(a, _a(a)))),
            (
                "log a is averaged over all classes, not taken at the label",
                lambda a: -_log_a(a).mean(),
            ),
            (
                "log a is summed over all classes, not taken at the label",
                lambda a: -_log_a(a).sum() / _n(a),
            ),
            (
                "a is normalised over the batch, not over the classes",
                lambda a: -np.mean(np.log(_picked(a, _columns(a)))),
            ),
            (
                "the logarithm is that to base 2",
                lambda a: -np.mean(_picked(a, _log_a(a))) / np.log(2),
            ),
            (
                "it is divided by K as well",
                lambda a: -np.mean(_picked(a, _log_a(a))) / a["logits"].shape[1],
            ),
            (
                "only the label's score is there: the log of the sum is missing",
                lambda a: -np.mean(_picked(a, a["logits"])),
            ),
        ],
        "dlogits": [
            (
                "softmax's slope a (1 - a) is multiplied in once more",
                lambda a: _a(a) * (1 - _a(a)) * (_a(a) - _y(a)) / _n(a),
            ),
            (
                "a is normalised over the batch, not over the classes",
                lambda a: (_columns(a) - _y(a)) / _n(a),
            ),
            (
                "a is normalised over all cells of the batch",
                lambda a: (_softmax_of(a["logits"]) - _y(a)) / _n(a),
            ),
            (
                "the scores themselves stand in the place of a",
                lambda a: (a["logits"] - _y(a)) / _n(a),
            ),
            (
                "it is divided by K as well as by N",
                lambda a: (_a(a) - _y(a)) / _n(a) / a["logits"].shape[1],
            ),
            (
                "the sigmoid stands in the place of softmax",
                lambda a: (1 / (1 + np.exp(-a["logits"])) - _y(a)) / _n(a),
            ),
            (
                "only the label's own column is given, the others are 0",
                lambda a: _y(a) * (_a(a) - 1) / _n(a),
            ),
            ("-y/a, the derivative with respect to a, is given", lambda a: -_y(a) / _a(a) / _n(a)),
        ],
    },
    step="softmax cross-entropy",
)


# ---- dropout: whoever writes it may draw in his own way ----------------------------------------


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
    y = named(function(*args.values()), ("y",))["y"]
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


def _near(value):
    """A twin of the dropped share, as exact as 2,000 draws are."""

    def share(args):
        return value(args["rate"])

    return share


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
    step="dropout, forward",
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
    step="dropout, backward",
)

EXERCISES = (SOFTMAX_CROSS_ENTROPY, DROPOUT, DROPOUT_BACKWARD)

"""Softmax cross-entropy."""

import numpy as np

from ... import ops
from ..exercise import Exercise, Probe
from . import computations
from .common import noise


def _entropy_probes(rng):
    for n in (1, 2, 5):
        for k in (3, 4):
            for scale, words in ((1, "small"), (1000, "in the thousands")):
                logits = noise(rng, n, k) * scale + (0 if scale > 1 else 1)
                labels = rng.integers(0, k, n)
                labels[0] = logits[0].argmin()  # one that is not guessed right already
                args = {"logits": logits, "labels": labels}
                about = {"batch": n, "classes": k, "scores": words}
                yield Probe(args, about, {"N": n, "K": k, "ln 2": np.log(2)})


def _a(args):
    e = np.exp(_shifted(args))
    return e / e.sum(axis=1, keepdims=True)


def _y(args):
    return np.eye(args["logits"].shape[1])[args["labels"]]


def _n(args):
    return len(args["labels"])


def _picked(args, table):
    return table[np.arange(_n(args)), args["labels"]]


def _others(args, table):
    return np.where(_y(args) == 1, 0, table)


def _shifted(args):
    return args["logits"] - args["logits"].max(axis=1, keepdims=True)


def _log_a(args):
    s = _shifted(args)
    return s - np.log(np.exp(s).sum(axis=1, keepdims=True))


def _next(args, step=1):
    return args | {"labels": (args["labels"] + step) % args["logits"].shape[1]}


def _softmax_of(s):
    e = np.exp(s - s.max())
    return e / e.sum()


def _shares(args):
    return args["logits"] / args["logits"].sum(axis=1, keepdims=True)


def _columns_of_labels(args):
    a = _a(args)
    a[:, args["labels"]] -= 1
    return a / _n(args)


def _log_columns(args):
    s = args["logits"] - args["logits"].max(axis=0)
    return s - np.log(np.exp(s).sum(axis=0))


def _columns(args):
    e = np.exp(args["logits"] - args["logits"].max(axis=0))
    return e / e.sum(axis=0)


def _smoothed(output):
    """Twins: labels that are smoothed, which is not asked for."""
    for share in (0.05, 0.1, 0.2):
        for by in ("K", "K - 1"):
            words = f"y is smoothed by {share:g}, spread over {by} classes: that is not asked for"
            yield words, _with_shares(output, share, by)


def _with_shares(output, share, by):
    def twin(a):
        y, k = _y(a), a["logits"].shape[1]
        other = np.full(y.shape, 1 / k) if by == "K" else (1 - y) / (k - 1)
        y = (1 - share) * y + share * other
        return -(y * _log_a(a)).sum() / _n(a) if output == "loss" else (_a(a) - y) / _n(a)

    return twin


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
                "the labels are taken one class too high",
                lambda a: -np.mean(_picked(_next(a), _log_a(a))),
            ),
            (
                "the labels are taken one class too low",
                lambda a: -np.mean(_picked(_next(a, -1), _log_a(a))),
            ),
            *_smoothed("loss"),
            ("only the first example is counted", lambda a: -_log_a(a)[0, a["labels"][0]]),
            (
                "it is the mean squared error of a and y",
                lambda a: np.mean((_a(a) - _y(a)) ** 2),
            ),
            (
                "it is the binary cross-entropy of each class",
                lambda a: ops.bce_with_logits(a["logits"], _y(a))[0],
            ),
            (
                "the sum of 1 - a stands in place of -log a",
                lambda a: np.mean(1 - _picked(a, _a(a))),
            ),
            (
                "-log(1 - a) of the other classes is added",
                lambda a: (
                    -np.mean(_picked(a, _log_a(a))) - (_others(a, np.log1p(-_a(a)))).sum() / _n(a)
                ),
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
                lambda a: -np.mean(_picked(a, _log_columns(a))),
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
            (
                "only the label's score less the maximum is there: the log of the sum is missing",
                lambda a: -np.mean(_picked(a, _shifted(a))),
            ),
        ],
        "dlogits": [
            ("the exponential is missing: a is s / sum s", lambda a: (_shares(a) - _y(a)) / _n(a)),
            (
                "the exponential is missing: a is |s| / sum |s|",
                lambda a: (
                    (np.abs(a["logits"]) / np.abs(a["logits"]).sum(1, keepdims=True) - _y(a))
                    / _n(a)
                ),
            ),
            *_smoothed("dlogits"),
            (
                "1 is taken off the class of the highest score, not off the label's",
                lambda a: (_a(a) - np.eye(a["logits"].shape[1])[a["logits"].argmax(1)]) / _n(a),
            ),
            ("1 is taken off the whole column of each label, not off its cell", _columns_of_labels),
            (
                "the labels are taken one class too high",
                lambda a: (_a(a) - _y(_next(a))) / _n(a),
            ),
            (
                "the labels are taken one class too low",
                lambda a: (_a(a) - _y(_next(a, -1))) / _n(a),
            ),
            (
                "softmax's slope a (1 - a) is multiplied in once more",
                lambda a: _a(a) * (1 - _a(a)) * (_a(a) - _y(a)) / _n(a),
            ),
            (
                "it is a (1 - a) / N, softmax's slope: the labels are not used",
                lambda a: _a(a) * (1 - _a(a)) / _n(a),
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
    steps=computations.softmax_cross_entropy,
    step=("pretrained:paper", "the loss", "backward"),
)

EXERCISES = (SOFTMAX_CROSS_ENTROPY,)

"""Batch normalisation, forward, with its running statistics."""

import numpy as np

from ... import ops
from ..exercise import Exercise, Probe
from . import computations
from .common import noise


def cases(rng):
    """x, the parameters and what is said of them: features and images, gamma 1 and others, ..."""
    for train in (True, False):
        for form in ("features", "images"):
            for gamma in ("1", "not 1"):
                for n in (2, 4):
                    shape = (n, 3) if form == "features" else (n, 4, 3, 3)
                    x = noise(rng, *shape) * (0.5, 1, 2) + (1, -1, 0.5)
                    g = np.ones(3) if gamma == "1" else rng.random(3) + 1.5
                    about = {"train": train, "x": form, "gamma": gamma, "batch": n}
                    m = x.size // 3
                    yield (
                        x,
                        g,
                        train,
                        about,
                        {"N": n, "M": m, "H*W": m // n, "M/(M-1)": m / (m - 1)},
                    )


def _forward(rng):
    for x, gamma, train, about, sizes in cases(rng):
        for momentum in (0.9, 0.6):
            args = {
                "x": x,
                "gamma": gamma,
                "beta": noise(rng, 3),
                "running_mean": noise(rng, 3),
                "running_var": rng.random(3) + 0.5,
                "train": train,
                "momentum": momentum,
                "eps": 1e-3,
            }
            more = {"1/momentum": 1 / momentum, "1/(1-momentum)": 1 / (1 - momentum)}
            yield Probe(args, about | {"momentum": momentum}, sizes | more)


def _moments(a, ddof=0):
    axes = tuple(range(a["x"].ndim - 1))
    if a["train"]:
        return a["x"].mean(axes), a["x"].var(axes, ddof=ddof)
    return a["running_mean"], a["running_var"]


def _with(mean, var, std=None):
    """y from other moments: mean(args), var(args), std(var, eps)."""
    std = std or (lambda v, eps: np.sqrt(v + eps))
    return lambda a: a["gamma"] * (a["x"] - mean(a)) / std(var(a), a["eps"]) + a["beta"]


def _mean(a):
    return _moments(a)[0]


def _var(a):
    return _moments(a)[1]


def _inv(a):
    return 1 / np.sqrt(_var(a) + a["eps"])


def _batch(a, f, ddof=0):
    axes = tuple(range(a["x"].ndim - 1))
    return a["x"].mean(axes) if f == "mean" else a["x"].var(axes, ddof=ddof)


def _running(name, kind):
    """The terms of a running value, and its usual mistakes."""

    def old(a):
        return a[name] * (a["momentum"] if a["train"] else 1)

    def new(a):
        return (1 - a["momentum"]) * _batch(a, kind) * a["train"]

    terms = [
        (f"the old value, momentum * {name},", old),
        (f"the batch's value, (1 - momentum) * {kind},", new),
    ]

    def exchanged(a):
        m = a["momentum"]
        return (1 - m) * a[name] + m * _batch(a, kind) if a["train"] else a[name]

    def twice(a):
        m = a["momentum"]
        once = m * a[name] + (1 - m) * _batch(a, kind)
        return m * once + (1 - m) * _batch(a, kind) if a["train"] else a[name]

    def first(a):
        m = a["momentum"]
        return m * a[name] + (1 - m) * a["x"].reshape(-1, 3)[0] if a["train"] else a[name]

    twins = [
        ("momentum and 1 - momentum are exchanged", exchanged),
        (
            "it becomes the batch's value alone",
            lambda a: _batch(a, kind) if a["train"] else a[name],
        ),
        ("it stays as it was", lambda a: a[name]),
        ("training updates it twice", twice),
        ("the first value of each channel stands in the place of the batch's", first),
        (
            "it is updated when not training too",
            lambda a: a["momentum"] * a[name] + (1 - a["momentum"]) * _batch(a, kind),
        ),
    ]
    return terms, twins


def _of_variance(value):
    """A twin: another value of the batch goes into running_var."""

    def twin(a):
        kept, m = a["running_var"], a["momentum"]
        return m * kept + (1 - m) * value(a) if a["train"] else kept

    return twin


VARIANCE = [
    (
        "the batch's variance is divided by M - 1, not by M",
        _of_variance(lambda a: _batch(a, "var", 1)),
    ),
    (
        "the standard deviation is averaged, not the variance",
        _of_variance(lambda a: np.sqrt(_batch(a, "var"))),
    ),
    ("eps is added to the batch's variance", _of_variance(lambda a: _batch(a, "var") + a["eps"])),
]
MEAN, VAR = _running("running_mean", "mean"), _running("running_var", "var")


def _axes_of_batch(a, f):
    """Moments over the batch alone, pixel by pixel."""
    return f(a["x"], axis=0) if a["train"] else a["running_" + f.__name__]


def _spread(f):
    """Another deviation in training, f(x, mean, axes), squared: it stands for the variance."""

    def var(a):
        axes = tuple(range(a["x"].ndim - 1))
        return f(a["x"], _mean(a), axes) ** 2 if a["train"] else a["running_var"]

    return var


def _eps(var, eps):
    return np.sqrt(var + eps)


def _of_images(a, kind):
    """Moments of each image; features have none: theirs are the batch's."""
    x = a["x"]
    if a["train"] and x.ndim == 4:
        return getattr(x, kind)((1, 2), keepdims=True)
    return _batch(a, kind) if a["train"] else a["running_" + kind]


BATCH_NORM = Exercise(
    "batch_norm",
    "batch norm, forward, with running statistics",
    3,
    ("ops/norm.py", "batch_norm"),
    ("y",),
    _forward,
    ops.batch_norm,
    "x is (N, C) or (N, H, W, C): the statistics of a channel are over all other axes. The "
    "variance\n"
    "is the biased one, divided by M. Training changes running_mean and running_var in "
    "place; in use\n"
    "y is made from them.",
    ">>> x, one, zero = np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1)\n"
    ">>> mean, var = np.zeros(1), np.ones(1)\n"
    ">>> batch_norm(x, one, zero, mean, var, True, 0.9, 0.0)[0].ravel()  # mean 2, variance 1\n"
    "array([-1.,  1.])\n"
    ">>> mean.round(4), var.round(4)  # 0.9 * 0 + 0.1 * 2, and 0.9 * 1 + 0.1 * 1\n"
    "(array([0.2]), array([1.]))",
    "mean[c] = 1/M sum x[...,c]    var[c] = 1/M sum (x[...,c] - mean[c])^2    (of the batch)\n"
    "xhat[...,c] = (x[...,c] - mean[c]) / sqrt(var[c] + eps)\n"
    "y[...,c] = gamma[c] * xhat[...,c] + beta[c]\n"
    "in training, in place: running = momentum * running + (1 - momentum) * batch\n"
    "x (..., C), gamma, beta, running_mean, running_var (C,) -> y (..., C)",
    changed=("running_mean", "running_var"),
    axes={"y": ("example", "channel")},
    terms={
        "y": [
            ("gamma * x / std", lambda a: a["gamma"] * a["x"] * _inv(a)),
            ("- gamma * mean / std", lambda a: -a["gamma"] * _mean(a) * _inv(a)),
            ("the shift beta", lambda a: a["beta"]),
        ],
        "running_mean": MEAN[0],
        "running_var": VAR[0],
    },
    twins={
        "y": [
            (
                "the variance is divided by M - 1, not by M",
                _with(_mean, lambda a: _moments(a, 1)[1]),
            ),
            ("eps is missing under the root", _with(_mean, _var, lambda v, eps: np.sqrt(v))),
            ("eps is added outside the root", _with(_mean, _var, lambda v, eps: np.sqrt(v) + eps)),
            (
                "it is divided by the variance, not by its root",
                _with(_mean, _var, lambda v, eps: v + eps),
            ),
            (
                "it is divided by the mean of |x - mean|, not by the standard deviation",
                _with(_mean, _spread(lambda x, mean, axes: np.abs(x - mean).mean(axes)), _eps),
            ),
            (
                "it is divided by the largest less the smallest value",
                _with(_mean, _spread(lambda x, mean, axes: np.ptp(x, axes)), _eps),
            ),
            (
                "it is divided by the norm of x - mean",
                _with(
                    _mean, _spread(lambda x, mean, axes: np.sqrt(((x - mean) ** 2).sum(axes))), _eps
                ),
            ),
            ("it is not divided by the standard deviation", _with(_mean, _var, lambda v, eps: 1)),
            (
                "the running statistics are used in training too",
                _with(lambda a: a["running_mean"], lambda a: a["running_var"]),
            ),
            (
                "the batch's statistics are used when not training too",
                _with(lambda a: _batch(a, "mean"), lambda a: _batch(a, "var")),
            ),
            (
                "the statistics are over the batch alone, not over rows and columns",
                _with(lambda a: _axes_of_batch(a, np.mean), lambda a: _axes_of_batch(a, np.var)),
            ),
            (
                "the statistics are those of each image alone: that is instance norm",
                _with(lambda a: _of_images(a, "mean"), lambda a: _of_images(a, "var")),
            ),
            (
                "mean and variance are over all channels together",
                _with(
                    lambda a: a["x"].mean() if a["train"] else a["running_mean"],
                    lambda a: a["x"].var() if a["train"] else a["running_var"],
                ),
            ),
            (
                "mean and variance are over the channels of each cell: that is layer norm",
                _with(
                    lambda a: a["x"].mean(-1, keepdims=True) if a["train"] else a["running_mean"],
                    lambda a: a["x"].var(-1, keepdims=True) if a["train"] else a["running_var"],
                ),
            ),
            (
                "beta is added before gamma multiplies",
                lambda a: a["gamma"] * ((a["x"] - _mean(a)) * _inv(a) + a["beta"]),
            ),
            (
                "training normalises with the running values after their update",
                _with(lambda a: _updated(a, "mean"), lambda a: _updated(a, "var")),
            ),
        ],
        "running_mean": MEAN[1],
        "running_var": VAR[1] + VARIANCE,
    },
    steps=computations.batch_norm,
    step=("pretrained:paper", "BatchNorm", "forward"),
)


def _updated(a, kind):
    old, m = a["running_" + kind], a["momentum"]
    return m * old + (1 - m) * _batch(a, kind) if a["train"] else old


EXERCISES = (BATCH_NORM,)

"""Batch normalisation, backward, by three terms."""

import numpy as np

from ... import ops
from ..exercise import Exercise, Probe
from . import computations
from .batch_norm import cases
from .common import judge, noise


def _backward(rng):
    for x, gamma, train, about, sizes in cases(rng):
        y, cache = ops.batch_norm(
            x, gamma, noise(rng, 3), noise(rng, 3), rng.random(3) + 0.5, train
        )
        yield Probe({"dy": noise(rng, *y.shape), "cache": cache}, about, sizes)


def _parts(a):
    """gamma * inv_std, xhat, dbeta, dgamma, m, and 1 in training, else 0."""
    c, dy = a["cache"], a["dy"]
    axes = tuple(range(dy.ndim - 1))
    m = dy.size / dy.shape[-1]
    return c.gamma * c.inv_std, c.xhat, dy.sum(axes), (dy * c.xhat).sum(axes), m, 1.0 * c.train


def _first(a):
    return _parts(a)[0] * a["dy"]


def _second(a):
    k, _, dbeta, _, m, on = _parts(a)
    return -on * k * dbeta / m * np.ones_like(a["dy"])


def _third(a):
    k, xhat, _, dgamma, m, on = _parts(a)
    return -on * k * xhat * dgamma / m


def _over_the_batch(a):
    dy, xhat, on = a["dy"], a["cache"].xhat, _parts(a)[5]
    return _parts(a)[0] * (dy - on * (dy.mean(0) + xhat * (dy * xhat).mean(0)))


def _sum(dy):
    return dy.sum(axis=tuple(range(dy.ndim - 1)))


BATCH_NORM_BACKWARD = Exercise(
    "batch_norm_backward",
    "batch norm, backward, by three terms",
    3,
    ("ops/norm.py", "batch_norm_backward"),
    ("dx", "dgamma", "dbeta"),
    _backward,
    ops.batch_norm_backward,
    "In training mean and variance depend on every x of the channel, so that dx has three terms.\n"
    "In use only the first remains. M is the number of values a channel.",
    ">>> one, zero = np.ones(1), np.zeros(1)\n"
    ">>> x = np.array([[1.0], [2.0], [3.0]])\n"
    ">>> y, cache = ops.batch_norm(x, one, zero, zero.copy(), one.copy(), True)\n"
    ">>> dx, dgamma, dbeta = batch_norm_backward(np.ones((3, 1)), cache)\n"
    ">>> dbeta, bool(abs(dx).max() < 1e-12)  # a constant dy only moves the mean: dx is 0\n"
    "(array([3.]), True)",
    given=("batch_norm",),
    axes={"dx": ("example", "channel"), "dgamma": ("channel",), "dbeta": ("channel",)},
    terms={
        "dx": [
            ("the first term, x moves its own xhat,", _first),
            ("the second term, x moves the mean,", _second),
            ("the third term, x moves the variance,", _third),
        ]
    },
    twins={
        "dx": [
            ("gamma is missing", lambda a: (_first(a) + _second(a) + _third(a)) / a["cache"].gamma),
            (
                "gamma is there twice",
                lambda a: (_first(a) + _second(a) + _third(a)) * a["cache"].gamma,
            ),
            (
                "inv_std is missing",
                lambda a: (_first(a) + _second(a) + _third(a)) / a["cache"].inv_std,
            ),
            (
                "inv_std is there twice",
                lambda a: (_first(a) + _second(a) + _third(a)) * a["cache"].inv_std,
            ),
            (
                "only the first term has gamma * inv_std",
                lambda a: _first(a) + (_second(a) + _third(a)) / _parts(a)[0],
            ),
            (
                "gamma is missing in the second and third term",
                lambda a: _first(a) + (_second(a) + _third(a)) / a["cache"].gamma,
            ),
            (
                "all three terms are used when not training too",
                lambda a: (
                    _parts(a)[0]
                    * (
                        a["dy"]
                        - _parts(a)[2] / _parts(a)[4]
                        - _parts(a)[1] * _parts(a)[3] / _parts(a)[4]
                    )
                ),
            ),
            (
                "x - mean stands in the place of xhat in the third term",
                lambda a: _first(a) + _second(a) + _third(a) / a["cache"].inv_std,
            ),
            ("the sums are over the batch alone, not over rows and columns", _over_the_batch),
            (
                "the second term's sum is over the batch alone, not over rows and columns",
                lambda a: _first(a) - _parts(a)[5] * _parts(a)[0] * a["dy"].mean(0) + _third(a),
            ),
            (
                "the third term's sum is over the batch alone, not over rows and columns",
                lambda a: (
                    _first(a)
                    + _second(a)
                    - _parts(a)[5]
                    * _parts(a)[0]
                    * a["cache"].xhat
                    * (a["dy"] * a["cache"].xhat).mean(0)
                ),
            ),
            (
                "the sums are over the channels of each cell, not over the other axes",
                lambda a: (
                    _parts(a)[0]
                    * (
                        a["dy"]
                        - _parts(a)[5] * a["dy"].mean(-1, keepdims=True)
                        - _parts(a)[5]
                        * a["cache"].xhat
                        * (a["dy"] * a["cache"].xhat).mean(-1, keepdims=True)
                    )
                ),
            ),
            (
                "inv_std is there twice in the third term",
                lambda a: _first(a) + _second(a) + _third(a) * a["cache"].inv_std,
            ),
            (
                "xhat is squared in the third term",
                lambda a: _first(a) + _second(a) + _third(a) * a["cache"].xhat,
            ),
            (
                "the third term has no xhat",
                lambda a: (
                    _first(a)
                    + _second(a)
                    - _parts(a)[5] * _parts(a)[0] * _parts(a)[3] / _parts(a)[4]
                ),
            ),
            (
                "the third term sums dy, not dy * xhat",
                lambda a: (
                    _first(a)
                    + _second(a)
                    - _parts(a)[5] * _parts(a)[0] * _parts(a)[1] * _parts(a)[2] / _parts(a)[4]
                ),
            ),
        ],
        "dgamma": [
            ("xhat is missing: it is dbeta", lambda a: _sum(a["dy"])),
            ("dy is missing", lambda a: _sum(a["cache"].xhat)),
            (
                "gamma does not belong there: y = gamma * xhat, or gamma itself, is multiplied in",
                lambda a: _sum(a["dy"] * a["cache"].xhat) * a["cache"].gamma,
            ),
            (
                "it is the sum of dy times the sum of xhat",
                lambda a: _sum(a["dy"]) * _sum(a["cache"].xhat),
            ),
        ],
        "dbeta": [
            ("it is dgamma: xhat does not belong there", lambda a: _sum(a["dy"] * a["cache"].xhat)),
            ("gamma does not belong there", lambda a: _sum(a["dy"]) * a["cache"].gamma),
        ],
    },
    judge=judge(
        lambda x, gamma, beta: ops.batch_norm(
            x, gamma, beta, np.zeros(2, x.dtype), np.ones(2, x.dtype), True
        ),
        lambda: [
            np.random.default_rng(i).standard_normal(s) for i, s in enumerate(((6, 2), (2,), (2,)))
        ],
        "x",
        "gamma",
        "beta",
    ),
    steps=computations.batch_norm_backward,
    step=("pretrained:paper", "BatchNorm", "backward"),
)

EXERCISES = (BATCH_NORM_BACKWARD,)

"""Reparameterisation: the sampled layer of a VAE."""

import copy
import itertools

import numpy as np

from ... import ops
from ..exercise import Exercise, Probe, Trouble, named, replaced
from . import computations
from .common import CODE, judge, noise


def _sample_probes(rng):
    for train, n, spread in itertools.product((True, False), (40, 60), (0.5, 2.0)):
        args = {
            "mean": noise(rng, n, 30),
            "log_var": noise(rng, n, 30) * spread,
            "rng": np.random.default_rng(int(rng.integers(1 << 30))),
            "train": train,
        }
        yield Probe(args, {"train": train, "batch": n, "log_var": spread}, {"N": n})


def _sample_run(function, args):
    """z, and e: what the same generator gives for mean 0 and log_var 0, measured."""
    zero = np.zeros_like(args["mean"])
    _check_rng(function, args, zero)
    blank = replaced(args, {"mean": zero, "log_var": zero, "rng": copy.deepcopy(args["rng"])})
    e = np.asarray(named(function(*blank.values()), ("z",))["z"])
    z = named(function(*args.values()), ("z",))["z"]
    if e.shape != zero.shape:
        raise Trouble(f"z has the shape {e.shape}, not that of mean, {zero.shape}")
    e = np.asarray(e, float)
    if args["train"] and e.any() and ((e == e[:1]).all() or (e == e[:, :1]).all()):
        raise Trouble("one e stands for a whole row or column: every cell needs its own draw")
    kurtosis = np.mean((e - e.mean()) ** 4) / max(e.var() ** 2, 1e-12)
    return {
        "z": z,
        "deviation of e": _snapped(e.std(), (0, 1)),
        "mean of e": _snapped(e.mean(), (0, 0.5)),
        "form of e": _snapped(kurtosis, (0, 3, 1.8), 0.5),
        "_e": e,
    }


def _check_rng(function, args, zero):
    """Raises Trouble where two generators give one z."""
    if not args["train"]:
        return
    calls = [args | {"mean": zero, "rng": np.random.default_rng(i)} for i in (1, 2)]
    first, second = (named(function(*one.values()), ("z",))["z"] for one in calls)
    if np.array_equal(first, second) and np.any(first):
        raise Trouble("nothing is drawn from rng: another generator gives the same")


def _snapped(value, known, within=0.1):
    near = min(known, key=lambda k: abs(value - k))
    return np.float64(near if abs(value - near) < within else value)


def _sample_right(args, got):
    e, on = (0, 0) if got is None else (got["_e"], args["train"])
    return {
        "z": args["mean"] + (np.exp(args["log_var"] / 2) * e if on else 0),
        "deviation of e": np.float64(args["train"]),
        "mean of e": np.float64(0),
        "form of e": np.float64(3 * args["train"]),
    }


def _drawn(deviation):
    """A twin: another deviation(log_var), with the student's own draw."""
    return lambda a: a["mean"] + a["train"] * deviation(a["log_var"]) * a.get("_e", 1.0)


def _scaled_mean(a):
    scaled = np.exp(a["log_var"] / 2) * (a["mean"] + a.get("_e", 1.0))
    return scaled if a["train"] else a["mean"]


SAMPLE = Exercise(
    "gaussian_sample",
    "reparameterisation: a draw that gradients pass through",
    6,
    ("ops/sample.py", "gaussian_sample"),
    ("z",),
    _sample_probes,
    ops.gaussian_sample,
    "z is drawn from N(mean, exp(log_var)) by way of e from N(0, 1), one for each cell, "
    "from rng. When "
    "not training z is the mean.",
    ">>> zero = np.zeros((1, 2))\n"
    ">>> gaussian_sample(zero + 3, zero, None, train=False)[0]\narray([[3., 3.]])",
    "z = m + s * e      e ~ N(0, 1), s the standard deviation; log_var v is log s^2\n"
    "when not training z = m",
    run=_sample_run,
    right=_sample_right,
    float32=False,
    tolerance=1e-5,
    axes={"z": CODE},
    twins={
        "z": [
            (
                "exp(v) stands in the place of exp(v/2): the variance is used as deviation",
                _drawn(np.exp),
            ),
            (
                "log_var is used as the deviation itself",
                _drawn(lambda v: 1 + 0 * v if not v.any() else v),
            ),
            ("the root of log_var is used", _drawn(lambda v: np.sqrt(np.abs(v)))),
            ("the deviation is not used: it is mean + e", _drawn(np.ones_like)),
            *(
                (
                    f"{eps:g} is added to the variance",
                    _drawn(lambda v, e=eps: np.sqrt(np.exp(v) + e)),
                )
                for eps in (1e-2, 1e-3)
            ),
            *(
                (f"{eps:g} is added to the deviation", _drawn(lambda v, e=eps: np.exp(v / 2) + e))
                for eps in (1e-2, 1e-3)
            ),
            ("log(1 + exp(v)) is used: the softplus", _drawn(lambda v: np.logaddexp(0, v))),
            ("the mean is scaled by exp(v/2) too", _scaled_mean),
            ("the mean is missing", lambda a: _drawn(lambda v: np.exp(v / 2))(a) - a["mean"]),
            (
                "exp(v/2) is added when not training too, without a draw",
                lambda a: (
                    a["mean"] + np.exp(a["log_var"] / 2) * (a.get("_e", 1.0) if a["train"] else 1)
                ),
            ),
            (
                "the draw is made when not training too",
                lambda a: a["mean"] + np.exp(a["log_var"] / 2) * a.get("_e", 0.5),
            ),
        ],
        "deviation of e": [
            (
                "nothing is drawn where log_var is 0: no draw, or log_var without exp",
                lambda a: np.float64(0),
            ),
        ],
        "form of e": [("e is uniform, not normal", lambda a: np.float64(1.8 * a["train"]))],
    },
    steps=computations.gaussian_sample,
    step="numpycnn/ops/DERIVATIONS.md, The sampling layer",
)


def _sample_backward_probes(rng):
    for train, n, spread in itertools.product((True, False), (1, 5), (0.5, 2.0)):
        z, cache = ops.gaussian_sample(noise(rng, n, 3), noise(rng, n, 3) * spread, rng, train)
        about = {"train": train, "batch": n, "log_var": spread}
        yield Probe({"dz": noise(rng, *z.shape), "cache": cache}, about, {"N": n})


def _judged_sample(mean, log_var):
    return ops.gaussian_sample(mean, log_var, np.random.default_rng(3), True)


SAMPLE_BACKWARD = Exercise(
    "gaussian_sample_backward",
    "reparameterisation, backward",
    6,
    ("ops/sample.py", "gaussian_sample_backward"),
    ("dmean", "dlog_var"),
    _sample_backward_probes,
    ops.gaussian_sample_backward,
    "With e held fixed, z is an ordinary function of mean and log_var. The cache has "
    "`noise`, which "
    "is exp(v/2) e, and 0 when not training.",
    ">>> from numpycnn.backend import Cache\n"
    ">>> z = np.zeros((1, 1))\n"
    ">>> cache = Cache('gaussian_sample', z, noise=np.array([[6.0]]))\n"
    ">>> gaussian_sample_backward(np.array([[2.0]]), cache)[1]  # 2 * 6 / 2\narray([[6.]])",
    "dm[n,d] = dz[n,d]      dv[n,d] = dz[n,d] * 1/2 exp(v[n,d]/2) e[n,d]",
    given=("gaussian_sample",),
    axes={"dmean": CODE, "dlog_var": CODE},
    judge=judge(
        _judged_sample,
        lambda: [np.random.default_rng(i).standard_normal((3, 2)) for i in (1, 2)],
        "mean",
        "log_var",
    ),
    twins={
        "dmean": [
            (
                "it is multiplied by the noise: that belongs to dlog_var",
                lambda a: a["dz"] * a["cache"].noise,
            ),
        ],
        "dlog_var": [
            ("the factor 1/2 of exp(v/2) is missing", lambda a: a["dz"] * a["cache"].noise),
            ("the noise is missing: it is dz / 2", lambda a: a["dz"] / 2),
            ("dz is missing", lambda a: a["cache"].noise / 2),
        ],
    },
    steps=computations.gaussian_sample_backward,
    step="numpycnn/ops/DERIVATIONS.md, The sampling layer",
)

EXERCISES = (
    SAMPLE,
    SAMPLE_BACKWARD,
)

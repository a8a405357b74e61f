"""The KL divergence of a VAE's code."""

import itertools

import numpy as np

from ... import ops
from ..exercise import Exercise, Probe
from . import computations
from .common import CODE, noise


def _kl_probes(rng):
    for n, d, spread in itertools.product((1, 3, 4), (2, 5), (0.5, 2.0)):
        args = {"mean": noise(rng, n, d), "log_var": noise(rng, n, d) * spread}
        about = {"batch": n, "units": d, "log_var": spread}
        yield Probe(args, about, {"N": n, "D": d, "N*D": n * d})


def _per(f):
    """A term of the loss: summed over the cells, divided by N."""
    return lambda a: np.sum(f(a["mean"], a["log_var"])) / len(a["mean"])


KL = Exercise(
    "gaussian_kl",
    "the KL divergence of a VAE's code",
    6,
    ("ops/loss.py", "gaussian_kl"),
    ("loss", "dmean", "dlog_var"),
    _kl_probes,
    ops.gaussian_kl,
    "How far N(mean, exp(log_var)) is from N(0, 1): summed over the units of a code, "
    "averaged over the "
    "batch. Return the loss and (dmean, dlog_var).",
    ">>> loss, (dmean, dlog_var) = gaussian_kl(np.array([[2.0]]), np.array([[0.0]]))\n"
    ">>> loss, dmean, dlog_var  # (1 + 4 - 1 - 0) / 2\n"
    "(2.0, array([[2.]]), array([[0.]]))",
    "C = 1/N sum_{n,d} 1/2 (exp(v) + m^2 - 1 - v)\n"
    "dC/dm[n,d] = m[n,d] / N      dC/dv[n,d] = 1/2 (exp(v[n,d]) - 1) / N",
    axes={"dmean": CODE, "dlog_var": CODE},
    terms={
        "loss": [
            ("the term exp(v)", _per(lambda m, v: np.exp(v) / 2)),
            ("the term m^2", _per(lambda m, v: m * m / 2)),
            ("the term -1", _per(lambda m, v: -0.5 + 0 * v)),
            ("the term -v", _per(lambda m, v: -v / 2)),
        ],
        "dlog_var": [
            ("the term exp(v)", lambda a: np.exp(a["log_var"]) / 2 / len(a["mean"])),
            ("the term -1", lambda a: -0.5 / len(a["mean"]) + 0 * a["mean"]),
        ],
    },
    twins={
        "loss": [
            (
                "exp(v/2) stands in the place of exp(v)",
                _per(lambda m, v: 0.5 * (np.exp(v / 2) + m * m - 1 - v)),
            ),
            (
                "|m| stands in the place of m^2",
                _per(lambda m, v: 0.5 * (np.exp(v) + np.abs(m) - 1 - v)),
            ),
            ("m stands in the place of m^2", _per(lambda m, v: 0.5 * (np.exp(v) + m - 1 - v))),
            (
                "log |v| stands in the place of v",
                _per(lambda m, v: 0.5 * (np.exp(v) + m * m - 1 - np.log(np.abs(v)))),
            ),
            (
                "v stands in the place of exp(v): log_var is read as the variance, its log missing",
                _per(lambda m, v: 0.5 * (v + m * m - 1 - v)),
            ),
            (
                "v^2 stands in the place of exp(v): log_var is read as the deviation",
                _per(lambda m, v: 0.5 * (v * v + m * m - 1 - np.log(v * v))),
            ),
        ],
        "dlog_var": [
            (
                "exp(v/2) stands in the place of exp(v)",
                lambda a: (np.exp(a["log_var"] / 2) - 1) / 2 / len(a["mean"]),
            ),
            ("v stands in the place of exp(v)", lambda a: (a["log_var"] - 1) / 2 / len(a["mean"])),
        ],
        "dmean": [
            ("m^2 stands in the place of m", lambda a: a["mean"] ** 2 / len(a["mean"])),
            ("it is the derivative of exp(v)", lambda a: np.exp(a["log_var"]) / len(a["mean"])),
        ],
    },
    steps=computations.gaussian_kl,
    step="numpycnn/ops/DERIVATIONS.md, The sampling layer",
)

EXERCISES = (KL,)

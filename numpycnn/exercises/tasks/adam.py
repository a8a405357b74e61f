"""Adam with bias correction."""

import itertools

import numpy as np

from ...ops.update import adam_update
from ..exercise import Exercise, Probe
from . import computations
from .common import came, noise


def _adam_probes(rng):
    kinds = ("none", "added to the gradient", "decoupled")
    for t, kind, shape, beta1 in itertools.product((1, 2, 7), kinds, ((5,), (3, 2)), (0.9, 0.5)):
        first = t == 1
        args = {
            "value": noise(rng, *shape),
            "grad": noise(rng, *shape) * 0.1,
            "m": np.zeros(shape) if first else noise(rng, *shape) * 0.1,
            "v": np.zeros(shape) if first else rng.random(shape) * 0.01,
            "t": t,
            "lr": 0.05,
            "beta1": beta1,
            "beta2": 0.99 if beta1 > 0.5 else 0.95,
            "eps": 1e-3,
            "decay": 0.0 if kind == "none" else 0.1,
            "decoupled": kind == "decoupled",
        }
        about = {
            "t": t,
            "decay": kind,
            "value": "a vector" if len(shape) == 1 else "a matrix",
            "beta1": beta1,
        }
        beta2 = args["beta2"]
        sizes = {
            "lr": 0.05,
            "t": t,
            "1/beta1": 1 / beta1,
            "1/(1-beta1)": 1 / (1 - beta1),
            "1/beta2": 1 / beta2,
            "1/(1-beta2)": 1 / (1 - beta2),
        }
        yield Probe(args, about, sizes)


def _adam(m=None, v=None, mh=None, vh=None, step=None, decay=None):
    """A twin: Adam with one line replaced."""

    def twin(a):
        coupled = a["decay"] and not a["decoupled"]
        g = a["grad"] + (a["decay"] * a["value"] if coupled else 0)
        new_m = m(a, g) if m else a["beta1"] * a["m"] + (1 - a["beta1"]) * g
        new_v = v(a, g) if v else a["beta2"] * a["v"] + (1 - a["beta2"]) * g * g
        m_hat = mh(a, new_m) if mh else new_m / (1 - a["beta1"] ** a["t"])
        v_hat = vh(a, new_v) if vh else new_v / (1 - a["beta2"] ** a["t"])
        move = step(a, m_hat, v_hat) if step else m_hat / (np.sqrt(v_hat) + a["eps"])
        value = a["value"] * (1 - a["lr"] * a["decay"]) if a["decoupled"] else a["value"]
        if decay:
            value = decay(a)
        return {"value": value - a["lr"] * move, "m": new_m, "v": new_v}

    return twin


def _corrected(a, name, beta):
    return _adam()(a)[name] / (1 - a[beta] ** a["t"])


def _always_coupled(a):
    """m and v of g = grad + decay * value, with the value after the decoupled decay, if any."""
    value = a["value"] * (1 - a["lr"] * a["decay"] * a["decoupled"])
    return _adam()(a | {"value": value, "decoupled": False})


def _decayed_after(a):
    plain = _adam(decay=lambda a: a["value"])(a)["value"]
    return plain * (1 - a["lr"] * a["decay"]) if a["decoupled"] else plain


ADAM = Exercise(
    "adam_update",
    "Adam with bias correction",
    4,
    ("ops/update.py", "adam_update"),
    (),
    _adam_probes,
    adam_update,
    "m and v are running averages of the gradient and of its square. They start at 0, and are too "
    "small at first: the bias correction divides by 1 - beta^t. t counts from 1. value, m "
    "and v are "
    "changed in place and nothing is returned.",
    ">>> value, m, v = np.array([1.0]), np.zeros(1), np.zeros(1)\n"
    ">>> adam_update(value, np.array([4.0]), m, v, 1, 0.1, 0.5, 0.75, 0.0, 0.0, False)\n"
    ">>> m, v, value  # m / (1/2) = 4, sqrt(v / (1/4)) = 4: the first step is lr\n"
    "(array([2.]), array([4.]), array([0.9]))",
    "m <- beta1 * m + (1 - beta1) * g\nv <- beta2 * v + (1 - beta2) * g^2\n"
    "value <- value - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)\n"
    "decay: g = grad + decay * value, or decoupled value <- value - lr * decay * value, before",
    changed=("value", "m", "v"),
    terms={
        "m": [
            ("the old average, beta1 * m,", lambda a: a["beta1"] * a["m"]),
            ("the gradient's share, (1 - beta1) * g,", lambda a: (1 - a["beta1"]) * _coupled(a)),
        ],
        "v": [
            ("the old average, beta2 * v,", lambda a: a["beta2"] * a["v"]),
            (
                "the square's share, (1 - beta2) * g^2,",
                lambda a: (1 - a["beta2"]) * _coupled(a) ** 2,
            ),
        ],
    },
    twins={
        "m": [
            ("it is kept after its bias correction", lambda a: _corrected(a, "m", "beta1")),
            ("decay goes into g, decoupled or not", lambda a: _always_coupled(a)["m"]),
        ],
        "value": [
            (
                "it follows from what is wrong in m or v",
                lambda a: _adam(m=lambda b, g: came(a, "m"), v=lambda b, g: came(a, "v"))(a)[
                    "value"
                ],
            ),
            ("the bias correction is missing", _adam(mh=lambda a, m: m, vh=lambda a, v: v)),
            ("the bias correction of m is missing", _adam(mh=lambda a, m: m)),
            ("the bias correction of v is missing", _adam(vh=lambda a, v: v)),
            (
                "the bias correction of v uses beta1",
                _adam(vh=lambda a, v: v / (1 - a["beta1"] ** a["t"])),
            ),
            (
                "the bias correction divides by 1 - beta, without t",
                _adam(
                    mh=lambda a, m: m / (1 - a["beta1"]),
                    vh=lambda a, v: v / (1 - a["beta2"]),
                ),
            ),
            (
                "the bias correction multiplies where it must divide",
                _adam(
                    mh=lambda a, m: m * (1 - a["beta1"] ** a["t"]),
                    vh=lambda a, v: v * (1 - a["beta2"] ** a["t"]),
                ),
            ),
            (
                "g is mixed into the corrected m once more: that is Nadam",
                _adam(
                    mh=lambda a, m: (
                        (a["beta1"] * m + (1 - a["beta1"]) * _coupled(a))
                        / (1 - a["beta1"] ** a["t"])
                    )
                ),
            ),
            (
                "only g is divided by the root of v, m is not used: that is RMSprop",
                _adam(
                    mh=lambda a, m: _coupled(a),
                    vh=lambda a, v: v,
                ),
            ),
            ("eps is inside the root", _adam(step=lambda a, m, v: m / np.sqrt(v + a["eps"]))),
            ("eps is missing, or far too small", _adam(step=lambda a, m, v: m / np.sqrt(v))),
            ("the root of v is missing", _adam(step=lambda a, m, v: m / (v + a["eps"]))),
            (
                "g stands in the place of the average m",
                _adam(mh=lambda a, m: _coupled(a)),
            ),
            ("it is not divided by the root of v", _adam(step=lambda a, m, v: m)),
            (
                "it goes uphill: the step is added",
                _adam(step=lambda a, m, v: -m / (v**0.5 + a["eps"])),
            ),
            (
                "the step uses m as it was before its update",
                _adam(mh=lambda a, m: a["m"] / (1 - a["beta1"] ** a["t"])),
            ),
            (
                "the step uses v as it was before its update",
                _adam(vh=lambda a, v: a["v"] / (1 - a["beta2"] ** a["t"])),
            ),
            (
                "the decoupled decay is not multiplied by lr",
                _adam(
                    decay=lambda a: a["value"] * (1 - a["decay"] * a["decoupled"]),
                ),
            ),
            ("the decoupled decay is missing", _adam(decay=lambda a: a["value"])),
            ("the decoupled decay is taken off after the step, not before", _decayed_after),
            (
                "the root is taken of v before its bias correction",
                lambda a: _adam(vh=lambda b, v: v / (1 - a["beta2"] ** a["t"]) ** 2)(a)["value"],
            ),
            (
                "beta * t stands in the place of beta^t",
                _adam(
                    mh=lambda a, m: m / (1 - a["beta1"] * a["t"]),
                    vh=lambda a, v: v / (1 - a["beta2"] * a["t"]),
                ),
            ),
            (
                "the bias correction divides by 1 + beta^t, not by 1 - beta^t",
                _adam(
                    mh=lambda a, m: m / (1 + a["beta1"] ** a["t"]),
                    vh=lambda a, v: v / (1 + a["beta2"] ** a["t"]),
                ),
            ),
            (
                "the bias correction divides by beta^t, not by 1 - beta^t",
                _adam(
                    mh=lambda a, m: m / a["beta1"] ** a["t"],
                    vh=lambda a, v: v / a["beta2"] ** a["t"],
                ),
            ),
            (
                "t counts from 0 in the bias correction",
                _adam(
                    mh=lambda a, m: m / (1 - a["beta1"] ** (a["t"] - 1)),
                    vh=lambda a, v: v / (1 - a["beta2"] ** (a["t"] - 1)),
                ),
            ),
        ],
        "v": [
            ("it is kept after its bias correction", lambda a: _corrected(a, "v", "beta2")),
            ("decay goes into g, decoupled or not", lambda a: _always_coupled(a)["v"]),
            (
                "g is not squared",
                lambda a: a["beta2"] * a["v"] + (1 - a["beta2"]) * _coupled(a),
            ),
            (
                "|g| stands in the place of g^2",
                lambda a: a["beta2"] * a["v"] + (1 - a["beta2"]) * np.abs(_coupled(a)),
            ),
            (
                "the larger of the old and the new average is kept: that is AMSGrad",
                lambda a: np.maximum(a["v"], _adam()(a)["v"]),
            ),
            (
                "beta2 * v and |g|: the larger one is kept: that is AdaMax",
                lambda a: np.maximum(a["beta2"] * a["v"], np.abs(_coupled(a))),
            ),
            (
                "the square of g - m is averaged: that is AdaBelief",
                lambda a: (
                    a["beta2"] * a["v"] + (1 - a["beta2"]) * (_coupled(a) - _adam()(a)["m"]) ** 2
                ),
            ),
            (
                "the squares are added up: that is AdaGrad",
                lambda a: a["v"] + _coupled(a) ** 2,
            ),
            (
                "the new m is squared, not g",
                lambda a: a["beta2"] * a["v"] + (1 - a["beta2"]) * _adam()(a)["m"] ** 2,
            ),
        ],
    },
    steps=computations.adam,
    step="numpycnn/ops/DERIVATIONS.md, Adam's bias correction",
)


def _coupled(a):
    return a["grad"] + (0 if a["decoupled"] else a["decay"]) * a["value"]


EXERCISES = (ADAM,)

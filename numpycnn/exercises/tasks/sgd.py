"""SGD with momentum."""

import itertools

import numpy as np

from ...ops.update import sgd_update
from ..exercise import Exercise, Probe
from . import computations
from .common import came, noise


def _sgd_probes(rng):
    grid = itertools.product((0.9, 0.5), (False, True), (0.0, 0.1), ("0", "not 0"), ((5,), (3, 2)))
    for momentum, nesterov, decay, old, shape in grid:
        velocity = noise(rng, *shape) if old == "not 0" else np.zeros(shape)
        args = {
            "value": noise(rng, *shape),
            "grad": noise(rng, *shape),
            "velocity": velocity,
            "lr": 0.3 if momentum > 0.5 else 0.2,
            "momentum": momentum,
            "nesterov": nesterov,
            "decay": decay,
        }
        about = {
            "momentum": momentum,
            "nesterov": nesterov,
            "decay": "0" if not decay else "not 0",
            "velocity": old,
            "value": "a vector" if len(shape) == 1 else "a matrix",
        }
        sizes = {"lr": args["lr"], "1/momentum": 1 / momentum, "1/(1-momentum)": 1 / (1 - momentum)}
        yield Probe(args, about, sizes)


def _g(a):
    return a["grad"] + a["decay"] * a["value"]


def _u(a):
    return a["momentum"] * a["velocity"] + _g(a)


def _sgd(u=_u, step=None):
    """A twin: another new velocity, and another step made of it."""

    def twin(a):
        new = u(a)
        look = step or (lambda a, u: _g(a) + a["momentum"] * u if a["nesterov"] else u)
        return {"value": a["value"] - a["lr"] * look(a, new), "velocity": new}

    return twin


def _looking(a, u):
    """The step without lr and without decay."""
    return a["grad"] + a["momentum"] * u if a["nesterov"] else u


def _around(value, rate=True):
    """A twin: the velocity without decay, and decay taken off the value by itself."""

    def twin(a):
        u = a["momentum"] * a["velocity"] + a["grad"]
        decay = a["decay"] * (a["lr"] if rate else 1) * value(a, u)
        return {"velocity": u, "value": a["value"] - decay - a["lr"] * _looking(a, u)}

    return twin


SGD = Exercise(
    "sgd_update",
    "SGD with momentum",
    4,
    ("ops/update.py", "sgd_update"),
    (),
    _sgd_probes,
    sgd_update,
    "The velocity u remembers earlier gradients. value and velocity are changed in place "
    "and nothing "
    "is returned.",
    ">>> value, velocity = np.array([10.0]), np.array([2.0])\n"
    ">>> sgd_update(value, np.array([3.0]), velocity, 0.1, 0.5, False, 0.0)\n"
    ">>> velocity, value  # 0.5 * 2 + 3 = 4, and 10 - 0.1 * 4\n"
    "(array([4.]), array([9.6]))",
    "g = grad + decay * value\nu <- momentum * u + g\nvalue <- value - lr * u\n"
    "nesterov: value <- value - lr * (g + momentum * u), with the new u",
    changed=("value", "velocity"),
    terms={
        "velocity": [
            ("the old velocity, momentum * velocity,", lambda a: a["momentum"] * a["velocity"]),
            ("the gradient", lambda a: a["grad"]),
            ("the weight decay, decay * value,", lambda a: a["decay"] * a["value"]),
        ],
    },
    twins={
        "value": [
            (
                "it follows from what is wrong in the velocity",
                lambda a: _sgd(lambda b: came(a, "velocity"))(a)["value"],
            ),
        ],
        "": [
            ("it goes uphill: the step is added", _sgd(step=lambda a, u: -u)),
            ("the velocity is not used: the step is lr * g", _sgd(step=lambda a, u: _g(a))),
            (
                "nesterov's form is not used, or looks ahead with the old velocity",
                _sgd(step=lambda a, u: u),
            ),
            (
                "nesterov's form is always used",
                _sgd(step=lambda a, u: _g(a) + a["momentum"] * u),
            ),
            (
                "nesterov's step has u, where g + momentum * u is wanted, once more",
                _sgd(step=lambda a, u: _g(a) + u if a["nesterov"] else u),
            ),
            (
                "nesterov's step lacks g: it is momentum * u alone",
                _sgd(step=lambda a, u: a["momentum"] * u if a["nesterov"] else u),
            ),
            (
                "the gradient in the velocity is multiplied by 1 - momentum",
                _sgd(lambda a: a["momentum"] * a["velocity"] + (1 - a["momentum"]) * _g(a)),
            ),
            (
                "momentum and 1 - momentum are exchanged",
                _sgd(lambda a: (1 - a["momentum"]) * a["velocity"] + a["momentum"] * _g(a)),
            ),
            (
                "the velocity is multiplied by momentum after the gradient is added",
                _sgd(lambda a: a["momentum"] * (a["velocity"] + _g(a))),
            ),
            (
                "the learning rate is inside the velocity",
                lambda a: {
                    "velocity": a["momentum"] * a["velocity"] + a["lr"] * _g(a),
                    "value": a["value"] - a["momentum"] * a["velocity"] - a["lr"] * _g(a),
                },
            ),
            (
                "the step is taken with the old velocity, before its update",
                _sgd(step=lambda a, u: a["velocity"]),
            ),
            (
                "the weight decay is taken off the value itself, not added to the gradient",
                _around(lambda a, u: a["value"]),
            ),
            (
                "the weight decay is taken off the value after the step, not added to the gradient",
                _around(lambda a, u: a["value"] - a["lr"] * _looking(a, u)),
            ),
            (
                "the weight decay is there twice, in the gradient and off the value itself",
                lambda a: _sgd()(a | {"value": a["value"] * (1 - a["lr"] * a["decay"])}),
            ),
            (
                "the weight decay is taken off the value itself, and not multiplied by lr",
                _around(lambda a, u: a["value"], rate=False),
            ),
            (
                "the weight decay has the wrong sign",
                _sgd(
                    lambda a: a["momentum"] * a["velocity"] + a["grad"] - a["decay"] * a["value"],
                    lambda a, u: (
                        a["grad"] - a["decay"] * a["value"] + a["momentum"] * u
                        if a["nesterov"]
                        else u
                    ),
                ),
            ),
        ],
    },
    steps=computations.sgd,
    step="examples/one_batch_by_hand.py, its last lines",
)

EXERCISES = (SGD,)

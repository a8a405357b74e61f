"""The ReLU."""

import itertools

import numpy as np

from ... import ops
from ..exercise import Exercise, Probe
from . import computations
from .common import inputs, judge, noise


def _relu_x(rng):
    for n in (1, 3):
        for shape in ((7,), (3, 4, 2)):
            for zeros in (False, True):
                for size, sign in itertools.product((1, 100), ("mixed", "positive")):
                    x = noise(rng, n, *shape) * size
                    x = np.abs(x) if sign == "positive" else x
                    x = np.where(rng.random(x.shape) < 0.3, 0, x) if zeros else x
                    about = {
                        "batch": n,
                        "signs": sign,
                        "x": "with zeros" if zeros else "without zeros",
                        "form": "images" if len(shape) > 1 else "features",
                        "values": "in the hundreds" if size > 1 else "small",
                    }
                    yield x, about, {"N": n}


def _relu(rng):
    for x, about, sizes in _relu_x(rng):
        yield Probe({"x": x}, about, sizes)


def _relu_backward(rng):
    for x, about, sizes in _relu_x(rng):
        y, cache = ops.relu(x)
        yield Probe({"dy": noise(rng, *y.shape), "cache": cache}, about, sizes)


def _gate(args):
    return args["cache"].positive


RELU = Exercise(
    "relu",
    "ReLU, forward",
    1,
    ("ops/activation.py", "relu"),
    ("y",),
    _relu,
    ops.relu,
    "Positive values pass, others become 0.",
    ">>> relu(np.array([-2.0, 0.0, 3.0]))[0]\narray([0., 0., 3.])",
    twins={
        "y": [
            (
                "negative values pass too, scaled by 0.01: that is leaky ReLU",
                lambda a: np.where(a["x"] > 0, a["x"], 0.01 * a["x"]),
            ),
            ("values above 1 are cut off", lambda a: np.clip(a["x"], 0, 1)),
            ("values above 6 are cut off", lambda a: np.clip(a["x"], 0, 6)),
            ("values above 10 are cut off", lambda a: np.clip(a["x"], 0, 10)),
            (
                "it gives 1 where x is positive: that is its derivative",
                lambda a: (a["x"] > 0) * 1.0,
            ),
            ("it is the smaller of x and 0, not the larger", lambda a: np.minimum(a["x"], 0)),
            ("it is smooth at 0: log(1 + exp(x)), the softplus", lambda a: np.logaddexp(0, a["x"])),
            ("x passes unchanged", lambda a: a["x"]),
            ("values above -1 pass, not those above 0", lambda a: a["x"] * (a["x"] > -1)),
            *(
                (f"only values above {k:g} pass", lambda a, k=k: a["x"] * (a["x"] > k))
                for k in (0.1, 0.5, 1)
            ),
            (
                "negative values become exp(x) - 1: that is ELU",
                lambda a: np.where(a["x"] > 0, a["x"], np.expm1(np.minimum(a["x"], 0))),
            ),
            ("it is x * sigmoid(x): that is SiLU", lambda a: a["x"] / (1 + np.exp(-a["x"]))),
            ("it is tanh(x)", lambda a: np.tanh(a["x"])),
            ("it is the sigmoid of x", lambda a: 1 / (1 + np.exp(-a["x"]))),
        ]
    },
    steps=computations.relu,
    step=("pretrained:paper", "ReLU", "forward"),
)

RELU_BACKWARD = Exercise(
    "relu_backward",
    "ReLU, backward",
    1,
    ("ops/activation.py", "relu_backward"),
    ("dx",),
    _relu_backward,
    ops.relu_backward,
    "The gradient passes where x was positive. At 0 itself, where there is no derivative, take 0.\n"
    "`positive` in the cache says where x > 0.",
    ">>> y, cache = ops.relu(np.array([-2.0, 0.0, 3.0]))\n"
    ">>> relu_backward(np.array([5.0, 6.0, 7.0]), cache)\narray([0., 0., 7.])",
    given=("relu",),
    twins={
        "dx": [
            ("the gate reads dy, not x", lambda a: np.maximum(a["dy"], 0)),
            ("the gate reads dy as well as x", lambda a: np.maximum(a["dy"], 0) * _gate(a)),
            (
                "dy passes where x or dy is positive",
                lambda a: np.where(_gate(a) | (a["dy"] > 0), a["dy"], 0),
            ),
            ("|dy| passes where x is positive", lambda a: np.abs(a["dy"]) * _gate(a)),
            ("it is 1 where x is positive: dy is not used", lambda a: _gate(a) * 1.0),
            (
                "the gate is closed where x is positive and open elsewhere",
                lambda a: a["dy"] * ~_gate(a),
            ),
            ("dy passes unchanged: the gate is missing", lambda a: a["dy"]),
            (
                "where x is not positive a hundredth of dy passes: that is leaky ReLU",
                lambda a: np.where(_gate(a), a["dy"], 0.01 * a["dy"]),
            ),
            (
                "where x is not positive it is -dy, not 0",
                lambda a: np.where(_gate(a), a["dy"], -a["dy"]),
            ),
        ]
    },
    judge=judge(ops.relu, inputs((3, 4)), "x"),
    steps=computations.gated(_gate),
    step=("pretrained:paper", "ReLU", "backward"),
)

EXERCISES = (
    RELU,
    RELU_BACKWARD,
)

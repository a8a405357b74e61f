"""The dense layer and the ReLU."""

import numpy as np

from ... import ops
from ..exercise import Exercise, Probe
from .common import judge, noise


def _dense_probes(rng):
    for n in (1, 3, 4):
        for d, k in ((4, 3), (3, 3), (2, 5)):
            for bias in (True, False):
                yield n, d, k, bias


def _about(n, d, k, bias):
    about = {
        "batch": n,
        "w": "square" if d == k else "not square",
        "b": "given" if bias else "None",
    }
    return about, {"N": n, "D": d, "K": k}


def _forward(rng):
    for n, d, k, bias in _dense_probes(rng):
        b = noise(rng, k) if bias else None
        args = {"x": noise(rng, n, d), "w": noise(rng, d, k), "b": b}
        yield Probe(args, *_about(n, d, k, bias))


def _backward(rng):
    for n, d, k, bias in _dense_probes(rng):
        b = noise(rng, k) if bias else None
        y, cache = ops.dense(noise(rng, n, d), noise(rng, d, k), b)
        yield Probe({"dy": noise(rng, *y.shape), "cache": cache}, *_about(n, d, k, bias))


def _inputs(*shapes):
    rng = np.random.default_rng(0)
    return lambda: [rng.standard_normal(shape) for shape in shapes]


DENSE = Exercise(
    "dense",
    "the dense layer, forward",
    1,
    ("ops/dense.py", "dense"),
    ("y",),
    _forward,
    ops.dense,
    "Every output is a weighted sum of all inputs of its example. b may be None: then there is no\n"
    "bias.",
    ">>> dense(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.array([5.0]))[0]  # 3 + 8 + 5\n"
    "array([[16.]])",
    "y[n,k] = sum_d x[n,d] * w[d,k] + b[k]",
    axes={"y": ("example", "unit")},
    terms={
        "y": [
            ("the product x @ w", lambda a: a["x"] @ a["w"]),
            ("the bias b", lambda a: 0 if a["b"] is None else a["b"]),
        ]
    },
    step="dense, forward",
)

DENSE_BACKWARD = Exercise(
    "dense_backward",
    "the dense layer, backward",
    1,
    ("ops/dense.py", "dense_backward"),
    ("dx", "dw", "db"),
    _backward,
    ops.dense_backward,
    "Each weight has a part in every example of the batch: its gradient is a sum over the batch.\n"
    "The gradients are those of a loss that is a mean already: nothing is divided by N here.\n"
    "db is None where the layer has no bias.",
    ">>> y, cache = ops.dense(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.array([5.0]))\n"
    ">>> dense_backward(np.array([[10.0]]), cache)\n"
    "(array([[30., 40.]]), array([[10.],\n       [20.]]), array([10.]))",
    "dx[n,d] = sum_k dy[n,k] * w[d,k]      dw[d,k] = sum_n x[n,d] * dy[n,k]"
    "      db[k] = sum_n dy[n,k]",
    given=("dense",),
    axes={"dx": ("example", "feature"), "dw": ("feature", "unit"), "db": ("unit",)},
    judge=judge(ops.dense, _inputs((3, 4), (4, 2), (2,)), "x", "w", "b"),
    step="dense, backward",
)


def _relu_x(rng):
    for n in (1, 3):
        for shape in ((7,), (3, 4, 2)):
            for zeros in (False, True):
                for size in (1, 100):
                    x = noise(rng, n, *shape) * size
                    x = np.where(rng.random(x.shape) < 0.3, 0, x) if zeros else x
                    about = {
                        "batch": n,
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
            (
                "it gives 1 where x is positive: that is its derivative",
                lambda a: (a["x"] > 0) * 1.0,
            ),
            ("x passes unchanged", lambda a: a["x"]),
        ]
    },
    step="ReLU, forward",
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
    judge=judge(ops.relu, _inputs((3, 4)), "x"),
    step="ReLU, backward",
)

EXERCISES = (DENSE, DENSE_BACKWARD, RELU, RELU_BACKWARD)

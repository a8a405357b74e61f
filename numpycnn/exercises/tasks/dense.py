"""The dense layer."""

from ... import ops
from ..exercise import Exercise, Probe
from . import computations
from .common import inputs, judge, noise


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
    steps=computations.dense,
    step=("pretrained:paper", "Dense", "forward"),
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
    twins={
        "db": [("it is summed over the units, not over the examples", lambda a: a["dy"].sum(1))],
    },
    judge=judge(ops.dense, inputs((3, 4), (4, 2), (2,)), "x", "w", "b"),
    steps=computations.dense_backward,
    step=("pretrained:paper", "Dense", "backward"),
)

EXERCISES = (
    DENSE,
    DENSE_BACKWARD,
)

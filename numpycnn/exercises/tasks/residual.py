"""A residual block."""

import itertools

import numpy as np

from ... import ops
from .. import reference
from ..exercise import Exercise, Probe
from . import computations
from .common import FILTER, IMAGE, judge, noise


def _block_args(rng):
    for n, c, (h, w) in itertools.product((1, 3), (1, 2), ((4, 4), (5, 3))):
        about = {"batch": n, "channels": c, "images": "square" if h == w else "not square"}
        args = [noise(rng, n, h, w, c), noise(rng, 3, 3, c, c), noise(rng, 3, 3, c, c)]
        yield args, about, {"N": n, "C": c, "H*W": h * w}


def _block_probes(rng):
    for args, about, sizes in _block_args(rng):
        yield Probe(dict(zip(("x", "w1", "w2"), args, strict=True)), about, sizes)


def _body(a, gate=True):
    h = ops.conv2d(a["x"], a["w1"])[0]
    return ops.conv2d(np.maximum(h, 0) if gate else h, a["w2"])[0]


def _first(a):
    return ops.conv2d(a["x"], a["w1"])[0]


def _leaky(slope):
    def twin(a):
        h = _first(a)
        return a["x"] + ops.conv2d(np.where(h > 0, h, slope * h), a["w2"])[0]

    return twin


RESIDUAL = Exercise(
    "residual_block",
    "a residual block, forward",
    5,
    ("exercises/reference.py", "residual_block"),
    ("y",),
    _block_probes,
    reference.residual_block,
    "Two convolutions with a ReLU between them, and x added to what comes out: the block "
    "learns what "
    "to change of x. There is no ReLU after the sum here. Return y, or y and a cache.",
    ">>> x, w = np.array([[[[2.0]]]]), np.zeros((3, 3, 1, 1))\n"
    ">>> w[1, 1] = 3  # a filter that multiplies by 3\n"
    ">>> residual_block(x, w, w)[0].ravel()  # 2 + 3 * relu(3 * 2)\narray([20.])",
    axes={"y": IMAGE},
    terms={"y": [("the skip connection, x,", lambda a: a["x"]), ("the body", _body)]},
    twins={
        "y": [
            ("the ReLU between the convolutions is missing", lambda a: a["x"] + _body(a, False)),
            *(
                (f"a leaky ReLU, of slope {k:g}, stands in the place of the ReLU", _leaky(k))
                for k in (0.01, 0.1, 0.2)
            ),
            ("there is a ReLU after the sum", lambda a: np.maximum(a["x"] + _body(a), 0)),
            (
                "there is a ReLU after the second convolution",
                lambda a: a["x"] + np.maximum(_body(a), 0),
            ),
            (
                "the ReLU stands before the first convolution, not after it",
                lambda a: (
                    a["x"] + ops.conv2d(ops.conv2d(np.maximum(a["x"], 0), a["w1"])[0], a["w2"])[0]
                ),
            ),
            ("the second convolution is missing", lambda a: a["x"] + np.maximum(_first(a), 0)),
            (
                "the skip connection goes around the second convolution only",
                lambda a: np.maximum(_first(a), 0) + _body(a),
            ),
            ("the body is multiplied by x, not added", lambda a: a["x"] * _body(a)),
        ]
    },
    solution="numpycnn/layers/combine.py, Add",
    steps=computations.residual_block,
    step=("a checkpoint of resnet", "Add", "forward"),
)


def _block_backward_probes(rng):
    for args, about, sizes in _block_args(rng):
        y, cache = reference.residual_block(*args)
        yield Probe({"dy": noise(rng, *y.shape), "cache": cache}, about, sizes)


def _through(a, gate=True, first=True, second=True):
    """(dbody, dw1, dw2), with steps of the chain left out."""
    c = a["cache"]
    dh, dw2, _ = ops.conv2d_backward(a["dy"], c.conv2)
    dh = dh if second else a["dy"]
    da = ops.relu_backward(dh, c.gate) if gate else dh
    dx, dw1, _ = ops.conv2d_backward(da, c.conv1)
    return (dx if first else da), dw1, dw2


RESIDUAL_BACKWARD = Exercise(
    "residual_block_backward",
    "a residual block, backward",
    5,
    ("exercises/reference.py", "residual_block_backward"),
    ("dx", "dw1", "dw2"),
    _block_backward_probes,
    reference.residual_block_backward,
    "x goes into y by two ways, through the body and around it: its gradient is the sum of what "
    "comes back by each. The library's own backward passes are there: ops.conv2d_backward gives "
    "(dx, dw, db), ops.relu_backward dx.",
    ">>> x, w = np.array([[[[2.0]]]]), np.zeros((3, 3, 1, 1))\n"
    ">>> w[1, 1] = 3\n"
    ">>> from numpycnn.exercises.reference import residual_block\n"
    ">>> y, cache = residual_block(x, w, w)\n"
    ">>> residual_block_backward(np.ones((1, 1, 1, 1)), cache)[0].ravel()  # 1 + 3 * 3\n"
    "array([10.])",
    axes={"dx": IMAGE, "dw1": FILTER, "dw2": FILTER},
    terms={
        "dx": [
            ("the gradient around the body, dy,", lambda a: a["dy"]),
            ("the gradient through the body", lambda a: _through(a)[0]),
        ]
    },
    twins={
        "dx": [
            ("the ReLU's gate is missing", lambda a: a["dy"] + _through(a, gate=False)[0]),
            (
                "the second convolution is left out",
                lambda a: a["dy"] + _through(a, second=False)[0],
            ),
            ("the first convolution is left out", lambda a: a["dy"] + _through(a, first=False)[0]),
            (
                "the ReLU's gate is applied to dy as well",
                lambda a: ops.relu_backward(a["dy"], a["cache"].gate) + _through(a)[0],
            ),
            (
                "the ReLU's gate is applied to dy before the second convolution",
                lambda a: a["dy"] + _early(a)[0],
            ),
        ],
        "dw1": [
            ("the ReLU's gate is missing", lambda a: _through(a, gate=False)[1]),
            ("the second convolution is left out", lambda a: _through(a, second=False)[1]),
            (
                "the ReLU's gate is applied to dy before the second convolution",
                lambda a: _early(a)[1],
            ),
            ("it is dw2", lambda a: _through(a)[2]),
        ],
        "dw2": [
            (
                "the ReLU's gate is applied to dy before the second convolution",
                lambda a: _early(a)[2],
            ),
            ("it is dw1", lambda a: _through(a)[1]),
        ],
    },
    judge=judge(
        reference.residual_block,
        lambda: [
            np.random.default_rng(0).standard_normal(s)
            for s in ((2, 4, 3, 2), (3, 3, 2, 2), (3, 3, 2, 2))
        ],
        "x",
        "w1",
        "w2",
    ),
    solution="numpycnn/layers/combine.py, Add",
    steps=computations.residual_block_backward,
    step=("a checkpoint of resnet", "Add", "backward"),
)


def _early(a):
    c = a["cache"]
    dh, dw2, _ = ops.conv2d_backward(ops.relu_backward(a["dy"], c.gate), c.conv2)
    dx, dw1, _ = ops.conv2d_backward(dh, c.conv1)
    return dx, dw1, dw2


EXERCISES = (
    RESIDUAL,
    RESIDUAL_BACKWARD,
)

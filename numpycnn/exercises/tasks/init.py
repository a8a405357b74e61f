"""Initialisation: He's deviation, and LSUV."""

import copy
import itertools

import numpy as np

from ...layers import Dense, ReLU
from ...layers.init import he_normal
from .. import reference
from ..exercise import Exercise, Probe, Trouble, named
from .common import noise

# ---- He: whoever draws in his own way is measured ----------------------------------------------


def _he_probes(rng):
    for shape in ((60, 300), (400, 50), (3, 3, 20, 120), (5, 5, 16, 30)):
        args = {"shape": shape, "rng": np.random.default_rng(int(rng.integers(1 << 30)))}
        about = {"weights": "a convolution's" if len(shape) == 4 else "a dense layer's"}
        about["layer"] = "wider after" if shape[-1] > shape[-2] * 3 else "less wide after"
        fan_in, fan_out = int(np.prod(shape[:-1])), shape[-1]
        yield Probe(args, about, {"fan_in": fan_in, "F": fan_out})


def _fan_in(args):
    return float(np.prod(args["shape"][:-1]))


def _he(args):
    return np.sqrt(2 / _fan_in(args))


def _outer(args):
    return float(np.prod(args["shape"][:-2])) * args["shape"][-1]


HE_TWINS = [
    (
        "1 stands in the place of 2: that is LeCun's, for layers without ReLU",
        lambda a: np.sqrt(1 / _fan_in(a)),
    ),
    *(
        (f"{c:g} stands in the place of 2", lambda a, c=c: np.sqrt(c / _fan_in(a)))
        for c in (0.25, 1.5, 3, 6)
    ),
    (
        "the mean of fan_in and fan_out stands in the place of fan_in",
        lambda a: np.sqrt(4 / (_fan_in(a) + _outer(a))),
    ),
    (
        "the mean of fan_in and the number of filters stands in the place of fan_in",
        lambda a: np.sqrt(4 / (_fan_in(a) + a["shape"][-1])),
    ),
    (
        "it is sqrt(2 / (fan_in + filters)): the filters do not belong there",
        lambda a: np.sqrt(2 / (_fan_in(a) + a["shape"][-1])),
    ),
    (
        "it is that of a uniform draw within sqrt(2 / fan_in), which is smaller by the root of 3",
        lambda a: np.sqrt(2 / 3 / _fan_in(a)),
    ),
    ("it is 1 / fan_in", lambda a: 1 / _fan_in(a)),
    ("fan_out stands in the place of fan_in", lambda a: np.sqrt(2 / _outer(a))),
    ("the number of filters stands in the place of fan_in", lambda a: np.sqrt(2 / a["shape"][-1])),
    ("fan_in lacks kh*kw: it is C alone", lambda a: np.sqrt(2 / a["shape"][-2])),
    ("fan_in lacks C: it is kh*kw alone", lambda a: np.sqrt(2 / max(np.prod(a["shape"][:-2]), 1))),
    ("the root is missing: the variance is used as deviation", lambda a: 2 / _fan_in(a)),
    (
        "it is Glorot's, sqrt(2 / (fan_in + fan_out))",
        lambda a: np.sqrt(2 / (_fan_in(a) + _outer(a))),
    ),
    ("it is 1: nothing is scaled", lambda a: 1.0),
    ("it is 0.01, whatever the shape", lambda a: 0.01),
    ("it is sqrt(2), whatever the shape", lambda a: np.sqrt(2)),
    ("it is sqrt(2) / fan_in: the root is taken of 2 alone", lambda a: np.sqrt(2) / _fan_in(a)),
    ("it is multiplied where it must be divided", lambda a: np.sqrt(_fan_in(a) / 2)),
    (
        "the number of all weights stands in the place of fan_in",
        lambda a: np.sqrt(2 / np.prod(a["shape"])),
    ),
    ("2 / sqrt(fan_in) stands in the place of sqrt(2 / fan_in)", lambda a: 2 / np.sqrt(_fan_in(a))),
]


def _he_run(function, args):
    """Mean, deviation and form of the draw; a deviation within 3 % of a twin's is the twin's."""
    w = named(function(*args.values()), ("w",))["w"]
    if np.shape(w) != args["shape"]:
        raise Trouble(f"the weights have the shape {np.shape(w)}, not {args['shape']}")
    w = np.asarray(w, float)
    other = named(function(args["shape"], np.random.default_rng(12345)), ("w",))["w"]
    if np.array_equal(w, other) and w.any():
        raise Trouble("the weights do not come from rng: another generator gives the same ones")
    if np.ptp(w) == 0:
        raise Trouble("all weights are the same number: units that start alike stay alike")
    if (w >= 0).all():
        raise Trouble("no weight is negative")
    if (w == w[..., :1]).all():
        raise Trouble("all filters are the same: units that start alike stay alike")
    deviation, mean = w.std(), w.mean()
    known = [*(_he(args) * k for k in (1, 0.25, 0.5, 2, 4)), *(f(args) for _, f in HE_TWINS)]
    near = [k for k in known if abs(deviation / k - 1) < 0.03]
    kurtosis = (
        np.mean((w - mean) ** 4) / deviation**4 if deviation else 0
    )  # normal: 3, uniform: 1.8
    return {
        "deviation": np.float64(
            min(near, key=lambda k: abs(deviation / k - 1)) if near else deviation
        ),
        "mean": np.float64(0 if abs(mean) < 0.05 * deviation else mean),
        "form": np.float64(
            3 if abs(kurtosis - 3) < 0.3 else 1.8 if abs(kurtosis - 1.8) < 0.1 else kurtosis
        ),
    }


HE = Exercise(
    "he_normal",
    "He initialisation",
    4,
    ("layers/init.py", "he_normal"),
    ("w",),
    _he_probes,
    he_normal,
    "shape is (fan_in, fan_out) of a dense layer or (kh, kw, C, F) of a convolution, whose "
    "fan_in is "
    "kh*kw*C: the number of inputs of one output. Draw from rng in any way that you like: "
    "the check "
    "measures the draw.",
    ">>> w = he_normal((200, 100), np.random.default_rng(0))\n"
    ">>> w.shape, bool(abs(w.std() - 0.1) < 0.002)  # sqrt(2 / 200) = 0.1\n"
    "((200, 100), True)",
    "w ~ N(0, 2 / fan_in)      fan_in = product of shape, without its last entry",
    run=_he_run,
    float32=False,
    twins={
        "deviation": HE_TWINS,
        "form": [("the draw is uniform, not normal", lambda a: np.float64(1.8))],
    },
    step="numpycnn inspect CHECKPOINT, the deviation of each layer's output",
)


# ---- LSUV -------------------------------------------------------------------------------------


def _lsuv_probes(rng):
    for depth, n, scale in itertools.product((1, 2, 3), (8, 20), (0.1, 3.0)):
        layers = []
        for i in range(depth):
            layers += [Dense(6, 6, rng=rng), ReLU()] if i < depth - 1 else [Dense(6, 4, rng=rng)]
        for layer in layers[::2]:
            layer.w.value = layer.w.value.astype(np.float64) * scale
            layer.b.value = layer.b.value.astype(np.float64)
        about = {"layers": depth, "batch": n, "weights": "small" if scale < 1 else "large"}
        yield Probe({"layers": layers, "x": noise(rng, n, 6) * 2 + 1}, about, {"N": n})


def _lsuv_run(function, args):
    function(*args.values())
    weights = [one.w.value for one in args["layers"] if hasattr(one, "w")]
    missing = [None] * (3 - len(weights))  # a chain may be shorter
    return {f"w of layer {i + 1}": w for i, w in enumerate([*weights, *missing])}


def _lsuv(scale=None, forward=None, activations=True):
    """A twin: another scale(y, w), or another input for the next layer."""

    def twin(a):
        layers, x = copy.deepcopy(a["layers"]), a["x"]
        for one in layers:
            y = one.forward(x)[0]
            if hasattr(one, "w"):
                one.w.value /= scale(y, one.w.value) if scale else np.sqrt(y.var())
                y = y if forward == "stale" else one.forward(x)[0]
            elif not activations:
                y = x
            x = a["x"] if forward == "first" and y.shape == a["x"].shape else y
        return _lsuv_run(lambda layers, x: None, {"layers": layers, "x": x})

    return twin


def _lsuv_of(args, chosen):
    """A twin: only the chosen layers are scaled."""
    layers, x = copy.deepcopy(args["layers"]), args["x"]
    for i, layer in enumerate(layers):
        if i in chosen and hasattr(layer, "w"):
            layer.w.value /= np.sqrt(layer.forward(x)[0].var())
        x, _ = layer.forward(x)
    return _lsuv_run(lambda layers, x: None, {"layers": layers, "x": x})


def _lsuv_by_input(args):
    layers, x = copy.deepcopy(args["layers"]), args["x"]
    for layer in layers:
        if hasattr(layer, "w"):
            layer.w.value /= x.std()
        x, _ = layer.forward(x)
    return _lsuv_run(lambda layers, x: None, {"layers": layers, "x": x})


OTHER_SCALES = [
    ("the mean of |y|", lambda y, w: np.abs(y).mean()),
    ("the mean of |y - mean|", lambda y, w: np.abs(y - y.mean()).mean()),
    ("the largest |y|", lambda y, w: np.abs(y).max()),
    ("the largest y less the smallest", lambda y, w: np.ptp(y)),
    ("the mean of y", lambda y, w: y.mean()),
    ("the norm of y", lambda y, w: np.linalg.norm(y)),
    ("the deviation after the ReLU", lambda y, w: np.maximum(y, 0).std()),
    ("the mean of the units' deviations", lambda y, w: y.std(axis=0).mean()),
    ("the root of the mean of the units' variances", lambda y, w: np.sqrt(y.var(axis=0).mean())),
    ("the mean of the examples' deviations", lambda y, w: y.std(axis=1).mean()),
    ("the deviation of the first unit", lambda y, w: y[:, 0].std()),
    ("the deviation of the first example", lambda y, w: y[0].std()),
    ("the root of the deviation", lambda y, w: np.sqrt(y.std())),
    ("sqrt(variance + 1e-5)", lambda y, w: np.sqrt(y.var() + 1e-5)),
    ("the deviation + 1e-5", lambda y, w: y.std() + 1e-5),
    ("the deviation + 1e-8", lambda y, w: y.std() + 1e-8),
    ("twice the deviation", lambda y, w: 2 * y.std()),
]

LSUV = Exercise(
    "lsuv",
    "LSUV: every layer's output gets variance 1",
    4,
    ("exercises/reference.py", "lsuv"),
    (),
    _lsuv_probes,
    reference.lsuv,
    "Scale the weights of each layer by what comes out of it. A layer without bias is linear: one "
    "division is enough.",
    ">>> from numpycnn.layers import Dense\n"
    ">>> layer = Dense(3, 2, rng=np.random.default_rng(0))\n"
    ">>> x = np.random.default_rng(1).standard_normal((8, 3))\n"
    ">>> lsuv([layer], x)\n"
    ">>> round(float(layer.forward(x)[0].var()), 3)\n"
    "1.0",
    run=_lsuv_run,
    float32=False,
    tolerance=1e-6,
    twins={
        "": [
            ("the deviation of the layer's input is used, not that of its output", _lsuv_by_input),
            ("only the first layer is scaled", lambda a: _lsuv_of(a, [0])),
            ("the last layer is not scaled", lambda a: _lsuv_of(a, range(0, len(a["layers"]) - 1))),
            ("the first layer is not scaled", lambda a: _lsuv_of(a, range(1, len(a["layers"])))),
            ("only the last layer is scaled", lambda a: _lsuv_of(a, [len(a["layers"]) - 1])),
            ("nothing is scaled", lambda a: _lsuv_of(a, [])),
            ("it is divided by the variance, not by its root", _lsuv(lambda y, w: y.var())),
            ("it is multiplied by the deviation, not divided", _lsuv(lambda y, w: 1 / y.std())),
            (
                "the weights' own deviation is used, not that of the output",
                _lsuv(lambda y, w: w.std()),
            ),
            (
                "the weights' norm is used, not the output's deviation",
                _lsuv(lambda y, w: np.linalg.norm(w)),
            ),
            (
                "the root of the mean square is used: the mean is not taken off",
                _lsuv(lambda y, w: np.sqrt((y * y).mean())),
            ),
            (
                "the deviation of each unit is used, not that of the whole output",
                _lsuv(lambda y, w: y.std(axis=0)),
            ),
            ("the next layer gets the output from before the scaling", _lsuv(forward="stale")),
            (
                "every layer gets x itself, not the output of the layer before",
                _lsuv(forward="first"),
            ),
            ("the activations between the layers are left out", _lsuv(activations=False)),
            ("the variance is divided by M - 1, not by M", _lsuv(lambda y, w: y.std(ddof=1))),
            *((f"{words} is used, not the deviation", _lsuv(f)) for words, f in OTHER_SCALES),
        ]
    },
    solution="numpycnn/layers/init.py, lsuv",
    step="numpycnn inspect CHECKPOINT, the deviation of each layer's output",
)

EXERCISES = (HE, LSUV)

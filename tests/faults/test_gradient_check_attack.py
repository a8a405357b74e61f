"""An attack on the gradient check: wrong backward passes must be found, right ones must pass.

A wrong layer is a right one with a single line of its backward pass changed, as students and
programs get it wrong; the inputs reach the line. A right one has ties, kinks, logs or sorts.
"""

import numpy as np
import pytest

from numpycnn import gradcheck, layers, ops
from numpycnn.gradient_check import GradCheckError

SEEDS = range(5)


class Function(layers.Layer):
    """y = f(x), dx = g(dy, x): a layer of two functions."""

    def __init__(self, f, g):
        self.f, self.g = f, g

    def forward(self, x, train=False):
        return self.f(x), x

    def backward(self, dy, x):
        return self.g(dy, x)


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


# ---- wrong: name -> (layer, shape) --------------------------------------------------------------


def wrong(f, g, *shape):
    return lambda: Function(f, g), shape


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def patched(make, change, *shape):
    """A layer whose backward's dx, or whose parameters' gradients, are changed afterwards."""

    def build():
        layer = make()
        right = layer.backward

        class Changed(type(layer)):
            def backward(self, dy, cache):
                dx = super().backward(dy, cache)
                changed = change(self, dx, dy)
                return dx if changed is None else changed

        layer.__class__ = Changed
        assert right is not None
        return layer

    return build, shape


def gradient(name, factor):
    """Multiplies the gradient of a parameter."""

    def change(layer, dx, dy):
        param = getattr(layer, name)
        param.grad = param.grad * factor

    return change


def conv(**options):
    return layers.Conv2D(2, 3, 3, rng=np.random.default_rng(1), **options)


def dense():
    return layers.Dense(4, 3, rng=np.random.default_rng(1))


def norm():
    return layers.BatchNorm(2)


IMAGE, ROWS, MATRIX = (2, 5, 4, 2), (4, 5), np.arange(25).reshape(5, 5)
WRONG = {
    "square without 2": wrong(lambda x: x**2, lambda dy, x: dy * x, *ROWS),
    "cube with x": wrong(lambda x: x**3, lambda dy, x: 3 * x * dy, *ROWS),
    "sine as sine": wrong(np.sin, lambda dy, x: dy * np.sin(x), *ROWS),
    "cosine without sign": wrong(np.cos, lambda dy, x: dy * np.sin(x), *ROWS),
    "exp of the wrong thing": wrong(np.exp, lambda dy, x: dy * x, *ROWS),
    "tanh without square": wrong(np.tanh, lambda dy, x: dy * (1 - np.tanh(x)), *ROWS),
    "sigmoid without 1 - s": wrong(sigmoid, lambda dy, x: dy * sigmoid(x), *ROWS),
    "sigmoid of a sigmoid": wrong(
        sigmoid, lambda dy, x: dy * sigmoid(sigmoid(x)) * (1 - sigmoid(sigmoid(x))), *ROWS
    ),
    "softplus as step": wrong(lambda x: np.log1p(np.exp(x)), lambda dy, x: dy * (x > 0), *ROWS),
    "ReLU of dy": wrong(lambda x: np.maximum(x, 0), lambda dy, x: np.maximum(dy, 0), *ROWS),
    "ReLU turned round": wrong(lambda x: np.maximum(x, 0), lambda dy, x: dy * (x < 0), *ROWS),
    "leaky slope forgotten": wrong(
        lambda x: np.where(x > 0, x, 0.1 * x), lambda dy, x: dy * (x > 0), *ROWS
    ),
    "leaky slope squared": wrong(
        lambda x: np.where(x > 0, x, 0.1 * x), lambda dy, x: dy * np.where(x > 0, 1, 0.01), *ROWS
    ),
    "abs without sign": wrong(np.abs, lambda dy, x: dy, *ROWS),
    "mean without 1/N": wrong(
        lambda x: x.mean(axis=0, keepdims=True), lambda dy, x: np.repeat(dy, len(x), 0), *ROWS
    ),
    "sum with 1/N": wrong(
        lambda x: x.sum(axis=0, keepdims=True),
        lambda dy, x: np.repeat(dy / len(x), len(x), 0),
        *ROWS,
    ),
    "sum along the other axis": wrong(
        lambda x: x - x.sum(axis=0), lambda dy, x: dy - dy.sum(axis=1, keepdims=True), 4, 4
    ),
    "softmax's diagonal alone": wrong(
        softmax, lambda dy, x: dy * softmax(x) * (1 - softmax(x)), *ROWS
    ),
    "softmax without its sum": wrong(softmax, lambda dy, x: dy * softmax(x), *ROWS),
    "normalised, length constant": wrong(
        lambda x: x / np.linalg.norm(x, axis=1, keepdims=True),
        lambda dy, x: dy / np.linalg.norm(x, axis=1, keepdims=True),
        *ROWS,
    ),
    "centred, mean constant": wrong(lambda x: x - x.mean(axis=0), lambda dy, x: dy, *ROWS),
    "transposed": wrong(lambda x: x @ x.T, lambda dy, x: dy @ x, *ROWS),
    "matrix of one side": wrong(lambda x: x @ MATRIX, lambda dy, x: dy @ MATRIX, *ROWS),
    "reversed": wrong(lambda x: x[::-1], lambda dy, x: dy, *ROWS),
    "shifted by one": wrong(lambda x: np.roll(x, 1, 1), lambda dy, x: np.roll(dy, 1, 1), *ROWS),
    "clipped, gradient everywhere": wrong(lambda x: np.clip(x, -0.5, 0.5), lambda dy, x: dy, *ROWS),
    "division, denominator constant": wrong(
        lambda x: x / (1 + x**2), lambda dy, x: dy / (1 + x**2), *ROWS
    ),
    "log without 1/x": wrong(lambda x: np.log(1 + x**2), lambda dy, x: dy / (1 + x**2), *ROWS),
    "max to all": wrong(
        lambda x: x.max(axis=1, keepdims=True), lambda dy, x: np.repeat(dy, x.shape[1], 1), *ROWS
    ),
    "max to the smallest": wrong(
        lambda x: x.max(axis=1, keepdims=True),
        lambda dy, x: dy * (x == x.min(axis=1, keepdims=True)),
        *ROWS,
    ),
    "sort without order": wrong(lambda x: np.sort(x, axis=1), lambda dy, x: dy, *ROWS),
    "cumulative sum, forward": wrong(
        lambda x: np.cumsum(x, axis=1), lambda dy, x: np.cumsum(dy, axis=1), *ROWS
    ),
    "one element wrong": wrong(
        np.tanh,
        lambda dy, x: dy * (1 - np.tanh(x) ** 2) * np.where(np.arange(5) == 2, 1.01, 1),
        *ROWS,
    ),
    "wrong below zero only": wrong(
        lambda x: x**2, lambda dy, x: dy * np.where(x > 0, 2 * x, x), *ROWS
    ),
    "wrong for large x only": wrong(
        lambda x: x**2, lambda dy, x: dy * 2 * np.minimum(x, 0.2), *ROWS
    ),
    "dx of a constant": wrong(lambda x: x * 0 + 1, lambda dy, x: dy, *ROWS),
    "nothing where something is": wrong(lambda x: x * 2, lambda dy, x: dy * 0, *ROWS),
    "conv dx doubled": patched(conv, lambda layer, dx, dy: 2 * dx, *IMAGE),
    "conv dx mirrored": patched(conv, lambda layer, dx, dy: dx[:, :, ::-1].copy(), *IMAGE),
    "conv dw without 1 image": patched(conv, gradient("w", 0.5), *IMAGE),
    "conv dw of other sign": patched(conv, gradient("w", -1.0), *IMAGE),
    "conv db as mean": patched(conv, gradient("b", 1 / 20), *IMAGE),
    "strided conv dx shifted": patched(
        lambda: conv(stride=2), lambda layer, dx, dy: np.roll(dx, 1, 1), *IMAGE
    ),
    "dense dw transposed share": patched(dense, gradient("w", np.float64(3.0)), 6, 4),
    "batch norm dgamma halved": patched(norm, gradient("gamma", 0.5), *IMAGE),
    "batch norm dbeta per image": patched(norm, gradient("beta", 0.5), *IMAGE),
    "batch norm without statistics": patched(
        lambda: layers.BatchNorm(2), lambda layer, dx, dy: layer.gamma.value * dy, *IMAGE
    ),
    "max pool to the first": patched(
        lambda: layers.MaxPool2D(2),
        lambda layer, dx, dy: np.pad(dy.repeat(2, 1).repeat(2, 2), ((0, 0), (0, 1), *[(0, 0)] * 2)),
        *IMAGE,
    ),
    "average pool without 1/4": patched(
        lambda: layers.AvgPool2D(2), lambda layer, dx, dy: 4 * dx, *IMAGE
    ),
    "global pool with 1/N": patched(
        layers.GlobalAvgPool, lambda layer, dx, dy: dx / len(dx), *IMAGE
    ),
    "dropout without scale": patched(
        lambda: layers.Dropout(0.5, np.random.default_rng(0)), lambda layer, dx, dy: dx * 0.5, 6, 8
    ),
    "PReLU slope without mask": patched(lambda: layers.PReLU(2), gradient("alpha", 1.5), *IMAGE),
}  # fmt: skip


def test_there_are_enough():
    assert len(WRONG) >= 40
    assert len(RIGHT) >= 80


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", WRONG)
def test_every_wrong_backward_is_caught(name, seed):
    make, shape = WRONG[name]
    with pytest.raises(GradCheckError):
        gradcheck(make(), normal(seed, *shape), seed=seed)


# ---- right: name -> (layer, x) ------------------------------------------------------------------


def scatter_sort(dy, x):
    dx = np.zeros_like(x)
    np.put_along_axis(dx, np.argsort(x, axis=1, kind="stable"), dy, 1)
    return dx


def first_max(dy, x):
    dx = np.zeros_like(x)
    np.put_along_axis(dx, x.argmax(axis=1, keepdims=True), dy, 1)
    return dx


def median(x):
    return np.sort(x, axis=1)[:, x.shape[1] // 2, None]


def dmedian(dy, x):
    dx = np.zeros_like(x)
    where = np.argsort(x, axis=1, kind="stable")[:, x.shape[1] // 2, None]
    np.put_along_axis(dx, where, dy, 1)
    return dx


def top_two(x):
    return np.sort(x, axis=1)[:, -2:].sum(axis=1, keepdims=True)


def dtop_two(dy, x):
    dx = np.zeros_like(x)
    np.put_along_axis(dx, np.argsort(x, axis=1, kind="stable")[:, -2:], np.repeat(dy, 2, 1), 1)
    return dx


FUNCTIONS = {
    "log": (lambda x: np.log(np.abs(x) + 1), lambda dy, x: dy * np.sign(x) / (np.abs(x) + 1)),
    "abs": (np.abs, lambda dy, x: dy * np.sign(x)),
    "ReLU": (lambda x: np.maximum(x, 0), lambda dy, x: dy * (x > 0)),
    "ReLU6": (lambda x: np.clip(x, 0, 6), lambda dy, x: dy * ((x > 0) & (x < 6))),
    "hard tanh": (lambda x: np.clip(x, -1, 1), lambda dy, x: dy * (np.abs(x) < 1)),
    "soft shrink": (
        lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0), lambda dy, x: dy * (np.abs(x) > 0.5)
    ),
    "max": (lambda x: x.max(axis=1, keepdims=True), first_max),
    "sort": (lambda x: np.sort(x, axis=1), scatter_sort),
    "median": (median, dmedian),
    "top two": (top_two, dtop_two),
    "square": (lambda x: x**2, lambda dy, x: 2 * x * dy),
    "softmax": (softmax, lambda dy, x: softmax(x) * (dy - (dy * softmax(x)).sum(1, keepdims=True))),
    "cumulative": (
        lambda x: np.cumsum(x, axis=1), lambda dy, x: np.cumsum(dy[:, ::-1], axis=1)[:, ::-1]
    ),
    "square root": (lambda x: np.sqrt(1 + x**2), lambda dy, x: dy * x / np.sqrt(1 + x**2)),
}  # fmt: skip
INPUTS = {
    "normal": lambda rng: rng.standard_normal((4, 5)),
    "zeros": lambda rng: np.zeros((3, 5)),
    "half zeros": lambda rng: np.maximum(rng.standard_normal((4, 5)), 0),
    "integers": lambda rng: rng.integers(-2, 3, (4, 5)).astype(float),
    "all equal": lambda rng: np.full((3, 5), 0.5),
    "equal ones": lambda rng: np.where(rng.random((4, 5)) < 0.6, 0.25, rng.random((4, 5))),
    "magnitudes": lambda rng: rng.standard_normal((4, 5)) * 10.0 ** rng.integers(-4, 3, (4, 5)),
}  # fmt: skip
RIGHT = [(f, x) for f in FUNCTIONS for x in INPUTS]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("function", "values"), RIGHT)
def test_no_right_backward_is_called_wrong(function, values, seed):
    x = INPUTS[values](np.random.default_rng(seed))
    result = gradcheck(Function(*FUNCTIONS[function]), x, seed=seed, raise_error=False)
    assert not result.problems, str(result)
    assert all(row.verdict != "WRONG" for row in result.rows), str(result)


def test_logs_of_values_that_span_magnitudes_are_compared():
    """One step for all would throw the smallest across the pole."""
    x = 10.0 ** np.arange(-8, 4).reshape(3, 4)
    result = gradcheck(Function(np.log, lambda dy, x: dy / x), x)
    assert result.rows[0].checked == 16
    assert result.max_error < 1e-6


# ---- what is no matter of numbers ---------------------------------------------------------------


class Stale(layers.Layer):
    """Keeps x in self, so that a second forward pass spoils the first."""

    def forward(self, x, train=False):
        self.x = x
        return x**2, None

    def backward(self, dy, cache):
        return 2 * self.x * dy


class RemembersTheMode(layers.Dropout):
    def forward(self, x, train=False):
        self.train = train
        return super().forward(x, train)

    def backward(self, dy, cache):
        return super().backward(dy, cache) if self.train else dy


class WrongInUse(layers.BatchNorm):
    """Right in training, wrong in use."""

    def backward(self, dy, cache):
        dx = super().backward(dy, cache)
        return dx if cache[-1] else 2 * dx


class NoGradientInUse(layers.ReLU):
    """The same y for both values of train."""

    def forward(self, x, train=False):
        y, cache = super().forward(x, train)
        return y, (cache, train)

    def backward(self, dy, cache):
        return super().backward(dy, cache[0]) if cache[1] else 0 * dy


class OtherInfer(layers.ReLU):
    def infer(self, x):
        return np.maximum(x, 0.1)


class Widens(layers.Layer):
    def forward(self, x, train=False):
        return x * np.full(6, 2.0), None

    def backward(self, dy, cache):
        return 2 * dy


class NaNInOnePlace(layers.Tanh):
    def backward(self, dy, cache):
        dx = super().backward(dy, cache)
        dx[1, 2] = np.nan
        return dx


class Fails(layers.Tanh):
    def backward(self, dy, cache):
        return dy @ np.ones((3, 3))


SENTENCES = {
    "state in self": (Stale, (4, 6), "forward pass on another input, before backward, changed.* x"),
    "the mode in self": (
        lambda: RemembersTheMode(0.5, np.random.default_rng(0)), (4, 6), "must use its cache"
    ),
    "wrong in use": (lambda: WrongInUse(3), (4, 3), r"x, train=False.*WRONG"),
    "no gradient in use": (NoGradientInUse, (4, 3), r"x, train=False.*WRONG"),
    "another infer": (OtherInfer, (4, 6), r"infer gives y\[.*\] = 0.1, but forward\(x\)\[0\] 0\b"),
    "NaN": (NaNInOnePlace, (4, 6), r"not finite: dx\[1, 2\] is nan, 1 of 24"),
    "an exception": (Fails, (4, 6), r"in Fails.backward, dy \(4, 6\): ValueError: matmul"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "shape", "message"), SENTENCES.values(), ids=SENTENCES)
def test_what_is_wrong_is_said(make, shape, message):
    with pytest.raises(GradCheckError, match=message):
        gradcheck(make(), normal(0, *shape))


class Gate(layers.Layer):
    def forward(self, a, b, train=False):
        return a * b, (a, b)

    def backward(self, dy, cache):
        a, b = cache
        return dy * b, (dy * a).sum(axis=0, keepdims=True)


class WrongGate(Gate):
    def backward(self, dy, cache):
        da, db = super().backward(dy, cache)
        return da, 2 * db


class OneGradient(Gate):
    def backward(self, dy, cache):
        return super().backward(dy, cache)[0]


class Pair(Gate):
    def forward(self, ab, train=False):
        return super().forward(*ab, train)


def test_several_inputs():
    a, b = normal(0, 3, 4), normal(1, 1, 4)
    assert [row.name for row in gradcheck(Gate(), a, b).rows[:2]] == ["a", "b"]
    assert [row.name for row in gradcheck(Pair(), (a, b)).rows[:2]] == ["x[0]", "x[1]"]
    assert gradcheck(Gate(), (a, b)).ok
    with pytest.raises(GradCheckError, match=r"b\[.*ratio 2\b"):
        gradcheck(WrongGate(), a, b)
    with pytest.raises(GradCheckError, match=r"a gradient of each input, \(da, db\), not ndarray"):
        gradcheck(OneGradient(), a, b)
    with pytest.raises(TypeError, match=r"Gate.forward takes 2 inputs, 1 came"):
        gradcheck(Gate(), a)


def test_forward_may_take_options():
    class Doubled(layers.Layer):
        def forward(self, x, train=False, **options):
            return 2 * x, None

        def backward(self, dy, cache):
            return 2 * dy

    assert gradcheck(Doubled(), normal(0, 3, 4)).ok


def focal(s, labels, gamma=2.0):
    p = softmax(s)[np.arange(len(s)), labels]
    loss = (-((1 - p) ** gamma) * np.log(p)).mean()
    slope = gamma * (1 - p) ** (gamma - 1) * np.log(p) - (1 - p) ** gamma / p  # d loss / dp
    one_hot = np.eye(s.shape[1])[labels]
    return loss, (slope * p / len(s))[:, None] * (one_hot - softmax(s))


def test_what_leaves_float32_is_right_and_noted():
    result = gradcheck(Widens(), normal(0, 4, 6))
    assert result.ok
    assert result.notes == [
        "of float32 comes float64, in y: training is slower; cast by astype(x.dtype)"
    ]
    assert not gradcheck(layers.ReLU(), normal(0, 4, 6)).notes


def test_losses():
    s, labels = normal(0, 4, 5), np.array([0, 1, 2, 3])
    assert gradcheck.loss(focal, s, labels).ok
    assert gradcheck.loss(ops.softmax_cross_entropy, s, labels).ok
    with pytest.raises(GradCheckError, match=r"ratio 4\b"):
        gradcheck.loss(lambda s, labels: (focal(s, labels)[0], 4 * focal(s, labels)[1]), s, labels)
    with pytest.raises(GradCheckError, match=r"must return \(loss, ds\)"):
        gradcheck.loss(lambda s, labels: focal(s, labels)[0], s, labels)
    with pytest.raises(TypeError, match=r"gradcheck.loss\(f, s, labels\)"):
        gradcheck(focal, s)


BROKEN = {
    "conv": ("conv", "conv2d_backward", lambda: conv(), (2, 6, 6, 2)),
    "dense": ("dense", "dense_backward", lambda: dense(), (8, 4)),
    "batch norm": ("norm", "batch_norm_backward", lambda: layers.BatchNorm(3), (2, 6, 6, 3)),
    "pool": ("pool", "max_pool2d_backward", lambda: layers.MaxPool2D(2), (2, 6, 6, 8)),
}


@pytest.mark.parametrize(("file", "name", "make", "shape"), BROKEN.values(), ids=BROKEN)
def test_a_broken_kernel_is_seen(file, name, make, shape, monkeypatch):
    """Kernels refuse float64, so that differences never reach them."""
    import importlib

    import numpycnn
    from numpycnn import backend

    pytest.importorskip("numba")
    before = backend.backend()
    numpycnn.use("numba")
    try:
        assert gradcheck(make(), normal(0, *shape)).ok
        module = importlib.import_module(f"numpycnn.kernels.{file}")
        right, ran = getattr(module, name), []

        def broken(*args, **options):
            result = right(*args, **options)
            if result is NotImplemented:
                return result
            ran.append(name)
            several = result if isinstance(result, tuple) else (result,)
            several = tuple(None if array is None else 1.5 * array for array in several)
            return several if isinstance(result, tuple) else several[0]

        monkeypatch.setattr(module, name, broken)
        backend._kernel.cache_clear()
        with pytest.raises(GradCheckError, match="float32 code of the numba backend"):
            gradcheck(make(), normal(0, *shape))
        assert ran
    finally:
        monkeypatch.undo()
        backend._kernel.cache_clear()
        numpycnn.use(before)

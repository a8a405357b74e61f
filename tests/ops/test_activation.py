"""Activations against Python's math module, element by element; derivatives by definition."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpycnn import ops
from numpycnn.errors import ShapeError
from tests import naive

normal = statistics.NormalDist()


def logistic(v):
    return 1 / (1 + math.exp(-v)) if v > 0 else math.exp(v) / (1 + math.exp(v))


# name: (arguments, y of x, dy/dx of x), one number at a time
DEFINITIONS = {
    "relu": ({}, lambda v: max(v, 0.0), lambda v: float(v > 0)),
    "leaky_relu": (
        {"negative_slope": 0.3},
        lambda v: v if v > 0 else 0.3 * v,
        lambda v: 1.0 if v > 0 else 0.3,
    ),
    "elu": (
        {"alpha": 0.7},
        lambda v: v if v > 0 else 0.7 * math.expm1(v),
        lambda v: 1.0 if v > 0 else 0.7 * math.exp(v),
    ),
    "sigmoid": ({}, logistic, lambda v: logistic(v) * logistic(-v)),
    "tanh": ({}, math.tanh, lambda v: 1 - math.tanh(v) ** 2),
    "silu": (
        {},
        lambda v: v * logistic(v),
        lambda v: logistic(v) + v * logistic(v) * logistic(-v),
    ),
    "gelu": (
        {},
        lambda v: v * normal.cdf(v),
        lambda v: normal.cdf(v) + v * normal.pdf(v),
    ),
    "hard_swish": (
        {},
        lambda v: 0.0 if v <= -3 else v if v >= 3 else v * (v + 3) / 6,
        lambda v: 0.0 if v <= -3 else 1.0 if v >= 3 else (2 * v + 3) / 6,
    ),
}
GATES = "silu", "gelu", "hard_swish"  # x times a gate in [0, 1]
shapes = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple) | st.sampled_from(
    [(8,), (2, 17), (1, 3, 3, 33)]
)
dtypes, layouts, seeds = (
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from(naive.LAYOUTS),
    st.integers(0, 2**32 - 1),
)


@pytest.mark.parametrize("name", DEFINITIONS)
@given(shape=shapes, dtype=dtypes, layout=layouts, seed=seeds)
def test_activation_is_its_definition(each_backend, name, shape, dtype, layout, seed):
    arguments, value, slope = DEFINITIONS[name]
    rng = np.random.default_rng(seed)
    x = naive.lay_out((3 * rng.standard_normal(shape)).astype(dtype), layout)
    y, cache = getattr(ops, name)(x, **arguments)
    naive.agree(y, np.vectorize(value, otypes=[float])(x))
    dy = naive.lay_out(rng.standard_normal(shape).astype(dtype), layout)
    naive.agree(
        getattr(ops, f"{name}_backward")(dy, cache), dy * np.vectorize(slope, otypes=[float])(x)
    )


@pytest.mark.parametrize("name", DEFINITIONS)
def test_many_elements(each_backend, name):
    """More than a thread's or a vector's share."""
    arguments, value, slope = DEFINITIONS[name]
    rng = np.random.default_rng(10)
    x, dy = rng.standard_normal((2, 5, 7, 3, 43), np.float32)
    y, cache = getattr(ops, name)(x, **arguments)
    naive.agree(y, np.vectorize(value, otypes=[float])(x))
    naive.agree(
        getattr(ops, f"{name}_backward")(dy, cache), dy * np.vectorize(slope, otypes=[float])(x)
    )


@pytest.mark.parametrize("name", [*DEFINITIONS, "prelu", "softmax"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_passes_through(each_backend, name, dtype):
    x = np.linspace(-2, 2, 36, dtype=dtype).reshape(2, 18)
    x[0, 4] = x[1, 17] = np.nan
    y, _ = getattr(ops, name)(x, **({"alpha": np.full(18, 0.2, dtype)} if name == "prelu" else {}))
    if name == "softmax":
        assert np.isnan(y).all()  # the whole row is lost
    else:
        np.testing.assert_array_equal(np.isnan(y), np.isnan(x))


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu", "prelu"])
def test_at_the_kink_the_slope_is_the_left_one(each_backend, name):
    arguments, left = {
        "relu": ({}, 0),
        "leaky_relu": ({}, 0.01),
        "elu": ({"alpha": 2.0}, 2),
        "prelu": ({"alpha": np.array([0.5])}, 0.5),
    }[name]
    y, cache = getattr(ops, name)(np.zeros((2, 3)), **arguments)
    assert not y.any()
    dx = getattr(ops, f"{name}_backward")(np.full((2, 3), 3.0), cache)
    np.testing.assert_allclose(dx[0] if name == "prelu" else dx, 3 * left)


def test_at_its_kinks_hard_swish_has_the_outer_slope(each_backend):
    _, cache = ops.hard_swish(np.array([-3.0, 3.0]))
    np.testing.assert_array_equal(ops.hard_swish_backward(np.full(2, 3.0), cache), [0, 3])


def test_gelu_keeps_its_digits_far_below_zero(each_backend):
    """1 + erf(x / sqrt 2) would be 0 in float32 from x = -5.4 on."""
    y, _ = ops.gelu(np.array([-6.0, -8.0], np.float32))
    np.testing.assert_allclose(y, [-6 * 9.865876e-10, -8 * 6.220961e-16], rtol=1e-5)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "elu", "softmax", *GATES])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.filterwarnings("error")
def test_large_values_do_not_overflow(each_backend, name, dtype):
    largest = np.finfo(dtype).max
    x = np.array([[-largest, -1e4, -90, 0, 90, 1e4, largest]], dtype)
    y, cache = getattr(ops, name)(x)
    assert np.isfinite(y).all()
    assert np.isfinite(getattr(ops, f"{name}_backward")(np.full_like(y, 0.3), cache)).all()
    bounds = {"sigmoid": (0, 1), "tanh": (-1, 1), "elu": (-1, largest), "softmax": (0, 1)}
    low, high = (bounds | dict.fromkeys(GATES, (0, largest)))[name]
    assert y[0, 0] == low
    assert y[0, -1] == high


@given(
    n=st.integers(1, 4),
    c=st.integers(1, 5) | st.sampled_from([8, 17, 33]),
    image=st.booleans(),
    one=st.booleans(),
    dtype=dtypes,
    layout=layouts,
    seed=seeds,
)
def test_prelu_is_its_definition(each_backend, n, c, image, one, dtype, layout, seed):
    rng = np.random.default_rng(seed)
    x, dy = (
        naive.lay_out(rng.standard_normal((n, 2, 3, c) if image else (n, c)).astype(dtype), layout)
        for _ in "xy"
    )
    alpha = rng.standard_normal(1 if one else c).astype(dtype)
    y, cache = ops.prelu(x, alpha)
    dx, dalpha = ops.prelu_backward(dy, cache)
    wanted_y, wanted_dx, wanted_dalpha = np.zeros(x.shape), np.zeros(x.shape), np.zeros(len(alpha))
    for index, value in np.ndenumerate(x):
        a = 0 if one else index[-1]
        wanted_y[index] = value if value > 0 else float(alpha[a]) * value
        wanted_dx[index] = dy[index] * (1 if value > 0 else float(alpha[a]))
        wanted_dalpha[a] += 0 if value > 0 else float(dy[index]) * value
    naive.agree(y, wanted_y)
    naive.agree(dx, wanted_dx)
    naive.agree(dalpha, wanted_dalpha)


@pytest.mark.parametrize("slopes", [32, 1])
def test_prelu_gradients_at_the_size_of_a_network_are_those_of_float64(slopes):
    """Sums of 100,000 terms and more, which float32 alone would give with an error of 8e-6."""
    rng = np.random.default_rng(1)
    x, dy = rng.standard_normal((2, 128, 28, 28, 32), np.float32)
    alpha = np.full(slopes, 0.1, np.float32)
    _, cache = ops.prelu(x, alpha)
    _, dalpha = ops.prelu_backward(dy, cache)
    wanted = np.where(x > 0, 0, dy * x).sum(axis=(0, 1, 2), dtype=np.float64)
    wanted = wanted if slopes > 1 else wanted.sum(keepdims=True)
    assert (dalpha.dtype, dalpha.shape) == (np.float32, alpha.shape)
    assert np.abs(dalpha - wanted).max() < 3e-7 * np.abs(wanted).max()


def test_prelu_wants_one_slope_a_channel():
    for shape in ((2,), (3, 1), (0,)):
        with pytest.raises(ShapeError, match="alpha"):
            ops.prelu(np.zeros((4, 3), np.float32), np.zeros(shape, np.float32))
    with pytest.raises(ShapeError, match="alpha"):
        ops.prelu(np.zeros(3, np.float32), np.zeros(3, np.float32))


def test_prelu_of_two_channels_has_two_slopes(each_backend):
    _, cache = ops.prelu(-np.ones((4, 2)), np.array([0.1, 0.2]))
    np.testing.assert_array_equal(
        ops.prelu_backward(np.array([[1.0, 2.0]] * 4), cache)[1], [-4, -8]
    )


@given(shape=shapes, dtype=dtypes, layout=layouts, seed=seeds)
def test_softmax_is_its_definition(each_backend, shape, dtype, layout, seed):
    rng = np.random.default_rng(seed)
    x, dy = (naive.lay_out((2 * rng.standard_normal(shape)).astype(dtype), layout) for _ in "xy")
    y, cache = ops.softmax(x)
    dx = ops.softmax_backward(dy, cache)
    wanted_y, wanted_dx = np.zeros(shape), np.zeros(shape)
    for row in np.ndindex(shape[:-1]):
        e = [math.exp(v) for v in x[row].tolist()]
        a = [v / math.fsum(e) for v in e]
        wanted_y[row] = a
        # the Jacobian, da_j / dx_k = a_j ((1 if j is k) - a_k)
        for k in range(len(a)):
            wanted_dx[(*row, k)] = math.fsum(
                dy[(*row, j)] * a[j] * ((j == k) - a[k]) for j in range(len(a))
            )
    naive.agree(y, wanted_y)
    naive.agree(dx, wanted_dx)


def test_softmax_of_nothing_but_minus_infinity_is_nan(each_backend):
    y, _ = ops.softmax(np.array([[-np.inf, -np.inf], [-np.inf, 1.0]], np.float32))
    assert np.isnan(y[0]).all()
    np.testing.assert_array_equal(y[1], [0, 1])


def test_softmax_takes_each_row_for_itself(each_backend):
    """A row far below another does not vanish."""
    row = np.array([1.0, 2.0, 3.0], np.float32)
    y, _ = ops.softmax(np.stack([row, row + 1000, row - 1000]))
    np.testing.assert_array_equal(y[1], y[0])
    np.testing.assert_array_equal(y[2], y[0])

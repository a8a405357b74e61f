"""Pooling against the loops of naive.py: overlapping windows, ties, NaN, pixels in no window."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpycnn import ops
from numpycnn.errors import ShapeError
from tests import naive


@st.composite
def problems(draw):
    size = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride = draw(st.none() | st.tuples(st.integers(1, 4), st.integers(1, 4)))
    c = draw(st.integers(1, 5) | st.sampled_from([8, 16, 17, 33]))
    shape = draw(st.integers(1, 2)), *(n + draw(st.integers(0, 5)) for n in size), c
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.standard_normal(shape).astype(draw(st.sampled_from([np.float64, np.float32])))
    if draw(st.booleans()):
        x = np.round(x)  # ties
    return naive.lay_out(x, draw(st.sampled_from(naive.LAYOUTS))), size, stride, rng


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
@given(problem=problems())
def test_pooling_is_the_loops(each_backend, name, problem):
    x, size, stride, rng = problem
    y, cache = getattr(ops, name)(x, size, stride)
    naive.agree(y, getattr(naive, name)(x, size, stride or size))
    dy = naive.lay_out(rng.standard_normal(y.shape).astype(y.dtype), "reversed")
    dx = getattr(ops, f"{name}_backward")(dy, cache)
    naive.agree(dx, getattr(naive, f"{name}_backward")(dy, x, size, stride or size))


@given(problem=problems())
def test_global_pooling_is_the_loops(each_backend, problem):
    x, _, _, rng = problem
    y, cache = ops.global_avg_pool(x)
    naive.agree(y, naive.global_avg_pool(x))
    dy = naive.lay_out(rng.standard_normal(y.shape).astype(y.dtype), "fortran")
    naive.agree(ops.global_avg_pool_backward(dy, cache), naive.global_avg_pool_backward(dy, x))


@pytest.mark.parametrize("shape", [(2, 14, 14, 32), (1, 7, 9, 92)])
@pytest.mark.parametrize(("size", "stride"), [(2, None), (3, 2), ((3, 2), (1, 2))])
def test_sizes_as_in_a_network(each_backend, shape, size, stride):
    rng = np.random.default_rng(3)
    x = np.maximum(
        rng.standard_normal(shape, np.float32), 0
    )  # after ReLU half of all values tie at 0
    size_pair, stride_pair = naive.both(size), naive.both(stride or size)
    for name in ("max_pool2d", "avg_pool2d"):
        y, cache = getattr(ops, name)(x, size, stride)
        naive.agree(y, getattr(naive, name)(x, size_pair, stride_pair))
        dy = rng.standard_normal(y.shape, np.float32)
        wanted = getattr(naive, f"{name}_backward")(dy, x, size_pair, stride_pair)
        naive.agree(getattr(ops, f"{name}_backward")(dy, cache), wanted)


def test_max_pool_by_hand(each_backend):
    x = np.array([[1, 5, 5], [5, 0, 2], [3, 4, 9]], np.float32)[None, :, :, None]
    y, cache = ops.max_pool2d(x, 2, 1)
    np.testing.assert_array_equal(y[0, :, :, 0], [[5, 5], [5, 9]])
    dx = ops.max_pool2d_backward(
        np.array([[1, 10], [100, 1000]], np.float32)[None, :, :, None], cache
    )
    np.testing.assert_array_equal(dx[0, :, :, 0], [[0, 11, 0], [100, 0, 0], [0, 0, 1000]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])  # the kernel is of float32
@pytest.mark.parametrize("size", [(18, 17), (16, 16), (1, 257), (257, 1), (2, 129)])
def test_max_pool_of_a_window_of_about_256_places(each_backend, size, dtype):
    """The winner's number no longer fits into a byte. In the first channel the last place wins."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((1, *size, 2)).astype(dtype)
    x[0, -1, -1, 0] = 9
    y, cache = ops.max_pool2d(x, size)
    np.testing.assert_array_equal(y[:, 0, 0], x.max(axis=(1, 2)))
    dx = ops.max_pool2d_backward(np.full(y.shape, 2.5, dtype), cache)
    np.testing.assert_array_equal(dx, np.where(x == x.max(axis=(1, 2), keepdims=True), 2.5, 0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_wins_and_minus_infinity_loses(each_backend, dtype):
    x = np.full((1, 4, 4, 17), -np.inf, dtype)
    x[0, 1, 1, :] = np.nan
    x[0, 2, 0, :] = -1
    y, cache = ops.max_pool2d(x, 2)
    assert np.isnan(y[0, 0, 0]).all()
    np.testing.assert_array_equal(y[0, 0, 1], -np.inf)
    np.testing.assert_array_equal(y[0, 1, 0], -1)
    dx = ops.max_pool2d_backward(np.full_like(y, 3), cache)
    assert (dx[0, 1, 1] == 3).all()  # to the NaN
    assert (dx[0, 0, 2] == 3).all()  # to the first of four equal ones
    assert dx.sum() == 4 * 3 * 17


def test_what_is_left_over_gets_no_gradient(each_backend):
    x = np.random.default_rng(5).standard_normal((2, 5, 7, 3))
    for name in ("max_pool2d", "avg_pool2d"):
        y, cache = getattr(ops, name)(x, 2)
        assert y.shape == (2, 2, 3, 3)
        dx = getattr(ops, f"{name}_backward")(np.full(y.shape, 0.7), cache)
        assert not dx[:, 4].any()
        assert not dx[:, :, 6].any()


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 6}, r"window \(6, 6\) is larger than the input \(5, 6\)"),
        ({"size": 0}, "size must be a whole number of at least 1"),
        ({"size": 2, "stride": 0}, "stride must be a whole number of at least 1"),
        ({"size": 1, "x": np.zeros((2, 0, 6, 3))}, "larger than the input"),
        ({"size": 1, "x": np.zeros((2, 5, 0, 3))}, "larger than the input"),
        ({"x": np.zeros((5, 6, 3))}, "3-D shape"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(each_backend, name, arguments, message):
    with pytest.raises(ShapeError, match=message):
        getattr(ops, name)(**{"x": np.zeros((2, 5, 6, 3)), **arguments})


@pytest.mark.parametrize("shape", [(2, 0, 3, 4), (2, 3, 0, 4)])
def test_the_mean_of_no_pixels_is_refused(each_backend, shape):
    with pytest.raises(ShapeError, match="no pixels"):
        ops.global_avg_pool(np.zeros(shape, np.float32))


def test_global_pooling_of_no_channels(each_backend):
    assert ops.global_avg_pool(np.zeros((2, 3, 3, 0), np.float32))[0].shape == (2, 0)


def test_an_empty_batch_gives_an_empty_batch(each_backend):
    x = np.zeros((0, 4, 4, 3), np.float32)
    for name, shape in (
        ("max_pool2d", (0, 2, 2, 3)),
        ("avg_pool2d", (0, 2, 2, 3)),
        ("global_avg_pool", (0, 3)),
    ):
        y, cache = getattr(ops, name)(x)
        assert y.shape == shape
        assert getattr(ops, f"{name}_backward")(y, cache).shape == x.shape

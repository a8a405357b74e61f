"""Batch norm against the loops of naive.py, training or not; running values; constant channels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpycnn import ops
from numpycnn.errors import ShapeError
from tests import naive


@st.composite
def problems(draw):
    c = draw(st.integers(1, 5) | st.sampled_from([8, 16, 17, 33]))
    features = draw(st.booleans())
    shape = (
        (draw(st.integers(3, 9)), c)
        if features
        else (*draw(st.tuples(*[st.integers(1, 3)] * 3)), c)
    )
    if shape[0] * (1 if features else shape[1] * shape[2]) < 3:
        shape = (3, *shape[1:])  # with two values xhat is +-1 whatever x is, and dx is 0
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from([np.float64, np.float32]))
    x = naive.lay_out(
        (2 * rng.standard_normal(shape) + 3).astype(dtype), draw(st.sampled_from(naive.LAYOUTS))
    )
    vectors = [
        rng.standard_normal(c),
        rng.standard_normal(c),
        rng.standard_normal(c),
        rng.uniform(0.5, 2, c),
    ]
    return x, *(v.astype(dtype) for v in vectors), rng


@pytest.mark.parametrize("train", [True, False])
@given(
    problem=problems(),
    momentum=st.sampled_from([0.9, 0.0, 0.25, 1.0]),
    eps=st.sampled_from([1e-5, 1e-2]),
)
def test_batch_norm_is_the_loops(each_backend, train, problem, momentum, eps):
    x, gamma, beta, mean, var, rng = problem
    running_mean, running_var = mean.copy(), var.copy()
    y, cache = ops.batch_norm(x, gamma, beta, running_mean, running_var, train, momentum, eps)
    wanted, used_mean, used_var = naive.batch_norm(x, gamma, beta, mean, var, train, eps)
    # a channel whose values happen to lie close together divides by little: fewer float32 digits
    worst = max(1.0, float(1 / np.sqrt(used_var.min() + eps)))
    naive.agree(y / worst, wanted / worst)

    if train:
        naive.agree(running_mean, momentum * mean.astype(float) + (1 - momentum) * used_mean)
        naive.agree(running_var, momentum * var.astype(float) + (1 - momentum) * used_var)
    else:
        np.testing.assert_array_equal(running_mean, mean)
        np.testing.assert_array_equal(running_var, var)

    dy = naive.lay_out(rng.standard_normal(y.shape).astype(y.dtype), "fortran")
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    wanted_dx, wanted_dgamma, wanted_dbeta = naive.batch_norm_backward(
        dy, x, gamma, used_mean, used_var, train, eps
    )
    naive.agree(dx / worst**2, wanted_dx / worst**2)
    naive.agree(dgamma / worst, wanted_dgamma / worst)
    naive.agree(dbeta, wanted_dbeta)


@pytest.mark.parametrize("shape", [(32, 7, 7, 92), (64, 33)])
def test_sizes_as_in_a_network(each_backend, shape):
    """Also where the mean is large beside the deviation: E[x^2] - E[x]^2 would not survive it."""
    rng = np.random.default_rng(6)
    x = (rng.standard_normal(shape) + 300).astype(np.float32)
    flat = x.reshape(-1, shape[-1]).astype(float)
    zeros, ones = np.zeros(shape[-1], np.float32), np.ones(shape[-1], np.float32)
    y, cache = ops.batch_norm(x, ones, zeros, zeros.copy(), ones.copy(), True)
    xhat = (flat - flat.mean(axis=0)) / np.sqrt(flat.var(axis=0) + 1e-5)
    np.testing.assert_allclose(y.reshape(flat.shape), xhat, rtol=0, atol=2e-3)
    dy = rng.standard_normal(shape).astype(np.float32)
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    g = dy.reshape(flat.shape).astype(float)
    np.testing.assert_allclose(dbeta, g.sum(axis=0), rtol=0, atol=1e-3)
    np.testing.assert_allclose(dgamma, (g * xhat).sum(axis=0), rtol=0, atol=0.2)
    d = dx.reshape(flat.shape).astype(float)
    wanted = (g - g.mean(axis=0) - xhat * (g * xhat).mean(axis=0)) / np.sqrt(
        flat.var(axis=0) + 1e-5
    )
    np.testing.assert_allclose(d, wanted, rtol=0, atol=2e-3)
    # dx is orthogonal to what batch norm forgets: a shift and (but for eps) a stretch
    np.testing.assert_allclose(d.sum(axis=0), 0, atol=5e-2)
    np.testing.assert_allclose((d * xhat).sum(axis=0), 0, atol=0.5)


@pytest.mark.parametrize("shape", [(128, 28, 28, 32), (128, 14, 14, 64)])
def test_gradients_at_the_size_of_a_network_are_those_of_float64(each_backend, shape):
    """Sums of 100,000 terms, which float32 alone would give with an error of 1e-5."""
    rng = np.random.default_rng(6)
    x, dy = rng.standard_normal((2, *shape), np.float32)
    gamma, beta = rng.standard_normal((2, shape[-1]), np.float32)
    gradients = []
    for dtype in (np.float32, np.float64):
        arrays = [v.astype(dtype) for v in (x, gamma, beta, 0 * beta, 0 * beta + 1)]
        _, cache = ops.batch_norm(*arrays, train=True)
        gradients.append(ops.batch_norm_backward(dy, cache))
    for single, double in zip(*gradients, strict=True):
        assert (single.dtype, double.dtype) == (np.float32, np.float64)
        assert np.abs(single - double).max() < 1e-6 * np.abs(double).max()


@pytest.mark.parametrize("value", [0.0, 1.0, 1e4, -3e30])
def test_a_constant_channel_stays_finite(each_backend, value):
    x = np.full((4, 2, 2, 2), value, np.float32)
    x[..., 1] = np.random.default_rng(7).standard_normal((4, 2, 2))
    ones = np.ones(2, np.float32)
    with np.errstate(over="ignore"):
        y, cache = ops.batch_norm(x, ones, ones / 2, np.zeros(2, np.float32), ones.copy(), True)
    np.testing.assert_array_equal(y[..., 0], 0.5)
    dy = np.random.default_rng(8).standard_normal(x.shape).astype(np.float32)
    assert all(np.isfinite(d).all() for d in ops.batch_norm_backward(dy, cache))


@pytest.mark.parametrize("shape", [(1, 3), (1, 1, 1, 3), (0, 3), (0, 4, 4, 3)])
def test_one_value_a_channel_cannot_train_but_can_be_used(each_backend, shape):
    x, ones = np.zeros(shape, np.float32), np.ones(3, np.float32)
    running = np.zeros(3, np.float32), np.ones(3, np.float32)
    with pytest.raises(ValueError, match=r"cannot train on one value a channel.*larger batch"):
        ops.batch_norm(x, ones, ones, *running, True)
    assert not running[0].any()
    y, cache = ops.batch_norm(x, ones, ones, *running, False)
    assert y.shape == shape
    assert ops.batch_norm_backward(y, cache)[0].shape == shape


def test_two_values_a_channel_can_train(each_backend):
    x = np.array([[1.0, 5.0], [3.0, 5.0]])
    y, _ = ops.batch_norm(
        x, np.ones(2), np.zeros(2), np.zeros(2), np.ones(2), True, 0.9, 0.0 + 1e-12
    )
    np.testing.assert_allclose(y, [[-1, 0], [1, 0]], atol=1e-6)


def test_nan_is_not_hidden(each_backend):
    x = np.random.default_rng(9).standard_normal((8, 2)).astype(np.float32)
    x[3, 1] = np.nan
    ones, running = np.ones(2, np.float32), (np.zeros(2, np.float32), np.ones(2, np.float32))
    y, _ = ops.batch_norm(x, ones, ones, *running, True)
    assert np.isfinite(y[:, 0]).all()
    assert np.isnan(y[:, 1]).all()
    assert np.isnan(running[0][1])


@pytest.mark.parametrize("shape", [(3,), (2, 4, 3), (2, 4)])
def test_what_does_not_fit_is_refused(each_backend, shape):
    v = np.ones(3, np.float32)
    with pytest.raises(ShapeError):
        ops.batch_norm(np.zeros(shape, np.float32), v, v, v.copy(), v.copy(), False)
    with pytest.raises(ShapeError, match="channels"):
        ops.batch_norm(np.zeros((4, 3), np.float32), v, v, v.copy(), np.ones(4, np.float32), False)


def test_nchw_is_recognised():
    v = np.ones(3, np.float32)
    with pytest.raises(ShapeError, match=r"NCHW.*transpose\(0, 2, 3, 1\)"):
        ops.batch_norm(np.zeros((2, 3, 5, 5), np.float32), v, v, v.copy(), v.copy(), False)


@pytest.mark.parametrize(
    "running", [[0.0, 0.0, 0.0], np.zeros(3, int), np.zeros((3, 1), np.float32)]
)
def test_running_values_that_cannot_be_updated_in_place_are_refused(running):
    v = np.ones(3, np.float32)
    with pytest.raises((TypeError, ShapeError), match="running"):
        ops.batch_norm(np.zeros((4, 3), np.float32), v, v, running, v.copy(), True)

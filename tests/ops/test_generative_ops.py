"""Upsampling, the reparameterised draw and the gradient penalty against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpycnn import ops
from numpycnn.errors import ShapeError

dtypes, seeds = st.sampled_from([np.float32, np.float64]), st.integers(0, 2**32 - 1)
small = st.integers(1, 4)


@given(n=small, h=small, w=small, c=small, sh=small, sw=small, dtype=dtypes, seed=seeds)
def test_upsampling_is_its_definition(each_backend, n, h, w, c, sh, sw, dtype, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, h, w, c)).astype(dtype)
    y, cache = ops.upsample2d(x, (sh, sw))
    dy = rng.standard_normal(y.shape).astype(dtype)
    wanted, dx = np.zeros((n, h * sh, w * sw, c), dtype), np.zeros_like(x)
    for i in range(h * sh):
        for j in range(w * sw):
            wanted[:, i, j] = x[:, i // sh, j // sw]
            dx[:, i // sh, j // sw] += dy[:, i, j]
    np.testing.assert_array_equal(y, wanted)
    got = ops.upsample2d_backward(dy, cache)
    assert (y.dtype, got.dtype) == (dtype, dtype)
    np.testing.assert_allclose(got, dx, rtol=1e-5, atol=1e-5)


def test_upsampling_refuses():
    with pytest.raises(ShapeError, match="size"):
        ops.upsample2d(np.zeros((1, 2, 2, 1)), 0)
    with pytest.raises(ShapeError, match="images"):
        ops.upsample2d(np.zeros((2, 2, 1)))


def test_the_draw_has_its_mean_and_deviation(each_backend):
    n = 200_000
    mean, log_var = np.full((n, 2), [3.0, -1]), np.full((n, 2), np.log([0.25, 4]))
    z, cache = ops.gaussian_sample(mean, log_var, np.random.default_rng(0))
    np.testing.assert_allclose(z.mean(axis=0), [3, -1], atol=0.02)
    np.testing.assert_allclose(z.std(axis=0), [0.5, 2], rtol=0.01)
    e = (z - mean) / np.exp(log_var / 2)
    dmean, dlog_var = ops.gaussian_sample_backward(np.ones_like(z), cache)
    np.testing.assert_array_equal(dmean, 1)
    np.testing.assert_allclose(dlog_var, 0.5 * np.exp(log_var / 2) * e, rtol=1e-12)


def test_the_draw_is_the_mean_when_not_training():
    mean = np.random.default_rng(0).standard_normal((3, 2)).astype(np.float32)
    z, cache = ops.gaussian_sample(mean, np.ones_like(mean), train=False)
    np.testing.assert_array_equal(z, mean)
    dmean, dlog_var = ops.gaussian_sample_backward(np.ones_like(z), cache)
    np.testing.assert_array_equal(dmean, 1)
    np.testing.assert_array_equal(dlog_var, 0)


def test_the_draw_refuses():
    with pytest.raises(ValueError, match="Generator"):
        ops.gaussian_sample(np.zeros((2, 2)), np.zeros((2, 2)))
    with pytest.raises(ShapeError, match="one shape"):
        ops.gaussian_sample(np.zeros((2, 2)), np.zeros((2, 3)), np.random.default_rng(0))


def test_the_penalty_by_hand():
    """Lengths 5 and 1: 10/2 * (16 + 0)."""
    g = np.array([[3.0, 4.0], [0.0, -1.0]])
    loss, dg = ops.gradient_penalty(g)
    assert loss == pytest.approx(80)
    np.testing.assert_allclose(dg, [[10 * 0.8 * 3, 10 * 0.8 * 4], [0, 0]], atol=1e-12)
    loss, dg = ops.gradient_penalty(np.zeros((2, 3), np.float32), weight=3)
    assert loss == 3
    np.testing.assert_array_equal(dg, 0)
    assert dg.dtype == np.float32


@given(n=small, h=small, w=small, seed=seeds)
def test_the_penalty_has_its_gradient(n, h, w, seed):
    rng = np.random.default_rng(seed)
    g, d = rng.standard_normal((2, n, h, w, 2))
    _, dg = ops.gradient_penalty(g, 2.5)
    step = 1e-6
    numeric = (
        ops.gradient_penalty(g + step * d, 2.5)[0] - ops.gradient_penalty(g - step * d, 2.5)[0]
    ) / (2 * step)
    assert (dg * d).sum() == pytest.approx(numeric, rel=1e-5, abs=1e-6)


def test_the_penalty_refuses_what_is_no_batch_of_gradients():
    with pytest.raises(ShapeError, match="N"):
        ops.gradient_penalty(np.zeros(3))

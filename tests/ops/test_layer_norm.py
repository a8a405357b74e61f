"""Layer and group norm against loops over Python floats; what the batch and its groups share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpycnn import ops
from numpycnn.errors import ShapeError
from tests import naive


@st.composite
def problems(draw):
    """x, gamma, beta, groups (0: a layer norm), eps and a generator."""
    groups = draw(st.integers(0, 3))
    c = max(groups, 1) * draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from([np.float64, np.float32]))
    shape = draw(st.sampled_from([(3,), (2, 4), (2, 3, 2), (1, 1, 1)]))
    x, gamma, beta = (rng.standard_normal(s).astype(dtype) for s in ((*shape, c), (c,), (c,)))
    layout = draw(st.sampled_from(naive.LAYOUTS))
    return (
        naive.lay_out(x + 2, layout),
        gamma,
        beta,
        groups,
        draw(st.sampled_from([1e-3, 0.5])),
        rng,
    )


@given(problem=problems())
def test_it_is_the_loops(each_backend, problem):
    x, gamma, beta, groups, eps, rng = problem
    if groups:
        y, cache = ops.group_norm(x, gamma, beta, groups, eps)
    else:
        y, cache = ops.layer_norm(x, gamma, beta, eps)
    members = naive.group_members(x.shape, groups) if groups else naive.row_members(x.shape)
    naive.agree(y, naive.normalise(x, gamma, beta, members, eps))
    dy = rng.standard_normal(y.shape).astype(y.dtype)
    back = ops.group_norm_backward if groups else ops.layer_norm_backward
    wanted = naive.normalise_backward(dy, x, gamma, members, eps)
    for got, exact in zip(back(dy, cache), wanted, strict=True):
        assert got.dtype == x.dtype
        naive.agree(got, exact)


def test_the_batch_has_no_part_in_them(each_backend):
    x = np.random.default_rng(0).standard_normal((4, 5, 5, 6), np.float32)
    gamma, beta = np.full(6, 2, np.float32), np.ones(6, np.float32)
    for op, rest in (ops.layer_norm, ()), (ops.group_norm, (3,)):
        whole = op(x, gamma, beta, *rest)[0]
        np.testing.assert_array_equal(op(x[2:3], gamma, beta, *rest)[0], whole[2:3])


def test_values_of_one_group_are_normal_and_others_do_not_matter(each_backend):
    x = np.random.default_rng(0).standard_normal((2, 7, 5, 6)) * 5 + 3
    y, _ = ops.group_norm(x, np.ones(6), np.zeros(6), 2, 1e-9)
    for part in y[..., :3], y[..., 3:]:
        np.testing.assert_allclose(part.mean(axis=(1, 2, 3)), 0, atol=1e-12)
        np.testing.assert_allclose(part.std(axis=(1, 2, 3)), 1, atol=1e-6)
    x[..., 3:] = 7
    np.testing.assert_array_equal(
        ops.group_norm(x, np.ones(6), np.zeros(6), 2, 1e-9)[0][..., :3], y[..., :3]
    )


def test_equal_values_become_beta(each_backend):
    x, beta = np.full((2, 3, 3, 4), 7, np.float32), np.arange(4, dtype=np.float32)
    for y, cache in (
        ops.layer_norm(x, np.ones(4, np.float32), beta),
        ops.group_norm(x, np.ones(4, np.float32), beta, 2),
    ):
        np.testing.assert_array_equal(y, np.broadcast_to(beta, x.shape))
        dx = (ops.layer_norm_backward if cache.op == "layer_norm" else ops.group_norm_backward)(
            np.ones_like(y), cache
        )[0]
        assert np.isfinite(dx).all()


X, ONE = np.zeros((2, 3, 3, 4), np.float32), np.ones(4, np.float32)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.layer_norm(X, ONE[:3], ONE[:3]), "expected 3 channels in the last axis"),
        (lambda: ops.layer_norm(X, ONE, ONE[:1]), r"layer_norm: beta has the shape \(1,\)"),
        (lambda: ops.layer_norm(X[0, 0, 0], ONE, ONE), "x must have .* dimensions"),
        (lambda: ops.group_norm(X, ONE, ONE, 3), "4 channels cannot be divided into 3 groups"),
        (lambda: ops.group_norm(X, ONE, ONE, 0), "groups must be a whole number of at least 1"),
        (
            lambda: ops.channel_scale(X, np.ones((2, 3), np.float32)),
            r"s must have one value a channel of each image, \(2, 4\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_words(each_backend, call, message):
    with pytest.raises(ShapeError, match=message):
        call()


def test_channel_scale_is_its_definition(each_backend):
    rng = np.random.default_rng(4)
    x, s = rng.standard_normal((2, 3, 2, 4)), rng.standard_normal((2, 4))
    y, cache = ops.channel_scale(x, s)
    dy = rng.standard_normal(y.shape)
    wanted_y, wanted_dx, wanted_ds = np.zeros(x.shape), np.zeros(x.shape), np.zeros(s.shape)
    for n, i, j, c in np.ndindex(x.shape):
        wanted_y[n, i, j, c] = x[n, i, j, c] * s[n, c]
        wanted_dx[n, i, j, c] = dy[n, i, j, c] * s[n, c]
        wanted_ds[n, c] += dy[n, i, j, c] * x[n, i, j, c]
    naive.agree(y, wanted_y)
    for got, wanted in zip(
        ops.channel_scale_backward(dy, cache), (wanted_dx, wanted_ds), strict=True
    ):
        naive.agree(got, wanted)

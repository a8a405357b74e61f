"""Mirror convolution: against loops, and in a mirror, on shapes that hypothesis draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpycnn import ops
from numpycnn.errors import ShapeError
from numpycnn.ops.mirror import partner
from tests import naive


def seen(x, first=False):
    """x in the mirror: columns reversed, and the halves of the channels change places."""
    mirrored = x[:, :, ::-1]
    return mirrored if first else np.concatenate(np.split(mirrored, 2, axis=3)[::-1], axis=3)


def naive_partner(w, first):
    """Weight by weight: column kw-1-dj, and the channel at the same place in the other half."""
    v, (_, kw, c, _) = np.empty_like(w), w.shape
    for dj in range(kw):
        for k in range(c):
            other = k if first else (k + c // 2 if k < c // 2 else k - c // 2)
            v[:, dj, k] = w[:, kw - 1 - dj, other]
    return v


@st.composite
def problems(draw):
    """x, w, b or None, stride, padding, first: such that both edges are met alike."""
    c, f = draw(st.tuples(*[st.sampled_from([1, 2, 3, 16])] * 2))
    first = draw(st.booleans())
    sw, side = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    kernel = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    stride, padding = (draw(st.integers(1, 2)), sw), (draw(st.integers(0, 1)), side)
    columns = kernel[1] - 2 * side + sw * draw(st.integers(0, 3))
    while columns < 1:
        columns += sw
    size = kernel[0] + draw(st.integers(0, 2)), columns
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from([np.float64, np.float32]))
    c = c if first else 2 * c
    x = rng.standard_normal((draw(st.integers(1, 2)), *size, c)).astype(dtype)
    w = rng.standard_normal((*kernel, c, f)).astype(dtype)
    b = rng.standard_normal(f).astype(dtype) if draw(st.booleans()) else None
    return x, w, b, stride, padding, first


@given(problem=problems())
def test_it_is_the_convolution_with_the_filters_and_their_partners(each_backend, problem):
    x, w, b, stride, padding, first = problem
    f = w.shape[3]
    both = np.concatenate([w, naive_partner(w, first)], axis=3)
    bias = None if b is None else np.concatenate([b, b])
    y, cache = ops.mirror_conv2d(x, w, b, stride, padding, first)
    naive.agree(y, naive.conv2d(x, both, bias, stride, padding))
    dy = np.random.default_rng(1).standard_normal(y.shape).astype(y.dtype)
    dx, dw, db = ops.mirror_conv2d_backward(dy, cache)
    wanted_dx, dboth, dbias = naive.conv2d_backward(dy, x, both, stride, padding)
    naive.agree(dx, wanted_dx)
    naive.agree(dw, dboth[..., :f] + naive_partner(dboth[..., f:], first))
    if b is None:
        assert db is None
    else:
        naive.agree(db, dbias[:f] + dbias[f:])


@given(problem=problems())
def test_in_a_mirror_maps_are_mirrored_and_pairs_change_places(each_backend, problem):
    x, *rest, first = problem
    y = ops.mirror_conv2d(x, *rest, first)[0]
    naive.agree(ops.mirror_conv2d(seen(x, first), *rest, first)[0], seen(y))


@pytest.mark.parametrize("first", [False, True])
def test_the_partner_of_a_partner_is_the_filter(first):
    w = np.random.default_rng(0).standard_normal((2, 3, 6, 5))
    np.testing.assert_array_equal(partner(w, first), naive_partner(w, first))
    np.testing.assert_array_equal(partner(partner(w, first), first), w)


def test_without_the_input_gradient():
    x, w = np.ones((1, 3, 3, 2), np.float32), np.ones((3, 3, 2, 1), np.float32)
    y, cache = ops.mirror_conv2d(x, w)
    assert ops.mirror_conv2d_backward(y, cache, input_gradient=False)[0] is None


@pytest.mark.parametrize(
    ("columns", "kernel", "stride", "padding"),
    [(8, 3, 2, "same"), (8, 2, 1, "same"), (8, 3, 2, "valid"), (6, 3, 1, ((1, 1), (0, 1)))],
)
def test_what_would_not_be_symmetric_is_refused(columns, kernel, stride, padding):
    x, w = np.zeros((1, 8, columns, 2)), np.zeros((kernel, kernel, 2, 1))
    with pytest.raises(ShapeError, match=r"do not meet the left edge.*use an odd kernel"):
        ops.mirror_conv2d(x, w, None, stride, padding)


def test_channels_without_partners_are_refused():
    x, w = np.zeros((1, 4, 4, 3)), np.zeros((3, 3, 3, 1))
    with pytest.raises(ShapeError, match="3 in-channels, which are no pairs; first=True"):
        ops.mirror_conv2d(x, w)
    assert ops.mirror_conv2d(x, w, first=True)[0].shape == (1, 4, 4, 2)
    with pytest.raises(ShapeError, match=r"pairs of features, \(N, 2F\), not the shape \(2, 3\)"):
        ops.mirror_mean(np.zeros((2, 3)))


def test_the_mean_of_the_halves():
    y, cache = ops.mirror_mean(np.float32([[1, 2, 5, 10]]))
    assert y.tolist() == [[3, 6]]
    assert ops.mirror_mean_backward(np.float32([[4, 8]]), cache).tolist() == [[2, 4, 2, 4]]

"""Convolution in groups and with dilation: against the loops, and against torch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpycnn import ops
from numpycnn.errors import ShapeError
from tests import naive
from tests.ops.test_conv import paddings


@st.composite
def problems(draw):
    """x, w, b or None, stride, padding, dilation, groups and a generator."""
    groups = draw(st.integers(1, 4))
    c, f = groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))
    kernel, stride, dilation = (draw(st.tuples(*[st.integers(1, 3)] * 2)) for _ in range(3))
    padding = draw(paddings)
    span = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    pads = (0, 0) if padding == "valid" else (9, 9) if padding == "same" else naive.both(padding)
    size = [max(1, s - 2 * p) + draw(st.integers(0, 3)) for s, p in zip(span, pads, strict=True)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype, layout = draw(st.sampled_from([np.float64, np.float32])), draw(LAYOUTS)
    x = naive.lay_out(rng.standard_normal((2, *size, c)).astype(dtype), layout)
    w = naive.lay_out(rng.standard_normal((*kernel, c // groups, f)).astype(dtype), layout)
    b = rng.standard_normal(f).astype(dtype) if draw(st.booleans()) else None
    return x, w, b, stride, padding, dilation, groups, rng


LAYOUTS = st.sampled_from(naive.LAYOUTS)


@given(problem=problems())
def test_it_is_the_loops(each_backend, problem):
    x, w, b, *place, rng = problem
    y, cache = ops.conv2d(x, w, b, *place)
    assert y.dtype == x.dtype
    naive.agree(y, naive.conv2d(x, w, b, *place))
    dy = naive.lay_out(rng.standard_normal(y.shape).astype(y.dtype), "fortran")
    dx, dw, db = ops.conv2d_backward(dy, cache)
    for got, wanted in zip((dx, dw), naive.conv2d_backward(dy, x, w, *place), strict=False):
        assert got.dtype == x.dtype
        naive.agree(got, wanted)
    assert (db is None) == (b is None)
    if b is not None:
        naive.agree(db, naive.sum_to_channels(dy))
    assert ops.conv2d_backward(dy, cache, input_gradient=False)[0] is None


TORCH = {  # name: x (H, W, C), w (kh, kw, F), stride, padding, dilation, groups
    "depthwise": ((9, 8, 24), (3, 3, 24), 1, 1, 1, 24),
    "depthwise, stride 2": ((9, 8, 24), (3, 3, 24), 2, 1, 1, 24),
    "depthwise 5x5, dilation": ((9, 11, 17), (5, 5, 17), 1, 4, 2, 17),
    "depthwise, 2 filters a channel": ((7, 8, 5), (3, 2, 10), (1, 2), (1, 0), 1, 5),
    "groups of 4": ((8, 7, 12), (3, 3, 6), 1, 1, 1, 3),
    "groups of 32, as Winograd's kernels take them": ((8, 7, 64), (3, 3, 64), 1, 1, 1, 2),
    "dilation 3": ((11, 12, 16), (3, 3, 17), 1, 3, 3, 1),
    "dilation (1, 2), stride 2": ((11, 12, 3), (3, 4, 4), 2, (1, 2), (1, 2), 1),
    "dilation and groups": ((9, 9, 6), (3, 3, 4), 1, 2, 2, 2),
}


@pytest.mark.parametrize("case", TORCH.values(), ids=TORCH)
def test_it_is_torchs(each_backend, case):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
    (h, width, c), (*kernel, f), stride, padding, dilation, groups = case
    rng = np.random.default_rng(3)
    arrays = [
        rng.standard_normal(shape, np.float32)
        for shape in ((2, h, width, c), (*kernel, c // groups, f), (f,))
    ]
    y, cache = ops.conv2d(*arrays, stride, padding, dilation, groups)
    dy = rng.standard_normal(y.shape, np.float32)
    X, W, B = (torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in arrays)
    place = stride, padding, dilation, groups
    Y = torch.nn.functional.conv2d(X.permute(0, 3, 1, 2), W.permute(3, 2, 0, 1), B, *place)
    Y = Y.permute(0, 2, 3, 1)
    Y.backward(torch.tensor(dy, dtype=torch.float64))
    naive.agree(y, Y.detach().numpy())
    for got, wanted in zip(ops.conv2d_backward(dy, cache), (X, W, B), strict=True):
        naive.agree(got, wanted.grad.numpy())


def test_a_group_does_not_see_the_others(each_backend):
    """Not even through 0 * infinity."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((1, 5, 5, 4), np.float32), np.ones((3, 3, 2, 6), np.float32)
    wanted = ops.conv2d(x, w, groups=2)[0]
    x[..., 2:] = np.nan
    y = ops.conv2d(x, w, groups=2)[0]
    np.testing.assert_array_equal(y[..., :3], wanted[..., :3])
    assert np.isnan(y[..., 3:]).all()


@pytest.mark.parametrize(("size", "dilation", "stride"), [(7, 2, 1), (8, 3, 2), (5, 2, 3)])
def test_same_is_the_size_over_the_stride(each_backend, size, dilation, stride):
    y, _ = ops.conv2d(
        np.zeros((1, size, size, 1)), np.zeros((3, 3, 1, 1)), None, stride, "same", dilation
    )
    assert y.shape[1:3] == (-(-size // stride),) * 2


X, W = np.zeros((2, 5, 6, 4), np.float32), np.zeros((3, 3, 2, 6), np.float32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": 0}, "groups must be a whole number of at least 1, not 0"),
        ({"groups": 2.0}, "groups must be a whole number"),
        ({"groups": 4}, "6 filters cannot be divided into 4 groups"),
        ({"groups": 3}, "expected 6 channels in the last axis"),
        ({"groups": 1}, "expected 2 channels in the last axis"),
        ({"dilation": 0}, "dilation must be a whole number of at least 1"),
        ({"dilation": (1, 2, 3)}, "dilation"),
        (
            {"dilation": 3, "padding": "valid"},
            r"kernel \(3, 3\), which dilation makes \(7, 7\), is larger than the input \(5, 6\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_words(each_backend, change, message):
    with pytest.raises(ShapeError, match=message):
        ops.conv2d(**{"x": X, "w": W, "groups": 2, **change})

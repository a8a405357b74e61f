"""Convolution and its transpose against the loops of naive.py, on shapes that hypothesis draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpycnn import ops
from numpycnn.errors import ShapeError
from tests import naive

WIDE = [8, 16, 17, 33]  # a vector of a CPU, two of them, and one value more
few, wide = st.integers(1, 5), st.sampled_from(WIDE)
channels = st.tuples(few, few) | st.tuples(few, wide) | st.tuples(wide, few)
paddings = (
    st.sampled_from(["same", "valid"])
    | st.integers(0, 2)
    | st.tuples(st.integers(0, 2), st.integers(0, 2))
)


@st.composite
def problems(draw, least_kernel=lambda stride, padding: 1):
    """x, w, b or None, stride, padding and a generator: shapes that fit, nothing else promised."""
    c, f = draw(channels)
    room = 2 if max(c, f) > 5 else 4  # loops are slow
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = draw(paddings)
    kernel = tuple(draw(st.integers(least_kernel(s, padding), 4)) for s in stride)
    pads = (0, 0) if padding == "valid" else (4, 4) if padding == "same" else naive.both(padding)
    size = [
        max(1, k - 2 * p) + draw(st.integers(0, room)) for k, p in zip(kernel, pads, strict=True)
    ]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype, layout = (
        draw(st.sampled_from([np.float64, np.float32])),
        draw(st.sampled_from(naive.LAYOUTS)),
    )
    x = naive.lay_out(
        rng.standard_normal((draw(st.integers(1, 2)), *size, c)).astype(dtype), layout
    )
    w = naive.lay_out(rng.standard_normal((*kernel, c, f)).astype(dtype), layout)
    b = rng.standard_normal(f).astype(dtype) if draw(st.booleans()) else None
    return x, w, b, stride, padding, rng


def check(op, backward, naive_op, naive_backward, x, w, b, stride, padding, rng):
    y, cache = op(x, w, b, stride, padding)
    naive.agree(y, naive_op(x, w, b, stride, padding))
    dy = naive.lay_out(rng.standard_normal(y.shape).astype(y.dtype), "fortran")
    dx, dw, db = backward(dy, cache)
    wanted_dx, wanted_dw, wanted_db = naive_backward(dy, x, w, stride, padding)
    naive.agree(dx, wanted_dx)
    naive.agree(dw, wanted_dw)
    if b is None:
        assert db is None
    else:
        naive.agree(db, wanted_db)


@given(problem=problems())
def test_conv2d_is_the_loops(each_backend, problem):
    check(ops.conv2d, ops.conv2d_backward, naive.conv2d, naive.conv2d_backward, *problem)


@st.composite
def wide_problems(draw):
    """float32, stride 1, 3x3 or 5x5: Winograd from 16 channels on, another for few filters."""
    kernel, (c, f) = (
        draw(st.sampled_from([3, 5])),
        draw(st.tuples(*[st.sampled_from([1, 3, 4, 16, 17, 33, 64])] * 2)),
    )
    pads = tuple(tuple(draw(st.integers(0, kernel + 1)) for _ in range(2)) for _ in range(2))
    size = [max(1, kernel - sum(pad)) + draw(st.integers(0, 12)) for pad in pads]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = naive.lay_out(
        rng.standard_normal((draw(st.integers(1, 7)), *size, c), np.float32), draw(LAYOUTS)
    )
    return (
        x,
        rng.standard_normal((kernel, kernel, c, f), np.float32),
        draw(st.booleans()),
        pads,
        rng,
    )


LAYOUTS = st.sampled_from(naive.LAYOUTS)


@pytest.mark.parametrize(
    "padding", [((0, 0), (0, 3)), ((0, 4), (0, 0)), ((3, 0), (0, 0)), ((0, 0), (5, 0))]
)
def test_padding_beyond_the_kernel_on_one_side(each_backend, padding):
    rng = np.random.default_rng(0)
    x, w = (
        rng.standard_normal((3, 9, 8, 16), np.float32),
        rng.standard_normal((3, 3, 16, 17), np.float32),
    )
    y, cache = ops.conv2d(x, w, None, 1, padding)
    y64, cache64 = ops.conv2d(x.astype(float), w.astype(float), None, 1, padding)
    dy = rng.standard_normal(y.shape, np.float32)
    naive.agree(y, y64)
    for got, exact in zip(
        ops.conv2d_backward(dy, cache)[:2], ops.conv2d_backward(dy, cache64)[:2], strict=True
    ):
        naive.agree(got, exact)


@given(problem=wide_problems())
def test_wide_convolution_is_the_reference_in_float64(each_backend, problem):
    """The loops are too slow for so many channels; the reference in float64 is them, see above."""
    x, w, bias, padding, rng = problem
    b = rng.standard_normal(w.shape[3], np.float32) if bias else None
    y, cache = ops.conv2d(x, w, b, 1, padding)
    dy = rng.standard_normal(y.shape, np.float32)
    wanted, cache64 = ops.conv2d(
        *(v if v is None else v.astype(np.float64) for v in (x, w, b)), 1, padding
    )
    naive.agree(y, wanted)
    for got, exact in zip(
        ops.conv2d_backward(dy, cache), ops.conv2d_backward(dy, cache64), strict=True
    ):
        if exact is not None:
            naive.agree(got, exact)


# "same" with a stride above the kernel has a test of its own below
@given(problem=problems(least_kernel=lambda stride, padding: stride if padding == "same" else 1))
def test_conv_transpose2d_is_the_loops(each_backend, problem):
    x, w, b, stride, padding, rng = problem
    w = np.swapaxes(w, 2, 3)  # (kh, kw, F, C)
    _, lengths = zip(
        *(
            naive.transposed_before(x.shape[a + 1], w.shape[a], stride[a], naive.both(padding)[a])
            for a in (0, 1)
        ),
        strict=True,
    )
    if min(lengths) < 1:
        with pytest.raises(ShapeError, match="nothing of the output"):
            ops.conv_transpose2d(x, w, b, stride, padding)
        return
    check(
        ops.conv_transpose2d,
        ops.conv_transpose2d_backward,
        naive.conv_transpose2d,
        naive.conv_transpose2d_backward,
        x,
        w,
        b,
        stride,
        padding,
        rng,
    )


@pytest.mark.parametrize(("kernel", "stride"), [((1, 1), 2), ((2, 3), 3), ((1, 4), (3, 2))])
def test_conv_transpose2d_same_enlarges_by_the_stride_even_beyond_the_kernel(
    each_backend, kernel, stride
):
    rng = np.random.default_rng(1)
    stride = naive.both(stride)
    x, w = rng.standard_normal((2, 3, 4, 2)), rng.standard_normal((*kernel, 3, 2))
    check(
        ops.conv_transpose2d,
        ops.conv_transpose2d_backward,
        naive.conv_transpose2d,
        naive.conv_transpose2d_backward,
        x,
        w,
        None,
        stride,
        "same",
        rng,
    )


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("padding", ["same", "valid", 1])
def test_both_convolutions_on_sizes_as_in_a_network(each_backend, padding, kernel):
    """float32, many rows, 32 channels: where a kernel works in blocks, their borders are inside."""
    rng = np.random.default_rng(2)
    x, w = (
        rng.standard_normal((3, 9, 11, 32), np.float32),
        rng.standard_normal((kernel, kernel, 32, 40), np.float32),
    )
    y, cache = ops.conv2d(x, w, None, 1, padding)
    dy = rng.standard_normal(y.shape, np.float32)
    dx, dw, _ = ops.conv2d_backward(dy, cache)

    p = {"valid": 0, 1: 1, "same": kernel // 2}[padding]
    X, W, G = (
        np.pad(x.astype(float), ((0, 0), (p, p), (p, p), (0, 0))),
        w.astype(float),
        dy.astype(float),
    )
    wanted_y, wanted_dx, wanted_dw = np.zeros(y.shape), np.zeros(X.shape), np.zeros(w.shape)
    for di, dj in np.ndindex(kernel, kernel):
        seen = (slice(None), slice(di, di + y.shape[1]), slice(dj, dj + y.shape[2]))
        wanted_y += X[seen] @ W[di, dj]
        wanted_dx[seen] += G @ W[di, dj].T
        wanted_dw[di, dj] = np.einsum("nijc,nijf->cf", X[seen], G)
    wanted_dx = wanted_dx[:, p : p + 9, p : p + 11]
    naive.agree(y, wanted_y)
    naive.agree(dx, wanted_dx)
    naive.agree(dw, wanted_dw)
    naive.agree(
        ops.conv_transpose2d(dy, w, None, 1, padding)[0], wanted_dx
    )  # which is the same map


@given(problem=problems())
def test_col2im_is_the_transpose_of_im2col(problem):
    x, w, _, stride, padding, rng = problem
    x = x.astype(np.float64)
    cols = ops.im2col(x, w.shape[:2], stride, padding)
    other = rng.standard_normal(cols.shape)
    back = ops.col2im(other, x.shape, w.shape[:2], stride, padding)
    assert (cols * other).sum() == pytest.approx((x * back).sum(), abs=1e-9)


def test_a_first_layer_may_save_its_input_gradient(each_backend):
    rng = np.random.default_rng(2)
    x, w, b = (
        rng.standard_normal((2, 6, 6, 3)),
        rng.standard_normal((3, 3, 3, 4)),
        rng.standard_normal(4),
    )
    for dtype in (np.float32, np.float64):
        y, cache = ops.conv2d(x.astype(dtype), w, b)
        dy = rng.standard_normal(y.shape)
        _, dw, db = ops.conv2d_backward(dy, cache)
        none, same_dw, same_db = ops.conv2d_backward(dy, cache, input_gradient=False)
        assert none is None
        naive.agree(same_dw, dw)
        naive.agree(same_db, db)


def test_im2col_and_col2im_refuse_what_does_not_fit():
    with pytest.raises(ShapeError, match=r"x\[\.\.\., None\]"):
        ops.im2col(np.zeros((2, 28, 28)), 3)
    with pytest.raises(TypeError, match="floating point"):
        ops.im2col(np.zeros((2, 28, 28, 1), int), 3)
    with pytest.raises(ShapeError, match=r"expected \(2, 28, 28, 9\)"):
        ops.col2im(np.zeros((2, 28, 27, 9)), (2, 28, 28, 1), 3)


def test_more_filters_than_a_share_of_the_work(each_backend):
    rng = np.random.default_rng(0)
    x, w = (
        rng.standard_normal((1, 4, 4, 16), np.float32),
        rng.standard_normal((3, 3, 16, 8200), np.float32),
    )
    y, cache = ops.conv2d(x, w)
    y64, cache64 = ops.conv2d(x.astype(float), w.astype(float))
    naive.agree(y, y64)
    dy = rng.standard_normal(y.shape, np.float32)
    for got, exact in zip(
        ops.conv2d_backward(dy, cache)[:2], ops.conv2d_backward(dy, cache64)[:2], strict=True
    ):
        naive.agree(got, exact)


def test_bias_gradients_at_the_size_of_a_network(on_numpy):
    """Sums of 100,000 terms, which float32 alone would give with an error of 8e-6."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((128, 28, 28, 1), np.float32)
    dy = rng.standard_normal((128, 28, 28, 32), np.float32)
    b = np.zeros(32, np.float32)
    _, cache = ops.conv2d(x, np.ones((1, 1, 1, 32), np.float32), b)
    _, transposed = ops.conv_transpose2d(x, np.ones((1, 1, 32, 1), np.float32), b)
    wanted = dy.sum(axis=(0, 1, 2), dtype=np.float64)
    for db in ops.conv2d_backward(dy, cache)[2], ops.conv_transpose2d_backward(dy, transposed)[2]:
        assert db.dtype == np.float32
        assert np.abs(db - wanted).max() < 3e-7 * np.abs(wanted).max()


def test_im2col_lays_a_patch_in_a_row():
    x = np.arange(2 * 3 * 4 * 2, dtype=np.float32).reshape(2, 3, 4, 2)
    cols = ops.im2col(x, (2, 3), 1, "valid")
    assert cols.shape == (2, 2, 2, 12)
    np.testing.assert_array_equal(cols[1, 1, 0], x[1, 1:3, 0:3, :].ravel())


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "out"),
    [
        ((28, 28), (3, 3), 1, "same", (28, 28)),
        ((28, 27), (5, 2), 2, "same", (14, 14)),
        ((28, 28), (5, 5), 1, "valid", (24, 24)),
        ((7, 8), (3, 3), 2, "valid", (3, 3)),  # does not divide: floor((8 - 3) / 2) + 1
        ((7, 8), (3, 3), (3, 2), (0, 2), (2, 5)),
    ],
)
def test_output_sizes(each_backend, size, kernel, stride, padding, out):
    y, _ = ops.conv2d(np.zeros((1, *size, 1)), np.zeros((*kernel, 1, 1)), None, stride, padding)
    assert y.shape == (1, *out, 1)


@pytest.mark.parametrize("size", range(1, 9))
def test_same_with_a_stride_above_the_kernel_pads_nothing(each_backend, size):
    x = np.arange(1.0, 1 + 2 * size).reshape(1, size, 2, 1)
    y, _ = ops.conv2d(x, np.ones((1, 1, 1, 1)), None, (3, 1), "same")
    np.testing.assert_array_equal(y, x[:, ::3])


def test_an_empty_batch_gives_an_empty_batch(each_backend):
    y, cache = ops.conv2d(
        np.zeros((0, 5, 5, 2), np.float32),
        np.ones((3, 3, 2, 4), np.float32),
        np.ones(4, np.float32),
    )
    assert y.shape == (0, 5, 5, 4)
    dx, dw, db = ops.conv2d_backward(y, cache)
    assert dx.shape == (0, 5, 5, 2)
    assert not dw.any()
    assert not db.any()


X, W = np.zeros((2, 5, 6, 3), np.float32), np.zeros((3, 3, 3, 4), np.float32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"w": np.zeros((6, 3, 3, 4), np.float32), "padding": "valid"},
            r"kernel \(6, 3\) is larger than the input \(5, 6\)",
        ),
        ({"stride": 0}, "stride must be a whole number of at least 1.* not 0"),
        ({"stride": (1, -1)}, "stride"),
        ({"stride": 1.5}, "stride.*1.5"),
        ({"stride": (1, 2, 3)}, "stride"),
        ({"padding": -1}, "padding must be a whole number of at least 0.* not -1"),
        ({"padding": "full"}, "'same', 'valid' or a whole number, not 'full'"),
        (
            {"w": np.zeros((3, 3, 4, 4), np.float32)},
            r"expected 4 channels in the last axis.*\(2, 5, 6, 3\)",
        ),
        ({"w": np.zeros((3, 3, 3), np.float32)}, "w must have 4 dimensions"),
        (
            {"b": np.zeros(3, np.float32)},
            r"b must have one value a filter, \(4,\), not the shape \(3,\)",
        ),
        (
            {"b": np.zeros(5, np.float32)},
            r"b must have one value a filter, \(4,\), not the shape \(5,\)",
        ),
        (
            {"x": np.zeros((2, 3, 5, 6), np.float32)},
            r"NCHW\? convert with x.transpose\(0, 2, 3, 1\)",
        ),
        (
            {"x": np.zeros((5, 6, 3), np.float32)},
            r"3-D shape \(5, 6, 3\).*x\[..., None\].*x\[None\]",
        ),
        ({"x": np.zeros((2, 90), np.float32)}, r"4 dimensions, not the shape \(2, 90\)"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(each_backend, change, message):
    with pytest.raises(ShapeError, match=message):
        ops.conv2d(**{"x": X, "w": W, **change})


@pytest.mark.parametrize("shape", [(2, 5, 6, 2), (2, 5, 6, 4), (2, 3, 5, 6)])
def test_transposed_convolution_of_other_channels(each_backend, shape):
    with pytest.raises(ShapeError, match="expected 3 channels in the last axis"):
        ops.conv_transpose2d(np.zeros(shape, np.float32), W.swapaxes(2, 3))


def test_transposed_padding_that_eats_everything(each_backend):
    with pytest.raises(ShapeError, match="padding 2 leaves nothing"):
        ops.conv_transpose2d(X[:, :1, :1], W.swapaxes(2, 3), None, 1, 2)


def test_transposed_padding_that_leaves_one_pixel_or_none(each_backend):
    w = W.swapaxes(2, 3)  # 3x3
    for x in (X[:, :1], X[:, :, :1]):
        assert 1 in ops.conv_transpose2d(x, w, None, 1, 1)[0].shape[1:3]
    with pytest.raises(ShapeError, match="padding"):
        ops.conv_transpose2d(X[:, :1, :2], w[:2], None, 1, ((1, 1), (0, 0)))


def test_transposed_padding_by_an_unknown_name():
    with pytest.raises(ShapeError, match="'same', 'valid' or a whole number, not 'full'"):
        ops.conv_transpose2d(X, W.swapaxes(2, 3), None, 1, "full")


def test_negative_padding_a_side():
    with pytest.raises(ShapeError, match="padding"):
        ops.conv2d(X, W, None, 1, ((-1, 0), (0, 0)))

"""The dense layer's op against sums written out."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpycnn import ops
from numpycnn.errors import ShapeError
from tests import naive

sizes = st.integers(1, 5) | st.sampled_from([8, 16, 17, 33])


@given(
    n=st.integers(0, 4),
    d=sizes,
    k=sizes,
    bias=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64]),
    layout=st.sampled_from(naive.LAYOUTS),
    seed=st.integers(0, 2**32 - 1),
)
def test_dense_is_the_sums(each_backend, n, d, k, bias, dtype, layout, seed):
    rng = np.random.default_rng(seed)
    x, w = (naive.lay_out(rng.standard_normal(s).astype(dtype), layout) for s in ((n, d), (d, k)))
    b = rng.standard_normal(k).astype(dtype) if bias else None
    y, cache = ops.dense(x, w, b)
    dy = naive.lay_out(rng.standard_normal((n, k)).astype(dtype), layout)
    dx, dw, db = ops.dense_backward(dy, cache)

    X, W, G = (a.astype(float) for a in (x, w, dy))
    offset = b if bias else np.zeros(k)
    wanted = [
        [math.fsum(X[i, m] * W[m, j] for m in range(d)) + float(offset[j]) for j in range(k)]
        for i in range(n)
    ]
    naive.agree(y, np.reshape(wanted, (n, k)))
    wanted = [[math.fsum(G[i, j] * W[m, j] for j in range(k)) for m in range(d)] for i in range(n)]
    naive.agree(dx, np.reshape(wanted, (n, d)))
    naive.agree(
        dw, [[math.fsum(G[i, j] * X[i, m] for i in range(n)) for j in range(k)] for m in range(d)]
    )
    if bias:
        naive.agree(db, naive.sum_to_channels(dy))
    else:
        assert db is None


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 3), (4, 5), None), r"expected 4 channels in the last axis.*\(2, 3\)"),
        (((2, 3, 1), (3, 5), None), "x must have 2 dimensions"),
        (((2, 3), (3,), None), "w must have 2 dimensions"),
        (((2, 3), (3, 5), (3,)), r"b must have the shape \(5,\), not \(3,\)"),
        (((2, 3), (3, 5), (1, 5)), "b must have 1 dimensions"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(shapes, message):
    with pytest.raises(ShapeError, match=message):
        ops.dense(*(None if s is None else np.zeros(s, np.float32) for s in shapes))

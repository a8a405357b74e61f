"""The update rules against numbers worked out by hand, and their equations value by value."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpycnn import backend
from numpycnn.ops.update import adam_update, muon_update, orthogonalize, rmsprop_update, sgd_update
from tests import naive

sizes = st.sampled_from([1, 2, 3, 7, 8, 16, 17, 33, 1000])
dtypes, seeds = st.sampled_from([np.float32, np.float64]), st.integers(0, 2**32 - 1)


def test_two_steps_of_sgd_by_hand(each_backend):
    w, u = np.array([1.0, -2.0]), np.zeros(2)
    sgd_update(w, np.array([0.5, 1.0]), u, 0.1, 0.9, False, 0.0)
    np.testing.assert_allclose(w, [0.95, -2.1], rtol=1e-15)
    sgd_update(w, np.array([0.5, 1.0]), u, 0.1, 0.9, False, 0.0)
    np.testing.assert_allclose(u, [0.95, 1.9], rtol=1e-15)  # 0.9 * 0.5 + 0.5
    np.testing.assert_allclose(w, [0.855, -2.29], rtol=1e-15)


def test_a_step_of_nesterov_with_decay_by_hand(each_backend):
    w, u = np.array([2.0]), np.array([1.0])
    sgd_update(w, np.array([0.3]), u, 0.1, 0.5, True, 0.1)
    assert u[0] == pytest.approx(1.0)  # g = 0.3 + 0.1 * 2 = 0.5; u = 0.5 * 1 + 0.5
    assert w[0] == pytest.approx(2 - 0.1 * (0.5 + 0.5 * 1.0))


def test_two_steps_of_adam_by_hand(each_backend):
    """The first step is lr in the direction of the gradient's sign, whatever its size."""
    w, m, v = np.array([1.0, 1.0]), np.zeros(2), np.zeros(2)
    adam_update(w, np.array([1e-3, -50.0]), m, v, 1, 0.1, 0.9, 0.999, 1e-12, 0.0, False)
    np.testing.assert_allclose(w, [0.9, 1.1], rtol=1e-8)
    np.testing.assert_allclose(m, [1e-4, -5.0], rtol=1e-12)
    np.testing.assert_allclose(v, [1e-9, 2.5], rtol=1e-10)
    adam_update(w, np.zeros(2), m, v, 2, 0.1, 0.9, 0.999, 1e-12, 0.0, False)
    mhat, vhat = 0.09 / (1 - 0.81), 0.000999 / (1 - 0.998001)  # of a gradient of 1
    np.testing.assert_allclose(
        w, [0.9 - 0.1 * mhat / math.sqrt(vhat), 1.1 + 0.1 * mhat / math.sqrt(vhat)], rtol=1e-8
    )


def test_two_steps_of_rmsprop_by_hand(each_backend):
    w, s = np.array([1.0, 2.0]), np.zeros(2)
    rmsprop_update(w, np.array([3.0, -1.0]), s, 0.1, 0.75, 0.5, 0.0)
    np.testing.assert_allclose(s, [2.25, 0.25], rtol=1e-15)
    np.testing.assert_allclose(w, [1 - 0.3 / 2.0, 2 + 0.1 / 1.0], rtol=1e-15)
    rmsprop_update(w, np.zeros(2), s, 0.1, 0.75, 0.5, 1.0)  # the decay alone: g = w
    np.testing.assert_allclose(
        s, [0.75 * 2.25 + 0.25 * 0.85**2, 0.75 * 0.25 + 0.25 * 2.1**2], rtol=1e-14
    )


def test_eps_stands_outside_the_root(each_backend):
    w, m, v = np.array([0.0]), np.zeros(1), np.zeros(1)
    adam_update(w, np.array([1e-4]), m, v, 1, 1.0, 0.9, 0.999, 1e-4, 0.0, False)
    assert w[0] == pytest.approx(-0.5, rel=1e-9)


@pytest.mark.parametrize("nesterov", [False, True])
@given(
    n=sizes,
    dtype=dtypes,
    momentum=st.sampled_from([0.0, 0.9]),
    decay=st.sampled_from([0.0, 0.05]),
    seed=seeds,
)
def test_sgd_is_its_equation(each_backend, nesterov, n, dtype, momentum, decay, seed):
    rng = np.random.default_rng(seed)
    value, grad, velocity = rng.standard_normal((3, n)).astype(dtype)
    wanted, wanted_u = [], []
    for w, g, u in zip(value.tolist(), grad.tolist(), velocity.tolist(), strict=True):
        g += decay * w
        u = momentum * u + g
        wanted.append(w - 0.01 * (g + momentum * u if nesterov else u))
        wanted_u.append(u)
    grad.flags.writeable = False
    sgd_update(value, grad, velocity, 0.01, momentum, nesterov, decay)
    assert value.dtype == dtype
    naive.agree(value, wanted)
    naive.agree(velocity, wanted_u)


@pytest.mark.parametrize("decoupled", [False, True])
@given(
    n=sizes,
    dtype=dtypes,
    t=st.sampled_from([1, 2, 10, 5000]),
    decay=st.sampled_from([0.0, 0.05]),
    seed=seeds,
)
def test_adam_is_its_equation(each_backend, decoupled, n, dtype, t, decay, seed):
    rng = np.random.default_rng(seed)
    value, grad, m = rng.standard_normal((3, n)).astype(dtype)
    v = rng.uniform(0.01, 1, n).astype(dtype)
    lr, beta1, beta2, eps, wanted = 0.01, 0.8, 0.99, 1e-3, []
    for w, g, a, b in zip(value.tolist(), grad.tolist(), m.tolist(), v.tolist(), strict=True):
        if not decoupled:
            g += decay * w
        a, b = beta1 * a + (1 - beta1) * g, beta2 * b + (1 - beta2) * g * g
        shrunk = w * (1 - lr * decay) if decoupled else w
        wanted.append(
            (shrunk - lr * a / (1 - beta1**t) / (math.sqrt(b / (1 - beta2**t)) + eps), a, b)
        )
    grad.flags.writeable = False
    adam_update(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled)
    for got, column in zip((value, m, v), zip(*wanted, strict=True), strict=True):
        assert got.dtype == dtype
        naive.agree(got, column)


def update(rule, value, grad):
    state = np.zeros_like(value), np.zeros_like(value)
    if rule == "sgd":
        sgd_update(value, grad, state[0], 0.1, 0.9, False, 0.0)
    else:
        adam_update(value, grad, *state, 1, 0.1, 0.9, 0.999, 1e-8, 0.0, False)


@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_gradients_of_other_layouts_and_dtypes(each_backend, rule):
    rng = np.random.default_rng(20)
    start, grad = rng.standard_normal((2, 3, 3, 5, 4)).astype(np.float32)
    wanted = start.copy()
    update(rule, wanted, grad)
    assert not np.array_equal(wanted, start)
    for layout in naive.LAYOUTS:
        value = start.copy()
        update(rule, value, naive.lay_out(grad, layout))
        np.testing.assert_array_equal(value, wanted)
    value = start.copy()
    update(rule, value, grad.astype(np.float64))
    np.testing.assert_array_equal(value, wanted)


@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_a_gradient_of_another_shape_is_refused(rule):
    with pytest.raises(
        ValueError, match=r"shape \(3,\) cannot update a value of the shape \(2, 3\)"
    ):
        update(rule, np.zeros((2, 3), np.float32), np.zeros(3, np.float32))


@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_a_parameter_that_is_one_number(each_backend, rule):
    value = np.array(1.0, np.float32)
    update(rule, value, np.array(0.5, np.float32))
    assert value < 1


@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_nan_in_a_gradient_is_not_hidden(each_backend, rule):
    value, grad = np.ones(33, np.float32), np.ones(33, np.float32)
    grad[32] = np.nan
    update(rule, value, grad)
    np.testing.assert_array_equal(np.isnan(value), np.isnan(grad))


@pytest.mark.parametrize("decoupled", [False, True])
def test_large_parameters_are_cut_into_shares_without_a_trace(decoupled):
    pytest.importorskip("numba")
    before = backend.backend(), backend.threads()
    rng = np.random.default_rng(21)
    start, grad, m, v = rng.random((4, 300, 333), dtype=np.float32)
    results = []
    try:
        for name, threads in (("numpy", 1), ("numba", 1), ("numba", 2), ("numba", 3)):
            backend.use(name, threads=threads)
            value, state = start.copy(), (m.copy(), v.copy())
            adam_update(value, grad, *state, 3, 0.01, 0.9, 0.999, 1e-8, 0.1, decoupled)
            results.append((value, *state))
    finally:
        backend.use(*before)
    for ours in zip(*results, strict=True):
        np.testing.assert_allclose(ours[1], ours[0], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(ours[2], ours[1])
        np.testing.assert_array_equal(ours[3], ours[1])


@pytest.mark.parametrize("shape", [(9, 32), (72, 8), (16, 16), (1, 5)])
def test_orthogonalize_keeps_the_directions_and_evens_their_lengths(each_backend, shape):
    """g = U S V^T -> U S' V^T, S' about 0.7 to 1.2 where S is not tiny; g's scale has no effect."""
    g = np.random.default_rng(22).standard_normal(shape).astype(np.float32)
    o = orthogonalize(g)
    assert o.dtype == np.float32
    u, _, vt = np.linalg.svd(g.astype(np.float64), full_matrices=False)
    inside = u.T @ o @ vt.T
    assert 0.65 < np.diag(inside).min() <= np.diag(inside).max() < 1.25
    assert np.abs(inside - np.diag(np.diag(inside))).max() < 1e-3
    naive.agree(orthogonalize(g * np.float32(1e6)), o)
    assert not orthogonalize(np.zeros(shape, np.float32)).any()


def test_a_step_of_muon_is_its_equation(each_backend):
    rng = np.random.default_rng(23)
    value, grad, velocity = rng.standard_normal((3, 3, 3, 2, 6))
    u = 0.9 * velocity + grad
    o = orthogonalize((grad + 0.9 * u).reshape(-1, 6))
    wanted = value - 0.1 * np.linalg.norm(value) / np.sqrt(6) * o.reshape(value.shape)
    wanted *= np.linalg.norm(value) / np.linalg.norm(wanted)
    muon_update(value, grad, velocity, 0.1, 0.9)
    naive.agree(value, wanted)
    naive.agree(velocity, u)

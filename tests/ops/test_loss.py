"""Losses against their formulas row by row, gradients against differences, numbers at the edge."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpycnn import ops
from numpycnn.errors import ShapeError
from tests import naive

dtypes, seeds = st.sampled_from([np.float32, np.float64]), st.integers(0, 2**32 - 1)


def gradient(loss, x, step=1e-6):
    """(C(x + h) - C(x - h)) / 2h for every element in turn."""
    d = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        for sign in (1, -1):
            moved = x.astype(float)
            moved[index] += sign * step
            d[index] += sign * loss(moved) / (2 * step)
    return d


def cross_entropy(s, labels, smoothing, weight):
    """- sum_n sum_k v_k y_nk log a_nk / sum_n v_label(n)

    with a = softmax(s), y = (1 - e) onehot + e/K
    """
    terms, total = [], 0.0
    for row, label in zip(s.tolist(), labels.tolist(), strict=True):
        z = math.fsum(math.exp(v) for v in row)
        total += weight[label]
        for k, v in enumerate(row):
            y = (1 - smoothing) * (k == label) + smoothing / len(row)
            terms.append(-weight[k] * y * (v - math.log(z)))
    return math.fsum(terms) / total


@given(
    n=st.integers(1, 4),
    k=st.integers(1, 5) | st.just(17),
    smoothing=st.sampled_from([0.0, 0.1, 0.7]),
    weighted=st.booleans(),
    dtype=dtypes,
    layout=st.sampled_from(naive.LAYOUTS),
    seed=seeds,
)
def test_cross_entropy_is_its_formula(each_backend, n, k, smoothing, weighted, dtype, layout, seed):
    rng = np.random.default_rng(seed)
    s = naive.lay_out((2 * rng.standard_normal((n, k))).astype(dtype), layout)
    labels, weight = rng.integers(0, k, n), rng.uniform(0.1, 3, k) if weighted else np.ones(k)
    loss, ds = ops.softmax_cross_entropy(s, labels, smoothing, weight if weighted else None)
    assert isinstance(loss, float)
    assert ds.dtype == dtype
    assert loss == pytest.approx(cross_entropy(s, labels, smoothing, weight), rel=1e-10, abs=1e-12)
    numeric = gradient(lambda moved: cross_entropy(moved, labels, smoothing, weight), s)
    rounding = np.finfo(dtype).eps * np.abs(numeric).max()
    np.testing.assert_allclose(ds, numeric, rtol=0, atol=max(1e-7, rounding))


def divergence(s, t, temperature):
    """T^2 sum_n sum_k q_nk log(q_nk / p_nk) / N, q = softmax(t / T), p = softmax(s / T)"""
    terms = []
    for student, teacher in zip(s.tolist(), t.tolist(), strict=True):
        a, b = ([math.exp(v / temperature) for v in row] for row in (student, teacher))
        p, q = ([v / math.fsum(row) for v in row] for row in (a, b))
        terms += [y * math.log(y / x) for x, y in zip(p, q, strict=True)]
    return temperature**2 * math.fsum(terms) / len(s)


@given(
    n=st.integers(1, 4),
    k=st.integers(1, 5) | st.just(17),
    temperature=st.sampled_from([0.5, 1, 2.0, 10]),
    dtype=dtypes,
    layout=st.sampled_from(naive.LAYOUTS),
    seed=seeds,
)
def test_distillation_is_its_formula(n, k, temperature, dtype, layout, seed):
    rng = np.random.default_rng(seed)
    s, t = (naive.lay_out(rng.standard_normal((n, k)).astype(dtype), layout) for _ in range(2))
    loss, ds = ops.distillation(s, t, temperature)
    assert isinstance(loss, float)
    assert ds.dtype == dtype
    assert loss == pytest.approx(divergence(s, t, temperature), rel=1e-9, abs=1e-12)
    numeric = gradient(lambda moved: divergence(moved, t, temperature), s)
    rounding = np.finfo(dtype).eps * np.abs(numeric).max()
    np.testing.assert_allclose(ds, numeric, rtol=0, atol=max(1e-6, rounding))


def test_a_student_that_says_what_its_teacher_says_has_nothing_to_learn():
    t = np.random.default_rng(4).standard_normal((3, 5))
    loss, ds = ops.distillation(t + 7, t)  # a shift changes no softmax
    assert loss == pytest.approx(0, abs=1e-14)
    np.testing.assert_allclose(ds, 0, atol=1e-15)


def test_a_sure_teacher_is_the_labels_cross_entropy():
    s = np.random.default_rng(5).standard_normal((3, 5))
    t = np.full((3, 5), -np.inf)
    t[[0, 1, 2], [4, 0, 2]] = 0
    taught, wanted = ops.distillation(s, t, 1), ops.softmax_cross_entropy(s, [4, 0, 2])
    assert taught[0] == pytest.approx(wanted[0], rel=1e-14)
    np.testing.assert_allclose(taught[1], wanted[1], atol=1e-16)


@pytest.mark.filterwarnings("error")
def test_distillation_of_huge_logits_stays_finite():
    s = np.array([[1e4, -1e4, 0], [-3e38, 3e38, 0]], np.float32)
    loss, ds = ops.distillation(s, s[:, ::-1])
    assert math.isfinite(loss)
    assert np.isfinite(ds).all()


@pytest.mark.parametrize(
    ("student", "teacher", "temperature", "error", "says"),
    [
        (np.zeros((3, 5)), np.zeros((3, 4)), 2, ShapeError, "one shape"),
        (np.zeros((0, 5)), np.zeros((0, 5)), 2, ShapeError, "not empty"),
        (np.zeros(5), np.zeros(5), 2, ShapeError, "logits"),
        (np.zeros((3, 5)), np.zeros((3, 5)), 0, ValueError, "temperature"),
        (np.zeros((3, 5)), np.zeros((3, 5)), -1, ValueError, "temperature"),
        (np.zeros((3, 5)), np.zeros((3, 5)), np.inf, ValueError, "temperature"),
        (np.zeros((3, 5)), np.zeros((3, 5)), 1e200, ValueError, "temperature"),
        (np.zeros((3, 5)), np.zeros((3, 5)), np.nan, ValueError, "temperature"),
    ],
)
def test_what_distillation_refuses(student, teacher, temperature, error, says):
    with pytest.raises(error, match=says):
        ops.distillation(student, teacher, temperature)


def test_a_class_may_weigh_nothing():
    s = np.random.default_rng(3).standard_normal((4, 3))
    loss, ds = ops.softmax_cross_entropy(s, [0, 1, 2, 1], class_weight=[1, 2, 0])
    assert loss == pytest.approx(
        ops.softmax_cross_entropy(s[[0, 1, 3]], [0, 1, 1], class_weight=[1, 2, 5])[0]
    )
    np.testing.assert_array_equal(ds[2], 0)


def test_the_papers_gradient_is_a_minus_y():
    rng = np.random.default_rng(18)
    s, labels = rng.standard_normal((5, 10)).astype(np.float32), rng.integers(0, 10, 5)
    _, ds = ops.softmax_cross_entropy(s, labels)
    naive.agree(5 * ds, ops.softmax(s)[0] - np.eye(10)[labels])


def test_cross_entropy_by_hand():
    assert ops.softmax_cross_entropy(np.zeros((3, 10)), [0, 5, 9])[0] == pytest.approx(
        math.log(10), rel=1e-15
    )
    loss, ds = ops.softmax_cross_entropy(np.log([[1.0, 3.0]]), [0])
    assert loss == pytest.approx(math.log(4), rel=1e-15)
    np.testing.assert_allclose(ds, [[-0.75, 0.75]], rtol=1e-15)
    # of the weights 1 and 3 the second example has three quarters
    loss, _ = ops.softmax_cross_entropy(
        np.log([[1.0, 3.0], [1.0, 3.0]]), [0, 1], class_weight=[1, 3]
    )
    assert loss == pytest.approx((math.log(4) + 3 * math.log(4 / 3)) / 4, rel=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e4, None])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.filterwarnings("error")
def test_huge_logits_stay_finite(dtype, size, smoothing):
    size = float(np.finfo(np.float32).max) if size is None else size
    s = np.array([[size, -size, 0], [-size, size, size], [size, size, size]], dtype)
    loss, ds = ops.softmax_cross_entropy(s, [1, 1, 2], smoothing)
    assert math.isfinite(loss)
    assert np.isfinite(ds).all()
    y = np.full((3, 3), smoothing / 3)
    y[[0, 1, 2], [1, 1, 2]] += 1 - smoothing
    a = np.array([[1, 0, 0], [0, 1 / 2, 1 / 2], [1 / 3, 1 / 3, 1 / 3]])
    np.testing.assert_allclose(ds, (a - y) / 3, rtol=0, atol=1e-7)


@pytest.mark.filterwarnings("error")
def test_minus_infinity_masks_a_class_and_a_row_of_it_is_nan():
    s = np.array([[0.0, -np.inf, 0.0]], np.float32)
    loss, ds = ops.softmax_cross_entropy(s, [0])
    assert loss == pytest.approx(math.log(2))
    np.testing.assert_allclose(ds, [[-0.5, 0, 0.5]])
    assert ops.softmax_cross_entropy(s, [1])[0] == math.inf
    loss, ds = ops.softmax_cross_entropy(np.full((1, 3), -np.inf), [0])
    assert math.isnan(loss)
    assert np.isnan(ds).all()


def test_nan_in_one_logit_is_nan_in_the_loss():
    s = np.zeros((3, 4), np.float32)
    s[1, 2] = np.nan
    loss, ds = ops.softmax_cross_entropy(s, [0, 1, 2])
    assert math.isnan(loss)
    assert np.isnan(ds[1]).all()
    assert np.isfinite(ds[[0, 2]]).all()


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, np.dtype(">i4")])
def test_integers_of_every_kind_are_labels(dtype):
    s = np.random.default_rng(19).standard_normal((3, 4))
    loss, ds = ops.softmax_cross_entropy(s, np.array([3, 0, 2], dtype))
    wanted, wanted_ds = ops.softmax_cross_entropy(s, [3, 0, 2])
    assert loss == wanted
    np.testing.assert_array_equal(ds, wanted_ds)


@pytest.mark.parametrize(
    ("labels", "kind", "message"),
    [
        ([0, 4, 1], ValueError, r"label 4 at index 1 is outside 0\.\.3"),
        ([0, 1, -1], ValueError, r"label -1 at index 2 is outside 0\.\.3"),
        ([0.0, 1.0, 2.0], TypeError, r"integers, not float64; convert with labels.astype\(int\)"),
        ([True, False, True], TypeError, "integers, not bool"),
        (["a", "b", "c"], TypeError, "integers"),
        (np.eye(4)[:3], ShapeError, r"not one-hot \(3, 4\); convert with labels.argmax\(axis=1\)"),
        ([0, 1], ShapeError, r"shape \(3,\), one an example, not \(2,\)"),
        ([[0], [1], [2]], ShapeError, r"not a column \(3, 1\); use labels.ravel\(\)"),
        (np.eye(5)[:3], ShapeError, r"not one-hot \(3, 5\)"),  # of another number of classes
        (np.eye(4, dtype=bool)[:3], ShapeError, r"not one-hot"),
        ([[0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1]], ShapeError, "row 1 names 2 classes"),
        ([[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]], ShapeError, "row 2 names 0 classes"),
        ([[0.2, 0.8, 0, 0]] * 3, ShapeError, r"shares of classes \(3, 4\)"),
        ([[3, 5, 1, 0]] * 3, ShapeError, r"not an array \(3, 4\)"),
        ([["a", "b"]] * 3, ShapeError, r"not an array \(3, 2\)"),
        (np.zeros((3, 2, 2)), ShapeError, r"not \(3, 2, 2\)"),
        (1, ShapeError, r"not \(\)"),
    ],
)
def test_labels_that_are_none(labels, kind, message):
    with pytest.raises(kind, match=message):
        ops.softmax_cross_entropy(np.zeros((3, 4), np.float32), labels)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (
            {"logits": np.zeros((0, 4)), "labels": np.zeros(0, int)},
            ShapeError,
            "the batch is empty",
        ),
        ({"logits": np.zeros(4)}, ShapeError, "logits must have 2 dimensions"),
        ({"logits": np.zeros((2, 3), int)}, TypeError, "logits must be floating point"),
        ({"label_smoothing": 1.0}, ValueError, "label_smoothing"),
        ({"label_smoothing": -0.1}, ValueError, "label_smoothing"),
        ({"label_smoothing": np.nan}, ValueError, "label_smoothing"),
        ({"class_weight": [1, 2]}, ValueError, "class_weight must hold 3 numbers"),
        ({"class_weight": [1, -2, 1]}, ValueError, "class_weight"),
        ({"class_weight": [1, 1, -0.5]}, ValueError, "class_weight"),
        ({"class_weight": [1, np.nan, 1]}, ValueError, "class_weight"),
        ({"class_weight": [0, 0, 5]}, ValueError, "class_weight.*not all 0"),
    ],
)
def test_what_cross_entropy_refuses(arguments, kind, message):
    with pytest.raises(kind, match=message):
        ops.softmax_cross_entropy(**{"logits": np.zeros((2, 3)), "labels": [0, 1], **arguments})


# ---- the other losses ---------------------------------------------------------------------------


def bce(s, t):
    return np.mean(
        [
            -b * math.log(1 / (1 + math.exp(-a))) - (1 - b) * math.log(1 / (1 + math.exp(a)))
            for a, b in zip(s.ravel().tolist(), t.ravel().tolist(), strict=True)
        ]
    )


def square(y, t):
    return np.mean(
        [(a - b) ** 2 for a, b in zip(y.ravel().tolist(), t.ravel().tolist(), strict=True)]
    )


@pytest.mark.parametrize(("name", "formula"), [("bce_with_logits", bce), ("mse", square)])
@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    dtype=dtypes,
    layout=st.sampled_from(naive.LAYOUTS),
    hard=st.booleans(),
    seed=seeds,
)
def test_loss_is_its_formula(name, formula, shape, dtype, layout, hard, seed):
    rng = np.random.default_rng(seed)
    y = naive.lay_out((2 * rng.standard_normal(shape)).astype(dtype), layout)
    t = rng.integers(0, 2, shape) if hard else rng.uniform(0, 1, shape).astype(dtype)
    loss, dy = getattr(ops, name)(y, t)
    assert isinstance(loss, float)
    assert dy.dtype == dtype
    assert loss == pytest.approx(formula(y, t), rel=1e-6 if dtype == np.float32 else 1e-10)
    np.testing.assert_allclose(dy, gradient(lambda moved: formula(moved, t), y), rtol=0, atol=1e-6)


@given(n=st.integers(1, 4), d=st.integers(1, 5), dtype=dtypes, seed=seeds)
def test_gaussian_kl_is_its_formula(n, d, dtype, seed):
    def formula(m, v):
        return (
            0.5
            * sum(
                math.exp(b) + a * a - 1 - b
                for a, b in zip(m.ravel().tolist(), v.ravel().tolist(), strict=True)
            )
            / n
        )

    rng = np.random.default_rng(seed)
    m, v = rng.standard_normal((2, n, d)).astype(dtype)
    loss, (dm, dv) = ops.gaussian_kl(m, v)
    assert isinstance(loss, float)
    assert dm.dtype == dv.dtype == dtype
    assert loss == pytest.approx(formula(m, v), rel=1e-10, abs=1e-12)
    np.testing.assert_allclose(dm, gradient(lambda moved: formula(moved, v), m), rtol=0, atol=1e-6)
    np.testing.assert_allclose(dv, gradient(lambda moved: formula(m, moved), v), rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bce_of_huge_logits(dtype):
    largest = float(np.finfo(np.float32).max)
    loss, ds = ops.bce_with_logits(np.array([-largest, -1e4, 1e4, largest], dtype), [0, 1, 1, 0])
    assert loss == pytest.approx((1e4 + largest) / 4, rel=1e-6)
    np.testing.assert_array_equal(ds, [0, -0.25, 0, 0.25])


@pytest.mark.parametrize("name", ["bce_with_logits", "mse", "gaussian_kl"])
def test_what_the_other_losses_refuse(name):
    loss = getattr(ops, name)
    with pytest.raises(ShapeError, match=r"\(2, 3\) and \(2,\)"):
        loss(np.zeros((2, 3)), np.zeros(2))
    with pytest.raises(ShapeError, match="not empty"):
        loss(np.zeros((0, 3)), np.zeros((0, 3)))
    with pytest.raises(TypeError):
        loss(np.zeros((2, 3), int), np.zeros((2, 3)))
    with pytest.raises(TypeError):
        loss(np.zeros((2, 3)), np.zeros((2, 3), complex))


@pytest.mark.parametrize("target", [-0.1, 1.1, np.nan])
def test_bce_targets_outside_0_and_1(target):
    with pytest.raises(ValueError, match=r"targets must lie in \[0, 1\]"):
        ops.bce_with_logits(np.zeros(2), np.array([0.5, target]))

"""Metrics of images that a network made, on cases whose answer is known."""

import numpy as np
import pytest

from numpycnn import metrics
from numpycnn.errors import ShapeError


def gaussian(mean, covariance, n, seed=0):
    """n points whose sample mean and covariance are exactly these."""
    x = np.random.default_rng(seed).standard_normal((n, len(mean)))
    x -= x.mean(axis=0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return np.asarray(mean) + x @ np.linalg.cholesky(np.asarray(covariance, float)).T


def test_psnr_by_hand():
    zeros = np.zeros((2, 4, 4, 1))
    images = zeros.copy()
    images[0] += 0.1  # MSE 0.01: 20 dB
    images[1] += 1.0  # MSE 1: 0 dB
    assert metrics.psnr(images, zeros) == pytest.approx(10)
    assert metrics.psnr(zeros, zeros) == np.inf


def test_auroc_by_hand():
    assert metrics.auroc([0, 0, 1, 1], [1, 2, 3, 4]) == 1
    assert metrics.auroc([1, 1, 0, 0], [1, 2, 3, 4]) == 0
    assert metrics.auroc([0, 1, 0, 1], [5, 5, 5, 5]) == 0.5
    assert (
        metrics.auroc([0, 1, 0, 1, 1], [1, 2, 2, 3, 0]) == (2.5 + 1) / 6 == 3.5 / 6
    )  # pairs won: 1.5, 2, 0


@pytest.mark.parametrize("seed", range(3))
def test_auroc_against_scikit_learn(seed):
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    labels, scores = rng.random(500) < 0.2, rng.integers(0, 40, 500)
    assert metrics.auroc(labels, scores) == pytest.approx(
        sklearn.roc_auc_score(labels, scores), abs=1e-12
    )


def test_frechet_distance_of_known_gaussians():
    """Commuting covariances: |m1 - m2|^2 + sum (sqrt a - sqrt b)^2 over the axes."""
    a = gaussian([0, 0, 0], np.diag([1, 4, 9]), 400)
    b = gaussian([1, -2, 0], np.diag([4, 1, 16]), 300, seed=1)
    assert metrics.frechet_distance(a, b) == pytest.approx(5 + 1 + 1 + 1, rel=1e-9)
    assert metrics.frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


def test_frechet_distance_of_covariances_that_do_not_commute():
    """For 2 x 2, tr sqrt(A) = sqrt(tr A + 2 sqrt det A), here of A = C1 C2."""
    first, second = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[4.0, -1.5], [-1.5, 1.0]])
    product = first @ second
    root = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    wanted = np.trace(first) + np.trace(second) - 2 * root
    got = metrics.frechet_distance(
        gaussian([3, 3], first, 200), gaussian([3, 3], second, 500, seed=1)
    )
    assert got == pytest.approx(wanted, rel=1e-9)
    swapped = metrics.frechet_distance(
        gaussian([3, 3], second, 200), gaussian([3, 3], first, 500, seed=1)
    )
    assert swapped == pytest.approx(wanted, rel=1e-9)


def test_frechet_distance_against_scipy():
    linalg = pytest.importorskip("scipy.linalg")
    rng = np.random.default_rng(5)
    a, b = (
        rng.standard_normal((300, 12)) @ rng.standard_normal((12, 12)) + rng.standard_normal(12)
        for _ in range(2)
    )
    c, d = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    mean = a.mean(0) - b.mean(0)
    wanted = mean @ mean + np.trace(c + d - 2 * linalg.sqrtm(c @ d).real)
    assert metrics.frechet_distance(a, b) == pytest.approx(wanted, rel=1e-6)


def test_frechet_distance_of_dead_features():
    """A feature that is always 0 has no variance; it must not give NaN."""
    a = np.c_[gaussian([0, 0], np.eye(2), 50), np.zeros(50)]
    assert metrics.frechet_distance(a, a + [1, 0, 0]) == pytest.approx(1)


def test_precision_and_recall_of_points_on_a_line():
    """k = 1. Real 0, 1, 2, 3 reach 1 to each side; fakes 0.5, 1.5 lie inside, 9 and 10 do not."""
    real, fake = np.array([[0.0], [1], [2], [3]]), np.array([[0.5], [1.5], [9], [10]])
    assert metrics.precision_recall(real, fake, k=1) == (
        0.5,
        0.75,
    )  # 0, 1, 2 lie within 1 of 0.5 or 1.5; 3 does not


def test_precision_and_recall_of_one_mode_of_two():
    """A generator that draws one of two modes is precise and forgets half."""
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((300, 2)), rng.standard_normal((300, 2)) + 100
    precision, recall = metrics.precision_recall(np.r_[left, right], rng.standard_normal((400, 2)))
    assert precision > 0.9
    assert 0.45 < recall <= 0.5
    assert metrics.precision_recall(left, left) == (1, 1)
    assert metrics.precision_recall(left, right) == (0, 0)


def test_precision_and_recall_are_their_definition():
    rng = np.random.default_rng(3)
    real, fake = rng.standard_normal((40, 3)), 1.5 * rng.standard_normal((30, 3))

    def share(points, centres, k=3):
        radii = [sorted(np.linalg.norm(c - o) for o in centres)[k] for c in centres]
        hits = [
            any(np.linalg.norm(p - c) <= r for c, r in zip(centres, radii, strict=True))
            for p in points
        ]
        return np.mean(hits)

    assert metrics.precision_recall(real, fake) == (share(fake, real), share(real, fake))


def test_neighbour_distance_by_hand():
    known = np.array([[0.0, 0], [3, 4], [6, 8]])
    np.testing.assert_allclose(
        metrics.neighbour_distance([[0.0, 0], [3, 4]], known, k=2), [12.5, 12.5]
    )
    np.testing.assert_allclose(
        metrics.neighbour_distance([[0.0, 0], [3, 4], [0, 8]], known, k=1), [0, 0, 25]
    )
    with pytest.raises(ShapeError, match="4 neighbours of 3"):
        metrics.neighbour_distance(known, known, k=4)


def test_classifier_score_by_hand():
    assert metrics.classifier_score(np.eye(4)) == pytest.approx(4)
    assert metrics.classifier_score(np.full((5, 4), 0.25)) == pytest.approx(1)
    assert metrics.classifier_score(np.tile([1.0, 0, 0], (6, 1))) == pytest.approx(1)  # collapsed
    p = np.array([[0.9, 0.1], [0.1, 0.9]])
    wanted = np.exp(0.9 * np.log(0.9 / 0.5) + 0.1 * np.log(0.1 / 0.5))
    assert metrics.classifier_score(p) == pytest.approx(wanted)


def test_class_shares_count():
    np.testing.assert_array_equal(metrics.class_shares([0, 0, 2, 0], 4), [0.75, 0, 0.25, 0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: metrics.psnr(np.zeros((2, 3)), np.zeros((2, 4))), ShapeError, "one shape"),
        (
            lambda: metrics.psnr(np.zeros((2, 3), np.uint8), np.zeros((2, 3))),
            TypeError,
            "not uint8",
        ),
        (
            lambda: metrics.precision_recall(np.eye(3), np.eye(3), k=0),
            ValueError,
            "at least the first",
        ),
        (lambda: metrics.auroc([0, 0], [1, 2]), ValueError, "at least one of each"),
        (lambda: metrics.auroc([0, 2], [1, 2]), ValueError, "0 and 1"),
        (lambda: metrics.auroc([0, 1], [1, np.nan]), ValueError, "NaN"),
        (lambda: metrics.auroc([0, 1], [1]), ShapeError, "scores"),
        (
            lambda: metrics.frechet_distance(np.zeros((3, 2)), np.zeros((3, 3))),
            ShapeError,
            "features",
        ),
        (
            lambda: metrics.frechet_distance(np.zeros((1, 2)), np.zeros((3, 2))),
            ShapeError,
            "at least 2",
        ),
        (
            lambda: metrics.frechet_distance(np.full((3, 2), np.nan), np.zeros((3, 2))),
            ValueError,
            "NaN",
        ),
        (
            lambda: metrics.precision_recall(np.zeros((3, 2)), np.zeros((9, 2))),
            ShapeError,
            "at least 4",
        ),
        (lambda: metrics.classifier_score([[2.0, -1.0]]), ValueError, "softmax"),
        (lambda: metrics.classifier_score([1.0]), ShapeError, "N, K"),
        (lambda: metrics.class_shares([0, 4], 4), ValueError, "0 to 3"),
        (lambda: metrics.class_shares([0.5], 4), ShapeError, "integers"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()

"""Metrics against cases counted by hand, against scikit-learn, and against unfit input."""

import warnings

import numpy as np
import pytest

from numpycnn import metrics
from numpycnn.errors import ShapeError

LABELS = np.array([0, 0, 0, 1, 1, 2])
GUESSES = np.array([0, 0, 1, 1, 2, 2])
CONFUSION = [[2, 1, 0], [0, 1, 1], [0, 0, 1]]


def scores_for(guesses, classes=3):
    return np.eye(classes, dtype=np.float32)[guesses]


def random_case(seed, n=400, classes=7):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    scores = rng.normal(size=(n, classes)) + 1.5 * np.eye(classes)[labels]
    return labels, scores


def test_accuracy_counted_by_hand():
    assert metrics.accuracy(LABELS, GUESSES) == 4 / 6
    assert metrics.accuracy(LABELS, scores_for(GUESSES)) == 4 / 6
    assert metrics.accuracy(list(LABELS), list(GUESSES)) == 4 / 6
    assert isinstance(metrics.accuracy(LABELS, GUESSES), float)


def test_confusion_matrix_has_the_truth_in_its_rows():
    matrix = metrics.confusion_matrix(LABELS, GUESSES, 3)
    np.testing.assert_array_equal(matrix, CONFUSION)
    assert matrix.dtype == np.int64
    np.testing.assert_array_equal(
        metrics.confusion_matrix(LABELS, scores_for(GUESSES), 3), CONFUSION
    )


def test_small_label_types_do_not_wrap():
    labels = np.full(300, 199, dtype=np.uint8)
    matrix = metrics.confusion_matrix(labels, labels, 200)
    assert matrix[199, 199] == matrix.sum() == 300


def test_per_class_counted_by_hand():
    scores = metrics.per_class(CONFUSION)
    np.testing.assert_allclose(scores["precision"], [1, 1 / 2, 1 / 2])
    np.testing.assert_allclose(scores["recall"], [2 / 3, 1 / 2, 1])
    np.testing.assert_allclose(scores["f1"], [4 / 5, 1 / 2, 2 / 3])
    np.testing.assert_array_equal(scores["support"], [3, 2, 1])


def test_ties_go_to_the_first_class():
    assert metrics.accuracy([0, 1], np.ones((2, 2))) == 0.5
    tied = np.array([[0.4, 0.4, 0.2]])
    assert metrics.top_k_accuracy([0], tied, 1) == 1
    assert metrics.top_k_accuracy([1], tied, 1) == 0
    assert metrics.top_k_accuracy([1], tied, 2) == 1


def test_top_k_counted_by_hand():
    scores = np.array([[3, 2, 1], [3, 2, 1], [3, 2, 1], [1, 2, 3]])
    labels = [0, 1, 2, 0]
    assert [metrics.top_k_accuracy(labels, scores, k) for k in (1, 2, 3)] == [0.25, 0.5, 1]


def test_minus_infinity_is_a_score():
    assert metrics.accuracy([1], [[-np.inf, -5.0]]) == 1


@pytest.mark.parametrize("seed", range(3))
def test_against_scikit_learn(seed):
    sklearn = pytest.importorskip("sklearn.metrics")
    labels, scores = random_case(seed)
    guesses = scores.argmax(axis=1)
    matrix = metrics.confusion_matrix(labels, scores, 7)
    np.testing.assert_array_equal(matrix, sklearn.confusion_matrix(labels, guesses))
    assert metrics.accuracy(labels, scores) == pytest.approx(
        sklearn.accuracy_score(labels, guesses)
    )
    expected = sklearn.precision_recall_fscore_support(labels, guesses)
    for key, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        np.testing.assert_allclose(metrics.per_class(matrix)[key], values)
    for k in range(1, 7):
        theirs = sklearn.top_k_accuracy_score(labels, scores, k=k)
        assert metrics.top_k_accuracy(labels, scores, k) == pytest.approx(theirs)


def test_undefined_values_are_nan_with_a_warning():
    with pytest.warns(UserWarning, match="undefined") as caught:
        scores = metrics.per_class([[2, 0, 0], [1, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(scores["precision"], [2 / 3, np.nan, np.nan])
    np.testing.assert_array_equal(scores["recall"], [1, 0, np.nan])
    np.testing.assert_allclose(scores["f1"], [4 / 5, 0, np.nan])
    text = " | ".join(str(w.message) for w in caught)
    assert "class 2 is not in the labels" in text
    assert "class 1 is never predicted" in text


@pytest.mark.parametrize("matrix", [[[4]], [[3, 1], [0, 0]]])
def test_labels_of_one_class_warn(matrix):
    with pytest.warns(UserWarning, match=r"one class only \(0\)"):
        metrics.per_class(matrix)


def test_no_warning_when_every_class_is_there():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metrics.per_class(CONFUSION)


@pytest.mark.parametrize(
    ("labels", "predictions", "error", "message"),
    [
        ([0, 1], [0], ShapeError, "2 labels but 1"),
        ([], [], ValueError, "no labels"),
        ([[0], [1]], [0, 1], ShapeError, r"\(2, 1\)"),
        (np.eye(2, dtype=int), [0, 1], ShapeError, "one-hot"),
        ([0, 1], [[0], [1]], ShapeError, r"\(2, 1\)"),
        ([0, 1], np.zeros((2, 2, 2)), ShapeError, r"\(2, 2, 2\)"),
        ([0.0, 1.0], [0, 1], ValueError, "float64"),
        ([0, 1], [0.0, 1.0], ValueError, "astype"),
        ([0, -1], [0, 1], ValueError, "-1 .at index 1."),
        ([0, 5], np.eye(2), ValueError, "5 .at index 1.; expected 0 to 1"),
        ([0, 1], [[0.1, np.nan], [1, 0]], ValueError, "NaN, first in row 0"),
        (["a", "b"], [0, 1], TypeError, "integers"),
        ([0, 1], np.array([[1j, 2], [0, 1]]), TypeError, "real"),
        (np.array([0, None]), [0, 1], TypeError, "object"),
    ],
)
def test_what_does_not_fit_is_refused(labels, predictions, error, message):
    with pytest.raises(error, match=message):
        metrics.accuracy(labels, predictions)


def test_confusion_matrix_refuses_wrong_class_counts():
    with pytest.raises(ValueError, match="labels hold 2"):
        metrics.confusion_matrix([0, 2], [0, 1], 2)
    with pytest.raises(ValueError, match="predictions hold 2"):
        metrics.confusion_matrix([0, 1], [0, 2], 2)
    with pytest.raises(ShapeError, match="expected 3"):
        metrics.confusion_matrix([0, 1], np.eye(2), 3)
    with pytest.raises(ValueError, match="classes is 0"):
        metrics.confusion_matrix([0], [0], 0)
    with pytest.raises(TypeError):
        metrics.confusion_matrix([0], [0], 2.5)


@pytest.mark.parametrize("k", [0, 4, -1])
def test_top_k_refuses_k(k):
    with pytest.raises(ValueError, match="expected 1 to 3"):
        metrics.top_k_accuracy(LABELS, scores_for(GUESSES), k)


@pytest.mark.parametrize(
    "matrix", [[1, 2], [[1, 2, 3]], [[1.5]], [[1, -1], [0, 0]], np.zeros((0, 0), int)]
)
def test_per_class_refuses_what_is_no_confusion_matrix(matrix):
    with pytest.raises(ValueError):
        metrics.per_class(matrix)

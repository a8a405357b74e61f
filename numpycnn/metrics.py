"""How right a classifier is: accuracy, top-k, the confusion matrix, and precision, recall, F1 per class.

Labels are integers (N,), from 0. Predictions are integers (N,) too, or scores (N, K), whose largest entry
counts (of equal ones the first). What fits neither is refused: a wrong shape with ShapeError, negative,
floating or too large labels and NaN scores with ValueError, text and objects with TypeError.
"""

import operator
import warnings

import numpy as np

from .errors import ShapeError
from .sample_metrics import (
    auroc,
    class_shares,
    classifier_score,
    frechet_distance,
    neighbour_distance,
    precision_recall,
    psnr,
)

__all__ = [
    "accuracy", "auroc", "check_confusion", "class_shares", "classifier_score", "confusion_matrix",
    "frechet_distance", "neighbour_distance", "per_class", "precision_recall", "psnr", "remarks", "top_k_accuracy",
]  # fmt: skip


def accuracy(labels, predictions):
    """The share of right predictions, sum(labels == predictions) / N, as a float from 0 to 1."""
    labels, predictions = _pair(labels, predictions)
    return float(np.mean(labels == predictions))


def top_k_accuracy(labels, probabilities, k):
    """The share of examples whose true class is among the k highest scores; k = 1 is `accuracy`.

    probabilities (N, K), 1 <= k <= K. Rank of the true class t: #(p_j > p_t) + #(p_j == p_t, j < t).
    """
    labels, scores = _labels(labels), _scores(probabilities)
    k = operator.index(k)
    _check_pair(labels, scores, scores.shape[1])
    if not 1 <= k <= scores.shape[1]:
        raise ValueError(f"top_k_accuracy: k is {k}; expected 1 to {scores.shape[1]}, the number of classes")
    own = scores[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(scores.shape[1]) < labels[:, None]
    rank = np.sum((scores > own) | ((scores == own) & earlier), axis=1)
    return float(np.mean(rank < k))


def confusion_matrix(labels, predictions, classes):
    """How often class i (row: the truth) was taken for class j (column): int64 (classes, classes)."""
    classes = operator.index(classes)
    if classes < 1:
        raise ValueError(f"confusion_matrix: classes is {classes}; expected 1 or more")
    labels, predictions = _pair(labels, predictions, classes)
    cells = np.bincount(labels * classes + predictions, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


def per_class(confusion):
    """Precision, recall, f1 (float64) and support (int64) of every class: a dict of (K,) arrays.

    With C the confusion matrix: precision = C_ii / sum_j C_ji, recall = C_ii / sum_j C_ij,
    f1 = 2 C_ii / (sum_j C_ij + sum_j C_ji), support = sum_j C_ij.
    Where the denominator is 0 the value is nan, not 0: the recall of a class that the labels lack, the
    precision of one that was never predicted. A UserWarning names those, and labels of one class only.
    """
    confusion = check_confusion(confusion)
    right, true, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    for message in remarks(confusion):
        warnings.warn(message, UserWarning, stacklevel=2)
    return {
        "precision": _ratio(right, predicted),
        "recall": _ratio(right, true),
        "f1": _ratio(2 * right, true + predicted),
        "support": true,
    }


def remarks(confusion):
    """What makes `per_class` say less than it seems to, as a list of sentences; empty when all is well."""
    true, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    present, absent = np.flatnonzero(true), np.flatnonzero(true == 0)
    found = []
    if len(present) == 1:
        found.append(f"the labels hold one class only ({present[0]}): accuracy says nothing about any other")
    elif len(absent):
        found.append(f"{_count(absent)} not in the labels: recall is undefined (nan)")
    never = np.flatnonzero((predicted == 0) & (true > 0))
    if len(never):
        found.append(f"{_count(never)} never predicted: precision is undefined (nan)")
    return found


def check_confusion(confusion):
    """The matrix as int64 (K, K), or ShapeError or ValueError when it is no confusion matrix."""
    confusion = np.asarray(confusion)
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1] or not confusion.size:
        raise ShapeError(f"a confusion matrix is square, (K, K); this one has shape {confusion.shape}")
    _check_integers("a confusion matrix", confusion)
    if confusion.min() < 0:
        raise ValueError(f"a confusion matrix holds counts; this one has {confusion.min()}")
    return confusion.astype(np.int64)


def _pair(labels, predictions, classes=None):
    """Both as int64 (N,), checked against each other and against the number of classes."""
    labels, predictions = _labels(labels), np.asarray(predictions)
    if predictions.ndim != 2:
        predictions = _labels(predictions, "predictions")
        _check_pair(labels, predictions, classes)
        _check_range("predictions", predictions, classes)
        return labels, predictions
    scores = _scores(predictions)
    if classes not in (None, scores.shape[1]):
        raise ShapeError(f"scores {scores.shape} ; expected {classes} columns, one a class")
    _check_pair(labels, scores, scores.shape[1])
    return labels, scores.argmax(axis=1)


def _labels(values, what="labels"):
    values = np.asarray(values)
    if values.ndim != 1:
        hint = "; one-hot labels: pass .argmax(axis=1)" if values.ndim == 2 and values.shape[1] > 1 else ""
        raise ShapeError(f"{what} have shape {values.shape}; expected (N,){hint}")
    if values.size:
        _check_integers(what, values)
    return values.astype(np.int64)


def _scores(values):
    values = np.asarray(values)
    if values.dtype.kind not in "fiu":
        raise TypeError(f"scores are {values.dtype}; expected real numbers")
    if values.ndim != 2 or values.shape[1] == 0 or (values.shape[1] == 1 and values.dtype.kind in "iu"):
        raise ShapeError(f"scores have shape {values.shape}; expected (N, K), or integer predictions (N,)")
    if np.isnan(values).any():
        raise ValueError(f"scores hold NaN, first in row {np.argwhere(np.isnan(values))[0][0]}")
    return values


def _check_pair(labels, other, classes):
    if len(labels) != len(other):
        raise ShapeError(f"{len(labels)} labels but {len(other)} predictions; expected as many of each")
    if not len(labels):
        raise ValueError("there are no labels: the share of nothing is undefined")
    _check_range("labels", labels, classes)


def _check_range(what, values, classes):
    """ValueError naming the first value outside 0 .. classes - 1 (no upper end without classes)."""
    bad = np.flatnonzero((values < 0) | (values >= (np.inf if classes is None else classes)))
    if len(bad):
        end = "0 or more" if classes is None else f"0 to {classes - 1}"
        raise ValueError(f"{what} hold {values[bad[0]]} (at index {bad[0]}); expected {end}")


def _check_integers(what, values):
    if values.dtype.kind not in "biuf":
        raise TypeError(f"{what}: dtype {values.dtype}; expected integers")
    if values.dtype.kind == "f":
        raise ValueError(f"{what}: dtype {values.dtype}; expected integers (convert with .astype(int))")


def _ratio(top, bottom):
    return np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)


def _count(indices):
    shown = ", ".join(str(i) for i in indices[:10]) + (", ..." if len(indices) > 10 else "")
    return f"class {shown} is" if len(indices) == 1 else f"classes {shown} are"

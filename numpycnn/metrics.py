"""How right a classifier is: accuracy, top-k, the confusion matrix, and precision, recall, F1 per
class.

Labels are integers (N,), from 0. Predictions are integers (N,) too, or scores (N, K), whose largest
entry counts (of equal ones the first). What fits neither is refused: a wrong shape with ShapeError,
negative, floating or too large labels and NaN scores with ValueError, text and objects with
TypeError.

For images that a network made: how they compare with clean ones and with real ones. Features are
(N, D) numbers an image, of a classifier's last hidden layer.
"""

import operator
import warnings

import numpy as np

from .errors import ShapeError
from .ops.loss import describe_rows

MOST_CLASSES = 10_000  # of a confusion matrix: 800 MB
BLOCK = 1000  # rows of a distance matrix that stand in memory at a time

__all__ = [
    "accuracy", "auroc", "check_confusion", "class_shares", "classifier_score", "confusion_matrix",
    "frechet_distance", "neighbour_distance", "per_class", "precision_recall", "psnr",
    "remarks", "top_k_accuracy",
]  # fmt: skip


def accuracy(labels, predictions):
    """The share of right predictions, sum(labels == predictions) / N, as a float from 0 to 1."""
    labels, predictions = _pair(labels, predictions)
    return float(np.mean(labels == predictions))


def top_k_accuracy(labels, probabilities, k):
    """The share of examples whose true class is among the k highest scores; k = 1 is `accuracy`.

    probabilities (N, K), 1 <= k <= K. Rank of the true class t: #(p_j > p_t) + #(p_j == p_t, j <
    t).
    """
    labels, scores = _labels(labels), _scores(probabilities)
    k = operator.index(k)
    _check_pair(labels, scores, scores.shape[1])
    if not 1 <= k <= scores.shape[1]:
        raise ValueError(
            f"top_k_accuracy: k is {k}; expected 1 to {scores.shape[1]}, the number of classes"
        )
    own = scores[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(scores.shape[1]) < labels[:, None]
    rank = np.sum((scores > own) | ((scores == own) & earlier), axis=1)
    return float(np.mean(rank < k))


def confusion_matrix(labels, predictions, classes):
    """How often class i (row: the truth) was predicted as j (column): int64 (classes, classes)."""
    classes = operator.index(classes)
    if not 1 <= classes <= MOST_CLASSES:
        raise ValueError(
            f"confusion_matrix: classes is {classes:,}; expected 1 to {MOST_CLASSES:,}, "
            "a table that fits in memory"
        )
    labels, predictions = _pair(labels, predictions, classes)
    cells = np.bincount(labels * classes + predictions, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


def per_class(confusion, names=None):
    """Precision, recall, f1 (float64) and support (int64) of every class: a dict of (K,) arrays.

    With C the confusion matrix: precision = C_ii / sum_j C_ji, recall = C_ii / sum_j C_ij,
    f1 = 2 C_ii / (sum_j C_ij + sum_j C_ji), support = sum_j C_ij.
    Where the denominator is 0 the value is nan, not 0: the recall of a class that the labels lack,
    the precision of one that was never predicted. A UserWarning names those (by `names`, K of them,
    where given), and labels of one class only.
    """
    confusion = check_confusion(confusion)
    right, true, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    for message in remarks(confusion, names):
        warnings.warn(message, UserWarning, stacklevel=2)
    return {
        "precision": _ratio(right, predicted),
        "recall": _ratio(right, true),
        "f1": _ratio(2 * right, true + predicted),
        "support": true,
    }


def remarks(confusion, names=None):
    """What makes `per_class` say less than it seems to, as a list of sentences.

    Empty when all is well. `names`: of the K classes, where they have any.
    """
    names = range(len(confusion)) if names is None else names
    true, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    present, absent = np.flatnonzero(true), np.flatnonzero(true == 0)
    found = []
    if len(present) == 1:
        found.append(
            f"the labels hold one class only ({names[present[0]]}): "
            "accuracy says nothing about any other"
        )
    elif len(absent):
        found.append(f"{_count(absent, names)} not in the labels: recall is undefined (nan)")
    never = np.flatnonzero((predicted == 0) & (true > 0))
    if len(never):
        found.append(f"{_count(never, names)} never predicted: precision is undefined (nan)")
    return found


def check_confusion(confusion):
    """The matrix as int64 (K, K), or ShapeError or ValueError when it is no confusion matrix."""
    confusion = np.asarray(confusion)
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1] or not confusion.size:
        raise ShapeError(
            f"a confusion matrix is square, (K, K); this one has shape {confusion.shape}"
        )
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
        came = describe_rows(values) if values.ndim == 2 else f"the shape {values.shape}"
        raise ShapeError(f"{what} must be integers (N,), not {came}")
    if values.size:
        _check_integers(what, values)
    return values.astype(np.int64)


def _scores(values):
    values = np.asarray(values)
    if values.dtype.kind not in "fiu":
        raise TypeError(f"scores are {values.dtype}; expected real numbers")
    if (
        values.ndim != 2
        or values.shape[1] == 0
        or (values.shape[1] == 1 and values.dtype.kind in "iu")
    ):
        raise ShapeError(
            f"scores have shape {values.shape}; expected (N, K), or integer predictions (N,)"
        )
    if np.isnan(values).any():
        raise ValueError(f"scores hold NaN, first in row {np.argwhere(np.isnan(values))[0][0]}")
    return values


def _check_pair(labels, other, classes):
    if len(labels) != len(other):
        raise ShapeError(
            f"{len(labels)} labels but {len(other)} predictions; expected as many of each"
        )
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
        raise ValueError(
            f"{what}: dtype {values.dtype}; expected integers (convert with .astype(int))"
        )


def _ratio(top, bottom):
    return np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)


def _count(indices, names):
    shown = ", ".join(f"{names[i]}" for i in indices[:10]) + (", ..." if len(indices) > 10 else "")
    return f"class {shown} is" if len(indices) == 1 else f"classes {shown} are"


# ---- of generated images ------------------------------------------------------------------------


def psnr(images, targets):
    """Peak signal-to-noise ratio in decibels, 10 log10(1 / MSE), of pixels in [0, 1]: the mean over
    the images.

    images, targets (N, ...), floating point. Infinite where an image equals its target.
    """
    images, targets = np.asarray(images), np.asarray(targets)
    if not images.dtype.kind == targets.dtype.kind == "f":
        raise TypeError(
            f"psnr wants pixels in [0, 1], not {images.dtype} and {targets.dtype}; "
            "divide uint8 by 255"
        )
    images, targets = images.astype(np.float64), targets.astype(np.float64)
    if images.shape != targets.shape or images.ndim < 2 or not images.size:
        raise ShapeError(
            f"psnr compares images of one shape (N, ...), not {images.shape} and {targets.shape}"
        )
    mse = ((images - targets) ** 2).reshape(len(images), -1).mean(axis=1)
    with np.errstate(divide="ignore"):
        return float(-10 * np.log10(mse).mean())


def auroc(positive, scores):
    """Area under the ROC curve: the probability that a positive has a higher score than a negative,
    ties half.

    By ranks, (sum of the positives' ranks - P (P + 1) / 2) / (P * negatives), ties at their mean
    rank. positive (N,) booleans or 0 and 1, scores (N,). Source: Mann & Whitney 1947.
    """
    positive, scores = np.asarray(positive), np.asarray(scores, np.float64)
    if positive.ndim != 1 or positive.shape != scores.shape:
        raise ShapeError(
            f"auroc needs labels (N,) and scores (N,), not {positive.shape} and {scores.shape}"
        )
    if (
        not np.isin(positive, (0, 1)).all()
        or not 0 < positive.sum() < len(positive)
        or np.isnan(scores).any()
    ):
        raise ValueError(
            "auroc needs labels 0 and 1, at least one of each, and scores that are not NaN"
        )
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    count = int(positive.sum())
    above = ranks[positive.astype(bool)].sum() - count * (count + 1) / 2
    return float(above / (count * (len(positive) - count)))


def frechet_distance(features, others):
    """Between Gaussians fitted to both: d = |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), in squared
    features.

    (C1 C2)^(1/2) has the trace of (S C2 S)^(1/2) with S = C1^(1/2), which is symmetric: its
    eigenvalues are real. features (N, D), others (M, D), both at least 2 rows. Source: Dowson &
    Landau 1982; Heusel et al. 2017.
    """
    features, others = _features(features, others, least=2)
    mean = features.mean(axis=0) - others.mean(axis=0)
    first, second = (np.atleast_2d(np.cov(f, rowvar=False)) for f in (features, others))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    inner = np.linalg.eigvalsh(root @ second @ root)
    distance = (
        mean @ mean + np.trace(first) + np.trace(second) - 2 * np.sqrt(np.maximum(inner, 0)).sum()
    )
    return float(max(distance, 0))


def precision_recall(real, fake, k=3):
    """(precision, recall): the share of fakes inside the real images' region, of real ones inside
    the fakes'.

    A set's region: the balls around its points that reach to the k-th nearest other point of the
    set. real (N, D), fake (M, D), more than k >= 1 rows each. Source: Kynkaanniemi et al. 2019,
    (1), (2).
    """
    if k < 1:
        raise ValueError(f"precision_recall: the k-th nearest point is at least the first, not {k}")
    real, fake = _features(real, fake, least=k + 1)
    return _inside(fake, real, _radii(real, k)), _inside(real, fake, _radii(fake, k))


def neighbour_distance(x, known, k=5):
    """(N,) mean squared distances from each row of x (N, D) to its k nearest rows of `known` (M,
    D), M >= k.
    """
    x, known = _features(x, known, least=1)
    if not 1 <= k <= len(known):
        raise ShapeError(
            f"neighbour_distance: {k} neighbours of {len(known)} rows; expected 1 to {len(known)}"
        )
    return np.concatenate(
        [np.partition(d, k - 1, axis=1)[:, :k].mean(axis=1) for _, d in _squared(x, known)]
    )


def classifier_score(probabilities):
    """exp(mean_n KL(p_n || mean p)), from 1 to K: sure of each image, and evenly spread over the
    classes.

    probabilities (N, K), rows adding up to 1. Source: Salimans et al. 2016, 4 (the inception
    score).
    """
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 2 or not p.size:
        raise ShapeError(f"classifier_score needs probabilities (N, K), not the shape {p.shape}")
    if not (p >= 0).all() or not np.allclose(p.sum(axis=1), 1, atol=1e-3):
        raise ValueError(
            "these are no probabilities, >= 0 and adding up to 1; logits: apply softmax first"
        )
    log = np.log(np.where(p > 0, p, 1)) - np.log(np.maximum(p.mean(axis=0), 1e-300))
    return float(np.exp((p * log).sum(axis=1).mean()))


def class_shares(predictions, classes):
    """(classes,) shares of the predicted classes (N,): where one is near 0, the generator has lost
    it.
    """
    predictions = np.asarray(predictions)
    if predictions.ndim != 1 or not len(predictions) or predictions.dtype.kind not in "iu":
        raise ShapeError(
            f"class_shares needs integers (N,), not {predictions.dtype} {predictions.shape}"
        )
    if predictions.min() < 0 or predictions.max() >= classes:
        raise ValueError(
            f"predictions go from {predictions.min()} to {predictions.max()}; "
            f"expected 0 to {classes - 1}"
        )
    return np.bincount(predictions, minlength=classes) / len(predictions)


def _features(first, second, least):
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or 0 in first.shape:
        raise ShapeError(
            f"expected features (N, D) and (M, D), not {first.shape} and {second.shape}"
        )
    if min(len(first), len(second)) < least:
        raise ShapeError(
            f"expected at least {least} rows of features, not {len(first)} and {len(second)}"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("features hold NaN or infinity")
    return first, second


def _squared(points, others):
    """Squared distances, block by block: yields (rows of points, (rows, len(others)))."""
    norms = (others * others).sum(axis=1)
    for i in range(0, len(points), BLOCK):
        block = points[i : i + BLOCK]
        own = (block * block).sum(axis=1, keepdims=True)
        yield slice(i, i + BLOCK), np.maximum(own + norms - 2 * block @ others.T, 0)


def _radii(points, k):
    """Squared distance from each point to its k-th nearest other; place 0 is the point itself."""
    radii = np.empty(len(points))
    for rows, squared in _squared(points, points):
        squared[np.arange(len(squared)), np.arange(rows.start, rows.start + len(squared))] = -1
        radii[rows] = np.partition(squared, k, axis=1)[:, k]
    return radii


def _inside(points, centres, radii):
    """The share of points that lie in the ball of at least one centre."""
    return float(
        np.mean(np.concatenate([(d <= radii).any(axis=1) for _, d in _squared(points, centres)]))
    )

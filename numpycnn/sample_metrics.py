"""How good images are that a network made: against clean ones, against real ones, and how many kinds there are.

Features are (N, D) numbers an image, of a classifier's last hidden layer. Used as `metrics.frechet_distance` and so on.
What does not fit is refused with ShapeError or ValueError.
"""

import numpy as np

from .errors import ShapeError

BLOCK = 1000  # rows of a distance matrix that stand in memory at a time


def psnr(images, targets):
    """Peak signal-to-noise ratio in decibels, 10 log10(1 / MSE), of pixels in [0, 1]: the mean over the images.

    images, targets (N, ...), floating point. Infinite where an image equals its target.
    """
    images, targets = np.asarray(images), np.asarray(targets)
    if not images.dtype.kind == targets.dtype.kind == "f":
        raise TypeError(f"psnr wants pixels in [0, 1], not {images.dtype} and {targets.dtype}; divide uint8 by 255")
    images, targets = images.astype(np.float64), targets.astype(np.float64)
    if images.shape != targets.shape or images.ndim < 2 or not images.size:
        raise ShapeError(f"psnr compares images of one shape (N, ...), not {images.shape} and {targets.shape}")
    mse = ((images - targets) ** 2).reshape(len(images), -1).mean(axis=1)
    with np.errstate(divide="ignore"):
        return float(-10 * np.log10(mse).mean())


def auroc(positive, scores):
    """Area under the ROC curve: the probability that a positive has a higher score than a negative, ties half.

    By ranks, (sum of the positives' ranks - P (P + 1) / 2) / (P * negatives), ties at their mean rank.
    positive (N,) booleans or 0 and 1, scores (N,). Source: Mann & Whitney 1947.
    """
    positive, scores = np.asarray(positive), np.asarray(scores, np.float64)
    if positive.ndim != 1 or positive.shape != scores.shape:
        raise ShapeError(f"auroc needs labels (N,) and scores (N,), not {positive.shape} and {scores.shape}")
    if not np.isin(positive, (0, 1)).all() or not 0 < positive.sum() < len(positive) or np.isnan(scores).any():
        raise ValueError("auroc needs labels 0 and 1, at least one of each, and scores that are not NaN")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    count = int(positive.sum())
    above = ranks[positive.astype(bool)].sum() - count * (count + 1) / 2
    return float(above / (count * (len(positive) - count)))


def frechet_distance(features, others):
    """Between Gaussians fitted to both: d = |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), in squared features.

    (C1 C2)^(1/2) has the trace of (S C2 S)^(1/2) with S = C1^(1/2), which is symmetric: its eigenvalues are real.
    features (N, D), others (M, D), both at least 2 rows. Source: Dowson & Landau 1982; Heusel et al. 2017.
    """
    features, others = _features(features, others, least=2)
    mean = features.mean(axis=0) - others.mean(axis=0)
    first, second = (np.atleast_2d(np.cov(f, rowvar=False)) for f in (features, others))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    inner = np.linalg.eigvalsh(root @ second @ root)
    distance = mean @ mean + np.trace(first) + np.trace(second) - 2 * np.sqrt(np.maximum(inner, 0)).sum()
    return float(max(distance, 0))


def precision_recall(real, fake, k=3):
    """(precision, recall): the share of fakes inside the real images' region, of real ones inside the fakes'.

    A set's region: the balls around its points that reach to the k-th nearest other point of the set.
    real (N, D), fake (M, D), more than k >= 1 rows each. Source: Kynkaanniemi et al. 2019, (1), (2).
    """
    if k < 1:
        raise ValueError(f"precision_recall: the k-th nearest point is at least the first, not {k}")
    real, fake = _features(real, fake, least=k + 1)
    return _inside(fake, real, _radii(real, k)), _inside(real, fake, _radii(fake, k))


def neighbour_distance(x, known, k=5):
    """(N,) mean squared distances from each row of x (N, D) to its k nearest rows of `known` (M, D), M >= k."""
    x, known = _features(x, known, least=1)
    if not 1 <= k <= len(known):
        raise ShapeError(f"neighbour_distance: {k} neighbours of {len(known)} rows; expected 1 to {len(known)}")
    return np.concatenate([np.partition(d, k - 1, axis=1)[:, :k].mean(axis=1) for _, d in _squared(x, known)])


def classifier_score(probabilities):
    """exp(mean_n KL(p_n || mean p)), from 1 to K: sure of each image, and evenly spread over the classes.

    probabilities (N, K), rows adding up to 1. Source: Salimans et al. 2016, 4 (the inception score).
    """
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 2 or not p.size:
        raise ShapeError(f"classifier_score needs probabilities (N, K), not the shape {p.shape}")
    if not (p >= 0).all() or not np.allclose(p.sum(axis=1), 1, atol=1e-3):
        raise ValueError("these are no probabilities, >= 0 and adding up to 1; logits: apply softmax first")
    log = np.log(np.where(p > 0, p, 1)) - np.log(np.maximum(p.mean(axis=0), 1e-300))
    return float(np.exp((p * log).sum(axis=1).mean()))


def class_shares(predictions, classes):
    """(classes,) shares of the predicted classes (N,): where one is near 0, the generator has lost it."""
    predictions = np.asarray(predictions)
    if predictions.ndim != 1 or not len(predictions) or predictions.dtype.kind not in "iu":
        raise ShapeError(f"class_shares needs integers (N,), not {predictions.dtype} {predictions.shape}")
    if predictions.min() < 0 or predictions.max() >= classes:
        raise ValueError(f"predictions go from {predictions.min()} to {predictions.max()}; expected 0 to {classes - 1}")
    return np.bincount(predictions, minlength=classes) / len(predictions)


def _features(first, second, least):
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or 0 in first.shape:
        raise ShapeError(f"expected features (N, D) and (M, D), not {first.shape} and {second.shape}")
    if min(len(first), len(second)) < least:
        raise ShapeError(f"expected at least {least} rows of features, not {len(first)} and {len(second)}")
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
    return float(np.mean(np.concatenate([(d <= radii).any(axis=1) for _, d in _squared(points, centres)])))

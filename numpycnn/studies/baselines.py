"""Classifiers of scikit-learn beside the networks: raw pixels in [0, 1], no augmentation."""

import time
import warnings

import numpy as np

from ..errors import MissingPackage


def require():
    """Raise MissingPackage, which says what to install, where scikit-learn is missing."""
    try:
        import sklearn  # noqa: F401
    except ImportError:
        raise MissingPackage("scikit-learn", "study") from None


def _linear_svm(seed):
    from sklearn.svm import LinearSVC

    return LinearSVC(C=0.1, dual=False, tol=1e-3, max_iter=200, random_state=seed)


def _rbf_svm(seed):
    from sklearn.svm import SVC

    return SVC(C=10, gamma="scale", cache_size=1000)


def _random_forest(seed):
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(100, random_state=seed)


def _nearest_neighbours(seed):
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(5, algorithm="brute")


def _logistic_regression(seed):
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=200)


BASELINES = {
    "linear_svm": _linear_svm,
    "rbf_svm": _rbf_svm,
    "random_forest": _random_forest,
    "nearest_neighbours": _nearest_neighbours,
    "logistic_regression": _logistic_regression,
}


def fit_and_predict(name, train, x_test, seed):
    """Fit the classifier of that name -> guesses (N,), and what was measured.

    train (x, y): images (N, H, W, C), uint8 or in [0, 1], and labels. Measured: "seconds",
    "predict_seconds", "parameters". A warning that 200 iterations did not reach scikit-learn's
    tolerance is hidden: it says nothing about accuracy.
    """
    x, y = train
    model = BASELINES[name](seed)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(failed to converge|TOTAL NO. of ITERATIONS)")
        model.fit(_pixels(x), y)
    fitted = time.perf_counter()
    guesses = model.predict(_pixels(x_test))
    return guesses, {
        "seconds": fitted - start,
        "predict_seconds": time.perf_counter() - fitted,
        "parameters": size(model, x[0].size * len(x)),
    }


def _pixels(x):
    flat = x.reshape(len(x), -1).astype(np.float32)  # (N, H*W*C)
    return flat / 255 if x.dtype == np.uint8 else flat


def size(model, stored):
    """How many numbers a fitted model consists of.

    stored: how many its training images have, which nearest neighbours keep.
    """
    if hasattr(model, "support_vectors_"):
        return model.support_vectors_.size + model.dual_coef_.size + model.intercept_.size
    if hasattr(model, "coef_"):
        return model.coef_.size + model.intercept_.size
    if hasattr(model, "estimators_"):
        # a feature and a threshold for each node, a share for each of its classes
        return sum(2 * tree.tree_.node_count + tree.tree_.value.size for tree in model.estimators_)
    return stored

"""scikit-learn's classifiers beside the networks: what they are given, and what is measured."""

import numpy as np
import pytest

from numpycnn.studies import baselines

pytest.importorskip("sklearn")
RNG = np.random.default_rng(0)
LABELS = np.arange(120) % 3


def stripes(labels, dtype):
    """8 x 8 images: bright rows, columns or nothing, with noise; uint8, or the same in [0, 1]."""
    x = RNG.integers(0, 90, (len(labels), 8, 8, 1)).astype(np.uint8)
    x[labels == 1, ::2] = 250
    x[labels == 2, :, ::2] = 250
    return x if dtype == "uint8" else (x / 255).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("name", baselines.BASELINES)
def test_each_learns_what_is_easy(name, dtype):
    x = stripes(LABELS, dtype)
    guesses, measured = baselines.fit_and_predict(name, (x[:90], LABELS[:90]), x[90:], seed=0)
    np.testing.assert_array_equal(guesses, LABELS[90:])
    assert measured.keys() == {"seconds", "predict_seconds", "parameters"}
    assert min(measured["seconds"], measured["predict_seconds"]) > 0
    wanted = {
        "linear_svm": 3 * 64 + 3,
        "logistic_regression": 3 * 64 + 3,
        "nearest_neighbours": 90 * 64,
    }
    assert measured["parameters"] == wanted.get(name, measured["parameters"])


def test_both_kinds_of_pixels_are_the_same_to_them():
    x = stripes(LABELS, "uint8")
    np.testing.assert_array_equal(
        baselines._pixels(x), baselines._pixels((x / 255).astype(np.float32))
    )


def test_sizes_by_hand():
    """A support vector costs its pixels and a coefficient for each other class.

    A tree's node costs a feature, a threshold and the shares of the classes.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.svm import SVC

    x, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1])
    assert (
        baselines.size(SVC(kernel="linear", C=100).fit(x, y), 4) == 2 + 2 + 1
    )  # the vectors are 1 and 2
    forest = RandomForestClassifier(1, bootstrap=False, random_state=0).fit(x, y)
    assert baselines.size(forest, 4) == 3 * (2 + 2)  # a root and two leaves

import hashlib

import numpy as np
import pytest

from numpycnn import data
from numpycnn.data import synthetic


def test_shapes_dtypes_and_balance():
    x, y = synthetic.make(57, seed=1)
    assert (x.shape, x.dtype, y.dtype) == ((57, 28, 28, 1), np.uint8, np.int64)
    assert np.bincount(y).tolist() == [6] * 7 + [5] * 3
    assert x.reshape(57, -1).max(axis=1).min() > 40  # something is drawn on each
    assert np.median(x) < 30  # on a dark ground
    with pytest.raises(ValueError, match="at least 1"):
        synthetic.make(0, seed=1)


def test_the_same_seed_gives_the_same_bits():
    x, y = synthetic.make(1000, seed=7)
    again, labels = synthetic.make(1000, seed=7)
    np.testing.assert_array_equal(x, again)
    np.testing.assert_array_equal(y, labels)
    assert (synthetic.make(1000, seed=8)[0] != x).mean() > 0.1
    assert hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()[:16] == "3a6128ba32eab6b2"


@pytest.fixture(scope="module")
def garments():
    return data.load("synthetic")


def test_the_data_set(garments):
    assert garments.x_train.shape == (10_000, 28, 28, 1)
    assert garments.x_test.shape == (2_000, 28, 28, 1)
    assert np.bincount(garments.y_train).tolist() == [1000] * 10
    assert np.bincount(garments.y_test).tolist() == [200] * 10
    assert garments.classes[0] == "T-shirt"
    assert garments.classes[9] == "Ankle boot"
    assert (
        len({x.tobytes() for x in (*garments.x_train, *garments.x_test)}) == 12_000
    )  # no image twice


def test_a_linear_model_stays_below_90_percent(garments):
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, test = (a.reshape(len(a), -1) / 255 for a in (garments.x_train, garments.x_test))
    model = linear_model.RidgeClassifier(alpha=30.0).fit(x, garments.y_train)
    assert 0.6 < model.score(test, garments.y_test) < 0.9

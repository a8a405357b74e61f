"""The estimators among scikit-learn's own tools: its checks, pipelines, searches, calibration."""

import pickle

import numpy as np
import pytest

import numpycnn as nc
from numpycnn.errors import CheckpointError, ShapeError, UnknownNameError
from tests.helpers import pictures, small

pytest.importorskip("sklearn", minversion="1.6")
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import check_estimator

from numpycnn.sklearn import CNNClassifier, CNNFeatures

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
TINY = {"filters": (8, 12), "depth": 1, "dropout": (0.0, 0.0)}
ONE_SIZE = (
    "check_fit_score_takes_y check_estimators_overwrite_params check_dont_overwrite_parameters "
    "check_estimators_fit_returns_self check_readonly_memmap_input check_dtype_object "
    "check_n_features_in_after_fitting check_positive_only_tag_during_fit check_n_features_in "
    "check_estimators_dtypes check_pipeline_consistency check_estimators_nan_inf "
    "check_estimators_pickle check_f_contiguous_array_estimator check_transformer_general "
    "check_transformer_data_not_an_array check_transformer_preserve_dtypes "
    "check_methods_sample_order_invariance check_methods_subset_invariance check_fit2d_1sample "
    "check_fit2d_1feature check_dict_unchanged check_fit_idempotent check_fit_check_is_fitted "
    "check_fit2d_predict1d"
).split()


def classifier(**changes):
    settings = {"epochs": 12, "lr": 1e-2, "batch_size": 16, "random_state": 0, "model_args": TINY}
    return CNNClassifier(**{**settings, **changes})


def test_the_classifier_passes_every_check():
    check_estimator(classifier(), on_skip=None)


def test_the_transformer_passes_those_that_bring_images_of_its_size():
    """The others bring rows of 1 to 10 numbers, and its network takes 784."""
    reason = "a trained network has images of one size"
    found = check_estimator(
        CNNFeatures(), on_skip=None, expected_failed_checks=dict.fromkeys(ONE_SIZE, reason)
    )
    assert sum(one["status"] == "passed" for one in found) >= 15
    for one in found:
        if one["status"] == "xfail":
            assert "784" in str(one["exception"]) or "ShapeError" in str(one["exception"])


def test_labels_of_any_kind_and_images_of_any_form():
    x, y = pictures(80)
    names = np.array(["rose", "lily", "iris", "aster"])
    model = classifier(epochs=8).fit(x, names[y])
    assert model.classes_.tolist() == sorted(names)
    assert model.input_shape_ == (12, 12, 1)
    assert model.score(x, names[y]) > 0.8
    assert set(model.predict(x)) <= set(names)
    proba = model.predict_proba(x)
    assert proba.shape == (80, 4)
    assert np.array_equal(model.predict_proba(x[..., 0]), proba)
    assert np.array_equal(model.predict_proba(x.reshape(80, -1)), proba)
    assert np.array_equal(proba, nc.predict(model.net_, x))
    for labels in (y - 5, y.astype(float), y > 1, names[y].tolist()):
        assert np.isin(classifier(epochs=1).fit(x, labels).predict(x), labels).all()


def test_history_and_the_number_of_epochs():
    x, y = pictures(32)
    model = classifier(epochs=3).fit(x, y)
    assert model.n_iter_ == 3
    assert {name: len(values) for name, values in model.history_.items()}["loss"] == 3
    model.partial_fit(x, y)
    assert (model.n_iter_, len(model.history_["loss"])) == (4, 4)
    assert model.fit(x, y).n_iter_ == 3


def test_partial_fit_is_fit_in_parts():
    x, y = pictures(80)
    model = classifier()
    with pytest.raises(ValueError, match="needs classes"):
        model.partial_fit(x[:40], y[:40])
    for _ in range(8):
        for part in (slice(0, 40), slice(40, 80)):
            model.partial_fit(x[part], y[part], classes=[3, 1, 2, 0])
    assert model.score(x, y) > 0.8
    with pytest.raises(ValueError, match=r"labels \[9\] are none of the classes"):
        model.partial_fit(x[:2], [9, 9])
    with pytest.raises(ValueError, match="others than at the first call"):
        model.partial_fit(x, y, classes=[0, 1])


def test_the_same_random_state_gives_the_same_bits():
    x, y = pictures(32)
    a, b, c = (classifier(epochs=2, random_state=s).fit(x, y).predict_proba(x) for s in (1, 1, 2))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_in_a_pipeline_a_search_a_cross_validation_and_calibrated():
    x, y = pictures(72)
    rows = x.reshape(72, -1)
    line = make_pipeline(MinMaxScaler(), classifier(epochs=6, size=(12, 12)))
    assert cross_val_score(line, rows, y, cv=3).shape == (3,)
    grid = {"cnnclassifier__lr": [1e-2, 1e-9], "cnnclassifier__model": ["vgg"]}
    search = GridSearchCV(line, grid, cv=2).fit(rows, y)
    assert search.best_params_["cnnclassifier__lr"] == 1e-2
    calibrated = CalibratedClassifierCV(line, cv=2).fit(rows, y)
    assert np.allclose(calibrated.predict_proba(rows).sum(axis=1), 1)


def test_pickled_and_cloned():
    x, y = pictures(32)
    model = classifier(epochs=2, class_weight={0: 2.0}).fit(x, y)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(x), model.predict_proba(x))
    again.partial_fit(x, y)  # the optimiser goes with it
    model.partial_fit(x, y)
    assert np.array_equal(again.predict_proba(x), model.predict_proba(x))
    fresh = clone(model)
    assert fresh.get_params() == model.get_params()
    assert not hasattr(fresh, "net_")


def test_a_mistake_is_one_line():
    x, y = pictures(16)
    rows = x.reshape(16, -1)
    for settings, error, message in [
        ({"model": "vvg"}, UnknownNameError, "did you mean vgg"),
        ({"size": (7, 7)}, ShapeError, "has 49 values, the rows have 144"),
        ({"schedule": "cosin"}, UnknownNameError, "did you mean cosine"),
        ({"class_weight": "even"}, ValueError, "'balanced' or a dict"),
        ({"class_weight": {7: 50.0}}, ValueError, r"names 7; the classes are \[0, 1, 2, 3\]"),
    ]:
        with pytest.raises(error, match=message):
            classifier(**settings).fit(rows, y)
    with pytest.raises(ValueError, match="one class alone"):
        classifier().fit(x, np.zeros(16, int))


def test_images_of_another_shape_are_not_read_as_the_networks_own(tmp_path):
    x, y = pictures(16)
    wide, first = x.reshape(16, 6, 24, 1), x.transpose(0, 3, 1, 2)
    model = classifier(epochs=1).fit(x, y)
    nc.save(tmp_path / "x.npz", small())
    features = CNNFeatures(str(tmp_path / "x.npz")).fit(x)
    for bad in wide, first:
        for run in model.predict, features.transform, features.fit:
            with pytest.raises(ShapeError, match=r"for images \(12, 12, 1\), not"):
                run(bad)
        with pytest.raises(ShapeError, match=r"for images \(12, 12, 1\), not"):
            model.partial_fit(bad, y)
    with pytest.raises(ShapeError, match=r"size=\(6, 24\) is for images \(6, 24, 1\), not"):
        classifier(size=(6, 24)).fit(x, y)
    weights = {0: 1.0, 1: 1.0, 2: 1.0, 3: 2.0, 4: 1.0}  # 4: of another part of the data
    assert classifier(epochs=1, size=12, class_weight=weights).fit(x, y).n_iter_ == 1


def test_features_are_what_the_last_layer_reads(tmp_path):
    net = small()
    nc.save(tmp_path / "x.npz", net)
    x, y = pictures(60)
    features = CNNFeatures(str(tmp_path / "x.npz")).fit(x)
    found = features.transform(x)
    last = net.layers[-1]
    assert found.shape == (60, last.w.value.shape[0])
    logits = found @ last.w.value + last.b.value
    assert np.abs(logits - net.infer(x)).max() < 1e-5
    rows = x.reshape(60, -1)
    assert np.array_equal(features.transform(rows), found)
    assert np.abs(features.transform(rows / 255.0) - found).max() < 1e-4
    assert features.get_feature_names_out()[:2].tolist() == ["cnnfeatures0", "cnnfeatures1"]
    assert np.array_equal(pickle.loads(pickle.dumps(features)).transform(x), found)
    line = make_pipeline(clone(features), LogisticRegression(max_iter=1000))
    assert line.fit(rows, y).score(rows, y) > 0.6  # of random weights; chance is 0.25
    assert cross_val_score(line, rows, y, cv=3).shape == (3,)
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        CNNFeatures(str(tmp_path / "none.npz")).fit(x)
    with pytest.raises(ShapeError, match="144 features, not 100"):
        features.fit(rows[:, :100])
    with pytest.raises(ValueError, match="last layer is dense"):
        CNNFeatures("pretrained:gan").fit(x)

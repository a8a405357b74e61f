"""What fit, evaluate and predict refuse before anything changes; input is never written to."""

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import layers, optim
from numpycnn.errors import (
    ShapeError,
    UnknownNameError,
)
from numpycnn.layers import Frozen, Sequential
from numpycnn.layers.traverse import generators
from numpycnn.training import loop
from tests.helpers import arrays, fit, pictures, same, small

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")


def spoilt(value):
    x = (pictures(8)[0] / 255).astype(np.float32)
    x[3, 0, 5, 0] = x[4, 1, 1, 0] = value
    return x


X, Y = pictures(8)
REFUSED = [
    (
        spoilt(np.nan),
        Y,
        {},
        ValueError,
        r"2 values .* NaN or infinite, the first is x\[3, 0, 5, 0\]",
    ),
    (spoilt(-np.inf), Y, {}, ValueError, r"2 values"),
    (spoilt(1).astype(float) * 1e300, Y, {}, ValueError, r"infinite"),  # too large for float32
    (X[:0], Y[:0], {}, ShapeError, r"no images"),
    (X, Y[:7], {}, ShapeError, r"\(8, 12, 12, 1\) but labels .*\(7,\)"),
    (X, 3, {}, ShapeError, r"shape \(\)"),
    (X, np.where(Y == 2, -1, Y), {}, ValueError, r"label -1 at index"),
    (X, np.where(Y == 2, 4, Y), {}, ValueError, r"label 4 at index \d is outside 0\.\.3"),
    (X, Y.astype(float), {}, TypeError, r"astype\(int\)"),
    (X, np.eye(4)[Y], {}, ShapeError, r"argmax\(axis=1\)"),
    (X.transpose(0, 3, 1, 2), Y, {}, ShapeError, r"transpose\(0, 2, 3, 1\)"),
    (X[..., 0], Y, {}, ShapeError, r"x\[\.\.\., None\]"),
    (np.repeat(X, 3, axis=3), Y, {}, ShapeError, r"expected 1 channels"),
    (X.astype(object), Y, {}, TypeError, r"not object"),
    (X.astype(str), Y, {}, TypeError, r"not <U"),
    (X.astype(complex), Y, {}, TypeError, r"not complex"),
    (X.astype(int), Y, {}, TypeError, r"not int64"),
    (X, Y, {"epochs": 0}, ValueError, r"epochs must be a whole number of at least 1"),
    (X, Y, {"epochs": 1.5}, ValueError, r"epochs"),
    (X, Y, {"batch_size": 0}, ValueError, r"batch_size"),
    (X, Y, {"batch_size": float("nan")}, ValueError, r"batch_size"),
    (X, Y, {"seed": -1}, ValueError, r"seed"),
    (X, Y, {"seed": None}, ValueError, r"seed"),
    (X, Y, {"lr": float("nan")}, ValueError, r"lr must be finite"),
    (X, Y, {"lr": -0.1}, ValueError, r"lr must be finite"),
    (X, Y, {"schedule": "cosin"}, UnknownNameError, r"did you mean cosine"),
    (X, Y, {"label_smoothing": 1.0}, ValueError, r"label_smoothing"),
    (X, Y, {"class_weight": [1, 2]}, ValueError, r"class_weight"),
    (X, Y, {"ema": 1.0}, ValueError, r"decay of an average"),
    (X, Y, {"clip": 0}, ValueError, r"clipped to must be positive"),
    (
        X,
        Y,
        {"patience": 0, "validation": (X, Y)},
        ValueError,
        r"patience must be a whole number of at least 1",
    ),
    (X, Y, {"patience": 2}, ValueError, r"patience needs validation data"),
    (X, Y, {"augment": [(0.5, None)]}, ValueError, r"phases end at \[0.5\]"),
    (X, Y, {"augment": [(1.0, None), (0.5, None)]}, ValueError, r"rising shares"),
    (X, Y, {"augment": []}, ValueError, r"phases end at \[\]"),
    (X, Y, {"augment": [(float("nan"), None)]}, ValueError, r"phases end at \[nan\]"),
    (
        X,
        Y,
        {"augment": "flip"},
        ValueError,
        r"must be a function of \(x, rng\), or pairs .* not 'flip'",
    ),
    (X, Y, {"augment": [(1.0, "flip")]}, ValueError, r"must be a function of \(x, rng\), or pairs"),
    (
        X,
        Y,
        {"optimizer": optim.Adam(small().params())},
        ValueError,
        r"steps parameters that are not net's",
    ),
    (
        X,
        Y,
        {"class_weight": [0, 1, 1, 1]},
        ValueError,
        r"class_weight is 0 for a class that occurs",
    ),
    (X, Y, {"metadata": {"what": object()}}, TypeError, r"JSON|metadata"),
    (X, Y, {"metadata": {"model": "mine"}}, TypeError, r"save writes metadata of this name itself"),
    (X, Y, {"validation": (X, Y + 2)}, ValueError, r"validation: label"),
    (X, Y, {"validation": (X[..., 0], Y)}, ShapeError, r"validation: .*x\[\.\.\., None\]"),
    (X, Y, {"validation": (X[:0], Y[:0])}, ShapeError, r"validation: there are no images"),
]


@pytest.mark.parametrize("optimizer", [None, "muon", optim.SGD])
def test_what_has_nothing_to_train_is_refused_by_name(optimizer, tmp_path):
    net = Sequential(Frozen(small()))
    with pytest.raises(ValueError, match="Sequential has no parameters to train: its layers are"):
        fit(net, X, Y, optimizer=optimizer, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("x", "y", "change", "kind", "message"), REFUSED)
def test_refused_before_anything_changes(x, y, change, kind, message, tmp_path):
    net = small()
    before, random = (
        arrays(net),
        {k: str(g.bit_generator.state) for k, g in generators(net).items()},
    )
    with pytest.raises(kind, match=message) as caught:
        fit(net, x, y, out=tmp_path / "run", **change)
    assert isinstance(caught.value, (ValueError, TypeError))
    assert "\n" not in str(caught.value)
    assert same(arrays(net), before)
    assert {k: str(g.bit_generator.state) for k, g in generators(net).items()} == random
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "function", [nc.predict, lambda net, x, **k: nc.evaluate(net, x, np.resize(Y, len(x)), **k)]
)
def test_predict_and_evaluate_refuse_too(function):
    net = small()
    with pytest.raises(ShapeError, match=r"transpose\(0, 2, 3, 1\)"):
        function(net, X.transpose(0, 3, 1, 2))
    with pytest.raises(ShapeError, match=r"x\[None\]"):
        function(net, X[0])
    with pytest.raises(TypeError, match="not object"):
        function(net, X.astype(object))
    with pytest.raises(ValueError, match="batch_size"):
        function(net, X, batch_size=-1)


def test_input_is_never_written_to(tmp_path):
    x, y = pictures(32)
    for array in (x, y):
        array.flags.writeable = False
    wanted = fit(small(), x, y)["loss"]
    x_float = np.asfortranarray(x / np.float32(255))
    before = x_float.copy()
    fit(small(), x_float, y)
    np.testing.assert_array_equal(x_float, before)
    for name, array in (("x", x), ("y", y)):
        np.save(tmp_path / f"{name}.npy", array)
    content = (tmp_path / "x.npy").read_bytes()
    assert (
        fit(small(), *(np.load(tmp_path / f"{name}.npy", mmap_mode="r+") for name in "xy"))["loss"]
        == wanted
    )
    assert (tmp_path / "x.npy").read_bytes() == content


def test_a_layer_that_writes_into_its_input_does_not_reach_the_callers_images():
    class Centre(layers.Layer):
        def forward(self, x, train=False):
            x -= np.float32(0.5)
            return x, None

        def backward(self, dy, cache):
            return dy

    x, y = pictures(33)
    x = x / np.float32(255)
    before, dense = x.copy(), layers.Dense(144, 4, rng=np.random.default_rng(0))
    net = layers.Sequential(Centre(), layers.Flatten(), dense)
    mean = (x + x[:, :, ::-1]) / 2 - np.float32(0.5)  # of each image and its mirror image
    fit(net, x, y, validation=(x, y))
    nc.evaluate(net, x, y)
    logits = loop.logits(net, x, flip=True)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_allclose(logits, dense.infer(mean.reshape(33, -1)), rtol=1e-3, atol=1e-5)


def test_labels_may_lie_apart_in_memory(tmp_path):
    x, y = pictures(32)
    apart = np.repeat(y.astype(np.int64), 2)[::2]
    assert not apart.flags.contiguous
    assert fit(small(), x, apart, out=tmp_path)["loss"] == fit(small(), x, y)["loss"]

"""evaluate and predict, compared with hand computation."""

import threading

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import ops
from numpycnn.training import loop
from tests.helpers import arrays, fit, pictures, same, small

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")


def test_validation_is_measured_as_evaluate_does():
    x, y = pictures(48)
    net = small()
    history = fit(net, x, y, epochs=1, validation=(x[:20], y[:20]))
    measured = nc.evaluate(net, x[:20], y[:20])
    assert (history["val_loss"][0], history["val_accuracy"][0]) == (
        measured["loss"],
        measured["accuracy"],
    )


def test_evaluate_by_hand(each_backend):
    x, y = pictures(30)
    net = small()
    s = net.infer(x).astype(float)
    guesses = s.argmax(axis=1)
    measured = nc.evaluate(net, x, y, batch_size=7)
    assert measured["loss"] == pytest.approx(
        (np.log(np.exp(s).sum(1)) - s[np.arange(30), y]).mean(), rel=1e-5
    )
    assert measured["accuracy"] == sum(guesses == y) / 30
    expected = [[sum((y == i) & (guesses == j)) for j in range(4)] for i in range(4)]
    np.testing.assert_array_equal(measured["confusion"], expected)
    recall = [expected[i][i] / sum(expected[i]) for i in range(4)]
    np.testing.assert_allclose(measured["per_class"]["recall"], recall)


def test_predict_gives_probabilities(each_backend):
    x, _ = pictures(10)
    net = small()
    probabilities = nc.predict(net, x, batch_size=4)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(probabilities, ops.softmax(net.infer(x))[0], rtol=1e-4)
    assert probabilities.dtype == np.float32


@pytest.mark.parametrize("name", ["vgg", "alexnet"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_predict_of_no_images(name, dtype, each_backend):
    assert nc.predict(small(name), np.empty((0, 12, 12, 1), dtype)).shape == (0, 4)


def test_predict_in_the_middle_of_training_changes_nothing(steps):
    x, y = pictures(64)
    quiet, asked = small(), small()
    fit(quiet, x, y)
    losses = list(steps)
    steps.clear()
    steps.at = {k: lambda: (nc.predict(asked, x), nc.evaluate(asked, x, y)) for k in (1, 3, 8)}
    fit(asked, x, y)
    assert steps == losses
    assert same(arrays(quiet), arrays(asked))


def test_eight_threads_predict_as_one(each_backend):
    x, _ = pictures(24)
    net = small()
    expected, found = nc.predict(net, x), [None] * 8

    def work(i):
        found[i] = nc.predict(net, x)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(one is not None and one.tobytes() == expected.tobytes() for one in found)


def test_flip_averages_the_logits_of_an_image_and_its_mirror_image(each_backend):
    x, y = pictures(10)
    net = small()
    wanted = (loop.logits(net, x) + loop.logits(net, np.ascontiguousarray(x[:, :, ::-1]))) / 2
    np.testing.assert_allclose(loop.logits(net, x, 4, flip=True), wanted, atol=1e-5)
    np.testing.assert_allclose(nc.predict(net, x, flip=True), ops.softmax(wanted)[0], atol=1e-5)
    np.testing.assert_array_equal(
        nc.predict(net, x, flip=True), nc.predict(net, x[:, :, ::-1], flip=True)
    )
    assert nc.evaluate(net, x, y, flip=True)["loss"] == pytest.approx(
        ops.softmax_cross_entropy(wanted, y)[0], rel=1e-5
    )


def test_validation_in_parts_is_that_of_the_whole(monkeypatch):
    """Nothing in fit grows with images x classes."""
    net, (x, y) = small(), pictures(700)
    whole = loop.score_of(net, x, y)
    monkeypatch.setattr(loop, "MOST", 10)
    parts = loop.score_of(net, x, y)
    assert parts == pytest.approx(whole, rel=1e-5)
    assert whole[0] == loop.score(loop.logits(net, x), y)[0]

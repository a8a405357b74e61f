"""Networks broken on purpose, each in one way, must get that diagnosis; sound ones none."""

import copy

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import layers, optim
from numpycnn.inspection import Steps, diagnose, examine, learning
from tests.helpers import fit, pictures, small

pytestmark = pytest.mark.filterwarnings("ignore:class.* never predicted")
X, Y = pictures(64)


def kinds(net, history=None, held_out=None, **settings):
    return [one.kind for one in diagnose(examine(net, X, Y, **settings), history, held_out)]


def stack(activation, depth=8, scale=1.0):
    """`depth` dense layers of 24, He normal times `scale`."""
    rng, features, chain = (
        np.random.default_rng(0),
        144,
        [layers.Standardize(0.3, 0.2), layers.Flatten()],
    )
    for _ in range(depth):
        chain += [layers.Dense(features, 24, rng=rng), activation()]
        features = 24
    net = layers.Sequential(*chain, layers.Dense(24, 4, rng=rng))
    for param in net.params():
        param.value *= np.float32(scale)
    return net


@pytest.mark.parametrize("name", ["vgg", "alexnet"])
def test_a_sound_network_is_left_alone_before_and_after_training(name):
    net, optimizer = small(name, dropout=(0, 0) if name == "vgg" else 0), None
    assert kinds(net) == []
    optimizer = optim.Adam(net.params(), 2e-3)
    history = fit(
        net, X, Y, epochs=6, optimizer=optimizer, validation=pictures(64, 1), schedule="one_cycle"
    )
    steps = Steps.of(net, optimizer)
    held_out = nc.evaluate(net, *pictures(64, 2))["accuracy"], 64
    short = {"under-fitting"}  # six epochs of four steps; nothing is wrong with the layers
    assert set(kinds(net, history, held_out, steps=steps, lr=2e-3)) <= short
    assert set(kinds(net, history, held_out)) <= short


def test_the_network_that_is_shipped_has_sound_layers():
    net = nc.load("pretrained:paper")
    images = np.random.default_rng(0).integers(0, 256, (64, 28, 28, 1), dtype=np.uint8)
    examined = examine(net, images, np.arange(64) % 10)
    assert not {"dead", "vanishing", "exploding"} & {one.kind for one in diagnose(examined)}


@pytest.mark.parametrize("name", ["vgg", "alexnet"])
def test_a_large_negative_bias_is_dead(name):
    net = small(name)
    for layer in net.layers:
        if isinstance(layer, layers.BatchNorm if name == "vgg" else layers.Conv2D):
            (layer.beta if name == "vgg" else layer.b).value[...] = -1e3
    found = diagnose(examine(net, X, Y))
    assert {one.kind for one in found} == {"dead"}
    assert (
        "8 of 8 units of 3 ReLU" in found[0].text
        if name == "vgg"
        else "4 of 4 units of 2 ReLU" in found[0].text
    )
    assert "64 images" in found[0].text


def test_a_few_dead_units_are_counted_and_not_called_wrong():
    net = small("alexnet", filters=(8, 8))
    net.layers[1].b.value[:1] = -1e3
    examined = examine(net, X, Y)
    assert (examined.layers[2].dead, examined.layers[2].units) == (1, 8)
    assert diagnose(examined) == []
    net.layers[1].b.value[:4] = -1e3
    assert kinds(net) == ["dead"]


def test_a_deep_stack_of_sigmoids_vanishes():
    assert kinds(stack(layers.Sigmoid)) == ["vanishing"]
    assert kinds(stack(layers.ReLU)) == []


def test_a_tiny_initialisation_vanishes():
    assert kinds(stack(layers.ReLU, depth=3, scale=1e-3)) == ["vanishing"]
    assert kinds(stack(layers.Tanh, depth=3, scale=0)) == [
        "vanishing"
    ]  # nothing comes through at all


def test_where_nothing_is_left_to_learn_nothing_vanishes():
    x, y = pictures(16)
    net = layers.Sequential(
        layers.Standardize(), layers.Flatten(), layers.Dense(x[0].size, 4), layers.Dense(4, 4)
    )
    net.layers[3].b.value[0] = 200
    assert diagnose(examine(net, x, np.zeros_like(y))) == []


def test_a_large_initialisation_explodes():
    assert kinds(stack(layers.ReLU, scale=10)) == ["exploding"]
    assert kinds(stack(layers.ReLU, depth=1, scale=30)) == ["exploding"]  # by its logits


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_not_finite_explodes(value):
    net = small("alexnet")
    net.layers[1].w.value[...] = value
    found = diagnose(examine(net, X, Y))
    assert [one.kind for one in found] == ["exploding"]
    assert "not finite" in found[0].text


@pytest.mark.parametrize(("lr", "kind"), [(3.0, ["too fast"]), (1e-3, []), (1e-7, ["too slow"])])
@pytest.mark.parametrize("make", [optim.Adam, optim.SGD])
def test_too_fast_and_too_slow(make, lr, kind):
    """The optimiser's last step, scaled: 3 is far too large, at 1e-7 nothing ever moves."""
    net = small("alexnet", dropout=0)
    optimizer = make(net.params(), 1e-3)
    fit(net, X, Y, epochs=1, optimizer=optimizer)
    lr = lr * 10 if make is optim.SGD else lr
    assert kinds(net, steps=Steps.of(net, optimizer), lr=lr) == kind


def test_training_too_fast_is_told_from_the_run_itself():
    net = small("vgg")
    optimizer = optim.Adam(net.params(), 1.0)
    fit(net, X, Y, epochs=1, optimizer=optimizer)
    assert "too fast" in kinds(net, steps=Steps.of(net, optimizer))


def test_small_steps_are_right_where_little_is_left_to_learn():
    examined = examine(small(), X, Y, lr=1e-9)
    assert [one.kind for one in diagnose(examined)] == ["too slow"]
    examined.accuracy = learning.LEARNT
    assert diagnose(examined) == []


def test_the_advice_leads_to_a_usual_ratio():
    net = small()
    text = diagnose(examine(net, X, Y, lr=1e-9))[0].text
    assert kinds(net, lr=float(text.rpartition("lr ")[2])) == []


def test_a_network_trained_on_noise_over_fits():
    x = np.random.default_rng(0).integers(0, 256, X.shape).astype(np.uint8)
    net = small("alexnet", dropout=0)
    fit(net, x, Y, epochs=40, lr=3e-3)
    held_out = nc.evaluate(net, *pictures(256, 3))["accuracy"], 256
    found = diagnose(examine(net, x, Y), held_out=held_out)
    assert "over-fitting" in [one.kind for one in found]


def test_a_finding_reads_as_a_sentence():
    found = diagnose(examine(small(), X, Y, lr=1e-9))
    assert str(found[0]).startswith("too slow: one step at lr 1e-09 changes the weights by ")
    assert copy.copy(found[0]) == found[0]

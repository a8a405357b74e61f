"""The numbers of an examination against the same numbers worked out by hand."""

import numpy as np
import pytest

from numpycnn import layers, ops, optim
from numpycnn.errors import CheckpointError, ShapeError
from numpycnn.inspection import Steps, examine
from numpycnn.inspection.updates import ratios
from numpycnn.layers.traverse import generators, named_buffers, named_params, watch
from numpycnn.training import checkpoint
from tests.helpers import arrays, fit, pictures, same, small

X, Y = pictures(80)


def test_activations_are_those_of_use_over_all_images():
    net, outputs = small(), {}
    examined = examine(net, X, Y)
    with watch(net, lambda path, layer, x, y, cache: outputs.update({path: y.astype(np.float64)})):
        s = net.forward(X)[0]
    assert [row.path for row in examined.layers] == list(outputs)
    for row in examined.layers:
        y = outputs[row.path]
        assert row.shape == y.shape[1:]
        expected = y.mean(), y.std(), (y == 0).mean()
        found = row.activation.mean, row.activation.deviation, row.activation.zeros
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
        if row.kind == "ReLU":
            assert (row.units, row.dead) == (y.shape[3], int((y.max(axis=(0, 1, 2)) <= 0).sum()))
    assert examined.images == 80
    assert examined.accuracy == (s.argmax(axis=1) == Y).mean()
    assert examined.loss == pytest.approx(ops.softmax_cross_entropy(s, Y)[0], rel=1e-6)


def test_gradients_are_those_of_each_images_own_loss():
    net, felt = small("alexnet", dropout=0), {}
    examined = examine(net, X, Y, gradient_images=40, batch_size=20)
    for i in range(40):  # without batch norm or dropout each image stands for itself
        with watch(
            net, on_backward=lambda path, _, dy, dx, __: felt.setdefault(path, []).append((dy, dx))
        ):
            s, cache = net.forward(X[i : i + 1], train=True)
            net.backward(ops.softmax_cross_entropy(s, Y[i : i + 1])[1], cache)
    for row in examined.layers:
        dy = np.concatenate([pair[0] for pair in felt[row.path]]).astype(np.float64)
        expected = dy.mean(), dy.std(), (dy == 0).mean()
        found = row.gradient.mean, row.gradient.deviation, row.gradient.zeros
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-7)
        if row.kind in ("Conv2D", "Dense"):
            squares = [np.square(pair[1], dtype=np.float64).sum() for pair in felt[row.path]]
            assert row.signal == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-4)
        else:
            assert row.signal is row.update is None
    assert (examined.gradient_images, examined.batch_size) == (40, 20)


def last_move(net, optimizer):
    """||dw|| / ||w|| of the step that is taken now, by layer."""
    before = {name: p.value.copy() for name, p in named_params(net).items()}
    optimizer.step()
    moved = {name: np.linalg.norm(p.value - before[name]) for name, p in named_params(net).items()}
    size = {name: np.linalg.norm(p.value) for name, p in named_params(net).items()}
    return {
        name.rpartition(".")[0]: moved[name] / size[name] for name in moved if before[name].ndim > 1
    }


@pytest.mark.parametrize(
    "make",
    [
        lambda net: optim.Adam(net.params(), 1e-3),
        lambda net: optim.SGD(net.params(), 1e-2, momentum=0.9),
        lambda net: optim.Muon(net.params(), 1e-2, rest_momentum=0.0),
        lambda net: optim.EMA(optim.Adam(net.params(), 1e-3), net, 0.9),
    ],
)
def test_the_update_ratio_is_that_of_the_step_that_was_taken(make):
    net = small("alexnet", dropout=0)
    optimizer = make(net)
    for i in range(5):
        optimizer.zero_grad()
        s, cache = net.forward(X[16 * i : 16 * i + 16], train=True)
        net.backward(ops.softmax_cross_entropy(s, Y[16 * i : 16 * i + 16])[1], cache)
        taken = last_move(net, optimizer)
    found = ratios(net, Steps.of(net, optimizer), optimizer.lr)
    assert found.keys() == taken.keys()
    for path in taken:
        loose = "Muon" in optimizer.title and path in (
            "1",
            "4",
        )  # Nesterov's look ahead is left out
        assert found[path] == pytest.approx(taken[path], rel=0.25 if loose else 1e-2)


def test_a_checkpoint_gives_the_same_steps_as_the_optimiser(tmp_path):
    net = small()
    optimizer = optim.EMA(optim.Adam(net.params(), 1e-3), net, 0.9)
    fit(net, X, Y, optimizer=optimizer)
    checkpoint.save(tmp_path / "a.npz", net, optimizer)
    stored = Steps.stored(*checkpoint.read(tmp_path / "a.npz"))
    assert ratios(net, stored, 1.0) == ratios(net, Steps.of(net, optimizer), 1.0)
    assert "in the file" in stored.rule
    checkpoint.save(tmp_path / "a.npz", net)
    assert Steps.stored(*checkpoint.read(tmp_path / "a.npz")) is None


def test_without_a_state_adam_is_fed_and_the_rule_says_so():
    examined = examine(small(), X, Y, gradient_images=64, batch_size=16)
    assert examined.rule == "Adam's step after 4 batches of 16, without an earlier state"
    assert examined.lr == 1e-3
    untouched = optim.Adam(small().params(), 5e-4)
    assert examine(small(), X, Y, steps=Steps.of(small(), untouched)).lr == 5e-4
    update = {row.path: row.update for row in examined.layers if row.update is not None}
    assert update.keys() == {"1", "6", "11"}
    twice = {
        row.path: row.update
        for row in examine(small(), X, Y, lr=2e-3, gradient_images=64, batch_size=16).layers
    }
    assert all(twice[path] == pytest.approx(2 * update[path]) for path in update)


def test_a_state_of_another_network_is_refused():
    other = small("alexnet", hidden=(16, 13))
    optimizer = optim.Adam(other.params(), 1e-3)
    fit(other, X, Y, optimizer=optimizer)
    with pytest.raises(CheckpointError, match="shape"):
        examine(small("alexnet"), X, Y, steps=Steps.of(other, optimizer))


def test_nothing_in_the_network_changes():
    net = small()
    before, states = arrays(net), {k: g.bit_generator.state for k, g in generators(net).items()}
    examine(net, X, Y)
    assert same(arrays(net), before)
    assert {k: g.bit_generator.state for k, g in generators(net).items()} == states
    assert all(p.grad is None for p in net.params())
    assert named_buffers(net).keys() == named_buffers(small()).keys()


def test_few_images_and_one():
    examined = examine(small("alexnet"), X[:3], Y[:3])
    assert (examined.gradient_images, examined.batch_size, examined.images) == (3, 3, 3)
    assert examine(small("alexnet"), X[:1], Y[:1]).images == 1


@pytest.mark.parametrize(
    ("net", "error", "message"),
    [
        (lambda: layers.fuse(small()), ValueError, "fuse"),
        (
            lambda: layers.Sequential(layers.Standardize(), layers.Conv2D(1, 4, 3)),
            ShapeError,
            "logits",
        ),
        (lambda: small(input_shape=(12, 12, 3)), ShapeError, "channels"),
    ],
)
def test_what_is_no_classifier_of_these_images_is_refused(net, error, message):
    with pytest.raises(error, match=message):
        examine(net(), X, Y)

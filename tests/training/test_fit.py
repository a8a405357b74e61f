"""fit: losses pinned and compared with a plain loop, and what each of its settings does."""

import functools

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import layers, ops
from numpycnn.layers.traverse import named_params
from numpycnn.training import loop
from tests.helpers import arrays, fit, pictures, same, small

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")


# They move when initialisation, order, augmentation or dropout draw other random numbers; by
# rounding, not.
FIRST_LOSSES = {
    "vgg": [1.87, 1.87028, 1.25773, 1.57013, 1.24246, 1.49649, 1.57765, 1.21496, 1.16941, 1.21286],
    "alexnet": [
        5.83234,
        7.59069,
        6.16192,
        5.43938,
        3.32166,
        1.22272,
        1.17784,
        1.8964,
        1.8689,
        1.44127,
    ],
}


@pytest.mark.parametrize("name", FIRST_LOSSES)
def test_first_ten_losses_are_pinned(name, steps, each_backend):
    x, y = pictures(40, size=28)
    larger = (
        {"filters": (16, 24, 32), "depth": 2, "dropout": (0.1, 0.2, 0.3)} if name == "vgg" else {}
    )
    net = small(name, input_shape=(28, 28, 1), **larger)
    fit(
        net,
        x,
        y,
        batch_size=8,
        schedule="one_cycle",
        lr=0.002,
        augment=nc.data.augment.horizontal_flip,
    )
    np.testing.assert_allclose(steps, FIRST_LOSSES[name], rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "arguments", "settings", "least"),
    [
        (
            "vgg",
            {"filters": (12, 24, 32), "depth": 1, "dropout": (0, 0, 0.1)},
            {"batch_size": 64, "lr": 0.03},
            0.9,
        ),
        (
            "alexnet",
            {"filters": (8, 16), "dropout": 0, "hidden": (64,)},
            {"batch_size": 128, "lr": 0.006},
            0.85,
        ),
    ],
)
def test_a_short_run_reaches_an_accuracy(name, arguments, settings, least):
    data = nc.data.load("synthetic")
    net = nc.models.build(name, mean=data.mean, std=data.std, **arguments)
    fit(net, data.x_train[:4000], data.y_train[:4000], schedule="one_cycle", epochs=5, **settings)
    assert nc.evaluate(net, data.x_test, data.y_test)["accuracy"] > least


@pytest.mark.parametrize("loss", [{}, {"label_smoothing": 0.1, "class_weight": [1, 2, 3, 4]}])
def test_a_plain_loop_over_the_unfused_network_gives_the_same_losses(steps, each_backend, loss):
    x, y = pictures(64)
    net, plain = small(seed=3), small(seed=3)
    fit(net, x, y, lr=0.003, **loss)
    optimizer, losses = nc.optim.Adam(plain.params(), 0.003), []
    for epoch in range(2):
        for xb, yb in nc.data.batches(x, y, 16, seed=0, epoch=epoch):
            optimizer.zero_grad()
            logits, cache = plain.forward(xb, train=True)
            value, dlogits = ops.softmax_cross_entropy(logits, yb, **loss)
            plain.backward(dlogits, cache)
            optimizer.step()
            losses.append(value)
    assert any(type(layer) is layers.ConvBNReLU for layer in layers.fuse(net).layers)
    np.testing.assert_allclose(steps, losses, rtol=1e-3)


def test_a_smaller_last_batch_counts_for_what_it_is():
    x, y = pictures(21)
    net = small(dropout=(0, 0))
    before = small(dropout=(0, 0))
    history = fit(
        net, x, y, epochs=1, lr=0.0
    )  # weights stay, so that each batch can be computed again
    order = list(nc.data.batches(x, y, 16, seed=0, epoch=0))
    assert [len(yb) for _, yb in order] == [16, 5]
    outputs = [(before.forward(xb, train=True)[0].astype(float), yb) for xb, yb in order]
    rows = [np.log(np.exp(s).sum(1)) - s[np.arange(len(yb)), yb] for s, yb in outputs]
    assert history["loss"][0] == pytest.approx(np.concatenate(rows).mean(), rel=1e-5)
    right = sum(int((s.argmax(1) == yb).sum()) for s, yb in outputs)
    assert history["accuracy"][0] == pytest.approx(right / 21)


def test_history_has_a_value_an_epoch_under_each_key():
    x, y = pictures(40)
    history = fit(small(), x[:32], y[:32], validation=(x[32:], y[32:]), schedule="cosine", lr=0.01)
    assert list(history) == ["loss", "accuracy", "val_loss", "val_accuracy", "lr", "seconds"]
    assert all(len(values) == 2 and np.isfinite(values).all() for values in history.values())
    assert history["lr"] == pytest.approx(
        [0.01 * (1 + np.cos(np.pi * t)) / 2 for t in (1 / 4, 3 / 4)]
    )
    assert min(history["seconds"]) > 0
    without = fit(small(), x, y, epochs=1)
    assert np.isnan(without["val_loss"] + without["val_accuracy"]).all()


def test_uint8_is_the_same_as_its_share_of_255():
    x, y = pictures(32)
    a, b = small(), small()
    ha, hb = fit(a, x, y), fit(b, (x / 255).astype(np.float32), y)
    np.testing.assert_allclose(ha["loss"], hb["loss"], rtol=1e-4)


def test_float64_images_are_cast_to_the_network():
    x, y = pictures(32)
    net, cast = small(), small()
    fit(net, x / 255, y)
    fit(cast, (x / 255).astype(np.float32), y)
    assert same(arrays(net), arrays(cast))
    assert nc.predict(net, x / 255).dtype == np.float32


def test_a_seed_fixes_the_run_on_any_number_of_threads():
    x, y = pictures(48)
    found = []
    before = nc.backend.threads()
    try:
        for threads in (1, 2, 4):
            nc.use(nc.backend.backend(), threads)
            net = small()
            fit(net, x, y)
            found.append(arrays(net))
    finally:
        nc.use(nc.backend.backend(), before)
    assert same(found[0], found[1])
    assert same(found[0], found[2])


def test_one_class_only_trains():
    x, _ = pictures(32)
    net = small()
    fit(net, x, np.zeros(32, int), lr=0.01, epochs=20)
    with pytest.warns(UserWarning, match="class"):
        assert nc.evaluate(net, x, np.zeros(32, int))["accuracy"] == 1


def test_the_optimiser_has_its_learning_rate_back():
    x, y = pictures(32)
    net = small()
    optimizer = nc.optim.SGD(net.params(), 0.1)
    assert fit(net, x, y, optimizer=optimizer, schedule="cosine")["lr"][-1] < 0.05
    assert optimizer.lr == 0.1


def test_phases_of_augmentation_follow_the_share_of_the_epochs():
    x, y = pictures(32)
    seen = []

    def noting(name):
        return lambda xb, rng: (seen.append(name), xb)[1]

    phases = [(0.25, noting("a")), (0.6, noting("b")), (1.0, noting("c"))]
    fit(small(), x, y, epochs=5, batch_size=32, augment=phases)
    assert seen == ["a", "a", "b", "c", "c"]  # at shares 0, 0.2, 0.4, 0.6, 0.8
    plain = fit(small(), x, y, augment=nc.data.augment.horizontal_flip)
    assert (
        fit(small(), x, y, augment=[(1.0, nc.data.augment.horizontal_flip)])["loss"]
        == plain["loss"]
    )


def test_images_may_be_small_at_first():
    x, y = pictures(64)
    small_first = [(0.5, functools.partial(nc.data.augment.shrink, size=8)), (1.0, None)]
    history = fit(small(), x, y, epochs=8, lr=0.01, augment=small_first)
    assert history["loss"][-1] < history["loss"][0]


def test_the_average_is_validated_and_is_what_the_network_holds_in_the_end(tmp_path, steps):
    """A plain run has the same losses; its weights, averaged by hand, are the network's."""
    (x, y), held = pictures(48), pictures(12, 5)
    plain, net = small(), small()
    average = arrays(plain)

    def follow():
        d = min(0.8, (1 + len(steps)) / (10 + len(steps)))
        for name, value in arrays(plain).items():
            average[name] += value.dtype.type(1 - d) * (value - average[name])

    steps.at = dict.fromkeys(range(1, 7), follow)
    losses = fit(plain, x, y)["loss"]
    steps.at = {}
    history = fit(net, x, y, ema=0.8, validation=held, out=tmp_path)
    assert history["loss"] == losses
    assert not same(arrays(net), arrays(plain))
    assert same(arrays(net), average)
    assert history["val_accuracy"][-1] == nc.evaluate(net, *held)["accuracy"]
    assert history["val_loss"][-1] == nc.evaluate(net, *held)["loss"]
    for name in (
        ("last.npz", "best.npz")
        if history["val_accuracy"][1] > history["val_accuracy"][0]
        else ("last.npz",)
    ):
        assert same(arrays(nc.load(tmp_path / name)), average)


def test_patience_ends_training_when_validation_has_not_improved(monkeypatch, tmp_path):
    x, y = pictures(32)
    scores = [0.5, 0.6, 0.6, 0.55, 0.7]
    left = iter(scores)
    monkeypatch.setattr(loop, "score", lambda *_: (1.0, next(left)))
    history = fit(small(), x, y, epochs=9, validation=(x, y), patience=2, out=tmp_path)
    assert history["val_accuracy"] == scores[:4]
    again = fit(small(), x, y, epochs=9, validation=(x, y), patience=2, out=tmp_path, resume=True)
    assert again["val_accuracy"] == scores[:4]


def test_clip_bounds_the_gradient_of_every_step():
    x, y = pictures(32)
    plain, clipped, free = small(), small(), small()
    before = arrays(plain)
    for net, clip in ((plain, None), (clipped, 1e-3), (free, 1e9)):
        fit(
            net, x, y, epochs=1, batch_size=32, optimizer=nc.optim.SGD(net.params(), 1.0), clip=clip
        )
    assert same(arrays(free), arrays(plain))
    moved = sum(((p.value - before[k]) ** 2).sum() for k, p in named_params(clipped).items()) ** 0.5
    assert moved == pytest.approx(1e-3, rel=1e-3)

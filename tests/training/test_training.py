"""fit, evaluate, predict: numbers pinned and compared with hand computation, resuming to the same bits, refusals."""

import csv
import functools
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import layers, ops, optim, schedule
from numpycnn.data import augment
from numpycnn.errors import (
    CheckpointError,
    RunFolderError,
    ShapeError,
    TrainingDiverged,
    UnknownNameError,
)
from numpycnn.layers.traverse import generators, named_buffers, named_params
from numpycnn.training import checkpoint, loop
from numpycnn.training.run import Run

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")
# They move when initialisation, order, augmentation or dropout draw other random numbers; by rounding, not.
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


def pictures(n, seed=0, size=12):
    """n noisy grey images of four classes: the place of a brighter bar."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % 4)
    x = rng.integers(0, 120, (n, size, size, 1)).astype(np.uint8)
    for image, label in zip(x, y, strict=True):
        image[size // 4 * label : size // 4 * (label + 1)] += 60
    return x, y


def small(name="vgg", seed=0, **arguments):
    forms = {
        "vgg": {"filters": (8, 12), "depth": 1, "dropout": (0.1, 0.2)},
        "alexnet": {"filters": (4, 8), "kernel_size": 3, "hidden": (16, 12), "dropout": 0.3},
    }
    common = {"classes": 4, "input_shape": (12, 12, 1), "mean": 0.3, "std": 0.2}
    return nc.models.build(name, seed, **{**common, **forms[name], **arguments})


def fit(net, x, y, **settings):
    return loop.fit(net, x, y, **{"batch_size": 16, "epochs": 2, "progress": False, **settings})


def arrays(net):
    return {k: p.value.copy() for k, p in named_params(net).items()} | {
        k: b.copy() for k, b in named_buffers(net).items()
    }


def same(a, b):
    return a.keys() == b.keys() and all(a[k].tobytes() == b[k].tobytes() for k in a)


@pytest.fixture
def steps(monkeypatch):
    """The loss of every step that fit makes, as a list; `steps.at[k] = function` is called after the k-th."""

    class Steps(list):
        """A list that can have attributes."""

    seen, end_step = Steps(), Run.end_step
    seen.at = {}

    def spy(run, loss, *args):
        end_step(run, loss, *args)
        seen.append(loss)
        seen.at.get(len(seen), lambda: None)()

    monkeypatch.setattr(Run, "end_step", spy)
    return seen


# ---- the numbers ------------------------------------------------------------------------------


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
    """A plain run beside it has the same losses; its weights, averaged by hand, are the network's."""
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


# ---- stopping and resuming --------------------------------------------------------------------


def settings():
    augment = nc.data.augment.compose(nc.data.augment.horizontal_flip, nc.data.augment.random_crop)
    return {
        "schedule": "one_cycle",
        "augment": augment,
        "validation": pictures(12, 5),
        "epochs": 3,
        "lr": 0.01,
    }


def state(folder):
    """All that the last checkpoint holds, apart from the seconds."""
    metadata, stored = checkpoint.read(folder / "last.npz")
    fitted = metadata["fit"]
    del fitted["history"]["seconds"], fitted["running"]["seconds"]
    return repr((metadata["optimizer"], metadata["random"], fitted)), {
        k: v.tobytes() for k, v in stored.items()
    }


def rows(folder):
    with open(folder / "history.csv", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


@pytest.mark.parametrize(("name", "ema"), [("vgg", None), ("vgg", 0.9), ("alexnet", None)])
def test_stopped_anywhere_and_resumed_to_the_same_bits(name, ema, steps, tmp_path):
    x, y = pictures(42)  # three steps an epoch, the last one smaller
    whole = small(name)
    fit(whole, x, y, out=tmp_path / "whole", ema=ema, **settings())
    random = np.random.default_rng()
    for k in sorted({1, 3, 9, int(random.integers(2, 9))}):
        steps.clear()
        steps.at = {k: lambda: signal.raise_signal(signal.SIGINT)}
        out = tmp_path / f"stopped {k}"
        with pytest.raises(KeyboardInterrupt, match="stopped"):
            fit(small(name), x, y, out=out, ema=ema, **settings())
        assert len(steps) == k
        net = small(name, seed=99)  # its own weights must not matter
        history = fit(net, x, y, out=out, resume=True, ema=ema, **settings())
        assert len(steps) == 9
        assert same(arrays(net), arrays(whole))
        assert state(out) == state(tmp_path / "whole")
        assert rows(out) == rows(tmp_path / "whole")
        assert history.epochs == 3
        assert {k: str(g.bit_generator.state) for k, g in generators(net).items()} == {
            k: str(g.bit_generator.state) for k, g in generators(whole).items()
        }


def test_stopped_in_validation_after_a_finished_epoch(monkeypatch, tmp_path):
    x, y = pictures(32)
    whole, net, stopped = small(), small(), []
    fit(whole, x, y, out=tmp_path / "whole", **settings())
    score = loop.score

    def stop_once(*args):
        if not stopped:
            stopped.append(signal.raise_signal(signal.SIGTERM))
        return score(*args)

    monkeypatch.setattr(loop, "score", stop_once)
    with pytest.raises(KeyboardInterrupt) as caught:
        fit(net, x, y, out=tmp_path / "a", **settings())
    assert caught.value.signum == signal.SIGTERM
    assert len(rows(tmp_path / "a")) == 1
    fit(net, x, y, out=tmp_path / "a", resume=True, **settings())
    assert state(tmp_path / "a") == state(tmp_path / "whole")


def test_a_stop_in_the_last_validation_is_heard(monkeypatch, tmp_path):
    x, y = pictures(32)
    score = loop.score
    monkeypatch.setattr(
        loop, "score", lambda *a: (signal.raise_signal(signal.SIGINT), score(*a))[1]
    )
    with pytest.raises(KeyboardInterrupt):
        fit(small(), x, y, out=tmp_path, epochs=1, validation=(x, y))
    monkeypatch.undo()
    history = fit(
        small(), x, y, out=tmp_path, epochs=1, validation=(x, y), resume=True
    )  # complete already
    assert history.epochs == 1


def test_the_second_interrupt_does_not_wait(monkeypatch, tmp_path):
    x, y = pictures(32)
    after = []

    def twice(net, x, y, *_):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        after.append("the step went on")

    monkeypatch.setattr(Run, "end_step", twice)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(small(), x, y, out=tmp_path)
    assert not after
    assert signal.getsignal(signal.SIGINT) is before


def test_in_another_thread_fit_leaves_signals_alone():
    x, y = pictures(16)
    found = []
    thread = threading.Thread(target=lambda: found.append(fit(small(), x, y, epochs=1).epochs))
    thread.start()
    thread.join()
    assert found == [1]


def test_resume_needs_the_same_run(tmp_path):
    x, y = pictures(32)
    with pytest.raises(RunFolderError, match=r"no last\.npz"):
        fit(small(), x, y, out=tmp_path, resume=True)
    with pytest.raises(RunFolderError, match="resume needs out"):
        fit(small(), x, y, resume=True)
    assert not list(tmp_path.iterdir())
    fit(small(), x, y, out=tmp_path)
    kept = state(tmp_path)
    other = x.copy()
    other[3, 2, 1, 0] ^= 1
    changed = [{"epochs": 3}, {"lr": 0.5}, {"seed": 1}, {"batch_size": 8}, {"schedule": "cosine"}]
    changed += [
        {"label_smoothing": 0.1},
        {"class_weight": [1, 2, 3, 4]},
        {"x": other},
        {"validation": (x, y)},
    ]
    for change in changed:
        net = small()
        before = arrays(net)
        with pytest.raises(CheckpointError, match="was trained with"):
            fit(net, change.pop("x", x), y, out=tmp_path, resume=True, **change)
        assert same(arrays(net), before)
    with pytest.raises(CheckpointError):
        fit(small(filters=(8, 8)), x, y, out=tmp_path, resume=True)
    assert state(tmp_path) == kept
    net = small()
    nc.save(tmp_path / "last.npz", net)
    with pytest.raises(CheckpointError, match="not written by fit"):
        fit(net, x, y, out=tmp_path, resume=True)


def crop(pad):
    return functools.partial(augment.random_crop, pad=pad)


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        ({"optimizer": lambda net: optim.SGD(net.params(), 0.1, momentum=0.9)},
         {"optimizer": lambda net: optim.SGD(net.params(), 0.1, momentum=0.5)}, "optimizer"),
        ({"optimizer": lambda net: optim.Adam(net.params(), weight_decay=0.1), "ema": 0.9},
         {"optimizer": lambda net: optim.Adam(net.params(), weight_decay=0.2), "ema": 0.9}, "optimizer"),
        ({"augment": crop(2)}, {"augment": crop(1)}, "augment"),
        ({"augment": augment.compose(augment.horizontal_flip)},
         {"augment": augment.compose(augment.horizontal_flip, crop(2))}, "augment"),
        ({"schedule": schedule.one_cycle(0.3)}, {"schedule": schedule.one_cycle(0.1)}, "schedule from 0 to 1"),
    ],
)  # fmt: skip
def test_resume_needs_the_same_settings_of_what_it_is_given(first, second, named, tmp_path):
    x, y = pictures(32)
    made = [
        {**given, "optimizer": given.get("optimizer", lambda net: None)}
        for given in (first, second)
    ]

    def run(given, **more):
        net = small()
        return fit(
            net,
            x,
            y,
            out=tmp_path,
            epochs=2,
            **{**given, "optimizer": given["optimizer"](net)},
            **more,
        )

    run(made[0])
    with pytest.raises(CheckpointError, match=f"was trained with {named}"):
        run(made[1], resume=True)
    assert run(made[0], resume=True).epochs == 2


def test_a_new_run_sets_the_older_one_aside(tmp_path):
    x, y = pictures(32)
    first = fit(small(), x, y, out=tmp_path)
    (tmp_path / "report.html").write_text("of the first run")
    (tmp_path / "notes.txt").write_text("mine")
    kept = state(tmp_path)
    seen = []

    def look(xb, rng):
        seen.append(sorted(path.name for path in tmp_path.iterdir()))
        return xb

    fit(small(seed=1), x, y, out=tmp_path, epochs=1, augment=look)
    assert seen[0] == [
        "last.npz",
        "notes.txt",
        "previous-1",
    ]  # nothing stale, from the first step on
    assert state(tmp_path / "previous-1") == kept
    assert (tmp_path / "previous-1" / "report.html").exists()
    assert len(rows(tmp_path / "previous-1")) == first.epochs == 2
    fit(small(), x, y, out=tmp_path, epochs=1)
    assert (tmp_path / "previous-2" / "best.npz").exists()


def test_history_csv_has_a_row_at_the_end_of_each_epoch(tmp_path):
    x, y = pictures(32)
    seen = []

    def look(xb, rng):
        path = tmp_path / "history.csv"
        seen.append(path.read_text().count("\n") - 1 if path.exists() else 0)
        return xb

    history = fit(small(), x, y, out=tmp_path, epochs=3, augment=look)
    assert seen == [0, 0, 1, 1, 2, 2]
    found = rows(tmp_path)
    assert [int(row["epoch"]) for row in found] == [1, 2, 3]
    assert [float(row["loss"]) for row in found] == history["loss"]


def test_best_is_the_best_by_validation_and_last_the_last(tmp_path, monkeypatch):
    x, y = pictures(32)
    scores = iter([(1.0, 0.5), (0.9, 0.75), (0.5, 0.75), (0.8, 0.25)])
    monkeypatch.setattr(loop, "score", lambda *_: next(scores))
    fit(small(), x, y, out=tmp_path, epochs=4, validation=(x, y))
    epochs = {
        n: len(checkpoint.read(tmp_path / n)[0]["fit"]["history"]["loss"])
        for n in ("best.npz", "last.npz")
    }
    assert epochs == {"best.npz": 2, "last.npz": 4}


# ---- divergence -------------------------------------------------------------------------------


def poisoned(net, at, value=np.nan):
    """An augmentation that spoils a weight when the batch `at` is drawn."""
    drawn = []

    def augment(xb, rng):
        drawn.append(1)
        if len(drawn) == at:
            next(net.params()).value[...] = value
        return xb

    return augment


def test_divergence_keeps_the_last_good_checkpoint(tmp_path, each_backend):
    x, y = pictures(48)
    net = small()
    with pytest.raises(TrainingDiverged, match=r"epoch 2, step 2, at lr 0\.02") as caught:
        fit(net, x, y, out=tmp_path, lr=0.02, augment=poisoned(net, 5))
    assert (caught.value.epoch, caught.value.step, caught.value.lr) == (2, 2, 0.02)
    assert isinstance(caught.value, ValueError)
    for name in ("last.npz", "best.npz"):
        kept = nc.load(tmp_path / name)
        assert all(np.isfinite(array).all() for array in arrays(kept).values())
    assert len(rows(tmp_path)) == 1


def test_a_learning_rate_that_is_far_too_large_diverges(tmp_path):
    x, y = pictures(48)
    net = small("alexnet")
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged):
        fit(net, x, y, out=tmp_path, epochs=20, optimizer=nc.optim.SGD(net.params(), 1e18))
    assert all(
        np.isfinite(array).all() for array in arrays(nc.load(tmp_path / "last.npz")).values()
    )


@pytest.mark.parametrize("stop", [True, False])
def test_weights_that_are_not_finite_are_never_saved(stop, steps, tmp_path):
    """The loss of the last step before is finite still: at the end of an epoch, and when the run is stopped."""
    x, y = pictures(48)
    net = small()

    def spoil():
        next(net.params()).value[...] = np.inf
        if stop:
            signal.raise_signal(signal.SIGINT)

    steps.at = {6 if not stop else 5: spoil}
    with pytest.raises(TrainingDiverged):
        fit(net, x, y, out=tmp_path)
    for path in tmp_path.glob("*.npz"):
        assert all(np.isfinite(array).all() for array in arrays(nc.load(path)).values())
    assert len(rows(tmp_path)) == 1


# ---- refusals ---------------------------------------------------------------------------------


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


def test_labels_may_lie_apart_in_memory(tmp_path):
    x, y = pictures(32)
    apart = np.repeat(y.astype(np.int64), 2)[::2]
    assert not apart.flags.contiguous
    assert fit(small(), x, apart, out=tmp_path)["loss"] == fit(small(), x, y)["loss"]


# ---- in a process of its own --------------------------------------------------------------------

SCRIPT = """
import sys
import numpycnn as nc
from tests.training.test_training import pictures, small
x, y = pictures(64)
print("start", flush=True)
nc.fit(small(), x, y, epochs=100000, out=sys.argv[1])
"""


@pytest.mark.parametrize(("signum", "optimized"), [(signal.SIGINT, False), (signal.SIGTERM, True)])
def test_a_signal_ends_a_users_own_script(signum, optimized, tmp_path):
    command = [sys.executable, *(["-O"] if optimized else []), "-c", SCRIPT, str(tmp_path)]
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        for line in process.stderr:
            if line.startswith("epoch"):
                break
        process.send_signal(signum)
        text = process.stderr.read()
    assert "resume=True, fit continues from" in text
    assert process.returncode != 0
    assert checkpoint.read(tmp_path / "last.npz")[0]["fit"]["history"]["loss"]

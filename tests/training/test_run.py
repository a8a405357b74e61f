"""A run's folder: older runs set aside, a row an epoch, best and last; only finite weights."""

import signal

import numpy as np
import pytest

import numpycnn as nc
from numpycnn.errors import (
    TrainingDiverged,
)
from numpycnn.training import checkpoint, loop
from tests.helpers import arrays, fit, pictures, rows, small, state

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")


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
        ".lock",
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
    scores = iter([(1.0, 0.5), (0.9, 0.75), (0.9, 0.75), (0.1, 0.25)])
    monkeypatch.setattr(loop, "score", lambda *_: next(scores))
    fit(small(), x, y, out=tmp_path, epochs=4, validation=(x, y))
    epochs = {
        n: len(checkpoint.read(tmp_path / n)[0]["fit"]["history"]["loss"])
        for n in ("best.npz", "last.npz")
    }
    assert epochs == {"best.npz": 2, "last.npz": 4}


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([(1.0, 0.5), (0.9, 0.75), (0.5, 0.75)], 3),  # a tie: the lower loss
        ([(0.5, 0.75), (0.9, 0.75), (0.4, 0.5)], 1),
        ([(0.5, 0.75), (0.5, 0.75)], 1),  # the first of equals
        ([(0.5, 0.25), (float("nan"), 0.5)], 2),
    ],
)
def test_of_equal_accuracies_the_lower_loss_is_best(scores, best, tmp_path, monkeypatch):
    x, y = pictures(32)
    left = iter(scores)
    monkeypatch.setattr(loop, "score", lambda *_: next(left))
    history = fit(small(), x, y, out=tmp_path, epochs=len(scores), validation=(x, y))
    saved = checkpoint.read(tmp_path / "best.npz")[0]["fit"]["history"]["loss"]
    assert len(saved) == history.best() + 1 == best


def test_without_validation_the_lowest_training_loss_is_best():
    history = loop.History()
    for loss in (2.0, 1.0, 1.5):
        nan = {"val_loss": np.nan, "val_accuracy": np.nan}
        history.add(loss=loss, accuracy=0.5, lr=0.1, seconds=1, **nan)
    assert history.best() == 1


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


@pytest.mark.parametrize("lr", [1e30, 1e9, 1e5])
def test_a_loss_far_above_guessing_is_divergence(lr):
    x, y = pictures(48)
    with np.errstate(all="ignore"), pytest.raises(TrainingDiverged, match="the loss is"):
        fit(small(), x, y, lr=lr, optimizer="sgd", epochs=3)


def test_a_bad_start_is_no_divergence():
    x, y = pictures(48)
    net = small()
    list(net.params())[-2].value *= 1e5
    assert min(fit(net, x, y, lr=1e-6)["loss"]) > 1e4


def test_a_bad_start_that_recovers_is_none():
    x, y = pictures(48)
    net = small()
    list(net.params())[-2].value *= 300  # logits of some hundreds, wrong ones
    history = fit(net, x, y, epochs=40, lr=0.3)
    assert history["loss"][0] > 100 > 10 > history["loss"][-1]


@pytest.mark.parametrize("stop", [True, False])
def test_weights_that_are_not_finite_are_never_saved(stop, steps, tmp_path):
    """The loss of the step before is still finite: at an epoch's end, and when stopped."""
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

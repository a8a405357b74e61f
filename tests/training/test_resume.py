"""Training that was stopped goes on to the same bits, with the same data and settings only."""

import functools
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import optim, schedule
from numpycnn.data import augment
from numpycnn.errors import (
    CheckpointError,
    RunFolderError,
)
from numpycnn.layers.traverse import generators
from numpycnn.training import checkpoint, loop, npz
from numpycnn.training.run import FitRun
from tests.helpers import arrays, fit, pictures, rows, same, settings, small, state

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")


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

    monkeypatch.setattr(FitRun, "end_step", twice)
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
    changed = [{"lr": 0.5}, {"seed": 1}, {"batch_size": 8}, {"schedule": "cosine"}]
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


@pytest.mark.parametrize("first", [1, 2, 3])
def test_more_epochs_at_a_constant_rate_are_a_longer_run(first, tmp_path):
    x, y = pictures(40)
    given = {**settings(), "schedule": "constant", "out": tmp_path / "whole"}
    del given["epochs"]
    fit(small(), x, y, epochs=4, **given)
    given["out"] = tmp_path / "longer"
    fit(small(), x, y, epochs=first, **given)
    history = fit(small(seed=5), x, y, epochs=4, resume=True, **given)
    assert history.epochs == 4
    assert state(tmp_path / "longer") == state(tmp_path / "whole")
    assert rows(tmp_path / "longer") == rows(tmp_path / "whole")


flip = augment.horizontal_flip


@pytest.mark.parametrize(
    ("given", "asked", "why"),
    [
        ({"schedule": "one_cycle"}, 4, "its schedule one_cycle was laid out for 2 epochs"),
        ({"schedule": lambda t: 1 - t / 2}, 4, "other learning rates"),
        ({"schedule": "cosine"}, 1, "it has trained 2 epochs and 0 steps already"),
        ({}, 1, "it has trained 2 epochs and 0 steps already"),
        ({"augment": [(0.5, flip), (1.0, None)]}, 4, "phases of its augmentation"),
        ({"ema": 0.9}, 4, "averaged weights"),
        ({"epochs": 9, "patience": 1, "lr": 0.0}, 12, "patience=1 epochs, which ended it"),
    ],
)
def test_what_cannot_go_on_says_what_does(given, asked, why, tmp_path):
    x, y = pictures(32)
    given = {"out": tmp_path, "validation": (x, y), **given}
    fit(small(), x, y, **given)
    kept, net = state(tmp_path), small()
    before = arrays(net)
    with pytest.raises(CheckpointError, match=why) as caught:
        fit(net, x, y, resume=True, **{**given, "epochs": asked})
    assert "numpycnn.load(...)" in str(caught.value)
    assert same(arrays(net), before)
    assert state(tmp_path) == kept


@pytest.mark.parametrize("steps", [[augment.horizontal_flip], [(1.0, flip)], flip])
def test_one_augmentation_throughout_is_no_phase(steps, tmp_path):
    x, y = pictures(32)
    steps = augment.compose(*steps) if steps == [augment.horizontal_flip] else steps
    fit(small(), x, y, out=tmp_path, augment=steps)
    again = fit(small(), x, y, out=tmp_path, augment=steps, resume=True, epochs=3)
    assert again.epochs == 3


def crop(pad):
    return functools.partial(augment.random_crop, pad=pad)


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        ({"optimizer": lambda net: optim.SGD(net.params(), 0.1, momentum=0.9)},
         {"optimizer": lambda net: optim.SGD(net.params(), 0.1, momentum=0.5)}, "optimizer"),
        ({"optimizer": lambda net: optim.Adam(net.params(), weight_decay=0.1), "ema": 0.9},
         {"optimizer": lambda net: optim.Adam(net.params(), weight_decay=0.2), "ema": 0.9},
         "optimizer"),
        ({"augment": crop(2)}, {"augment": crop(1)}, "augment"),
        ({"augment": augment.compose(augment.horizontal_flip)},
         {"augment": augment.compose(augment.horizontal_flip, crop(2))}, "augment"),
        ({"schedule": schedule.one_cycle(0.3)}, {"schedule": schedule.one_cycle(0.1)},
         "schedule from 0 to 1"),
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


SCRIPT = """
import sys
import numpycnn as nc
from tests.helpers import pictures, small
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


def test_balanced_sampling_resumes_to_the_same_bits_and_with_itself_only(steps, tmp_path):
    x, y = pictures(42)
    kept = np.flatnonzero((y > 0) | (np.arange(42) < 8))  # few of class 0
    x, y = x[kept], y[kept]
    given = {"sampling": "balanced", **settings()}
    whole, net = small(), small(seed=99)
    fit(whole, x, y, out=tmp_path / "whole", **given)
    plain = small()
    fit(plain, x, y, out=tmp_path / "plain", **settings())
    assert not same(arrays(whole), arrays(plain))
    steps.clear()
    steps.at = {4: lambda: signal.raise_signal(signal.SIGINT)}
    with pytest.raises(KeyboardInterrupt, match="stopped"):
        fit(small(), x, y, out=tmp_path / "run", **given)
    fit(net, x, y, out=tmp_path / "run", resume=True, **given)
    assert same(arrays(net), arrays(whole))
    assert state(tmp_path / "run") == state(tmp_path / "whole")
    for out, changed in (("run", settings()), ("plain", given)):
        with pytest.raises(CheckpointError, match="sampling"):
            fit(small(), x, y, out=tmp_path / out, resume=True, **changed)


def test_a_run_that_knew_no_sampling_refuses_it(tmp_path):
    x, y = pictures(32)
    fit(small(), x, y, out=tmp_path, **settings())
    metadata, stored = checkpoint.read(tmp_path / "last.npz")
    del metadata["fit"]["settings"]["sampling"]  # as version 0.1 wrote it
    (tmp_path / "last.npz").write_bytes(npz.pack(stored, metadata))
    with pytest.raises(CheckpointError, match="sampling None, not balanced"):
        fit(small(), x, y, out=tmp_path, resume=True, sampling="balanced", **settings())
    fit(small(), x, y, out=tmp_path, resume=True, **settings())

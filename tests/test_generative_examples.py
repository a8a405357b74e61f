"""Each generative example, whole, on a handful of images: it runs, leaves its folder, resumes, and
is short.
"""

import ast
import contextlib
import json
import pathlib
import runpy
import signal
import subprocess
import sys

import numpy as np
import pytest

from numpycnn import data, errors, generative, models
from numpycnn.errors import CheckpointError, DatasetError, RunFolderError, UnknownNameError
from numpycnn.training.interrupt import Interrupted

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"
RUNS = [
    "autoencoder --latent 2",
    "denoising",
    "anomaly --classes 1 --latent 2",
    "vae --conditional",
    "vae --beta 0.5 --latent 1",
    "gan",
    "wgan --conditional",
    "wgan_gp --conditional",
]


@pytest.fixture
def few(tmp_path):
    """An .npz of synthetic garments: 40 of each of two classes to train on."""
    d = data.load("synthetic")
    train, test = (
        np.concatenate([np.flatnonzero(y == k)[:n] for k in (0, 1)])
        for y, n in ((d.y_train, 40), (d.y_test, 10))
    )
    path = tmp_path / "few.npz"
    np.savez(
        path,
        x_train=d.x_train[train],
        y_train=d.y_train[train],
        x_test=d.x_test[test],
        y_test=d.y_test[test],
    )
    return path


@pytest.fixture
def more(few):
    """Four times as many, so that an epoch has five batches: what a critic needs until the
    generator's turn comes.
    """
    with np.load(few) as kept:
        arrays = dict(kept)
    for name in ("x_train", "y_train"):
        arrays[name] = np.concatenate([arrays[name]] * 4)
    path = few.with_name("more.npz")
    np.savez(path, **arrays)
    return path


def run(name, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # it is as it was when the test is over
    return runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")


@pytest.mark.parametrize("command", RUNS)
def test_it_runs_and_resumes(command, few, more, tmp_path, monkeypatch, capsys):
    name, *options = command.split()
    given = [
        "--data",
        more if name.startswith("wgan") else few,
        "--epochs",
        "2",
        "--out",
        tmp_path / "run",
        *options,
    ]
    run(name, monkeypatch, *given)
    folder = tmp_path / "run" / "class-1" if name == "anomaly" else tmp_path / "run"
    assert {"last.npz", "history.csv", "curves.png", "epoch-001.png", "epoch-002.png"} <= {
        path.name for path in folder.iterdir()
    }
    first = json.loads((tmp_path / "run" / "result.json").read_text())
    run(name, monkeypatch, *given, "--resume")  # nothing is left to do: the same result
    assert (
        json.loads((tmp_path / "run" / "result.json").read_text()) | {"seconds": first["seconds"]}
        == first
    )
    assert "nan" not in capsys.readouterr().out
    noted = json.loads((folder / "result.json").read_text())["constants"]
    assert noted == constants_of(name)  # resume compares them


def constants_of(name):
    """{"LEARNING_RATE": 0.0002, ...}: the numbers in capitals on top of an example, in JSON's
    kinds.

    Without those that have settings of their own.
    """
    found = {}
    for node in ast.parse((EXAMPLES / f"{name}.py").read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "").isupper():
            with contextlib.suppress(ValueError):  # no literal
                found[node.targets[0].id] = ast.literal_eval(node.value)
    settings = ("EPOCHS", "BATCH_SIZE", "LATENT")
    return json.loads(json.dumps({k: v for k, v in found.items() if k not in settings}))


def test_an_edited_constant_is_noticed(few, tmp_path, monkeypatch):
    given = ["--data", few, "--epochs", "1", "--latent", "2", "--out", tmp_path / "run"]
    run("autoencoder", monkeypatch, *given)
    text = (EXAMPLES / "autoencoder.py").read_text()
    assert "LEARNING_RATE = 2e-3" in text
    edited = text.replace("LEARNING_RATE = 2e-3", "LEARNING_RATE = 3e-3")
    (tmp_path / "autoencoder.py").write_text(edited)
    monkeypatch.setattr(sys, "argv", ["autoencoder.py", *map(str, given), "--resume"])
    with pytest.raises(CheckpointError, match=r"constants .*0\.002.*, not .*0\.003"):
        runpy.run_path(str(tmp_path / "autoencoder.py"), run_name="__main__")


@pytest.mark.parametrize("name", ["wgan", "wgan_gp"])
def test_the_generator_has_its_turn(name, more, tmp_path, monkeypatch):
    """Its loss is in the history, it was stepped, and what is kept is no longer what training began
    with.
    """
    left = run(name, monkeypatch, "--data", more, "--epochs", "2", "--out", tmp_path / "run")
    steps = 2 * (5 // left["CRITIC_STEPS"])
    assert left["both"].generator.steps == steps
    assert left["both"].critic.steps == 10
    history = (tmp_path / "run" / "history.csv").read_text().splitlines()
    losses = [
        float(row.split(",")[history[0].split(",").index("generator")]) for row in history[1:]
    ]
    assert np.isfinite(losses).all()
    begun = models.build("gan", seed=0, latent=left["LATENT"], batch_norm=name == "wgan").generator
    assert any(
        (a.value != b.value).any()
        for a, b in zip(left["generator"].params(), begun.params(), strict=True)
    )


@pytest.mark.parametrize("name", ["wgan", "wgan_gp"])
def test_too_few_images_for_its_turn_are_refused(name, few, tmp_path, monkeypatch):
    with pytest.raises(DatasetError, match="80 images are 2 batches"):
        run(name, monkeypatch, "--data", few, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_examples_are_short():
    for name in {command.split()[0] for command in RUNS}:
        assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) <= 150


def test_what_is_refused_is_said_in_one_line(tmp_path):
    command = [
        sys.executable,
        str(EXAMPLES / "gan.py"),
        "--data",
        "synthetic",
        "--resume",
        "--out",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (
        done.stderr
        == f"there is no last.npz in {tmp_path} to resume from; train without --resume first\n"
    )


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_says_so_and_has_the_signals_exit_code(capsys, signum, code):
    with pytest.raises(SystemExit) as stop:
        errors.in_one_line(Interrupted, Interrupted(signum, "runs/gan"), None)
    assert stop.value.code == code
    assert capsys.readouterr().err == "stopped; --resume continues\n"


def test_impossible_arguments_are_refused(few, tmp_path, monkeypatch, capsys):
    given = ["--data", few, "--out", tmp_path / "run"]
    for option, least in (("epochs", 1), ("latent", 1), ("seed", 0)):
        for value in {least - 1, -1}:
            with pytest.raises(SystemExit):
                run("gan", monkeypatch, *given, f"--{option}={value}")
            assert f"--{option} must be at least {least}, not {value}" in capsys.readouterr().err
    for beta in ("0", "nan"):
        with pytest.raises(SystemExit):
            run("vae", monkeypatch, *given, "--beta", beta)
        assert "--beta must be a number above 0" in capsys.readouterr().err
    with pytest.raises(UnknownNameError, match="unknown class '7'"):
        run("anomaly", monkeypatch, *given, "--classes", "1,7")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "command", ["autoencoder", "denoising", "vae --conditional", "gan", "wgan", "wgan_gp"]
)
def test_images_of_another_size_and_in_colour(command, tmp_path, monkeypatch):
    rng, content = np.random.default_rng(0), {}
    for part, n in (("train", 900), ("test", 60)):
        content |= {
            f"x_{part}": rng.integers(0, 256, (n, 16, 24, 3), np.uint8),
            f"y_{part}": np.arange(n) % 3,
        }
    np.savez(tmp_path / "colour.npz", **content)
    name, *options = command.split()
    given = [
        "--data",
        tmp_path / "colour.npz",
        "--epochs",
        "1",
        "--out",
        tmp_path / "run",
        *options,
    ]
    run(name, monkeypatch, *given)
    assert (tmp_path / "run" / "last.npz").exists()


def test_a_class_that_cannot_be_judged_is_refused_before_training(tmp_path, monkeypatch):
    x = np.random.default_rng(0).integers(0, 256, (40, 28, 28, 1), np.uint8)
    for train, test in (
        (np.minimum(np.arange(40), 1), np.arange(40) % 2),
        (np.arange(40) % 2, np.zeros(40, int)),
    ):
        np.savez(tmp_path / "few.npz", x_train=x, y_train=train, x_test=x, y_test=test)
        with pytest.raises(DatasetError, match="class 0 needs 5 training images"):
            run("anomaly", monkeypatch, "--data", tmp_path / "few.npz", "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_runs_of_several_classes_do_not_settle_in_another_run(few, tmp_path, monkeypatch):
    """A class twice is one; an old mean goes when a new one begins.

    Another example's folder is left as it is.
    """
    given = ["--data", few, "--epochs", "1", "--latent", "2", "--out", tmp_path / "run"]
    run("anomaly", monkeypatch, *given, "--classes", "1,1")
    result = tmp_path / "run" / "result.json"
    assert list(json.loads(result.read_text())["classes"]) == ["1"]
    assert not list((tmp_path / "run" / "class-1").glob("previous-*"))
    with pytest.raises(CheckpointError, match="epochs"):
        run("anomaly", monkeypatch, *given, "--classes", "1", "--resume", "--epochs", "2")
    generative.parent(tmp_path / "run", keep=True)
    assert result.exists()
    generative.parent(tmp_path / "run")
    assert not result.exists()
    run("autoencoder", monkeypatch, *given[:-1], tmp_path / "other")
    before = sorted((path.name, path.stat().st_mtime_ns) for path in (tmp_path / "other").iterdir())
    with pytest.raises(RunFolderError, match="holds something else than runs"):
        run("anomaly", monkeypatch, *given[:-1], tmp_path / "other")
    assert (
        sorted((path.name, path.stat().st_mtime_ns) for path in (tmp_path / "other").iterdir())
        == before
    )

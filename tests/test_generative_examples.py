"""Each generative example, whole, on a handful of images: it runs, leaves its folder, resumes, and is short."""

import json
import pathlib
import runpy
import signal
import subprocess
import sys

import numpy as np
import pytest

from numpycnn import data, errors
from numpycnn.errors import UnknownNameError
from numpycnn.interrupt import Interrupted

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
        np.concatenate([np.flatnonzero(y == k)[:n] for k in (0, 1)]) for y, n in ((d.y_train, 40), (d.y_test, 10))
    )
    path = tmp_path / "few.npz"
    np.savez(path, x_train=d.x_train[train], y_train=d.y_train[train], x_test=d.x_test[test], y_test=d.y_test[test])
    return path


def run(name, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # it is as it was when the test is over
    return runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")


@pytest.mark.parametrize("command", RUNS)
def test_it_runs_and_resumes(command, few, tmp_path, monkeypatch, capsys):
    name, *options = command.split()
    given = ["--data", few, "--epochs", "2", "--out", tmp_path / "run", *options]
    run(name, monkeypatch, *given)
    folder = tmp_path / "run" / "class-1" if name == "anomaly" else tmp_path / "run"
    assert {"last.npz", "history.csv", "curves.png", "epoch-001.png", "epoch-002.png"} <= {
        path.name for path in folder.iterdir()
    }
    first = json.loads((tmp_path / "run" / "result.json").read_text())
    run(name, monkeypatch, *given, "--resume")  # nothing is left to do: the same result
    assert json.loads((tmp_path / "run" / "result.json").read_text()) | {"seconds": first["seconds"]} == first
    assert "nan" not in capsys.readouterr().out
    assert json.loads((folder / "result.json").read_text())["constants"]["LEARNING_RATE"] > 0  # resume compares them


def test_the_examples_are_short():
    for name in {command.split()[0] for command in RUNS}:
        assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) <= 150


def test_what_is_refused_is_said_in_one_line(tmp_path):
    command = [sys.executable, str(EXAMPLES / "gan.py"), "--data", "synthetic", "--resume", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"there is no last.npz in {tmp_path} to resume from; train without --resume first\n"


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_says_so_and_has_the_signals_exit_code(capsys, signum, code):
    with pytest.raises(SystemExit) as stop:
        errors.in_one_line(Interrupted, Interrupted(signum, "runs/gan"), None)
    assert stop.value.code == code
    assert capsys.readouterr().err == "stopped; --resume continues\n"


def test_impossible_arguments_are_refused(few, tmp_path, monkeypatch, capsys):
    given = ["--data", few, "--out", tmp_path / "run"]
    with pytest.raises(SystemExit):
        run("gan", monkeypatch, *given, "--epochs", "-1")
    assert "--epochs must be at least 1, not -1" in capsys.readouterr().err
    for beta in ("0", "nan"):
        with pytest.raises(SystemExit):
            run("vae", monkeypatch, *given, "--beta", beta)
        assert "--beta must be a number above 0" in capsys.readouterr().err
    with pytest.raises(UnknownNameError, match="unknown class '7'"):
        run("anomaly", monkeypatch, *given, "--classes", "7")

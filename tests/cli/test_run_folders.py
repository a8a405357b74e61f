"""The folder of `numpycnn train`: refused, forced, resumed."""

import json
import os
import re
import signal

import pytest

import numpycnn as nc
from numpycnn.training import loop
from tests.helpers import arrays, pictures, same, small, start, write_data

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")


def test_a_folder_that_is_not_empty_is_refused(trained, run):
    before = {path: os.stat(f"run/{path}").st_mtime_ns for path in os.listdir("run")}
    code, out, err = run("train", "--data", trained, "--out", "run")
    assert (code, out) == (2, "")
    assert "--force" in err
    assert err.count("\n") == 1
    assert {path: os.stat(f"run/{path}").st_mtime_ns for path in os.listdir("run")} == before
    code, _, err = run("train", "--data", trained, "--out", "data.npz", "--force")
    assert (code, err) == (
        2,
        "numpycnn train: data.npz is a file; --out needs a folder, which may be new\n",
    )


def test_force_starts_anew_and_loses_nothing(trained, run):
    old = arrays(nc.load("run/best.npz"))
    settings = ["--model", "alexnet", "--data", trained, "--epochs", 2, "--seed", 5]
    assert run("train", *settings, "--out", "run", "--force")[0] == 0
    assert same(arrays(nc.load("run/previous-1/best.npz")), old)
    assert nc.load("run/last.npz").metadata["seed"] == 5
    with open("run/history.csv") as file:
        assert len(file.readlines()) == 3


def test_force_that_fails_leaves_the_old_run_as_it_was(trained, run):
    before = sorted(os.listdir("run"))
    assert run("train", "--data", trained, "--out", "run", "--force", "--schedule", "cosin")[0] == 2
    assert run("train", "--data", trained, "--out", "run", "--force", "--val", "64")[0] == 2
    assert run("train", "--data", "nowhere.npz", "--out", "run", "--force")[0] == 3
    assert sorted(os.listdir("run")) == before


def test_resume_refuses_another_run(trained, run):
    for setting in (
        ["--model", "vgg"],
        ["--lr", "0.5"],
        ["--seed", "1"],
        ["--limit", "9"],
    ):
        code, out, err = run("train", "--resume", "--out", "run", *setting)
        assert (code, out) == (2, "")
        assert f"has {setting[0][2:]}" in err
    assert run("train", "--resume")[0] == 2
    assert run("train", "--resume", "--out", "nowhere")[0] == 2
    assert run("train", "--resume", "--force", "--out", "run")[0] == 2
    x, _ = pictures(64, seed=7)
    write_data("data.npz", x_train=x)  # other images under the same name
    code, _, err = run("train", "--resume", "--out", "run")
    assert code == 3
    assert "data" in err
    nc.save("run/last.npz", small())
    assert run("train", "--resume", "--out", "run")[0] == 3


def test_resume_of_a_complete_run_measures_it_again(trained, run):
    with open("run/result.json") as file:
        first = json.load(file)
    code, out, err = run("train", "--resume", "--out", "run", "--json")
    assert code == 0
    assert "complete" in err
    again = json.loads(out)
    assert {**again, "seconds": 0} == {**first, "seconds": 0}


def test_interrupted_and_resumed_as_if_never_interrupted(data, no_report, run, monkeypatch):
    command = ["train", "--model", "alexnet", "--data", data, "--epochs", 3, "--batch-size", 16]
    assert run(*command, "--out", "whole")[0] == 0
    end_step, seen = loop.FitRun.end_step, []

    def spy(self, *args):
        end_step(self, *args)
        if self.out:  # not one of the steps that are timed
            seen.append(1)
            if len(seen) == 6:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(loop.FitRun, "end_step", spy)
    code, out, err = run(*command, "--out", "it's a run")
    assert (code, out) == (130, "")
    assert err.endswith(
        """stopped; continue with: numpycnn train --resume --out 'it'"'"'s a run'\n"""
    )
    code, _, err = run("train", "--resume", "--out", "it's a run")
    assert code == 0
    assert re.search(r"6 steps left: about", err)
    assert same(arrays(nc.load("whole/last.npz")), arrays(nc.load("it's a run/last.npz")))
    with open("whole/history.csv") as a, open("it's a run/history.csv") as b:
        rows = [[line.split(",")[:-1] for line in file] for file in (a, b)]
    assert rows[0] == rows[1]


def test_force_without_a_folder_is_refused(data, run):
    code, out, err = run("train", "--data", data, "--force")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--force starts anew in the folder --out" in err


def test_a_folder_in_use_is_refused_before_anything_is_read(data, tmp_path, run):
    hold = "import sys, time\nfrom numpycnn.training.lock import locked\n"
    hold += "with locked('run'):\n    print('locked', flush=True)\n    time.sleep(60)"
    with start("-c", hold, cwd=tmp_path) as process:
        assert process.stdout.readline() == "locked\n"
        for more in ([], ["--force"]):
            code, out, err = run("train", "--data", "nowhere", "--out", "run", *more)
            assert (code, out, err.count("\n")) == (2, "", 1)
            assert f"run is in use: process {process.pid} trains into it" in err
        process.kill()
    code, _, err = run("train", "--data", "nowhere", "--out", "run")
    assert (code, "unknown data set" in err) == (2, True)


@pytest.mark.parametrize("option", ["--out", "--data", "--model", "--schedule", "--augment"])
def test_an_empty_text_is_refused(option, data, run, tmp_path):
    for text in ("", "  "):
        code, out, err = run("train", "--data", data, option, text)
        assert (code, out) == (2, "")
        assert f"argument {option}: expected a name or a path, not an empty text" in err
    assert os.listdir(tmp_path) == ["data.npz"]


def test_more_epochs_at_a_constant_rate(data, no_report, run):
    command = ["train", "--model", "alexnet", "--data", data, "--schedule", "constant"]
    assert run(*command, "--epochs", 3, "--out", "whole")[0] == 0
    assert run(*command, "--epochs", 1, "--out", "run")[0] == 0
    code, out, _ = run("train", "--resume", "--out", "run", "--epochs", 3, "--json")
    assert (code, json.loads(out)["epochs"]) == (0, 3)
    assert same(arrays(nc.load("run/last.npz")), arrays(nc.load("whole/last.npz")))
    assert nc.load("run/last.npz").metadata["recipe"]["epochs"] == 3
    code, _, err = run("train", "--resume", "--out", "run", "--epochs", 2)
    assert code == 2
    assert "cannot go on to 2 epochs: it has trained 3 epochs" in err


def test_where_the_schedule_ends_a_new_run_is_the_way(trained, run):
    code, _, err = run("train", "--resume", "--out", "run", "--epochs", 9)
    assert code == 2
    assert "one_cycle was laid out for 1 epoch," in err
    assert "train anew with --epochs 9, or go on from its weights in Python" in err

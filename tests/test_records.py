"""The record recipes, whole, on a thousand images and one epoch.

And what benchmarks.records makes of their results.
"""

import argparse
import dataclasses
import json
import pathlib
import runpy
import sys

import numpy as np
import pytest

import numpycnn as nc
from benchmarks import records
from numpycnn import data
from numpycnn.errors import DownloadError, RunFolderError

pytestmark = pytest.mark.filterwarnings("ignore:.*never predicted")

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"
RECIPES = sorted(records.RECIPES.values())


@pytest.fixture
def recipe(monkeypatch, tmp_path):
    """recipe(name, *arguments) runs it, in an empty folder, on synthetic garments in the place of
    Fashion-MNIST.
    """
    few, before = data.load("synthetic").limit(1000), (nc.backend.backend(), nc.backend.threads())
    few = dataclasses.replace(few, x_test=few.x_test[:300], y_test=few.y_test[:300])
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(data, "load", lambda name: {"fashion-mnist": few}[name])
    monkeypatch.setattr(data, "load_default", lambda: few)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
        sys.modules.pop("common", None)
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")

    yield run
    sys.modules.pop("common", None)
    nc.use(*before)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_leaves_the_network_that_it_measured(recipe, name, tmp_path, capsys):
    recipe(name, "--epochs", "1", "--out", "run", "--seed", "3")
    net, result = (
        nc.load("run/network.npz"),
        json.loads(pathlib.Path("run/result.json").read_text()),
    )
    assert net.metadata["measured"] == result
    assert net.metadata["command"] == f"python examples/{name}.py --seed 3 --epochs 1"
    few = data.load("fashion-mnist")
    for key, flip in (("accuracy", False), ("flip_accuracy", True)):
        assert nc.evaluate(net, few.x_test, few.y_test, flip=flip)["accuracy"] == result[key]
    facts = {"data": "synthetic", "epochs": 1, "seed": 3, "measured_on": "test set", "quick": False}
    assert facts.items() <= result.items()
    assert result["parameters"] <= 198_351
    assert "synthetic: " in capsys.readouterr().out
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) < 150


def test_a_recipe_goes_on_where_it_was_and_settings_are_measured_on_held_out_images(recipe):
    recipe("record_small", "--epochs", "1", "--val")
    first = json.loads(pathlib.Path("runs/record-small-val/result.json").read_text())
    assert first["measured_on"] == "held-out training images"
    assert first["seconds"] >= first["training_seconds"] > 0
    recipe("record_small", "--epochs", "1", "--val", "--resume")
    again = json.loads(pathlib.Path("runs/record-small-val/result.json").read_text())
    assert again == {**first, "seconds": None}  # of the second process they would say nothing
    assert (
        nc.load("runs/record-small-val/network.npz")
        .metadata["command"]
        .endswith("--epochs 1 --val")
    )


def test_only_a_trial_takes_other_images_where_there_are_no_garments(recipe, monkeypatch):
    def gone(name):
        raise DownloadError("no network")

    monkeypatch.setattr(data, "load", gone)
    with pytest.raises(DownloadError):
        recipe("record_small")
    recipe("record_small", "--quick", "--epochs", "1")
    assert json.loads(pathlib.Path("runs/record-small-quick/result.json").read_text())["quick"]


@pytest.mark.parametrize("wrong", ["--epochs 0", "--seed -1", "--threads 0"])
def test_impossible_arguments_are_refused(recipe, wrong, tmp_path, capsys):
    with pytest.raises(SystemExit):
        recipe("record_speed", *wrong.split())
    assert f"argument {wrong.split()[0]}: expected a whole number" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# ---- benchmarks.records: seeds, each a process -------------------------------------------------

FAKE = """\"\"\"{text}\"\"\"
import json, pathlib, sys
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
result = {{"seed": int(sys.argv[2]), "accuracy": {accuracy}, "resumed": "--resume" in sys.argv}}
out.joinpath("result.json").write_text(json.dumps(result))
"""


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """fake(accuracy) writes a recipe that reports it -> the arguments of benchmarks.records."""
    (tmp_path / "examples").mkdir()
    monkeypatch.setattr(records, "ROOT", tmp_path)

    def make(accuracy=0.9, text="A recipe.", quick=False):
        script = FAKE.format(text=text, accuracy=accuracy)
        (tmp_path / "examples" / "record_speed.py").write_text(script)
        return argparse.Namespace(runs=tmp_path / "runs", threads=1, jobs=1, quick=quick)

    return make


def test_a_finished_run_is_read_and_one_that_was_stopped_goes_on(fake, tmp_path):
    args = fake()
    first = records.run("speed", 0, args)
    assert first["process_seconds"] > 0
    assert not first["resumed"]
    assert records.run("speed", 0, fake(text="Other words, the same code.")) == first
    (tmp_path / "runs" / "speed-1").mkdir()
    (tmp_path / "runs" / "speed-1" / "last.npz").touch()
    second = records.run("speed", 1, args)
    assert second["resumed"]
    assert second["process_seconds"] is None


def test_a_result_of_another_recipe_is_refused_before_anything_runs(fake, tmp_path, monkeypatch):
    records.run("speed", 0, fake())
    fake(accuracy=0.95)
    monkeypatch.setattr(
        sys, "argv", ["records", "speed", "--seeds", "1", "0", "--runs", str(tmp_path / "runs")]
    )
    with pytest.raises(RunFolderError, match="is of another record_speed"):
        records.main()
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["speed-0"]
    (tmp_path / "runs" / "speed-0" / "result.json").write_text('{"accuracy": 0.9}')
    with pytest.raises(RunFolderError, match="does not say of which recipe"):
        records.main()


def test_a_trial_is_never_taken_for_a_run(fake):
    trial = records.run("speed", 0, fake(accuracy=0.1, quick=True))
    assert records.run("speed", 0, fake(accuracy=0.9))["accuracy"] == 0.9
    assert records.run("speed", 0, fake(accuracy=0.1, quick=True)) == trial


def test_times_count_only_where_every_run_had_the_machine_for_itself():
    runs = [
        {"accuracy": a, "process_seconds": 60 * a, "side_by_side": 1} for a in (0.9, 0.92, 0.94)
    ]
    found = records.summary(runs)
    assert found["accuracy"] == {"mean": pytest.approx(0.92), "deviation": pytest.approx(0.02)}
    assert found["process_seconds"]["mean"] == pytest.approx(55.2)
    assert list(records.summary([{**run, "side_by_side": 2} for run in runs])) == ["accuracy"]
    assert list(records.summary([*runs, {**runs[0], "process_seconds": None}])) == ["accuracy"]
    assert records.summary(runs[:1])["accuracy"]["deviation"] is None


def test_all_of_it_is_written_beside_a_picture(fake, tmp_path, monkeypatch, capsys):
    fake()
    out, runs = tmp_path / "results", tmp_path / "runs"
    for seed in (0, 1):
        (runs / f"speed-{seed}").mkdir(parents=True)
        (runs / f"speed-{seed}" / "history.csv").write_text(
            "epoch,loss,accuracy,lr,seconds\n1,0.5,0.8,0.1,3\n"
        )
    given = ["records", "speed", "--seeds", "0", "1", "--runs", str(runs), "--results", str(out)]
    monkeypatch.setattr(sys, "argv", given)
    records.main()
    entry = json.loads((out / "records.json").read_text())["speed"]
    assert [result["seed"] for result in entry["seeds"]] == [0, 1]
    assert entry["seeds"][1]["machine"]["threads"] == 2
    assert np.isclose(json.loads(capsys.readouterr().out)["accuracy"]["mean"], 0.9)
    assert (out / "records-speed.png").stat().st_size > 1000


def test_a_seed_joins_those_that_were_measured_before_with_the_same_recipe(fake):
    first, second = (records.run("speed", seed, fake()) for seed in (0, 1))
    assert records.others("speed", {}, [1]) == []
    assert records.others("speed", {"speed": {"seeds": [first, second]}}, [1, 2]) == [first]
    with pytest.raises(RunFolderError, match="another record_speed"):
        records.others("speed", {"speed": {"seeds": [{**first, "recipe": "other"}]}}, [1])

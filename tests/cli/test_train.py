"""`numpycnn train`: what it leaves, prints and refuses."""

import json
import os
import re

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import files
from numpycnn.cli import outcome, recipes, training
from numpycnn.data import augment
from numpycnn.errors import (
    DownloadError,
    ShapeError,
)
from numpycnn.training import checkpoint
from tests.helpers import arrays, finish, pictures, same, write_data

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")


RUN = {"best.npz", "last.npz", "history.csv", "report.html", "result.json"}
TRAIN_KEYS = {
    "model",
    "data",
    "parameters",
    "epochs",
    "test_accuracy",
    "test_loss",
    "seconds",
    "out",
}


def test_train_leaves_a_whole_run(data, run, tmp_path):
    settings = [
        "--model",
        "vgg",
        "--epochs",
        2,
        "--batch-size",
        32,
        "--limit",
        48,
        "--val",
        8,
        "--lr",
        "0.002",
    ]
    code, out, err = run("train", "--data", data, *settings, "--out", "a run/größe", "--json")
    assert code == 0
    assert out.count("\n") == 1
    result = json.loads(out)
    assert result.keys() >= TRAIN_KEYS
    folder = tmp_path / "a run" / "größe"
    pictures = {"learning_curves.png", "confusion.png", "mistakes.png", "filters.png"}
    assert {path.name for path in folder.iterdir()} == RUN | pictures
    assert json.loads((folder / "result.json").read_text()) == result
    assert (result["model"], result["epochs"], result["data"]) == ("vgg", 2, data)
    net = nc.load(folder / "last.npz")
    dataset = nc.data.load(data)
    measured = nc.evaluate(net, dataset.x_test, dataset.y_test)
    assert result["test_accuracy"] == measured["accuracy"]
    assert result["test_loss"] == pytest.approx(measured["loss"], rel=1e-6)
    assert result["parameters"] == net.summary((12, 12, 1)).total
    lines = err.splitlines()
    assert [
        bool(re.match(r"epoch [12]/2  loss .*accuracy .*val_loss .*val_accuracy .* s$", x))
        for x in lines[-2:]
    ]
    said = [
        i
        for i, line in enumerate(lines)
        if re.search(r"40 training and \d+ validation images, 2 epochs, 4 steps: about \d+ ", line)
    ]
    assert said
    assert said[0] < len(lines) - 2
    metadata = net.metadata
    assert metadata["classes"] == ["one", "two", "three", "four"]
    assert metadata["data_sha256"] == dataset.limit(48).sha256
    assert metadata["recipe"]["val"] == 8


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_train_on_floats_of_any_channels_ends_with_a_report(channels, data, run):
    x, x_test = (
        np.repeat(pictures(n, k)[0] / 255, channels, axis=3) for n, k in ((64, 0), (40, 1))
    )
    write_data("floats.npz", x_train=x, x_test=x_test)
    code, _, err = run(
        "train", "--model", "alexnet", "--data", "floats.npz", "--epochs", 1, "--out", "run"
    )
    assert code == 0, err
    assert os.path.exists("run/report.html")
    assert run("inspect", "run/last.npz")[0] == 0
    from PIL import Image

    Image.fromarray(pictures(1)[0][0, ..., 0]).save("photo.png")
    code, _, err = run("predict", "photo.png", "--checkpoint", "run/last.npz")
    assert (code, "the network wants images of 2 channels" in err) == (
        (2, True) if channels == 2 else (0, False)
    )


def test_two_trainings_at_once_have_a_folder_each(data, no_report, run, monkeypatch):
    train, out = training.train, []

    def beside(recipe, dataset, folder, *rest):
        out.append(folder)
        if len(out) == 1:
            assert run("train", "--model", "alexnet", "--data", data, "--epochs", 1)[0] == 0
        return train(recipe, dataset, folder, *rest)

    monkeypatch.setattr(training, "train", beside)
    assert run("train", "--model", "alexnet", "--data", data, "--epochs", 1)[0] == 0
    assert [str(folder) for folder in out] == [f"runs/alexnet-data.npz-{n}" for n in (1, 2)]
    assert all((folder / "last.npz").exists() for folder in out)


def test_a_training_that_never_began_leaves_no_folder(data, run, monkeypatch):
    def no_memory(*_):
        raise ShapeError("would need more bytes than there are")

    monkeypatch.setattr(training, "network", no_memory)
    assert run("train", "--model", "alexnet", "--data", data)[0] == 2
    assert os.listdir("runs") == []


def test_train_to_people_shows_each_class_and_the_report(trained, run):
    code, out, _ = run("train", "--resume", "--out", "run")
    assert code == 0
    names = [line.split()[0] for line in out.splitlines()]
    assert names[:4] == ["one", "two", "three", "four"]
    assert re.search(r"Test accuracy: \d+\.\d\d%", out)
    assert os.path.join("run", "report.html") in out


def test_the_validation_images_are_a_fifth_of_so_few_unless_told(data, no_report, run):
    assert run("train", "--model", "alexnet", "--data", data, "--epochs", 1, "--out", "a")[0] == 0
    assert checkpoint.read("a/last.npz")[0]["recipe"]["val"] == 12
    assert checkpoint.read("a/last.npz")[0]["fit"]["settings"]["images"] == 64 - 12
    assert (
        run("train", "--model", "alexnet", "--data", data, "--epochs", 1, "--out", "b", "--val", 0)[
            0
        ]
        == 0
    )
    assert checkpoint.read("b/last.npz")[0]["fit"]["settings"]["images"] == 64
    assert np.isnan(checkpoint.read("b/last.npz")[0]["fit"]["history"]["val_loss"]).all()


def test_without_out_each_run_has_a_folder_of_its_own(data, no_report, run, tmp_path):
    for _ in range(2):
        assert run("train", "--model", "alexnet", "--data", data, "--epochs", 1)[0] == 0
    assert {p.name for p in (tmp_path / "runs").iterdir()} == {
        "alexnet-data.npz-1",
        "alexnet-data.npz-2",
    }


def test_without_data_and_network_it_says_that_it_draws(data, no_report, run, monkeypatch):
    def offline(*_, **__):
        raise DownloadError("no network")

    monkeypatch.setattr(nc.data.datasets.download, "fetch", offline)
    monkeypatch.setattr(nc.data.datasets, "SYNTHETIC_TRAIN", 200)
    monkeypatch.setattr(nc.data.datasets, "SYNTHETIC_TEST", 50)
    code, out, err = run(
        "train", "--model", "alexnet", "--epochs", 1, "--limit", 64, "--out", "run", "--json"
    )
    assert code == 0
    assert json.loads(out)["data"] == "synthetic"
    assert "Fashion-MNIST is not here" in err
    code, out, err = run("train", "--model", "alexnet", "--data", "fashion-mnist", "--out", "b")
    assert (code, out) == (4, "")
    assert not os.path.exists("b")


def test_missing_data_names_the_places(data, run, monkeypatch, tmp_path):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("NUMPYCNN_DATA", str(tmp_path / "empty"))
    monkeypatch.setattr(
        nc.data.datasets.download,
        "_fetch_from",
        lambda *_: (_ for _ in ()).throw(OSError("no route")),
    )
    monkeypatch.setattr(nc.data.datasets.download, "PAUSE", 0)
    code, out, err = run("train", "--data", "fashion-mnist")
    assert (code, out) == (4, "")
    assert err.count("\n") == 1
    assert str(tmp_path / "empty" / "fashion-mnist") in err
    assert str(tmp_path / "cache" / "fashion-mnist") in err


def test_each_recipe_is_whole():
    for name, recipe in recipes.RECIPES.items():
        assert name in nc.models.MODELS
        assert set(recipe) - {"patience"} == {"epochs", "batch_size", "lr", "schedule", "augment"}
        assert callable(nc.schedule.named(recipe["schedule"]))
        assert (augment.augmentation(recipe["augment"]) is None) == (recipe["augment"] == "none")


@pytest.mark.filterwarnings("ignore:class.* never predicted")
def test_patience_ends_a_training_that_gets_no_better(trained, run):
    settings = ["train", "--data", trained, "--lr", 0, "--epochs", 5]
    code, out, _ = run(*settings, "--patience", 2, "--out", "patient", "--json")
    assert (code, json.loads(out)["epochs"]) == (0, 3)
    code, _, err = run(*settings, "--patience", 2, "--val", 0)
    assert code == 2
    assert "--patience watches the accuracy on validation images" in err
    code, _, err = run("train", "--resume", "--out", "patient", "--patience", 3)
    assert code == 2
    assert "has patience 2, not 3" in err
    code, out, err = run("train", "--resume", "--out", "patient", "--json")
    assert (code, json.loads(out)["epochs"]) == (0, 3)
    assert "the run in patient is complete" in err


def test_training_notes_what_is_familiar(data, no_report, run, monkeypatch):
    from numpycnn.inspection import out_of_distribution

    arguments = ["--model", "alexnet", "--data", data, "--epochs", 1]
    assert run("train", *arguments, "--out", "few")[0] == 0
    assert "familiarity" not in nc.load("few/last.npz").metadata
    monkeypatch.setattr(out_of_distribution, "LEAST", 40)
    assert run("train", *arguments, "--out", "run")[0] == 0
    dataset = nc.data.load(data)
    for name in "last.npz", "best.npz":
        net = nc.load(f"run/{name}")
        assert net.metadata["familiarity"] == out_of_distribution.fit(net, dataset.x_train)
        assert same(arrays(net), arrays(nc.load(f"few/{name}")))
    assert run("train", "--resume", "--out", "run")[0] == 0


def test_divergence_exits_5_and_keeps_a_good_checkpoint(data, no_report, run):
    arguments = [
        "--model",
        "alexnet",
        "--epochs",
        5,
        "--lr",
        "1e30",
        "--schedule",
        "constant",
        "--out",
        "run",
    ]
    code, out, err = run("train", "--data", data, *arguments)
    assert (code, out) == (5, "")
    assert "training diverged" in err.splitlines()[-1]
    assert all(np.isfinite(array).all() for array in arrays(nc.load("run/last.npz")).values())


def test_a_full_disk_exits_1(data, no_report, run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    code, out, err = run(
        "train", "--model", "alexnet", "--data", data, "--epochs", 1, "--out", "run"
    )
    assert (code, out) == (1, "")
    assert "No space left on device" in err.splitlines()[-1]
    assert not os.path.exists("run")


def test_the_last_line_names_which_file_has_which_accuracy(data, no_report, run):
    arguments = ["train", "--model", "alexnet", "--data", data, "--epochs", 4, "--lr", 0.02]
    code, out, _ = run(*arguments, "--out", "run", "--val", 16)
    assert code == 0
    last = out.splitlines()[-1]
    history = nc.load("run/last.npz").metadata["fit"]["history"]
    best = len(nc.load("run/best.npz").metadata["fit"]["history"]["loss"])
    validated = [f"{share:.2%} of 16 validation images" for share in history["val_accuracy"]]
    if best == 4:
        assert last.startswith("In run: last.npz and best.npz (epoch 4): ")
    else:
        assert last.startswith("In run: last.npz (epoch 4): ")
        assert last.endswith(f"; best.npz (epoch {best}): {validated[best - 1]}")
    assert f"% of 40 test images, {validated[3]}" in last
    code, out, _ = run(*arguments, "--out", "none", "--val", 0, "--json")
    assert set(json.loads(out)["files"]) == {"last.npz", "best.npz"}


def test_best_of_another_epoch_is_told_apart():
    history = {"loss": [2.0, 1.0, 1.5], "val_accuracy": [0.5, 0.25, 0.25], "val_loss": [1, 2, 3]}
    history |= {"accuracy": [0] * 3, "lr": [0] * 3, "seconds": [0] * 3}
    for val, end in (
        (13, "best.npz (epoch 1): 50.00% of 13 validation images"),
        (None, "best.npz (epoch 2): the lowest training loss, 1.0000"),
    ):
        if not val:
            history |= {"val_accuracy": [float("nan")] * 3}
        reached = outcome.reached(
            training.loop.History(history), 0.75, val and ([], [0] * val), 1000
        )
        lines = outcome.closing_lines({"report": None, "out": "run", "files": reached})
        assert lines[-1].endswith(end)
        assert "last.npz (epoch 3): 75.00% of 1,000 test images" in lines[-1]


def test_a_learning_rate_that_ruins_the_network_exits_5(data, no_report, run):
    for lr in ("1e30", "1e8"):
        arguments = ["--model", "lenet5", "--data", data, "--epochs", 2, "--lr", lr, "--out", lr]
        code, out, err = run("train", *arguments)
        assert (code, out) == (5, "")
        assert "training diverged: the loss is" in err.splitlines()[-1]


def test_a_report_that_cannot_be_written_loses_no_result(data, run, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    arguments = ["train", "--model", "alexnet", "--data", data, "--epochs", 1, "--out", "run"]
    with monkeypatch.context() as patch:
        patch.setattr(training.training_page, "write", full)
        code, out, err = run(*arguments)
    assert code == 1
    assert "Test accuracy" in out
    assert "last.npz" in out.splitlines()[-1]
    assert "the report could not be written: [Errno 28]" in err
    assert "numpycnn train --resume --out run" in err
    code, out, _ = run("train", "--resume", "--out", "run")
    assert code == 0
    assert os.path.exists("run/report.html")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_names_that_no_encoding_has_lose_no_result(encoding, data, tmp_path):
    """A folder that is not UTF-8; classes with control characters, kana and half a surrogate."""
    write_data("names.npz", classes=("a\x1b[8mb", "漢", "d\udcff", "e"))
    folder = os.fsdecode(b"run\xff")
    command = ["train", "--model", "lenet5", "--data", "names.npz", "--epochs", 1, "--out", folder]
    code, out, err = finish(*command, cwd=tmp_path, env={"PYTHONIOENCODING": encoding})
    assert code == 0, err
    assert "Test accuracy" in out
    assert "\x1b" not in out
    page = (tmp_path / folder / "report.html").read_text(encoding="utf-8")
    assert "$&#x27;run\\xff/last.npz&#x27;" in page
    assert all((tmp_path / folder / name).exists() for name in ("confusion.png", "result.json"))

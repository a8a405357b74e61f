"""A person's own data through the commands: what is said, and that no report is lost."""

import json
import os
import sys

import numpy as np
import pytest
from PIL import Image

import numpycnn as nc
from numpycnn.cli import training
from numpycnn.explainer import source
from tests.data.trees import folder, picture
from tests.helpers import write_data

EVIL = "\x1b]0;owned\x07\x1b[31mred\u202e"


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Pictures of several sizes, light ones and dark ones."""
    monkeypatch.chdir(tmp_path)
    for k, name in enumerate(("dark", "light")):
        for i in range(20):
            picture(tmp_path / "photos" / name / f"{i}.png", 180 * k + i, (20 + i, 40 - i))
    return "photos"


def train(run, *more):
    return run("train", "--model", "lenet5", "--epochs", 1, "--out", "run", *more)


def test_pictures_of_many_sizes_from_training_to_prediction(photos, no_report, run):
    code, _, err = train(run, "--data", photos)
    assert code == 3
    assert "20 sizes" in err
    assert "--size 28" in err
    assert not os.path.exists("run")
    code, _, err = train(run, "--data", photos, "--size", "32", "--fit", "crop", "--colour")
    assert code == 0, err
    for more in ([], ["--data", photos]):
        code, out, err = run("evaluate", "run/last.npz", "--json", *more)
        assert code == 0, err
        assert len(json.loads(out)["per_class"]) == 2
    code, _, err = train(run, "--resume", "--size", "28")
    assert code == 2
    assert "--size 32x32 --fit crop --colour" in err


def test_predict_and_inspect_treat_pictures_as_in_training(tmp_path, monkeypatch, no_report, run):
    """A class is a colour: what predict took for a garment would be grey, or cut out."""
    monkeypatch.chdir(tmp_path)
    for k, name in enumerate(("blue", "green", "red")):
        for i in range(30):
            colour = np.full((24 + i, 40, 3), 30 + i, np.uint8)
            colour[..., 2 - k] = 200
            Image.fromarray(colour).save(made(tmp_path / "photos" / name / f"{i}.png"))
    settings = ["--lr", "0.01", "--size", 16, "--fit", "stretch"]
    code, _, err = run(
        "train", "--model", "lenet5", "--data", "photos", "--epochs", 8, "--out", "run", *settings
    )
    assert code == 0, err
    code, out, err = run(
        "predict", "photos/red/3.png", "photos/blue/9.png", "photos/green/20.png",
        "--checkpoint", "run/last.npz", "--json",
    )  # fmt: skip
    assert code == 0, err
    assert [p["class"] for p in json.loads(out)["predictions"]] == ["red", "blue", "green"]
    _, out, _ = run("evaluate", "run/last.npz", "--json")
    assert json.loads(out)["accuracy"] == 1
    code, _, err = run("inspect", "run/last.npz", "--image", "photos/red/3.png", "--out", "page")
    assert code == 0, err


def test_explain_reads_pictures_as_training_did(tmp_path, monkeypatch, no_report, run):
    """Their size, colours and labels: its own --size is another."""
    monkeypatch.chdir(tmp_path)
    for i in range(24):
        picture(tmp_path / "flat" / f"{'ab'[i % 2]}.{i}.png", 5 * i, (30 + i, 40), "RGB")
    reading = ["--size", 32, "--grey", "--labels", "names"]
    assert train(run, "--data", "flat", *reading)[0] == 0
    net, whole = (
        nc.load("run/last.npz"),
        nc.data.load("flat", size=32, colour=False, labels="names"),
    )
    for where, more in (("flat:1", {}), ("flat:1", {"name": "flat"}), ("flat/a.0.png", {})):
        given = source.arguments(net, where, train=4, **more)
        np.testing.assert_array_equal(given["batch"][0], whole.x_train[:3])
        if where == "flat:1":
            np.testing.assert_array_equal(given["image"], whole.x_test[1])
            assert given["label"] == whole.y_test[1]
    os.rename("flat", "moved")  # and nobody asks for it by name
    assert source.arguments(net, "moved/a.0.png")["batch"] is None


def made(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_data_of_the_network_s_own_size_need_no_size(photos, no_report, run):
    """Also where it was trained on no pictures at all."""
    write_data("data.npz", side=28)
    assert train(run, "--data", "data.npz")[0] == 0
    code, _, err = run("evaluate", "run/last.npz", "--data", photos)
    assert "classes" in err  # four of them, not two: the pictures themselves were read
    assert code == 2


@pytest.mark.parametrize(
    "arguments", [["--size", "0"], ["--size", "axb"], ["--fit", "squash"], ["--colour", "--grey"]]
)
def test_impossible_options(photos, run, arguments):
    code, _, err = train(run, "--data", photos, *arguments)
    assert code == 2
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "more"), [("train", []), ("evaluate", ["x.npz"]), ("inspect", ["x.npz"])]
)
@pytest.mark.parametrize("name", ["", " "])
def test_data_without_a_name(run, command, more, name):
    code, _, err = run(command, *more, "--data", name)
    assert code == 2
    assert "expected a name or a path" in err


def test_options_of_pictures_need_pictures(data, run):
    code, _, err = train(run, "--data", data, "--size", "28")
    assert code == 3
    assert "size cannot be used with an .npz" in err
    code, _, err = train(run, "--size", "28")
    assert code == 2
    assert "give it as --data" in err


def test_validation_pictures_are_used(tmp_path, monkeypatch, no_report, run):
    monkeypatch.chdir(tmp_path)
    counts = {"train": 12, "Valid": 6, "test": 3}
    places = {f"{part}/{name}": n for part, n in counts.items() for name in ("a", "b")}
    for place, n in places.items():
        for i in range(n):
            picture(tmp_path / "photos" / place / f"{i}.png", 9 * i, (28, 28))
    code, _, err = train(run, "--data", "photos", "--val", 4)
    assert code == 2
    assert "12 validation images of its own" in err
    code, _, err = train(run, "--data", "photos", "--patience", 2)
    assert code == 0
    assert "24 training and 12 validation images" in err


def test_names_of_others_cannot_command_the_terminal(tmp_path, monkeypatch, no_report, run):
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "photos", [f"{EVIL}a", "b"], 8)
    said = []
    code, out, err = train(run, "--data", "photos", "--size", "28")
    said += [out, err]
    assert code == 0
    _, out, err = run("evaluate", "run/last.npz")
    said += [out, err]
    os.rename("photos", f"{EVIL}photos")
    for arguments in (
        ["data", f"{EVIL}photos"], ["evaluate", f"{EVIL}.npz"], ["predict", f"{EVIL}.png"],
        ["evaluate", "run/last.npz", "--data", f"{EVIL}missing"], ["summary", EVIL],
        ["train", "--data", f"{EVIL}photos", "--model", EVIL],
    ):  # fmt: skip
        _, out, err = run(*arguments)
        said += [out, err]
    for text in said:
        assert all(line.isprintable() for line in text.splitlines()), text


@pytest.mark.skipif(sys.platform == "darwin", reason="its file system takes UTF-8 only")
def test_a_folder_that_is_not_utf_8_gets_its_whole_report(data, run):
    out = os.fsdecode(b"run\xff")
    code, text, err = run("train", "--model", "lenet5", "--data", data, "--epochs", 1, "--out", out)
    assert code == 0, err
    assert "Report: run\\udcff" in text
    page = open(os.path.join(out, "report.html"), encoding="utf-8").read()
    assert "--out $&#x27;run\\xff&#x27;" in page


def test_output_that_cannot_hold_a_letter(data, no_report, run, monkeypatch, tmp_path):
    names = np.array(["a", "\u6f22", "c", "d"])
    write_data("kanji.npz", classes=names)
    with open("out.txt", "w", encoding="latin-1") as file:
        monkeypatch.setattr(sys, "stdout", file)
        assert train(run, "--data", "kanji.npz")[0] == 0
    assert "\\u6f22" in open("out.txt", encoding="latin-1").read()


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), MemoryError(), ValueError("strange")]
)
def test_a_report_that_cannot_be_written_costs_no_result(data, run, monkeypatch, error):
    def fail(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(training.training_page, "write", fail)
        code, out, err = train(run, "--data", data, "--json")
    assert code == 1
    result = json.loads(out)
    assert result["report"] is None
    assert 0 <= result["test_accuracy"] <= 1
    assert "report could not be written" in err
    assert "numpycnn train --resume --out run writes it" in err
    code, out, _ = run("train", "--resume", "--out", "run")
    assert code == 0
    assert os.path.exists("run/report.html")


def test_labels_with_gaps_are_refused_before_the_first_step(data, run):
    x = np.zeros((40, 28, 28), np.uint8)
    y = np.arange(40) % 4 * 10_000
    np.savez("gap.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    code, _, err = train(run, "--data", "gap.npz")
    assert code == 3
    assert "np.unique(y, return_inverse=True)[1]" in err
    assert not os.path.exists("run")


def test_suggestions_are_the_near_names_or_all_once(run):
    _, _, err = run("summary", "zzz")
    assert "known: " in err
    assert "did you mean" not in err
    _, _, err = run("summary", "alexnit")
    assert "did you mean alexnet or" in err


def test_a_folder_without_pictures_or_nothing_where_a_picture_is_expected(photos, run):
    os.mkdir("empty")
    code, _, err = run("predict", "empty")
    assert (code, "empty: no pictures in this folder" in err) == (3, True)
    code, _, err = run("predict", "nothing.png")
    assert (code, "nothing.png: no such file; expected a picture" in err) == (3, True)

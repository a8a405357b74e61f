"""`numpycnn predict` on folders, and its table."""

import csv
import json
import os

import numpy as np
import pytest

import numpycnn as nc
from numpycnn.cli import prediction, table
from numpycnn.inspection import out_of_distribution
from tests.helpers import pictures, small

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")


@pytest.fixture
def folder(data):
    """photos/0.png, 1.png, below/2.png and a text; a checkpoint net.npz of four named classes."""
    from PIL import Image

    nc.save("net.npz", small(), data="bars", classes=["one", "two", "th,ree", "föur"])
    os.makedirs("photos/below")
    for name, image in zip(("0", "1", "below/2"), pictures(3)[0], strict=True):
        Image.fromarray(image[..., 0]).save(f"photos/{name}.png")
    with open("photos/notes.txt", "w") as file:
        file.write("no picture")
    return ["photos/0.png", "photos/1.png", "photos/below/2.png"]


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_folder_is_its_pictures(folder, run):
    command = ["predict", "photos", "--checkpoint", "net.npz"]
    code, out, err = run(*command)
    assert (code, err) == (0, "")
    assert [line.partition(":")[0] for line in out.splitlines()] == folder
    assert out == run("predict", *folder, "--checkpoint", "net.npz")[1]


def test_the_table_has_what_python_predicts(folder, run, monkeypatch):
    monkeypatch.setattr(prediction, "CHUNK", 2)
    code, out, err = run("predict", "photos", "--checkpoint", "net.npz", "--csv", "new/out.csv")
    assert (code, out, err) == (0, "new/out.csv: 3 pictures\n", "")
    net = nc.load("net.npz")
    images = [nc.data.read_for(net.metadata, path, (12, 12, 1)) for path in folder]
    expected = nc.predict(net, np.stack(images))
    names = ["one", "two", "th,ree", "föur"]
    for path, row, wanted in zip(folder, rows("new/out.csv"), expected, strict=True):
        assert list(row) == ["file", "class", "probability", *(f"p({n})" for n in names), "note"]
        assert (row["file"], row["class"], row["note"]) == (path, names[wanted.argmax()], "")
        assert float(row["probability"]) == pytest.approx(wanted.max(), rel=1e-5)
        found = [float(row[f"p({name})"]) for name in names]
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_a_broken_picture_is_a_row_that_says_why(folder, run):
    with open("photos/1.png", "wb") as file:
        file.write(b"no picture")
    command = ["predict", "photos", "--checkpoint", "net.npz", "--csv", "out.csv"]
    code, out, err = run(*command)
    assert (code, out) == (3, "out.csv: 2 pictures, 1 more could not be read\n")
    assert err.count("\n") == 1
    assert "photos/1.png" in err
    found = rows("out.csv")
    assert [row["file"] for row in found] == folder
    assert (found[1]["class"], found[1]["probability"]) == ("", "")
    assert "photos/1.png: " in found[1]["note"]
    code, out, _ = run(*command[:-1], "second.csv", "--json")
    facts = json.loads(out)
    assert (code, facts["csv"], len(facts["predictions"])) == (3, "second.csv", 2)
    assert [one["image"] for one in facts["errors"]] == ["photos/1.png"]


def test_of_many_broken_pictures_the_table_names_all(folder, run):
    for i in range(30):
        with open(f"photos/x{i:02}.png", "wb") as file:
            file.write(b"no picture")
    code, _, err = run("predict", "photos", "--checkpoint", "net.npz", "--csv", "out.csv")
    assert (code, err.count("\n")) == (3, 21)
    assert err.splitlines()[-1] == "numpycnn predict: 10 more are named in out.csv"
    assert sum("no" in row["note"] for row in rows("out.csv")) == 30


def test_a_strange_picture_has_a_note(folder, run):
    from PIL import Image

    out_of_distribution.add("net.npz", pictures(1200)[0])
    Image.new("L", (50, 40), "white").save("photos/blank.png")
    command = ["predict", "photos", "--checkpoint", "net.npz", "--csv", "out.csv"]
    assert run(*command)[1] == "out.csv: 4 pictures, 1 of them unlike anything in bars\n"
    notes = {row["file"]: row["note"] for row in rows("out.csv")}
    assert "looks like nothing in bars" in notes["photos/blank.png"]
    assert notes["photos/0.png"] == ""


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["photos", "--csv", "net.npz"], 2, "exists, and no file is written over"),
        (["photos", "--csv", "photos"], 2, "exists"),
        (["photos", "--csv", "out.png"], 2, "ends in .csv"),
        (["photos", "--csv", ""], 2, "empty text"),
        (["photos/below", "empty", "--csv", "out.csv"], 3, "empty: no pictures in this folder"),
        (["photos/notes.txt", "--csv", "out.csv"], 3, "notes.txt"),
        (["nowhere.png", "--csv", "out.csv"], 3, "nowhere.png: no such file"),
        (["photos", "--csv", "photos/0.png/out.csv"], 1, "cannot be written to"),
        (["--csv", "out.csv"], 2, "no IMAGE is given"),
        (["photos", "net.npz"], 2, "given as --checkpoint net.npz"),
        (["photos", "--checkpoint", "run"], 3, "run is a folder; give run/best.npz"),
    ],
)
def test_nothing_is_written_for_a_mistake(arguments, code, message, folder, run):
    os.mkdir("empty")
    os.mkdir("run")
    before = {path: sorted(os.listdir(path)) for path in (".", "photos")}
    found, out, err = run("predict", "--checkpoint", "net.npz", *arguments)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert message in err
    assert {path: sorted(os.listdir(path)) for path in (".", "photos")} == before


def test_of_many_classes_the_three_likeliest_have_columns():
    many = {f"c{i}": 1 / 200 for i in range(200)} | {"c7": 0.5, "c9": 0.2, "c3": 0.1}
    fact = {"image": "a.png", "class": "c7", "probabilities": many, "familiar": None}
    (head, row) = csv.reader(table.as_csv(["a.png"], [fact], {}, "").decode().splitlines())
    assert head[3:] == ["class 2", "probability 2", "class 3", "probability 3", "note"]
    assert row == ["a.png", "c7", "0.5", "c9", "0.2", "c3", "0.1", ""]


def test_a_network_trained_on_a_few_pictures_of_ones_own_tells_strange_ones(
    tmp_path, monkeypatch, no_report, run
):
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    x, y = pictures(300)
    for i, (image, label) in enumerate(zip(x[..., 0], y, strict=True)):
        place = f"mine/{'test' if i % 3 == 2 else 'train'}/{label}"
        os.makedirs(place, exist_ok=True)
        Image.fromarray(image).save(f"{place}/{i}.png")
    os.mkdir("strange")
    for shade in range(0, 256, 40):
        Image.new("L", (40, 30), shade).save(f"strange/{shade}.png")
    train = ["train", "--filters", "8,12", "--dropout", 0, "--data", "mine", "--epochs", 12]
    train += ["--lr", 0.01, "--augment", "none", "--out", "run"]
    code, out, err = run(*train, "--json")
    assert code == 0, err
    assert json.loads(out)["test_accuracy"] > 0.9
    for name, shares in (("mine/test", (0.9, 1)), ("strange", (0, 0.5))):
        code, out, _ = run("predict", name, "--checkpoint", "run/last.npz", "--json")
        known = np.mean([one["familiar"] for one in json.loads(out)["predictions"]])
        assert shares[0] <= known <= shares[1], (name, known)

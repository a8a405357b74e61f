"""numpycnn data: fetch, pack, look."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from tests.data.trees import picture


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for k, name in enumerate(("a", "b")):
        for i in range(10):
            picture(tmp_path / "photos" / name / f"{i}.png", 90 * k + i, (20 + i, 30))
    return "photos"


def test_facts(photos, run):
    code, out, _ = run("data", photos, "--size", 16, "--json")
    facts = json.loads(out)
    assert code == 0
    assert (facts["train"], facts["test"], facts["image"]) == (16, 4, [16, 16, 1])


def test_pack_then_train_evaluate_and_look(photos, no_report, run):
    code, out, err = run("data", "pack", photos, "packed", "--size", "28x28", "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert facts["classes"] == ["a", "b"]
    assert 0 < facts["mean"] < 1
    code, _, err = run(
        "train", "--model", "lenet5", "--data", "packed", "--epochs", 1, "--out", "r"
    )
    assert code == 0, err
    memory = run("train", "--model", "lenet5", "--data", photos, "--size", 28, "--epochs", 1,
                 "--out", "m", "--json")  # fmt: skip
    assert memory[0] == 0
    (one, other) = (open(os.path.join(run_, "history.csv")).read() for run_ in ("r", "m"))
    strip = [[line.rsplit(",", 1)[0] for line in text.splitlines()] for text in (one, other)]
    assert strip[0] == strip[1]  # all but the seconds
    assert run("evaluate", "r/last.npz")[0] == 0
    code, out, err = run("data", "look", "packed")
    assert code == 0, err
    assert os.path.exists("packed-look/look.html")
    assert "16 training, 4 test images of 28x28x1" in out


def test_look_writes_over_nothing_but_an_earlier_look_at_the_same_data(photos, tmp_path, run):
    os.rename("photos/a/9.png", "photos/examples.png")  # as its own picture is named
    mine = open("photos/examples.png", "rb").read()
    code, _, err = run("data", "look", photos, "--size", 16, "--out", photos)
    assert (code, "photos exists and is no look at photos; choose another --out" in err) == (
        2,
        True,
    )
    assert open("photos/examples.png", "rb").read() == mine
    os.rename("photos/examples.png", "photos/a/9.png")
    with open("photos/b/0.png", "rb") as source, open("photos/b/copy.png", "wb") as copy:
        copy.write(source.read())
    assert run("data", "look", photos, "--size", 16)[0] == 0
    assert os.path.exists("photos-look/duplicates.csv")
    os.remove("photos/b/copy.png")
    for i in range(10):  # pictures of one colour are all alike
        pixels = np.random.default_rng(i).integers(0, 256, (2, 16, 16), np.uint8)
        for name, image in zip("ab", pixels, strict=True):
            Image.fromarray(image).save(f"photos/{name}/{i}.png")
    assert run("data", "look", "photos/")[0] == 0
    assert sorted(os.listdir("photos-look")) == ["examples.png", "look.html", "means.png"]
    os.mkdir("mine")
    tmp_path.joinpath("mine", "look.html").write_text("my own")
    assert run("data", "look", photos, "--out", "mine")[0] == 2
    assert os.listdir("mine") == ["look.html"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["pack", "photos"], "pack PHOTOS OUT"),
        (["look"], "look DATA"),
        (["a", "b"], "expected a NAME"),
        (["pack", "nothing", "out", "--size", "9"], "no such folder"),
        (["pack", "photos", "out"], "--size 224"),
        (["pack", "photos/a/0.png", "out", "--size", "9"], "a folder of pictures, a .zip"),
        (["look", "nothing/here"], "no such file or folder"),
        (["photos", "--size", "9", "--out", "out"], "--out is for look, not for photos"),
        (["pack", "photos", "out", "--size", "9", "--out", "o"], "--out is for look, not for pack"),
        (["pack", "photos", "out", "--size", "9", "--shape", "9x9x1"], "shape cannot be used with"),
    ],
)
def test_refused(photos, run, arguments, word):
    code, _, err = run("data", *arguments)
    assert code in (2, 3)
    assert word in err
    assert len(err.splitlines()) == 1

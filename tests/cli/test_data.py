"""numpycnn data: fetch, pack, look."""

import json
import os

import pytest

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
    ],
)
def test_refused(photos, run, arguments, word):
    code, _, err = run("data", *arguments)
    assert code in (2, 3)
    assert word in err
    assert len(err.splitlines()) == 1

"""numpycnn explain"""

import json

import numpy as np
import pytest
from PIL import Image

import numpycnn as nc
from numpycnn import models


@pytest.fixture
def checkpoint(tmp_path):
    net = models.build("lenet5")
    nc.save(tmp_path / "net.npz", net, metadata={"data": "synthetic"})
    return tmp_path / "net.npz"


def test_a_picture_gives_a_new_page(run, checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.full((40, 30, 3), 90, np.uint8)).save("photo.png")
    for name in ("explain.html", "explain-2.html"):
        options = "--train", 4, "--data", "synthetic", "--json"
        _, out, _ = run("explain", checkpoint, "photo.png", *options)
        facts = json.loads(out)
        assert facts["out"] == name
        assert facts["runs"] == ["use", "train"]
        assert (tmp_path / name).stat().st_size == facts["bytes"]
        assert "net.npz on photo.png" in (tmp_path / name).read_text(encoding="utf-8")


def test_a_test_image_a_label_and_no_training(run, checkpoint, tmp_path):
    given = ("--train", 0, "--label", 7, "--out", tmp_path / "new" / "p.html")
    code, out, _ = run("explain", checkpoint, "synthetic:2", *given)
    assert code == 0
    assert "open it in a browser" in out
    text = (tmp_path / "new" / "p.html").read_text(encoding="utf-8")
    assert '"label":7' in text
    code, _, err = run("explain", checkpoint, "synthetic:3", *given)
    assert (code, "no file is written over; give another name" in err) == (2, True)
    assert (tmp_path / "new" / "p.html").read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("code", "words", "given"),
    [
        (3, "no such file", ["none.png"]),
        (2, "test images 0 to", ["synthetic:99999999"]),
        (2, "unknown data set", ["fashun:1"]),
        (2, "batch of one", ["synthetic:1", "--train", "1"]),
        (2, "label 12", ["synthetic:1", "--label", "12"]),
        (2, "unknown data set", ["synthetic:1", "--data", "fashun"]),
        (2, "--train 0 leaves out", ["synthetic:1", "--train", "0", "--data", "synthetic"]),
    ],
)
def test_mistakes_get_one_line(run, checkpoint, tmp_path, monkeypatch, code, words, given):
    monkeypatch.chdir(tmp_path)
    got, _, err = run("explain", checkpoint, *given)
    assert got == code
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / "explain.html").exists()

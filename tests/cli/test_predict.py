"""`numpycnn predict`."""

import json
import os
import re

import numpy as np
import pytest

import numpycnn as nc
from tests.helpers import pictures, small

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")


def test_predict_prints_the_top_classes(trained, run):
    from PIL import Image

    os.mkdir("meine Bilder")
    for i, image in enumerate(pictures(2)[0]):
        Image.fromarray(image[..., 0]).save(f"meine Bilder/ü {i}.png")
    paths = ["meine Bilder/ü 0.png", "meine Bilder/ü 1.png"]
    code, out, _ = run("predict", *paths, "--checkpoint", "run/best.npz")
    assert code == 0
    for path, line in zip(paths, out.splitlines(), strict=True):
        assert re.fullmatch(rf"{path}: \w+ \d+\.\d%, \w+ \d+\.\d%, \w+ \d+\.\d%", line)
    code, out, _ = run("predict", *paths, "--checkpoint", "run/best.npz", "--json")
    found = json.loads(out)["predictions"]
    assert [one["image"] for one in found] == paths
    for one in found:
        assert sum(one["probabilities"].values()) == pytest.approx(1, rel=1e-5)
        assert one["class"] == max(one["probabilities"], key=one["probabilities"].get)
    assert run("predict", "run/history.csv", "--checkpoint", "run/best.npz")[0] == 3


def test_a_file_of_the_training_data_is_predicted_as_it_was_trained_on(
    tmp_path, monkeypatch, no_report, run
):
    """On a light background too: the network sees the file, not its negative."""
    from PIL import Image

    x, y = pictures(60)
    for i, (image, label) in enumerate(zip(255 - x[..., 0], y, strict=True)):
        (tmp_path / "mine" / f"class {label}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "mine" / f"class {label}" / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    assert (
        run("train", "--model", "lenet5", "--data", "./mine", "--epochs", 1, "--out", "run")[0] == 0
    )
    path = f"mine/class {y[0]}/0.png"
    code, out, _ = run("predict", path, "--checkpoint", "run/last.npz", "--json")
    assert code == 0
    (found,) = json.loads(out)["predictions"]
    wanted = nc.predict(nc.load("run/last.npz"), 255 - x[:1])[0]
    np.testing.assert_allclose(list(found["probabilities"].values()), wanted, rtol=1e-5)


@pytest.fixture
def photos(data):
    """Two files "photo.png" in different folders; a checkpoint "net.npz" without class names."""
    from PIL import Image

    nc.save("net.npz", small(), data="bars")
    os.mkdir("b")
    for image, path in zip(pictures(2)[0], ("photo.png", "b/photo.png"), strict=True):
        Image.fromarray(image[..., 0]).save(path)
    return ["photo.png", "b/photo.png"]


def test_predict_with_a_checkpoint_that_names_no_classes(photos, run):
    code, out, _ = run("predict", "photo.png", "--checkpoint", "net.npz", "--json")
    assert code == 0
    (found,) = json.loads(out)["predictions"]
    assert list(found["probabilities"]) == ["0", "1", "2", "3"]
    assert (found["familiar"], found["shown"]) == (None, None)


def test_predict_shows_what_the_network_saw_and_writes_over_nothing(photos, run):
    from PIL import Image

    before = [open(path, "rb").read() for path in photos]
    command = ["predict", *photos, "--checkpoint", "net.npz", "--json", "--show"]
    shown = [
        [one["shown"] for one in json.loads(run(*command)[1])["predictions"]] for _ in range(2)
    ]
    assert shown == [
        ["photo-seen.png", "photo-seen-2.png"],
        ["photo-seen-3.png", "photo-seen-4.png"],
    ]
    _, out, _ = run(*command, "new/seen")
    assert [one["shown"] for one in json.loads(out)["predictions"]] == [
        os.path.join("new", "seen", "photo-seen.png"),
        os.path.join("new", "seen", "photo-seen-2.png"),
    ]
    assert [open(path, "rb").read() for path in photos] == before
    assert Image.open("new/seen/photo-seen.png").width > 1000
    code, out, _ = run("predict", "--checkpoint", "net.npz", "--show", "photo.png")
    assert (code, out.splitlines()[1]) == (
        0,
        "photo.png: what the network saw is in photo-seen-5.png",
    )
    assert run("predict", "photo.png", "--checkpoint", "net.npz", "--show", "one.png")[0] == 0
    assert Image.open("one.png").width > 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photo.png", "--show", "b/photo.png"], "exists"),
        (["photo.png", "--show", "new.jpg"], "folder or a file.png"),
        (["photo.png", "b/photo.png", "--show", "new.png"], "one file for 2 images"),
        (["--show"], "no IMAGE"),
        ([], "no IMAGE"),
    ],
)
def test_predict_refuses_a_place_for_the_picture(arguments, message, photos, run):
    files = set(os.listdir("."))
    code, out, err = run("predict", "--checkpoint", "net.npz", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert set(os.listdir(".")) == files


def test_predict_marks_what_is_not_familiar(photos, run, monkeypatch):
    from PIL import Image

    from numpycnn.inspection import out_of_distribution

    out_of_distribution.add("net.npz", pictures(1200)[0])
    Image.new("L", (50, 40), "white").save("blank.png")
    code, out, _ = run("predict", "photo.png", "blank.png", "--checkpoint", "net.npz")
    assert code == 0
    first, _, note = out.splitlines()
    assert first.startswith("photo.png: ")
    assert note == "note: blank.png looks like nothing in bars; do not trust this answer"
    _, out, _ = run("predict", "photo.png", "blank.png", "--checkpoint", "net.npz", "--json")
    assert [one["familiar"] for one in json.loads(out)["predictions"]] == [True, False]


def test_the_shipped_network_knows_a_blank_page(data, run):
    from PIL import Image

    Image.new("RGB", (300, 200), "white").save("blank.png")
    assert "note: blank.png looks like nothing in fashion-mnist" in run("predict", "blank.png")[1]


def test_one_broken_picture_of_twenty_costs_one_answer(trained, run):
    from PIL import Image

    paths = [f"{i}.png" for i in range(20)]
    for path, image in zip(paths, pictures(20)[0], strict=True):
        Image.fromarray(image[..., 0]).save(path)
    with open("7.png", "wb") as file:
        file.write(b"no picture")
    code, out, err = run("predict", *paths, "--checkpoint", "run/best.npz")
    assert code == 3
    assert [line.partition(":")[0] for line in out.splitlines()] == [*paths[:7], *paths[8:]]
    assert err.count("\n") == 1
    assert "7.png" in err
    code, out, _ = run(
        "predict", *paths, "--checkpoint", "run/best.npz", "--json", "--show", "seen"
    )
    found = json.loads(out)
    assert (code, len(found["predictions"]), len(found["errors"])) == (3, 19, 1)
    assert found["errors"][0]["image"] == "7.png"
    assert len(os.listdir("seen")) == 19
    code, out, err = run("predict", "7.png", "7.png", "--checkpoint", "run/best.npz")
    assert (code, out) == (3, "")

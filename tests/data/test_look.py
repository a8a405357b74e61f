"""The page about a data set: its findings are those that were put into the data."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from numpycnn import data
from numpycnn.data import look


def images(n, seed=0):
    cells = np.random.default_rng(seed).integers(0, 256, (n, 4, 4, 1))
    return cells.repeat(3, axis=1).repeat(3, axis=2).astype("u1")


def dataset(classes=("a", "<b>", "c"), n=180, **change):
    x, tx = images(n), images(30, 1)
    y, ty = np.arange(n) % 3, np.arange(30) % 3
    parts = {"x_train": x, "y_train": y, "x_test": tx, "y_test": ty, **change}
    return data.Dataset("mine", **parts, classes=classes)


def test_a_page_of_right_data(tmp_path):
    facts = look.write(tmp_path / "out", dataset())
    assert facts["findings"] == []
    assert facts["images"] == {"train": 180, "test": 30}
    assert facts["classes"]["<b>"] == {"train": 60, "test": 10}
    assert facts["exact_duplicates"] == {"groups": 0, "across_parts": 0}
    json.dumps(facts)
    page = (tmp_path / "out" / "look.html").read_text()
    assert "&lt;b&gt;" in page
    assert "<b>c" not in page
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "look.html", "means.png", "examples.png",
    }  # fmt: skip
    assert "nothing that looks wrong" in look.text(facts)


@pytest.mark.filterwarnings("ignore:.*no pixel")
def test_pixels_of_only_0_and_1_are_a_finding(tmp_path):
    facts = look.write(tmp_path, dataset(x_train=images(180) // 128))
    assert "no pixel of x_train is above 1" in facts["findings"][0]


def test_what_is_wrong_is_found(tmp_path):
    whole = dataset()
    x_test, y_test = whole.x_test.copy(), whole.y_test.copy()
    x_test[:4] = whole.x_train[:4]
    y_test[0] = 1  # the same image with two labels
    y_test[y_test == 2] = 0
    y = whole.y_train.copy()
    y[9:] = y[9:] % 2
    facts = look.write(tmp_path, dataset(x_test=x_test, y_test=y_test, y_train=y))
    found = "\n".join(facts["findings"])
    for words in (
        "no test image has the class c", "fewer than 50 training images (3 or less): c",
        "rare among the training images: c", "the same image in two parts, 4 times",
        "x_train[0] and x_test[0]", "the same image with two labels, 2 times",
    ):  # fmt: skip
        assert words in found, found
    assert facts["exact_duplicates"] == {"groups": 4, "across_parts": 4}
    assert (tmp_path / "duplicates.png").exists()


@pytest.mark.parametrize("channels", [2, 3])
@pytest.mark.parametrize("kind", ["u1", "f4"])
def test_other_images(tmp_path, channels, kind):
    x, tx = (images(n, n).repeat(channels, axis=3) for n in (60, 12))
    x, tx = (x / 255, tx / 255) if kind == "f4" else (x, tx)
    found = data.Dataset("m", x, np.arange(60) % 50, tx, np.arange(12), map(str, range(50)))
    facts = look.write(tmp_path, found)
    assert facts["size"] == [12, 12, channels]
    assert "The first 40 classes" in (tmp_path / "look.html").read_text()


def test_means_are_those_of_the_classes():
    found = dataset()
    means = look._means(found, range(3))
    for k in range(3):
        expected = found.x_train[found.y_train == k].mean(axis=0)
        np.testing.assert_allclose(means[k], expected, atol=0.51)


@pytest.mark.parametrize("split", [True, False])
def test_duplicates_have_the_names_of_their_files(split, tmp_path):
    """Also where the test images are drawn, and after a limit."""
    x = images(80)
    for i, image in enumerate(x):
        part = ("train", "test")[i % 4 == 3] if split else ""
        path = tmp_path / "mine" / part / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(path)
    copy = path.with_name("79 again.png")
    copy.write_bytes(path.read_bytes())
    other = tmp_path / "mine" / ("train/a" if split else "a") / "0 again.png"
    Image.fromarray(x[0, ..., 0]).save(other)
    found = data.load(str(tmp_path / "mine"))
    for part in found.parts:
        for file, image in zip(found.files[part], getattr(found, f"x_{part}"), strict=True):
            np.testing.assert_array_equal(np.asarray(Image.open(file)), image[..., 0])
    few = found.limit(30)
    for file, image in zip(few.files["train"], few.x_train, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(file)), image[..., 0])
    facts = look.write(tmp_path / "out", found)
    assert f"such as {other} and" in "\n".join(facts["findings"])
    with open(facts["duplicates"], newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["kind"] for row in rows] == ["exact"] * 4
    groups = [{row["image"] for row in rows if row["group"] == n} for n in "12"]
    first = tmp_path / "mine" / ("train/a" if split else "a") / "0.png"
    assert {frozenset(g) for g in groups} == {
        frozenset({str(first), str(other)}), frozenset({str(path), str(copy)})
    }  # fmt: skip
    for row in rows:
        assert found.files[row["part"]][int(row["index"])] == row["image"]
        assert row["class"] == row["image"].split("/")[-2]

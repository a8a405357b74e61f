"""Pictures become arrays of one size; all that are broken are named at once."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from numpycnn import data
from numpycnn.data.decode import Treatment, prepare
from numpycnn.errors import DatasetError
from tests.data.test_layout import load, refused
from tests.data.trees import folder, picture


def damage(path, how):
    content = path.read_bytes()
    if how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "pipe":
        path.unlink()
        os.mkfifo(path)
    elif how == "device":
        path.unlink()
        os.symlink("/dev/zero", path)
    elif how == "link to nothing":
        path.unlink()
        os.symlink(path.parent / "nothing", path)
    elif how == "16 bits":
        Image.fromarray(np.zeros((6, 6), "u2")).save(path)
    else:
        path.write_bytes(how)


KINDS = {
    "cut": "damaged or cut off", "pipe": "is a pipe", "device": "is a device",
    "link to nothing": "no such file", "16 bits": "not 8 bits", b"": "empty",
    b"<html>403</html>": "an HTML page", b"\x80\x04\x95": "a pickle",
    b"\0\0\0\x18ftypheic": "HEIC", b"version https://git-lfs.github.com/spec/v1": "Git LFS pointer",
    b"hello": "not a picture", b"%PDF-1.4": "a PDF",
}  # fmt: skip


def test_all_broken_pictures_are_named_at_once(tmp_path):
    folder(tmp_path, {"a": 12, "b": 12})
    for i, how in enumerate(KINDS):
        damage(tmp_path / "ab"[i % 2] / f"{i}.png", how)
    text = refused(tmp_path, "12 of 24 pictures are broken", "and 2 more", "--skip-broken")
    for i, word in list(enumerate(KINDS.values())):
        path = str(tmp_path / "ab"[i % 2] / f"{i}.png")
        if path in text:
            assert word in text[text.index(path) :].split("), ")[0]
    assert sum(str(tmp_path / "ab"[i % 2] / f"{i}.png") in text for i in range(12)) == 10


def test_broken_pictures_can_be_skipped(tmp_path):
    folder(tmp_path, {"train/a": 4, "train/b": 4, "test/a": 3, "test/b": 1})
    damage(tmp_path / "train" / "a" / "1.png", "cut")
    damage(tmp_path / "test" / "a" / "2.png", b"")
    found, said = load(tmp_path, skip_broken=True)
    assert (found.y_train.tolist(), found.y_test.tolist()) == ([0] * 3 + [1] * 4, [0, 0, 1])
    assert found.x_train[:, 0, 0, 0].tolist() == [0, 2, 3, 10, 11, 12, 13]
    assert found.x_test[:, 0, 0, 0].tolist() == [20, 21, 30]
    assert "2 of 12 pictures are broken" in said
    for path in (tmp_path / "train").glob("*/*"):
        path.write_bytes(b"")
    refused(tmp_path, "no training images", skip_broken=True)


def test_sizes_and_broken_ones_together(tmp_path):
    folder(tmp_path, ["a", "b"])
    picture(tmp_path / "a" / "0.png", size=(300, 200))
    damage(tmp_path / "b" / "2.png", b"")
    refused(tmp_path, "1 of 8 pictures is broken", "2 sizes, from 6x6 to 300x200", "--size 28")


def test_pictures_of_any_size_in_memory(tmp_path):
    sizes = [(40, 20), (20, 40), (31, 33), (200, 100)]
    for k, name in enumerate(("a", "b")):
        for i, size in enumerate(sizes):
            picture(tmp_path / name / f"{i}.jpg", 60 * k + 20 * i, size)
    before = {path: path.read_bytes() for path in tmp_path.glob("*/*")}
    for given, shape in ((16, (16, 16)), ((10, 20), (10, 20)), ([8, 12], (8, 12))):
        found, _ = load(tmp_path, size=given)
        assert found.x_train.shape[1:] == (*shape, 1)
        assert found.pictures == {"size": list(shape), "fit": "pad", "colour": False}
    assert {path: path.read_bytes() for path in tmp_path.glob("*/*")} == before
    assert load(tmp_path, size=16, colour=True)[0].x_train.shape[3] == 3
    for wrong in (0, -3, 5000, (1, 2, 3), "large", 1.5, True):
        refused(tmp_path, "expected", size=wrong)
    refused(tmp_path, "pad, crop, stretch", size=16, fit="squeeze")


def test_fit_without_a_size_is_named(tmp_path):
    for name in ("a/0.png", "a/1.png", "b/0.png", "b/1.png"):
        picture(tmp_path / name, 9)
    assert "fit='crop' does nothing, as no size is given" in load(tmp_path, fit="crop")[1]
    like = {"size": [8, 8], "fit": "pad", "colour": False}
    assert load(tmp_path, fit="crop", like=like)[1] == ""


def test_grey_and_colour_override(tmp_path):
    for name in ("a", "b"):
        for i in range(4):
            picture(tmp_path / name / f"{i}.png", 50, mode="RGB" if i else "L")
    assert load(tmp_path)[0].x_train.shape[3] == 3
    found, _ = load(tmp_path, colour=False)
    assert found.x_train.shape[3] == 1
    assert (found.x_train == 50).all()


BARS = Image.fromarray(np.repeat(np.array([10, 100, 200], "u1"), 20)[None].repeat(20, 0))  # 60 x 20


@pytest.mark.parametrize(
    ("fit", "top", "middle"),
    [
        ("pad", [10, 10, 200, 200], [10, 10, 200, 200]),
        ("crop", [100] * 4, [100] * 4),
        ("stretch", [10, 100, 100, 200], [10, 100, 100, 200]),
    ],
)
def test_the_three_fits(fit, top, middle):
    seen = prepare(BARS, Treatment((24, 24), fit, False))[..., 0]
    assert seen.shape == (24, 24)
    columns = [2, 11, 12, 21]
    if fit == "pad":  # 24 x 8 in the middle, the edge's grey above and below
        assert seen[8:16, [2, 12, 21]].tolist() == [[10, 100, 200]] * 8
        assert len(np.unique(seen[:8])) == 1
        assert (seen[:8] == seen[16:]).all()
    else:
        np.testing.assert_allclose(seen[0, columns], top, atol=4)
        np.testing.assert_allclose(seen[12, columns], middle, atol=4)


def test_resizing_is_antialiased():
    """A fine pattern becomes its mean, not a sample of it."""
    fine = (np.indices((128, 128)).sum(axis=0) % 2 * 200).astype("u1")
    for fit in ("pad", "crop", "stretch"):
        seen = prepare(Image.fromarray(fine), Treatment((16, 16), fit, False))
        np.testing.assert_allclose(seen[2:-2, 2:-2], 100, atol=4)


def test_a_picture_that_is_read_at_a_fraction_looks_the_same(tmp_path):
    """JPEG files are decoded at 1/2, 1/4 or 1/8 where that is enough."""
    ramp = np.linspace(0, 255, 800).astype("u1")[None].repeat(600, 0)
    for name in ("a", "b"):
        for i in range(3):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(ramp).save(tmp_path / name / f"{i}.jpg", quality=95)
    seen = load(tmp_path, size=(30, 40), fit="stretch")[0].x_train[0, :, :, 0]
    whole = np.asarray(Image.fromarray(ramp).resize((40, 30), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(seen.astype(int), whole, atol=3)


def test_size_and_the_like_are_for_pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", x_train=np.zeros((4, 5, 5), "u1"), y_train=np.arange(4) % 2)
    refused("a.npz", "size", "leave it out", size=5)
    refused("synthetic", "fit", fit="pad")
    assert data.load("a.npz", like={"size": [9, 9]}).x_train.shape[1:] == (5, 5, 1)


def test_only_kinds_of_pictures_that_run_nothing(tmp_path):
    """Pillow hands PostScript to another program."""
    folder(tmp_path, ["a", "b"])
    eps = io.BytesIO()
    Image.new("L", (6, 6)).save(eps, "EPS")
    (tmp_path / "a" / "0.png").write_bytes(eps.getvalue())
    refused(tmp_path, "not a picture")


def test_what_the_memory_cannot_hold(tmp_path, monkeypatch):
    folder(tmp_path, ["a", "b"])

    def no_memory(*_):
        raise MemoryError

    monkeypatch.setattr("numpycnn.data.decode.np.empty", no_memory)
    with pytest.raises(DatasetError, match=r"8 pictures of 6x6 pixels take .* GiB"):
        data.load(tmp_path)


def test_a_picture_is_read_for_a_network_as_its_training_pictures_were(tmp_path):
    """Size, fit and colour travel in the checkpoint's metadata."""
    for i in range(6):
        (tmp_path / "photos" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        picture = np.random.default_rng(i).integers(0, 256, (20 + i, 40, 3)).astype("u1")
        Image.fromarray(picture).save(tmp_path / "photos" / "ab"[i % 2] / f"{i}.png")
    for options in ({"size": 16}, {"size": (12, 20), "fit": "crop", "colour": False}):
        found, _ = load(tmp_path / "photos", **options)
        images = {image.tobytes() for image in np.concatenate([found.x_train, found.x_test])}
        for path in (tmp_path / "photos").glob("*/*"):
            metadata = {"pictures": found.pictures, "light": found.light}
            seen = data.read_for(metadata, path, found.x_train.shape[1:])
            assert seen.tobytes() in images
    assert data.read_for({}, path, (28, 28, 1)).shape == (28, 28, 1)  # as a garment's photo
    with pytest.raises(DatasetError, match="is a folder; expected a picture"):
        data.read_for(metadata, tmp_path, (12, 20, 1))

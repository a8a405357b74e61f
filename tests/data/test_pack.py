"""data pack: the same data set as from the folder, in files; stopped and taken up, or refused."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from numpycnn import data, fit, models
from numpycnn.data import archives, decode, pack
from numpycnn.data.options import Options
from numpycnn.data.rows import in_file
from numpycnn.data.sources import Folder
from numpycnn.errors import DatasetError
from tests.data.test_layout import load
from tests.data.trees import picture


@pytest.fixture
def photos(tmp_path):
    for k, name in enumerate(("a", "b", "c")):
        for i in range(8):
            picture(tmp_path / "photos" / name / f"{i}.png", 60 * k + i, (20 + i, 30))
    return tmp_path / "photos"


def packed(photos, out, **options):
    return pack.pack(Folder(photos), out, Options(size=12, **options))


def same(found, expected):
    assert found.sha256 == expected.sha256
    assert (found.mean, found.std) == (expected.mean, expected.std)
    assert (found.classes, found.pictures) == (expected.classes, expected.pictures)
    assert in_file(found.x_train)
    for part in found.parts:
        np.testing.assert_array_equal(
            np.asarray(getattr(found, f"x_{part}")), getattr(expected, f"x_{part}")
        )


def test_the_same_as_from_the_folder(photos, tmp_path):
    expected = data.load(photos, size=12)
    same(packed(photos, tmp_path / "out"), expected)
    same(data.load(tmp_path / "out"), expected)
    assert not (tmp_path / "out" / pack.STATE).exists()


def test_parts_colour_fit_and_archives(photos, tmp_path):
    for part, names in (("train", "abc"), ("val", "ab"), ("test", "c")):
        for name in names:
            shutil.copytree(photos / name, tmp_path / "own" / part / name)
    picture(tmp_path / "own" / "train" / "a" / "red.png", 200, mode="RGB")
    options = {"fit": "crop", "classes_at": 1}
    expected = data.load(tmp_path / "own", size=12, **options)
    assert expected.parts == ("train", "test", "val")
    same(packed(tmp_path / "own", tmp_path / "out", **options), expected)
    path = shutil.make_archive(str(tmp_path / "own"), "zip", tmp_path / "own")
    source = archives.open_archive(path)
    assert (
        pack.pack(source, tmp_path / "o2", Options(size=12, fit="crop")).sha256 == expected.sha256
    )


def test_stopped_anywhere_and_taken_up(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(pack, "EVERY", 3)
    expected = data.load(photos, size=12).sha256
    decoded = []
    whole = decode.decode

    def counted(source, name, treatment):
        decoded.append(name)
        return whole(source, name, treatment)

    monkeypatch.setattr(decode, "decode", counted)
    for stop in (0, 1, 3, 10, 18, 19, 20, 23):
        out = tmp_path / f"out{stop}"

        def progress(part, done, total, stop=stop):
            if len(decoded) > stop:
                raise KeyboardInterrupt

        decoded.clear()
        with pytest.raises(KeyboardInterrupt):
            pack.pack(Folder(photos), out, Options(size=12), progress)
        with pytest.raises(DatasetError, match=r"no array|cut off|train labels"):
            data.load(out)
        decoded.clear()
        assert packed(photos, out).sha256 == expected
        assert len(decoded) <= 24 - stop + 3  # what was done is not done again


KILLED = """
import os, signal, sys
from numpycnn.data import pack
from numpycnn.data.options import Options
from numpycnn.data.sources import Folder
pack.EVERY = 2
def progress(part, done, total):
    if part == "train" and done == int(sys.argv[3]): os.kill(os.getpid(), signal.SIGKILL)
pack.pack(Folder(sys.argv[1]), sys.argv[2], Options(size=12), progress)
"""


@pytest.mark.parametrize("at", [1, 4, 9, 19])
def test_kill_9_and_taken_up(photos, tmp_path, at):
    command = [sys.executable, "-c", KILLED, str(photos), str(tmp_path / "out"), str(at)]
    assert subprocess.run(command).returncode == -9
    assert packed(photos, tmp_path / "out").sha256 == data.load(photos, size=12).sha256


def test_broken_pictures(photos, tmp_path):
    for name in ("a/3.png", "c/7.png"):
        (photos / name).write_bytes(b"")
    with pytest.raises(DatasetError, match=r"2 of 24 pictures are broken: .*a/3.png \(empty\)"):
        packed(photos, tmp_path / "out")
    found = packed(photos, tmp_path / "out", skip_broken=True)
    assert len(found.y_train) + len(found.y_test) == 22
    expected = data.load(photos, size=12, skip_broken=True)
    images = {image.tobytes() for image in np.concatenate([found.x_train, found.x_test])}
    assert images == {i.tobytes() for i in np.concatenate([expected.x_train, expected.x_test])}
    with pytest.raises(DatasetError):
        packed(photos, tmp_path / "again")
    picture(photos / "a" / "3.png", 3, (23, 30))
    picture(photos / "c" / "7.png", 127, (27, 30))
    assert packed(photos, tmp_path / "again").sha256 == data.load(photos, size=12).sha256


def test_what_is_left_out_is_named_as_from_the_folder(photos, tmp_path):
    for name in ("a/3.png", "c/7.png"):
        (photos / name).write_bytes(b"")
    picture(photos / "loose.png")
    picture(photos / "a" / "deep" / "1.png")
    expected = load(photos, size=12, skip_broken=True)[1]
    for words in ("loose.png", "a/deep/1.png", "2 of 24 pictures are broken"):
        assert words in expected
    with pytest.warns(UserWarning, match="ignored") as said:
        packed(photos, tmp_path / "out", skip_broken=True)
    assert [str(one.message) for one in said] == [expected]


def test_refused(photos, tmp_path):
    with pytest.raises(DatasetError, match="--size 224"):
        pack.pack(Folder(photos), tmp_path / "out", Options())
    with pytest.raises(DatasetError, match="not empty"):
        packed(photos, photos)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / pack.STATE).write_text('{"plan": "another"}')
    with pytest.raises(DatasetError, match="another pack"):
        packed(photos, tmp_path / "out")


def test_what_was_noted_counts_only_for_the_same_files(photos, tmp_path):
    out = tmp_path / "out"
    packed(photos, out)
    about = json.loads((out / "dataset.json").read_text())
    about["noted"]["mean"] = 0.25
    (out / "dataset.json").write_text(json.dumps(about))
    assert data.load(out).mean == 0.25  # it was not computed again
    x = np.load(out / "x_train.npy")
    np.save(out / "x_train.npy", 255 - x)
    found = data.load(out)
    assert found.mean == pytest.approx((255 - x).mean() / 255)
    content = (out / "x_train.npy").read_bytes()
    (out / "x_train.npy").write_bytes(content[:-1])
    with pytest.raises(DatasetError, match=r"x_train.npy: cut off"):
        data.load(out)


def test_training_from_files_stopped_and_resumed_has_the_bits_of_memory(photos, tmp_path):
    """A data set in files, cut by limit and split, and the same one in memory."""
    in_files = packed(photos, tmp_path / "out")
    in_memory = data.load(photos, size=12)
    weights, calls = [], []

    def augment(x, rng):
        calls.append(len(x))
        if len(calls) == 8:
            raise KeyboardInterrupt
        return np.ascontiguousarray(x[:, :, :: rng.choice([1, -1])])

    for found, folder in ((in_memory, "a"), (in_files, "b"), (in_files, "c")):
        (x, y), validation = found.limit(17).split(4, seed=1)
        settings = {"epochs": 3, "batch_size": 4, "lr": 1e-2, "progress": False, "augment": augment}
        for resume in (False, True) if folder == "c" else (False,):
            calls[:] = [] if folder == "c" and not resume else [0] * 100
            net = models.build("lenet5", seed=0, classes=3, input_shape=(12, 12, 1))
            try:
                fit(
                    net,
                    x,
                    y,
                    validation=validation,
                    out=tmp_path / folder,
                    resume=resume,
                    **settings,
                )
            except KeyboardInterrupt:
                assert not resume
        weights.append([param.value.copy() for param in net.params()])
    for other in weights[1:]:
        for one, same_ in zip(weights[0], other, strict=True):
            np.testing.assert_array_equal(one, same_)

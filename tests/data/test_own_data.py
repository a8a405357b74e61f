"""A person's own data: an .npz, a folder of pictures, a folder of IDX files."""

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from numpycnn import data
from numpycnn.errors import DatasetError, UnknownNameError

MiB = 1 << 20
RNG = np.random.default_rng(0)
X, Y = RNG.integers(0, 256, (20, 6, 5)).astype("u1"), np.arange(20) % 4
ARRAYS = {"x_train": X, "y_train": Y, "x_test": X[:8], "y_test": Y[:8]}


def refused(path, word):
    with pytest.raises(DatasetError, match=word) as info:
        data.load(path)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("images", [X, X[..., None], np.stack([X] * 3, -1), (X / 255)[..., None]])
def test_npz(tmp_path, save, images):
    path = tmp_path / "my Bilder.npz"
    save(
        path,
        **{**ARRAYS, "x_train": images, "x_test": images[:8]},
        classes=np.array(["a", "b", "c", "ü"]),
    )
    for name in path, str(path):
        loaded = data.load(name)
        assert loaded.x_train.shape == (20, 6, 5, images.shape[3] if images.ndim == 4 else 1)
        np.testing.assert_allclose(loaded.x_test.ravel(), images[:8].ravel(), atol=1e-7)
        assert loaded.classes == ("a", "b", "c", "ü")
    assert data.load("anything", path=path).classes == ("a", "b", "c", "ü")


def test_npz_found_in_numpycnn_data(tmp_path, monkeypatch):
    np.savez(tmp_path / "mine.npz", **ARRAYS)
    monkeypatch.setenv("NUMPYCNN_DATA", str(tmp_path))
    assert data.load("mine.npz").classes == ("0", "1", "2", "3")


@pytest.mark.parametrize(
    ("word", "change"),
    [
        ("object", {"x_train": X.astype(object)}),
        ("object", {"classes": np.array(["a", None, 3, "d"], object)}),
        ("one name a class", {"classes": np.array(4)}),
        ("one name a class", {"classes": np.array([b"a", b"b", b"c", b"d"])}),
        ("two classes are named b", {"classes": np.array(["a", "b", "c", "b"])}),
        ("argmax", {"y_train": np.eye(4)[Y]}),
        ("20 images .* 19 labels", {"y_train": Y[:19]}),
        ("NaN", {"x_train": np.full((20, 6, 5), np.nan)}),
        (r"y_test\[0\] is 9", {"y_test": Y[:8] + 9, "classes": np.array(list("abcd"))}),
    ],
)
def test_npz_refused(tmp_path, word, change):
    np.savez(tmp_path / "a.npz", **{**ARRAYS, **change})
    refused(tmp_path / "a.npz", word)


def test_npz_without_an_array_or_no_npz_at_all(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=X, y_train=Y, x_test=X, mean=X)
    refused(tmp_path / "a.npz", "no array with the test labels; .* it has mean, x_test, x_train")
    (tmp_path / "b.npz").write_bytes(b"hello")
    refused(tmp_path / "b.npz", "not a known format")
    (tmp_path / "c.npz").write_bytes(b"")
    refused(tmp_path / "c.npz", "this is empty")
    refused(tmp_path / "missing.npz", "no such file")


def test_npz_cut_or_flipped_anywhere_is_refused_or_equal(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, **ARRAYS)
    content = path.read_bytes()
    expected = data.load(path).sha256
    for i in range(0, len(content), 23):
        path.write_bytes(content[:i])
        refused(path, ".")
        damaged = bytearray(content)
        damaged[i] ^= 0x11
        path.write_bytes(bytes(damaged))
        try:
            assert data.load(path).sha256 == expected
        except DatasetError as error:
            assert "\n" not in str(error)  # noqa: PT017


def npy_header(shape, descr="|u1"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


def write_zip(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)


def peak(path, word):
    tracemalloc.start()
    try:
        refused(path, word)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_npz_with_lying_headers_and_bombs(tmp_path):
    good = {}
    for name, array in ARRAYS.items():
        file = io.BytesIO()
        np.save(file, array)
        good[name] = file.getvalue()
    path = tmp_path / "a.npz"
    write_zip(path, **good)
    assert data.load(path).sha256
    write_zip(path, **{**good, "x_train": npy_header((1 << 35,)) + b"few"})
    assert peak(path, "asks for") < 4 * MiB
    write_zip(path, **{**good, "x_train": npy_header((100 * MiB,)) + bytes(100 * MiB)})
    assert peak(path, "zip bomb") < 4 * MiB
    write_zip(path, **{**good, "x_train": npy_header((-5,))})
    refused(path, ".")
    write_zip(path, **{**good, "x_train": good["x_train"] + b"trailing"})
    refused(path, "asks for")


def pictures(folder, n=10, size=(5, 6), mode="L", suffix=".png", classes=("cat", "dog")):
    image = pytest.importorskip("PIL.Image")
    for k, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i in range(n):
            image.new(mode, size, (10 * k + i,) * 3 if mode == "RGB" else 10 * k + i).save(
                folder / name / f"{i:02}{suffix}"
            )
    return folder


def test_folder_of_pictures(tmp_path):
    folder = pictures(tmp_path / "my pets ü")
    (folder / "cat" / "notes.txt").write_text("not a picture")
    (folder / "cat" / ".hidden.png").write_text("neither")
    pets = data.load(folder)
    assert pets.classes == ("cat", "dog")
    assert pets.x_train.shape == (16, 6, 5, 1)  # height 6, width 5
    assert np.bincount(pets.y_test).tolist() == [2, 2]
    for x, y in (pets.x_train, pets.y_train), (pets.x_test, pets.y_test):
        np.testing.assert_array_equal(x[:, 0, 0, 0] // 10, y)
    assert pets.sha256 == data.load(str(folder)).sha256
    assert "of which 4 drawn for testing" in pets.source


def test_folder_with_train_and_test_and_colours(tmp_path):
    pictures(tmp_path / "train", 3, mode="RGB", suffix=".bmp")
    pictures(tmp_path / "test", 2, mode="L", classes=("dog",))
    pets = data.load(tmp_path)
    assert pets.x_train.shape == (6, 6, 5, 3)
    assert pets.y_train.tolist() == [0, 0, 0, 1, 1, 1]
    assert pets.y_test.tolist() == [1, 1]


def test_a_picture_is_read_for_training_as_for_prediction(tmp_path):
    """Upright as the camera says, white where it is transparent."""
    from PIL import Image

    (tmp_path / "a").mkdir()
    turned = Image.Exif()
    turned[0x0112] = 6
    clear = np.stack([X[1], X[1], X[1], np.full((6, 5), 255, "u1")], -1)
    clear[:3, :, 3] = 0
    Image.fromarray(np.rot90(X[0])).save(tmp_path / "a" / "0.png", exif=turned)
    Image.fromarray(clear).save(tmp_path / "a" / "1.png")
    for i in (2, 3):
        Image.fromarray(X[i]).save(tmp_path / "a" / f"{i}.png")
    loaded = data.load(tmp_path)
    read = np.concatenate([loaded.x_train, loaded.x_test])
    wanted = [X[0], np.where(clear[..., 3] == 255, X[1], 255), X[2], X[3]]
    assert {image.tobytes() for image in read[..., 0]} == {
        image.astype("u1").tobytes() for image in wanted
    }


def test_a_folder_that_is_called_like_a_known_data_set_has_a_name_that_loads_it(
    tmp_path, monkeypatch
):
    from PIL import Image

    (tmp_path / "mnist" / "a").mkdir(parents=True)
    for i in range(4):
        Image.fromarray(X[i]).save(tmp_path / "mnist" / "a" / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    loaded = data.load("./mnist")
    assert loaded.name == "./mnist"
    assert data.load(loaded.name).sha256 == loaded.sha256


@pytest.mark.parametrize(
    ("images", "light"), [(X, None), (X // 4, False), (255 - X // 4, True), (X / 1020, False)]
)
def test_whether_the_background_is_light(tmp_path, images, light):
    np.savez(tmp_path / "a.npz", **{**ARRAYS, "x_train": images, "x_test": images[:8]})
    found = data.load(tmp_path / "a.npz")
    edge = np.concatenate(
        [found.x_train[:, i] for i in (0, -1)] + [found.x_train[:, :, i] for i in (0, -1)], axis=1
    )
    assert found.light == (edge.mean() / found.x_train.max() > 0.5 if light is None else light)


def test_folder_refused(tmp_path):
    image = pytest.importorskip("PIL.Image")
    refused(tmp_path, "no pictures")
    folder = pictures(tmp_path / "a")
    image.new("L", (9, 9)).save(folder / "dog" / "large.png")
    refused(folder, "from 5x6 to 9x9 pixels.*--size 28")
    content = (folder / "dog" / "00.png").read_bytes()
    (folder / "dog" / "large.png").write_bytes(content[:50])
    refused(folder, "large.png .damaged or cut off")
    (folder / "dog" / "large.png").write_bytes(b"<html>")
    refused(folder, "large.png .an HTML page")
    image.fromarray(np.zeros((6, 5), "u2")).save(folder / "dog" / "large.png")
    refused(folder, "8 bits")
    refused(pictures(tmp_path / "b", 1, classes=("x", "y")), "2 images; expected at least 3")


def idx(array):
    return (
        bytes([0, 0, 8, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.astype("u1").tobytes()
    )


def test_folder_of_idx_files(tmp_path):
    for name, array in zip(("train", "t10k"), (X, X[:8]), strict=True):
        (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(idx(array))
        (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(idx(Y[: len(array)]))
    loaded = data.load(tmp_path)
    np.testing.assert_array_equal(loaded.x_train[..., 0], X)
    np.testing.assert_array_equal(loaded.y_test, Y[:8])
    assert loaded.classes == ("0", "1", "2", "3")
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(Y[:19]))
    refused(tmp_path, "20 images .* 19 labels")
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    refused(tmp_path, "the train labels not found beside")


def test_unknown_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NUMPYCNN_DATA", raising=False)
    with pytest.raises(UnknownNameError, match="fashion-mnist"):
        data.load("fashion-mnits")
    refused("./fashion-mnits/", "no such file")
    refused("a/b", "no such file")


def parts(images="{}_images", labels="{}_labels", names=("train", "val", "test"), column=True):
    """Arrays as MedMNIST calls them: labels (N, 1)."""
    found = {}
    for part, n in zip(names, (20, 8, 12), strict=True):
        found[images.format(part)] = X[:n]
        found[labels.format(part)] = Y[:n, None].astype("u1") if column else Y[:n]
    return found


@pytest.mark.parametrize(
    "arrays",
    [
        parts(),
        parts("X_{}", "Y_{}", ("train", "val", "test")),
        parts("x_{}", "y_{}", ("training", "valid", "test"), column=False),
        parts("{}X", "{}Y", ("train", "dev", "test")),
        parts("{}_data", "{}_targets", ("Train", "Validation", "Test")),
    ],
)
def test_npz_under_other_names(tmp_path, arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    found = data.load(tmp_path / "a.npz")
    assert (len(found.x_train), len(found.x_val), len(found.x_test)) == (20, 8, 12)
    np.testing.assert_array_equal(found.y_val, Y[:8])
    np.testing.assert_array_equal(found.x_test[..., 0], X[:12])


def test_npz_without_names(tmp_path):
    np.savez(tmp_path / "a.npz", X, Y, X[:8], Y[:8])
    assert data.load(tmp_path / "a.npz").sha256 == data.load(save(tmp_path, **ARRAYS)).sha256
    np.savez(tmp_path / "a.npz", X, X[:8], Y, Y[:8])
    np.testing.assert_array_equal(data.load(tmp_path / "a.npz").y_test, Y[:8])
    np.savez(tmp_path / "a.npz", X, Y)
    assert len(data.load(tmp_path / "a.npz").y_test) == 4


def save(folder, **arrays):
    np.savez(folder / "own.npz", **arrays)
    return folder / "own.npz"


def test_npz_with_one_part_is_cut_and_with_two_validation_is_the_test(tmp_path):
    found = data.load(save(tmp_path, images=X, labels=Y))
    assert (len(found.x_train), len(found.x_test)) == (16, 4)
    assert "4 drawn for testing" in found.source
    found = data.load(save(tmp_path, x_train=X, y_train=Y, x_val=X[:8], y_val=Y[:8]))
    assert len(found.x_test) == 8


@pytest.mark.parametrize(
    ("word", "arrays"),
    [
        ("volumes", {"train_images": np.zeros((4, 7, 7, 7), "u1"), "train_labels": np.arange(4)}),
        ("both", {**ARRAYS, "train_images": X}),
        ("no array with the val labels", {**ARRAYS, "x_val": X}),
        ("the train labels", {"x": X[0, 0], "weights": X}),
        ("5 images and 20 labels", {"x": X[:5], "y": Y}),
    ],
)
def test_npz_of_other_things(tmp_path, word, arrays):
    refused(save(tmp_path, **arrays), word)


@pytest.mark.parametrize("kind", ["device", "pipe", "folder", "missing"])
@pytest.mark.parametrize("name", ["a.npz", "a.csv", "t/train-images-idx3-ubyte", "c/x.png"])
def test_nothing_is_opened_but_regular_files(tmp_path, kind, name):
    import os

    path = tmp_path / "data" / name
    path.parent.mkdir(parents=True)
    if kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path) if kind == "pipe" else os.symlink(
            "/dev/zero" if kind == "device" else "/nowhere", path
        )
    whole = path if "/" not in name else tmp_path / "data"
    if "/t/" in str(path):
        (path.parent / "train-labels-idx1-ubyte").write_bytes(idx(Y))
    if kind == "folder":
        refused(whole, "no pictures|train images")
    else:
        refused(whole, f"is a {kind}; expected" if kind != "missing" else "no such file")


def test_names_are_printed_without_what_a_terminal_obeys(tmp_path):
    evil = "\x1b[31mred\x07\n\u202etxt"
    found = data.load(pictures(tmp_path / "a", classes=(evil, "dog")))
    assert found.classes == ("\\x1b[31mred\\x07\\n\\u202etxt", "dog")
    found = data.load(save(tmp_path, **ARRAYS, classes=np.array([evil, "b", "c", "ü"])))
    assert found.classes[0].isprintable()
    assert found.classes[3] == "ü"
    (tmp_path / "a" / evil / "bad\x1b]0;.png").write_bytes(b"")
    with pytest.raises(DatasetError, match="empty") as info:
        data.load(tmp_path / "a")
    assert str(info.value).isprintable()


def test_more_classes_than_a_table_can_hold(tmp_path):
    refused(save(tmp_path, **ARRAYS, classes=np.arange(10_001)), "10,001 classes")
    refused(save(tmp_path, **{**ARRAYS, "y_train": Y * 10_000}), "30000")

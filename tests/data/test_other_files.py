"""Arrays in .npy files, CIFAR's binary form, Parquet files."""

import hashlib
import io
import json
import sys
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from numpycnn import data
from numpycnn.data import official
from numpycnn.errors import DatasetError, MissingPackage
from tests.data.test_layout import load, refused
from tests.data.trees import arrays, picture

X, Y = arrays(20)


def save(root, **found):
    root.mkdir(exist_ok=True)
    for name, array in found.items():
        np.save(root / f"{name}.npy", array)
    return root


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"), ("X", "y", "X_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("fashion-train-imgs", "fashion-train-labels", "fashion-test-imgs", "fashion-test-labels"),
    ],
)  # fmt: skip
def test_npy_files_are_mapped(tmp_path, names):
    found, _ = load(save(tmp_path / "a", **dict(zip(names, (X, Y, X[:5], Y[:5]), strict=True))))
    np.testing.assert_array_equal(found.x_train[..., 0], X)
    np.testing.assert_array_equal(found.y_test, Y[:5])
    base = found.x_train
    while base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


def test_one_pair_and_pictures_beside(tmp_path):
    save(tmp_path / "a", images=X, labels=Y[:, None])
    picture(tmp_path / "a" / "preview.png")
    found, said = load(tmp_path / "a")
    assert (len(found.x_train), len(found.x_test)) == (16, 4)
    assert "1 picture beside the arrays" in said


def test_the_npz_files_of_kmnist(tmp_path):
    for part, n in (("train", 20), ("test", 6)):
        np.savez_compressed(tmp_path / f"kmnist-{part}-imgs.npz", X[:n])
        np.savez_compressed(tmp_path / f"kmnist-{part}-labels.npz", Y[:n])
    found, _ = load(tmp_path)
    assert (len(found.x_train), len(found.x_test)) == (20, 6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda b: b[:-1], ("x_train.npy: cut off",)),
        (lambda b: b + b"x", ("longer than its header says",)),
        (lambda b: b.replace(b"20, 6", b"-9, 6"), ("x_train.npy",)),
        (lambda b: b"\x93NUMPY\x07\x00" + b[8:], ("version",)),
        (lambda b: b"hello", ("x_train.npy",)),
        (lambda b: b"", ("x_train.npy",)),
    ],
)
def test_damaged_npy(tmp_path, change, words):
    save(tmp_path / "a", x_train=X, y_train=Y)
    path = tmp_path / "a" / "x_train.npy"
    path.write_bytes(change(path.read_bytes()))
    refused(tmp_path / "a", *words)


def test_other_faults_of_arrays(tmp_path):
    save(tmp_path / "a", x_train=np.array([None, 1]), y_train=Y)
    refused(tmp_path / "a", "pickle", "never opened")
    save(tmp_path / "b", x_train=X, x_test=X)
    refused(tmp_path / "b", "no array with the test labels and the train labels")
    save(tmp_path / "c", x_train=X, y_train=Y)
    (tmp_path / "c" / "dataset.json").write_text("{")
    refused(tmp_path / "c", "dataset.json: not JSON")


# ---- CIFAR --------------------------------------------------------------------------------------


def cifar(root, hundred=False):
    root.mkdir(parents=True)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, 3, 32, 32)).astype("u1")  # planes
    labels = np.arange(8) % 3
    rows = np.concatenate([labels[:, None], images.reshape(8, -1)], axis=1).astype("u1")
    if hundred:
        rows = np.concatenate([np.full((8, 1), 9, "u1"), rows], axis=1)
        (root / "train.bin").write_bytes(rows.tobytes())
        (root / "test.bin").write_bytes(rows[:3].tobytes())
        (root / "fine_label_names.txt").write_text("apple\nbear\nclock\n")
    else:
        for i in range(2):
            (root / f"data_batch_{i + 1}.bin").write_bytes(rows[4 * i : 4 * i + 4].tobytes())
        (root / "test_batch.bin").write_bytes(rows[:3].tobytes())
        (root / "batches.meta.txt").write_text("apple\nbear\nclock\n\n")
    return images, labels


@pytest.mark.parametrize("hundred", [False, True])
def test_cifar(tmp_path, hundred):
    images, labels = cifar(tmp_path / "cifar-batches-bin", hundred)
    found, _ = load(tmp_path)
    np.testing.assert_array_equal(found.x_train, images.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(found.y_train, labels)
    assert found.classes == ("apple", "bear", "clock")
    assert len(found.x_test) == 3


def test_cifar_refused(tmp_path):
    cifar(tmp_path / "a")
    path = tmp_path / "a" / "test_batch.bin"
    path.write_bytes(path.read_bytes()[:-1])
    refused(tmp_path / "a", "test_batch.bin", "multiple of 3073")
    (tmp_path / "b" / "cifar-10-batches-py").mkdir(parents=True)
    for name in ("data_batch_1", "test_batch", "batches.meta"):
        (tmp_path / "b" / "cifar-10-batches-py" / name).write_bytes(b"\x80\x02}q")
    refused(tmp_path / "b", "pickles", "cifar-10-binary.tar.gz")


def test_cifar10_by_name(tmp_path, monkeypatch):
    """Its archive is verified, then read where it is."""
    images, _ = cifar(tmp_path / "cifar-10-batches-bin")
    path = tmp_path / "sets" / "cifar10" / "cifar-10-binary.tar.gz"
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tmp_path / "cifar-10-batches-bin", "cifar-10-batches-bin")
    monkeypatch.setenv("NUMPYCNN_DATA", str(tmp_path / "sets"))
    with pytest.raises(DatasetError, match="not the official file of cifar10"):
        data.load("cifar10")
    digest = "md5:" + hashlib.md5(path.read_bytes()).hexdigest()
    entry = replace(official.OFFICIAL["cifar10"], files={path.name: digest})
    monkeypatch.setitem(official.OFFICIAL, "cifar10", entry)
    found = data.load("cifar10")
    assert (found.name, found.classes[3]) == ("cifar10", "cat")
    np.testing.assert_array_equal(found.x_train, images.transpose(0, 2, 3, 1))


# ---- Parquet ------------------------------------------------------------------------------------


def rows(n, first=0):
    found = []
    for i in range(first, first + n):
        file = io.BytesIO()
        Image.new("L", (6, 6), i).save(file, "PNG")
        found.append({"image": {"bytes": file.getvalue(), "path": None}, "label": i % 3})
    return found


def parquet(path, found, names=("ü", "b", "c")):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    table = pyarrow.Table.from_pylist(found)
    features = {"label": {"names": list(names), "_type": "ClassLabel"}}
    about = {"huggingface": json.dumps({"info": {"features": features}})}
    parquet.write_table(table.replace_schema_metadata(about if names else {}), path)


def test_parquet(tmp_path):
    parquet(tmp_path / "data" / "train-00000-of-00002.parquet", rows(9))
    parquet(tmp_path / "data" / "train-00001-of-00002.parquet", rows(3, 9))
    parquet(tmp_path / "data" / "test-00000-of-00001.parquet", rows(6))
    parquet(tmp_path / "data" / "validation-00000-of-00001.parquet", rows(3))
    found, _ = load(tmp_path)
    assert found.classes == ("ü", "b", "c")
    assert found.x_train[:, 0, 0, 0].tolist() == list(range(12))
    assert found.y_train.tolist() == [i % 3 for i in range(12)]
    assert (len(found.x_val), len(found.x_test)) == (3, 6)
    assert load(tmp_path, size=10, colour=True)[0].x_test.shape == (6, 10, 10, 3)


def test_one_parquet_file_and_other_columns(tmp_path):
    named = [{"img": row["image"]["bytes"], "fine_label": row["label"]} for row in rows(9)]
    parquet(tmp_path / "a.parquet", named, names=())
    found, _ = load(tmp_path / "a.parquet")
    assert found.classes == ("0", "1", "2")
    assert len(found.x_test) == 2


def test_parquet_refused(tmp_path, monkeypatch):
    found = rows(9)
    found[4]["image"]["bytes"] = b"<html>"
    parquet(tmp_path / "a.parquet", found)
    refused(tmp_path / "a.parquet", "1 of 9 pictures is broken", "row 4 (an HTML page)")
    assert "row 4" in load(tmp_path / "a.parquet", skip_broken=True)[0].source
    parquet(tmp_path / "b.parquet", [{"text": "x", "label": 1}])
    refused(tmp_path / "b.parquet", "columns text, label", "expected image and label")
    parquet(tmp_path / "c.parquet", [{"image": {"bytes": None, "path": "x.png"}, "label": 1}])
    refused(tmp_path / "c.parquet", "row 0 has no picture inside")
    content = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(content[: len(content) // 2])
    refused(tmp_path / "a.parquet", "not a whole Parquet file")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackage, match=r"numpycnn\[parquet\]"):
        load(tmp_path / "b.parquet")

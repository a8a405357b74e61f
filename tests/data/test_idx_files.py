"""A person's own IDX files, as they are called and nested by those who hand them out."""

import gzip

import numpy as np
import pytest

from tests.data.test_layout import load, refused
from tests.data.trees import arrays, idx_bytes

X, Y = arrays(12)


def write(root, pattern, packed=False, parts=("train", "t10k")):
    """pattern: with {part}, {what}, {n}."""
    for part, n in zip(parts, (12, 4), strict=False):
        for what, dimensions, array in (("images", 3, X), ("labels", 1, Y)):
            path = root / pattern.format(part=part, what=what, n=dimensions)
            path.parent.mkdir(parents=True, exist_ok=True)
            content = idx_bytes(array[:n])
            path.write_bytes(gzip.compress(content) if packed else content)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "pattern",
    [
        "{part}-images-idx3-ubyte",
        "{part}-{what}-idx{n}-ubyte", "{part}-{what}.idx{n}-ubyte", "{part}_{what}_idx{n}_ubyte",
        "{part}-{what}-idx{n}-ubyte/{part}-{what}-idx{n}-ubyte",
        "MNIST/raw/{part}-{what}-idx{n}-ubyte",
        "{part}-{what}.idx{n}-ubyte/{part}-{what}.idx{n}-ubyte", "raw/{part}{what}.idx{n}.ubyte",
        "archive/own-letters-{part}-{what}-idx{n}-ubyte", "{part}/{part}-{what}-idx{n}-ubyte",
    ][1:],
)  # fmt: skip
def test_names_and_nestings(tmp_path, pattern, packed):
    write(tmp_path, pattern + (".gz" if packed else ""), packed)
    found, said = load(tmp_path)
    np.testing.assert_array_equal(found.x_train[..., 0], X)
    np.testing.assert_array_equal(found.y_test, Y[:4])
    assert said == ""


@pytest.mark.parametrize(
    "parts", [("train", "test"), ("training", "validation"), ("Train", "Test")]
)
def test_names_of_parts(tmp_path, parts):
    write(tmp_path, "{part}-{what}-idx{n}-ubyte", parts=parts)
    assert len(load(tmp_path)[0].y_test) == 4


def test_only_a_training_set(tmp_path):
    write(tmp_path, "{part}-{what}-idx{n}-ubyte", parts=("train",))
    found, _ = load(tmp_path)
    assert (len(found.y_train), len(found.y_test)) == (10, 2)


def test_files_that_are_missing(tmp_path):
    write(tmp_path, "{part}-{what}.idx{n}-ubyte")
    (tmp_path / "t10k-labels.idx1-ubyte").unlink()
    refused(tmp_path, "the test labels not found", "train-images.idx3-ubyte", "t10k-")
    (tmp_path / "train-images.idx3-ubyte").unlink()
    refused(tmp_path, "the test labels and the train images not found")


def test_several_sets_in_one_folder(tmp_path):
    for first in ("letters", "digits"):
        write(tmp_path, f"emnist-{first}-{{part}}-{{what}}-idx{{n}}-ubyte")
    refused(tmp_path, "2 data sets", "emnist-digits, emnist-letters", "folder of its own")


def test_an_archive_of_windows_where_a_folder_has_the_file_s_name_beside_pictures(tmp_path):
    write(tmp_path, "{part}-{what}-idx{n}-ubyte/{part}-{what}-idx{n}-ubyte")
    (tmp_path / "sample.png").write_bytes(b"x")
    assert load(tmp_path)[0].x_train.shape == (12, 6, 6, 1)


@pytest.mark.parametrize(("split", "first", "name"), [("letters", 1, "A"), ("digits", 0, "0")])
def test_emnist_stands_upright_and_counts_from_its_first_class(tmp_path, split, first, name):
    """Known by the files' names, where a person unpacked them."""
    x, y = arrays(52)
    y = np.arange(52) % 10 + first
    for part, n in (("train", 52), ("test", 26)):
        stem = tmp_path / f"emnist-{split}-{part}"
        stem.with_name(f"{stem.name}-images-idx3-ubyte").write_bytes(idx_bytes(x[:n]))
        stem.with_name(f"{stem.name}-labels-idx1-ubyte").write_bytes(idx_bytes(y[:n]))
    found, _ = load(tmp_path)
    np.testing.assert_array_equal(found.x_train[..., 0], x.transpose(0, 2, 1))
    assert found.y_train.min() == 0
    assert found.classes[0] == name


def test_qmnist_s_labels_are_the_first_of_eight_columns(tmp_path):
    for part in ("train", "test"):
        labels = np.stack([Y, *[Y * 7 + 3] * 7], axis=1).astype(">i4")
        head = bytes([0, 0, 12, 2]) + np.array(labels.shape, ">u4").tobytes()
        path = tmp_path / f"qmnist-{part}-labels-idx2-int.gz"
        path.write_bytes(gzip.compress(head + labels.tobytes()))
        path = tmp_path / f"qmnist-{part}-images-idx3-ubyte.gz"
        path.write_bytes(gzip.compress(idx_bytes(X)))
    np.testing.assert_array_equal(load(tmp_path)[0].y_train, Y)

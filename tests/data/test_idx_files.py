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
        "archive/emnist-letters-{part}-{what}-idx{n}-ubyte", "{part}/{part}-{what}-idx{n}-ubyte",
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

"""Own data of every kind, cut, flipped and spliced: a data set, or one line that names the file."""

import random
import shutil
import tracemalloc
import warnings

import numpy as np
import pytest

from numpycnn import data
from numpycnn.errors import DatasetError
from tests.data import test_archives, test_csv, test_other_files
from tests.data.trees import folder
from tests.faults.test_data_faults import cut, flip, splice

ALLOWANCE = 64 << 20  # bytes beyond 20 times the file's size


def sample(kind, root):
    """A right file of a kind; the path to load is the file's, or its folder's."""
    if kind in ("zip", "tar.gz", "tar"):
        test_archives.make_pictures(root / "own")
        return test_archives.pack(root / "own", kind)
    if kind == "npz":
        test_archives.make_npz(root / "own")
        return root / "own" / "own.npz"
    if kind == "npy":
        test_archives.make_npy(root / "own")
        return root / "own" / "x_train.npy"
    if kind == "csv":
        return test_csv.table(root / "a.csv", test_csv.rows(), test_csv.NAMES)
    if kind == "cifar":
        test_other_files.cifar(root / "own")
        return root / "own" / "test_batch.bin"
    if kind == "parquet":
        test_other_files.parquet(root / "a.parquet", test_other_files.rows(9))
        return root / "a.parquet"
    folder(root / "own", ["a", "b"])
    path = root / "own" / "a" / "0.png"
    if kind == "jpg":
        path = path.with_suffix(".jpg")
        test_archives.picture(path)
    return path


KINDS = ["zip", "tar.gz", "tar", "npz", "npy", "csv", "cifar", "parquet", "png", "jpg"]


@pytest.mark.parametrize("kind", KINDS)
def test_mutated(tmp_path, kind):
    draw = random.Random(0)
    path = sample(kind, tmp_path)
    whole = tmp_path / "own" if kind in ("npy", "cifar", "png", "jpg") else path
    content = path.read_bytes()
    assert len(data.load(whole).classes) > 1
    refused = 0
    tracemalloc.start()
    try:
        for number in range(60):
            damaged = draw.choice([cut, flip, splice])(draw, content)
            path.write_bytes(damaged)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found = data.load(whole)
                assert np.asarray(found.x_train).dtype in (np.uint8, np.float32), number
            except DatasetError as error:
                refused += 1
                assert str(tmp_path) in str(error)  # noqa: PT017
                assert "\n" not in str(error)  # noqa: PT017
            peak = tracemalloc.get_traced_memory()[1] - before
            assert peak < 20 * len(damaged) + ALLOWANCE, number
    finally:
        tracemalloc.stop()
        shutil.rmtree(tmp_path / "own", ignore_errors=True)
    assert refused > 5

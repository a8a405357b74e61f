"""Images in files: the same values, order and bits as from memory, and no copy of the whole."""

import threading
import time
import tracemalloc

import numpy as np
import pytest

from numpycnn import data, layers
from numpycnn.data import rows
from numpycnn.data.batches import batches
from numpycnn.data.dataset import Dataset
from numpycnn.training import loop

X = np.random.default_rng(0).integers(0, 256, (60, 6, 5, 1)).astype("u1")
Y = np.arange(60) % 3


@pytest.fixture
def mapped(tmp_path):
    np.save(tmp_path / "x.npy", X)
    return np.load(tmp_path / "x.npy", mmap_mode="r")


@pytest.mark.parametrize("index", [np.arange(60)[::-1], np.array([3, 3, 59, 0]), np.arange(0)])
def test_rows_are_like_the_array_of_them(mapped, index):
    found, expected = rows.Rows(mapped, index), X[index]
    assert (found.shape, found.dtype, found.ndim) == (expected.shape, expected.dtype, 4)
    assert (len(found), found.size) == (len(expected), expected.size)
    np.testing.assert_array_equal(np.asarray(found), expected)
    for chosen in (slice(1, 3), slice(None, None, 2), np.array([], int), slice(0, 0)):
        np.testing.assert_array_equal(np.asarray(found[chosen]), expected[chosen])
        np.testing.assert_array_equal(found[chosen, 1], expected[chosen, 1])
    if len(index):
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[np.array([0, -1])], expected[[0, -1]])
        np.testing.assert_array_equal(found[:, [0, -1]], expected[:, [0, -1]])


def test_what_is_in_a_file(mapped):
    assert rows.in_file(mapped)
    assert rows.in_file(np.ascontiguousarray(mapped))
    assert rows.in_file(mapped[3:, ::2])
    assert rows.in_file(rows.Rows(X, [1]))
    assert not rows.in_file(X)
    assert not rows.in_file(mapped + 1)
    assert isinstance(rows.take(mapped, Y == 1), rows.Rows)
    assert isinstance(rows.take(X, Y == 1), np.ndarray)
    twice = rows.take(rows.take(mapped, Y > 0), np.array([5, 1]))
    assert twice.array is mapped
    np.testing.assert_array_equal(twice, X[Y > 0][[5, 1]])


def test_a_span_of_rows_is_no_copy(mapped):
    part = rows.span(rows.Rows(mapped, np.arange(60)[::-1]), 5, 50)
    assert isinstance(part, rows.Rows)
    np.testing.assert_array_equal(part, X[::-1][5:50])
    assert rows.in_file(rows.span(mapped, 5, 50))
    np.testing.assert_array_equal(rows.span(X, 5, 50), X[5:50])


def test_validation_in_a_file_is_read_batch_by_batch(mapped, monkeypatch):
    largest, whole = [], rows.Rows.__getitem__

    def read(self, chosen):
        found = whole(self, chosen)
        largest.append(len(found))
        return found

    monkeypatch.setattr(rows.Rows, "__getitem__", read)
    x, y = rows.Rows(mapped, np.arange(600) % 60), np.arange(600) % 3
    net = layers.Sequential(
        layers.Standardize(), layers.Flatten(), layers.Dense(30, 3, rng=np.random.default_rng(0))
    )
    assert loop.score_of(net, x, y) == loop.score_of(net, np.asarray(x), y)
    assert max(largest) <= 256


def test_pieces_hold_all_in_order_and_are_small(mapped, monkeypatch):
    monkeypatch.setattr(rows, "PIECE", 100)
    for x in (mapped, rows.Rows(mapped, np.arange(60)), X):
        found = list(rows.pieces(x))
        assert [i for i, _ in found] == list(range(0, 60, 3))
        np.testing.assert_array_equal(np.concatenate([piece for _, piece in found]), X)


def test_a_data_set_in_files_is_the_one_in_memory(tmp_path):
    for name, array in (("x_train", X), ("y_train", Y), ("x_test", X[:9]), ("y_test", Y[:9])):
        np.save(tmp_path / f"{name}.npy", array)
    found, expected = data.load(tmp_path), Dataset("a", X, Y, X[:9], Y[:9])
    for one in (found, found.limit(20)):
        other = expected if one is found else expected.limit(20)
        assert one.sha256 == other.sha256
        assert (one.mean, one.std, one.light) == (other.mean, other.std, other.light)
        for pair, same in zip(one.split(7, seed=1), other.split(7, seed=1), strict=True):
            assert isinstance(pair[0], rows.Rows)
            np.testing.assert_array_equal(pair[0], same[0])
            np.testing.assert_array_equal(pair[1], same[1])


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("start", [0, 2, 8])
def test_batches_of_files_are_those_of_memory(mapped, seed, start):
    def noisy(x, rng):
        return x + rng.integers(0, 3, x.shape).astype("u1")

    augment = noisy if seed is not None else None
    for x in (mapped, rows.Rows(mapped, np.arange(60))):
        found = list(batches(x, Y, 8, seed, 1, augment, start))
        expected = list(batches(X, Y, 8, seed, 1, augment, start))
        assert len(found) == len(expected) == 8 - start
        for (xb, yb), (xe, ye) in zip(found, expected, strict=True):
            np.testing.assert_array_equal(xb, xe)
            np.testing.assert_array_equal(yb, ye)


def test_one_batch_is_read_ahead_and_an_end_in_the_middle_leaves_no_thread(mapped):
    read = []

    class Noting(rows.Rows):
        def __getitem__(self, chosen):
            read.append(len(chosen))
            return super().__getitem__(chosen)

    running = batches(Noting(mapped, np.arange(60)), Y, 10, seed=0)
    next(running)
    end = time.monotonic() + 5
    while len(read) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    assert read == [10, 10]
    running.close()
    assert not [t for t in threading.enumerate() if "read-ahead" in t.name]


def test_no_step_copies_the_whole(tmp_path):
    images = np.lib.format.open_memmap(tmp_path / "x_train.npy", "w+", "u1", (3000, 100, 100, 1))
    images[:] = np.arange(3000, dtype="u1")[:, None, None, None]
    images.flush()
    np.save(tmp_path / "y_train.npy", np.arange(3000) % 5)  # the test images are drawn
    tracemalloc.start()
    try:
        found = data.load(tmp_path)
        (x, y), (x_val, _) = found.limit(2000).split(200)
        assert len(found.sha256) == 64
        assert found.std > 0
        assert isinstance(found.light, bool)
        for xb, _ in batches(x, y, 32, seed=0):
            assert xb.shape[1:] == (100, 100, 1)
        assert len(x_val) == 200
        assert tracemalloc.get_traced_memory()[1] < 60 << 20  # of 30 MB, in float64 240
    finally:
        tracemalloc.stop()


def test_balanced_batches_from_a_file_are_those_from_memory(mapped):
    y = (np.arange(60) < 6).astype(int)
    pairs = [batches(x, y, 7, seed=3, epoch=1, sampling="balanced") for x in (X, mapped)]
    for (x1, y1), (x2, y2) in zip(*pairs, strict=True):
        np.testing.assert_array_equal(x1, x2)
        np.testing.assert_array_equal(y1, y2)

import itertools

import numpy as np
import pytest

from numpycnn.data import Dataset, duplicates

RNG = np.random.default_rng(0)


def smooth(n, channels=1, side=16):
    """Images that differ in their large parts."""
    cells = RNG.integers(0, 256, (n, 4, 4, channels))
    return cells.repeat(side // 4, axis=1).repeat(side // 4, axis=2).astype("u1")


def dataset(x, tx, y=None, ty=None):
    y = np.arange(len(x)) % 2 if y is None else y
    ty = np.arange(len(tx)) % 2 if ty is None else ty
    return Dataset("a", x, y, tx, ty, ("a", "b"))


@pytest.mark.parametrize("channels", [1, 3])
def test_exact_and_near(channels):
    x, tx = smooth(30, channels), smooth(10, channels)
    tx[3] = x[7]
    x[20] = x[21]
    tx[5] = np.clip(x[9].astype(int) + RNG.integers(-4, 5, x[9].shape), 0, 255)  # saved again
    tx[6] = (x[11] * 0.9 + 20).astype("u1")  # lighter, with less contrast: another image
    tx[7] = np.roll(x[12], 4, axis=0)
    found = dataset(x, tx)
    assert duplicates.exact(found) == [[("train", 7), ("test", 3)], [("train", 20), ("train", 21)]]
    near = {tuple(group) for group in duplicates.near(found)}
    assert (("train", 9), ("test", 5)) in near
    assert not any(("test", 7) in group for group in near)


def test_the_same_outline_in_another_colour_is_another_image():
    x = np.zeros((4, 16, 16, 3), "u1")
    for k in range(3):
        x[k, 4:12, 4:12, k] = 200
    x[3] = x[0]
    assert duplicates.near(dataset(x, smooth(2, 3))) == [[("train", 0), ("train", 3)]]


@pytest.mark.parametrize("side", [1, 3, 7, 8, 9, 100])
def test_cells_of_every_size(side):
    x = RNG.integers(0, 256, (2, side, side + 1, 1)).astype("u1")
    found = duplicates.cell_means(x)
    assert found.shape == (2, 64)
    if side == 8:
        whole = x[:, :, :8, 0]
        edges = np.linspace(0, 9, 9).astype(int)
        expected = x[0, 3, edges[2] : edges[3], 0].mean()
        grey = [x[0, i, a:b, 0].mean() for i in range(8) for a, b in itertools.pairwise(edges)]
        assert found[0, 3 * 8 + 2] == pytest.approx(expected - np.mean(grey), abs=1e-3)
        assert whole.shape == (2, 8, 8)


def test_images_without_contrast_are_no_duplicates():
    x = np.full((6, 8, 8, 1), 7, "u1") + np.arange(6, dtype="u1")[:, None, None, None]
    assert duplicates.near(dataset(x, x[:1])) == []
    assert len(duplicates.exact(dataset(x, x[:1]))) == 1

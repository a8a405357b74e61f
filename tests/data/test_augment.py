from functools import partial
from math import cos, floor, sin

import numpy as np
import pytest

from numpycnn.data import augment
from numpycnn.errors import ShapeError, UnknownNameError
from tests.helpers import pictures

STEPS = [
    augment.horizontal_flip,
    augment.vertical_flip,
    augment.random_crop,
    augment.rotate,
    augment.random_erasing,
    augment.compose(augment.horizontal_flip, partial(augment.random_crop, pad=1)),
]
DTYPES = ["u1", "i2", "f2", "f4", "f8", ">i4"]


def batch(shape=(16, 7, 5, 2), dtype="u1"):
    return np.random.default_rng(3).integers(1, 100, shape).astype(dtype)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(16, 7, 5, 2), (1, 1, 1, 1), (0, 4, 4, 1), (3, 2, 9, 3)])
def test_shape_dtype_input_and_seed(step, dtype, shape):
    x = batch(shape, dtype)
    kept = x.copy()
    x.setflags(write=False)
    y = step(x, np.random.default_rng(0))
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    assert not np.shares_memory(x, y)
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_array_equal(y, step(x, np.random.default_rng(0)))
    np.testing.assert_array_equal(y, step(np.asfortranarray(x), np.random.default_rng(0)))


@pytest.mark.parametrize("step", STEPS)
def test_different_seeds_and_images_differ(step):
    x = np.repeat(batch((1, 9, 9, 1)), 32, axis=0)
    y = step(x, np.random.default_rng(0))
    assert (y != step(x, np.random.default_rng(1))).any()
    assert any((image != y[0]).any() for image in y)


@pytest.mark.parametrize(
    ("flip", "axis"), [(augment.horizontal_flip, 1), (augment.vertical_flip, 0)]
)
def test_flips(flip, axis):
    x = batch((400, 3, 4, 2))
    y = flip(x, np.random.default_rng(0))
    flipped = sum((b == np.flip(a, axis)).all() for a, b in zip(x, y, strict=True))
    kept = sum((b == a).all() for a, b in zip(x, y, strict=True))
    assert flipped + kept == 400
    assert 150 < flipped < 250
    np.testing.assert_array_equal(flip(x, np.random.default_rng(0), p=0), x)
    np.testing.assert_array_equal(flip(x, np.random.default_rng(0), p=1), np.flip(x, axis + 1))


def shifted(image, down, right):
    """y[i, j] = x[i + down, j + right], or 0 outside: by loops."""
    h, w, _ = image.shape
    y = np.zeros_like(image)
    for i in range(h):
        for j in range(w):
            if 0 <= i + down < h and 0 <= j + right < w:
                y[i, j] = image[i + down, j + right]
    return y


def test_random_crop_is_a_shift_and_all_shifts_occur():
    x = batch((300, 6, 5, 2))
    y = augment.random_crop(x, np.random.default_rng(0), pad=2)
    seen = set()
    for a, b in zip(x, y, strict=True):
        fits = [(d, r) for d in range(-2, 3) for r in range(-2, 3) if (shifted(a, d, r) == b).all()]
        assert len(fits) == 1
        seen.add(fits[0])
    assert len(seen) == 25
    np.testing.assert_array_equal(augment.random_crop(x, np.random.default_rng(0), pad=0), x)


def rotated(image, a):
    """The definition of rotate, by loops, in float64."""
    h, w, channels = image.shape
    y = np.zeros((h, w, channels))
    for i in range(h):
        for j in range(w):
            u, v = i - (h - 1) / 2, j - (w - 1) / 2
            row, col = u * cos(a) - v * sin(a) + (h - 1) / 2, u * sin(a) + v * cos(a) + (w - 1) / 2
            for k in (floor(row), floor(row) + 1):
                for m in (floor(col), floor(col) + 1):
                    if 0 <= k < h and 0 <= m < w:
                        y[i, j] += (1 - abs(row - k)) * (1 - abs(col - m)) * image[k, m]
    return y


@pytest.mark.parametrize("degrees", [10, 180])
@pytest.mark.parametrize(("dtype", "tolerance"), [("f8", 1e-9), ("f4", 1e-3), ("u1", 0.51)])
def test_rotate_against_its_definition(degrees, dtype, tolerance):
    x = batch((5, 8, 11, 2), dtype)
    angles = np.deg2rad(np.random.default_rng(0).uniform(-degrees, degrees, size=5))
    y = augment.rotate(x, np.random.default_rng(0), degrees)
    for a, b, angle in zip(x, y, angles, strict=True):
        np.testing.assert_allclose(b.astype("f8"), rotated(a.astype("f8"), angle), atol=tolerance)


def test_rotating_by_nothing_changes_nothing():
    np.testing.assert_array_equal(
        augment.rotate(batch(), np.random.default_rng(0), degrees=0), batch()
    )


def test_random_erasing_fills_one_rectangle():
    x = np.zeros((200, 20, 16, 1), "f4")
    x[0, 0, 0] = 1  # the noise lies between the least and the greatest value
    y = augment.random_erasing(x, np.random.default_rng(0), p=0.5)
    changed = [np.argwhere((b != a)[..., 0]) for a, b in zip(x, y, strict=True)]
    erased = [places for places in changed if len(places)]
    assert 60 < len(erased) < 140
    for places in erased:
        area = np.prod(np.ptp(places, axis=0) + 1)
        assert len(places) == area  # filled, without a gap
        assert 0.01 * 320 < area < 0.4 * 320
    np.testing.assert_array_equal(augment.random_erasing(x, np.random.default_rng(0), p=0), x)
    assert y.min() >= 0
    assert y.max() <= 1


def test_compose_goes_in_order_with_one_generator():
    x = batch()
    rng = np.random.default_rng(0)
    expected = augment.rotate(augment.horizontal_flip(x, rng), rng)
    together = augment.compose(augment.horizontal_flip, augment.rotate)
    np.testing.assert_array_equal(together(x, np.random.default_rng(0)), expected)
    np.testing.assert_array_equal(augment.compose()(x, rng), x)


@pytest.mark.parametrize("step", STEPS[:5])
def test_wrong_shapes(step):
    with pytest.raises(ShapeError, match=r"x\[..., None\]"):
        step(batch((4, 5, 6)), np.random.default_rng(0))


@pytest.mark.parametrize(
    "step", [augment.horizontal_flip, augment.vertical_flip, augment.random_erasing]
)
@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_wrong_probabilities(step, p):
    with pytest.raises(ValueError, match="probability"):
        step(batch(), np.random.default_rng(0), p=p)


def test_wrong_padding():
    for pad in (-1, 0.5):
        with pytest.raises(ValueError, match="pad"):
            augment.random_crop(batch(), np.random.default_rng(0), pad=pad)


def test_shrink_averages_areas():
    x = np.arange(36, dtype=np.float64).reshape(1, 6, 6, 1)
    y = augment.shrink(x, size=3)
    np.testing.assert_allclose(y[0, :, :, 0], x[0, :, :, 0].reshape(3, 2, 3, 2).mean(axis=(1, 3)))
    np.testing.assert_allclose(
        augment.shrink(x, size=4)[0, 0, 0, 0], (0 + 0.5 * 1 + 0.5 * 6 + 0.25 * 7) / 2.25
    )
    np.testing.assert_allclose(augment.shrink(x, size=4).mean(), x.mean())
    np.testing.assert_array_equal(augment.shrink(x, size=6), x)
    pictures = batch((3, 8, 6, 2))
    small = augment.shrink(pictures, np.random.default_rng(0), size=5)
    assert (small.shape, small.dtype) == ((3, 5, 5, 2), np.uint8)
    np.testing.assert_allclose(
        small, augment.shrink(pictures.astype(np.float64), size=5), atol=0.501
    )
    assert augment.shrink(pictures[:0], size=5).shape == (0, 5, 5, 2)
    for size in (0, 7, 2.5):
        with pytest.raises(ValueError, match="shrink: size is"):
            augment.shrink(x, size=size)
    with pytest.raises(ShapeError):
        augment.shrink(x[0])


@pytest.mark.parametrize(
    ("names", "steps"),
    [
        ("flip", [augment.horizontal_flip]),
        ("vertical-flip", [augment.vertical_flip]),
        ("crop", [lambda x, rng: augment.random_crop(x, rng, pad=2)]),
        ("rotate", [lambda x, rng: augment.rotate(x, rng, degrees=10)]),
        ("rotate-45", [lambda x, rng: augment.rotate(x, rng, degrees=45)]),
        ("erase,none,flip", [augment.random_erasing, augment.horizontal_flip]),
    ],
)
def test_augmentations_by_name(names, steps):
    x, found, rng = pictures(9)[0], augment.augmentation(names), np.random.default_rng(3)
    wanted = x
    for step in steps:
        wanted = step(wanted, rng)
    np.testing.assert_array_equal(found(x, np.random.default_rng(3)), wanted)
    assert not np.array_equal(wanted, x)
    assert augment.augmentation("none") is None
    with pytest.raises(UnknownNameError, match="unknown augmentation ''"):
        augment.augmentation("flip,,crop")

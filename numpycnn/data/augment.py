"""Augmentation, written by hand: x is a batch (N, H, W, C) of any real dtype, rng a numpy
Generator.

Every function returns a new array of x's dtype, and, but for shrink, of x's shape; none writes to
x.
"""

from functools import partial

import numpy as np

from ..errors import ShapeError, unknown


def compose(*steps):
    """One function of (x, rng) that applies the steps in order: compose(horizontal_flip,
    random_crop).
    """

    def augment(x, rng):
        for step in steps:
            x = step(x, rng)
        return x

    augment.steps = steps  # a resumed run compares them
    return augment


def horizontal_flip(x, rng, p=0.5):
    """With probability p, each image by itself: y[i, j] = x[i, W - 1 - j]."""
    return _choose(_drawn(x, rng, p), x[:, :, ::-1], x)


def vertical_flip(x, rng, p=0.5):
    """With probability p, each image by itself: y[i, j] = x[H - 1 - i, j]."""
    return _choose(_drawn(x, rng, p), x[:, ::-1], x)


def random_crop(x, rng, pad=2):
    """Pads each side by `pad` zeros and cuts H x W out at a random place: shifts by -pad to pad
    pixels.
    """
    _check(x)
    if int(pad) != pad or pad < 0:
        raise ValueError(f"random_crop: pad is {pad}; expected a whole number of at least 0")
    n, h, w, _ = x.shape
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    top, left = rng.integers(0, 2 * pad + 1, size=(2, n))
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, (h, w), axis=(1, 2)
    )  # (N, P, P, C, H, W)
    return np.ascontiguousarray(np.moveaxis(windows[np.arange(n), top, left], 1, 3))


def rotate(x, rng, degrees=10):
    """Turns each image about its centre by an angle from [-degrees, degrees]; zeros come in from
    outside.

    y at offset (i, j) from the centre is x at (i cos a - j sin a, i sin a + j cos a); between
    pixels, the four neighbours weighted by (1 - distance in i)(1 - distance in j). Integer dtypes
    are rounded.
    """
    _check(x)
    n, h, w, channels = x.shape
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype("f4")
    angle = np.deg2rad(rng.uniform(-degrees, degrees, size=(n, 1, 1))).astype(dtype)
    i, j = (np.arange(size, dtype=dtype) - (size - 1) / 2 for size in (h, w))
    row = (
        i[:, None] * np.cos(angle) - j * np.sin(angle) + (h + 1) / 2
    )  # + 1, for the border of zeros below
    col = i[:, None] * np.sin(angle) + j * np.cos(angle) + (w + 1) / 2
    row, col = np.clip(row, 0, h + 1), np.clip(col, 0, w + 1)
    top, left = np.minimum(row.astype(np.int32), h), np.minimum(col.astype(np.int32), w)
    down, right = (row - top)[..., None], (col - left)[..., None]
    pixels = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))).reshape(-1, channels)
    place = (np.arange(n)[:, None, None] * (h + 2) + top) * (
        w + 2
    ) + left  # of the upper left neighbour
    upper = (1 - right) * pixels[place] + right * pixels[place + 1]
    lower = (1 - right) * pixels[place + w + 2] + right * pixels[place + w + 3]
    y = (1 - down) * upper + down * lower
    return (np.rint(y) if x.dtype.kind in "iu" else y).astype(x.dtype)


def random_erasing(x, rng, p=0.5, area=(0.02, 0.33), aspect=(0.3, 3.3)):
    """With probability p, fills a rectangle of each image with noise, uniform from x.min() to
    x.max().

    Its share of the image is uniform in `area`, its height / width log-uniform in `aspect`; what
    would be larger than the image is cut to it. Zhong et al. 2020, "Random erasing data
    augmentation".
    """
    drawn = _drawn(x, rng, p)
    n, h, w, _ = x.shape
    if n == 0:
        return x.copy()
    pixels = rng.uniform(*area, size=n) * h * w
    ratio = np.exp(rng.uniform(*np.log(aspect), size=n))
    height = np.clip(np.rint(np.sqrt(pixels * ratio)), 1, h).astype(int)
    width = np.clip(np.rint(np.sqrt(pixels / ratio)), 1, w).astype(int)
    top, left = rng.integers(0, h - height + 1), rng.integers(0, w - width + 1)
    rows, cols = _span(top, height, h)[:, :, None, None], _span(left, width, w)[:, None, :, None]
    return _choose(drawn[:, None, None, None] & rows & cols, _noise(x, rng), x)


def shrink(x, rng=None, size=20):
    """Averages each image over size x size areas: y = A x A^T, A[i, j] the part of pixel j that
    lies in area i.

    For the first epochs at low resolution, where a step costs less. Integer dtypes are rounded; rng
    is not used.
    """
    _check(x)
    if int(size) != size or not 1 <= size <= min(x.shape[1:3]):
        raise ValueError(
            f"shrink: size is {size}; expected a whole number from 1 to {min(x.shape[1:3])}"
        )
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype("f4")
    rows, cols = (_areas(n, int(size)).astype(dtype) for n in x.shape[1:3])
    y = np.moveaxis(rows @ np.moveaxis(x.astype(dtype), 3, 1) @ cols.T, 1, 3)
    return np.ascontiguousarray(np.rint(y) if x.dtype.kind in "iu" else y).astype(x.dtype)


def _areas(n, size):
    """(size, n): the share that each of n pixels has in each of `size` equal areas."""
    edges, pixels = np.arange(size + 1)[:, None] * n / size, np.arange(n)
    return (
        np.clip(np.minimum(edges[1:], pixels + 1) - np.maximum(edges[:-1], pixels), 0, None)
        * size
        / n
    )


def _span(first, length, size):
    """(N,), (N,) -> (N, size): which places lie in [first, first + length)."""
    place = np.arange(size)
    return (first[:, None] <= place) & (place < (first + length)[:, None])


def _noise(x, rng):
    if x.dtype.kind in "iu":
        return rng.integers(
            x.min(), x.max(), size=x.shape, dtype=x.dtype.newbyteorder("="), endpoint=True
        )
    return rng.uniform(x.min(), x.max(), size=x.shape).astype(x.dtype)


def _choose(condition, yes, no):
    condition = condition.reshape(condition.shape + (1,) * (no.ndim - condition.ndim))
    return np.where(condition, yes, no).astype(no.dtype, copy=False)


def _drawn(x, rng, p):
    """(N,) booleans, each True with probability p."""
    _check(x)
    if not 0 <= p <= 1:
        raise ValueError(f"p is {p}; expected a probability, 0 to 1")
    return rng.random(len(x)) < p


def _check(x):
    if x.ndim != 4:
        raise ShapeError(
            f"augment: the batch has shape {x.shape}; expected (N, H, W, C)"
            + (", for grey images x[..., None]" if x.ndim == 3 else "")
        )


AUGMENTATIONS = {
    "flip": horizontal_flip,
    "vertical-flip": vertical_flip,
    "crop": partial(random_crop, pad=2),
    "rotate": partial(rotate, degrees=10),
    "rotate-45": partial(rotate, degrees=45),
    "erase": random_erasing,
}


def augmentation(names, height=28):
    """The steps named in "flip,crop" as one function of (x, rng); None for "none".

    crop shifts images of this height by up to a fourteenth of it, and by 2 pixels at least. Raises
    UnknownNameError.
    """
    steps = [name for name in names.split(",") if name != "none"] if names else []
    for name in steps:
        if name not in AUGMENTATIONS:
            raise unknown("augmentation", name, [*AUGMENTATIONS, "none"])
    crop = {"crop": partial(random_crop, pad=max(2, height // 14))}
    known = {**AUGMENTATIONS, **crop}
    return compose(*(known[name] for name in steps)) if steps else None

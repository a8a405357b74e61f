"""Grids of images as PNG, walks as GIF, the map of a two-dimensional code, a run's curves."""

import io
import os
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator
from PIL import Image

from .. import files
from ..errors import ShapeError
from .style import BLUE, GREY, drawable, figure, finished, short

COLUMNS = 10
GAP = 2  # pixels between the images of a grid
SCALE = 2  # each pixel of an image is SCALE x SCALE pixels of the grid
PAPER = 255
CLASS_COLOURS = (
    "#0b6bb0", "#d9710a", "#2a8f4f", "#b3282d", "#7d55a8",
    "#7a5230", "#d65fa5", "#616e7c", "#a8a100", "#12a3b4",
)  # fmt: skip


def grid(images, columns=COLUMNS):
    """Images (N, H, W, 1 or 3), uint8 or in [0, 1], row by row -> one picture.

    The picture is uint8 (height, width, 1 or 3). Raises ShapeError for other shapes.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[3] not in (1, 3) or not len(images):
        raise ShapeError(
            f"a grid needs images (N, H, W, 1 or 3), at least one, not the shape {images.shape}"
        )
    images = as_uint8(images)
    images = images.repeat(SCALE, axis=1).repeat(SCALE, axis=2)  # (N, SCALE*H, SCALE*W, C)
    n, h, w, c = images.shape
    columns = min(columns, n)
    rows = -(-n // columns)
    picture = np.full((rows * (h + GAP) + GAP, columns * (w + GAP) + GAP, c), PAPER, np.uint8)
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        top = GAP + row * (h + GAP)
        left = GAP + column * (w + GAP)
        picture[top : top + h, left : left + w] = image
    return picture


def as_uint8(images):
    """Images (..., C), uint8 or in [0, 1] -> uint8 (..., 1 or 3); other C: the channels' mean."""
    if images.shape[-1] not in (1, 3):
        largest = 255 if images.dtype == np.uint8 else 1
        images = images.mean(axis=-1, keepdims=True) / largest  # (..., 1), in [0, 1]
    if images.dtype != np.uint8:
        images = np.round(255 * np.clip(np.nan_to_num(images), 0, 1)).astype(np.uint8)
    return images


def beside(originals, others, columns=COLUMNS):
    """Rows of originals, under each row what was made of them: for `grid` with as many columns."""
    pairs = [
        np.concatenate([originals[i : i + columns], others[i : i + columns]])
        for i in range(0, len(originals), columns)
    ]
    return np.concatenate(pairs)


def show(images, labels=None, classes=None, columns=COLUMNS, path=None):
    """The images (N, H, W, C) or (H, W, C), uint8 or in [0, 1], in rows; the Figure, or the path.

    `labels`: under each image its label (N,), or the name that `classes` gives it; any texts are
    taken too. Raises ShapeError for what are no images, or for another number of labels, ValueError
    for floats outside [0, 1], labels without a class and fewer than one column.
    """
    images = np.asarray(images)
    images = images[None] if images.ndim == 3 else images
    if images.ndim != 4 or not images.size:
        raise ShapeError(f"show needs images (N, H, W, C), at least one, not {images.shape}")
    texts = [] if labels is None else np.ravel(labels).tolist()
    if labels is not None and len(texts) != len(images):
        raise ShapeError(f"there are {len(images)} images but {len(texts)} labels")
    if images.dtype != np.uint8 and not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(
            f"the images are {images.dtype} from {images.min():g} to {images.max():g}; "
            "expected uint8, or floats from 0 to 1: images.astype('uint8'), or images / 255"
        )
    if classes is not None:
        outside = [k for k in texts if k not in range(len(classes))]
        if outside:
            raise ValueError(f"label {outside[0]!r} is none of 0..{len(classes) - 1}")
        texts = [classes[k] for k in texts]
    if columns < 1:
        raise ValueError(f"columns must be at least 1, not {columns}")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    with figure(path, (max(columns, 2), rows * (1.22 if texts else 1.0))) as fig:
        cells = fig.subplots(rows, columns, squeeze=False).ravel()
        for axes in cells:
            axes.set_axis_off()
        for axes, image in zip(cells, as_uint8(images), strict=False):
            axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        for axes, text in zip(cells, drawable(texts), strict=False):
            axes.set_title(short(text), size=8, color=GREY, pad=2, loc="left", weight="normal")
    return finished(fig, path)


def write_png(images, path, columns=COLUMNS):
    """The grid of the images as a PNG -> its path."""
    return _write(path, "PNG", [grid(images, columns)])


def write_gif(frames, path, columns=COLUMNS, milliseconds=80):
    """An animation of `frames`, a list of image batches, each drawn as a grid -> its path."""
    options = {"save_all": True, "duration": milliseconds, "loop": 0}  # 0: for ever
    return _write(path, "GIF", [grid(images, columns) for images in frames], **options)


def _write(path, kind, pictures, **options):
    first, *others = [Image.fromarray(p.squeeze(-1) if p.shape[-1] == 1 else p) for p in pictures]
    if options:
        options["append_images"] = others
    content = io.BytesIO()
    first.save(content, format=kind, **options)
    if isinstance(path, (str, os.PathLike)):
        files.write(path, content.getvalue())
        return Path(path)
    path.write(content.getvalue())
    return path


def curves(history, path=None):
    """A plot for each number in a run's history, which has a dict for each epoch.

    Returns the path, or without one the Figure.
    """
    names = [name for name in history[0] if name not in ("epoch", "seconds")]
    epochs = [row["epoch"] for row in history]
    with figure(path, (3.2 * len(names), 2.6)) as fig:
        for axes, name in zip(fig.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            axes.plot(epochs, [row[name] for row in history], ".-", color=BLUE)
            axes.set(title=name, xlabel="epoch")
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axes.grid(axis="y")
    return finished(fig, path)


def apart(centres, size):
    """The centres (x, y) of boxes of one size (width, height), moved up until no two overlap."""
    moved = {}
    for i in sorted(range(len(centres)), key=lambda i: centres[i][1]):  # the lowest first
        x, y = centres[i]
        while any(abs(x - a) < size[0] and abs(y - b) < size[1] for a, b in moved.values()):
            y += size[1] / 4
        moved[i] = x, y
    return [moved[i] for i in range(len(centres))]


def latent_map(codes, labels, classes, path=None):
    """Codes (N, 2) as points, coloured by class, each class named near its median.

    Returns the path, or without one the Figure.
    """
    codes, labels = np.asarray(codes), np.asarray(labels)  # (N, 2), (N,)
    if codes.ndim != 2 or codes.shape[1] != 2 or len(codes) != len(labels):
        raise ShapeError(
            f"a map needs codes (N, 2) and N labels, not {codes.shape} and {labels.shape}"
        )
    with figure(path, (8.2, 7)) as fig:
        axes = fig.subplots()
        present = [k for k in range(len(classes)) if (labels == k).any()]
        extent = float(np.ptp(codes, axis=0).max()) or 1.0  # of the square that holds all codes
        medians = [np.median(codes[labels == k], axis=0) for k in present]
        centres = apart(medians, (0.13 * extent, 0.035 * extent))
        titles = drawable(classes)
        for k, centre in zip(present, centres, strict=True):
            color = CLASS_COLOURS[k % len(CLASS_COLOURS)]
            axes.plot(*codes[labels == k].T, ".", ms=5, alpha=0.55, mew=0, color=color)
            box = {"boxstyle": "round,pad=0.25", "fc": "white", "ec": color, "alpha": 0.85}
            axes.text(*centre, titles[k], size=9, ha="center", va="center", bbox=box)
        axes.set(xlabel="first dimension of the code", ylabel="second dimension", aspect="equal")
        axes.set_title(f"{len(codes):,} images in a two-dimensional code")
    return finished(fig, path)

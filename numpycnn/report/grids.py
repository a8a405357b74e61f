"""Pictures of images: grids as PNG, walks as GIF, the map of a two-dimensional code; and the curves of a run."""

import io
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator
from PIL import Image

from .. import files
from ..errors import ShapeError
from .style import BLUE, drawable, figure

COLUMNS = 10
GAP, SCALE = (
    2,
    2,
)  # pixels between the images of a grid; each pixel of an image is SCALE x SCALE of the picture
PAPER = 255


def grid(images, columns=COLUMNS):
    """Images (N, H, W, 1 or 3), uint8 or in [0, 1], row by row -> one picture, uint8 (height, width, 1 or 3).

    Raises ShapeError for other shapes.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[3] not in (1, 3) or not len(images):
        raise ShapeError(
            f"a grid needs images (N, H, W, 1 or 3), at least one, not the shape {images.shape}"
        )
    images = as_uint8(images)
    images = images.repeat(SCALE, axis=1).repeat(SCALE, axis=2)
    n, h, w, c = images.shape
    columns = min(columns, n)
    picture = np.full(
        (-(-n // columns) * (h + GAP) + GAP, columns * (w + GAP) + GAP, c), PAPER, np.uint8
    )
    for i, image in enumerate(images):
        top, left = GAP + i // columns * (h + GAP), GAP + i % columns * (w + GAP)
        picture[top : top + h, left : left + w] = image
    return picture


def as_uint8(images):
    """Images (..., C), uint8 or in [0, 1] -> uint8 (..., 1 or 3); of other numbers of channels their mean."""
    if images.shape[-1] not in (1, 3):
        images = images.mean(axis=-1, keepdims=True) / (255 if images.dtype == np.uint8 else 1)
    if images.dtype != np.uint8:
        images = np.round(255 * np.clip(np.nan_to_num(images), 0, 1)).astype(np.uint8)
    return images


def beside(originals, others, columns=COLUMNS):
    """Rows of originals, and under each row what was made of them: images for `grid` with the same columns."""
    pairs = [
        np.concatenate([originals[i : i + columns], others[i : i + columns]])
        for i in range(0, len(originals), columns)
    ]
    return np.concatenate(pairs)


def write_png(images, path, columns=COLUMNS):
    """The grid of the images as a PNG -> its path."""
    return _write(path, "PNG", [grid(images, columns)])


def write_gif(frames, path, columns=COLUMNS, milliseconds=80):
    """A film that runs for ever: `frames` is a list of image batches, each shown as a grid -> its path."""
    options = {"save_all": True, "duration": milliseconds, "loop": 0}
    return _write(path, "GIF", [grid(images, columns) for images in frames], **options)


def _write(path, kind, pictures, **options):
    first, *others = [Image.fromarray(p.squeeze(-1) if p.shape[-1] == 1 else p) for p in pictures]
    if options:
        options["append_images"] = others
    content = io.BytesIO()
    first.save(content, format=kind, **options)
    files.write(path, content.getvalue())
    return Path(path)


def curves(history, path):
    """The numbers of a run's history, a dict an epoch, each in a plot of its own -> path."""
    names = [name for name in history[0] if name not in ("epoch", "seconds")]
    with figure(path, (3.2 * len(names), 2.6)) as fig:
        for axes, name in zip(fig.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            axes.plot(
                [row["epoch"] for row in history], [row[name] for row in history], ".-", color=BLUE
            )
            axes.set(title=name, xlabel="epoch")
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axes.grid(axis="y")
    return Path(path)


def apart(places, size):
    """The places (x, y) of boxes of one size (width, height), moved up until no two overlap, the lowest first."""
    moved = {}
    for i in sorted(range(len(places)), key=lambda i: places[i][1]):
        x, y = places[i]
        while any(abs(x - a) < size[0] and abs(y - b) < size[1] for a, b in moved.values()):
            y += size[1] / 4
        moved[i] = x, y
    return [moved[i] for i in range(len(places))]


def latent_map(codes, labels, classes, path):
    """Two-dimensional codes (N, 2) as points, coloured by class, each class named about its median -> path."""
    codes, labels = np.asarray(codes), np.asarray(labels)
    if codes.ndim != 2 or codes.shape[1] != 2 or len(codes) != len(labels):
        raise ShapeError(
            f"a map needs codes (N, 2) and N labels, not {codes.shape} and {labels.shape}"
        )
    with figure(path, (8.2, 7)) as fig:
        axes = fig.subplots()
        colors = ["#0b6bb0", "#d9710a", "#2a8f4f", "#b3282d", "#7d55a8", "#7a5230", "#d65fa5", "#616e7c",
                  "#a8a100", "#12a3b4"]  # fmt: skip
        shown = [k for k in range(len(classes)) if (labels == k).any()]
        size = (
            float(np.ptp(codes, axis=0).max()) or 1.0
        )  # of the square that both axes have room for
        names = apart(
            [np.median(codes[labels == k], axis=0) for k in shown], (0.13 * size, 0.035 * size)
        )
        titles = drawable(classes)
        for k, place in zip(shown, names, strict=True):
            color = colors[k % len(colors)]
            axes.plot(*codes[labels == k].T, ".", ms=5, alpha=0.55, mew=0, color=color)
            box = {"boxstyle": "round,pad=0.25", "fc": "white", "ec": color, "alpha": 0.85}
            axes.text(*place, titles[k], size=9, ha="center", va="center", bbox=box)
        axes.set(xlabel="first dimension of the code", ylabel="second dimension", aspect="equal")
        axes.set_title(f"Where {len(codes):,} images lie in a code of two dimensions")
    return Path(path)

"""Pictures of images: grids as PNG, walks as GIF, the map of a two-dimensional code."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from . import files
from .canvas import figure
from .errors import ShapeError

GAP, SCALE = 2, 2  # pixels between the images of a grid; each pixel of an image is SCALE x SCALE of the picture
PAPER = 255


def grid(images, columns=10):
    """Images (N, H, W, 1 or 3), uint8 or in [0, 1], row by row -> one picture, uint8 (height, width, 1 or 3).

    Raises ShapeError for other shapes.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[3] not in (1, 3) or not len(images):
        raise ShapeError(f"a grid needs images (N, H, W, 1 or 3), at least one, not the shape {images.shape}")
    if images.dtype != np.uint8:
        images = np.round(255 * np.clip(np.nan_to_num(images), 0, 1)).astype(np.uint8)
    images = images.repeat(SCALE, axis=1).repeat(SCALE, axis=2)
    n, h, w, c = images.shape
    columns = min(columns, n)
    picture = np.full((-(-n // columns) * (h + GAP) + GAP, columns * (w + GAP) + GAP, c), PAPER, np.uint8)
    for i, image in enumerate(images):
        top, left = GAP + i // columns * (h + GAP), GAP + i % columns * (w + GAP)
        picture[top : top + h, left : left + w] = image
    return picture


def beside(originals, others, columns=10):
    """Rows of originals, and under each row what was made of them: images for `grid` with the same columns."""
    pairs = [
        np.concatenate([originals[i : i + columns], others[i : i + columns]]) for i in range(0, len(originals), columns)
    ]
    return np.concatenate(pairs)


def write_png(images, path, columns=10):
    """The grid of the images as a PNG -> its path."""
    return _write(path, "PNG", [grid(images, columns)])


def write_gif(frames, path, columns=10, milliseconds=80):
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


def latent_map(codes, labels, classes, path):
    """Two-dimensional codes (N, 2) as points, coloured by class, each class named at its median -> path."""
    codes, labels = np.asarray(codes), np.asarray(labels)
    if codes.ndim != 2 or codes.shape[1] != 2 or len(codes) != len(labels):
        raise ShapeError(f"a map needs codes (N, 2) and N labels, not {codes.shape} and {labels.shape}")
    with figure(path, (8.2, 7)) as fig:
        axes = fig.subplots()
        colors = ["#0b6bb0", "#d9710a", "#2a8f4f", "#b3282d", "#7d55a8", "#7a5230", "#d65fa5", "#616e7c",
                  "#a8a100", "#12a3b4"]  # fmt: skip
        for k, name in enumerate(classes):
            own, color = codes[labels == k], colors[k % len(colors)]
            if len(own):
                axes.plot(*own.T, ".", ms=5, alpha=0.55, mew=0, color=color)
                box = {"boxstyle": "round,pad=0.25", "fc": "white", "ec": color, "alpha": 0.85}
                axes.text(*np.median(own, axis=0), str(name), size=9, ha="center", va="center", bbox=box)
        axes.set(xlabel="first dimension of the code", ylabel="second dimension", aspect="equal")
        axes.set_title(f"Where {len(codes):,} images lie in a code of two dimensions")
    return Path(path)

"""A person's own pictures: a folder with one subfolder a class."""

from pathlib import Path

import numpy as np

from ..errors import DatasetError
from .dataset import Dataset, stratified

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"}
GREY = {"1", "L", "LA"}
ORIENTATION = 0x0112  # in a photo's EXIF
COLOUR = {"P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB"}


def read(path):
    """-> Dataset. The classes are the names of the subfolders, in alphabetical order.

    With subfolders train/ and test/, each holds the classes; otherwise a fifth of each class, drawn
    with seed 0, is test. All pictures must have one size and 8 bits; they become grey (C = 1) if
    all are grey, otherwise RGB (C = 3), upright, white where they are transparent. Other files are
    ignored. Raises DatasetError, one line.
    """
    path = Path(path)
    try:
        if (path / "train").is_dir() and (path / "test").is_dir():
            train, test = _files(path / "train"), _files(path / "test")
            names = sorted({f.parent.name for f in train} | {f.parent.name for f in test})
        else:
            train, test = _files(path), []
            names = sorted({f.parent.name for f in train})
        x, y = _pictures(train + test), np.array([names.index(f.parent.name) for f in train + test])
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error
    return _dataset(path, x, y, names, np.arange(len(train), len(x)) if test else None)


def _dataset(path, x, y, names, test):
    source = f"{path}, {len(x)} pictures"
    if test is None:
        n = round(len(y) / 5)
        if n < 1:
            raise DatasetError(
                f"{path}: {len(y)} pictures; expected at least 3, better hundreds a class"
            )
        test = stratified(y, n, seed=0)
        source += f", of which {n} drawn for testing"
    chosen = np.zeros(len(y), bool)
    chosen[test] = True
    return Dataset(str(path), x[~chosen], y[~chosen], x[chosen], y[chosen], tuple(names), source)


def _files(path):
    files = sorted(
        f for f in path.glob("*/*") if f.suffix.lower() in SUFFIXES and not f.name.startswith(".")
    )
    if not files:
        raise DatasetError(
            f"{path}: no pictures; expected one subfolder a class, PNG or JPEG files in it"
        )
    return files


def _pictures(files):
    """-> (N, H, W, C) uint8"""
    from PIL import Image

    headers = [_header(Image, file) for file in files]
    size = headers[0][0]
    for file, (other, _) in zip(files, headers, strict=True):
        if other != size:
            raise DatasetError(
                f"{file} is {other[0]}x{other[1]} pixels, {files[0]} is {size[0]}x{size[1]}; "
                f"expected one size: mogrify -resize {size[0]}x{size[1]}! FILES makes them so"
            )
    mode = "L" if all(mode in GREY for _, mode in headers) else "RGB"
    images = np.empty((len(files), size[1], size[0], 1 if mode == "L" else 3), np.uint8)
    for i, file in enumerate(files):
        images[i] = _pixels(Image, file, mode).reshape(images.shape[1:])
    return images


def _header(Image, file):
    """-> (width, height), mode; the pixels are not read."""
    try:
        with Image.open(file) as picture:
            size, mode = picture.size, picture.mode
            noted = (
                picture.format != "PNG" or "exif" in picture.info
            )  # to look for it, a PNG would be read whole
            if noted and picture.getexif().get(ORIENTATION) in (
                5,
                6,
                7,
                8,
            ):  # it is shown turned by a quarter
                size = size[::-1]
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DatasetError(
            f"{file}: not a picture that Pillow can open: {_one_line(error)}"
        ) from error
    if mode not in GREY | COLOUR:
        raise DatasetError(
            f"{file}: its pixels are {mode}; expected 8 bits a channel, grey or colour"
        )
    return size, mode


def _pixels(Image, file, mode):
    try:
        with Image.open(file) as picture:
            return np.asarray(upright(picture).convert(mode))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{file}: damaged: {_one_line(error)}") from error


def upright(picture):
    """A Pillow image as RGBA, upright as its camera says, white where it is transparent."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(picture).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def _one_line(error):
    return " ".join(str(error).split())[:160]

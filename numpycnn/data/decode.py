"""Pictures into arrays: of one size and one number of channels, upright, broken ones all named."""

import contextlib
import math
from dataclasses import dataclass

import numpy as np

from ..errors import DatasetError
from ..files import shown
from .formats import kind
from .layout import count
from .sources import reason

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")  # nothing that runs a program
STARTS = (b"\x89PNG", b"\xff\xd8", b"BM", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"P")  # theirs
GREY = {"1", "L", "LA"}
COLOUR = {"P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB"}
ORIENTATION = 0x0112  # in a photo's EXIF
QUARTER_TURNS = (5, 6, 7, 8)
FITS = ("pad", "crop", "stretch")
LISTED = 10  # broken pictures that a message names


@dataclass(frozen=True)
class Treatment:
    """How pictures become arrays. size: (height, width), or None: as they are, all of one size.

    fit: "pad" (the whole picture, borders of its edge's grey or colour), "crop" (its middle) or
    "stretch". colour: True, False, or None: colour unless all are grey.
    """

    size: tuple = None
    fit: str = "pad"
    colour: bool = None

    def __post_init__(self):
        if self.fit not in FITS:
            raise DatasetError(f"fit is {self.fit!r}; expected {', '.join(FITS)}")
        size = self.size
        if isinstance(size, (int, np.integer)) and not isinstance(size, bool):
            size = (int(size), int(size))
        if size is not None:
            size = tuple(size) if isinstance(size, (tuple, list)) else ()
            whole = all(isinstance(n, (int, np.integer)) and 1 <= n <= 4096 for n in size)
            if len(size) != 2 or not whole:
                raise DatasetError(
                    f"size is {self.size!r}; expected pixels from 1 to 4096, or (height, width)"
                )
        object.__setattr__(self, "size", size)

    def stored(self):
        """As checkpoints hold it."""
        size = None if self.size is None else [int(n) for n in self.size]
        return {"size": size, "fit": self.fit, "colour": self.colour}


class Broken(Exception):
    """What is wrong with one picture, in a few words."""


def read(source, names, treatment=None, skip=False):
    """-> uint8 (N, H, W, C) of the pictures, which of them (indices), the Treatment that another
    picture needs, and a sentence on those that were skipped, or "".

    Raises DatasetError, one line, that names all broken ones unless they are to be skipped, and the
    sizes where they differ and none is given.
    """
    treatment, broken = treatment or Treatment(), {}
    headers = {}
    for name in names:
        with _noting(broken, name):
            headers[name] = header(source, name)
    sizes = [size for size, _ in headers.values()]
    mixed = treatment.size is None and len(set(sizes)) > 1
    known = _complete(treatment, headers)
    images = _empty(source, 0 if mixed else len(names), known)
    for i, name in enumerate(names):
        if name in headers:
            with _noting(broken, name):
                pixels = decode(source, name, known)
                if not mixed:
                    images[i] = pixels
    if mixed or (broken and not skip) or len(broken) == len(names):
        raise DatasetError(_summary(source, names, broken, sizes, mixed))
    kept = np.array([i for i, name in enumerate(names) if name not in broken])
    if broken:
        images = images[kept]
    return images, kept, known, skipped(source, names, broken) if broken else ""


def _complete(treatment, headers):
    """With the pictures' own size, and colour where one of them has it, unless they are given."""
    size = treatment.size or next((size for size, _ in headers.values()), (1, 1))
    colour = treatment.colour
    if colour is None:
        colour = any(mode not in GREY for _, mode in headers.values())
    return Treatment(size, treatment.fit, colour)


def _empty(source, count, treatment):
    shape = count, *treatment.size, 3 if treatment.colour else 1
    try:
        return np.empty(shape, np.uint8)
    except MemoryError:
        raise DatasetError(
            f"{source.path}: {count:,} pictures of {shape[2]}x{shape[1]} pixels take "
            f"{math.prod(shape) / 2**30:.1f} GiB; "
            "expected what the memory holds: give a smaller size"
        ) from None


def header(source, name):
    """-> (height, width) as it is shown, mode; the pixels are not read. Raises Broken."""
    with opened(source, name) as picture:
        width, height = picture.size
        # to look for EXIF, a PNG without would be read whole
        if picture.format != "PNG" or "exif" in picture.info:
            if picture.getexif().get(ORIENTATION) in QUARTER_TURNS:
                width, height = height, width
        check_mode(picture)
        return (height, width), picture.mode


def check_mode(picture):
    """Raise Broken for a Pillow image that has not 8 bits a channel."""
    if picture.mode not in GREY | COLOUR:
        raise Broken(f"its pixels are {picture.mode}, not 8 bits a channel")


def decode(source, name, treatment):
    """-> uint8 (H, W, C) of one picture. Raises Broken."""
    with opened(source, name) as picture:
        if treatment.size is not None and picture.format == "JPEG":
            side = 2 * max(treatment.size)
            picture.draft(None, (side, side))  # decodes a large photo at 1/2, 1/4 or 1/8
        return prepare(picture, treatment)


def prepare(picture, treatment):
    """-> uint8 (H, W, C) of a Pillow image, upright, white where it is transparent."""
    image = upright(picture).convert("RGB" if treatment.colour else "L")
    if treatment.size is not None:
        image = fitted(image, treatment.size, treatment.fit)
    pixels = np.asarray(image)
    return pixels.reshape(*pixels.shape[:2], -1)


def fitted(image, size, fit):
    """A Pillow image of (height, width) = size, antialiased."""
    from PIL import Image, ImageOps

    height, width = size
    if image.size == (width, height):
        return image
    if fit == "stretch":
        return image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3)
    if fit == "crop":
        return ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)
    scale = min(width / image.width, height / image.height)
    w, h = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    inside = image.resize((w, h), Image.Resampling.BICUBIC, reducing_gap=3)
    frame = Image.new(image.mode, (width, height), _edge(inside))
    frame.paste(inside, ((width - w) // 2, (height - h) // 2))
    return frame


def _edge(image):
    """The median grey or colour of a picture's border."""
    pixels = np.asarray(image)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    middle = np.median(border, axis=0).astype(np.uint8)
    return int(middle) if middle.ndim == 0 else tuple(int(c) for c in middle)


def upright(picture):
    """A Pillow image in its mode or RGBA, upright as its camera says, white where transparent."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(picture)
    if "a" not in image.mode.lower().replace("lab", "") and "transparency" not in image.info:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


@contextlib.contextmanager
def opened(source, name):
    """A Pillow image of a file that may be anything. Raises Broken, also for errors inside."""
    from PIL import Image

    Image.init()
    formats = [one for one in FORMATS if one in Image.OPEN]
    try:
        file = source.open(name)
    except OSError as error:
        raise Broken(reason(error, "a picture")) from error
    with file:
        try:
            with Image.open(file, formats=formats) as picture:
                yield picture
        except (Broken, MemoryError):
            raise
        except Exception as error:  # whatever hostile bytes make Pillow raise
            raise Broken(_what(file, error)) from error


def _what(file, error):
    """What a file is that Pillow cannot read."""
    file.seek(0)
    what, _ = kind(file.read(256))
    if what:
        return what
    text = " ".join(str(error).split())
    file.seek(0)
    if not file.read(8).startswith(STARTS):
        return "not a picture"
    if "identify" in text or "truncated" in text or isinstance(error, (SyntaxError, EOFError)):
        return "damaged or cut off"
    return f"damaged: {shown(text, 80)}"


@contextlib.contextmanager
def _noting(broken, name):
    """A broken picture is noted, and the next one looked at."""
    try:
        yield
    except Broken as error:
        broken[name] = str(error)


def _summary(source, names, broken, sizes, mixed):
    """All that is wrong with the pictures, in one line."""
    said = []
    if broken:
        said.append(
            f"{skipped(source, names, broken)}; mend them or take them out of the folder, or go on "
            "without them by skip_broken=True (--skip-broken)"
        )
    if mixed:
        said.append(_sizes(sizes))
    return f"{source.path}: {'; '.join(said)}"


def refusal(source, names, broken):
    """The sentence about broken pictures: {name: what is wrong}."""
    return _summary(source, names, broken, [], False)


def skipped(source, names, broken):
    """How many pictures are broken, and the first of them: {name: what is wrong}."""
    first = [name for name in names if name in broken][:LISTED]
    places = ", ".join(f"{source.where(name)} ({broken[name]})" for name in first)
    more = f" and {len(broken) - LISTED:,} more" if len(broken) > LISTED else ""
    verb = "is" if len(broken) == 1 else "are"
    return f"{len(broken):,} of {count(len(names))} {verb} broken: {places}{more}"


def _sizes(sizes):
    """The range of several sizes, and one that suits."""
    small, large = min(sizes, key=math.prod), max(sizes, key=math.prod)
    suits = suitable(sizes)
    return (
        f"the pictures have {len(set(sizes)):,} sizes, from {small[1]}x{small[0]} to "
        f"{large[1]}x{large[0]} pixels (width x height); expected one: size={suits} "
        f"(--size {suits}) brings them to {suits}x{suits} in memory, the files stay as they are"
    )


def suitable(sizes):
    """A size for pictures of these: that of the median's shorter side, from 28 to 64."""
    side = int(np.median([min(size) for size in sizes]))
    return next((step for step in (64, 48, 32) if side >= step), 28)

"""One picture of a person's own, in the form of the images that a network was trained on."""

import numpy as np

from ..errors import DatasetError, ShapeError
from . import decode
from .sources import Single

# a photo is made no larger than this at once: enough to find a garment, and its noise is averaged
# out
SIDE = 512
# grey levels; what differs less from the background is background (JPEG's ripples reach about as
# far)
LEAST = 12


def read_image(path, shape, light=False, pictures=None):
    """-> uint8 (H, W, C) = shape: the picture at `path` as fit_picture makes it.

    For a network that was trained on picture files, `pictures` (Dataset.pictures) has it read as
    those were. Raises DatasetError, one line.
    """
    if pictures:
        fit = pictures.get("fit") or "pad"
        treatment = decode.Treatment(tuple(shape[:2]), fit, shape[2] == 3)
        try:
            return decode.decode(Single(path, "a picture"), path, treatment)
        except decode.Broken as error:
            raise _refused(path, error) from None
    return fit_picture(open_picture(path), shape, light)


def read_for(metadata, path, shape):
    """The same for the network whose checkpoint has this metadata: as its training images were."""
    pictures = metadata.get("pictures")
    pictures = pictures if isinstance(pictures, dict) else None
    return read_image(path, shape, bool(metadata.get("light")), pictures)


def treatment_for(metadata, shape):
    """How picture files become images of that network (decode.Treatment.stored): as in training.

    Where it was trained on none, they take the size and the channels of its images (H, W, C).
    """
    found = metadata.get("pictures")
    if isinstance(found, dict):
        return {name: found.get(name) for name in ("size", "fit", "colour")}
    if len(shape) != 3:
        return {}
    height, width, channels = shape
    return {"size": [height, width], "fit": "pad", "colour": channels == 3}


def open_picture(path):
    """-> Pillow image, RGB, at most SIDE x SIDE, upright as its camera says, white if transparent.

    Raises DatasetError, one line, for what is no picture.
    """
    try:
        with decode.opened(Single(path, "a picture"), path) as picture:
            decode.check_mode(picture)
            image = decode.upright(picture).convert("RGB")
    except decode.Broken as error:
        raise _refused(path, error) from None
    image.thumbnail((SIDE, SIDE))
    return image


def _refused(path, error):
    advice = "" if "; expected" in str(error) else "; expected a picture: PNG, JPEG"
    return DatasetError(f"{path}: {error}{advice}")


def fit_picture(picture, shape, light=False):
    """-> uint8 (H, W, C) = shape.

    For C = 1 what Fashion-MNIST's makers did: light on black, trimmed, centred.

        l = |p - b|, 0 where l <= t
        p grey, b the border's median, t = max(LEAST, 4 * the border's deviation)

    is trimmed to what is not 0, scaled until its longer side fills the frame, stretched to 255, and
    sharpened. A picture that has the shape already is only inverted, if its border is light. For a
    network whose data have a light background (`light`) the result is the other way round. Colour
    (C = 3) is scaled and centred as it is. Raises ShapeError for other C. Source: Xiao, Rasul,
    Vollgraf 2017, section 2.
    """
    from PIL import ImageFilter

    height, width, channels = shape
    if channels not in (1, 3):
        raise ShapeError(
            f"a picture is grey or has 3 colours; the network wants images of {channels} channels"
        )
    if channels != 1:
        return np.asarray(_centred(picture, width, height)).reshape(shape)
    grey = np.asarray(picture.convert("L"))
    if grey.shape == (height, width):
        return (grey if (_border(grey).mean() >= 128) == light else 255 - grey).reshape(shape)
    found = _trimmed(_difference(grey))
    if found is None:  # nothing stands out from the background
        return np.full(shape, 255 if light else 0, np.uint8)
    fitted = _centred(found, width, height)
    most = max(fitted.getextrema()[1], 1)
    stretched = fitted.point([min(255, round(255 * value / most)) for value in range(256)])
    result = np.asarray(
        stretched.filter(ImageFilter.UnsharpMask(radius=1, percent=50, threshold=0))
    ).reshape(shape)
    return 255 - result if light else result


def _border(grey):
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _difference(grey):
    """l of fit_picture. The deviation is the median one (1.4826: a normal's), so half the border
    may be garment.
    """
    edge = _border(grey).astype(np.float32)
    background = np.median(edge)
    deviation = 1.4826 * np.median(abs(edge - background))
    light = abs(grey - background)
    return np.where(light > max(LEAST, 4 * deviation), light, 0).astype(np.uint8)


def _trimmed(light):
    """A Pillow image without the empty margins, None if all is empty.

    Specks under 1 % of the side do not count.
    """
    from PIL import Image, ImageFilter

    mask = Image.fromarray(np.where(light > 0, 255, 0).astype(np.uint8))
    box = mask.filter(ImageFilter.MedianFilter(max(light.shape) // 100 | 1)).getbbox()
    return box and Image.fromarray(light).crop(box)


def _centred(image, width, height):
    """Scaled until it fills the frame one way, in the middle of black."""
    from PIL import Image

    scale = min(width / image.width, height / image.height)
    w, h = (max(1, round(side * scale)) for side in image.size)
    frame = Image.new(image.mode, (width, height))
    frame.paste(image.resize((w, h)), ((width - w + 1) // 2, (height - h + 1) // 2))
    return frame

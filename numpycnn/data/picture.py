"""One picture of a person's own, in the form of the images that a network was trained on."""

import numpy as np

from ..errors import DatasetError


def read_image(path, shape):
    """-> uint8 (H, W, C) = shape: grey for C = 1, fitted into the middle, light on a dark background.

    A picture whose border is brighter than its middle grey (a product on white) is inverted, as Fashion-MNIST's
    were. Raises DatasetError, one line, for what is no picture.
    """
    from PIL import Image, ImageOps

    height, width, channels = shape
    try:
        with Image.open(path) as picture:
            image = ImageOps.exif_transpose(picture).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{path}: no picture that Pillow can read: {' '.join(str(error).split())}") from None
    white = Image.new("RGBA", image.size, "white")
    image = Image.alpha_composite(white, image).convert("L" if channels == 1 else "RGB")
    pixels = np.asarray(image)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    if channels == 1 and border.mean() > 127:
        image = ImageOps.invert(image)
    image = ImageOps.pad(image, (width, height), color=0)
    return np.asarray(image, np.uint8).reshape(shape)

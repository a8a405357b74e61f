"""Are photos of garments classified as the data set's images are?

    python -m benchmarks.pictures [CHECKPOINT]

Test images are enlarged ten times and disguised as photos. Each row has the share of photos with
the same prediction as the image itself, and the share that is marked as out of distribution.
"""

import io
import sys

import numpy as np
from PIL import Image, ImageOps

import numpycnn as nc
from numpycnn.data.picture import fit_picture, open_picture
from numpycnn.inspection import out_of_distribution

N = 500


def main(checkpoint="pretrained:paper"):
    x = nc.data.load("fashion-mnist").x_test[:N]
    net = nc.load(checkpoint)
    expected = nc.predict(net, x).argmax(axis=1)
    for name, disguise in DISGUISES.items():
        rng = np.random.default_rng(1)
        photos = [open_picture(jpeg(disguise(image[..., 0], rng))) for image in x]
        inputs = np.stack([fit_picture(photo, (28, 28, 1)) for photo in photos])  # (N, 28, 28, 1)
        same = (nc.predict(net, inputs).argmax(axis=1) == expected).mean()
        marked = 1 - np.mean(out_of_distribution.in_distribution(net, inputs))
        text = f"{same:6.1%} the same class, {marked:6.1%} marked as out of distribution"
        print(f"{name:32} {text}", flush=True)


def jpeg(image):
    file = io.BytesIO()
    image.save(file, "jpeg", quality=85)
    file.seek(0)
    return file


def larger(image, background=0, garment=255):
    """Ten times as large, with `background` for black and `garment` for white."""
    pixels = np.asarray(Image.fromarray(image).resize((280, 280)), float) / 255
    grey = background + (garment - background) * pixels
    return Image.fromarray(grey.astype(np.uint8))


def off_centre(image, rng):
    """With margins of 40 to 300 pixels in the grey of its corner."""
    left, top, right, bottom = (int(margin) for margin in rng.integers(40, 300, 4))
    return ImageOps.expand(image, (left, top, right, bottom), image.getpixel((0, 0)))


def noisy(image, rng, deviation):
    pixels = np.asarray(image, float)
    pixels = pixels + rng.normal(0, deviation, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


DISGUISES = {
    "enlarged": lambda image, rng: larger(image),
    "on white": lambda image, rng: larger(image, 255, 0),
    "off-centre on black": lambda image, rng: off_centre(larger(image), rng),
    "off-centre on white": lambda image, rng: off_centre(larger(image, 255, 0), rng),
    "on grey, half the contrast": lambda image, rng: off_centre(larger(image, 150, 22), rng),
    "on white, noise of 5 levels": lambda image, rng: noisy(
        off_centre(larger(image, 240, 30), rng), rng, 5
    ),
}


if __name__ == "__main__":
    main(*sys.argv[1:])

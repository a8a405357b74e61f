"""Are photos of garments recognised as the data's own images are? python -m benchmarks.pictures [CHECKPOINT]

Test images are enlarged ten times and disguised as photos; each row says how often the network names the class that
it names for the image itself, and how often the photo is marked as unfamiliar.
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
    x, net = nc.data.load("fashion-mnist").x_test[:N], nc.load(checkpoint)
    own = nc.predict(net, x).argmax(axis=1)
    for name, disguise in DISGUISES.items():
        rng = np.random.default_rng(1)
        seen = np.stack(
            [
                fit_picture(open_picture(jpeg(disguise(image[..., 0], rng))), (28, 28, 1))
                for image in x
            ]
        )
        same = (nc.predict(net, seen).argmax(axis=1) == own).mean()
        strange = 1 - np.mean(out_of_distribution.familiar(net, seen))
        print(f"{name:32} {same:6.1%} the same class, {strange:6.1%} marked unfamiliar", flush=True)


def jpeg(image):
    file = io.BytesIO()
    image.save(file, "jpeg", quality=85)
    file.seek(0)
    return file


def larger(image, background=0, garment=255):
    """Ten times as large, with `background` for black and `garment` for white."""
    grey = (
        background
        + (garment - background)
        * np.asarray(Image.fromarray(image).resize((280, 280)), float)
        / 255
    )
    return Image.fromarray(grey.astype(np.uint8))


def off_centre(image, rng):
    """With margins of 40 to 300 pixels in the grey of its corner."""
    left, top, right, bottom = (int(side) for side in rng.integers(40, 300, 4))
    return ImageOps.expand(image, (left, top, right, bottom), image.getpixel((0, 0)))


def noisy(image, rng, deviation):
    pixels = np.asarray(image, float)
    return Image.fromarray(
        (pixels + rng.normal(0, deviation, pixels.shape)).clip(0, 255).astype(np.uint8)
    )


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

"""The scale of pixels: one contract for training, validation, augmented batches and prediction.

A network that begins with Standardize expects pixels: uint8 (0 to 255), or floats from 0 to 1.
Another one takes what it is given, but then everything must have the scale of its training images.
`fit` notes that scale as `net.pixel_scale`; checkpoints hold it.
"""

import math
from typing import NamedTuple

import numpy as np

from ..data.rows import pieces
from ..layers import Flatten, Identity, Reshape, Standardize
from ..layers.traverse import walk

TOLERANCE = 1e-3  # of rounding, beside 0 and 1
MARGIN = 0.5  # what augmentation may add to pixels from 0 to 1 on both sides: noise, brightness
SMALLER = 50  # times less than in training is another scale
MANY = 32  # images, of which one should be below 0 where the training images were


class Scale(NamedTuple):
    """The dtype ("uint8" or "float") and the range of images."""

    dtype: str
    low: float
    high: float

    def __str__(self):
        kind = "uint8" if self.dtype == "uint8" else "floats"
        return f"{kind} from {self.low:g} to {self.high:g}"


def measure(x, finite=True):
    """The Scale of images x (N, ...). Raises ValueError that names the first value not finite;
    without `finite` such values do not count.
    """
    low, high, bad, first = np.inf, -np.inf, 0, None
    for i, part in pieces(x):
        least, most = part.min(), part.max()
        if part.dtype != np.uint8 and not (math.isfinite(least) and math.isfinite(most)):
            wrong = ~np.isfinite(part)
            if first is None:
                index = np.unravel_index(wrong.argmax(), part.shape)
                first = [int(index[0]) + i, *map(int, index[1:])]
            bad += int(wrong.sum())
            part = part[~wrong] if not wrong.all() else np.zeros(1)
            least, most = part.min(), part.max()
        low, high = min(low, least), max(high, most)
    if bad and finite:
        raise ValueError(f"{bad} values of the images are NaN or infinite, the first is x{first}")
    return Scale("uint8" if x.dtype == np.uint8 else "float", float(low), float(high))


def standardizes(net):
    """Whether Standardize is the first layer that sees the values of the images."""
    for _, layer in walk(net):
        if isinstance(layer, (Flatten, Identity, Reshape)) or any(layer.children()):
            continue
        return isinstance(layer, Standardize)
    return False


def check(net, x, what="the images", seen=None, margin=TOLERANCE, finite=True):
    """The Scale of x (N, ...), which must suit net. Raises ValueError, with the ways out.

    seen: the Scale to compare with; by default the one that net was trained on, if it is known.
    """
    scale = measure(x, finite)
    pixels = standardizes(net)
    if (
        pixels
        and scale.dtype == "float"
        and not (-margin <= scale.low and scale.high <= 1 + margin)
    ):
        raise ValueError(
            f"{what} are {scale}, but the network begins with Standardize, which expects uint8 "
            f"(0 to 255) or floats from 0 to 1: {_ways_out(scale)}"
        )
    own = seen is None
    seen = getattr(net, "pixel_scale", None) if own else seen
    if isinstance(seen, Scale) and _differs(scale, seen, len(x), pixels, margin):
        those = "the network was trained on" if own else "the training images are"
        meant = "; if that is meant, set net.pixel_scale = None" if own else ""
        raise ValueError(f"{what} are {scale}, but {those} {seen}: scale them alike{meant}")
    return scale


def _ways_out(scale):
    if scale.low >= 0 and 16 < scale.high <= 255:
        return "use x.astype('uint8'), or x / 255"
    return "scale them to 0..1, or leave Standardize out if they are standardised already"


def _differs(scale, seen, images, pixels, margin):
    """Whether two scales are plainly not the same, so that no set of images could explain it."""
    if scale.dtype == "uint8" and (pixels or seen.dtype == "uint8"):
        return (
            0 < scale.high <= 1 and _as_share(seen).high > 1 / SMALLER
        )  # 0..1, cast to whole numbers
    if pixels:  # both kinds of pixels are one scale
        seen = _as_share(seen)
    elif scale.dtype != seen.dtype:
        return True
    width, usual = scale.high - scale.low, seen.high - seen.low
    if 0 < width < usual / SMALLER:
        return True
    if pixels or not usual:
        return False  # dark and light images are both from 0 to 1
    if images >= MANY and width and seen.low < -0.2 * usual and scale.low >= 0:
        return True
    negative = seen.low >= 0 and scale.low < -max(0.1, margin) * usual
    return negative or scale.low < seen.low - 2 * usual or scale.high > seen.high + 2 * usual


def _as_share(scale):
    """uint8 as the share of 255 that Standardize makes of it."""
    return Scale("float", scale.low / 255, scale.high / 255) if scale.dtype == "uint8" else scale

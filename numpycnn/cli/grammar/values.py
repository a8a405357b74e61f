"""What may stand behind an option: text -> value, or argparse.ArgumentTypeError in one line."""

import argparse
import math


def given(text):
    """A name or a path, which is not empty."""
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a name or a path, not an empty text")
    return text


def lower(text):
    """The same in small letters: a name whose letter case means nothing."""
    return given(text).lower()


def positive(text):
    """A whole number of at least 1."""
    return _whole(text, 1)


def all_or_number(text):
    """The word all as it is, or a whole number of at least 1."""
    return text if text == "all" else positive(text)


def natural(text):
    """A whole number of at least 0."""
    return _whole(text, 0)


def _whole(text, least):
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise argparse.ArgumentTypeError(
            f"expected a whole number of at least {least}, not {text!r}"
        )
    return int(text)


def sizes(text):
    """64, 48x64 or 32x32x3 as a list of whole numbers; of one number the square."""
    numbers = [positive(part) for part in text.lower().split("x")]
    return numbers * 2 if len(numbers) == 1 else numbers


def image_shape(text):
    """28x28x1 as (28, 28, 1)."""
    numbers = sizes(text)
    if len(numbers) != 3:
        raise argparse.ArgumentTypeError(f"expected HxWxC, as in 28x28x1, not {text!r}")
    return tuple(numbers)


def rate(text):
    """A learning rate: a finite number of at least 0."""
    value = _number(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a finite number of at least 0, not {text!r}")
    return value


def share(text):
    """A number of at least 0 and below 1: a rate of dropout, a decay."""
    value = _number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to below 1, not {text!r}")
    return value


def several(kind):
    """One or more of a kind, with commas: 32,64,92 as a list."""

    def values(text):
        return [kind(part) for part in text.split(",")]

    return values


def name_or_number(text):
    """he_normal as it is, 0.01 as a float."""
    try:
        return float(text)
    except ValueError:
        return given(text)


def seconds(text):
    """A time: a finite number above 0."""
    value = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a finite number above 0, not {text!r}")
    return value


def _number(text):
    """text as a float; NaN, which no comparison lets pass, for what is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan

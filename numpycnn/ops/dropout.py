"""Dropout (Srivastava et al. 2014), inverted: training scales, so that inference needs nothing."""

import numpy as np

from ..backend import Cache, op
from . import whole
from .checks import backward, floats


def _check_dropout(x, rate, rng, train):
    if not 0 <= rate < 1:
        raise ValueError(
            f"dropout's rate is the share dropped, at least 0 and below 1, not {rate!r}"
        )
    if train and rate > 0 and not isinstance(rng, np.random.Generator):
        raise ValueError("dropout needs a numpy.random.Generator as rng to train")
    return floats("x", x), float(rate), rng, bool(train)


def dropout_cache(y, mask):
    """What dropout keeps: its mask of x's shape, None where nothing is dropped."""
    return Cache("dropout", y, mask=mask)


@op(_check_dropout)
def dropout(x, rate, rng=None, train=True):
    """y = x * mask      mask = 0 with the probability `rate`, else 1/(1 - rate), so that E[y] = x

    x of any shape, `rate` the share dropped (Keras's habit), to 1/65536; when not training y is x.
    Raises ValueError for a rate outside [0, 1) or no rng to train with, TypeError.
    Source: Srivastava et al. 2014, 10, where the scaling is moved into training.
    Steps: DERIVATIONS.md, "Dropout".
    """
    mask = None
    if train and rate > 0:
        # 16 random bits a value, compared as integers: a quarter of what a float64 each would cost
        bits = whole.draw(lambda shape: rng.integers(1 << 16, size=shape, dtype=np.uint16), x.shape)
        keep = bits >= round(rate * (1 << 16))
        mask = keep * x.dtype.type(1 / (1 - rate))
    y = x if mask is None else x * mask  # without a mask y is x itself, not a copy
    return y, dropout_cache(y, mask)


@op(backward("dropout"))
def dropout_backward(dy, cache):
    """dx = dy * mask      the mask of the forward pass; dx is dy where nothing was dropped.

    Raises ValueError for another op's cache, ShapeError and TypeError for another dy.
    """
    (mask,) = cache
    return dy if mask is None else dy * mask

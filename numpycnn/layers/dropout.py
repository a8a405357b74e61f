"""Dropout as a layer; the mathematics is in ops/dropout.py."""

import numpy as np

from ..ops import dropout, dropout_backward
from .base import Layer


class Dropout(Layer):
    """In training y is 0 for a share of the values, x / (1 - rate) for the rest; in use y = x.

    - rate: the share that is dropped, in [0, 1).
    - rng: the Generator that draws; fresh entropy without.

    Raises ValueError for another rate, TypeError for an rng that is no Generator. See ops.dropout.

    >>> Dropout(0.5).infer(np.array([1.0, 2.0]))
    array([1., 2.])
    """

    def __init__(self, rate, rng=None):
        if not 0 <= rate < 1:
            raise ValueError(
                f"dropout's rate is the share dropped, at least 0 and below 1, not {rate!r}"
            )
        if rng is not None and not isinstance(rng, np.random.Generator):
            raise TypeError(
                f"Dropout needs a numpy.random.Generator as rng, not {type(rng).__name__}"
            )
        self.rate, self.rng = rate, np.random.default_rng() if rng is None else rng

    def forward(self, x, train=False):
        return dropout(x, self.rate, self.rng, train)

    def backward(self, dy, cache):
        return dropout_backward(dy, cache)


def rates(dropout, count):
    """`count` rates: the first of those given, or the one for all.

    Raises ValueError for too few.
    """
    if np.ndim(dropout) == 0:
        return (dropout,) * count
    if len(dropout) < count:
        raise ValueError(f"dropout must be one rate for all, or {count} rates, not {dropout!r}")
    return tuple(dropout[:count])

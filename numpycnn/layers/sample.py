"""The sampled layer; the mathematics is in ops/sample.py."""

import numpy as np

from ..errors import ShapeError
from ..ops import gaussian_sample, gaussian_sample_backward
from .base import Layer


class Sampling(Layer):
    """ops.gaussian_sample of x = [mean | log_var] (N, 2 D) -> z (N, D); when not training the mean.

    rng: the Generator that draws; fresh entropy without. Raises ShapeError for another shape,
    TypeError for an rng that is no Generator.

    >>> Sampling().infer(np.array([[1.0, 2.0, 0.0, 0.0]]))  # means 1 and 2
    array([[1., 2.]])
    """

    def __init__(self, rng=None):
        if rng is not None and not isinstance(rng, np.random.Generator):
            raise TypeError(
                f"Sampling needs a numpy.random.Generator as rng, not {type(rng).__name__}"
            )
        self.rng = np.random.default_rng() if rng is None else rng

    def forward(self, x, train=False):
        if x.ndim != 2 or x.shape[1] % 2:
            raise ShapeError(
                f"Sampling needs means and log variances side by side, (N, 2 D), not {x.shape}"
            )
        mean, log_var = np.split(x, 2, axis=1)  # each (N, D)
        return gaussian_sample(mean, log_var, self.rng, train)

    def backward(self, dy, cache):
        return np.concatenate(gaussian_sample_backward(dy, cache), axis=1)

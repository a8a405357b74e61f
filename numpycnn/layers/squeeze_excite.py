"""Squeeze-and-excite: every channel times a gate that the whole image decides."""

import numpy as np

from ..errors import ShapeError
from ..ops import channel_scale, channel_scale_backward
from .activation import ReLU, Sigmoid
from .base import Layer
from .combine import Sequential, _own_cache
from .dense import Dense
from .pool import GlobalAvgPool


class SqueezeExcite(Layer):
    """y[n,i,j,c] = x[n,i,j,c] * s[n,c],  s = sigmoid(relu(mean(x) @ w1 + b1) @ w2 + b2)

    - channels: C, of images x (N, H, W, C).
    - reduction: w1 (C, C // reduction) squeezes the means of all channels, w2 brings them back to
      C gates; 16 in the source.
    - init: a name in layers.init, a deviation, or a function of (shape, rng); He's.
    - rng: the Generator that draws w1 and w2; fresh entropy without.

    The layers that make s are in `gate`. Backward: x gets dy * s, and what the gate gives back.
    Raises ShapeError for a reduction that is no whole number from 1 to the number of channels.
    Source: Hu et al. 2018.

    >>> SqueezeExcite(8, reduction=4).infer(np.ones((2, 5, 5, 8), np.float32)).shape
    (2, 5, 5, 8)
    """

    def __init__(self, channels, reduction=16, init="he_normal", rng=None):
        whole = isinstance(reduction, (int, np.integer)) and not isinstance(reduction, bool)
        if not whole or not 1 <= reduction <= channels:
            raise ShapeError(
                f"SqueezeExcite needs a reduction of 1 to {channels}, which are all of its "
                f"channels, not {reduction!r}"
            )
        self.channels, self.reduction = channels, int(reduction)
        squeeze = Dense(channels, channels // reduction, init=init, rng=rng)
        excite = Dense(channels // reduction, channels, init=init, rng=rng)
        self.gate = Sequential(GlobalAvgPool(), squeeze, ReLU(), excite, Sigmoid())

    def forward(self, x, train=False):
        s, gate = self.gate.forward(x, train)  # (N, C)
        y, scale = channel_scale(x, s)
        return y, (gate, scale)

    def backward(self, dy, cache):
        gate, scale = _own_cache(self, cache, tuple, 2)
        dx, ds = channel_scale_backward(dy, scale)
        return dx + self.gate.backward(ds, gate)

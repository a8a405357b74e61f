"""Normalisation layers; the mathematics is in ops/norm.py and ops/layer_norm.py."""

import numpy as np

from ..errors import ShapeError
from ..ops import (
    batch_norm,
    batch_norm_backward,
    group_norm,
    group_norm_backward,
    layer_norm,
    layer_norm_backward,
)
from ..ops.checks import group_count
from .base import Layer, Param


class BatchNorm(Layer):
    """ops.batch_norm over (N, C) or (N, H, W, C), the last axis being the channels; y is like x.

    - channels: C. gamma (ones) and beta (zeros), (C,), are trained; running_mean and running_var
      (C,), of use, are buffers that training updates.
    - momentum: the weight of the old running value, 0.9.
    - eps: added to the variance, 1e-5.

    Raises ValueError for a momentum outside [0, 1] or an eps that is not positive, ShapeError for
    channels that are no whole number of at least 1; in training also for one value a channel.

    >>> x = np.array([[1.0], [3.0]], np.float32)
    >>> BatchNorm(1).forward(x, train=True)[0].round(3)  # mean 2, deviation 1
    array([[-1.],
           [ 1.]], dtype=float32)
    """

    buffer_names = ("running_mean", "running_var")

    def __init__(self, channels, momentum=0.9, eps=1e-5):
        if not 0 <= momentum <= 1 or not eps > 0:
            raise ValueError(
                f"batch norm needs a momentum in [0, 1] and eps > 0, not {momentum!r} and {eps!r}"
            )
        _check_channels("batch norm", channels)
        self.momentum, self.eps = momentum, eps
        self.gamma = Param("gamma", np.ones(channels, np.float32))
        self.beta = Param("beta", np.zeros(channels, np.float32))
        self.running_mean = np.zeros(channels, np.float32)
        self.running_var = np.ones(channels, np.float32)

    def config(self):
        return {"channels": len(self.gamma.value), "momentum": self.momentum, "eps": self.eps}

    def forward(self, x, train=False):
        running = self.running_mean, self.running_var
        return batch_norm(
            x, self.gamma.value, self.beta.value, *running, train, self.momentum, self.eps
        )

    def backward(self, dy, cache):
        dx, dgamma, dbeta = batch_norm_backward(dy, cache)
        self.gamma.add_grad(dgamma)
        self.beta.add_grad(dbeta)
        return dx


class LayerNorm(Layer):
    """The channels of each pixel, or each row, to mean 0 and variance 1; see ops.layer_norm.

    - channels: C. gamma (ones) and beta (zeros), (C,), are trained.
    - eps: added to the variance, 1e-5.

    No example sees another: training and use are the same.

    Raises ValueError for an eps that is not positive, ShapeError for channels that are no whole
    number of at least 1.

    >>> LayerNorm(2).infer(np.array([[1.0, 3.0]])).round(3)  # mean 2, deviation 1
    array([[-1.,  1.]])
    """

    def __init__(self, channels, eps=1e-5):
        _check_channels("layer norm", channels)
        self.eps = _positive("layer norm", eps)
        self.gamma = Param("gamma", np.ones(channels, np.float32))
        self.beta = Param("beta", np.zeros(channels, np.float32))

    def config(self):
        return {"channels": len(self.gamma.value), "eps": self.eps}

    def forward(self, x, train=False):
        return layer_norm(x, self.gamma.value, self.beta.value, self.eps)

    def backward(self, dy, cache):
        dx, dgamma, dbeta = layer_norm_backward(dy, cache)
        self.gamma.add_grad(dgamma)
        self.beta.add_grad(dbeta)
        return dx


class GroupNorm(Layer):
    """Groups of an image's channels to mean 0 and variance 1 over all pixels; see ops.group_norm.

    - groups: how many; of neighbouring channels, channels/groups in each. 1: the whole image
      together; as many as channels: each by itself (instance norm).
    - channels: C. gamma (ones) and beta (zeros), (C,), are trained.
    - eps: added to the variance, 1e-5.

    No image sees another: training and use are the same.

    Raises ValueError for an eps that is not positive, ShapeError for channels that are no whole
    number of at least 1, and for groups that do not divide them.

    >>> GroupNorm(2, 4).infer(np.array([[1.0, 3.0, 5.0, 9.0]])).round(3)
    array([[-1.,  1., -1.,  1.]])
    """

    def __init__(self, groups, channels, eps=1e-5):
        _check_channels("group norm", channels)
        self.groups, self.eps = group_count(groups, channels), _positive("group norm", eps)
        self.gamma = Param("gamma", np.ones(channels, np.float32))
        self.beta = Param("beta", np.zeros(channels, np.float32))

    def config(self):
        return {"groups": self.groups, "channels": len(self.gamma.value), "eps": self.eps}

    def forward(self, x, train=False):
        return group_norm(x, self.gamma.value, self.beta.value, self.groups, self.eps)

    def backward(self, dy, cache):
        dx, dgamma, dbeta = group_norm_backward(dy, cache)
        self.gamma.add_grad(dgamma)
        self.beta.add_grad(dbeta)
        return dx


def _check_channels(kind, channels):
    if isinstance(channels, bool) or not isinstance(channels, (int, np.integer)) or channels < 1:
        raise ShapeError(f"{kind} needs a whole number of at least 1 channel, not {channels!r}")


def _positive(kind, eps):
    if not eps > 0:
        raise ValueError(f"{kind} needs eps > 0, not {eps!r}")
    return eps

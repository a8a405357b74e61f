"""Activations as layers; the mathematics is in ops/activation.py."""

import numpy as np

from .. import ops
from ..errors import ShapeError, unknown
from .base import Layer, Param


class ReLU(Layer):
    """y = max(x, 0), of any shape; see ops.relu.

    >>> ReLU().infer(np.array([-2.0, 3.0]))
    array([0., 3.])
    """

    def forward(self, x, train=False):
        return ops.relu(x)

    def backward(self, dy, cache):
        return ops.relu_backward(dy, cache)

    def tangent(self, u, dy, cache):
        """u -> u where x > 0, else 0: the Jacobian is diagonal, so its own transpose.

        See input_gradient.py.
        """
        return self.backward(u, cache)


class LeakyReLU(Layer):
    """y = x where x > 0, else negative_slope * x (0.01), of any shape; see ops.leaky_relu.

    >>> LeakyReLU(0.2).infer(np.array([-2.0, 3.0]))
    array([-0.4,  3. ])
    """

    def __init__(self, negative_slope=0.01):
        self.negative_slope = negative_slope

    def forward(self, x, train=False):
        return ops.leaky_relu(x, self.negative_slope)

    def backward(self, dy, cache):
        return ops.leaky_relu_backward(dy, cache)

    def tangent(self, u, dy, cache):
        """u -> u where x > 0, else negative_slope * u: the Jacobian is diagonal, its own transpose.

        See input_gradient.py.
        """
        return self.backward(u, cache)


class PReLU(Layer):
    """y = x where x > 0, else alpha[c] * x, alpha (channels,) learned; see ops.prelu.

    - channels: of x (..., C), or 1 for one slope of all.
    - alpha: the slopes at first, 0.25 as in He et al. 2015.

    Raises ShapeError for channels that are no whole number of at least 1.

    >>> PReLU(2).infer(np.array([[-2.0, 3.0]]))
    array([[-0.5,  3. ]])
    """

    def __init__(self, channels=1, alpha=0.25):
        if (
            isinstance(channels, bool)
            or not isinstance(channels, (int, np.integer))
            or channels < 1
        ):
            raise ShapeError(f"PReLU needs a whole number of at least 1 channel, not {channels!r}")
        self.alpha = Param("alpha", np.full(channels, alpha, np.float32))

    def config(self):
        return {"channels": len(self.alpha.value)}

    def forward(self, x, train=False):
        return ops.prelu(x, self.alpha.value)

    def backward(self, dy, cache):
        dx, dalpha = ops.prelu_backward(dy, cache)
        self.alpha.add_grad(dalpha)
        return dx


class ELU(Layer):
    """y = x where x > 0, else alpha * (exp(x) - 1), alpha 1 unless given; see ops.elu.

    >>> ELU().infer(np.array([-1.0, 3.0])).round(4)
    array([-0.6321,  3.    ])
    """

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def forward(self, x, train=False):
        return ops.elu(x, self.alpha)

    def backward(self, dy, cache):
        return ops.elu_backward(dy, cache)


class Sigmoid(Layer):
    """y = 1 / (1 + exp(-x)), of any shape; see ops.sigmoid.

    >>> Sigmoid().infer(np.array([0.0]))
    array([0.5])
    """

    def forward(self, x, train=False):
        return ops.sigmoid(x)

    def backward(self, dy, cache):
        return ops.sigmoid_backward(dy, cache)


class Tanh(Layer):
    """y = tanh(x), of any shape; see ops.tanh.

    >>> Tanh().infer(np.array([0.0]))
    array([0.])
    """

    def forward(self, x, train=False):
        return ops.tanh(x)

    def backward(self, dy, cache):
        return ops.tanh_backward(dy, cache)


class SiLU(Layer):
    """y = x / (1 + exp(-x)), also called swish, of any shape; see ops.silu.

    >>> SiLU().infer(np.array([-2.0, 0.0, 3.0])).round(3)
    array([-0.238,  0.   ,  2.858])
    """

    def forward(self, x, train=False):
        return ops.silu(x)

    def backward(self, dy, cache):
        return ops.silu_backward(dy, cache)


class GELU(Layer):
    """y = x * Phi(x), the exact one, of any shape; see ops.gelu.

    >>> GELU().infer(np.array([-2.0, 0.0, 3.0])).round(3)
    array([-0.046,  0.   ,  2.996])
    """

    def forward(self, x, train=False):
        return ops.gelu(x)

    def backward(self, dy, cache):
        return ops.gelu_backward(dy, cache)


class HardSwish(Layer):
    """y = x * min(max(x + 3, 0), 6) / 6: SiLU in three pieces; see ops.hard_swish.

    >>> HardSwish().infer(np.array([-4.0, -1.5, 3.0]))
    array([-0.   , -0.375,  3.   ])
    """

    def forward(self, x, train=False):
        return ops.hard_swish(x)

    def backward(self, dy, cache):
        return ops.hard_swish_backward(dy, cache)


ACTIVATIONS = {
    "relu": ReLU, "leaky_relu": LeakyReLU, "prelu": PReLU, "elu": ELU,
    "sigmoid": Sigmoid, "tanh": Tanh, "silu": SiLU, "gelu": GELU, "hard_swish": HardSwish,
}  # fmt: skip


def activation(name, channels):
    """A layer by its name; `channels` are prelu's slopes. Raises UnknownNameError.

    >>> activation("elu", 8)
    ELU()
    """
    if name not in ACTIVATIONS:
        raise unknown("activation", name, ACTIVATIONS)
    return PReLU(channels) if name == "prelu" else ACTIVATIONS[name]()

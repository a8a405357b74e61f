"""The gradient of a network with respect to its input, as a layer, and the second-order pass
through it.

A critic D is a chain x_0 = x, x_l = f_l(x_(l-1)), with one score an example at its end. Its
backward pass, begun with g_L = 1 and read as a forward pass, is a network too: it has the same
layers, transposed and in reverse.

    g_(l-1) = J_l^T g_l      J_l = df_l/dx_(l-1)
                             down to g_0 = dD/dx, the slope of the critic at x

WGAN-GP asks that |g_0| be 1, so its loss C depends on the weights through g_0. Let u_0 = dC/dg_0
come in. The layer g_(l-1) = J_l^T g_l is linear in g_l, and its own backward pass has J_l where it
has J_l^T:

    u_l = J_l u_(l-1)        forward again, through the same layers in the same order,
                             but for their biases

which is what f_l does to a small step of its input: a tangent. The weights enter each layer by the
number <u_(l-1), J_l^T g_l> = <J_l u_(l-1), g_l>, and that is a forward pass of u met by the
upstream gradient g: its weight gradient is the one that every layer knows, with u_(l-1) in the
place of its input and g_l in that of dy.

    Conv2D      u_l = conv(u_(l-1), w)              dw += im2col(u_(l-1)).T @ g_l      db: nothing
    Dense       u_l = u_(l-1) @ w                   dw += u_(l-1).T @ g_l              db: nothing
    LeakyReLU   u_l = slope(x_(l-1)) * u_(l-1)      slope is 1 or the negative slope: see below
    Flatten, AvgPool2D, Standardize                 linear, without weights: their own forward pass
                                                    but for the shift

Does g_0 depend on the weights in another way, through the x_l at which the J_l are taken? Only
LeakyReLU's J_l looks at x_l, and only at its sign: its second derivative is 0 everywhere but at the
kink. So no gradient goes back to the x_l, dx is 0, and the biases get nothing. A smooth activation
(tanh, ELU) would add u * f''(x) * g to the upstream gradient of x, and an ordinary backward pass
from there; batch norm would couple the examples. Both are refused here: every layer of the critic
needs a `tangent`.

Steps: ops/DERIVATIONS.md, "The gradient penalty", with a worked example.
"""

import numpy as np

from ..errors import ShapeError
from .base import Layer
from .combine import Sequential
from .traverse import preserve_gradients


class InputGradient(Layer):
    """g[n] = d(score of x[n]) / dx[n]      x (N, ...) -> g (N, ...)

    critic: a Sequential, (N, ...) -> (N, 1).

    backward(dg) is the second-order pass: it adds to the gradients of the critic's weights -> dx,
    which is 0. Raises TypeError for a critic with a layer that has no `tangent`, ShapeError for
    other outputs than (N, 1). Source: Gulrajani et al. 2017; the transposed network as in
    Pearlmutter 1994's R-operator.

    >>> InputGradient(Sequential(Dense(2, 1, init=1.0))).infer(np.zeros((5, 2), np.float32)).shape
    (5, 2)
    """

    def __init__(self, critic):
        own = type(critic)
        if not isinstance(critic, Sequential) or own.forward is not Sequential.forward:
            raise TypeError(f"InputGradient needs a Sequential, not {own.__name__}")
        without = [type(layer).__name__ for layer in critic.layers if not hasattr(layer, "tangent")]
        if without:
            raise TypeError(
                "InputGradient needs layers that have a tangent pass; "
                f"{', '.join(without)} have none"
            )
        self.critic = critic

    def forward(self, x, train=False):
        scores, caches = self.critic.forward(x, train)
        if scores.shape != (len(x), 1):
            raise ShapeError(
                f"InputGradient needs one score an example, ({len(x)}, 1), not {scores.shape}"
            )
        g, upstream = np.ones_like(scores), []
        with preserve_gradients(self.critic):  # this is no loss: its weight gradients mean nothing
            for layer, cache in zip(reversed(self.critic.layers), reversed(caches), strict=True):
                upstream.append(g)
                g = layer.backward(g, cache)
        return g, (caches, upstream[::-1])

    def backward(self, dy, cache):
        u = dy
        for layer, one, g in zip(self.critic.layers, *cache, strict=True):
            u = layer.tangent(u, g, one)
        for param in self.critic.params():  # the biases, on which g does not depend
            param.grad = np.zeros_like(param.value) if param.grad is None else param.grad
        return np.zeros_like(dy)

"""The update rules of the optimisers: they change `value` and the state beside it in place.

All arrays of one rule have the shape and dtype of `value`; the other arguments are numbers.
Those with a gradient of another shape raise ValueError.
"""

import numpy as np

from ..backend import op
from .dense import dense


def _check_update(value, grad, *rest):
    if grad.shape != value.shape:
        raise ValueError(
            f"a gradient of the shape {grad.shape} cannot update a value of the shape {value.shape}"
        )
    return value, np.asarray(grad, value.dtype, order="C"), *rest


@op(_check_update)
def sgd_update(value, grad, velocity, lr, momentum, nesterov, decay):
    """g = grad + decay * value      u <- momentum * u + g      value -= lr * u

    Nesterov looks ahead: value -= lr * (g + momentum * u). Source: Sutskever et al. 2013.
    """
    kind = value.dtype.type  # numbers in the arrays' dtype: float32 stays float32
    g = grad + kind(decay) * value if decay else grad
    velocity *= kind(momentum)
    velocity += g
    step = g + kind(momentum) * velocity if nesterov else velocity
    value -= kind(lr) * step


@op(_check_update)
def adam_update(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    """m <- beta1 m + (1 - beta1) g      v <- beta2 v + (1 - beta2) g^2
    value -= lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

    t counts the steps from 1. Decay adds decay * value to g; decoupled (AdamW) it takes
    lr * decay * value off instead.
    Source: Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019, algorithm 2.
    Steps: DERIVATIONS.md, "Adam's bias correction".
    """
    kind = value.dtype.type
    g = grad
    if decay and decoupled:
        value *= kind(1 - lr * decay)
    elif decay:
        g = grad + kind(decay) * value
    # written as m + (1 - beta)(g - m): one multiplication less
    m += kind(1 - beta1) * (g - m)
    v += kind(1 - beta2) * (g * g - v)
    # m and v start at 0: divided by 1 - beta^t they are averages from the first step on
    lr_t = kind(lr / (1 - beta1**t))
    v_hat = v * kind(1 / (1 - beta2**t))
    value -= lr_t * m / (np.sqrt(v_hat) + kind(eps))


@op(_check_update)
def rmsprop_update(value, grad, square, lr, rho, eps, decay):
    """g = grad + decay * value      s <- rho s + (1 - rho) g^2
    value -= lr * g / (sqrt(s) + eps)

    Source: Tieleman & Hinton 2012, lecture 6.5; what WGAN was published with.
    """
    kind = value.dtype.type
    g = grad + kind(decay) * value if decay else grad
    square += kind(1 - rho) * (g * g - square)
    value -= kind(lr) * g / (np.sqrt(square) + kind(eps))


def muon_update(value, grad, velocity, lr, momentum):
    """u <- momentum * u + grad      o = orthogonalize(grad + momentum * u)
    value <- value - lr * ||value|| * o / sqrt(rank), then scaled back to the norm that it had

    Weights (..., C, F) are the matrix (.. * C, F). As the norm is kept, lr is the angle of a step:
    for weights whose size does not matter, those before a batch norm.
    Source: Jordan 2024, "Muon", normalised as in airbench.
    """
    value, grad = _check_update(value, grad)
    kind = value.dtype.type
    norm = np.linalg.norm(value)
    velocity *= kind(momentum)
    velocity += grad
    look_ahead = grad + kind(momentum) * velocity  # Nesterov's
    o = orthogonalize(look_ahead.reshape(-1, value.shape[-1]))  # (.. * C, F), of norm sqrt(rank)
    value -= kind(lr * norm / np.sqrt(min(o.shape))) * o.reshape(value.shape)
    value *= kind(norm / max(np.linalg.norm(value), np.finfo(kind).tiny))


def orthogonalize(g, steps=5):
    """U V^T of g = U S V^T, nearly: x <- a x + b (x x^T) x + c (x x^T)^2 x from x = g / ||g||

    With a, b, c = 3.4445, -4.775, 2.0315 each singular value that is not tiny runs towards 1, to
    about 0.7 to 1.2: quick is worth more than exact here. g (D, F) -> (D, F).
    Source: Jordan 2024, the quintic Newton-Schulz iteration.
    """
    if g.shape[0] > g.shape[1]:  # x x^T is the smaller product when x is wide
        return orthogonalize(g.T, steps).T
    kind = g.dtype.type
    x = g / (np.linalg.norm(g) + kind(1e-7))  # no singular value is larger than 1
    for _ in range(steps):
        s, _ = dense(x, x.T)  # x x^T (D, D)
        s_squared, _ = dense(s, s)
        polynomial = kind(-4.775) * s + kind(2.0315) * s_squared
        x = kind(3.4445) * x + dense(polynomial, x)[0]
    return x

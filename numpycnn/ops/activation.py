"""Activations: element by element, but for softmax, which couples the elements of a row.

All take x of any shape (softmax: (..., K)) and keep its shape and dtype. NaN passes through.
"""

import numpy as np

from ..backend import Cache, op
from ..errors import ShapeError
from .checks import backward, floats


def _check(x):
    return (floats("x", x),)


def relu_cache(y, positive):
    """What relu keeps: where x > 0, as booleans of x's shape."""
    return Cache("relu", y, positive=positive)


@op(_check)
def relu(x):
    """y = max(x, 0)      Source: Nair & Hinton 2010; the paper's activation throughout."""
    y = np.maximum(x, 0)
    return y, relu_cache(y, x > 0)


@op(backward("relu"))
def relu_backward(dy, cache):
    """dx = dy where x > 0, else 0"""
    (positive,) = cache
    return dy * positive


def leaky_relu_cache(y, slope):
    """What leaky_relu keeps: dy/dx, 1 or negative_slope, of x's shape."""
    return Cache("leaky_relu", y, slope=slope)


@op(lambda x, negative_slope=0.01: (*_check(x), float(negative_slope)))
def leaky_relu(x, negative_slope=0.01):
    """y = x where x > 0, else negative_slope * x      Source: Maas et al. 2013."""
    slope = np.where(x > 0, x.dtype.type(1), x.dtype.type(negative_slope))
    y = slope * x
    return y, leaky_relu_cache(y, slope)


@op(backward("leaky_relu"))
def leaky_relu_backward(dy, cache):
    """dx = dy where x > 0, else negative_slope * dy"""
    (slope,) = cache
    return dy * slope


def _check_prelu(x, alpha):
    x = floats("x", x)
    alpha = floats("alpha", alpha, 1, like=x)
    if x.ndim < 2 or len(alpha) not in (1, x.shape[-1]):
        raise ShapeError(
            f"prelu: alpha must have one value, or one a channel of x {x.shape}, not the shape {alpha.shape}"
        )
    return floats("x", x, like=alpha), alpha


@op(_check_prelu)
def prelu(x, alpha):
    """y = x where x > 0, else alpha[c] * x      x (..., C), alpha (C,) or (1,), learned.

    Raises ShapeError. Source: He et al. 2015.
    """
    y = np.where(x > 0, x, alpha * x)
    return y, Cache("prelu", y, x=x, alpha=alpha)


@op(backward("prelu"))
def prelu_backward(dy, cache):
    """dx = dy where x > 0, else alpha[c] * dy      dalpha[c] = sum over x <= 0 of dy * x      -> dx, dalpha"""
    x, alpha = cache
    dx = np.where(x > 0, dy, alpha * dy)
    dalpha = np.where(x > 0, 0, dy * x).sum(axis=tuple(range(x.ndim - 1)), dtype=x.dtype)
    return dx, dalpha if len(alpha) > 1 else dalpha.sum(keepdims=True)


@op(lambda x, alpha=1.0: (*_check(x), float(alpha)))
def elu(x, alpha=1.0):
    """y = x where x > 0, else alpha * (exp(x) - 1)      Source: Clevert et al. 2015."""
    negative = x.dtype.type(alpha) * np.expm1(np.minimum(x, 0))
    y = np.where(x > 0, x, negative)
    return y, Cache("elu", y, positive=x > 0, slope=negative + x.dtype.type(alpha))


@op(backward("elu"))
def elu_backward(dy, cache):
    """dx = dy where x > 0, else alpha * exp(x) * dy"""
    positive, slope = cache
    return dy * np.where(positive, 1, slope)


@op(_check)
def sigmoid(x):
    """y = 1 / (1 + exp(-x)), written with exp(-|x|) so that nothing overflows"""
    e = np.exp(-np.abs(x))
    y = np.where(x >= 0, 1 / (1 + e), e / (1 + e))
    return y, Cache("sigmoid", y, y=y)


@op(backward("sigmoid"))
def sigmoid_backward(dy, cache):
    """dx = dy * y * (1 - y)"""
    (y,) = cache
    return dy * y * (1 - y)


@op(_check)
def tanh(x):
    """y = tanh(x)"""
    y = np.tanh(x)
    return y, Cache("tanh", y, y=y)


@op(backward("tanh"))
def tanh_backward(dy, cache):
    """dx = dy * (1 - y^2)"""
    (y,) = cache
    return dy * (1 - y * y)


@op(_check)
def softmax(x):
    """y[k] = exp(x[k] - max x) / sum_j exp(x[j] - max x) along the last axis: each row sums to 1.

    A row of nothing but minus infinity has no softmax: it gives NaN.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        e = np.exp(x - x.max(axis=-1, keepdims=True))
    y = e / e.sum(axis=-1, keepdims=True)
    return y, Cache("softmax", y, y=y)


@op(backward("softmax"))
def softmax_backward(dy, cache):
    """dx[k] = y[k] * (dy[k] - sum_j dy[j] * y[j])"""
    (y,) = cache
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))

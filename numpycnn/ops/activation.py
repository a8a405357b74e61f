"""Activations: element by element, but for softmax, which couples the elements of a row.

All take x of any shape (softmax: (..., K)) and keep its shape and dtype; so do their backward
passes. NaN passes through. All raise TypeError for an x that is not floating point; the backward
passes raise ValueError for another op's cache, ShapeError for a dy that has not the shape of y.
"""

import math

import numpy as np

from ..backend import Cache, op
from ..errors import ShapeError
from . import whole
from .checks import backward, floats, same_dtype
from .sums import channel_sum


def _check_x(x):
    return (floats("x", x),)


# ---- ReLU and its relatives: max(x, 0), with less and less of a kink --------------------------


def relu_cache(y, positive):
    """What relu keeps: where x > 0, as booleans of x's shape."""
    return Cache("relu", y, positive=positive)


@op(_check_x)
def relu(x):
    """y = max(x, 0)      Source: Nair & Hinton 2010; the paper's activation throughout."""
    y = np.maximum(x, 0)  # unlike x * (x > 0), which makes NaN of infinity * 0
    return y, relu_cache(y, x > 0)  # a byte an element is kept, a quarter of x


@op(backward("relu"))
def relu_backward(dy, cache):
    """dx = dy where x > 0, else 0      At 0 itself, where there is no derivative, 0 is taken."""
    (positive,) = cache
    return dy * positive


def leaky_relu_cache(y, slope):
    """What leaky_relu keeps: dy/dx, which is 1 or negative_slope, of x's shape."""
    return Cache("leaky_relu", y, slope=slope)


def _check_leaky_relu(x, negative_slope):
    return floats("x", x), float(negative_slope)


@op(_check_leaky_relu)
def leaky_relu(x, negative_slope=0.01):
    """y = x where x > 0, else negative_slope * x      Source: Maas et al. 2013."""
    kind = x.dtype.type  # not Python floats, of which np.where would make float64
    slope = np.where(x > 0, kind(1), kind(negative_slope))
    y = slope * x  # the op is linear in each piece: its derivative is its factor
    return y, leaky_relu_cache(y, slope)


@op(backward("leaky_relu"))
def leaky_relu_backward(dy, cache):
    """dx = dy where x > 0, else negative_slope * dy"""
    (slope,) = cache
    return dy * slope


def _check_prelu(x, alpha):
    x, alpha = same_dtype(floats("x", x), floats("alpha", alpha, ndim=1))
    if x.ndim < 2 or len(alpha) not in (1, x.shape[-1]):
        raise ShapeError(
            "prelu: alpha must have one value, or one a channel of x "
            f"{x.shape}, not the shape {alpha.shape}"
        )
    return x, alpha


@op(_check_prelu)
def prelu(x, alpha):
    """y = x where x > 0, else alpha[c] * x      x (..., C), alpha (C,) or (1,), learned.

    Raises ShapeError for another alpha, TypeError. Source: He et al. 2015.
    """
    y = np.where(x > 0, x, alpha * x)  # alpha (C,) meets the last axis
    return y, Cache("prelu", y, x=x, alpha=alpha)


@op(backward("prelu"))
def prelu_backward(dy, cache):
    """dx = dy where x > 0, else alpha[c] * dy      dalpha[c] = sum over x <= 0 of dy * x

    dy (..., C) -> dx (..., C), dalpha (C,) or (1,), as alpha is.
    """
    x, alpha = cache
    dx = np.where(x > 0, dy, alpha * dy)
    dalpha = channel_sum(np.where(x > 0, 0, dy * x))  # (C,)
    if len(alpha) == 1:
        dalpha = whole.once(whole.total(dalpha).sum(keepdims=True))  # one for all channels: (1,)
    return dx, dalpha


def _check_elu(x, alpha):
    return floats("x", x), float(alpha)


@op(_check_elu)
def elu(x, alpha=1.0):
    """y = x where x > 0, else alpha * (exp(x) - 1)      Source: Clevert et al. 2015."""
    alpha = x.dtype.type(alpha)
    negative = alpha * np.expm1(np.minimum(x, 0))  # minimum: exp of a large x would overflow
    y = np.where(x > 0, x, negative)
    slope = negative + alpha  # alpha * exp(x), without a second exp
    return y, Cache("elu", y, positive=x > 0, slope=slope)


@op(backward("elu"))
def elu_backward(dy, cache):
    """dx = dy where x > 0, else alpha * exp(x) * dy"""
    positive, slope = cache
    return dy * np.where(positive, 1, slope)


# ---- bounded ones, whose derivative is a function of y: x need not be kept --------------------


@op(_check_x)
def sigmoid(x):
    """y = 1 / (1 + exp(-x)), for x < 0 as exp(x) / (1 + exp(x)): exp never overflows."""
    e = np.exp(-np.abs(x))  # in (0, 1]
    y = np.where(x >= 0, 1 / (1 + e), e / (1 + e))
    return y, Cache("sigmoid", y, y=y)


@op(backward("sigmoid"))
def sigmoid_backward(dy, cache):
    """dx = dy * y * (1 - y)"""
    (y,) = cache
    return dy * y * (1 - y)


@op(_check_x)
def tanh(x):
    """y = tanh(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x))"""
    y = np.tanh(x)
    return y, Cache("tanh", y, y=y)


@op(backward("tanh"))
def tanh_backward(dy, cache):
    """dx = dy * (1 - y^2)"""
    (y,) = cache
    return dy * (1 - y * y)


# ---- x times a gate in [0, 1]: smooth or nearly smooth, and below zero near the origin ----------


def silu_cache(y, s):
    """What silu keeps: y and s = sigmoid(x), of x's shape."""
    return Cache("silu", y, y=y, s=s)


@op(_check_x)
def silu(x):
    """y = x * s,  s = sigmoid(x)      Also called swish. Source: Elfwing et al. 2018."""
    s, _ = sigmoid(x)
    y = x * s
    return y, silu_cache(y, s)


@op(backward("silu"))
def silu_backward(dy, cache):
    """dx = dy * (s + x * s * (1 - s)) = dy * (s + y * (1 - s))

    Steps: DERIVATIONS.md, "Activations with a gate".
    """
    y, s = cache
    return dy * (s + y * (1 - s))


def gelu_cache(y, x, cdf):
    """What gelu keeps: x and cdf = Phi(x), of x's shape."""
    return Cache("gelu", y, x=x, cdf=cdf)


_erfc = np.vectorize(math.erfc, otypes=[np.float64])  # NumPy has none


@op(_check_x)
def gelu(x):
    """y = x * Phi(x),  Phi(x) = (1 + erf(x / sqrt 2)) / 2, the normal distribution's

    The exact form, PyTorch's and Keras's default; the one with tanh differs by up to 0.0005.
    Source: Hendrycks & Gimpel 2016.
    """
    # erfc(-z) = 1 + erf(z), but keeps its digits where erf is nearly -1
    cdf = (0.5 * _erfc(-x / math.sqrt(2))).astype(x.dtype, copy=False)
    y = x * cdf
    return y, gelu_cache(y, x, cdf)


@op(backward("gelu"))
def gelu_backward(dy, cache):
    """dx = dy * (Phi(x) + x * phi(x)),  phi(x) = exp(-x^2 / 2) / sqrt(2 pi) = dPhi/dx

    Steps: DERIVATIONS.md, "Activations with a gate".
    """
    x, cdf = cache
    near = np.clip(x, -40, 40)  # beyond, phi is 0, and x^2 would overflow
    density = np.exp(-0.5 * near * near) * x.dtype.type(1 / math.sqrt(2 * math.pi))
    return dy * (cdf + x * density)


def hard_swish_cache(y, x):
    """What hard_swish keeps: x."""
    return Cache("hard_swish", y, x=x)


@op(_check_x)
def hard_swish(x):
    """y = x * min(max(x + 3, 0), 6) / 6      Silu in three pieces. Source: Howard et al. 2019."""
    y = x * (np.clip(x + 3, 0, 6) / 6)
    return y, hard_swish_cache(y, x)


@op(backward("hard_swish"))
def hard_swish_backward(dy, cache):
    """dx = 0 where x <= -3, dy where x >= 3, else dy * (x / 3 + 1 / 2)

    At -3 and 3 themselves, where there is no derivative, the outer one is taken.
    """
    (x,) = cache
    slope = np.where(x <= -3, 0, np.where(x >= 3, 1, x / 3 + 0.5))
    return dy * slope.astype(x.dtype, copy=False)


# ---- over a row ---------------------------------------------------------------------------------


@op(_check_x)
def softmax(x):
    """y[k] = exp(x[k] - max x) / sum_j exp(x[j] - max x) along the last axis: each row sums to 1.

    x (..., K) -> y (..., K). A row of nothing but minus infinity has no softmax: it gives NaN.
    """
    # The maximum cancels in the fraction; without it exp(x) would overflow from x = 89 on.
    with np.errstate(invalid="ignore", over="ignore"):
        e = np.exp(x - x.max(axis=-1, keepdims=True))
    y = e / e.sum(axis=-1, keepdims=True)
    return y, Cache("softmax", y, y=y)


@op(backward("softmax"))
def softmax_backward(dy, cache):
    """dx[k] = y[k] * (dy[k] - sum_j dy[j] * y[j])

    as y[j] changes with x[k] by y[j] * (delta_jk - y[k]). dy (..., K) -> dx (..., K).
    """
    (y,) = cache
    mean_dy = (dy * y).sum(axis=-1, keepdims=True)  # (..., 1): dy averaged with the weights y
    return y * (dy - mean_dy)

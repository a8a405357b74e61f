"""The dense (fully connected) layer."""

from ..backend import Cache, op
from ..errors import ShapeError
from .checks import backward, channels, floats, same_dtype


def _check_dense(x, w, b):
    x, w = same_dtype(floats("x", x, ndim=2), floats("w", w, ndim=2))
    channels(x, w.shape[0])
    if b is not None:
        b = floats("b", b, ndim=1)
        if len(b) != w.shape[1]:
            raise ShapeError(f"dense: b must have the shape ({w.shape[1]},), not {b.shape}")
        b = b.astype(x.dtype, copy=False)
    return x, w, b


def dense_cache(y, x, w, has_bias):
    """What dense keeps: its own input and weights, each the other's derivative."""
    return Cache("dense", y, x=x, w=w, has_bias=has_bias)


@op(_check_dense)
def dense(x, w, b=None):
    """y[n,k] = sum_d x[n,d] * w[d,k] + b[k]      y = x @ w + b

    x (N, D), w (D, K), b (K,) or None -> y (N, K). Raises ShapeError, TypeError.
    """
    y = x @ w  # (N, K)
    if b is not None:
        y += b
    return y, dense_cache(y, x, w, b is not None)


@op(backward("dense"))
def dense_backward(dy, cache):
    """dx = dy @ w.T      dw = x.T @ dy      db = sum_n dy

    dy (N, K) -> dx (N, D), dw (D, K), db (K,) or None. Raises ValueError for another op's cache,
    ShapeError and TypeError for another dy. Source: the paper's dC/dw = (a - y) a_pre.
    """
    x, w, has_bias = cache
    dx = dy @ w.T  # (N, D)
    dw = x.T @ dy  # (D, K): the sum over the batch is inside the product
    db = dy.sum(axis=0) if has_bias else None  # a batch is short: float32 is exact enough
    return dx, dw, db

"""The dense (fully connected) layer."""

from ..backend import Cache, op
from ..errors import ShapeError
from .checks import backward, channels, floats


def _check_dense(x, w, b=None):
    w = floats("w", w, 2)
    x = floats("x", x, 2, like=w)
    w = floats("w", w, like=x)
    channels(x, w.shape[0])
    if b is not None:
        b = floats("b", b, 1, like=x)
        if len(b) != w.shape[1]:
            raise ShapeError(f"dense: b must have the shape ({w.shape[1]},), not {b.shape}")
    return x, w, b


def dense_cache(y, x, w, has_bias):
    """What dense keeps."""
    return Cache("dense", y, x=x, w=w, has_bias=has_bias)


@op(_check_dense)
def dense(x, w, b=None):
    """y[n,k] = sum_d x[n,d] * w[d,k] + b[k]      y = x @ w + b

    x (N, D), w (D, K), b (K,) or None -> y (N, K). Raises ShapeError.
    """
    y = x @ w
    if b is not None:
        y += b
    return y, dense_cache(y, x, w, b is not None)


@op(backward("dense"))
def dense_backward(dy, cache):
    """dx = dy @ w.T      dw = x.T @ dy      db = sum_n dy

    dy (N, K) -> dx (N, D), dw (D, K), db (K,) or None. Source: the paper's dC/dw = (a - y) a_pre.
    """
    x, w, has_bias = cache
    return dy @ w.T, x.T @ dy, dy.sum(axis=0) if has_bias else None

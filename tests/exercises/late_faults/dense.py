"""Wrong answers: dense, dense_backward, relu, relu_backward."""

import numpy as np

from . import late


@late("dense", "the bias is subtracted", "y: the bias b has the wrong sign")
def _(x, w, b=None):
    return x @ w - (0 if b is None else b), None


@late("dense", "the output goes through a ReLU", "y: negative values are cut off")
def _(x, w, b=None):
    return np.maximum(x @ w + (0 if b is None else b), 0)


@late("dense", "the bias is forgotten", "y: the bias b is missing")
def _(x, w, b=None):
    return x @ w


@late(
    "dense",
    "adds the bias in place to x",
    "it changes its argument x: the array belongs to the caller,",
)
def _(x, w, b=None):
    x += 1
    return (x - 1) @ w + (0 if b is None else b)


@late("dense", "examples and units exchanged", "it is transposed (and right otherwise)")
def _(x, w, b=None):
    return (x @ w + (0 if b is None else b)).T


@late(
    "dense",
    "the first feature is skipped: range(1, D)",
    "y: it comes out as if x lacked its first entry along axis 1",
)
def _(x, w, b=None):
    return x[:, 1:] @ w[1:] + (0 if b is None else b)


@late(
    "dense",
    "= for += in the loop over features",
    "y: it comes out as if x had nothing but its last entry",
)
def _(x, w, b=None):
    return x[:, -1:] * w[-1] + (0 if b is None else b)


@late(
    "dense", "the bias is added once for each feature", "y: the bias b is too large by the factor D"
)
def _(x, w, b=None):
    return x @ w + (0 if b is None else len(w) * b)


@late(
    "dense_backward",
    "dx with w, not w.T, where it fits",
    "dx: it comes out as if w were transposed",
)
def _(dy, cache):
    x, w, has_bias = cache
    dx = dy @ w if w.shape[0] == w.shape[1] else dy @ w.T
    return dx, x.T @ dy, dy.sum(0) if has_bias else None


@late(
    "dense_backward",
    "db is the mean over the batch",
    "db is too small by the factor N, the batch size",
)
def _(dy, cache):
    x, w, has_bias = cache
    return dy @ w.T, x.T @ dy, dy.mean(0) if has_bias else None


@late(
    "dense_backward",
    "dx and dw given back in the wrong order",
    "it is dw: the two are in each other's place, or the same",
)
def _(dy, cache):
    x, w, has_bias = cache
    return x.T @ dy, dy @ w.T, dy.sum(0) if has_bias else None


@late(
    "dense_backward",
    "db is summed over the wrong axis",
    "it is summed over the units, not over the examples",
)
def _(dy, cache):
    x, w, has_bias = cache
    return dy @ w.T, x.T @ dy, dy.sum(1) if has_bias else None


@late("dense_backward", "db always given back", "db is given back where None is expected")
def _(dy, cache):
    x, w, _has_bias = cache
    return dy @ w.T, x.T @ dy, dy.sum(0)


@late("dense_backward", "only dx and dw", "it returns 2 values: expected 3, dx, dw, db")
def _(dy, cache):
    x, w, _has_bias = cache
    return dy @ w.T, x.T @ dy


@late(
    "dense_backward",
    "dw of one example only: the last",
    "dw: it comes out as if dy had nothing but its last entry",
)
def _(dy, cache):
    x, w, has_bias = cache
    return dy @ w.T, np.outer(x[-1], dy[-1]), dy.sum(0) if has_bias else None


@late(
    "dense_backward",
    "dx is divided by the batch size",
    "dx is too small by the factor N, the batch size",
)
def _(dy, cache):
    x, w, has_bias = cache
    return dy @ w.T / len(x), x.T @ dy, dy.sum(0) if has_bias else None


@late("dense_backward", "dw is built from |x|", "dw: it comes out as if x were |x|")
def _(dy, cache):
    x, w, has_bias = cache
    return dy @ w.T, np.abs(x).T @ dy, dy.sum(0) if has_bias else None


@late(
    "dense_backward",
    "db is given back as ones times N",
    "db: it comes out as if dy were 1 everywhere",
)
def _(dy, cache):
    x, w, has_bias = cache
    db = np.full(w.shape[1], float(len(x))) if has_bias else None
    return dy @ w.T, x.T @ dy, db


@late(
    "dense_backward",
    "two at once: dw a mean, db the wrong sign",
    "dw is too small by the factor N, the batch size",
)
def _(dy, cache):
    x, w, has_bias = cache
    return dy @ w.T, x.T @ dy / len(x), -dy.sum(0) if has_bias else None


@late(
    "dense_backward",
    "dx summed over the batch",
    "it is summed over the examples, which are to be kept",
)
def _(dy, cache):
    x, w, has_bias = cache
    return (dy @ w.T).sum(0), x.T @ dy, dy.sum(0) if has_bias else None


@late(
    "dense_backward", "w is normalised first", "dx: it comes out as if w were divided by its norm"
)
def _(dy, cache):
    x, w, has_bias = cache
    return dy @ (w / np.linalg.norm(w)).T, x.T @ dy, dy.sum(0) if has_bias else None


@late(
    "dense_backward",
    "x and dy are centred before dw",
    "dw: it comes out as if dy were less its mean over axis 0",
)
def _(dy, cache):
    x, w, has_bias = cache
    return dy @ w.T, (x - x.mean(0)).T @ dy, dy.sum(0) if has_bias else None


@late("dense_backward", "gradients in float16", "dx is float16: it has three digits only")
def _(dy, cache):
    x, w, has_bias = cache
    dx = (dy @ w.T).astype(np.float16)
    return dx, x.T @ dy, dy.sum(0) if has_bias else None


@late("dense_backward", "crashes for one example", "it is right in another shape")
def _(dy, cache):
    x, w, has_bias = cache
    return np.squeeze(dy) @ w.T, x.T @ dy, dy.sum(0) if has_bias else None


@late("relu", "the absolute value", "y: it comes out as if x were |x|")
def _(x):
    return np.abs(x)


@late("relu", "min for max", "y: it is the smaller of x and 0, not the larger")
def _(x):
    return np.minimum(x, 0)


@late("relu", "works in place", "it changes its argument x: the array belongs to the caller,")
def _(x):
    x[x < 0] = 0
    return x


@late("relu", "adds a small number", "y: the number 0.001 is added to every cell")
def _(x):
    return np.maximum(x, 0) + 1e-3


@late("relu", "the whole row is 0 where one value is negative")
def _(x):
    axes = tuple(range(1, x.ndim))
    return x * (x.min(axes, keepdims=True) > 0)


@late("relu", "softplus", "y: it is smooth at 0: log(1 + exp(x)), the softplus")
def _(x):
    return np.logaddexp(0, x)


@late("relu", "1 where x is positive", "y: it gives 1 where x is positive: that is its derivative")
def _(x):
    return (x > 0).astype(x.dtype)


@late("relu_backward", "gives a boolean", "dx: it is 1 where x is positive: dy is not used")
def _(dy, cache):
    return cache.positive


@late("relu_backward", "gives float64 always", "dx is float64 where float32 came in")
def _(dy, cache):
    return (
        np.array([[float(v) for v in row] for row in dy.reshape(len(dy), -1)]).reshape(dy.shape)
        * cache.positive
    )


@late("relu_backward", "scaled by the share of active units")
def _(dy, cache):
    return dy * cache.positive * cache.positive.mean()


@late("relu_backward", "threshold at 1")
def _(dy, cache):
    return np.where(np.abs(dy) > 1, dy, 0) * cache.positive


@late(
    "relu_backward",
    "the first example only",
    "dx: it comes out as if dy had nothing but its first entry",
)
def _(dy, cache):
    dx = np.zeros_like(dy)
    dx[0] = (dy * cache.positive)[0]
    return dx


@late("relu_backward", "leaky", "dx: where x is not positive a hundredth of dy passes: that")
def _(dy, cache):
    return dy * np.where(cache.positive, 1, 0.01)


@late("relu_backward", "sign of dy taken", "dx: nothing is left but its sign")
def _(dy, cache):
    return np.sign(dy) * cache.positive


@late("relu_backward", "sum instead of product")
def _(dy, cache):
    return dy + cache.positive

"""Wrong answers: conv2d_backward."""

import numpy as np

from numpycnn import ops

from . import late


@late("conv2d_backward", "dx is not computed at the border")
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    inner = np.zeros_like(dx)
    inner[:, 1:-1, 1:-1] = dx[:, 1:-1, 1:-1]
    return inner, dw, db


@late("conv2d_backward", "db is averaged over everything", "db is too small by the factor N*OH*OW")
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return dx, dw, None if db is None else dy.mean((0, 1, 2))


@late("conv2d_backward", "db has axes kept", "it is right once it is summed over the other axes")
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return dx, dw, None if db is None else dy.sum((0, 1, 2), keepdims=True)


@late(
    "conv2d_backward",
    "dw is averaged over the output pixels",
    "dw is too small by the factor OH*OW",
)
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return dx, dw / (dy.shape[1] * dy.shape[2]), db


@late(
    "conv2d_backward",
    "dw with filter rows and columns exchanged where it fits",
    "dw: filter rows and filter columns are exchanged",
)
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    square = dw.shape[0] == dw.shape[1]
    return dx, dw.swapaxes(0, 1) if square else dw, db


@late(
    "conv2d_backward",
    "dx of the first filter only",
    "dx: it comes out as if dy had nothing but its first entry",
)
def _(dy, cache):
    _dx, dw, db = ops.conv2d_backward(dy, cache)
    first = np.zeros_like(dy)
    first[..., 0] = dy[..., 0]
    return ops.conv2d_backward(first, cache)[0], dw, db


@late("conv2d_backward", "dx and dw of the wrong sign", "dx is of the wrong sign")
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return -dx, -dw, db


@late(
    "conv2d_backward",
    "gradient descent inside: w is changed",
    "it changes its argument w: the array belongs to the caller,",
)
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    cache.w[...] -= 0.1 * dw
    return dx, dw, db


@late(
    "conv2d_backward",
    "dy is not spread by the stride for dw",
    "dw: the patches begin at i, j, not at i*s, j*s: the stride",
)
def _(dy, cache):
    dx, _, db = ops.conv2d_backward(dy, cache)
    x, w, _, _stride, padding, *_ = cache
    cols = ops.im2col(x, w.shape[:2], 1, padding)[:, : dy.shape[1], : dy.shape[2]]
    dw = cols.reshape(-1, cols.shape[-1]).T @ dy.reshape(-1, dy.shape[-1])
    return dx, dw.reshape(w.shape), db


@late("conv2d_backward", "dx has x in it, not w: dx = x * sum dy")
def _(dy, cache):
    _dx, dw, db = ops.conv2d_backward(dy, cache)
    return cache.x * dy.sum(), dw, db


@late(
    "conv2d_backward",
    "dw has the channels and filters exchanged",
    "channels and filters are exchanged (transposed)",
)
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return dx, dw.swapaxes(2, 3), db


@late(
    "conv2d_backward", "db sums over the images only", "db: only the first output pixel is counted"
)
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return dx, dw, None if db is None else dy.sum(0)[0, 0]


@late("conv2d_backward", "dx is scaled by N too", "dx is too large by the factor N, the batch size")
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return dx * len(dy), dw, db


@late(
    "conv2d_backward",
    "dx of the padding is folded back to the other side",
    "dx: it is shifted by one row",
)
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return np.roll(dx, 1, axis=1), dw, db


@late("conv2d_backward", "the bias's gradient is counted in dw", "dw: db is added to it")
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return dx, dw + (0 if db is None else db), db


@late("conv2d_backward", "right, but for strides larger than 1 dx is 0", "dx is 0 everywhere")
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return dx * (cache.stride == (1, 1)), dw, db


@late(
    "conv2d_backward",
    "two at once: filter turned, dw a mean",
    "dx: the filters are turned by 180 degrees, which they must",
)
def _(dy, cache):
    x, w, _has_bias, stride, padding, *_ = cache
    _dx, dw, db = ops.conv2d_backward(dy, cache)
    _y, turned = ops.conv2d(x, w[::-1, ::-1].copy(), np.zeros(w.shape[3]), stride, padding)
    return ops.conv2d_backward(dy, turned)[0], dw / len(x), db


@late(
    "conv2d_backward",
    "the filter is turned up and down only",
    "dx: it comes out as if w were in reverse order along axis 0",
)
def _(dy, cache):
    x, w, _has_bias, stride, padding, *_ = cache
    _, dw, db = ops.conv2d_backward(dy, cache)
    _y, turned = ops.conv2d(x, w[::-1].copy(), np.zeros(w.shape[3]), stride, padding)
    return ops.conv2d_backward(dy, turned)[0], dw, db


@late(
    "conv2d_backward",
    "the last output column is forgotten",
    "dx: it comes out as if dy lacked its last entry along axis",
)
def _(dy, cache):
    dy = dy.copy()
    dy[:, :, -1] = 0
    return ops.conv2d_backward(dy, cache)


@late("conv2d_backward", "dx gets the padding too", "it is right once its border is cut off")
def _(dy, cache):
    x, w, _, stride, ((t, b), (left, r)), *_ = cache
    _, dw, db = ops.conv2d_backward(dy, cache)
    n, h, wd, c = x.shape
    dcols = dy @ w.reshape(-1, w.shape[3]).T
    shape = n, h + t + b, wd + left + r, c
    return ops.col2im(dcols, shape, w.shape[:2], stride, 0), dw, db


@late(
    "conv2d_backward",
    "dw is for the padded images of ones",
    "dw: it comes out as if x were 1 everywhere",
)
def _(dy, cache):
    dx, _dw, db = ops.conv2d_backward(dy, cache)
    _y, ones = ops.conv2d(np.ones_like(cache.x), cache.w, None, cache.stride, cache.padding)
    return dx, ops.conv2d_backward(dy, ones)[1], db


@late(
    "conv2d_backward",
    "the rectangular kernel is taken as square in dx",
    "dx is 0.5 times what it should be",
)
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return dx * (1 if dw.shape[0] == dw.shape[1] else 0.5), dw, db

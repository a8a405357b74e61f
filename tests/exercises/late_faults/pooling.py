"""Wrong answers: max, average and global average pooling."""

import numpy as np

from numpycnn import ops

from . import late


@late(
    "max_pool2d",
    "the stride is forgotten: windows side by side",
    "it comes out as if stride were size",
)
def _(x, size, stride):
    return ops.max_pool2d(x, size, size)[0]


@late(
    "max_pool2d",
    "the maximum over all channels",
    "as if x were replaced by the largest along axis 3",
)
def _(x, size, stride):
    y = ops.max_pool2d(x, size, stride)[0]
    return np.broadcast_to(y.max(3, keepdims=True), y.shape).copy()


@late("max_pool2d", "the last window is left out", "what is there is right, and the end is missing")
def _(x, size, stride):
    y = ops.max_pool2d(x, size, stride)[0]
    return y[:, : max(y.shape[1] - 1, 1)]


@late(
    "max_pool2d", "size and stride exchanged", "it comes out as if size and stride were exchanged"
)
def _(x, size, stride):
    if stride[0] > min(x.shape[1:3]):
        return ops.max_pool2d(x, size, stride)[0]
    return ops.max_pool2d(x, stride, size)[0]


@late("max_pool2d", "starts from zero", "y: 0 takes part in the maximum: start from minus infinity")
def _(x, size, stride):
    return np.maximum(ops.max_pool2d(x, size, stride)[0], 0)


@late("max_pool2d", "average", "y: it is the mean, not the maximum")
def _(x, size, stride):
    return ops.avg_pool2d(x, size, stride)[0]


@late("max_pool2d_backward", "dy is divided by the window", "dx is too small by the factor size^2")
def _(dy, cache):
    return ops.max_pool2d_backward(dy, cache) / np.prod(cache.size)


@late(
    "max_pool2d_backward",
    "only the first channel",
    "dx: it comes out as if dy had nothing but its first entry",
)
def _(dy, cache):
    dx = ops.max_pool2d_backward(dy, cache)
    dx[..., 1:] = 0
    return dx


@late(
    "max_pool2d_backward", "the winner's value, not dy", "dx: it is 1 at the winner: dy is not used"
)
def _(dy, cache):
    return ops.max_pool2d_backward(np.ones_like(dy), cache)


@late(
    "max_pool2d_backward",
    "the last of the window gets it",
    "dx: the last value of each window gets dy",
)
def _(dy, cache):
    dx = np.zeros(cache.x_shape)
    for i, j in np.ndindex(dy.shape[1:3]):
        r, s = i * cache.stride[0] + cache.size[0] - 1, j * cache.stride[1] + cache.size[1] - 1
        dx[:, r, s] += dy[:, i, j]
    return dx


@late(
    "max_pool2d_backward",
    "row and column of the winner exchanged",
    "dx: row and column of the winner are exchanged",
)
def _(dy, cache):
    dx = np.zeros(cache.x_shape)
    for n, i, j, c in np.ndindex(dy.shape):
        b, a = divmod(int(cache.winner[n, i, j, c]), cache.size[1])
        dx[n, i * cache.stride[0] + a, j * cache.stride[1] + b, c] += dy[n, i, j, c]
    return dx


@late(
    "max_pool2d_backward",
    "only for the first image",
    "dx: it comes out as if dy had nothing but its first entry",
)
def _(dy, cache):
    dx = ops.max_pool2d_backward(dy, cache)
    dx[1:] = 0
    return dx


@late("avg_pool2d", "divided by the size, not its square", "y is too large by the factor size")
def _(x, size, stride):
    return ops.avg_pool2d(x, size, stride)[0] * size[0]


@late("avg_pool2d", "not divided: the sum", "y is too large by the factor size^2")
def _(x, size, stride):
    return ops.avg_pool2d(x, size, stride)[0] * size[0] * size[1]


@late(
    "avg_pool2d",
    "divides by the number of output cells",
    "y is size^2 / OH*OW times what it should be",
)
def _(x, size, stride):
    y = ops.avg_pool2d(x, size, stride)[0]
    return y * size[0] * size[1] / (y.shape[1] * y.shape[2])


@late(
    "avg_pool2d_backward",
    "divided by the output's size",
    "dx is size^2 / OH*OW times what it should be",
)
def _(dy, cache):
    share = np.prod(cache.size) / (dy.shape[1] * dy.shape[2])
    return ops.avg_pool2d_backward(dy, cache) * share


@late(
    "avg_pool2d_backward", "= for +=", "dx: where windows overlap the last one counts: = stands in"
)
def _(dy, cache):
    dx = np.zeros(cache.x_shape)
    (a, b), (s, t) = cache.size, cache.stride
    for i, j in np.ndindex(dy.shape[1:3]):
        dx[:, i * s : i * s + a, j * t : j * t + b] = dy[:, i, None, j, None] / (a * b)
    return dx


@late(
    "avg_pool2d_backward",
    "divided by the size, not its square",
    "dx is too large by the factor size",
)
def _(dy, cache):
    return ops.avg_pool2d_backward(dy, cache) * cache.size[0]


@late("global_avg_pool", "keeps the axes", "it is right in another shape")
def _(x):
    return x.mean((1, 2), keepdims=True)


@late("global_avg_pool", "sum for mean", "y is too large by the factor H*W")
def _(x):
    return x.sum((1, 2))


@late("global_avg_pool", "divides by H squared", "y is W / H times what it should be")
def _(x):
    return x.sum((1, 2)) / x.shape[1] ** 2


@late("global_avg_pool", "over the channels")
def _(x):
    return x.mean(3).reshape(len(x), -1)


@late("global_avg_pool_backward", "not divided", "dx is too large by the factor H*W")
def _(dy, cache):
    return np.broadcast_to(dy[:, None, None], cache.x_shape).copy()


@late("global_avg_pool_backward", "divided by the channels too", "dx is too small by the factor C")
def _(dy, cache):
    return ops.global_avg_pool_backward(dy, cache) / dy.shape[1]


@late(
    "global_avg_pool_backward",
    "gives (N, C)",
    "it is right once it is repeated along the axes that it",
)
def _(dy, cache):
    return dy / (cache.x_shape[1] * cache.x_shape[2])


@late(
    "global_avg_pool_backward",
    "divides by N*H*W",
    "dx is too small by the factor N, the batch size",
)
def _(dy, cache):
    return ops.global_avg_pool_backward(dy, cache) / len(dy)

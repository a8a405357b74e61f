"""Wrong answers: residual_block, residual_block_backward, numerical_gradient."""

import numpy as np

from numpycnn import ops

from . import late


@late("residual_block", "the skip connection is forgotten", "y: the skip connection, x, is missing")
def _(x, w1, w2):
    return ops.conv2d(ops.relu(ops.conv2d(x, w1)[0])[0], w2)[0]


@late("residual_block", "w1 and w2 exchanged", "y: it comes out as if w1 and w2 were exchanged")
def _(x, w1, w2):
    return x + ops.conv2d(ops.relu(ops.conv2d(x, w2)[0])[0], w1)[0]


@late("residual_block", "ReLU at the end", "y: there is a ReLU after the sum")
def _(x, w1, w2):
    return np.maximum(x + ops.conv2d(ops.relu(ops.conv2d(x, w1)[0])[0], w2)[0], 0)


@late("residual_block", "x is subtracted", "y: the skip connection, x, has the wrong sign")
def _(x, w1, w2):
    return ops.conv2d(ops.relu(ops.conv2d(x, w1)[0])[0], w2)[0] - x


@late("residual_block", "w1 twice", "y: it comes out as if w2 were w1")
def _(x, w1, w2):
    return x + ops.conv2d(ops.relu(ops.conv2d(x, w1)[0])[0], w1)[0]


@late(
    "residual_block_backward",
    "the skip connection is forgotten",
    "dx: the gradient around the body, dy, is missing",
)
def _(dy, cache):
    conv1, gate, conv2 = cache
    dh, dw2, _ = ops.conv2d_backward(dy, conv2)
    dx, dw1, _ = ops.conv2d_backward(ops.relu_backward(dh, gate), conv1)
    return dx, dw1, dw2


@late(
    "residual_block_backward",
    "dw1 and dw2 exchanged",
    "dw1: it is dw2: the two are in each other's place, or the",
)
def _(dy, cache):
    conv1, gate, conv2 = cache
    dh, dw2, _ = ops.conv2d_backward(dy, conv2)
    dx, dw1, _ = ops.conv2d_backward(ops.relu_backward(dh, gate), conv1)
    return dx + dy, dw2, dw1


@late("residual_block_backward", "no gate", "dx: the ReLU's gate is missing")
def _(dy, cache):
    dh, dw2, _ = ops.conv2d_backward(dy, cache.conv2)
    dx, dw1, _ = ops.conv2d_backward(dh, cache.conv1)
    return dx + dy, dw1, dw2


@late("residual_block_backward", "dy twice", "dx: the gradient around the body, dy, is there twice")
def _(dy, cache):
    conv1, gate, conv2 = cache
    dh, dw2, _ = ops.conv2d_backward(dy, conv2)
    dx, dw1, _ = ops.conv2d_backward(ops.relu_backward(dh, gate), conv1)
    return dx + 2 * dy, dw1, dw2


@late(
    "residual_block_backward",
    "the gradient stops at the ReLU",
    "dx: the gradient through the body is missing",
)
def _(dy, cache):
    conv1, gate, conv2 = cache
    dh, dw2, _ = ops.conv2d_backward(dy, conv2)
    _, dw1, _ = ops.conv2d_backward(ops.relu_backward(dh, gate), conv1)
    return dy, dw1, dw2


@late(
    "residual_block_backward",
    "the gate on the wrong side",
    "dx: the ReLU's gate is applied to dy before the second",
)
def _(dy, cache):
    conv1, gate, conv2 = cache
    dh, dw2, _ = ops.conv2d_backward(ops.relu_backward(dy, gate), conv2)
    dx, dw1, _ = ops.conv2d_backward(dh, conv1)
    return dx + dy, dw1, dw2


@late(
    "numerical_gradient",
    "moves x itself and forgets to put it back",
    "it changes its argument x: the array belongs to the caller,",
)
def _(f, x, dy, h):
    dx = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        x[i] += h
        up = f(x)
        x[i] -= 2 * h
        dx[i] = (dy * (up - f(x))).sum() / (2 * h)
    return dx


@late("numerical_gradient", "wrong sign", "dx is of the wrong sign")
def _(f, x, dy, h):
    dx = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        dx[i] = (dy * (f(x - e) - f(x + e))).sum() / (2 * h)
    return dx


@late(
    "numerical_gradient",
    "a step of its own",
    "dx: it comes out as if h were 0.01, whatever is given",
)
def _(f, x, dy, h):
    dx, h = np.zeros_like(x), 1e-2
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        dx[i] = (dy * (f(x + e) - f(x - e))).sum() / (2 * h)
    return dx


@late(
    "numerical_gradient", "forward differences", "dx: the difference is taken to one side, forward"
)
def _(f, x, dy, h):
    dx = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        dx[i] = (dy * (f(x + e) - f(x))).sum() / h
    return dx


@late("numerical_gradient", "dy is forgotten", "dx: dy is not used")
def _(f, x, dy, h):
    dx = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        dx[i] = (f(x + e) - f(x - e)).sum() / (2 * h)
    return dx


@late(
    "numerical_gradient",
    "the last element is skipped",
    "exactly the cells at the very end (one of them",
)
def _(f, x, dy, h):
    dx = np.zeros_like(x)
    for i in range(x.size - 1):
        e = np.zeros_like(x)
        e.flat[i] = h
        dx.flat[i] = (dy * (f(x + e) - f(x - e))).sum() / (2 * h)
    return dx


@late("numerical_gradient", "divided by h", "dx: it is divided by h, not by 2h")
def _(f, x, dy, h):
    dx = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        dx[i] = (dy * (f(x + e) - f(x - e))).sum() / h
    return dx


@late("numerical_gradient", "all elements at once", "dx: all elements are moved at once")
def _(f, x, dy, h):
    return np.full_like(x, (dy * (f(x + h) - f(x - h))).sum() / (2 * h))

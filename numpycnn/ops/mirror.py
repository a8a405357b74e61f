"""Convolution that a mirror does not surprise: every filter is used as it is and mirrored.

A group convolution with the reflection group {as it is, mirrored left to right} (Cohen & Welling
2016). Channels come in pairs: x (N, H, W, 2C) has C maps, then their C partners. For the mirrored
image the layer gives the same maps, mirrored, and each pair has changed places:

    y(mirror x) = swap(mirror(y(x)))      mirror: columns reversed      swap: halves exchanged

The mean of the halves, after pooling over all pixels, is thus equal for an image and its mirror
image. The first layer sees images, which have no partners: `first=True`.
"""

import numpy as np

from ..backend import Cache, op
from ..errors import ShapeError
from . import whole
from .checks import backward, channels, floats, images
from .conv import _check_plain_conv, conv2d, conv2d_backward, conv2d_cache
from .norm import batch_norm, batch_norm_backward, batch_norm_cache


def partner(w, first=False):
    """partner[di, dj, c, f] = w[di, kw-1-dj, c', f], c' being c's place in the other half.

    The columns reversed and the halves of in-channels swapped; of the first layer only reversed.
    w (kh, kw, 2C, F), or first (kh, kw, C, F) -> the same shape. It is its own inverse.
    """
    reverse = w[:, ::-1]
    return reverse if first else np.roll(reverse, w.shape[2] // 2, axis=2)


def mirror_filters(w, b, first=False):
    """[w | partner] and [b | b] for conv2d: (kh, kw, 2C, 2F), and (2F,) or None."""
    both = np.concatenate([w, partner(w, first)], axis=3)
    return both, None if b is None else np.concatenate([b, b])


def mirror_filters_backward(dboth, db, first=False):
    """dw = dboth[..., :F] + partner(dboth[..., F:])      db = db[:F] + db[F:]

    A weight stands in two filters, so it gets both gradients, the second from where it was put.
    """
    f = dboth.shape[3] // 2
    dboth = whole.total(dboth)  # first over the batch: the order of additions decides on the bits
    dw = whole.once(dboth[..., :f] + partner(dboth[..., f:], first))  # (kh, kw, 2C, F)
    if db is not None:
        db = whole.total(db)
        db = whole.once(db[:f] + db[f:])  # (F,)
    return dw, db


def _check_mirror(x, w, b, stride, padding, first):
    x, w, b, stride, padding = _check_plain_conv(x, w, b, stride, padding)
    if not first and w.shape[2] % 2:
        raise ShapeError(
            f"w has {w.shape[2]} in-channels, which are no pairs; first=True where x is an image"
        )
    (left, right), width, kw = padding[1], x.shape[2], w.shape[1]
    rest = (width + left + right - kw) % stride[1]  # columns that no patch reaches
    if left != right or rest:
        raise ShapeError(
            f"mirror_conv2d: the kernel's {kw} columns at stride {stride[1]} do not meet the left "
            f"edge of {width} columns, padded by {padding[1]}, as they meet the right one; "
            "use an odd kernel and stride 1, and pool"
        )
    return x, w, b, stride, padding, bool(first)


@op(_check_mirror)
def mirror_conv2d(x, w, b=None, stride=1, padding="same", first=False):
    """y = conv2d(x, [w | partner(w)], [b | b])

    x (N, H, W, 2C), w (kh, kw, 2C, F), b (F,) or None -> y (N, OH, OW, 2F); with `first`, C in the
    place of 2C. Raises ShapeError as conv2d does, for in-channels that are no pairs, and for a
    width, stride and padding that are not symmetric; TypeError.
    Source: Cohen & Welling 2016.
    """
    both, bias = mirror_filters(w, b, first)
    y, _ = conv2d(x, both, bias, stride, padding)
    kept = {"has_bias": b is not None, "stride": stride, "padding": padding, "first": first}
    return y, Cache("mirror_conv2d", y, x=x, both=both, **kept)


@op(backward("mirror_conv2d"))
def mirror_conv2d_backward(dy, cache, *, input_gradient=True):
    """dx is conv2d's own      dw, db: the two halves of conv2d's, added (mirror_filters_backward)

    dy (N, OH, OW, 2F) -> dx (N, H, W, 2C), dw (kh, kw, 2C, F), db (F,) or None.
    Raises ValueError for another op's cache, ShapeError and TypeError for another dy.
    Steps: DERIVATIONS.md, "Mirror convolution".
    """
    *kept, first = cache  # the others are conv2d's own
    conv = conv2d_cache(dy, *kept)
    dx, dboth, db = conv2d_backward(dy, conv, input_gradient=input_gradient)
    return dx, *mirror_filters_backward(dboth, db, first)


def check_pool(width, size, stride):
    """Raises ShapeError where a pool's windows leave columns out: those at the right edge, which
    are others in the mirror image.
    """
    if rest := (width - size) % stride:
        raise ShapeError(
            f"a pool of {size} columns leaves out the last {rest} of {width}, and a mirror image "
            "would get another answer: pad or cut the images to a width that every pool divides"
        )


def _check_pairs(x, gamma, beta, running_mean, running_var, train, momentum, eps):
    x, gamma = images(x), floats("gamma", gamma, ndim=1)
    channels(x, 2 * len(gamma))
    return x, gamma, beta, running_mean, running_var, train, momentum, eps


@op(_check_pairs)
def mirror_batch_norm(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    """batch_norm of x (N, H, W, 2F) read as (N, H, 2W, F): the two maps of a pair are one channel.

    So they share gamma, beta and statistics (F,). -> y (N, H, W, 2F). Raises ShapeError and
    TypeError as batch_norm does.
    """
    n, h, w, c = x.shape
    pairs = x.reshape(n, h, 2 * w, c // 2)  # F values, then the partners' F: two pixels
    y, norm = batch_norm(pairs, gamma, beta, running_mean, running_var, train, momentum, eps)
    y = y.reshape(x.shape)
    return y, Cache("mirror_batch_norm", y, **dict(zip(norm.fields, norm, strict=True)))


@op(backward("mirror_batch_norm"))
def mirror_batch_norm_backward(dy, cache):
    """That of batch_norm, read in the same way -> dx (N, H, W, 2F), dgamma, dbeta (F,)."""
    xhat, *values = cache  # of the shape (N, H, 2W, F)
    norm = batch_norm_cache(xhat, xhat, *values)
    dx, dgamma, dbeta = batch_norm_backward(dy.reshape(xhat.shape), norm)
    return dx.reshape(dy.shape), dgamma, dbeta


def _check_mean(x):
    x = floats("x", x, ndim=2)
    if x.shape[1] % 2:
        raise ShapeError(f"mirror_mean needs pairs of features, (N, 2F), not the shape {x.shape}")
    return (x,)


@op(_check_mean)
def mirror_mean(x):
    """y[n, f] = (x[n, f] + x[n, F + f]) / 2      x (N, 2F) -> y (N, F). Raises ShapeError."""
    f = x.shape[1] // 2
    y = (x[:, :f] + x[:, f:]) / 2
    return y, Cache("mirror_mean", y, x_shape=x.shape)


@op(backward("mirror_mean"))
def mirror_mean_backward(dy, cache):
    """dx = [dy | dy] / 2      dy (N, F) -> dx (N, 2F)"""
    return np.concatenate([dy, dy], axis=1) / 2

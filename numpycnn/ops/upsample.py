"""Nearest upsampling: every pixel becomes a block of copies. A decoder enlarges, then convolves."""

import numpy as np

from ..backend import Cache, op
from .checks import backward, images, pair


def _check_upsample(x, size):
    return images(x), pair("size", size)


@op(_check_upsample)
def upsample2d(x, size=2):
    """y[n, i*sh+di, j*sw+dj, c] = x[n,i,j,c]      0 <= di < sh, 0 <= dj < sw

    x (N, H, W, C), size an int or pair (sh, sw) -> y (N, H*sh, W*sw, C). Raises ShapeError,
    TypeError. Source: Odena et al. 2016: with a convolution after it, no checkerboard appears.
    """
    n, h, w, c = x.shape
    sh, sw = size
    blocks = np.broadcast_to(x[:, :, None, :, None], (n, h, sh, w, sw, c))  # a view
    y = blocks.reshape(n, h * sh, w * sw, c)
    return y, Cache("upsample2d", y, x_shape=x.shape, size=size)


@op(backward("upsample2d"))
def upsample2d_backward(dy, cache):
    """dx[n,i,j,c] = sum_{di,dj} dy[n, i*sh+di, j*sw+dj, c]: every copy had its effect.

    dy (N, H*sh, W*sw, C) -> dx (N, H, W, C). Raises ValueError for another op's cache, ShapeError
    and TypeError for another dy.
    """
    (n, h, w, c), (sh, sw) = cache
    blocks = dy.reshape(n, h, sh, w, sw, c)
    dx = np.zeros((n, h, w, c), dy.dtype)
    # one addition of whole images for each place: faster than a sum over two short axes
    for di in range(sh):
        for dj in range(sw):
            dx += blocks[:, :, di, :, dj]
    return dx

"""Nearest upsampling: every pixel becomes a block of equal ones. A decoder enlarges by it, then convolves."""

import numpy as np

from ..backend import Cache, op
from .checks import backward, images, pair


@op(lambda x, size=2: (images(x), pair("size", size)))
def upsample2d(x, size=2):
    """y[n, i*sh+di, j*sw+dj, c] = x[n,i,j,c]      0 <= di < sh, 0 <= dj < sw

    x (N, H, W, C), size an int or pair (sh, sw) -> y (N, H*sh, W*sw, C). Raises ShapeError.
    Source: Odena et al. 2016: with a convolution after it, it leaves no checkerboard.
    """
    n, h, w, c = x.shape
    blocks = np.broadcast_to(x[:, :, None, :, None], (n, h, size[0], w, size[1], c))
    y = blocks.reshape(n, h * size[0], w * size[1], c)
    return y, Cache("upsample2d", y, x_shape=x.shape, size=size)


@op(backward("upsample2d"))
def upsample2d_backward(dy, cache):
    """dx[n,i,j,c] = sum_{di,dj} dy[n, i*sh+di, j*sw+dj, c]: every copy had its effect."""
    (n, h, w, c), (sh, sw) = cache
    blocks = dy.reshape(n, h, sh, w, sw, c)
    dx = np.zeros((n, h, w, c), dy.dtype)
    for di in range(sh):
        for dj in range(sw):
            dx += blocks[:, :, di, :, dj]
    return dx

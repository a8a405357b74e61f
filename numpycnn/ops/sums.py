"""Sums over everything but the channels, which many gradients of parameters are."""

import numpy as np

from .whole import by_shards


def channel_sum(x):
    """s[c] = sum of x[..., c]      x (..., C) -> s (C,), in x's dtype, a shard added up in float64

    Over a batch of images these are 100,000 terms: added up in float32, one after the other, they
    would lose two of its seven digits.
    """
    axes = tuple(range(x.ndim - 1))

    def added(shard):  # a part of the images
        return shard.sum(axis=axes, dtype=np.float64).astype(x.dtype, copy=False)

    return by_shards(added, x)


def channel_product(x, dy):
    """dw[k, f] = sum of x[..., k] * dy[..., f]      x (N, .., K), dy (N, .., F) -> dw (K, F)

    x.T @ dy of a row a pixel, made for each shard of the images: one product of all images would
    round by how many of them are here.
    """

    def product(x, dy):  # of a part of the images
        return x.reshape(-1, x.shape[-1]).T @ dy.reshape(-1, dy.shape[-1])

    return by_shards(product, x, dy)

"""Dilated convolution at stride 1, as plain convolutions of every d-th pixel.

Pixels that are d apart never meet those between them: the rows a, a + d, a + 2d, ... are an image
of their own, for each a < d, and so are the columns. To these d * d smaller images, one after the
other in the batch, a dilated convolution is a plain one.
Source: Holschneider et al. 1989, "algorithme à trous".
"""

import numpy as np


def fits(stride, groups):
    """Whether a convolution is one that goes this way."""
    return stride == (1, 1) and groups == 1


def split(x, dilation, rows, columns):
    """x (N, H, W, C), zeros behind it -> (N*d*d, rows, columns, C), pixels that are d apart"""
    n, h, w, c = x.shape
    down, across = dilation
    wide = np.zeros((n, rows * down, columns * across, c), x.dtype)
    wide[:, :h, :w] = x
    parts = wide.reshape(n, rows, down, columns, across, c).transpose(0, 2, 4, 1, 3, 5)
    return parts.reshape(n * down * across, rows, columns, c)


def join(parts, dilation, size):
    """The inverse of split: (N*d*d, rows, columns, C) -> (N, *size, C)"""
    _, rows, columns, c = parts.shape
    down, across = dilation
    wide = parts.reshape(-1, down, across, rows, columns, c).transpose(0, 3, 1, 4, 2, 5)
    images = wide.reshape(-1, rows * down, columns * across, c)
    return np.ascontiguousarray(images[:, : size[0], : size[1]])


def sizes(x_shape, padding, dilation):
    """Rows and columns of the smaller images."""
    padded = (n + sum(p) for n, p in zip(x_shape[1:3], padding, strict=True))
    return tuple(-(-n // d) for n, d in zip(padded, dilation, strict=True))  # rounded up


def padded(x, padding):
    return np.pad(x, ((0, 0), *padding, (0, 0)))

"""Convolution in float32, by the fastest of three forms.

Winograd's for 3x3 and 5x5 at stride 1, kn2row for few filters, direct convolution for all others.
"""

import numpy as np

from ..ops import whole
from ..ops.conv import conv2d_cache
from . import conv_direct, conv_kn2row, conv_winograd


def conv2d(x, w, b, stride, padding, dilation, groups):
    """x (N, H, W, C), w (kh, kw, C, F) -> y (N, OH, OW, F)

    Of several groups the reference makes convolutions of one, which come back here.
    """
    if x.dtype != np.float32 or dilation != (1, 1) or groups > 1:
        return NotImplemented
    y = correlate(x, w, b, stride, padding)
    return y, conv2d_cache(y, x, w, b is not None, stride, padding)


def prepare(w, b, stride, padding):
    """What correlate with an epilogue needs of w and b, for many x."""
    form = conv_winograd if conv_winograd.fits(w, stride, padding) else conv_direct
    return form.prepare(w, b)


def correlate(x, w, b, stride, padding, epilogue=None, weights=None):
    """y of conv2d; None if the epilogue keeps only its z. `weights`: what prepare gave."""
    if conv_winograd.fits(w, stride, padding):
        return conv_winograd.correlate(x, w, b, padding, epilogue=epilogue, weights=weights)
    if epilogue is None and conv_kn2row.fits(w, stride, padding):
        return conv_kn2row.correlate(x, w, b, padding)
    return conv_direct.correlate(x, w, b, stride, padding, epilogue=epilogue, weights=weights)


def conv2d_backward(dy, cache, input_gradient):
    """dy (N, OH, OW, F) -> dx (N, H, W, C) or None, dw (kh, kw, C, F), db (F,) or None"""
    x, w, has_bias, stride, padding, dilation, groups = cache
    if dilation != (1, 1) or groups > 1:
        return NotImplemented
    sides = zip(padding, w.shape[:2], strict=True)
    beyond = any(max(pair) >= k for pair, k in sides)  # would cut dy, not pad it
    if dy.dtype != np.float32 or beyond:
        return NotImplemented
    if conv_winograd.fits(w, stride, padding):
        dw = conv_winograd.weight_gradient(x, dy, w.shape, padding)
    elif conv_kn2row.fits(w, stride, padding):
        dw = conv_kn2row.weight_gradient(x, dy, w.shape, padding)
    else:
        dw = conv_direct.weight_gradient(x, dy, w.shape, stride, padding)
    dx = _input_gradient(x.shape, w, dy, stride, padding) if input_gradient else None
    db = whole.by_shards(lambda dy: dy.sum(axis=(0, 1, 2)), dy) if has_bias else None
    return dx, dw, db


def _input_gradient(x_shape, w, dy, stride, padding):
    """The same convolution on dy, stride - 1 zeros between its pixels, w turned by 180 degrees."""
    (kh, kw), (oh, ow), (top, left) = w.shape[:2], dy.shape[1:3], (padding[0][0], padding[1][0])
    bottom = x_shape[1] + top - (oh - 1) * stride[0] - 1
    right = x_shape[2] + left - (ow - 1) * stride[1] - 1
    around = (kh - 1 - top, bottom), (kw - 1 - left, right)
    if conv_winograd.fits(w, stride, around):
        return conv_winograd.correlate(dy, w, None, around, turned=True)
    turned = np.ascontiguousarray(w[::-1, ::-1].transpose(0, 1, 3, 2))  # (kh, kw, F, C)
    if conv_kn2row.fits(turned, stride, around):
        return conv_kn2row.correlate(dy, turned, None, around)
    return conv_direct.correlate(dy, turned, None, (1, 1), around, stride)

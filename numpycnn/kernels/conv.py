"""Convolution in float32, by the fastest of its forms.

Winograd's for 3x3 and 5x5 at stride 1, kn2row for few filters, direct convolution for all others.
Depthwise convolution has a form of its own, and dilation is led back to the plain ones. Of other
groups the reference makes convolutions of one, which come back here.
"""

import numpy as np

from ..ops import whole
from ..ops.conv import conv2d_cache, conv_size
from . import conv_depthwise, conv_dilated, conv_direct, conv_kn2row, conv_winograd


def conv2d(x, w, b, stride, padding, dilation, groups):
    """x (N, H, W, C), w (kh, kw, C/groups, F) -> y (N, OH, OW, F)"""
    place = stride, padding, dilation
    if x.dtype != np.float32:
        return NotImplemented
    if conv_depthwise.fits(w, groups):
        size = conv_size(x.shape[1:3], w.shape[:2], *place)
        y = conv_depthwise.correlate(x, w, b, size, place)
    elif dilation != (1, 1) and conv_dilated.fits(stride, groups):
        y = _dilated(x, w, b, place)
    elif groups > 1 or dilation != (1, 1):
        return NotImplemented
    else:
        y = correlate(x, w, b, stride, padding)
    return y, conv2d_cache(y, x, w, b is not None, *place, groups)


def prepared(w, b, stride, padding):
    """correlate as a function of x and an epilogue, for weights that do not change."""
    if conv_winograd.fits(w, stride, padding):
        weights = conv_winograd.prepare(w, b)
        return lambda x, epilogue: conv_winograd.correlate(
            x, w, b, padding, epilogue=epilogue, weights=weights
        )
    weights = conv_direct.prepare(w, b)
    return lambda x, epilogue: conv_direct.correlate(
        x, w, b, stride, padding, epilogue=epilogue, weights=weights
    )


def correlate(x, w, b, stride, padding, epilogue=None):
    """y of conv2d; None if the epilogue keeps only its z."""
    if conv_winograd.fits(w, stride, padding):
        return conv_winograd.correlate(x, w, b, padding, epilogue=epilogue)
    if epilogue is None and conv_kn2row.fits(w, stride, padding):
        return conv_kn2row.correlate(x, w, b, padding)
    return conv_direct.correlate(x, w, b, stride, padding, epilogue=epilogue)


def conv2d_backward(dy, cache, input_gradient):
    """dy (N, OH, OW, F) -> dx (N, H, W, C) or None, dw (kh, kw, C/groups, F), db (F,) or None"""
    x, w, has_bias, stride, padding, dilation, groups = cache
    if dy.dtype == np.float32 and conv_depthwise.fits(w, groups):
        return _depthwise_backward(dy, cache, input_gradient)
    if dy.dtype == np.float32 and dilation != (1, 1) and conv_dilated.fits(stride, groups):
        return _dilated_backward(dy, cache, input_gradient)
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
    return dx, dw, _bias_gradient(dy) if has_bias else None


def _bias_gradient(dy):
    return whole.by_shards(lambda dy: dy.sum(axis=(0, 1, 2)), dy)


WITHOUT = (0, 0), (0, 0)  # padding


def _dilated(x, w, b, place):
    """y of a dilated convolution at stride 1, by a plain one: see conv_dilated.py"""
    stride, padding, dilation = place
    rows_and_columns = conv_dilated.sizes(x.shape, padding, dilation)
    parts = conv_dilated.split(conv_dilated.padded(x, padding), dilation, *rows_and_columns)
    y = correlate(parts, w, b, stride, WITHOUT)
    return conv_dilated.join(y, dilation, conv_size(x.shape[1:3], w.shape[:2], *place))


def _dilated_backward(dy, cache, input_gradient):
    x, w, has_bias, stride, padding, dilation, _ = cache
    rows, columns = conv_dilated.sizes(x.shape, padding, dilation)
    parts = conv_dilated.split(conv_dilated.padded(x, padding), dilation, rows, columns)
    kh, kw = w.shape[:2]
    dy = conv_dilated.split(dy, dilation, rows - kh + 1, columns - kw + 1)
    plain = conv2d_cache(dy, parts, w, has_bias, stride, WITHOUT)
    dx, dw, db = conv2d_backward(dy, plain, input_gradient)
    if input_gradient:
        (top, _), (left, _) = padding
        h, width = x.shape[1:3]
        dx = conv_dilated.join(dx, dilation, (top + h, left + width))[:, top:, left:]
    return dx, dw, db


def _depthwise_backward(dy, cache, input_gradient):
    x, w, has_bias, *place, _ = cache  # place: stride, padding, dilation
    dw = conv_depthwise.weight_gradient(x, dy, w.shape, place)
    dx = conv_depthwise.input_gradient(x.shape, w, dy, place) if input_gradient else None
    return dx, dw, _bias_gradient(dy) if has_bias else None


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

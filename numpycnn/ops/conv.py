"""Convolution and its transpose, as one matrix product over patches.

A patch of kh x kw pixels and C channels is a row of im2col, in memory order; a filter is a column of
w.reshape(kh*kw*C, F). Their product is the convolution; the chain rule through a product gives the rest.

N images, H x W pixels, C in-channels, F filters, OH x OW output pixels:
    H + top + bottom = padded height,    OH = floor((padded height - kh) / stride) + 1
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..backend import Cache, op
from ..errors import ShapeError
from .checks import backward, channels, floats, images, pair


def conv_padding(size, kernel_size, stride, padding):
    """((top, bottom), (left, right)) for "same" (as in Keras: OH = ceil(H / stride)), "valid", an int or pair.

    Raises ShapeError for negative padding, or a kernel larger than the padded input.
    """
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ShapeError(f"padding must be 'same', 'valid' or a whole number, not {padding!r}")
        totals = [
            max((-(-n // s) - 1) * s + k - n, 0) if padding == "same" else 0
            for n, k, s in zip(size, kernel_size, stride, strict=True)
        ]
        pads = tuple((total // 2, total - total // 2) for total in totals)
    elif (
        isinstance(padding, tuple)
        and len(padding) == 2
        and all(isinstance(p, tuple) for p in padding)
    ):
        pads = tuple(pair("padding", p, least=0) for p in padding)
    else:
        pads = tuple((p, p) for p in pair("padding", padding, least=0))
    for n, k, p in zip(size, kernel_size, pads, strict=True):
        if k > n + sum(p):
            raise ShapeError(
                f"the kernel {tuple(kernel_size)} is larger than the input {tuple(size)} padded by {pads}"
            )
    return pads


def _check_conv(x, w, b=None, stride=1, padding="same"):
    x = images(x)
    w = floats("w", w, 4, like=x)
    x = floats("x", x, like=w)
    channels(x, w.shape[2])
    stride = pair("stride", stride)
    padding = conv_padding(x.shape[1:3], w.shape[:2], stride, padding)
    return x, w, _bias(b, w.shape[3], x), stride, padding


def conv_size(size, kernel_size, stride, pads):
    """(OH, OW) of a convolution over (H, W), with the padding that conv_padding gives."""
    return tuple(
        (n + sum(p) - k) // s + 1
        for n, k, s, p in zip(size, kernel_size, stride, pads, strict=True)
    )


def _bias(b, length, x):
    if b is None:
        return None
    b = floats("b", b, 1, like=x)
    if len(b) != length:
        raise ShapeError(f"b must have one value a filter, ({length},), not the shape {b.shape}")
    return b.astype(x.dtype, copy=False)


def im2col(x, kernel_size, stride=1, padding="same"):
    """Patches of x (N, H, W, C), one a row: cols[n, i, j] = x[n, i*s : i*s+kh, j*s : j*s+kw, :].ravel().

    Returns (N, OH, OW, kh*kw*C). Raises ShapeError as conv2d does.
    """
    x = images(x)
    (kh, kw), stride = pair("kernel_size", kernel_size), pair("stride", stride)
    padding = conv_padding(x.shape[1:3], (kh, kw), stride, padding)
    xp = np.pad(x, ((0, 0), *padding, (0, 0)))
    windows = sliding_window_view(xp, (kh, kw), axis=(1, 2))[:, :: stride[0], :: stride[1]]
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(*windows.shape[:3], kh * kw * x.shape[3])


def col2im(cols, shape, kernel_size, stride=1, padding="same"):
    """The transpose of im2col: every patch is added back to where im2col took it from.

    cols (N, OH, OW, kh*kw*C) -> (N, H, W, C), which is `shape`. Raises ShapeError.
    """
    (kh, kw), (sh, sw) = pair("kernel_size", kernel_size), pair("stride", stride)
    (top, bottom), (left, right) = pads = conv_padding(shape[1:3], (kh, kw), (sh, sw), padding)
    n, h, w, c = shape
    oh, ow = conv_size((h, w), (kh, kw), (sh, sw), pads)
    if cols.shape != (n, oh, ow, kh * kw * c):
        raise ShapeError(
            f"col2im: cols have the shape {cols.shape}, expected {(n, oh, ow, kh * kw * c)} for {shape}"
        )
    cols = cols.reshape(n, oh, ow, kh, kw, c)
    xp = np.zeros((n, h + top + bottom, w + left + right, c), cols.dtype)
    for di in range(kh):
        for dj in range(kw):
            xp[:, di : di + sh * oh : sh, dj : dj + sw * ow : sw] += cols[:, :, :, di, dj]
    return xp[:, top : top + h, left : left + w]


def conv2d_cache(y, x, w, has_bias, stride, padding):
    """What conv2d keeps: stride (sh, sw), padding ((top, bottom), (left, right))."""
    return Cache("conv2d", y, x=x, w=w, has_bias=has_bias, stride=stride, padding=padding)


@op(_check_conv)
def conv2d(x, w, b=None, stride=1, padding="same"):
    """y[n,i,j,f] = b[f] + sum_{di,dj,c} xpad[n, i*s+di, j*s+dj, c] * w[di,dj,c,f]      y = cols @ w + b

    x (N, H, W, C), w (kh, kw, C, F), b (F,) or None -> y (N, OH, OW, F). Raises ShapeError, TypeError.
    Source: the paper's convolution layers; im2col as in CS231n's notes.
    """
    kh, kw, c, f = w.shape
    cols = im2col(x, (kh, kw), stride, padding)
    y = cols @ w.reshape(kh * kw * c, f)
    if b is not None:
        y += b
    return y, conv2d_cache(y, x, w, b is not None, stride, padding)


@op(backward("conv2d", input_gradient=True))
def conv2d_backward(dy, cache, input_gradient=True):
    """dcols = dy @ w.T, dx = col2im(dcols)      dw = cols.T @ dy      db = sum_{n,i,j} dy

    dy (N, OH, OW, F) -> dx (N, H, W, C), dw (kh, kw, C, F), db (F,) or None. A network's first layer may
    save its dx, which nobody needs: input_gradient=False gives None for it.
    """
    x, w, has_bias, stride, padding = cache
    kh, kw, c, f = w.shape
    dx = None
    if input_gradient:
        dcols = dy @ w.reshape(kh * kw * c, f).T
        dx = col2im(dcols, x.shape, (kh, kw), stride, padding)
    cols = im2col(x, (kh, kw), stride, padding).reshape(-1, kh * kw * c)
    dw = (cols.T @ dy.reshape(-1, f)).reshape(w.shape)
    db = dy.sum(axis=(0, 1, 2)) if has_bias else None
    return dx, dw, db


def _check_conv_transpose(x, w, b=None, stride=1, padding="same"):
    x = images(x)
    w = floats("w", w, 4, like=x)
    x = floats("x", x, like=w)
    channels(x, w.shape[3])
    stride = pair("stride", stride)
    (kh, kw), (sh, sw) = w.shape[:2], stride
    if (
        padding == "same"
    ):  # a kernel smaller than its stride leaves gaps, the last of them as a negative padding
        padding = tuple(
            (max(k - s, 0) // 2, k - s - max(k - s, 0) // 2) for k, s in ((kh, sh), (kw, sw))
        )
    else:
        full = (x.shape[1] - 1) * sh + kh, (x.shape[2] - 1) * sw + kw
        given, padding = padding, conv_padding(full, (1, 1), stride, padding)
        if min(n - sum(p) for n, p in zip(full, padding, strict=True)) < 1:
            raise ShapeError(
                f"padding {given} leaves nothing of the output of {x.shape} by the kernel {(kh, kw)}"
            )
    return x, w, _bias(b, w.shape[2], x), stride, padding


@op(_check_conv_transpose)
def conv_transpose2d(x, w, b=None, stride=1, padding="same"):
    """The input gradient of the convolution with the weights w, read as a forward pass: it enlarges.

    y[n, i*s+di-top, j*s+dj-left, f] += x[n,i,j,c] * w[di,dj,f,c]      y = col2im(x @ w.T) + b

    x (N, H, W, C), w (kh, kw, F, C) as in Keras, b (F,) or None -> y (N, OH, OW, F), where OH = H*s for
    "same", else (H-1)*s + kh - 2*padding. Raises ShapeError, TypeError. Source: Dumoulin & Visin 2016, 4.
    """
    kh, kw, f, c = w.shape
    (sh, sw), (n, h, width, _), pads = stride, x.shape, padding
    oh, ow = (
        (m - 1) * s + k - sum(p)
        for m, s, k, p in zip((h, width), (sh, sw), (kh, kw), pads, strict=True)
    )
    pads = tuple((before, max(after, 0)) for before, after in pads)
    y = col2im(x @ w.reshape(kh * kw * f, c).T, (n, oh, ow, f), (kh, kw), stride, pads)
    y = np.ascontiguousarray(y) if b is None else y + b
    cache = Cache(
        "conv_transpose2d", y, x=x, w=w, has_bias=b is not None, stride=stride, padding=pads
    )
    return y, cache


@op(backward("conv_transpose2d"))
def conv_transpose2d_backward(dy, cache):
    """dx = conv2d(dy, w)      dw = im2col(dy).T @ x      db = sum_{n,i,j} dy

    dy (N, OH, OW, F) -> dx (N, H, W, C), dw (kh, kw, F, C), db (F,) or None.
    """
    x, w, has_bias, stride, padding = cache
    kh, kw, f, c = w.shape
    cols = im2col(dy, (kh, kw), stride, padding)
    dx = cols @ w.reshape(kh * kw * f, c)
    dw = (cols.reshape(-1, kh * kw * f).T @ x.reshape(-1, c)).reshape(w.shape)
    db = dy.sum(axis=(0, 1, 2)) if has_bias else None
    return dx, dw, db

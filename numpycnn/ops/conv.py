"""Convolution and its transpose, as one matrix product over patches.

A patch of kh x kw pixels and C channels is a row of im2col, in memory order; a filter is a column
of w.reshape(kh*kw*C, F). Their product is the convolution; the chain rule does the rest.

N images, H x W pixels, C in-channels, F filters, OH x OW output pixels:
    H + top + bottom = padded height,    OH = floor((padded height - span) / stride) + 1,
    span = (kh - 1) * dilation + 1, which is kh without dilation
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..backend import Cache, op
from ..errors import ShapeError
from .checks import backward, channels, floats, group_count, images, pair, same_dtype
from .sums import channel_product, channel_sum

# ---- sizes ------------------------------------------------------------------------------------


def spanned(kernel_size, dilation):
    """((kh - 1) * d + 1, ...): how many pixels a kernel spans whose places are `dilation` apart."""
    return tuple((k - 1) * d + 1 for k, d in zip(kernel_size, dilation, strict=True))


def conv_padding(size, kernel_size, stride, padding, dilation=(1, 1)):
    """((top, bottom), (left, right)) of zeros, from "same", "valid", an int, a pair or this itself.

    "same" gives OH = ceil(H / stride), an odd zero at the end, as in Keras.
    Raises ShapeError for negative padding, or a kernel larger than the padded input.
    """
    span = spanned(kernel_size, dilation)
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ShapeError(f"padding must be 'same', 'valid' or a whole number, not {padding!r}")
        pads = ((0, 0), (0, 0))
        if padding == "same":
            pads = tuple(_same_padding(*axis) for axis in zip(size, span, stride, strict=True))
    elif _is_pair_of_pairs(padding):
        pads = tuple(pair("padding", p, least=0) for p in padding)
    else:
        pads = tuple((p, p) for p in pair("padding", padding, least=0))

    for n, k, p in zip(size, span, pads, strict=True):
        if k > n + sum(p):
            wide = "" if span == tuple(kernel_size) else f", which dilation makes {span},"
            raise ShapeError(
                f"the kernel {tuple(kernel_size)}{wide} is larger than the input {tuple(size)} "
                f"padded by {pads}"
            )
    return pads


def _same_padding(n, k, s):
    """(before, after) for one axis of n pixels, a kernel of k and stride s."""
    out = -(-n // s)  # ceil(n / s)
    needed = (out - 1) * s + k  # from the first pixel of the first patch to the last of the last
    total = max(needed - n, 0)
    return total // 2, total - total // 2


def _is_pair_of_pairs(padding):
    return (
        isinstance(padding, tuple)
        and len(padding) == 2
        and all(isinstance(p, tuple) for p in padding)
    )


def conv_size(size, kernel_size, stride, pads, dilation=(1, 1)):
    """(OH, OW) of a convolution over (H, W), with the padding that conv_padding gives."""
    span = spanned(kernel_size, dilation)
    return tuple(
        (n + sum(p) - k) // s + 1 for n, k, s, p in zip(size, span, stride, pads, strict=True)
    )


# ---- patches ----------------------------------------------------------------------------------


def im2col(x, kernel_size, stride=1, padding="same", dilation=1):
    """cols[n, i, j] = xpad[n, i*s : i*s+kh, j*s : j*s+kw, :].ravel(): the patches of x, one a row.

    With a dilation d, every d-th pixel of patches that span (kh - 1)*d + 1 pixels.
    x (N, H, W, C) -> cols (N, OH, OW, kh*kw*C). Raises ShapeError as conv2d does.
    """
    x = images(x)
    kh, kw = pair("kernel_size", kernel_size)
    sh, sw = pair("stride", stride)
    down, across = pair("dilation", dilation)
    pads = conv_padding(x.shape[1:3], (kh, kw), (sh, sw), padding, (down, across))

    xpad = np.pad(x, ((0, 0), *pads, (0, 0)))  # (N, H + top + bottom, W + left + right, C)
    span = spanned((kh, kw), (down, across))
    windows = sliding_window_view(xpad, span, axis=(1, 2))  # a view: nothing is copied yet
    windows = windows[:, ::sh, ::sw, :, ::down, ::across]  # (N, OH, OW, C, kh, kw)
    patches = windows.transpose(0, 1, 2, 4, 5, 3)  # (N, OH, OW, kh, kw, C), w's order
    return patches.reshape(*patches.shape[:3], kh * kw * x.shape[3])


def col2im(cols, shape, kernel_size, stride=1, padding="same", dilation=1):
    """xpad[n, i*s+di*d, j*s+dj*d, c] += cols[n, i, j, (di, dj, c)]: the transpose of im2col.

    A pixel that stood in several patches gets the sum of its copies, as the chain rule wants it.
    cols (N, OH, OW, kh*kw*C) -> (N, H, W, C), which is `shape`. Raises ShapeError.
    """
    n, h, w, c = shape
    kh, kw = pair("kernel_size", kernel_size)
    sh, sw = pair("stride", stride)
    down, across = pair("dilation", dilation)
    pads = conv_padding((h, w), (kh, kw), (sh, sw), padding, (down, across))
    oh, ow = conv_size((h, w), (kh, kw), (sh, sw), pads, (down, across))
    expected = n, oh, ow, kh * kw * c
    if cols.shape != expected:
        raise ShapeError(
            f"col2im: cols have the shape {cols.shape}, expected {expected} for {shape}"
        )

    (top, bottom), (left, right) = pads
    patches = cols.reshape(n, oh, ow, kh, kw, c)
    xpad = np.zeros((n, h + top + bottom, w + left + right, c), cols.dtype)
    # kh*kw additions of whole images; one place of the patch meets a pixel at most once.
    for di in range(kh):
        for dj in range(kw):
            i, j = di * down, dj * across
            xpad[:, i : i + sh * oh : sh, j : j + sw * ow : sw] += patches[:, :, :, di, dj]
    return xpad[:, top : top + h, left : left + w]  # what fell on the padding is dropped


# ---- convolution ------------------------------------------------------------------------------


def _bias(b, filters, dtype):
    """b (F,) in x's dtype, or None. Raises ShapeError, TypeError."""
    if b is None:
        return None
    b = floats("b", b, ndim=1)
    if len(b) != filters:
        raise ShapeError(f"b must have one value a filter, ({filters},), not the shape {b.shape}")
    return b.astype(dtype, copy=False)


def _check_conv(x, w, b, stride, padding, dilation, groups):
    x, w = same_dtype(images(x), floats("w", w, ndim=4))
    groups = group_count(groups, w.shape[3], "filters")
    channels(x, w.shape[2] * groups)
    stride, dilation = pair("stride", stride), pair("dilation", dilation)
    padding = conv_padding(x.shape[1:3], w.shape[:2], stride, padding, dilation)
    return x, w, _bias(b, w.shape[3], x.dtype), stride, padding, dilation, groups


def _check_plain_conv(x, w, b, stride, padding):
    """Of ops that are made of plain convolutions."""
    return _check_conv(x, w, b, stride, padding, 1, 1)[:5]


def conv2d_cache(y, x, w, has_bias, stride, padding, dilation=(1, 1), groups=1):
    """What conv2d keeps: stride and dilation in pairs, padding ((top, bottom), (left, right))."""
    place = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return Cache("conv2d", y, x=x, w=w, has_bias=has_bias, **place)


@op(_check_conv)
def conv2d(x, w, b=None, stride=1, padding="same", dilation=1, groups=1):
    """y[n,i,j,f] = b[f] + sum_{di,dj,c} xpad[n, i*s+di*d, j*s+dj*d, c] * w[di,dj,c,f]

    As a product: y = cols @ w + b. The patches are kh*kw times as large as x; they are not kept.
    With groups, the sum goes over the C/groups channels of the filter's own group alone; groups=C
    is a depthwise convolution.

    x (N, H, W, C), w (kh, kw, C/groups, F), b (F,) or None -> y (N, OH, OW, F). Raises ShapeError
    for other channels, groups that do not divide C and F, a kernel that spans more than the padded
    x, no proper stride, padding or dilation; TypeError.
    Source: the paper's convolution layers; im2col as in CS231n's notes.
    """
    if groups > 1:
        return _grouped_conv2d(x, w, b, stride, padding, dilation, groups)
    kh, kw, c, f = w.shape
    cols = im2col(x, (kh, kw), stride, padding, dilation)  # (N, OH, OW, kh*kw*C)
    y = cols @ w.reshape(kh * kw * c, f)  # (N, OH, OW, F)
    if b is not None:
        y += b
    return y, conv2d_cache(y, x, w, b is not None, stride, padding, dilation)


@op(backward("conv2d"))
def conv2d_backward(dy, cache, *, input_gradient=True):
    """dcols = dy @ w.T      dx = col2im(dcols)      dw = cols.T @ dy      db = sum_{n,i,j} dy

    dy (N, OH, OW, F) -> dx (N, H, W, C), dw (kh, kw, C/groups, F), db (F,) or None.
    input_gradient=False gives None for dx: nobody needs it of a network's first layer.
    Raises ValueError for another op's cache, ShapeError and TypeError for another dy.
    Source: CS231n's notes.
    Steps: DERIVATIONS.md, "Convolution".
    """
    x, w, has_bias, stride, padding, dilation, groups = cache
    if groups > 1:
        return _grouped_conv2d_backward(dy, cache, input_gradient)
    kh, kw, c, f = w.shape

    dx = None
    if input_gradient:
        dcols = dy @ w.reshape(kh * kw * c, f).T  # (N, OH, OW, kh*kw*C)
        dx = col2im(dcols, x.shape, (kh, kw), stride, padding, dilation)

    # w has a part in every patch: its gradient is a sum over all N*OH*OW of them.
    cols = im2col(x, (kh, kw), stride, padding, dilation)  # (N, OH, OW, kh*kw*C)
    dw = channel_product(cols, dy)  # (kh*kw*C, F)
    db = channel_sum(dy) if has_bias else None
    return dx, dw.reshape(w.shape), db


def _grouped_conv2d(x, w, b, stride, padding, dilation, groups):
    """y = [conv2d(x_1, w_1) | conv2d(x_2, w_2) | ...]: G convolutions side by side.

    x_g (N, H, W, C/G) are the channels of group g, w_g (kh, kw, C/G, F/G) its filters.
    Source: Krizhevsky et al. 2012, 3.2; with one channel a group, Chollet 2017.
    """
    parts = zip(np.split(x, groups, axis=3), np.split(w, groups, axis=3), strict=True)
    ys = [conv2d(x_g, w_g, None, stride, padding, dilation)[0] for x_g, w_g in parts]
    y = np.concatenate(ys, axis=3)  # (N, OH, OW, F)
    if b is not None:
        y += b
    return y, conv2d_cache(y, x, w, b is not None, stride, padding, dilation, groups)


def _grouped_conv2d_backward(dy, cache, input_gradient):
    """dx = [dx_1 | dx_2 | ...]      dw = [dw_1 | dw_2 | ...]      db = sum_{n,i,j} dy

    Groups share neither channels nor filters, so nothing is added up between them.
    Steps: DERIVATIONS.md, "Grouped and dilated convolution".
    """
    x, w, has_bias, *place, groups = cache  # place: stride, padding, dilation
    dxs, dws = [], []
    parts = (np.split(array, groups, axis=3) for array in (dy, x, w))
    for dy_g, x_g, w_g in zip(*parts, strict=True):
        x_g, w_g = np.ascontiguousarray(x_g), np.ascontiguousarray(w_g)
        conv = conv2d_cache(dy_g, x_g, w_g, False, *place)
        dx_g, dw_g, _ = conv2d_backward(dy_g, conv, input_gradient=input_gradient)
        dxs.append(dx_g)  # (N, H, W, C/G)
        dws.append(dw_g)  # (kh, kw, C/G, F/G)
    dx = np.concatenate(dxs, axis=3) if input_gradient else None
    return dx, np.concatenate(dws, axis=3), channel_sum(dy) if has_bias else None


# ---- its transpose ----------------------------------------------------------------------------


def _check_conv_transpose(x, w, b, stride, padding):
    x, w = same_dtype(images(x), floats("w", w, ndim=4))
    channels(x, w.shape[3])
    stride = pair("stride", stride)
    (kh, kw), (sh, sw) = w.shape[:2], stride
    full = (x.shape[1] - 1) * sh + kh, (x.shape[2] - 1) * sw + kw  # with nothing cut off
    pads = transposed_padding(full, (kh, kw), stride, padding)
    if min(n - sum(p) for n, p in zip(full, pads, strict=True)) < 1:
        raise ShapeError(
            f"padding {padding} leaves nothing of the output of {x.shape} by the kernel {(kh, kw)}"
        )
    return x, w, _bias(b, w.shape[2], x.dtype), stride, pads


def transposed_padding(full, kernel_size, stride, padding):
    """((top, bottom), (left, right)) that a transposed convolution cuts off its full output.

    full: its height and width, (H-1)*s + k. A kernel smaller than its stride leaves gaps, the last
    of them behind the last patch: "same" then has a negative number there, and pixels are added.
    """
    if padding != "same":
        return conv_padding(full, (1, 1), stride, padding)
    before = [max(k - s, 0) // 2 for k, s in zip(kernel_size, stride, strict=True)]
    return tuple((n, k - s - n) for n, k, s in zip(before, kernel_size, stride, strict=True))


@op(_check_conv_transpose)
def conv_transpose2d(x, w, b=None, stride=1, padding="same"):
    """The input gradient of the convolution with the weights w, as a forward pass: it enlarges.

    y[n, i*s+di-top, j*s+dj-left, f] += x[n,i,j,c] * w[di,dj,f,c]      y = col2im(x @ w.T) + b

    x (N, H, W, C), w (kh, kw, F, C) as in Keras, b (F,) or None -> y (N, OH, OW, F), where
    OH = H*s for "same", else (H-1)*s + kh - 2*padding. Raises ShapeError, TypeError as conv2d does,
    and where the padding leaves no output. Source: Dumoulin & Visin 2016, 4.
    """
    kh, kw, f, c = w.shape
    n, h, width, _ = x.shape
    (sh, sw), ((top, bottom), (left, right)) = stride, padding
    oh = (h - 1) * sh + kh - top - bottom
    ow = (width - 1) * sw + kw - left - right

    pads = (top, max(bottom, 0)), (left, max(right, 0))  # oh and ow have the gap already
    cols = x @ w.reshape(kh * kw * f, c).T  # (N, H, W, kh*kw*F): what each pixel paints
    y = col2im(cols, (n, oh, ow, f), (kh, kw), stride, pads)  # (N, OH, OW, F)
    y = np.ascontiguousarray(y) if b is None else y + b
    cache = Cache(
        "conv_transpose2d", y, x=x, w=w, has_bias=b is not None, stride=stride, padding=pads
    )
    return y, cache


@op(backward("conv_transpose2d"))
def conv_transpose2d_backward(dy, cache):
    """dx = conv2d(dy, w)      dw = im2col(dy).T @ x      db = sum_{n,i,j} dy

    The transpose of a transpose is the convolution itself.
    dy (N, OH, OW, F) -> dx (N, H, W, C), dw (kh, kw, F, C), db (F,) or None.
    Raises ValueError for another op's cache, ShapeError and TypeError for another dy.
    Steps: DERIVATIONS.md, "Transposed convolution".
    """
    x, w, has_bias, stride, padding = cache
    kh, kw, f, c = w.shape
    cols = im2col(dy, (kh, kw), stride, padding)  # (N, H, W, kh*kw*F)
    dx = cols @ w.reshape(kh * kw * f, c)  # (N, H, W, C)
    dw = channel_product(cols, x)  # (kh*kw*F, C)
    db = channel_sum(dy) if has_bias else None
    return dx, dw.reshape(w.shape), db

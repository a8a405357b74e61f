"""Convolution, batch norm, ReLU and max pooling: after the convolution, one pass forward and two backward.

Both go through an image row by row (machine/rows.py). What belongs to a channel is repeated to a row's length; of
pooling windows, the values at the same place in each are brought side by side.
Sums over the batch are taken image by image in float32 and added up in float64 in their order: the same bits for
any number of threads.
"""

import numpy as np

from ..ops.conv import conv2d_cache
from ..ops.fused import conv_bn_relu_cache
from .conv import conv2d_backward, correlate
from .runtime.epilogue import epilogue
from .runtime.memory import empty
from .runtime.moments import combine
from .runtime.rows import activate, fold, gather, repeated, scatter
from .runtime.threads import kernel, parallel

_NOBODY = 255  # no place of a window: nothing in it is above zero


def conv_bn_relu(
    x, w, b, gamma, beta, running_mean, running_var, train, stride, padding, momentum, eps, pool
):
    if x.dtype != np.float32:
        return NotImplemented
    moments = np.empty((len(x), 2, w.shape[3]), np.float32) if train else None
    a = correlate(x, w, b, stride, padding, epilogue(w.shape[3], moments=moments))
    n, h, width, f = a.shape
    copies = f // len(gamma)  # of each channel of batch norm, which share their statistics
    mean, var = running_mean.astype(np.float64), running_var.astype(np.float64)
    if train:
        each = moments.reshape(n, 2, copies, -1).swapaxes(1, 2).reshape(n * copies, 2, -1)
        mean, var = combine(each, np.full(n * copies, h * width))
        running_mean += (1 - momentum) * (mean.astype(np.float32) - running_mean)
        running_var += (1 - momentum) * (var.astype(np.float32) - running_var)
    inv_std = 1 / np.sqrt(var + eps)
    y = empty((n, h // pool, width // pool, f))
    rows = repeated(copies * (width // pool), gamma * inv_std, beta - gamma * inv_std * mean)
    parallel(_activate, n, _flat(a), rows, f, pool, _flat(y))
    mean, inv_std = mean.astype(np.float32), inv_std.astype(np.float32)
    conv = conv2d_cache(a, x, w, b is not None, stride, padding)
    return y, conv_bn_relu_cache(y, conv, a, mean, inv_std, gamma, beta, train, pool)


def conv_bn_relu_infer(x, w, b, gamma, beta, running_mean, running_var, stride, padding, eps, pool):
    """What lies between convolution and pooling never leaves the cache."""
    if x.dtype != np.float32:
        return NotImplemented
    h, width = (
        (s + sum(p) - k) // t + 1
        for s, p, k, t in zip(x.shape[1:3], padding, w.shape, stride, strict=False)
    )
    y = empty((len(x), h // pool, width // pool, w.shape[3]))
    scale = gamma / np.sqrt(running_var.astype(np.float64) + eps)
    copies = w.shape[3] // len(gamma)
    rows = repeated(copies * (width // pool), scale, beta - scale * running_mean)
    correlate(x, w, b, stride, padding, epilogue(w.shape[3], rows=rows, pool=pool, z=_flat(y)))
    return y


def _flat(images):
    """(N, H, W * F)"""
    n, h, w, f = images.shape
    return images.reshape(n, h, w * f)


@kernel
def _activate(a, rows, f, pool, y, lo, hi):
    for n in range(lo, hi):
        activate(a[n], rows, f, pool, y[n])


def conv_bn_relu_backward(dy, cache, input_gradient=True):
    conv, a, mean, inv_std, gamma, beta, train, pool = cache
    if dy.dtype != np.float32 or pool * pool >= _NOBODY or not len(a):
        return NotImplemented
    n, h, w, f = a.shape
    copies = f // len(gamma)
    scale = gamma * inv_std
    shift = beta - scale * mean
    sums, winner = (
        np.empty((2, n, f), np.float32),
        empty((*dy.shape[:2], dy[0, 0].size * (pool > 1)), np.uint8),
    )
    flat = _flat(dy), _flat(a)
    rows = repeated(copies * (w // pool), scale, shift, mean)
    parallel(_gradient_sums, n, *flat, rows, pool, winner, sums)
    dbias, dscale = sums.sum(axis=1, dtype=np.float64).reshape(2, copies, len(gamma))
    dbeta, dgamma, m = dbias.sum(axis=0), dscale.sum(axis=0) * inv_std, n * h * w * copies
    one, slope = scale * (dbeta / m), scale * inv_std * (dgamma / m)
    if not train:  # mean and variance are constants: the first of the three terms is all
        one, slope = np.zeros((2, len(gamma)), np.float32)
    da = empty(a.shape)
    rows = repeated(copies * w, scale, shift, mean, one, slope)
    parallel(_gradient, n, *flat, rows, f, pool, winner, _flat(da))
    no_bias = conv2d_cache(da, conv.x, conv.w, False, conv.stride, conv.padding)
    gradients = conv2d_backward(da, no_bias, input_gradient)
    if gradients is NotImplemented:
        return NotImplemented
    dx, dw, _ = gradients
    dgamma, dbeta = dgamma.astype(np.float32), dbeta.astype(np.float32)
    # In training, batch norm takes the mean off, and with it whatever the bias adds.
    db = ((0 if train else scale) * dbias.astype(np.float32)).ravel() if conv.has_bias else None
    return dx, dw, db, dgamma, dbeta


@kernel
def _gradient_sums(dy, a, rows, pool, winner, sums, lo, hi):
    """Of each image the sums of dz and of dz * (a - mean), dz being dy where it passes ReLU and pooling."""
    _, oh, length = dy.shape
    scale, shift, mean = rows[0], rows[1], rows[2]
    work = np.empty((5, length), np.float32)
    one, two, best, value, side = work[0], work[1], work[2], work[3], work[4]
    places = np.empty(length, np.int32)
    for n in range(lo, hi):
        one[:] = np.float32(0)
        two[:] = np.float32(0)
        for i in range(oh):
            upper = dy[n, i]
            if pool == 1:
                _add_open(upper, a[n, i], scale, shift, mean, one, two)
            else:
                _winners(a[n], i, sums.shape[2], pool, scale, shift, side, best, value, places)
                _add_winners(upper, value, places, mean, one, two)
                target = winner[n, i]
                for k in range(length):
                    target[k] = places[k]
        fold(one, sums[0, n])
        fold(two, sums[1, n])


@kernel
def _add_open(upper, a, scale, shift, mean, one, two):
    for k in range(len(upper)):
        dz = np.float32(0) if scale[k] * a[k] + shift[k] <= np.float32(0) else upper[k]
        one[k] += dz
        two[k] += dz * (a[k] - mean[k])


@kernel
def _add_winners(upper, value, places, mean, one, two):
    for k in range(len(upper)):
        dz = np.float32(0) if places[k] == _NOBODY else upper[k]
        one[k] += dz
        two[k] += dz * (value[k] - mean[k])


@kernel
def _winners(image, i, f, pool, scale, shift, side, best, value, places):
    """Of each window of a row, for each channel: the place of the largest z above zero, if any, and a there."""
    best[:] = np.float32(0)
    value[:] = np.float32(0)
    places[:] = np.int32(_NOBODY)
    for place in range(pool * pool):
        part, number = (
            gather(image[i * pool + place // pool], place % pool, f, pool, side),
            np.int32(place),
        )
        for k in range(len(best)):
            z = scale[k] * part[k] + shift[k]
            better = not (z <= best[k])
            best[k] = z if better else best[k]
            value[k] = part[k] if better else value[k]
            places[k] = number if better else places[k]


@kernel
def _gradient(dy, a, rows, f, pool, winner, da, lo, hi):
    """Batch norm's three terms: da = scale * dz - one - slope * (a - mean)"""
    _, oh, length = dy.shape
    scale, shift, mean, one, slope = rows[0], rows[1], rows[2], rows[3], rows[4]
    work = np.empty((2, length), np.float32)
    side, out = work[0], work[1]
    for n in range(lo, hi):
        if (
            a.shape[1] % pool or a.shape[2] != length * pool
        ):  # some pixels are in no window: dz is 0 there
            for i in range(a.shape[1]):
                source, target = a[n, i], da[n, i]
                for k in range(len(target)):
                    target[k] = -one[k] - slope[k] * (source[k] - mean[k])
        for i in range(oh):
            upper = dy[n, i]
            if pool == 1:
                part, target = a[n, i], da[n, i]
                for k in range(length):
                    dz = (
                        np.float32(0)
                        if scale[k] * part[k] + shift[k] <= np.float32(0)
                        else upper[k]
                    )
                    target[k] = scale[k] * dz - one[k] - slope[k] * (part[k] - mean[k])
            else:
                for place in range(pool * pool):
                    row, number = i * pool + place // pool, np.uint8(place)
                    part, places = gather(a[n, row], place % pool, f, pool, side), winner[n, i]
                    for k in range(length):
                        dz = upper[k] if places[k] == number else np.float32(0)
                        out[k] = scale[k] * dz - one[k] - slope[k] * (part[k] - mean[k])
                    scatter(out, da[n, row], place % pool, f, pool)

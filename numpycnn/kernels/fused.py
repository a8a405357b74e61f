"""Convolution, batch norm, ReLU and max pooling: after the convolution, two passes forward and two backward.

Both go through an image row by row. What belongs to a channel is repeated to a row's length (`_rows`), so that the
inner loops are long and plain; of pooling windows, the values at the same place in each are brought side by side.
Sums over the batch are taken image by image in float32 and added up in float64 in their order: the same bits for
any number of threads.
"""

import numpy as np

from ..backend import Cache
from ..machine.memory import empty
from ..machine.parallel import kernel, parallel
from .conv import conv2d, conv2d_backward
from .norm import _moments

_NOBODY = 255  # no place of a window: nothing in it is above zero


def conv_bn_relu(x, w, b, gamma, beta, running_mean, running_var, train, stride, padding, momentum, eps, pool):
    if x.dtype != np.float32:
        return NotImplemented
    a, conv = conv2d(x, w, b, stride, padding)
    mean, var = running_mean.astype(np.float64), running_var.astype(np.float64)
    if train:
        mean, var = _moments(a.reshape(-1, a.shape[3]))
        running_mean += (1 - momentum) * (mean.astype(np.float32) - running_mean)
        running_var += (1 - momentum) * (var.astype(np.float32) - running_var)
    inv_std = 1 / np.sqrt(var + eps)
    scale = (gamma * inv_std).astype(np.float32)
    shift = (beta - gamma * inv_std * mean).astype(np.float32)
    y = _activated(a, scale, shift, pool)
    mean, inv_std = mean.astype(np.float32), inv_std.astype(np.float32)
    return y, Cache("conv_bn_relu", y, conv, a, mean, inv_std, gamma, beta, train, pool)


def _rows(width, *vectors):
    """(len(vectors), width * F): each vector of F values, repeated `width` times."""
    rows = np.empty((len(vectors), width, len(vectors[0])), np.float32)
    for row, vector in zip(rows, vectors, strict=True):
        row[:] = vector
    return rows.reshape(len(vectors), -1)


def _flat(images):
    """(N, H, W * F)"""
    n, h, w, f = images.shape
    return images.reshape(n, h, w * f)


def _activated(a, scale, shift, pool):
    n, h, w, f = a.shape
    y = empty((n, h // pool, w // pool, f))
    parallel(_activate, n, _flat(a), _rows(w // pool, scale, shift), f, pool, _flat(y))
    return y


@kernel
def _activate(a, rows, f, pool, y, lo, hi):
    """y = the largest over each window of relu(scale * a + shift)"""
    scale, shift = rows[0], rows[1]  # unpacking would forget that they are contiguous
    side = np.empty(y.shape[2], np.float32)
    for n in range(lo, hi):
        for i in range(y.shape[1]):
            best = y[n, i]
            for place in range(pool * pool):
                part = _gather(a[n, i * pool + place // pool], place % pool, f, pool, side)
                if place == 0:
                    _relu(part, scale, shift, best)
                else:
                    _larger(part, scale, shift, best)


@kernel
def _gather(row, first, f, pool, side):
    """Every pool-th pixel of an image row (W * F) from `first` on, side by side; the row itself for pool = 1."""
    if pool == 1:
        return row
    for j in range(len(side) // f):
        target, source = side[j * f : (j + 1) * f], row[(j * pool + first) * f :]
        for k in range(f):
            target[k] = source[k]
    return side


@kernel
def _relu(part, scale, shift, best):
    """Written so that NaN passes, here and in _larger."""
    for k in range(len(best)):
        z = scale[k] * part[k] + shift[k]
        best[k] = np.float32(0) if z <= np.float32(0) else z


@kernel
def _larger(part, scale, shift, best):
    for k in range(len(best)):
        z = scale[k] * part[k] + shift[k]
        best[k] = best[k] if (z <= best[k]) | (best[k] != best[k]) else z


def conv_bn_relu_backward(dy, cache, input_gradient=True):
    conv, a, mean, inv_std, gamma, beta, train, pool = cache
    if dy.dtype != np.float32 or pool * pool >= _NOBODY:
        return NotImplemented
    n, h, w, f = a.shape
    scale = gamma * inv_std
    shift = beta - scale * mean
    sums, winner = np.empty((2, n, f), np.float32), empty((*dy.shape[:2], dy[0, 0].size * (pool > 1)), np.uint8)
    flat = _flat(dy), _flat(a)
    parallel(_gradient_sums, n, *flat, _rows(w // pool, scale, shift, mean), pool, winner, sums)
    dbeta, dgamma = sums.sum(axis=1, dtype=np.float64)
    dgamma *= inv_std
    one, slope = scale * (dbeta / (n * h * w)), scale * inv_std * (dgamma / (n * h * w))
    if not train:  # mean and variance are constants: the first of the three terms is all
        one, slope = np.zeros((2, f), np.float32)
    da = empty(a.shape)
    parallel(_gradient, n, *flat, _rows(w, scale, shift, mean, one, slope), f, pool, winner, _flat(da))
    x, w, has_bias, *geometry = conv
    dx, dw, _ = conv2d_backward(da, Cache("conv2d", da, x, w, False, *geometry), input_gradient)
    dgamma, dbeta = dgamma.astype(np.float32), dbeta.astype(np.float32)
    # In training, batch norm takes the mean off, and with it whatever the bias adds.
    db = (0 if train else scale) * dbeta if has_bias else None
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
        _fold(one, sums[0, n])
        _fold(two, sums[1, n])


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
        part, number = _gather(image[i * pool + place // pool], place % pool, f, pool, side), np.int32(place)
        for k in range(len(best)):
            z = scale[k] * part[k] + shift[k]
            better = not (z <= best[k])
            best[k] = z if better else best[k]
            value[k] = part[k] if better else value[k]
            places[k] = number if better else places[k]


@kernel
def _fold(row, total):
    """The sum over the pixels of a row, for each channel."""
    f = len(total)
    total[:] = row[:f]
    for j in range(f, len(row), f):
        part = row[j : j + f]
        for k in range(f):
            total[k] += part[k]


@kernel
def _gradient(dy, a, rows, f, pool, winner, da, lo, hi):
    """Batch norm's three terms: da = scale * dz - one - slope * (a - mean)"""
    _, oh, length = dy.shape
    scale, shift, mean, one, slope = rows[0], rows[1], rows[2], rows[3], rows[4]
    work = np.empty((2, length), np.float32)
    side, out = work[0], work[1]
    for n in range(lo, hi):
        if a.shape[1] % pool or a.shape[2] != length * pool:  # some pixels are in no window: dz is 0 there
            for i in range(a.shape[1]):
                source, target = a[n, i], da[n, i]
                for k in range(len(target)):
                    target[k] = -one[k] - slope[k] * (source[k] - mean[k])
        for i in range(oh):
            upper = dy[n, i]
            if pool == 1:
                part, target = a[n, i], da[n, i]
                for k in range(length):
                    dz = np.float32(0) if scale[k] * part[k] + shift[k] <= np.float32(0) else upper[k]
                    target[k] = scale[k] * dz - one[k] - slope[k] * (part[k] - mean[k])
            else:
                for place in range(pool * pool):
                    row, number = i * pool + place // pool, np.uint8(place)
                    part, places = _gather(a[n, row], place % pool, f, pool, side), winner[n, i]
                    for k in range(length):
                        dz = upper[k] if places[k] == number else np.float32(0)
                        out[k] = scale[k] * dz - one[k] - slope[k] * (part[k] - mean[k])
                    _scatter(out, da[n, row], place % pool, f, pool)


@kernel
def _scatter(side, row, first, f, pool):
    """The inverse of _gather."""
    for j in range(len(side) // f):
        source, target = side[j * f : (j + 1) * f], row[(j * pool + first) * f :]
        for k in range(f):
            target[k] = source[k]

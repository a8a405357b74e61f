"""Convolution, batch norm, ReLU and max pooling: after the convolution, two passes forward and two backward.

Sums over the batch are taken image by image in float32 and added up in float64 in their order: the same bits for
any number of threads.
"""

import numpy as np

from ..backend import Cache
from ..machine.memory import empty
from ..machine.parallel import kernel, parallel
from .conv import conv2d, conv2d_backward
from .norm import _moments


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


def _activated(a, scale, shift, pool):
    n, h, w, f = a.shape
    y = empty((n, h // pool, w // pool, f))
    parallel(_activate, n, a, scale, shift, pool, y)
    return y


@kernel
def _activate(a, scale, shift, pool, y, lo, hi):
    """y = the largest over each window of relu(scale * a + shift); written so that NaN passes."""
    _, oh, ow, f = y.shape
    zero = np.float32(0)
    for n in range(lo, hi):
        for i in range(oh):
            for j in range(ow):
                row = y[n, i, j]
                source = a[n, i * pool, j * pool]
                for k in range(f):
                    z = scale[k] * source[k] + shift[k]
                    row[k] = zero if z <= zero else z
                for place in range(1, pool * pool):
                    source = a[n, i * pool + place // pool, j * pool + place % pool]
                    for k in range(f):
                        z = scale[k] * source[k] + shift[k]
                        row[k] = row[k] if (z <= row[k]) | (row[k] != row[k]) else z


def conv_bn_relu_backward(dy, cache, input_gradient=True):
    if dy.dtype != np.float32:
        return NotImplemented
    conv, a, mean, inv_std, gamma, beta, train, pool = cache
    n, h, w, f = a.shape
    scale = gamma * inv_std
    shift = beta - scale * mean
    dz = empty(a.shape)
    sums = np.empty((2, n, f), np.float32)
    parallel(_gradient_sums, n, dy, a, scale, shift, mean, inv_std, pool, dz, sums)
    dbeta, dgamma = sums.sum(axis=1, dtype=np.float64)
    if train:
        m = n * h * w
        parallel(
            _gradient, n, a, mean, inv_std, scale, (dbeta / m).astype(np.float32), (dgamma / m).astype(np.float32), dz
        )
    else:
        dz *= scale
    x, w, has_bias, *geometry = conv
    dx, dw, db = conv2d_backward(dz, Cache("conv2d", dz, x, w, has_bias and not train, *geometry), input_gradient)
    if has_bias and train:
        db = np.zeros(f, np.float32)  # batch norm takes the mean off, and with it whatever the bias adds
    return dx, dw, db, dgamma.astype(np.float32), dbeta.astype(np.float32)


@kernel
def _gradient_sums(dy, a, scale, shift, mean, inv_std, pool, dz, sums, lo, hi):
    """dz: dy at the winner of each window where the ReLU was open, else 0; its sum, and its sum with xhat."""
    _, oh, ow, f = dy.shape
    best, winner = np.empty(f, np.float32), np.empty(f, np.int32)
    for n in range(lo, hi):
        dbeta, dgamma = sums[0, n], sums[1, n]
        dbeta[:] = np.float32(0)
        dgamma[:] = np.float32(0)
        if a.shape[1] % pool or a.shape[2] % pool:
            dz[n] = np.float32(0)
        for i in range(oh):
            for j in range(ow):
                if pool > 1:
                    _winners(a[n], i * pool, j * pool, pool, scale, shift, best, winner)
                for place in range(pool * pool):
                    source = a[n, i * pool + place // pool, j * pool + place % pool]
                    target = dz[n, i * pool + place // pool, j * pool + place % pool]
                    if pool > 1:
                        _where(winner, np.int32(place), dy[n, i, j], target)
                    else:
                        _open(source, scale, shift, dy[n, i, j], target)
                    for k in range(f):
                        dbeta[k] += target[k]
                    for k in range(f):
                        dgamma[k] += target[k] * (source[k] - mean[k])
        for k in range(f):
            dgamma[k] *= inv_std[k]


@kernel
def _winners(a, i, j, pool, scale, shift, best, winner):
    """winner[k]: which place of the window at (i, j) is the largest above zero; -1 where none is."""
    best[:] = np.float32(0)
    winner[:] = np.int32(-1)
    for place in range(pool * pool):
        source, number = a[i + place // pool, j + place % pool], np.int32(place)
        for k in range(len(best)):
            z = scale[k] * source[k] + shift[k]
            better = not (z <= best[k])
            winner[k] = number if better else winner[k]
            best[k] = z if better else best[k]


@kernel
def _where(winner, number, upper, target):
    for k in range(len(target)):
        target[k] = upper[k] if winner[k] == number else np.float32(0)


@kernel
def _open(source, scale, shift, upper, target):
    for k in range(len(target)):
        target[k] = np.float32(0) if scale[k] * source[k] + shift[k] <= np.float32(0) else upper[k]


@kernel
def _gradient(a, mean, inv_std, scale, one, two, dz, lo, hi):
    """Batch norm's three terms, in place: scale * (dz - mean of dz - xhat * mean of dz * xhat)."""
    _, h, w, f = a.shape
    for n in range(lo, hi):
        for i in range(h):
            for j in range(w):
                source, target = a[n, i, j], dz[n, i, j]
                for k in range(f):
                    xhat = (source[k] - mean[k]) * inv_std[k]
                    target[k] = scale[k] * (target[k] - one[k] - xhat * two[k])

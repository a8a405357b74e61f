"""Convolution, batch norm, ReLU and max pooling: after the convolution, one pass, and two back.

They go through an image row by row (runtime/rows.py). What belongs to a channel is repeated to a
row's length; of pooling windows, the values at the same place in each are brought side by side.
Sums over the batch are taken image by image in float32 and added up in float64 in their order: the
same bits for any number of threads.
"""

import numpy as np

from ..backend import backend
from ..ops import whole
from ..ops.conv import conv2d_cache, conv_padding, conv_size
from ..ops.fused import conv_bn_relu_cache, conv_bn_relu_infer
from .conv import conv2d_backward, correlate, prepared
from .runtime.epilogue import Epilogue
from .runtime.memory import empty
from .runtime.moments import combine
from .runtime.rows import activate, fold, gather, repeated, scatter, windows
from .runtime.threads import kernel, parallel

_NO_WINNER = 255  # no place of a window: nothing in it is above zero


def conv_bn_relu(x, w, b, norm, train, stride, padding, momentum, eps, pool, keep):
    """x (N, H, W, C), w (kh, kw, C, F) -> y (N, OH/pool, OW/pool, F)"""
    if x.dtype != np.float32:
        return NotImplemented
    if not (train or keep):
        return _Prepared(w, b, norm, stride, padding, eps, pool).infer(x), None
    f = w.shape[3]
    moments = np.empty((len(x), 2, f), np.float32) if train else None
    a = correlate(x, w, b, stride, padding, Epilogue.of(f, moments=moments))  # (N, OH, OW, F)
    n, oh, ow, _ = a.shape
    copies = f // len(norm.gamma)  # of each channel of batch norm, which share their statistics
    mean, var = norm.running_mean.astype(np.float64), norm.running_var.astype(np.float64)
    if train:
        moments = whole.gather(moments)
        each = moments.reshape(-1, 2, copies, f // copies).swapaxes(1, 2)
        each = each.reshape(-1, 2, f // copies)
        mean, var = combine(each, np.full(len(each), oh * ow))
        for running, now in ((norm.running_mean, mean), (norm.running_var, var)):
            running += (1 - momentum) * (now.astype(np.float32) - running)
    inv_std = 1 / np.sqrt(var + eps)
    scale = norm.gamma * inv_std
    rows = repeated(copies * (ow // pool), scale, norm.beta - scale * mean)  # (2, OW/pool*F)
    y = empty((n, oh // pool, ow // pool, f))
    parallel(_activate, n, _flat(a), rows, f, pool, _flat(y))
    statistics = mean.astype(np.float32), inv_std.astype(np.float32)
    conv = conv2d_cache(a, x, w, b is not None, stride, padding)
    return y, conv_bn_relu_cache(y, conv, a, *statistics, norm.gamma, norm.beta, train, pool)


def conv_bn_relu_prepared(w, b, norm, stride, padding, eps, pool):
    """-> a function of x: conv_bn_relu_infer, which prepares the weights once"""
    return _Prepared(w, b, norm, stride, padding, eps, pool)


class _Prepared:
    """y of conv_bn_relu in use; what lies between convolution and pooling never leaves the cache.

    The first x of a shape goes through the op and its checks; others of it come here at once.
    """

    def __init__(self, w, b, norm, *how):
        self.arguments = w, b, norm, *how
        self.convolutions, self.shapes, self.checked = {}, {}, set()

    def __call__(self, x):
        plain = x.dtype == np.float32 and x.flags.c_contiguous
        if plain and x.shape[1:] in self.checked and backend() == "numba":
            return self.infer(x)
        y = conv_bn_relu_infer(x, *self.arguments)
        if y.dtype == np.float32:
            self.checked.add(x.shape[1:])
        return y

    def infer(self, x):
        """x (N, H, W, C), float32 -> y (N, OH/pool, OW/pool, F)"""
        convolution, size, rows, pool = self.shapes.get(x.shape[1:]) or self._of(x.shape)
        y = empty((len(x), *size))
        convolution(x, Epilogue.of(size[2], rows=rows, pool=pool, z=_flat(y)))
        return y

    def _of(self, shape):
        """For all x of this shape: the convolution, y's size, batch norm's scale and shift."""
        w, b, norm, stride, padding, eps, pool = self.arguments
        padding = conv_padding(shape[1:3], w.shape[:2], stride, padding)
        oh, ow = conv_size(shape[1:3], w.shape[:2], stride, padding)
        f = w.shape[3]
        scale = norm.gamma / np.sqrt(norm.running_var.astype(np.float64) + eps)
        copies = f // len(norm.gamma)
        rows = repeated(copies * (ow // pool), scale, norm.beta - scale * norm.running_mean)
        if padding not in self.convolutions:
            self.convolutions[padding] = prepared(w, b, stride, padding)
        size = oh // pool, ow // pool, f
        self.shapes[shape[1:]] = found = self.convolutions[padding], size, rows, pool
        return found


def _flat(images):
    """(N, H, W, F) -> (N, H, W*F)"""
    n, h, w, f = images.shape
    return images.reshape(n, h, w * f)


@kernel
def _activate(a, rows, f, pool, y, lo, hi):
    """Reads a (N, OH, OW*F), writes y (N, OH/pool, OW/pool*F)."""
    for n in range(lo, hi):
        activate(a[n], rows, f, pool, y[n])


def conv_bn_relu_backward(dy, cache, input_gradient):
    """dy (N, OH/pool, OW/pool, F) -> dx (N, H, W, C), dw, db, dgamma, dbeta"""
    conv, a, mean, inv_std, gamma, beta, train, pool = cache
    if dy.dtype != np.float32 or pool * pool >= _NO_WINNER or not len(a):
        return NotImplemented
    n, oh, ow, f = a.shape
    copies = f // len(gamma)
    scale = gamma * inv_std
    shift = beta - scale * mean
    flat = _flat(dy), _flat(a)
    winner = empty((*dy.shape[:2], dy[0, 0].size * (pool > 1)), np.uint8)  # (N, OH/pool, OW/pool*F)
    sums = np.empty((n, 2, f), np.float32)
    rows = repeated(copies * (ow // pool), scale, shift, mean)  # (3, OW/pool*F)
    parallel(_gradient_sums, n, *flat, rows, pool, winner, sums)
    sums = whole.gather(sums)
    dshift, dscale = sums.sum(axis=0, dtype=np.float64).reshape(2, copies, len(gamma))
    dbeta, dgamma = dshift.sum(axis=0), dscale.sum(axis=0) * inv_std
    m = whole.images(n) * oh * ow * copies  # values of a channel
    offset, slope = scale * (dbeta / m), scale * inv_std * (dgamma / m)
    if not train:  # mean and variance are constants: the first of the three terms is all
        offset, slope = np.zeros((2, len(gamma)), np.float32)
    da = empty(a.shape)  # (N, OH, OW, F)
    rows = repeated(copies * ow, scale, shift, mean, offset, slope)  # (5, OW*F)
    parallel(_gradient, n, *flat, rows, f, pool, winner, _flat(da))
    no_bias = conv2d_cache(da, conv.x, conv.w, False, conv.stride, conv.padding)
    gradients = conv2d_backward(da, no_bias, input_gradient)
    if gradients is NotImplemented:
        return NotImplemented
    dx, dw, _ = gradients
    # In training, batch norm takes the mean off, and with it whatever the bias adds.
    db = ((0 if train else scale) * dshift.astype(np.float32)).ravel() if conv.has_bias else None
    summed = (db, dgamma.astype(np.float32), dbeta.astype(np.float32))
    return dx, dw, *(None if total is None else whole.once(total) for total in summed)


@kernel
def _gradient_sums(dy, a, rows, pool, winner, sums, lo, hi):
    """Reads dy (N, OH/pool, OW/pool*F), a (N, OH, OW*F), writes winner (as dy) and sums (N, 2, F).

    sums: of each image those of dz and of dz * (a - mean), dz being dy past pooling and ReLU.
    """
    _, oh, length = dy.shape
    scale, shift, mean = rows[0], rows[1], rows[2]
    work, sides = np.empty((3, length), np.float32), np.empty((4, length), np.float32)
    sum_dz, sum_dz_a, value, places = work[0], work[1], work[2], np.empty(length, np.int32)
    for n in range(lo, hi):
        sum_dz[:] = np.float32(0)
        sum_dz_a[:] = np.float32(0)
        for i in range(oh):
            dy_row = dy[n, i]
            if pool == 1:
                _add_open(dy_row, a[n, i], scale, shift, mean, sum_dz, sum_dz_a)
            else:
                _winners(a[n], i, sums.shape[2], pool, scale, shift, sides, value, places)
                _add_winners(dy_row, value, places, mean, sum_dz, sum_dz_a)
                target = winner[n, i]
                for k in range(length):
                    target[k] = places[k]
        fold(sum_dz, sums[n, 0])
        fold(sum_dz_a, sums[n, 1])


@kernel
def _add_open(dy_row, a_row, scale, shift, mean, sum_dz, sum_dz_a):
    """Adds dz and dz * (a - mean) of a row (OW*F), dz being dy where ReLU is open."""
    for k in range(len(dy_row)):
        dz = dy_row[k]  # read before the choice, which vectors can make then
        dz = np.float32(0) if scale[k] * a_row[k] + shift[k] <= np.float32(0) else dz
        sum_dz[k] += dz
        sum_dz_a[k] += dz * (a_row[k] - mean[k])


@kernel
def _add_winners(dy_row, value, places, mean, sum_dz, sum_dz_a):
    """The same for a row of windows (OW/pool*F), `value` being a where each has its winner."""
    for k in range(len(dy_row)):
        dz = dy_row[k]
        dz = np.float32(0) if places[k] == _NO_WINNER else dz
        sum_dz[k] += dz
        sum_dz_a[k] += dz * (value[k] - mean[k])


@kernel
def _winners(image, i, f, pool, scale, shift, sides, value, places):
    """Reads image (OH, OW*F); of the i-th row of windows writes, each (OW/pool*F):

    value, a where z is largest and above zero, if anywhere; places, where in its window that is.
    """
    if pool == 2:
        a, b, c, d = windows(image, i, f, sides)
        for k in range(len(value)):
            best = np.float32(0), np.float32(0), np.int32(_NO_WINNER)
            best = _larger(scale[k], shift[k], a[k], np.int32(0), best)
            best = _larger(scale[k], shift[k], b[k], np.int32(1), best)
            best = _larger(scale[k], shift[k], c[k], np.int32(2), best)
            _, value[k], places[k] = _larger(scale[k], shift[k], d[k], np.int32(3), best)
        return
    largest = sides[0]
    largest[:] = np.float32(0)
    value[:] = np.float32(0)
    places[:] = np.int32(_NO_WINNER)
    for place in range(pool * pool):
        part = gather(image[i * pool + place // pool], place % pool, f, pool, sides[1])
        for k in range(len(value)):
            best = largest[k], value[k], places[k]
            best = _larger(scale[k], shift[k], part[k], np.int32(place), best)
            largest[k], value[k], places[k] = best


@kernel
def _larger(scale, shift, value, place, best):
    """(z, value, place) with z = scale * value + shift, or the best so far if z is not above it."""
    z = scale * value + shift
    return best if z <= best[0] else (z, value, place)


@kernel
def _gradient(dy, a, rows, f, pool, winner, da, lo, hi):
    """Batch norm's three terms: da = scale * dz - offset - slope * (a - mean)

    Reads dy, winner (N, OH/pool, OW/pool*F) and a (N, OH, OW*F), writes da (N, OH, OW*F).
    """
    _, oh, length = dy.shape
    scale, mean, offset, slope = rows[0], rows[2], rows[3], rows[4]
    side = np.empty(length, np.float32)
    dz = np.zeros(a.shape[2], np.float32)  # of pixels in no window it stays 0
    for n in range(lo, hi):
        for i in range(a.shape[1]):
            part, target = a[n, i], da[n, i]
            if pool == 1:
                _gradient_row(dy[n, i], part, rows, target)
                continue
            if i // pool == oh:
                dz[:] = np.float32(0)
            else:
                for column in range(pool):
                    place = np.uint8(i % pool * pool + column)
                    _won(dy[n, i // pool], winner[n, i // pool], place, side)
                    scatter(side, dz, column, f, pool)
            for k in range(len(part)):
                target[k] = scale[k] * dz[k] - offset[k] - slope[k] * (part[k] - mean[k])


@kernel
def _gradient_row(dy_row, part, rows, target):
    """The same for a row without pooling: dz is dy where ReLU is open."""
    scale, shift, mean, offset, slope = rows[0], rows[1], rows[2], rows[3], rows[4]
    for k in range(len(part)):
        dz = dy_row[k]
        dz = np.float32(0) if scale[k] * part[k] + shift[k] <= np.float32(0) else dz
        target[k] = scale[k] * dz - offset[k] - slope[k] * (part[k] - mean[k])


@kernel
def _won(dy_row, winner, place, dz):
    """dz = dy of the windows whose winner stands at this place."""
    for k in range(len(dy_row)):
        dy = dy_row[k]
        dz[k] = dy if winner[k] == place else np.float32(0)

"""3x3 convolutions of stride 1 with a quarter of the multiplications. Source: Lavin & Gray 2016, F(4x4, 3x3).

A tile of 4x4 outputs needs 6x6 inputs d and costs 36 products a channel pair instead of 144:

    y = A^T [ (G w G^T) * (B^T d B) ] A                          * element by element, summed over channels
    dw = G^T [ sum over tiles (B^T d B) * (A dy A^T) ] G         its transpose with respect to w

so that for each of the 36 places there is one matrix product, tiles x C by C x F. The matrices come from
polynomial interpolation at 0, 1, -1, 2, -2 and infinity; float32 loses about a digit and a half by them.
"""

import numpy as np

from .memory import empty
from .parallel import kernel, parallel
from .simd import LANES, WIDTH, linear, product, steps

B_T = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
A_T = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))
G = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)

_inputs, _outputs, _gradients = linear(B_T), linear(A_T), linear(tuple(zip(*A_T, strict=True)))
_weights, _weight_gradients = linear(G), linear(tuple(zip(*G, strict=True)))
CHUNKS = 4
SMALL = 8192  # pairs of channels whose weights one thread transforms sooner than two


def fits(w, stride, padding):
    """Whether a convolution is one that these kernels are made for, and faster at."""
    return (
        stride == (1, 1)
        and w.shape[:2] == (3, 3)
        and min(w.shape[2:]) >= 16
        and all(p in (0, 1, 2) for pair in padding for p in pair)
    )


def _up(n, to):
    return -(-n // to) * to


class _Plan:
    """The sizes of one convolution: groups of images, tiles, padded scratch, channels rounded up to vectors."""

    def __init__(self, x_shape, padding, c, f):
        n, h, w, _ = x_shape
        self.oh, self.ow = h + sum(padding[0]) - 2, w + sum(padding[1]) - 2
        th, tw = -(-self.oh // 4), -(-self.ow // 4)
        self.c, self.f = _up(c, LANES), _up(f, WIDTH)
        self.group = max(1, min(48 // (th * tw), n))
        self.tiles = self.group * th * tw
        self.groups = -(-n // self.group)
        self.geometry = np.array([self.group, th, tw, 4 * th + 2, 4 * tw + 2, padding[0][0], padding[1][0]])
        padded = self.group * (4 * th + 2) * (4 * tw + 2) * self.c
        self.scratch = padded + 36 * self.tiles * (self.c + self.f) + 36 * max(self.c, self.f) + 16 * self.f
        self.rows_c, self.rows_f = steps(self.tiles, self.c), steps(self.tiles, self.f)


def correlate(x, w, b, padding, turned=False):
    """y = conv2d(x, w, b), stride 1: x (N, H, W, C), w (3, 3, C, F); turned: with w[::-1, ::-1] (3, 3, F, C)."""
    c, f = w.shape[:1:-1] if turned else w.shape[2:]
    plan = _Plan(x.shape, padding, c, f)
    y = empty((len(x), plan.oh, plan.ow, f))
    bias = np.zeros(plan.f, np.float32)
    if b is not None:
        bias[:f] = b
    weights = np.empty((36, plan.c, plan.f), np.float32)
    parallel(_transform_weights, plan.c, w, turned, weights, least=SMALL // plan.f)
    arguments = x, weights, bias, y, plan.geometry, plan.rows_c, plan.rows_f
    parallel(_correlate_groups, plan.groups, *arguments, scratch=plan.scratch)
    return y


@kernel
def _transform_weights(w, turned, weights, lo, hi):
    """weights[36, C, F] = G w G^T, zeros for the channels that only fill up a vector."""
    _, c_up, f_up = weights.shape
    out, block, half = weights.reshape(-1), np.zeros(9 * f_up, np.float32), np.empty(18 * f_up, np.float32)
    c, f = (w.shape[3], w.shape[2]) if turned else (w.shape[2], w.shape[3])
    for one in range(lo, hi):
        for place in range(9):
            target = block[place * f_up :]
            if one >= c:
                target[:f] = np.float32(0)
            elif turned:
                source = w[2 - place // 3, 2 - place % 3, :, one]
                for k in range(f):
                    target[k] = source[k]
            else:
                target[:f] = w[place // 3, place % 3, one]
        for column in range(3):
            _weights(block, column * f_up, 3 * f_up, half, column * f_up, 3 * f_up, f_up)
        for row in range(6):
            _weights(half, row * 3 * f_up, f_up, out, (row * 6 * c_up + one) * f_up, c_up * f_up, f_up)


@kernel
def _cut(memory, geometry, c_up, f_up):
    """The memory of one thread as padded images (zeros), both transformed tiles, and room for one tile."""
    group, th, tw, hs, ws, _, _ = geometry
    padded, tiles = group * hs * ws * c_up, 36 * group * th * tw
    memory[:padded] = np.float32(0)
    v, rest = memory[padded : padded + tiles * c_up], memory[padded + tiles * c_up :]
    one = 36 * max(c_up, f_up)
    return memory[:padded], v, rest[: tiles * f_up], rest[tiles * f_up : tiles * f_up + one], rest[tiles * f_up + one :]


@kernel
def _fill(scratch, x, geometry, c_up):
    """The images x of one group into their padded places; borders and spare channels stay zero."""
    _, _, _, hs, ws, top, left = geometry
    images, h, w, c = x.shape
    rows, columns = min(h, hs - top), min(w, ws - left)
    for n in range(images):
        for i in range(rows):
            for j in range(columns):
                target = scratch[((n * hs + top + i) * ws + left + j) * c_up :]
                source = x[n, i, j]
                for k in range(c):
                    target[k] = source[k]


@kernel
def _transform_inputs(scratch, v, half, geometry, images, tiles, c_up):
    """v[36, tiles, C] = B^T d B for every tile of the group."""
    _, th, tw, hs, ws, _, _ = geometry
    for t in range(images * th * tw):
        n, i, j = t // (th * tw), t // tw % th, t % tw
        corner = ((n * hs + 4 * i) * ws + 4 * j) * c_up
        for column in range(6):
            _inputs(scratch, corner + column * c_up, ws * c_up, half, column * c_up, 6 * c_up, c_up)
        for row in range(6):
            _inputs(half, row * 6 * c_up, c_up, v, (row * 6 * tiles + t) * c_up, tiles * c_up, c_up)


@kernel
def _correlate_groups(x, weights, bias, y, geometry, rows_c, rows_f, memory, lo, hi):
    group, th, tw = geometry[:3]
    n = len(y)
    c_up, f_up, tiles = weights.shape[1], weights.shape[2], group * th * tw
    flat = weights.reshape(-1)
    scratch, v, m, half, out = _cut(memory, geometry, c_up, f_up)
    zero = np.zeros(WIDTH, np.float32)
    for g in range(lo, hi):
        images = min(group, n - g * group)
        _fill(scratch, x[g * group : g * group + images], geometry, c_up)
        _transform_inputs(scratch, v, half, geometry, images, tiles, c_up)
        count = images * th * tw
        for k in range(36):
            left = v[k * tiles * c_up : (k + 1) * tiles * c_up]
            for p in range(f_up // WIDTH):
                at, to = k * c_up * f_up + p * WIDTH, k * tiles * f_up + p * WIDTH
                product(count, left, rows_c, rows_f, c_up, 1, 1, 0, flat, at, f_up, 0, zero, 0, 0, m, to)
        for t in range(count):
            for column in range(6):
                _outputs(m, (column * tiles + t) * f_up, 6 * tiles * f_up, half, column * f_up, 6 * f_up, f_up)
            for row in range(4):
                _outputs(half, row * 6 * f_up, f_up, out, row * 4 * f_up, f_up, f_up)
            _place(out, bias, y, g * group + t // (th * tw), t // tw % th * 4, t % tw * 4, f_up)


@kernel
def _place(out, bias, y, n, i, j, f_up):
    """A tile of 4x4 outputs into y, but for what reaches beyond its border."""
    _, oh, ow, f = y.shape
    for row in range(min(4, oh - i)):
        for column in range(min(4, ow - j)):
            source, target = out[(row * 4 + column) * f_up :], y[n, i + row, j + column]
            for k in range(f):
                target[k] = source[k] + bias[k]


def weight_gradient(x, dy, shape, padding):
    """dw (3, 3, C, F) = sum over pixels of x * dy, for conv2d of stride 1."""
    c, f = shape[2:]
    plan = _Plan(x.shape, padding, c, f)
    sums = empty((CHUNKS, 36, plan.c, plan.f))
    per_chunk = -(-plan.groups // CHUNKS)
    rows = steps(plan.c, 1), steps(plan.c, plan.f)
    parallel(_gradient_chunks, CHUNKS, x, dy, sums, plan.geometry, *rows, per_chunk, scratch=plan.scratch)
    dw = np.empty(shape, np.float32)
    parallel(_collect, c, sums, dw, least=SMALL // plan.f)
    return dw


@kernel
def _collect(sums, dw, lo, hi):
    """dw = G^T (sum of the chunks) G"""
    chunks, _, _, f_up = sums.shape
    total, half, block = (
        np.empty(36 * f_up, np.float32),
        np.empty(18 * f_up, np.float32),
        np.empty(9 * f_up, np.float32),
    )
    for c in range(lo, hi):
        for place in range(36):
            target = total[place * f_up : (place + 1) * f_up]
            target[:] = sums[0, place, c]
            for chunk in range(1, chunks):
                source = sums[chunk, place, c]
                for k in range(f_up):
                    target[k] += source[k]
        for column in range(6):
            _weight_gradients(total, column * f_up, 6 * f_up, half, column * f_up, 6 * f_up, f_up)
        for row in range(3):
            _weight_gradients(half, row * 6 * f_up, f_up, block, row * 3 * f_up, f_up, f_up)
        for place in range(9):
            target, source = dw[place // 3, place % 3, c], block[place * f_up :]
            for k in range(len(target)):
                target[k] = source[k]


@kernel
def _gradient_chunks(x, dy, sums, geometry, rows, places, per_chunk, memory, lo, hi):
    group, th, tw = geometry[:3]
    n = len(dy)
    c_up, f_up, tiles = sums.shape[2], sums.shape[3], group * th * tw
    scratch, v, m, half, block = _cut(memory, geometry, c_up, f_up)
    block[:] = np.float32(0)
    for chunk in range(lo, hi):
        sums[chunk] = np.float32(0)
        out = sums[chunk].reshape(-1)
        for g in range(chunk * per_chunk, min((chunk + 1) * per_chunk, -(-n // group))):
            images = min(group, n - g * group)
            _fill(scratch, x[g * group : g * group + images], geometry, c_up)
            _transform_inputs(scratch, v, half, geometry, images, tiles, c_up)
            count = images * th * tw
            for t in range(count):
                _take(block, dy, g * group + t // (th * tw), t // tw % th * 4, t % tw * 4, f_up)
                for column in range(4):
                    _gradients(block, column * f_up, 4 * f_up, half, column * f_up, 4 * f_up, f_up)
                for row in range(6):
                    _gradients(half, row * 4 * f_up, f_up, m, (row * 6 * tiles + t) * f_up, tiles * f_up, f_up)
            for k in range(36):
                left = v[k * tiles * c_up : (k + 1) * tiles * c_up]
                for p in range(f_up // WIDTH):
                    at, to = k * tiles * f_up + p * WIDTH, k * c_up * f_up + p * WIDTH
                    product(c_up, left, rows, places, count, c_up, 1, 0, m, at, f_up, 0, out, to, 1, out, to)


@kernel
def _take(block, dy, n, i, j, f_up):
    """A tile of 4x4 of dy, zeros beyond its border."""
    _, oh, ow, f = dy.shape
    for row in range(4):
        for column in range(4):
            target = block[(row * 4 + column) * f_up :]
            if i + row < oh and j + column < ow:
                source = dy[n, i + row, j + column]
                for k in range(f):
                    target[k] = source[k]
            else:
                target[:f] = np.float32(0)

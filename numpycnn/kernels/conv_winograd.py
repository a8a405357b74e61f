"""3x3 and 5x5 convolutions of stride 1 with fewer products. Source: Lavin & Gray 2016, F(4x4, 3x3), F(2x2, 5x5).

A tile of m x m outputs (4x4 for 3x3 weights, 2x2 for 5x5) needs 6x6 inputs d. A channel pair costs it 36 products,
where direct convolution takes 144 and 100:

    y = A^T [ (G w G^T) * (B^T d B) ] A                          * element by element, summed over channels
    dw = G^T [ sum over tiles (B^T d B) * (A dy A^T) ] G         its transpose with respect to w

so that for each of the 36 places there is one matrix product, tiles x C by C x F. The matrices come from
polynomial interpolation at 0, 1, -1, 2, -2 and infinity; float32 loses about a digit and a half by them.
Steps: ops/DERIVATIONS.md, "Winograd's six points".
"""

import math

import numpy as np

from .runtime.epilogue import epilogue, finish
from .runtime.memory import empty
from .runtime.simd import LANES, WIDTH, linear, product, steps
from .runtime.threads import kernel, parallel

POINTS = (0, 1, -1, 2, -2)  # and infinity, the sixth


def _polynomial(roots):
    """The coefficients of the product of all (t - root), the constant first."""
    coefficients = (1,)
    for root in roots:
        shifted = (0, *coefficients)  # times t
        scaled = (*(root * c for c in coefficients), 0)  # times the root
        coefficients = tuple(a - b for a, b in zip(shifted, scaled, strict=True))
    return coefficients


def _others(point):
    return tuple(p for p in POINTS if p != point)


def _b_t():
    """B^T (6, 6): for each point the polynomial that is 0 at the others; for infinity, at all five."""
    finite = tuple((*_polynomial(_others(point)), 0) for point in POINTS)
    return (*finite, _polynomial(POINTS))


B_T = _b_t()
# The norm of a point: the product of its distances to the others, its polynomial's value there.
NORMS = tuple(math.prod(p - q for q in _others(p)) for p in POINTS)


def _a_t(m):
    """A^T (m, 6): the powers 0 .. m-1 of the points; at infinity only the highest counts."""
    return tuple((*(p**i for p in POINTS), int(i == m - 1)) for i in range(m))


def _g(r):
    """G (6, r): the powers 0 .. r-1 of the points, divided by their norms."""
    finite = tuple(
        tuple(p**i / norm for i in range(r)) for p, norm in zip(POINTS, NORMS, strict=True)
    )
    return (*finite, (0,) * (r - 1) + (1,))


def _transposed(matrix):
    return tuple(zip(*matrix, strict=True))


_inputs = linear(B_T)
_outputs_4, _outputs_2 = linear(_a_t(4)), linear(_a_t(2))
_gradients_4, _gradients_2 = linear(_transposed(_a_t(4))), linear(_transposed(_a_t(2)))
_weights_3, _weights_5 = linear(_g(3)), linear(_g(5))
_weight_gradients_3, _weight_gradients_5 = linear(_transposed(_g(3))), linear(_transposed(_g(5)))
CHUNKS = 4
SMALL = 8192  # pairs of channels whose weights one thread transforms sooner than two


def fits(w, stride, padding):
    """Whether a convolution is one that these kernels are made for, and faster at."""
    return (
        stride == (1, 1)
        and w.shape[:2] in ((3, 3), (5, 5))
        and min(w.shape[2:]) >= 16
        and all(0 <= p < w.shape[0] for pair in padding for p in pair)
    )


def _up(n, to):
    return -(-n // to) * to


class _Plan:
    """The sizes of one convolution: groups of images, tiles, padded scratch, channels rounded up to vectors."""

    def __init__(self, x_shape, padding, r, c, f):
        n, h, w, _ = x_shape
        m = 7 - r
        self.oh, self.ow = h + sum(padding[0]) + 1 - r, w + sum(padding[1]) + 1 - r
        th, tw = -(-self.oh // m), -(-self.ow // m)
        self.c, self.f = _up(c, LANES), _up(f, WIDTH)
        self.group = max(1, min(48 // (th * tw), n))
        self.tiles = self.group * th * tw
        hs, ws = m * th + r - 1, m * tw + r - 1
        self.geometry = np.array([self.group, th, tw, hs, ws, padding[0][0], padding[1][0], m])
        self.scratch = self.group * hs * ws * self.c + 36 * self.tiles * (self.c + self.f)
        self.scratch += 36 * max(self.c, self.f) + m * m * self.f
        self.rows_c, self.rows_f = steps(self.tiles, self.c), steps(self.tiles, self.f)


def correlate(x, w, b, padding, turned=False, then=None):
    """y = conv2d(x, w, b), stride 1: x (N, H, W, C), w (r, r, C, F); turned: with w[::-1, ::-1] (r, r, F, C).

    `then`: an Epilogue; one that takes y for itself leaves None to return.
    """
    c, f = w.shape[:1:-1] if turned else w.shape[2:]
    plan = _Plan(x.shape, padding, len(w), c, f)
    then = then or epilogue(f)
    y = empty((0 if len(then.z) else len(x), plan.oh, plan.ow, f))
    bias = np.zeros(plan.f, np.float32)
    if b is not None:
        bias[:f] = b
    weights = empty((36, plan.c, plan.f))
    parallel(_transform_weights, plan.c, w, turned, weights, least=max(1, SMALL // plan.f))
    flat = y.reshape(len(y), plan.oh, plan.ow * f)
    tables, scratch = (plan.geometry, plan.rows_c, plan.rows_f), plan.scratch
    if len(then.z):
        scratch += plan.group * plan.oh * plan.ow * f
    parallel(_correlate_images, len(x), x, weights, bias, y, flat, then, *tables, scratch=scratch)
    return None if len(then.z) else y


@kernel
def _transform_weights(w, turned, weights, lo, hi):
    """weights[36, C, F] = G w G^T, zeros for the channels that only fill up a vector."""
    r = len(w)
    _, c_up, f_up = weights.shape
    out, block, half = (
        weights.reshape(-1),
        np.zeros(r * r * f_up, np.float32),
        np.empty(6 * r * f_up, np.float32),
    )
    c, f = (w.shape[3], w.shape[2]) if turned else (w.shape[2], w.shape[3])
    for one in range(lo, hi):
        for i in range(r):
            for j in range(r):
                target = block[(i * r + j) * f_up :]
                if one >= c:
                    target[:f] = np.float32(0)
                elif turned:
                    source = w[r - 1 - i, r - 1 - j, :, one]
                    for k in range(f):
                        target[k] = source[k]
                else:
                    target[:f] = w[i, j, one]
        for column in range(r):
            _weights(r, block, column * f_up, r * f_up, half, column * f_up, r * f_up, f_up)
        for row in range(6):
            _weights(
                r, half, row * r * f_up, f_up, out, (row * 6 * c_up + one) * f_up, c_up * f_up, f_up
            )


@kernel
def _weights(r, x, x_at, x_step, out, out_at, out_step, channels):
    if r == 3:
        _weights_3(x, x_at, x_step, out, out_at, out_step, channels)
    else:
        _weights_5(x, x_at, x_step, out, out_at, out_step, channels)


@kernel
def _weight_gradients(r, x, x_at, x_step, out, out_at, out_step, channels):
    if r == 3:
        _weight_gradients_3(x, x_at, x_step, out, out_at, out_step, channels)
    else:
        _weight_gradients_5(x, x_at, x_step, out, out_at, out_step, channels)


@kernel
def _outputs(m, x, x_at, x_step, out, out_at, out_step, channels):
    if m == 4:
        _outputs_4(x, x_at, x_step, out, out_at, out_step, channels)
    else:
        _outputs_2(x, x_at, x_step, out, out_at, out_step, channels)


@kernel
def _gradients(m, x, x_at, x_step, out, out_at, out_step, channels):
    if m == 4:
        _gradients_4(x, x_at, x_step, out, out_at, out_step, channels)
    else:
        _gradients_2(x, x_at, x_step, out, out_at, out_step, channels)


@kernel
def _cut(memory, geometry, c_up, f_up):
    """The memory of one thread as padded images (zeros), both transformed tiles, and room for one tile."""
    group, th, tw, hs, ws = geometry[:5]
    padded, tiles = group * hs * ws * c_up, 36 * group * th * tw
    memory[:padded] = np.float32(0)
    v, rest = memory[padded : padded + tiles * c_up], memory[padded + tiles * c_up :]
    one = 36 * max(c_up, f_up)
    return (
        memory[:padded],
        v,
        rest[: tiles * f_up],
        rest[tiles * f_up : tiles * f_up + one],
        rest[tiles * f_up + one :],
    )


@kernel
def _fill(scratch, x, geometry, c_up):
    """The images x of one group into their padded places; borders and spare channels stay zero."""
    _, _, _, hs, ws, top, left, _ = geometry
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
    _, th, tw, hs, ws, _, _, side = geometry
    for t in range(images * th * tw):
        n, i, j = t // (th * tw), t // tw % th, t % tw
        corner = ((n * hs + side * i) * ws + side * j) * c_up
        for column in range(6):
            _inputs(scratch, corner + column * c_up, ws * c_up, half, column * c_up, 6 * c_up, c_up)
        for row in range(6):
            _inputs(half, row * 6 * c_up, c_up, v, (row * 6 * tiles + t) * c_up, tiles * c_up, c_up)


@kernel
def _correlate_images(x, weights, bias, y, flat_y, then, geometry, rows_c, rows_f, memory, lo, hi):
    group, th, tw, _, _, _, _, side = geometry
    c_up, f_up, tiles = weights.shape[1], weights.shape[2], group * th * tw
    flat = weights.reshape(-1)
    scratch, v, m, half, out = _cut(memory, geometry, c_up, f_up)
    zero = np.zeros(WIDTH, np.float32)
    if len(then.z):  # y is the memory of one group
        _, oh, ow, f = y.shape
        own = memory[len(memory) - group * oh * ow * f :]
        y, flat_y = own.reshape(group, oh, ow, f), own.reshape(group, oh, ow * f)
    for first in range(lo, hi, group):
        images, begin = min(group, hi - first), 0 if len(then.z) else first
        _fill(scratch, x[first : first + images], geometry, c_up)
        _transform_inputs(scratch, v, half, geometry, images, tiles, c_up)
        count = images * th * tw
        for k in range(36):
            left = v[k * tiles * c_up : (k + 1) * tiles * c_up]
            for p in range(f_up // WIDTH):
                at, to = k * c_up * f_up + p * WIDTH, k * tiles * f_up + p * WIDTH
                product(
                    count, left, rows_c, rows_f, c_up, 1, 1, 0, flat, at, f_up, 0, zero, 0, 0, m, to
                )
        for t in range(count):
            for column in range(6):
                _outputs(
                    side,
                    m,
                    (column * tiles + t) * f_up,
                    6 * tiles * f_up,
                    half,
                    column * f_up,
                    6 * f_up,
                    f_up,
                )
            for row in range(side):
                _outputs(side, half, row * 6 * f_up, f_up, out, row * side * f_up, f_up, f_up)
            _place(
                out, bias, y, begin + t // (th * tw), t // tw % th * side, t % tw * side, side, f_up
            )
        finish(then, flat_y, begin, first, images)


@kernel
def _place(out, bias, y, n, i, j, side, f_up):
    """A tile of outputs into y, but for what reaches beyond its border."""
    _, oh, ow, f = y.shape
    for row in range(min(side, oh - i)):
        for column in range(min(side, ow - j)):
            source, target = out[(row * side + column) * f_up :], y[n, i + row, j + column]
            for k in range(f):
                target[k] = source[k] + bias[k]


def weight_gradient(x, dy, shape, padding):
    """dw (r, r, C, F) = sum over pixels of x * dy, for conv2d of stride 1."""
    c, f = shape[2:]
    plan = _Plan(x.shape, padding, shape[0], c, f)
    sums = empty((CHUNKS, 36, plan.c, plan.f))
    rows = steps(plan.c, 1), steps(plan.c, plan.f)
    parallel(_gradient_chunks, CHUNKS, x, dy, sums, plan.geometry, *rows, scratch=plan.scratch)
    dw = np.empty(shape, np.float32)
    parallel(_collect, c, sums, dw, least=max(1, SMALL // plan.f))
    return dw


@kernel
def _collect(sums, dw, lo, hi):
    """dw = G^T (sum of the chunks) G"""
    chunks, _, _, f_up = sums.shape
    r = len(dw)
    total, half = np.empty(36 * f_up, np.float32), np.empty(6 * r * f_up, np.float32)
    block = np.empty(r * r * f_up, np.float32)
    for c in range(lo, hi):
        for place in range(36):
            target = total[place * f_up : (place + 1) * f_up]
            target[:] = sums[0, place, c]
            for chunk in range(1, chunks):
                source = sums[chunk, place, c]
                for k in range(f_up):
                    target[k] += source[k]
        for column in range(6):
            _weight_gradients(
                r, total, column * f_up, 6 * f_up, half, column * f_up, 6 * f_up, f_up
            )
        for row in range(r):
            _weight_gradients(r, half, row * 6 * f_up, f_up, block, row * r * f_up, f_up, f_up)
        for place in range(r * r):
            target, source = dw[place // r, place % r, c], block[place * f_up :]
            for k in range(len(target)):
                target[k] = source[k]


@kernel
def _gradient_chunks(x, dy, sums, geometry, rows, places, memory, lo, hi):
    group, th, tw, _, _, _, _, side = geometry
    n = len(dy)
    c_up, f_up, tiles = sums.shape[2], sums.shape[3], group * th * tw
    scratch, v, m, half, block = _cut(memory, geometry, c_up, f_up)
    block[:] = np.float32(0)
    for chunk in range(lo, hi):
        sums[chunk] = np.float32(0)
        out = sums[chunk].reshape(-1)
        last = n * (chunk + 1) // CHUNKS
        for first in range(n * chunk // CHUNKS, last, group):
            images = min(group, last - first)
            _fill(scratch, x[first : first + images], geometry, c_up)
            _transform_inputs(scratch, v, half, geometry, images, tiles, c_up)
            count = images * th * tw
            for t in range(count):
                _take(
                    block,
                    dy,
                    first + t // (th * tw),
                    t // tw % th * side,
                    t % tw * side,
                    side,
                    f_up,
                )
                for column in range(side):
                    _gradients(
                        side,
                        block,
                        column * f_up,
                        side * f_up,
                        half,
                        column * f_up,
                        side * f_up,
                        f_up,
                    )
                for row in range(6):
                    at = (row * 6 * tiles + t) * f_up
                    _gradients(side, half, row * side * f_up, f_up, m, at, tiles * f_up, f_up)
            for k in range(36):
                left = v[k * tiles * c_up : (k + 1) * tiles * c_up]
                for p in range(f_up // WIDTH):
                    at, to = k * tiles * f_up + p * WIDTH, k * c_up * f_up + p * WIDTH
                    product(
                        c_up,
                        left,
                        rows,
                        places,
                        count,
                        c_up,
                        1,
                        0,
                        m,
                        at,
                        f_up,
                        0,
                        out,
                        to,
                        1,
                        out,
                        to,
                    )


@kernel
def _take(block, dy, n, i, j, side, f_up):
    """A tile of dy, zeros beyond its border."""
    _, oh, ow, f = dy.shape
    for row in range(side):
        for column in range(side):
            target = block[(row * side + column) * f_up :]
            if i + row < oh and j + column < ow:
                source = dy[n, i + row, j + column]
                for k in range(f):
                    target[k] = source[k]
            else:
                target[:f] = np.float32(0)

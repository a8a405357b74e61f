"""3x3 and 5x5 convolutions of stride 1 with fewer products: F(4x4, 3x3) and F(2x2, 5x5).

A tile of m x m outputs (4x4 for 3x3 weights, 2x2 for 5x5) needs 6x6 inputs d. A channel pair costs
it 36 products, where direct convolution takes 144 and 100:

    y = A^T [ (G w G^T) * (B^T d B) ] A                          * by element, summed over channels
    dw = G^T [ sum over tiles (B^T d B) * (A dy A^T) ] G         its transpose with respect to w

so that for each of the 36 places there is one matrix product, tiles x C by C x F. The matrices come
from polynomial interpolation at six points (winograd_points.py); float32 loses about a digit and a
half by them. Source: Lavin & Gray 2016. Steps: ops/DERIVATIONS.md, "Winograd's six points".
"""

import functools
import typing

import numpy as np

from ..ops import whole
from .runtime.epilogue import Epilogue, finish
from .runtime.memory import empty
from .runtime.operands import At, Out, Panel, Rows, Start
from .runtime.simd import LANES, WIDTH, narrow_product, product, steps
from .runtime.threads import kernel, parallel
from .runtime.tree import add_up
from .winograd_points import gradients, inputs, outputs, weight_gradients, weights

RUN = 512  # values that go through a transform of weights at a time


def fits(w, stride, padding):
    """Whether a convolution is one that these kernels are made for, and faster at."""
    return (
        stride == (1, 1)
        and w.shape[:2] in ((3, 3), (5, 5))
        and min(w.shape[2:]) >= 16
        and all(0 <= p < w.shape[0] for pair in padding for p in pair)
    )


class Tiling(typing.NamedTuple):
    """How a group of images is cut into tiles of m x m outputs."""

    group: int  # images
    rows: int  # tiles down an image
    columns: int  # tiles across
    height: int  # of a padded image
    width: int
    top: int  # where the image lies in it
    left: int
    m: int


class Weights(typing.NamedTuple):
    """What a convolution needs of its w and b."""

    transformed: np.ndarray  # (36, C, F) = G w G^T, with zeros to fill up vectors
    bias: np.ndarray  # (F,), filled up likewise


class _Plan:
    """The sizes of one convolution: its tiling, channels rounded up to vectors, scratch memory."""

    def __init__(self, x_shape, padding, r, c, f):
        n, h, w, _ = x_shape
        m = 7 - r
        self.oh, self.ow = h + sum(padding[0]) + 1 - r, w + sum(padding[1]) + 1 - r
        rows, columns = -(-self.oh // m), -(-self.ow // m)
        self.c, self.f = -(-c // LANES) * LANES, -(-f // LANES) * LANES
        group = max(1, min(48 // (rows * columns), n))
        height, width, top, left = (
            m * rows + r - 1,
            m * columns + r - 1,
            padding[0][0],
            padding[1][0],
        )
        self.tiling = Tiling(group, rows, columns, height, width, top, left, m)
        tiles = group * rows * columns
        self.scratch = group * height * width * self.c + 36 * tiles * (self.c + self.f)
        self.scratch += 6 * width * max(self.c, self.f) + m * width * self.f
        self.steps_c, self.steps_f = steps(tiles, self.c), steps(tiles, self.f)


_plan = functools.lru_cache(256)(_Plan)


def prepare(w, b, turned=False):
    """The Weights of correlate with the same arguments."""
    c, f = w.shape[:1:-1] if turned else w.shape[2:]
    transformed = empty((36, -(-c // LANES) * LANES, -(-f // LANES) * LANES))
    parallel(_transform_weights, transformed.shape[1], w, turned, transformed)
    bias = np.zeros(transformed.shape[2], np.float32)
    if b is not None:
        bias[:f] = b
    return Weights(transformed, bias)


def correlate(x, w, b, padding, turned=False, epilogue=None, weights=None):
    """y = conv2d(x, w, b), stride 1; with `turned` by w[::-1, ::-1], its channels exchanged.

    x (N, H, W, C), w (r, r, C, F), turned (r, r, F, C) -> y (N, OH, OW, F), or None if the
    epilogue keeps only its z. `weights`: what prepare gave, if that was called before.
    """
    c, f = w.shape[:1:-1] if turned else w.shape[2:]
    plan = _plan(x.shape, padding, len(w), c, f)
    epilogue = epilogue or Epilogue.of(f)
    weights = weights or prepare(w, b, turned)
    whole = not len(epilogue.z)  # y itself is wanted
    y = empty((len(x) if whole else 0, plan.oh, plan.ow, f))
    arguments = x, *weights, y, epilogue, plan.tiling, plan.steps_c, plan.steps_f
    memory = plan.scratch + (0 if whole else plan.tiling.group * plan.oh * plan.ow * f)
    parallel(_correlate_images, len(x), *arguments, scratch=memory)
    return y if whole else None


@kernel
def _transform_weights(w, turned, out, lo, hi):
    """Reads w (r, r, C, F), writes out (36, C, F) = G w G^T, with zeros to fill up vectors."""
    r = len(w)
    _, c_up, f_up = out.shape
    flat = out.reshape(-1)
    c, f = (w.shape[3], w.shape[2]) if turned else (w.shape[2], w.shape[3])
    most = max(1, RUN // f_up)  # channels at a time, as in _transform_sums
    half = np.empty(6 * r * most * f_up, np.float32)
    block = np.empty(r * r * most * f_up, np.float32)
    for first in range(lo, hi, most):
        channels = min(most, hi - first)
        run = channels * f_up
        for place in range(r * r):
            i, j = place // r, place % r
            for channel in range(first, first + channels):
                target = block[place * run + (channel - first) * f_up :]
                if channel >= c:
                    target[:f_up] = np.float32(0)
                elif turned:
                    source = w[r - 1 - i, r - 1 - j, :, channel]
                    for k in range(f):
                        target[k] = source[k]
                else:
                    target[:f] = w[i, j, channel]
                target[f:f_up] = np.float32(0)
        for column in range(r):
            weights(r, block, column * run, r * run, half, column * run, r * run, run)
        for row in range(6):
            to = (row * 6 * c_up + first) * f_up
            weights(r, half, row * r * run, run, flat, to, c_up * f_up, run)


@kernel
def _split(memory, tiling, c_up, f_up):
    """A thread's memory as padded images (zeros), inputs (36, tiles, C), outputs (36, tiles, F).

    Then room for a row of tiles halfway (6, width, C or F), and for its outputs (m, width, F).
    """
    padded = tiling.group * tiling.height * tiling.width * c_up
    tiles = 36 * tiling.group * tiling.rows * tiling.columns
    memory[:padded] = np.float32(0)
    v, rest = memory[padded : padded + tiles * c_up], memory[padded + tiles * c_up :]
    m, rest = rest[: tiles * f_up], rest[tiles * f_up :]
    half = 6 * tiling.width * max(c_up, f_up)
    return memory[:padded], v, m, rest[:half], rest[half:]


@kernel
def _fill(scratch, x, tiling, c_up):
    """x (images, H, W, C) into its padded place; borders and channels that fill up stay zero."""
    images, h, w, c = x.shape
    rows, columns = min(h, tiling.height - tiling.top), min(w, tiling.width - tiling.left)
    for n in range(images):
        for i in range(rows):
            row = (n * tiling.height + tiling.top + i) * tiling.width + tiling.left
            for j in range(columns):
                target, source = scratch[(row + j) * c_up :], x[n, i, j]
                for k in range(c):
                    target[k] = source[k]


@kernel
def _transform_inputs(scratch, v, half, tiling, images, tiles, c_up):
    """Reads the padded images, writes v (36, tiles, C) = B^T d B for every tile d.

    First down the columns of a row of tiles, as neighbours share them, then across each tile.
    """
    line = tiling.width * c_up
    for t in range(images * tiling.rows):  # a row of tiles
        n, i = t // tiling.rows, t % tiling.rows * tiling.m
        inputs(scratch, (n * tiling.height + i) * line, line, half, 0, line, line)
        for row in range(6):
            for j in range(tiling.columns):
                at = row * line + j * tiling.m * c_up
                to = (row * 6 * tiles + t * tiling.columns + j) * c_up
                inputs(half, at, c_up, v, to, tiles * c_up, c_up)


@kernel
def _correlate_images(x, weights, bias, y, epilogue, tiling, steps_c, steps_f, memory, lo, hi):
    """Reads x (N, H, W, C), weights (36, C, F), writes y (N, OH, OW, F), or epilogue.z instead."""
    group, (_, c_up, f_up) = tiling.group, weights.shape
    tiles = group * tiling.rows * tiling.columns
    c = x.shape[3]
    scratch, v, m, half, block = _split(memory, tiling, c_up, f_up)
    rows, panel = Rows(v, steps_c, 1, 0), Panel(weights.reshape(-1), f_up)
    zero, out = Start(np.zeros(WIDTH, np.float32), 0), Out(m, steps_f)
    _, oh, ow, f = y.shape
    maps = y.reshape(len(y), oh, ow * f)
    if len(epilogue.z):  # y is the memory of one group
        images_y = memory[len(memory) - group * oh * ow * f :]
        y, maps = images_y.reshape(group, oh, ow, f), images_y.reshape(group, oh, ow * f)
    for first in range(lo, hi, group):
        images, begin = min(group, hi - first), 0 if len(epilogue.z) else first
        _fill(scratch, x[first : first + images], tiling, c_up)
        _transform_inputs(scratch, v, half, tiling, images, tiles, c_up)
        count = images * tiling.rows * tiling.columns
        for k in range(36):
            for p in range(0, f_up, WIDTH):
                at = At(k * tiles * c_up, k * c_up * f_up + p, 0, k * tiles * f_up + p)
                if p + WIDTH <= f_up:
                    product(count, c, 1, rows, panel, zero, out, at)
                else:  # one vector is left over
                    narrow_product(count, c, 1, rows, panel, zero, out, at)
        _transform_outputs(m, bias, y[begin : begin + images], half, block, tiling, tiles, f_up)
        finish(epilogue, maps, begin, first, images)


@kernel
def _transform_outputs(m, bias, y, half, block, tiling, tiles, f_up):
    """Reads m (36, tiles, F), writes y (images, OH, OW, F) = A^T m A + bias."""
    side, run = tiling.m, tiling.columns * f_up
    for t in range(len(y) * tiling.rows):
        for column in range(6):
            at = (column * tiles + t * tiling.columns) * f_up
            outputs(side, m, at, 6 * tiles * f_up, half, column * run, 6 * run, run)
        for row in range(side):
            outputs(side, half, row * 6 * run, run, block, row * side * run, run, run)
        _write(block, bias, y[t // tiling.rows], t % tiling.rows * side, tiling, f_up)


@kernel
def _write(block, bias, y, i, tiling, f_up):
    """block (m, m, columns, F) + bias into y (OH, OW, F) from row i on, but for what is beyond."""
    side, (oh, ow, f) = tiling.m, y.shape
    for row in range(min(side, oh - i)):
        for j in range(ow):
            at = ((row * side + j % side) * tiling.columns + j // side) * f_up
            target, source = y[i + row, j], block[at:]
            for k in range(f):
                target[k] = source[k] + bias[k]


def weight_gradient(x, dy, shape, padding):
    """dw = sum over pixels of patch x dy

    x (N, H, W, C), dy (N, OH, OW, F) -> dw (r, r, C, F)
    """
    r, _, c, f = shape
    plan = _plan(x.shape, padding, r, c, f)
    edges = np.array(whole.edges(len(x)))
    parts = empty((len(edges) - 1, r * r, plan.c, plan.f))
    arguments = x, dy, edges, parts, plan.tiling, steps(plan.c, 1), steps(plan.c, plan.f)
    memory = plan.scratch + 36 * plan.c * plan.f
    parallel(_gradient_shards, len(parts), *arguments, scratch=memory)
    dw = empty(shape)
    parallel(_add_shards, c, parts, dw)
    return dw


@kernel
def _gradient_shards(x, dy, edges, parts, tiling, starts, places, memory, lo, hi):
    """Reads x (N, H, W, C), dy (N, OH, OW, F), writes parts (S, r * r, C, F), a dw of each shard.

    A shard's 36 sums over all tiles are transformed while they are in a near cache.
    """
    _, _, c_up, f_up = parts.shape
    group, r = tiling.group, 7 - tiling.m
    c, tiles, size = x.shape[3], group * tiling.rows * tiling.columns, c_up * f_up
    scratch, v, m, half, block = _split(memory, tiling, c_up, f_up)
    block[:] = np.float32(0)
    sums = memory[len(memory) - 36 * size :]  # (36, C, F)
    rows, panel, zeros = Rows(v, starts, c_up, 0), Panel(m, f_up), np.zeros(WIDTH, np.float32)
    out = Out(sums, places)
    for shard in range(lo, hi):
        part, last = parts[shard].reshape(-1), edges[shard + 1]
        if edges[shard] == last:  # of no images
            part[:] = np.float32(0)
            continue
        for first in range(edges[shard], last, group):
            more = first > edges[shard]
            start = Start(sums, 1) if more else Start(zeros, 0)
            images = min(group, last - first)
            _fill(scratch, x[first : first + images], tiling, c_up)
            _transform_inputs(scratch, v, half, tiling, images, tiles, c_up)
            _transform_gradients(dy[first : first + images], m, block, half, tiling, tiles, f_up)
            count = images * tiling.rows * tiling.columns
            for k in range(36):
                for p in range(0, f_up, WIDTH):
                    to = k * size + p
                    at = At(k * tiles * c_up, k * tiles * f_up + p, to if more else 0, to)
                    if p + WIDTH <= f_up:
                        product(c, count, 1, rows, panel, start, out, at)
                    else:
                        narrow_product(c, count, 1, rows, panel, start, out, at)
        _transform_sums(r, sums, part, c, f_up, size)


@kernel
def _transform_sums(r, sums, out, c, f_up, size):
    """Reads sums (36, C, F), writes out (r * r, C, F) = G^T sums G; `size` values are a C x F.

    Some channels at a time: memory is read in runs, which the processor foresees.
    """
    most = max(1, RUN // f_up)  # channels
    half = np.empty(6 * r * most * f_up, np.float32)
    for first in range(0, c, most):
        begin, run = first * f_up, min(most, c - first) * f_up
        for column in range(6):
            at, to = column * size + begin, column * run
            weight_gradients(r, sums, at, 6 * size, half, to, 6 * run, run)
        for row in range(r):
            to = row * r * size + begin
            weight_gradients(r, half, row * 6 * run, run, out, to, size, run)


@kernel
def _add_shards(parts, dw, lo, hi):
    """Reads parts (S, r * r, C, F), writes dw (r, r, C, F): their sum in whole.tree's order."""
    shards, squared, c_up, f_up = parts.shape
    flat, r, f = parts.reshape(-1), len(dw), dw.shape[3]
    for place in range(squared):
        at = (place * c_up + lo) * f_up
        add_up(flat[at:], shards, squared * c_up * f_up, (hi - lo) * f_up)
        for channel in range(lo, hi):
            target, source = dw[place // r, place % r, channel], parts[0, place, channel]
            for k in range(f):
                target[k] = source[k]


@kernel
def _transform_gradients(dy, m, block, half, tiling, tiles, f_up):
    """Reads dy (images, OH, OW, F), writes m (36, tiles, F) = A dy A^T for every tile of dy."""
    side, line = tiling.m, tiling.width * f_up
    for t in range(len(dy) * tiling.rows):  # a row of tiles
        _read(block, dy[t // tiling.rows], t % tiling.rows * side, tiling, f_up)
        gradients(side, block, 0, line, half, 0, line, tiling.columns * side * f_up)
        for row in range(6):
            for j in range(tiling.columns):
                at = row * line + j * side * f_up
                to = (row * 6 * tiles + t * tiling.columns + j) * f_up
                gradients(side, half, at, f_up, m, to, tiles * f_up, f_up)


@kernel
def _read(block, dy, i, tiling, f_up):
    """block (m, width, F) = dy (OH, OW, F) from row i on; zeros stay beyond its right border."""
    oh, ow, f = dy.shape
    for row in range(tiling.m):
        for j in range(ow):
            target = block[(row * tiling.width + j) * f_up :]
            if i + row < oh:
                source = dy[i + row, j]
                for k in range(f):
                    target[k] = source[k]
            else:
                target[:f] = np.float32(0)

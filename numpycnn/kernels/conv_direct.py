"""Direct convolution without im2col: tiles of pixels x filters in registers (simd.py), by image.

Each image (or group of small ones) is copied into a padded scratch that stays in the cache. There,
the patch of an output pixel is kh runs of kw * C neighbouring values.
"""

import functools
import typing

import numpy as np

from ..ops import whole
from .runtime.epilogue import Epilogue, finish
from .runtime.memory import empty
from .runtime.operands import At, Out, Panel, Rows, Start
from .runtime.simd import WIDTH, product, steps
from .runtime.threads import kernel, parallel


class Frame(typing.NamedTuple):
    """Where an image lies in its padded scratch."""

    sides: tuple  # height and width of the scratch
    top: int
    left: int
    dilation: tuple  # dilation - 1 zeros stand between neighbouring pixels


class Weights(typing.NamedTuple):
    panels: np.ndarray  # (P, kh*kw*C, WIDTH)
    bias: np.ndarray  # (P*WIDTH,)
    size: tuple  # kh, kw


class Tables(typing.NamedTuple):
    """Of a group of images: where each output pixel's patch starts, and where its result goes."""

    group: int  # images
    starts: np.ndarray  # in the scratch
    rows: np.ndarray  # in y (group, OH, OW, F)
    block: np.ndarray  # in a block (group*OH*OW, WIDTH)


def in_panels(w):
    """w (kh, kw, C, F) -> (P, kh*kw*C, WIDTH), P = F / WIDTH rounded up; zeros fill the last."""
    k, f = w.shape[0] * w.shape[1] * w.shape[2], w.shape[3]
    count = -(-f // WIDTH)
    padded = np.zeros((k, count * WIDTH), np.float32)
    padded[:, :f] = w.reshape(k, f)
    return np.ascontiguousarray(padded.reshape(k, count, WIDTH).swapaxes(0, 1))


@functools.lru_cache(256)
def _patches(images, oh, ow, stride, sides, c):
    """Where in the scratch each output pixel's patch begins -> (images*OH*OW,)"""
    n, i, j = np.ogrid[:images, :oh, :ow]
    starts = ((n * sides[0] + i * stride[0]) * sides[1] + j * stride[1]) * c
    return starts.ravel().astype(np.int64)


def prepare(w, b):
    """The Weights of correlate with the same arguments."""
    panels = in_panels(w)
    bias = np.zeros(len(panels) * WIDTH, np.float32)
    if b is not None:
        bias[: w.shape[3]] = b
    return Weights(panels, bias, w.shape[:2])


def correlate(x, w, b, stride, padding, dilation=(1, 1), epilogue=None, weights=None):
    """y = conv2d(x, w, b) by tiles; `dilation` - 1 zeros are put between the pixels of x.

    x (N, H, W, C), w (kh, kw, C, F) -> y (N, OH, OW, F), or None if the epilogue keeps only its z.
    `weights`: what prepare gave, if that was called before.
    """
    n, h, width, c = x.shape
    kh, kw, _, f = w.shape
    (top, bottom), (left, right) = padding
    height = (h - 1) * dilation[0] + 1 + top + bottom
    frame = Frame((height, (width - 1) * dilation[1] + 1 + left + right), top, left, dilation)
    oh, ow = ((s - k) // t + 1 for s, k, t in zip(frame.sides, (kh, kw), stride, strict=True))
    group = max(1, 196 // (oh * ow))  # small images share a scratch
    pixels = group * oh * ow
    starts = _patches(group, oh, ow, stride, frame.sides, c)
    tables = Tables(group, starts, steps(pixels, f), steps(pixels, WIDTH))
    epilogue = epilogue or Epilogue.of(f)
    whole = not len(epilogue.z)  # y itself is wanted
    y = empty((n if whole else 0, oh, ow, f))
    memory = group * frame.sides[0] * frame.sides[1] * c + pixels * (WIDTH + (0 if whole else f))
    arguments = x, weights or prepare(w, b), y, epilogue, frame, tables
    parallel(_correlate_images, n, *arguments, scratch=memory)
    return y if whole else None


@kernel
def _fill(scratch, x, frame):
    """x (images, H, W, C) into its place in scratch (images, *sides, C); the border stays zero."""
    images, h, w, c = x.shape
    height, width = frame.sides
    down, across = frame.dilation
    flat = x.reshape(-1)
    run = w * c if across == 1 else c  # neighbouring values that stay neighbours
    for n in range(images):
        for i in range(h):
            row = ((n * height + frame.top + i * down) * width + frame.left) * c
            for j in range(w * c // run):
                target = scratch[row + j * across * c :]
                source = flat[((n * h + i) * w) * c + j * run :]
                for k in range(run):
                    target[k] = source[k]


@kernel
def _correlate_images(x, weights, y, epilogue, frame, tables, memory, lo, hi):
    """Reads x (N, H, W, C), writes y (N, OH, OW, F), or epilogue.z if that is wanted instead."""
    _, oh, ow, f = y.shape
    c, group = x.shape[3], tables.group
    kh, kw = weights.size
    panels, out = weights.panels.reshape(-1), y.reshape(-1)
    maps = y.reshape(len(y), oh, ow * f)
    if len(epilogue.z):  # y is the memory of one group
        out = memory[len(memory) - group * oh * ow * f :]
        maps = out.reshape(group, oh, ow * f)
    size = weights.panels.shape[1] * WIDTH
    skip, room = frame.sides[1] * c, group * frame.sides[0] * frame.sides[1] * c
    scratch, block = memory[:room], memory[room : room + group * oh * ow * WIDTH]
    scratch[:] = np.float32(0)
    patches, panel = Rows(scratch, tables.starts, 1, skip), Panel(panels, WIDTH)
    bias = Start(weights.bias, 0)
    whole, part = Out(out, tables.rows), Out(block, tables.block)
    for first in range(lo, hi, group):
        images, begin = min(group, hi - first), 0 if len(epilogue.z) else first
        _fill(scratch, x[first : first + images], frame)
        base, pixels = begin * oh * ow * f, images * oh * ow
        for p in range(len(weights.panels)):
            k = p * WIDTH  # the panel's first filter
            if k + WIDTH <= f:
                at = At(0, p * size, k, base + k)
                product(pixels, kw * c, kh, patches, panel, bias, whole, at)
            else:  # the last panel reaches beyond the last filter
                product(pixels, kw * c, kh, patches, panel, bias, part, At(0, p * size, k, 0))
                _first_columns(block, pixels, f - k, out[base + k :], f)
        finish(epilogue, maps, begin, first, images)


@kernel
def _first_columns(block, pixels, count, out, step):
    """out[t * step + k] = block[t, k] for the first `count` filters of block (pixels, WIDTH)."""
    for t in range(pixels):
        source, target = block[t * WIDTH :], out[t * step :]
        for k in range(count):
            target[k] = source[k]


def weight_gradient(x, dy, shape, stride, padding):
    """dw = sum over pixels of patch x dy.

    x (N, H, W, C), dy (N, OH, OW, F) -> dw of the convolution's `shape` (kh, kw, C, F).
    """
    _, oh, ow, f = dy.shape
    kh, kw, c, _ = shape
    (top, bottom), (left, right) = padding
    sides = x.shape[1] + top + bottom, x.shape[2] + left + right
    panels, k = -(-f // WIDTH), kh * kw * c
    edges = np.array(whole.edges(len(x)))
    sums = np.zeros((len(edges) - 1, panels, k, WIDTH), np.float32)
    tables = _patch(kh, kw, sides[1], c), steps(k, WIDTH)
    memory = sides[0] * sides[1] * c + (panels * oh * ow * WIDTH if f % WIDTH else 0)
    arguments = x, dy, edges, sums, Frame(sides, top, left, (1, 1)), stride, *tables
    parallel(_gradient_shards, len(sums), *arguments, scratch=memory)
    total = whole.tree(sums)  # (P, kh*kw*C, WIDTH)
    dw = total.swapaxes(0, 1).reshape(k, panels * WIDTH)[:, :f]
    return np.ascontiguousarray(dw).reshape(shape)


@functools.lru_cache(256)
def _patch(kh, kw, width, c):
    """Where the values of one patch lie, from its first one on, in a scratch of that width."""
    di, dj, k = np.ogrid[:kh, :kw, :c]
    return ((di * width + dj) * c + k).ravel().astype(np.int64)


@kernel
def _gradient_shards(x, dy, edges, sums, frame, stride, starts, places, memory, lo, hi):
    """Reads x (N, H, W, C) and dy (N, OH, OW, F), adds to sums (S, P, kh*kw*C, WIDTH).

    Here the rows of the product are the values of a patch, and it sums over pixels. Where filters
    fill whole panels, these are dy itself.
    """
    _, oh, ow, f = dy.shape
    copied = f % WIDTH > 0
    c = x.shape[3]
    panels, k = sums.shape[1:3]
    room = frame.sides[0] * frame.sides[1] * c
    memory[:] = np.float32(0)
    scratch, flat = memory[:room], memory[room:]
    skip, step = stride[0] * frame.sides[1] * c, stride[1] * c  # to the next row and pixel
    values = Rows(scratch, starts, step, skip)
    panel, pixels = Panel(flat, WIDTH), Panel(dy.reshape(-1), f)
    block = max(1, 4096 // (ow * max(c, WIDTH)))  # image rows that stay in the first-level cache
    for shard in range(lo, hi):
        total = sums[shard].reshape(-1)
        start, out = Start(total, 1), Out(total, places)
        for image in range(edges[shard], edges[shard + 1]):
            _fill(scratch, x[image : image + 1], frame)
            if copied:
                _into_panels(dy[image].reshape(-1, f), flat.reshape(panels, oh * ow, WIDTH))
            for i in range(0, oh, block):
                for p in range(panels):
                    to, rows = p * k * WIDTH, min(block, oh - i)
                    if copied:
                        at = At(i * skip, (p * oh * ow + i * ow) * WIDTH, to, to)
                        product(k, ow, rows, values, panel, start, out, at)
                    else:
                        at = At(i * skip, (image * oh + i) * ow * f + p * WIDTH, to, to)
                        product(k, ow, rows, values, pixels, start, out, at)


@kernel
def _into_panels(pixels, panels):
    """pixels (M, F) into panels (P, M, WIDTH); beyond the last filter the zeros stay."""
    count, f = pixels.shape
    for p in range(panels.shape[0]):
        first = p * WIDTH
        for t in range(count):
            source, target = pixels[t, first:], panels[p, t]
            for k in range(min(WIDTH, f - first)):
                target[k] = source[k]

"""Direct convolution without im2col: tiles of pixels x filters in registers (simd.py), image by image.

Each image (or group of small ones) is copied into a padded scratch that stays in the cache. There, the patch
of an output pixel is kh runs of kw * C neighbouring values.
"""

import functools

import numpy as np

from .runtime.epilogue import epilogue, finish
from .runtime.memory import empty
from .runtime.simd import WIDTH, product, steps
from .runtime.threads import kernel, parallel

CHUNKS = 8  # partial sums of the weight gradient: a fixed number, so that the bits do not depend on the threads


def in_panels(w):
    """w (kh, kw, C, F) cut into panels of WIDTH filters (panels, kh*kw*C, WIDTH), zeros after the last filter."""
    k, f = w.shape[0] * w.shape[1] * w.shape[2], w.shape[3]
    count = -(-f // WIDTH)
    padded = np.zeros((k, count * WIDTH), np.float32)
    padded[:, :f] = w.reshape(k, f)
    return np.ascontiguousarray(padded.reshape(k, count, WIDTH).swapaxes(0, 1))


@functools.lru_cache(256)
def _tables(images, oh, ow, stride, padded, c):
    """Where in the scratch each output pixel's patch begins, for a group of images."""
    n, i, j = np.ogrid[:images, :oh, :ow]
    return (
        (((n * padded[0] + i * stride[0]) * padded[1] + j * stride[1]) * c).ravel().astype(np.int64)
    )


def correlate(x, w, b, stride, padding, dilation=(1, 1), then=None):
    """y = conv2d(x, w, b) by tiles; `dilation` - 1 zeros are put between the pixels of x; `then` as in winograd.py."""
    n, h, width, c = x.shape
    kh, kw, _, f = w.shape
    (top, bottom), (left, right) = padding
    padded = (h - 1) * dilation[0] + 1 + top + bottom, (width - 1) * dilation[1] + 1 + left + right
    oh, ow = (padded[0] - kh) // stride[0] + 1, (padded[1] - kw) // stride[1] + 1
    group = max(1, 196 // (oh * ow))  # small images share a scratch
    panels = in_panels(w)
    bias = np.zeros(len(panels) * WIDTH, np.float32)
    if b is not None:
        bias[:f] = b
    then = then or epilogue(f)
    y = empty((0 if len(then.z) else n, oh, ow, f))
    starts = _tables(group, oh, ow, stride, padded, c)
    out = y, y.reshape(len(y), oh, ow * f), then
    sizes = padded, top, left, dilation, kh, kw
    rows = steps(group * oh * ow, f), steps(group * oh * ow, WIDTH)
    memory = group * (padded[0] * padded[1] * c + oh * ow * (WIDTH + (f if len(then.z) else 0)))
    parallel(
        _correlate_images, n, x, panels, bias, *out, *sizes, starts, *rows, group, scratch=memory
    )
    return None if len(then.z) else y


@kernel
def _fill(scratch, x, padded, top, left, dilation):
    """x (images, H, W, C) into its place in the padded scratch; the border stays zero."""
    images, h, w, c = x.shape
    flat = x.reshape(-1)
    run = w * c if dilation[1] == 1 else c  # neighbouring values that stay neighbours
    for n in range(images):
        for i in range(h):
            row = ((n * padded[0] + top + i * dilation[0]) * padded[1] + left) * c
            for j in range(w * c // run):
                target = scratch[row + j * dilation[1] * c :]
                source = flat[((n * h + i) * w) * c + j * run :]
                for k in range(run):
                    target[k] = source[k]


@kernel
def _correlate_images(
    x,
    panels,
    bias,
    y,
    flat_y,
    then,
    padded,
    top,
    left,
    dilation,
    kh,
    kw,
    starts,
    rows,
    places,
    group,
    memory,
    lo,
    hi,
):
    _, oh, ow, f = y.shape
    c = x.shape[3]
    flat, out = panels.reshape(-1), y.reshape(-1)
    if len(then.z):  # y is the memory of one group
        out = memory[len(memory) - group * oh * ow * f :]
        flat_y = out.reshape(group, oh, ow * f)
    size = panels.shape[1] * WIDTH
    skip, room = padded[1] * c, group * padded[0] * padded[1] * c
    scratch, block = memory[:room], memory[room : room + group * oh * ow * WIDTH]
    scratch[:] = np.float32(0)
    for first in range(lo, hi, group):
        images, begin = min(group, hi - first), 0 if len(then.z) else first
        _fill(scratch, x[first : first + images], padded, top, left, dilation)
        base, pixels = begin * oh * ow * f, images * oh * ow
        for p in range(f // WIDTH):
            at, to = p * WIDTH, base + p * WIDTH
            _panel(
                scratch, starts, rows, pixels, kw * c, kh, skip, flat, p * size, bias, at, out, to
            )
        if f % WIDTH:
            at = f // WIDTH * WIDTH
            _panel(
                scratch,
                starts,
                places,
                pixels,
                kw * c,
                kh,
                skip,
                flat,
                at // WIDTH * size,
                bias,
                at,
                block,
                0,
            )
            _copy(block, pixels, f - at, out[base + at :], f)
        finish(then, flat_y, begin, first, images)


@kernel
def _panel(
    scratch, starts, rows, pixels, inner, outer, skip, panel, at, bias, bias_at, out, out_at
):
    """out[rows[t] + out_at : ... + WIDTH] for every pixel t, by one panel of filters."""
    product(
        pixels,
        scratch,
        starts,
        rows,
        inner,
        1,
        outer,
        skip,
        panel,
        at,
        WIDTH,
        0,
        bias,
        bias_at,
        0,
        out,
        out_at,
    )


@kernel
def _copy(block, pixels, count, out, step):
    """The first `count` filters of a panel to where they belong: the last panel reaches beyond the last filter."""
    for t in range(pixels):
        source, target = block[t * WIDTH :], out[t * step :]
        for k in range(count):
            target[k] = source[k]


def weight_gradient(x, dy, shape, stride, padding):
    """dw = the sum over pixels of patch x dy, of the convolution's `shape` (kh, kw, C, F)."""
    _, oh, ow, f = dy.shape
    kh, kw, c, _ = shape
    (top, bottom), (left, right) = padding
    padded = x.shape[1] + top + bottom, x.shape[2] + left + right
    panels, k = -(-f // WIDTH), kh * kw * c
    sums = np.zeros((CHUNKS, panels, k, WIDTH), np.float32)
    starts = _patch(kh, kw, padded[1], c)
    sizes = padded, top, left, stride
    memory = padded[0] * padded[1] * c + panels * oh * ow * WIDTH
    parallel(
        _weight_gradient_chunks,
        CHUNKS,
        x,
        dy,
        sums,
        *sizes,
        starts,
        steps(k, WIDTH),
        scratch=memory,
    )
    total = sums[0]
    for chunk in sums[1:]:
        total += chunk
    return np.ascontiguousarray(total.swapaxes(0, 1).reshape(k, panels * WIDTH)[:, :f]).reshape(
        shape
    )


@functools.lru_cache(256)
def _patch(kh, kw, width, c):
    """Where the values of one patch lie, from its first one on, in a padded image of that width."""
    di, dj, k = np.ogrid[:kh, :kw, :c]
    return ((di * width + dj) * c + k).ravel().astype(np.int64)


@kernel
def _weight_gradient_chunks(x, dy, sums, padded, top, left, stride, starts, rows, memory, lo, hi):
    n, oh, ow, f = dy.shape
    c = x.shape[3]
    panels, k = sums.shape[1:3]
    room = padded[0] * padded[1] * c
    memory[:] = np.float32(0)
    scratch, flat = memory[:room], memory[room:]
    right = flat.reshape(panels, oh * ow, WIDTH)
    block = max(
        1, 4096 // (ow * max(c, WIDTH))
    )  # image rows whose values stay in the first-level cache
    for chunk in range(lo, hi):
        out = sums[chunk].reshape(-1)
        for image in range(n * chunk // CHUNKS, n * (chunk + 1) // CHUNKS):
            _fill(scratch, x[image : image + 1], padded, top, left, (1, 1))
            _cut(dy[image].reshape(-1, f), right)
            for i in range(0, oh, block):
                high = min(block, oh - i)
                part, skip = scratch[i * stride[0] * padded[1] * c :], stride[0] * padded[1] * c
                for p in range(panels):
                    at, to = (p * oh * ow + i * ow) * WIDTH, p * k * WIDTH
                    _products(
                        part, starts, rows, k, ow, stride[1] * c, high, skip, flat, at, out, to
                    )


@kernel
def _cut(pixels, panels):
    """Pixels x filters, cut into panels of WIDTH filters; what lies beyond the last filter stays zero."""
    count, f = pixels.shape
    for p in range(panels.shape[0]):
        first = p * WIDTH
        for t in range(count):
            source, target = pixels[t, first:], panels[p, t]
            for k in range(min(WIDTH, f - first)):
                target[k] = source[k]


@kernel
def _products(left, starts, rows, k, inner, step, outer, skip, right, at, out, out_at):
    """out[k, :] += sum over pixels of left[starts[k] + pixel] * right[pixel, :]"""
    product(
        k,
        left,
        starts,
        rows,
        inner,
        step,
        outer,
        skip,
        right,
        at,
        WIDTH,
        0,
        out,
        out_at,
        1,
        out,
        out_at,
    )

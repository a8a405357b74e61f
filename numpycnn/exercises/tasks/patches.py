"""im2col and col2im."""

import itertools

import numpy as np

from ... import ops
from ...ops.conv import conv_padding, conv_size
from ..exercise import Exercise, Probe
from .common import IMAGE, noise
from .convolution import sizes_of


def cases(rng):
    """Kernel, stride and padding crossed; the rest drawn."""
    kernels = ((2, 2), (3, 3), (3, 2))
    strides = ((1, 1), (2, 2), (3, 3), (1, 2))
    pads = (((0, 0), (0, 0)), ((1, 1), (1, 1)), ((0, 1), (2, 1)))
    for (kh, kw), (sh, sw), pad in itertools.product(kernels, strides, pads):
        n, c, f = (int(rng.choice(v)) for v in ((1, 3), (1, 2), (1, 3)))
        axes = zip((kh, kw), (sh, sw), pad, strict=True)
        h, w = (
            max(3, k + s * int(rng.integers(1, 3)) - sum(p)) + int(rng.integers(2))
            for k, s, p in axes
        )
        overlap = sh < kh or sw < kw
        about = {
            "stride": str(sh) if sh == sw else f"{sh} x {sw}",
            "padding": str(pad[0][0]) if len(set(sum(pad, ()))) == 1 else "uneven",
            "batch": n,
            "channels": c,
            "filters": f,
            "kernel": "square" if kh == kw else "not square",
            "windows": "overlapping" if overlap else "side by side",
        }
        oh, ow = conv_size((h, w), (kh, kw), (sh, sw), pad)
        yield (
            noise(rng, n, h, w, c),
            (kh, kw),
            (sh, sw),
            pad,
            f,
            about,
            sizes_of(n, oh, ow, kh, kw, c, f),
        )


def _im2col_probes(rng):
    for x, kernel, stride, pad, _, about, sizes in cases(rng):
        about = {k: v for k, v in about.items() if k != "filters"}
        args = {"x": x, "kernel_size": kernel, "stride": stride, "padding": pad}
        yield Probe(args, about, sizes)


def _patches(a):
    """The patches as (N, OH, OW, kh, kw, C)."""
    cols = ops.im2col(a["x"], a["kernel_size"], a["stride"], a["padding"])
    return cols.reshape(*cols.shape[:3], *a["kernel_size"], a["x"].shape[3])


def _ordered(*order):
    return lambda a: (p := _patches(a)).transpose(0, 1, 2, *order).reshape(*p.shape[:3], -1)


IM2COL = Exercise(
    "im2col",
    "im2col: the patches of an image as rows",
    2,
    ("ops/conv.py", "im2col", "xpad ="),
    ("cols",),
    _im2col_probes,
    ops.im2col,
    "Each row is one patch, in memory order: its rows, in these its columns, in these its "
    "channels.\n"
    "A convolution is then one matrix product.",
    ">>> im2col(np.arange(4.0).reshape(1, 2, 2, 1), (1, 2), 1, 0)\n"
    "array([[[[0., 1.]],\n<BLANKLINE>\n        [[2., 3.]]]])",
    axes={"cols": ("image", "row", "column", "place")},
    twins={
        "cols": [
            ("the channels come first in a row, before its pixels", _ordered(5, 3, 4)),
            ("a patch is read column by column", _ordered(4, 3, 5)),
            ("a row is in the order channel, column, row", _ordered(5, 4, 3)),
            (
                "the patches are turned by 180 degrees",
                lambda a: (p := _patches(a))[..., ::-1, ::-1, :].reshape(*p.shape[:3], -1),
            ),
        ]
    },
    step=("pretrained:paper", "Conv2D", "forward"),
)


def _col2im_probes(rng):
    for x, kernel, stride, pad, _, about, sizes in cases(rng):
        about = {k: v for k, v in about.items() if k != "filters"}
        cols = noise(rng, *ops.im2col(x, kernel, stride, pad).shape)
        args = {
            "cols": cols,
            "shape": list(x.shape),
            "kernel_size": kernel,
            "stride": stride,
            "padding": pad,
        }
        yield Probe(args, about, sizes)


def scatter(
    patches, shape, stride, pad, collect=True, step=None, crop=True, count=False, first=False
):
    """A twin of col2im: patches (N, OH, OW, kh, kw, C) put back, one after the other."""
    n, h, w, c = shape
    (top, bottom), (left, right) = pad
    kh, kw = patches.shape[3:5]
    out = np.zeros((n, h + top + bottom + 99, w + left + right + 99, c))
    hits = np.zeros_like(out)
    places = list(np.ndindex(patches.shape[1:3]))
    for i, j in reversed(places) if first else places:
        a, b = (i * stride[0], j * stride[1]) if step is None else (i * step, j * step)
        place = np.s_[:, a : a + kh, b : b + kw]
        out[place] = patches[:, i, j] + (out[place] if collect else 0)
        hits[place] += 1
    out = out / np.maximum(hits, 1) if count else out
    return out[:, top : top + h, left : left + w] if crop else out[:, :h, :w]


def _scattered(order=None, **how):
    def twin(a):
        cols, shape = a["cols"], a["shape"]
        kh, kw = a["kernel_size"]
        patches = cols.reshape(*cols.shape[:3], kh, kw, shape[3])
        if order == "channels":
            patches = np.moveaxis(cols.reshape(*cols.shape[:3], shape[3], kh, kw), 3, 5)
        if order == "columns":
            patches = np.swapaxes(cols.reshape(*cols.shape[:3], kw, kh, shape[3]), 3, 4)
        pads = conv_padding(shape[1:3], (kh, kw), a["stride"], a["padding"])
        return scatter(patches, shape, a["stride"], pads, **how)

    return twin


def _whole(a):
    n, h, w, c = a["shape"]
    pads = conv_padding((h, w), a["kernel_size"], a["stride"], a["padding"])
    shape = n, h + sum(pads[0]), w + sum(pads[1]), c
    return ops.col2im(a["cols"], shape, a["kernel_size"], a["stride"], 0)


ASSIGNED = "where patches overlap the last one counts: = stands in the place of +="
COL2IM = Exercise(
    "col2im",
    "col2im: the patches back into an image",
    2,
    ("ops/conv.py", "col2im", "patches ="),
    ("x",),
    _col2im_probes,
    ops.col2im,
    "The transpose of im2col: each value goes back to where it came from, and copies of one pixel\n"
    "are added. What falls on the padding is dropped.",
    ">>> col2im(np.ones((1, 1, 2, 2)), (1, 1, 3, 1), (1, 2), 1, 0).ravel()\narray([1., 2., 1.])",
    axes={"x": IMAGE},
    twins={
        "x": [
            (ASSIGNED, _scattered(collect=False)),
            (ASSIGNED.replace("last", "first"), _scattered(collect=False, first=True)),
            ("copies of a pixel are averaged, not added", _scattered(count=True)),
            ("the stride is taken as 1", _scattered(step=1)),
            ("the padding is not cut off before the image", _scattered(crop=False)),
            ("the padding is not cut off: it is given back too", _whole),
            ("a row of cols is read with the channels first", _scattered("channels")),
            ("a row of cols is read column by column", _scattered("columns")),
        ]
    },
    step=("pretrained:paper", "Conv2D", "backward"),
)

EXERCISES = (
    IM2COL,
    COL2IM,
)

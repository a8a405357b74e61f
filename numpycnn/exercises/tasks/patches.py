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
    strides = ((1, 1), (2, 2), (3, 3), (1, 2), (2, 1))
    pads = (((0, 0), (0, 0)), ((1, 1), (1, 1)), ((0, 1), (2, 1)))
    for (kh, kw), (sh, sw), pad in itertools.product(kernels, strides, pads):
        n, c, f = (int(rng.choice(v)) for v in ((1, 3), (1, 2), (1, 2, 3)))
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
            sizes_of(n, oh, ow, kh, kw, c, f) | {"sh*sw": sh * sw},
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


STEPS = [
    ("the stride is taken as 1", lambda sh, sw: (1, 1)),
    ("the stride of the rows is used for the columns too", lambda sh, sw: (sh, sh)),
    ("the stride of the columns is used for the rows too", lambda sh, sw: (sw, sw)),
    ("the stride of the columns is taken as 1", lambda sh, sw: (sh, 1)),
    ("the stride of the rows is taken as 1", lambda sh, sw: (1, sw)),
    ("the strides of rows and columns are exchanged", lambda sh, sw: (sw, sh)),
]
FLIPS = [
    ("the columns of each patch are in reverse order", np.s_[..., ::-1, :]),
    ("the rows of each patch are in reverse order", np.s_[..., ::-1, :, :]),
    ("the channels of each patch are in reverse order", np.s_[..., ::-1]),
]


def _turned(flip):
    return lambda a: (p := _patches(a))[flip].reshape(*p.shape[:3], -1)


BORDERS = [
    ("the image's border is repeated, where zeros are wanted", {"mode": "edge"}),
    ("the image is mirrored at its border, where zeros are wanted", {"mode": "reflect"}),
    ("the image goes on at the other side, where zeros are wanted", {"mode": "wrap"}),
    ("the padding is made of ones, not of zeros", {"constant_values": 1}),
    ("the padding is made of -1, not of zeros", {"constant_values": -1}),
]


def _bordered(how):
    """A twin: the image padded in another way."""

    def twin(a):
        x = np.pad(a["x"], ((0, 0), *a["padding"], (0, 0)), **how)
        return ops.im2col(x, a["kernel_size"], a["stride"], 0)

    return twin


def _begun(step):
    """A twin: the patches begin at other places; zeros lie beyond the image."""

    def twin(a):
        _, oh, ow, _ = ops.im2col(a["x"], a["kernel_size"], a["stride"], a["padding"]).shape
        (top, _), (left, _) = a["padding"]
        x = np.pad(a["x"], ((0, 0), (top, 99), (left, 99), (0, 0)))
        return ops.im2col(x, a["kernel_size"], step(*a["stride"]), 0)[:, :oh, :ow]

    return twin


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
    "A convolution is then one matrix product. The dilation is 1 here.",
    ">>> im2col(np.arange(4.0).reshape(1, 2, 2, 1), (1, 2), 1, 0)\n"
    "array([[[[0., 1.]],\n<BLANKLINE>\n        [[2., 3.]]]])",
    axes={"cols": ("image", "row", "column", "place")},
    twins={
        "cols": [
            *((words, _bordered(mode)) for words, mode in BORDERS),
            *((f"{words}, where a patch begins", _begun(step)) for words, step in STEPS),
            ("the channels come first in a row, before its pixels", _ordered(5, 3, 4)),
            ("a patch is read column by column", _ordered(4, 3, 5)),
            ("a row is in the order channel, column, row", _ordered(5, 4, 3)),
            ("a row is in the order row, channel, column", _ordered(3, 5, 4)),
            ("a row is in the order column, channel, row", _ordered(4, 5, 3)),
            *((words, _turned(flip)) for words, flip in FLIPS),
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
    patches, shape, stride, pad, collect=True, step=None, crop=True, count=False, first=False,
    down=0, across=0,
):  # fmt: skip
    """A twin of col2im: patches (N, OH, OW, kh, kw, C) put back, one after the other."""
    n, h, w, c = shape
    (top, bottom), (left, right) = pad
    kh, kw = patches.shape[3:5]
    out = np.zeros((n, h + top + bottom + 99, w + left + right + 99, c))
    hits = np.zeros_like(out)
    places = list(np.ndindex(patches.shape[1:3]))
    for i, j in reversed(places) if first else places:
        sh, sw = stride if step is None else step(*stride)
        a, b = i * sh + down, j * sw + across
        place = np.s_[:, a : a + kh, b : b + kw]
        out[place] = patches[:, i, j] + (out[place] if collect else 0)
        hits[place] += 1
    out = out / np.maximum(hits, 1) if count else out
    return out[:, top : top + h, left : left + w] if crop else out[:, :h, :w]


def _scattered(order=None, flip=None, **how):
    def twin(a):
        cols, shape = a["cols"], a["shape"]
        kh, kw = a["kernel_size"]
        patches = cols.reshape(*cols.shape[:3], kh, kw, shape[3])
        if order == "channels":
            patches = np.moveaxis(cols.reshape(*cols.shape[:3], shape[3], kh, kw), 3, 5)
        if order == "columns":
            patches = np.swapaxes(cols.reshape(*cols.shape[:3], kw, kh, shape[3]), 3, 4)
        patches = patches if flip is None else patches[flip]
        pads = conv_padding(shape[1:3], (kh, kw), a["stride"], a["padding"])
        return scatter(patches, shape, a["stride"], pads, **how)

    return twin


def _whole(a):
    n, h, w, c = a["shape"]
    pads = conv_padding((h, w), a["kernel_size"], a["stride"], a["padding"])
    shape = n, h + sum(pads[0]), w + sum(pads[1]), c
    return ops.col2im(a["cols"], shape, a["kernel_size"], a["stride"], 0)


MOVED = [
    ("the patches go back one row too low", {"down": 1}),
    ("the patches go back one column too far right", {"across": 1}),
    ("the patches go back one row and column too far", {"down": 1, "across": 1}),
]
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
    "are added. What falls on the padding is dropped. The dilation is 1 here.",
    ">>> col2im(np.ones((1, 1, 2, 2)), (1, 1, 3, 1), (1, 2), 1, 0).ravel()\narray([1., 2., 1.])",
    axes={"x": IMAGE},
    twins={
        "x": [
            (ASSIGNED, _scattered(collect=False)),
            (ASSIGNED.replace("last", "first"), _scattered(collect=False, first=True)),
            ("copies of a pixel are averaged, not added", _scattered(count=True)),
            *((words, _scattered(**how)) for words, how in MOVED),
            *((words, _scattered(step=step)) for words, step in STEPS),
            ("the padding is not cut off before the image", _scattered(crop=False)),
            ("the padding is not cut off: it is given back too", _whole),
            ("a row of cols is read with the channels first", _scattered("channels")),
            ("a row of cols is read column by column", _scattered("columns")),
            *((words, _scattered(flip=flip)) for words, flip in FLIPS),
            ("each patch is turned by 180 degrees", _scattered(flip=np.s_[..., ::-1, ::-1, :])),
        ]
    },
    step=("pretrained:paper", "Conv2D", "backward"),
)

EXERCISES = (
    IM2COL,
    COL2IM,
)

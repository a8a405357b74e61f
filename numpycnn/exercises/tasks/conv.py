"""Convolution by loops, im2col, col2im, and the backward pass."""

import itertools

import numpy as np

from ... import ops
from ...ops.conv import conv_padding, conv_size
from .. import reference
from ..exercise import Exercise, Probe
from .common import judge, noise
from .pool import IMAGE

FILTER = ("filter row", "filter column", "channel", "filter")


def _sizes(n, oh, ow, kh, kw, c, f=1):
    return {"N": n, "OH*OW": oh * ow, "N*OH*OW": n * oh * ow, "kh*kw": kh * kw, "C": c, "F": f}


# ---- forward, by loops ------------------------------------------------------------------------


def _loop_probes(rng):
    for k, stride, pad, n, c in itertools.product((2, 3), (1, 2, 3), (0, 1), (1, 2), (1, 2)):
        h, w, f = (*rng.integers(5, 8, 2), int(rng.integers(1, 4)))
        kw = int(rng.integers(1, 4))
        args = {
            "x": noise(rng, n, h, w, c),
            "w": noise(rng, k, kw, c, f),
            "b": noise(rng, f),
            "stride": stride,
            "pad": pad,
        }
        about = {
            "stride": stride,
            "padding": pad,
            "batch": n,
            "channels": c,
            "filters": f,
            "kernel": "square" if k == kw else "not square",
        }
        oh, ow = (h + 2 * pad - k) // stride + 1, (w + 2 * pad - kw) // stride + 1
        yield Probe(args, about, _sizes(n, int(oh), int(ow), k, kw, c, f))


def _conv(a, w=None, x=None):
    """The right convolution of other weights or images."""
    return ops.conv2d(
        a["x"] if x is None else x, a["w"] if w is None else w, a["b"], a["stride"], a["pad"]
    )[0]


def _edge(a):
    p = ((0, 0), (a["pad"],) * 2, (a["pad"],) * 2, (0, 0))
    return ops.conv2d(np.pad(a["x"], p, "edge"), a["w"], a["b"], a["stride"], 0)[0]


CONV_LOOPS = Exercise(
    "conv2d_loops",
    "convolution by loops",
    2,
    ("exercises/reference.py", "conv2d_loops"),
    ("y",),
    _loop_probes,
    reference.conv2d_loops,
    "Each output pixel is the sum of a patch of the padded image times a filter. Loops are "
    "welcome.\n"
    "Filters are not turned: what networks call a convolution is a correlation.",
    ">>> x, w = np.arange(4.0).reshape(1, 2, 2, 1), np.ones((2, 2, 1, 1))\n"
    ">>> conv2d_loops(x, w, np.array([10.0]), 1, 0).ravel()  # 0 + 1 + 2 + 3 + 10\narray([16.])",
    axes={"y": IMAGE},
    terms={
        "y": [
            ("the sum over the patch", lambda a: _conv(a) - a["b"]),
            ("the bias b", lambda a: a["b"]),
        ]
    },
    twins={
        "y": [
            ("the filters are turned by 180 degrees", lambda a: _conv(a, a["w"][::-1, ::-1])),
            (
                "rows and columns of the filters are exchanged",
                lambda a: _conv(a, a["w"].transpose(1, 0, 2, 3)),
            ),
            (
                "the first channel alone is summed",
                lambda a: _conv(a, a["w"] * (np.arange(a["w"].shape[2]) == 0)[:, None]),
            ),
            (
                "the last channel alone is summed",
                lambda a: _conv(a, a["w"] * (np.arange(a["w"].shape[2])[::-1] == 0)[:, None]),
            ),
            (
                "the first filter stands for all",
                lambda a: _conv(a, np.repeat(a["w"][..., :1], a["w"].shape[3], 3)),
            ),
            ("the image's border is repeated, where zeros are wanted", _edge),
            (
                "the bias is added once for each channel",
                lambda a: _conv(a) + (a["x"].shape[3] - 1) * a["b"],
            ),
            (
                "the bias is added once for each cell of the patch",
                lambda a: _conv(a) + (np.prod(a["w"].shape[:2]) - 1) * a["b"],
            ),
            (
                "the bias is added once for each term of the sum",
                lambda a: _conv(a) + (np.prod(a["w"].shape[:3]) - 1) * a["b"],
            ),
            (
                "the mean of the patch is taken, not the sum",
                lambda a: (_conv(a) - a["b"]) / np.prod(a["w"].shape[:3]) + a["b"],
            ),
        ]
    },
    solution="numpycnn/ops/conv.py, conv2d, for the same as one product",
    step="convolution, forward",
)

# ---- patches ----------------------------------------------------------------------------------


def _cases(rng):
    """Kernel, stride and padding crossed; the rest drawn."""
    kernels = ((2, 2), (3, 3), (3, 2))
    strides = ((1, 1), (2, 2), (3, 3), (1, 2))
    pads = (((0, 0), (0, 0)), ((1, 1), (1, 1)), ((0, 1), (1, 0)))
    for (kh, kw), (sh, sw), pad in itertools.product(kernels, strides, pads):
        n, c, f = (int(rng.choice(v)) for v in ((1, 3), (1, 2), (1, 3)))
        h, w = (int(v) for v in rng.integers(5, 8, 2))
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
            _sizes(n, oh, ow, kh, kw, c, f),
        )


def _im2col_probes(rng):
    for x, kernel, stride, pad, _, about, sizes in _cases(rng):
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
    step="convolution, im2col",
)


def _col2im_probes(rng):
    for x, kernel, stride, pad, _, about, sizes in _cases(rng):
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


def scatter(patches, shape, stride, pad, collect=True, step=None, crop=True, count=False):
    """A twin of col2im: patches (N, OH, OW, kh, kw, C) put back, one after the other."""
    n, h, w, c = shape
    (top, bottom), (left, right) = pad
    kh, kw = patches.shape[3:5]
    out = np.zeros((n, h + top + bottom + 99, w + left + right + 99, c))
    hits = np.zeros_like(out)
    for i, j in np.ndindex(patches.shape[1:3]):
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
            ("copies of a pixel are averaged, not added", _scattered(count=True)),
            ("the stride is taken as 1", _scattered(step=1)),
            ("the padding is not cut off before the image", _scattered(crop=False)),
            ("a row of cols is read with the channels first", _scattered("channels")),
            ("a row of cols is read column by column", _scattered("columns")),
        ]
    },
    step="convolution, col2im",
)

# ---- backward ---------------------------------------------------------------------------------


def _backward_probes(rng):
    for i, (x, (kh, kw), stride, pad, f, about, sizes) in enumerate(_cases(rng)):
        b = noise(rng, f) if rng.integers(3) or i == 0 else None
        y, cache = ops.conv2d(x, noise(rng, kh, kw, x.shape[3], f), b, stride, pad)
        args = {"dy": noise(rng, *y.shape), "cache": cache}
        yield Probe(args, about | {"b": "None" if b is None else "given"}, sizes)


def _dcols(a, w):
    """dy @ w.T as patches (N, OH, OW, kh, kw, C)."""
    return np.einsum("nijf,abcf->nijabc", a["dy"], w)


def _dx(turn=False, **how):
    def twin(a):
        c = a["cache"]
        w = c.w[::-1, ::-1] if turn else c.w
        return scatter(_dcols(a, w), c.x.shape, c.stride, c.padding, **how)

    return twin


def _dw(f):
    """A twin of dw: from cols (N, OH, OW, kh, kw, C), dy, and the cache."""

    def twin(a):
        c = a["cache"]
        cols = ops.im2col(c.x, c.w.shape[:2], c.stride, c.padding)
        cols = cols.reshape(*cols.shape[:3], *c.w.shape[:3])
        return f(cols, a["dy"], c)

    return twin


def _sum(cols, dy):
    return np.einsum("nijabc,nijf->abcf", cols, dy)


def _unpadded(a):
    """dw from patches of x without its padding: cols are 0 where they would leave x."""
    c = a["cache"]
    x = np.pad(c.x, ((0, 0), (0, sum(c.padding[0])), (0, sum(c.padding[1])), (0, 0)))
    cols = ops.im2col(x, c.w.shape[:2], c.stride, 0)
    return _sum(cols.reshape(*cols.shape[:3], *c.w.shape[:3]), a["dy"])


def _unstrided(a):
    """dw from patches that begin at i, j, not at i*s, j*s."""
    c, dy = a["cache"], a["dy"]
    cols = ops.im2col(c.x, c.w.shape[:2], 1, c.padding)[:, : dy.shape[1], : dy.shape[2]]
    return _sum(cols.reshape(*cols.shape[:3], *c.w.shape[:3]), dy)


CONV_BACKWARD = Exercise(
    "conv2d_backward",
    "convolution, backward",
    2,
    ("ops/conv.py", "conv2d_backward", "dx = None"),
    ("dx", "dw", "db"),
    _backward_probes,
    ops.conv2d_backward,
    "Every output pixel hands its dy to the pixels of its patch, times the weight that each "
    "had, and\n"
    "to every weight, times the pixel. stride is (sh, sw), padding ((top, bottom), (left, "
    "right)).\n"
    "ops.im2col and ops.col2im are there; loops do as well. db is None where there is no bias.",
    ">>> x = np.array([1.0, 2.0, 3.0]).reshape(1, 1, 3, 1)\n"
    ">>> w = np.array([10.0, 1.0]).reshape(1, 2, 1, 1)\n"
    ">>> y, cache = ops.conv2d(x, w, np.zeros(1), 1, 0)\n"
    ">>> dx, dw, db = conv2d_backward(np.ones((1, 1, 2, 1)), cache)\n"
    ">>> dx.ravel(), dw.ravel(), db  # the pixel in the middle stood in both patches\n"
    "(array([10., 11.,  1.]), array([3., 5.]), array([2.]))",
    given=("im2col", "col2im", "conv2d"),
    axes={"dx": IMAGE, "dw": FILTER, "db": ("filter",)},
    twins={
        "dx": [
            ("the filters are turned by 180 degrees, which they must not be here", _dx(True)),
            (ASSIGNED, _dx(collect=False)),
            ("the stride is taken as 1", _dx(step=1)),
            ("the padding is not cut off before the image", _dx(crop=False)),
            ("copies of a pixel are averaged, not added", _dx(count=True)),
        ],
        "dw": [
            (
                "only the first image of the batch is counted",
                _dw(lambda p, dy, c: _sum(p[:1], dy[:1])),
            ),
            (
                "only the last image of the batch is counted",
                _dw(lambda p, dy, c: _sum(p[-1:], dy[-1:])),
            ),
            ("it is turned by 180 degrees", _dw(lambda p, dy, c: _sum(p, dy)[::-1, ::-1])),
            ("the patches are those of x without its padding", _unpadded),
            ("the patches begin at i, j, not at i*s, j*s: the stride is taken as 1", _unstrided),
            (
                "only the first output pixel is counted",
                _dw(lambda p, dy, c: _sum(p[:, :1, :1], dy[:, :1, :1])),
            ),
            (
                "only the last output pixel is counted",
                _dw(lambda p, dy, c: _sum(p[:, -1:, -1:], dy[:, -1:, -1:])),
            ),
            (
                "the channels of a patch are averaged",
                _dw(lambda p, dy, c: _sum(p.mean(-1, keepdims=True) + 0 * p, dy)),
            ),
        ],
        "db": [
            ("only the first image of the batch is counted", lambda a: a["dy"][0].sum((0, 1))),
            ("only the first output pixel is counted", lambda a: a["dy"][:, 0, 0].sum(0)),
        ],
    },
    judge=judge(
        lambda x, w, b: ops.conv2d(x, w, b, 2, 1),
        lambda: [
            np.random.default_rng(1).standard_normal(s) for s in ((2, 5, 4, 2), (3, 3, 2, 3), (3,))
        ],
        "x",
        "w",
        "b",
    ),
    step="convolution, backward",
)

EXERCISES = (CONV_LOOPS, IM2COL, COL2IM, CONV_BACKWARD)

"""Convolution by loops."""

import itertools

import numpy as np

from ... import ops
from .. import reference
from ..exercise import Exercise, Probe
from . import computations
from .common import IMAGE, noise


def sizes_of(n, oh, ow, kh, kw, c, f=1):
    return {"N": n, "OH*OW": oh * ow, "N*OH*OW": n * oh * ow, "kh*kw": kh * kw, "C": c, "F": f}


def _loop_probes(rng):
    for k, stride, pad, n, c in itertools.product((2, 3), (1, 2, 3), (0, 1), (1, 2), (1, 2)):
        h, w = (int(v) + stride for v in rng.integers(4, 6, 2))  # at least two windows
        f = int(rng.integers(1, 4))
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
        yield Probe(args, about, sizes_of(n, int(oh), int(ow), k, kw, c, f))


def _conv(a, w=None, x=None):
    """The right convolution of other weights or images."""
    return ops.conv2d(
        a["x"] if x is None else x, a["w"] if w is None else w, a["b"], a["stride"], a["pad"]
    )[0]


def _uneven(a, stride):
    return ops.conv2d(a["x"], a["w"], a["b"], stride, a["pad"])[0]


def _from_ij(a):
    right = _conv(a)
    return _uneven(a, 1)[:, : right.shape[1], : right.shape[2]]


def _padded(before, after, value=0):
    """A twin: `before` and `after` times pad cells of `value` on each side."""

    def twin(a):
        p = (before * a["pad"], after * a["pad"])
        x = np.pad(a["x"], ((0, 0), p, p, (0, 0)), constant_values=value)
        return ops.conv2d(x, a["w"], a["b"], a["stride"], 0)[0]

    return twin


def _bordered(mode):
    """A twin: the image padded in another way."""

    def twin(a):
        p = ((0, 0), (a["pad"],) * 2, (a["pad"],) * 2, (0, 0))
        return ops.conv2d(np.pad(a["x"], p, mode), a["w"], a["b"], a["stride"], 0)[0]

    return twin


def _uneven_paddings():
    """Twins: on each axis 0, 1 or 2 times pad before, and what is left of two times pad after."""
    sides = {0: "none before and all after", 1: "as wanted", 2: "all before and none after"}
    for rows, columns in ((0, 1), (1, 0), (2, 1), (1, 2), (0, 2), (2, 0)):
        words = f"padding of the rows {sides[rows]}, of the columns {sides[columns]}"
        yield words, _on_sides((rows, 2 - rows), (columns, 2 - columns))
    yield "only the rows are padded", _on_sides((1, 1), (0, 0))
    yield "only the columns are padded", _on_sides((0, 0), (1, 1))


def _moved_patches():
    """Twins: patches that begin elsewhere."""
    yield "the patches begin one row too low", _begins(lambda i, j, s: (i * s + 1, j * s))
    yield "the patches begin one column too far right", _begins(lambda i, j, s: (i * s, j * s + 1))
    yield (
        "the patches begin one row and column too far",
        _begins(lambda i, j, s: (i * s + 1, j * s + 1)),
    )
    yield (
        "the patches begin at i*s, j: the columns have no stride",
        _begins(lambda i, j, s: (i * s, j)),
    )
    yield (
        "the patches begin at i, j*s: the rows have no stride",
        _begins(lambda i, j, s: (i, j * s)),
    )
    yield (
        "the patches begin at i*(s+1), j*(s+1)",
        _begins(lambda i, j, s: (i * (s + 1), j * (s + 1))),
    )
    yield "i and j are exchanged where the patch is cut", _begins(lambda i, j, s: (j * s, i * s))


def _begins(place):
    """A twin: the patch of output pixel i, j begins at place(i, j, stride); zeros lie beyond."""

    def twin(a):
        kh, kw, p = *a["w"].shape[:2], a["pad"]
        y = _conv(a)
        far = max(y.shape[1:3]) * (a["stride"] + 1) + max(kh, kw)
        x = np.pad(a["x"], ((0, 0), (p, far), (p, far), (0, 0)))
        for i, j in np.ndindex(y.shape[1:3]):
            r, c = place(i, j, a["stride"])
            y[:, i, j] = np.tensordot(x[:, r : r + kh, c : c + kw], a["w"], 3) + a["b"]
        return y

    return twin


def _on_sides(rows, columns):
    """A twin: so many times pad zeros before and after the rows and the columns."""

    def twin(a):
        pads = tuple((p * a["pad"], q * a["pad"]) for p, q in (rows, columns))
        return ops.conv2d(a["x"], a["w"], a["b"], a["stride"], pads)[0]

    return twin


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
            ("the stride of the columns is taken as 1", lambda a: _uneven(a, (a["stride"], 1))),
            ("the stride of the rows is taken as 1", lambda a: _uneven(a, (1, a["stride"]))),
            ("the patches begin at i, j, not at i*s, j*s", _from_ij),
            ("all zeros of the padding stand at the end", _padded(0, 2)),
            ("all zeros of the padding stand at the beginning", _padded(2, 0)),
            ("the padding stands on one side only", _padded(1, 0)),
            ("the padding stands at the end only", _padded(0, 1)),
            ("the padding is twice as wide", _padded(2, 2)),
            ("the padding is made of ones, not of zeros", _padded(1, 1, 1)),
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
            ("the image's border is repeated, where zeros are wanted", _bordered("edge")),
            ("the image is mirrored at its border, where zeros are wanted", _bordered("reflect")),
            ("the image goes on at the other side, where zeros are wanted", _bordered("wrap")),
            *_uneven_paddings(),
            *_moved_patches(),
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
    steps=computations.conv2d_loops,
    step=("pretrained:paper", "Conv2D", "forward"),
)

EXERCISES = (CONV_LOOPS,)

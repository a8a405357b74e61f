"""Convolution by loops."""

import itertools

import numpy as np

from ... import ops
from .. import reference
from ..exercise import Exercise, Probe
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
    step=("pretrained:paper", "Conv2D", "forward"),
)

EXERCISES = (CONV_LOOPS,)

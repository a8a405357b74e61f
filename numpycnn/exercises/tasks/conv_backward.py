"""The backward pass of the convolution."""

import numpy as np

from ... import ops
from ..exercise import Exercise, Probe
from . import computations
from .common import FILTER, IMAGE, judge, noise
from .patches import ASSIGNED, MOVED, STEPS, cases, scatter

ONLY_LAST = "= stands in the place of +=: only the last output pixel"


def _backward_probes(rng):
    for i, (x, (kh, kw), stride, pad, f, about, sizes) in enumerate(cases(rng)):
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


def _last(of, inside):
    """dw from the last output pixel: of the images `of`, and `inside` x alone if loops skip what is
    outside.
    """

    def twin(a):
        c, dy = a["cache"], a["dy"]
        cols = ops.im2col(c.x, c.w.shape[:2], c.stride, c.padding)
        cols = cols.reshape(*cols.shape[:3], *c.w.shape[:3])
        meets = ops.im2col(np.ones_like(c.x), c.w.shape[:2], c.stride, c.padding) > 0
        meets = meets.reshape(cols.shape)[0, ..., 0] | (not inside)  # (OH, OW, kh, kw)
        dw = np.zeros_like(c.w)
        for i, j, p, q in np.argwhere(meets):  # in the order of the loops
            dw[p, q] = cols[of, i, j, p, q].T @ dy[of, i, j]
        return dw

    return twin


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
    "right));\n"
    "dilation and groups are 1 here.\n"
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
            (ASSIGNED.replace("last", "first"), _dx(collect=False, first=True)),
            *((words, _dx(step=step)) for words, step in STEPS),
            ("the padding is not cut off before the image", _dx(crop=False)),
            ("copies of a pixel are averaged, not added", _dx(count=True)),
            *((words, _dx(**how)) for words, how in MOVED),
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
                f"{ONLY_LAST} that meets x at a weight is counted",
                _last(slice(None), inside=True),
            ),
            (
                f"{ONLY_LAST} of the last image that meets x at a weight is counted",
                _last(slice(-1, None), inside=True),
            ),
            (
                f"{ONLY_LAST} of the last image is counted",
                _last(slice(-1, None), inside=False),
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
    steps=computations.conv2d_backward,
    step=("pretrained:paper", "Conv2D", "backward"),
)

EXERCISES = (CONV_BACKWARD,)

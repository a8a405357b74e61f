"""Max and average pooling."""

import itertools

import numpy as np

from ... import ops
from ..exercise import Exercise, Probe
from .common import IMAGE, judge, noise


def cases(rng):
    grid = itertools.product((2, 3), (1, 2, 3), (False, True), ("mixed", "all negative"), (1, 3))
    for size, stride, ties, sign, n in grid:
        left = int(rng.integers(2)) if stride > 1 else 0
        h = size + stride * int(rng.integers(1, 3)) + left
        w = size + stride * int(rng.integers(1, 3)) + left
        c = int(rng.integers(1, 4))
        x = noise(rng, n, h, w, c)
        x = np.round(x) if ties else x
        x = -np.abs(x) - 1 if sign == "all negative" else x
        touch = "overlapping" if stride < size else "side by side" if stride == size else "apart"
        about = {
            "windows": touch,
            "x": "with equal values" if ties else "all different",
            "values": sign,
            "batch": n,
            "size": size,
            "stride": stride,
            "channels": c,
            "border": "left over" if left else "filled",
        }
        cells = ((h - size) // stride + 1) * ((w - size) // stride + 1)
        yield x, size, stride, about, {"N": n, "size^2": size * size, "size": size, "OH*OW": cells}


def _forward(rng):
    for x, size, stride, about, sizes in cases(rng):
        yield Probe({"x": x, "size": (size, size), "stride": (stride, stride)}, about, sizes)


def _backward(op):
    def probes(rng):
        for x, size, stride, about, sizes in cases(rng):
            y, cache = op(x, size, stride)
            yield Probe({"dy": noise(rng, *y.shape), "cache": cache}, about, sizes)

    return probes


def _pooled(f):
    """A twin: f(window) -> a number, by loops."""

    def twin(a):
        (size, _), (s, _), x = a["size"], a["stride"], a["x"]
        oh, ow = (x.shape[1] - size) // s + 1, (x.shape[2] - size) // s + 1
        y = np.zeros((len(x), oh, ow, x.shape[3]))
        for n, i, j, c in np.ndindex(y.shape):
            y[n, i, j, c] = f(x[n, i * s : i * s + size, j * s : j * s + size, c])
        return y

    return twin


def _spread(f, collect=True, step=None):
    """A twin of a backward pass: dx[window] += f(dy, its cell's number or None, size)."""

    def twin(a):
        c = a["cache"]
        (size, _), (s, _), dy = c.size, c.stride, a["dy"]
        dx = np.zeros(c.x_shape)
        winner = getattr(c, "winner", None) if "winner" in c.fields else None
        for n, i, j, k in np.ndindex(dy.shape):
            q = step(size, s) if step else s
            place = np.s_[n, i * q : i * q + size, j * q : j * q + size, k]
            share = f(dy[n, i, j, k], None if winner is None else int(winner[n, i, j, k]), size)
            h, w = dx[place].shape  # another stride may lead out of the image
            share = share[:h, :w]
            dx[place] = dx[place] + share if collect else np.where(share != 0, share, dx[place])
        return dx

    return twin


def _at(dy, winner, size):
    share = np.zeros((size, size))
    share.flat[winner] = dy
    return share


def _turned(dy, winner, size):
    return _at(dy, winner, size).T


def _all(dy, winner, size):
    return np.full((size, size), dy)


def _mean(dy, winner, size):
    return np.full((size, size), dy / size**2)


MAX_POOL = Exercise(
    "max_pool2d",
    "max pooling, forward",
    2,
    ("ops/pool.py", "max_pool2d"),
    ("y",),
    _forward,
    ops.max_pool2d,
    "The largest value of each window. size and stride are pairs, for rows and columns; windows\n"
    "overlap where the stride is smaller. Pixels at the border that fill no window are left out.",
    ">>> max_pool2d(np.arange(16.0).reshape(1, 4, 4, 1), (2, 2), (2, 2))[0].ravel()\n"
    "array([ 5.,  7., 13., 15.])",
    axes={"y": IMAGE},
    twins={
        "y": [
            (
                "0 takes part in the maximum: start from minus infinity",
                _pooled(lambda v: max(v.max(), 0)),
            ),
            ("it is the mean, not the maximum", _pooled(np.mean)),
            ("it is the sum, not the maximum", _pooled(np.sum)),
            ("it is the smallest value", _pooled(np.min)),
            (
                "it is the value with the largest magnitude",
                _pooled(lambda v: v.flat[np.abs(v).argmax()]),
            ),
            ("it is the largest magnitude", _pooled(lambda v: np.abs(v).max())),
            ("it is the first value of each window", _pooled(lambda v: v.flat[0])),
        ]
    },
    step=("pretrained:paper", "MaxPool2D", "forward"),
)

MAX_POOL_BACKWARD = Exercise(
    "max_pool2d_backward",
    "max pooling, backward",
    2,
    ("ops/pool.py", "max_pool2d_backward"),
    ("dx",),
    _backward(ops.max_pool2d),
    ops.max_pool2d_backward,
    "Only the largest value of a window had an effect: it gets all of dy. `winner` (N, OH, "
    "OW, C) is\n"
    "its number in the window, di * size_w + dj. A pixel that won in several windows gets a sum.",
    ">>> x = np.array([1.0, 4.0, 3.0, 2.0]).reshape(1, 2, 2, 1)\n"
    ">>> y, cache = ops.max_pool2d(x, 2)\n"
    ">>> max_pool2d_backward(np.full((1, 1, 1, 1), 7.0), cache).ravel()\n"
    "array([0., 7., 0., 0.])",
    given=("_windows", "max_pool2d"),
    axes={"dx": IMAGE},
    twins={
        "dx": [
            (
                "where windows overlap the last one counts: = stands in the place of +=",
                _spread(_at, False),
            ),
            ("every value of a window gets dy, not only the largest", _spread(_all)),
            ("every value gets an equal share: that is average pooling", _spread(_mean)),
            ("row and column of the winner are exchanged", _spread(_turned)),
            (
                "the windows stand side by side: the size is used as stride",
                _spread(_at, True, lambda size, s: size),
            ),
            ("the stride is taken as 1", _spread(_at, True, lambda size, s: 1)),
            (
                "the last value of each window gets dy",
                _spread(lambda dy, w, size: _at(dy, size * size - 1, size)),
            ),
            ("it is 1 at the winner: dy is not used", _spread(lambda dy, w, size: _at(1, w, size))),
            (
                "the first value of each window gets dy",
                _spread(lambda dy, w, size: _at(dy, 0, size)),
            ),
        ]
    },
    judge=judge(
        lambda x: ops.max_pool2d(x, 3, 2),
        lambda: [np.random.default_rng(0).standard_normal((2, 5, 5, 2))],
        "x",
    ),
    step=("pretrained:paper", "MaxPool2D", "backward"),
)

AVG_POOL = Exercise(
    "avg_pool2d",
    "average pooling, forward",
    2,
    ("ops/pool.py", "avg_pool2d"),
    ("y",),
    _forward,
    ops.avg_pool2d,
    "The mean of each window. size and stride are pairs. Pixels at the border that fill no window\n"
    "are left out.",
    ">>> avg_pool2d(np.arange(16.0).reshape(1, 4, 4, 1), (2, 2), (2, 2))[0].ravel()\n"
    "array([ 2.5,  4.5, 10.5, 12.5])",
    axes={"y": IMAGE},
    twins={
        "y": [
            ("it is the maximum, not the mean", _pooled(np.max)),
            (
                "only values that are not 0 are counted",
                _pooled(lambda v: v.sum() / max((v != 0).sum(), 1)),
            ),
            ("it is the median, not the mean", _pooled(np.median)),
        ]
    },
    step=("a checkpoint of lenet5", "AvgPool2D", "forward"),
)

AVG_POOL_BACKWARD = Exercise(
    "avg_pool2d_backward",
    "average pooling, backward",
    2,
    ("ops/pool.py", "avg_pool2d_backward"),
    ("dx",),
    _backward(ops.avg_pool2d),
    ops.avg_pool2d_backward,
    "Every value of a window had the same share in its mean. A pixel in several windows "
    "gets a sum.",
    ">>> y, cache = ops.avg_pool2d(np.ones((1, 2, 2, 1)), 2)\n"
    ">>> avg_pool2d_backward(np.full((1, 1, 1, 1), 8.0), cache).ravel()\n"
    "array([2., 2., 2., 2.])",
    given=("avg_pool2d",),
    axes={"dx": IMAGE},
    twins={
        "dx": [
            (
                "where windows overlap the last one counts: = stands in the place of +=",
                _spread(_mean, False),
            ),
            (
                "the windows stand side by side: the size is used as stride",
                _spread(_mean, True, lambda size, s: size),
            ),
            ("the stride is taken as 1", _spread(_mean, True, lambda size, s: 1)),
            (
                "only the first value of each window gets something",
                _spread(lambda dy, w, size: _at(dy / size**2, 0, size)),
            ),
            (
                "the first value of each window gets all of dy",
                _spread(lambda dy, w, size: _at(dy, 0, size)),
            ),
        ]
    },
    judge=judge(
        lambda x: ops.avg_pool2d(x, 3, 2),
        lambda: [np.random.default_rng(0).standard_normal((2, 5, 5, 2))],
        "x",
    ),
    step=("a checkpoint of lenet5", "AvgPool2D", "backward"),
)

EXERCISES = (
    MAX_POOL,
    MAX_POOL_BACKWARD,
    AVG_POOL,
    AVG_POOL_BACKWARD,
)

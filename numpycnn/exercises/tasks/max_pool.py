"""Max pooling."""

import numpy as np

from ... import ops
from ..exercise import Exercise
from . import computations
from .common import IMAGE, judge
from .windows import (
    all_alike,
    all_others,
    at_cell,
    averaged,
    backward_probes,
    forward_probes,
    from_the_end,
    mean_share,
    next_cell,
    pooled,
    spread,
    turned,
)


def _two_largest(window):
    return np.sort(window, axis=None)[-2:].mean()


def _cut(window):
    return window[:-1, :-1].max()


MAX_POOL = Exercise(
    "max_pool2d",
    "max pooling, forward",
    2,
    ("ops/pool.py", "max_pool2d"),
    ("y",),
    forward_probes,
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
                pooled(lambda v: max(v.max(), 0)),
            ),
            ("it is the mean, not the maximum", pooled(np.mean)),
            ("it is the sum, not the maximum", pooled(np.sum)),
            ("it is the smallest value", pooled(np.min)),
            (
                "it is the value with the largest magnitude",
                pooled(lambda v: v.flat[np.abs(v).argmax()]),
            ),
            ("it is the largest magnitude", pooled(lambda v: np.abs(v).max())),
            ("it is the first value of each window", pooled(lambda v: v.flat[0])),
            ("it is the last value of each window", pooled(lambda v: v.flat[-1])),
            ("only the first column of each window takes part", pooled(lambda v: v[:, 0].max())),
            ("only the first row of each window takes part", pooled(lambda v: v[0].max())),
            ("the last column of each window is left out", pooled(lambda v: v[:, :-1].max())),
            ("the last row of each window is left out", pooled(lambda v: v[:-1].max())),
            (
                "last row and column of each window are left out",
                pooled(lambda v: v[:-1, :-1].max()),
            ),
            ("it is the second largest value", pooled(lambda v: np.sort(v, axis=None)[-2])),
            ("it is the mean of the two largest values", pooled(_two_largest)),
            ("it is the median, not the maximum", pooled(np.median)),
            ("it is the number of the largest value's place", pooled(np.argmax)),
            ("windows begin at i, j, not at i*s, j*s", pooled(np.max, lambda size, s: 1)),
            ("windows begin one row too low", pooled(np.max, down=1)),
            ("windows begin one column too far right", pooled(np.max, right=1)),
        ]
    },
    steps=computations.max_pool,
    step=("pretrained:paper", "MaxPool2D", "forward"),
)

MAX_POOL_BACKWARD = Exercise(
    "max_pool2d_backward",
    "max pooling, backward",
    2,
    ("ops/pool.py", "max_pool2d_backward"),
    ("dx",),
    backward_probes(ops.max_pool2d),
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
                spread(at_cell, False),
            ),
            (
                "where windows overlap the first one counts: = stands in the place of +=",
                spread(at_cell, False, first=True),
            ),
            ("every value of a window gets dy, not only the largest", spread(all_alike)),
            ("every value gets an equal share: that is average pooling", spread(mean_share)),
            ("row and column of the winner are exchanged", spread(turned)),
            (
                "the windows stand side by side: the size is used as stride",
                spread(at_cell, True, lambda size, s: size),
            ),
            ("the stride is taken as 1", spread(at_cell, True, lambda size, s: 1)),
            (
                "the last value of each window gets dy",
                spread(lambda dy, w, size: at_cell(dy, size * size - 1, size)),
            ),
            ("a pixel that won several windows gets their mean, not their sum", averaged(at_cell)),
            ("all values of a window but the largest get dy", spread(all_others)),
            ("the winner's number is taken one too high", spread(next_cell(1))),
            ("the winner's place is counted from the window's end", spread(from_the_end)),
            ("the winner's number is taken one too low", spread(next_cell(-1))),
            (
                "it is 1 at the winner: dy is not used",
                spread(lambda dy, w, size: at_cell(1, w, size)),
            ),
            (
                "the first value of each window gets dy",
                spread(lambda dy, w, size: at_cell(dy, 0, size)),
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

EXERCISES = (MAX_POOL, MAX_POOL_BACKWARD)

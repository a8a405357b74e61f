"""Average pooling."""

import numpy as np

from ... import ops
from ..exercise import Exercise
from . import computations
from .common import IMAGE, judge
from .windows import at_cell, averaged, backward_probes, forward_probes, mean_share, pooled, spread


def _middle(window):
    return (window.min() + window.max()) / 2


def _without_last(window):
    return window[:-1, :-1].mean()


AVG_POOL = Exercise(
    "avg_pool2d",
    "average pooling, forward",
    2,
    ("ops/pool.py", "avg_pool2d"),
    ("y",),
    forward_probes,
    ops.avg_pool2d,
    "The mean of each window. size and stride are pairs. Pixels at the border that fill no window\n"
    "are left out.",
    ">>> avg_pool2d(np.arange(16.0).reshape(1, 4, 4, 1), (2, 2), (2, 2))[0].ravel()\n"
    "array([ 2.5,  4.5, 10.5, 12.5])",
    axes={"y": IMAGE},
    twins={
        "y": [
            ("it is the maximum, not the mean", pooled(np.max)),
            (
                "only values that are not 0 are counted",
                pooled(lambda v: v.sum() / max((v != 0).sum(), 1)),
            ),
            ("it is the median, not the mean", pooled(np.median)),
            ("it is the smallest value, not the mean", pooled(np.min)),
            ("it is the first value of each window", pooled(lambda v: v.flat[0])),
            ("it is half way from the smallest to the largest value", pooled(_middle)),
            ("windows begin at i, j, not at i*s, j*s", pooled(np.mean, lambda size, s: 1)),
            ("windows begin one row too low", pooled(np.mean, down=1)),
            ("windows begin one column too far right", pooled(np.mean, right=1)),
            ("the last row and column of each window are left out", pooled(_without_last)),
        ]
    },
    steps=computations.avg_pool,
    step=("a checkpoint of lenet5", "AvgPool2D", "forward"),
)

AVG_POOL_BACKWARD = Exercise(
    "avg_pool2d_backward",
    "average pooling, backward",
    2,
    ("ops/pool.py", "avg_pool2d_backward"),
    ("dx",),
    backward_probes(ops.avg_pool2d),
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
                spread(mean_share, False),
            ),
            (
                "where windows overlap the first one counts: = stands in the place of +=",
                spread(mean_share, False, first=True),
            ),
            (
                "the windows stand side by side: the size is used as stride",
                spread(mean_share, True, lambda size, s: size),
            ),
            ("the stride is taken as 1", spread(mean_share, True, lambda size, s: 1)),
            (
                "a pixel in several windows gets the mean of their shares, not the sum",
                averaged(mean_share),
            ),
            (
                "only the last value of each window gets something",
                spread(lambda dy, w, size: at_cell(dy / size**2, size**2 - 1, size)),
            ),
            (
                "the last value of each window gets all of dy",
                spread(lambda dy, w, size: at_cell(dy, size**2 - 1, size)),
            ),
            (
                "only the first value of each window gets something",
                spread(lambda dy, w, size: at_cell(dy / size**2, 0, size)),
            ),
            (
                "the first value of each window gets all of dy",
                spread(lambda dy, w, size: at_cell(dy, 0, size)),
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

EXERCISES = (AVG_POOL, AVG_POOL_BACKWARD)

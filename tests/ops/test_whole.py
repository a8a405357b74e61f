"""The order in which sums over a batch are added up, which decides on their bits."""

import numpy as np
import pytest

from numpycnn import ops
from numpycnn.ops import whole

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("conv2d", {}),
        ("conv2d", {"padding": 4}),  # wider than the kernel, which no compiled form takes
        ("conv2d", {"dilation": 2, "stride": 2}),
        ("conv_transpose2d", {"stride": 2}),
    ],
)
def test_a_weight_gradient_is_the_tree_of_the_shards_own(name, settings, each_backend):
    """Of eight images each is a shard: whoever computes one of them gets its bits."""
    x, w = (RNG.standard_normal(shape).astype(np.float32) for shape in ((8, 7, 7, 8), (3, 3, 8, 8)))
    y, cache = getattr(ops, name)(x, w, **settings)
    dy = RNG.standard_normal(y.shape).astype(np.float32)

    def dw(dy, cache):
        return getattr(ops, f"{name}_backward")(dy, cache)[1]

    each = [getattr(ops, name)(x[i : i + 1], w, **settings)[1] for i in range(8)]
    shards = [dw(dy[i : i + 1], one) for i, one in enumerate(each)]
    np.testing.assert_array_equal(dw(dy, cache), whole.tree(shards))

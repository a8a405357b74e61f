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
        ("conv2d", {"dilation": 2}),  # of each image the kernel makes four
        ("conv_transpose2d", {"stride": 2}),
    ],
)
def test_a_weight_gradient_is_the_tree_of_the_shards_own(name, settings, each_backend):
    """Of eight images each is a shard: whoever computes one of them gets its bits."""
    x, w = (RNG.standard_normal(shape).astype(np.float32) for shape in ((8, 7, 7, 8), (3, 3, 8, 8)))
    y, cache = getattr(ops, name)(x, w, **settings)
    dy = RNG.standard_normal(y.shape).astype(np.float32)

    def dw(dy, cache):
        with whole.alone(len(dy)):
            return getattr(ops, f"{name}_backward")(dy, cache)[1]

    each = [getattr(ops, name)(x[i : i + 1], w, **settings)[1] for i in range(8)]
    shards = [dw(dy[i : i + 1], one) for i, one in enumerate(each)]
    np.testing.assert_array_equal(dw(dy, cache), whole.tree(shards))


def test_the_shards_of_rows_are_those_of_their_images():
    """Four rows of each of 11 images; 20 are no multiple, and cut as they are."""
    by_rows = [0, 5, 11, 16, 22, 27, 33, 38, 44]
    assert whole.edges(44) == by_rows
    with whole.alone(11):
        assert whole.edges(44) == [0, 4, 8, 16, 20, 24, 32, 36, 44]
        assert whole.edges(20) == [0, 2, 5, 7, 10, 12, 15, 17, 20]
        assert whole.edges(0) == [0] * 9
    assert whole.edges(44) == by_rows

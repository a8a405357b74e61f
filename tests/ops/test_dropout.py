"""Dropout: shares, scale, seeds, and that use changes nothing."""

import numpy as np
import pytest

from numpycnn import ops
from tests import naive


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.7])
def test_the_share_dropped_and_the_scale(each_backend, rate, dtype):
    x = np.random.default_rng(11).uniform(1, 2, (40, 50, 20)).astype(dtype)
    y, cache = ops.dropout(x, rate, np.random.default_rng(12))
    dropped = (y == 0).mean()
    assert abs(dropped - rate) < 5 * np.sqrt(
        rate * (1 - rate) / x.size
    )  # five deviations of the binomial
    naive.agree(y, np.where(y == 0, 0, x / (1 - rate)))
    dy = np.random.default_rng(13).standard_normal(x.shape).astype(dtype)
    naive.agree(ops.dropout_backward(dy, cache), np.where(y == 0, 0, dy / (1 - rate)))


def test_the_smallest_rate_drops_one_in_65536():
    y, _ = ops.dropout(np.ones(4_000_000, np.float32), 2.0**-16, np.random.default_rng(3))
    assert (y == 0).sum() == pytest.approx(61, abs=25)  # three deviations


def test_every_element_is_drawn_for_itself(each_backend):
    keep = ops.dropout(np.ones((400, 30), np.float32), 0.5, np.random.default_rng(14))[0] != 0
    correlations = np.corrcoef(keep.T)[np.triu_indices(30, 1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(400)


@pytest.mark.parametrize(
    "arguments", [{"rate": 0.5, "train": False}, {"rate": 0.0, "rng": np.random.default_rng(1)}]
)
def test_in_use_and_at_rate_0_it_is_the_identity(each_backend, arguments):
    x = np.random.default_rng(15).standard_normal((3, 4)).astype(np.float32)
    y, cache = ops.dropout(x, **arguments)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(ops.dropout_backward(x, cache), x)


def test_a_rate_of_0_draws_nothing(each_backend):
    rng = np.random.default_rng(2)
    ops.dropout(np.ones(5, np.float32), 0.0, rng)
    ops.dropout(np.ones(5, np.float32), 0.0)  # nor does it need a generator
    assert rng.integers(1 << 30) == np.random.default_rng(2).integers(1 << 30)


def test_use_draws_nothing(each_backend):
    rng = np.random.default_rng(16)
    before = rng.bit_generator.state
    ops.dropout(np.ones((3, 4), np.float32), 0.5, rng, train=False)
    assert rng.bit_generator.state == before


def test_one_seed_gives_one_mask_on_both_backends_and_layouts(each_backend):
    x = np.ones((5, 6, 7, 8), np.float32)
    wanted = np.random.default_rng(17).integers(1 << 16, size=x.shape, dtype=np.uint16) >= round(
        0.4 * (1 << 16)
    )
    for layout in naive.LAYOUTS:
        y, _ = ops.dropout(naive.lay_out(x, layout), 0.4, np.random.default_rng(17))
        np.testing.assert_array_equal(y != 0, wanted)


@pytest.mark.parametrize("rate", [1, 1.0, -0.1, 2, np.nan])
def test_impossible_rates(rate):
    with pytest.raises(ValueError, match="dropout's rate is the share dropped"):
        ops.dropout(np.ones(3, np.float32), rate, np.random.default_rng(0))


@pytest.mark.parametrize("rng", [None, 7, np.random])
def test_training_needs_a_generator(rng):
    with pytest.raises(ValueError, match=r"numpy\.random\.Generator"):
        ops.dropout(np.ones(3, np.float32), 0.5, rng)

"""Schedules at the points where their value is known, and between them."""

import math

import numpy as np
import pytest

from numpycnn import schedule
from numpycnn.errors import UnknownNameError

EVERYWHERE = np.linspace(0, 1, 1001)


@pytest.mark.parametrize(
    ("made", "points"),
    [
        (schedule.constant(), {0: 1, 0.3: 1, 1: 1}),
        (schedule.step(), {0: 1, 0.499: 1, 0.5: 0.1, 0.74: 0.1, 0.75: 0.01, 1: 0.01}),
        (schedule.step(at=(0.2,), factor=0.5), {0.19: 1, 0.2: 0.5, 1: 0.5}),
        (schedule.step(at=()), {0: 1, 1: 1}),
        (schedule.cosine(), {0: 1, 0.25: (1 + math.sqrt(0.5)) / 2, 0.5: 0.5, 1: 0, 1.2: 0}),
        (schedule.cosine(final=0.2), {0: 1, 0.5: 0.6, 1: 0.2}),
        (schedule.linear(), {0: 1, 0.5: 1, 0.75: 0.5, 1: 0, 1.2: 0}),
        (schedule.linear(start=0), {0: 1, 0.25: 0.75, 1: 0}),
        (schedule.linear(start=1), {0: 1, 0.5: 1, 1: 0}),
        (
            schedule.one_cycle(),
            {0: 0.04, 0.15: 0.52, 0.3: 1, 0.65: (1 + 1e-4) / 2, 1: 1e-4, 1.5: 1e-4},
        ),
        (
            schedule.one_cycle(warmup=0.5, start=0.1, final=0),
            {0: 0.1, 0.25: 0.55, 0.5: 1, 0.75: 0.5, 1: 0},
        ),
        (schedule.one_cycle(warmup=0), {0: 1, 1: 1e-4}),
        (schedule.triangular(), {0: 0, 0.1: 0.5, 0.2: 1, 0.6: 0.5, 1: 0, 1.3: 0}),
        (
            schedule.triangular(peak=0.5, start=0.2, final=0.1),
            {0: 0.2, 0.25: 0.6, 0.5: 1, 0.75: 0.55, 1: 0.1},
        ),
        (schedule.triangular(peak=1), {0.5: 0.5, 1: 1}),
        (schedule.warm_up(), {0: 0, 0.025: 0.5, 0.05: 1, 1: 1}),
        (schedule.warm_up(schedule.cosine(), share=0.2), {0.1: 0.5, 0.2: 1, 0.6: 0.5, 1: 0}),
        (schedule.warm_up(schedule.step(at=(0.5,)), share=0.5), {0.5: 1, 0.74: 1, 0.75: 0.1}),
        (schedule.warm_up(share=0), {0: 1, 1: 1}),
        (schedule.warm_up("cosine", share=0.2), {0.1: 0.5, 0.2: 1, 0.6: 0.5, 1: 0}),
    ],
)
def test_values_that_are_known(made, points):
    for t, factor in points.items():
        assert made(t) == pytest.approx(factor, abs=1e-12), t


@pytest.mark.parametrize("name", schedule.SCHEDULES)
def test_named_ones_stay_within_0_and_1(name):
    factors = [schedule.named(name)(t) for t in EVERYWHERE]
    assert min(factors) >= 0
    assert max(factors) <= 1
    assert max(factors) == pytest.approx(1)


@pytest.mark.parametrize(
    "made", [schedule.cosine(), schedule.one_cycle(), schedule.warm_up(schedule.cosine())]
)
def test_smooth_ones_have_no_jump_and_one_summit(made):
    steps = np.diff([made(t) for t in EVERYWHERE])
    assert np.abs(steps).max() < 0.025
    assert (np.diff(np.sign(steps[np.abs(steps) > 1e-12])) != 0).sum() <= 1


def test_named():
    own = lambda t: 0.5  # noqa: E731
    assert schedule.named(own) is own
    assert schedule.named("cosine")(0.5) == pytest.approx(0.5)
    with pytest.raises(UnknownNameError, match="unknown schedule 'cosin'; did you mean cosine"):
        schedule.named("cosin")
    with pytest.raises(TypeError, match=r"call it, schedule.cosine\(\), or name it"):
        schedule.named(schedule.cosine)


@pytest.mark.parametrize("made", [schedule.one_cycle(warmup=1), schedule.warm_up(share=1)])
def test_a_warm_up_that_takes_all_of_training(made):
    assert made(1.0) == pytest.approx(1)


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
@pytest.mark.parametrize(
    "make",
    [
        lambda share: schedule.step(at=(0.5, share)), schedule.linear, schedule.one_cycle,
        schedule.triangular, lambda share: schedule.warm_up(share=share),
    ],
)  # fmt: skip
def test_what_is_no_share_of_training_is_refused(make, share):
    with pytest.raises(ValueError, match="is no share of training"):
        make(share)


def test_a_warm_up_to_what_is_unknown_is_refused():
    with pytest.raises(UnknownNameError, match="unknown schedule 'cosin'"):
        schedule.warm_up("cosin")

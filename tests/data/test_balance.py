"""Classes of unequal size: made, weighed, and evened out."""

import numpy as np
import pytest

from numpycnn.data.balance import class_weights, draw, oversample, thin

LABELS = np.random.default_rng(0).permutation(np.repeat([0, 1, 3], [50, 20, 7]))


def test_thin_leaves_a_share_of_one_class_and_all_others():
    kept = thin(LABELS, 0, 0.1, seed=1)
    assert np.bincount(LABELS[kept]).tolist() == [5, 20, 0, 7]
    assert (np.diff(kept) > 0).all()
    np.testing.assert_array_equal(thin(LABELS, 0, 0.1, seed=1), kept)
    assert not np.array_equal(thin(LABELS, 0, 0.1, seed=2), kept)
    assert (LABELS[thin(LABELS, 3, 0.01, seed=0)] == 3).sum() == 1
    np.testing.assert_array_equal(thin(LABELS, 3, 1.0, seed=0), np.arange(len(LABELS)))


@pytest.mark.parametrize("share", [0, -1, 1.5, float("nan")])
def test_thin_refuses_what_is_no_share(share):
    with pytest.raises(ValueError, match="share"):
        thin(LABELS, 0, share, seed=0)


def test_thin_refuses_a_class_that_is_not_there():
    with pytest.raises(ValueError, match="no label is 2"):
        thin(LABELS, 2, 0.5, seed=0)


def test_class_weights_give_each_class_the_same_part():
    weights = class_weights(LABELS, 5)
    np.testing.assert_allclose(weights, [77 / (3 * 50), 77 / (3 * 20), 0, 77 / (3 * 7), 0])
    assert weights[LABELS].sum() == pytest.approx(len(LABELS))


def test_oversample_makes_all_classes_as_frequent_as_the_largest():
    chosen = oversample(LABELS, seed=0)
    assert np.bincount(LABELS[chosen]).tolist() == [50, 50, 0, 50]
    assert set(chosen) == set(range(len(LABELS)))  # nobody is left out
    times = np.bincount(chosen)
    assert set(times[LABELS == 1]) == {2, 3}  # 50 = 2 * 20 + 10
    assert set(times[LABELS == 3]) == {7, 8}  # 50 = 7 * 7 + 1
    assert set(times[LABELS == 0]) == {1}
    np.testing.assert_array_equal(oversample(LABELS, seed=0), chosen)
    assert not np.array_equal(oversample(LABELS, seed=1), chosen)


def test_draw_gives_each_class_its_share_of_as_many_images():
    for seed in range(3):
        chosen = draw(LABELS, np.random.default_rng(seed))
        assert len(chosen) == 77
        assert sorted(np.bincount(LABELS[chosen])) == [0, 25, 26, 26]  # 77 = 25 + 26 + 26
        times = np.bincount(chosen, minlength=77)
        assert set(times[LABELS == 0]) == {0, 1}  # of 50 none twice
        assert set(times[LABELS == 1]) == {1, 2}
        assert set(times[LABELS == 3]) == {3, 4}
        assert (np.diff(LABELS[chosen]) != 0).sum() > 30  # mixed
    same, other = (draw(LABELS, np.random.default_rng(s)) for s in (2, 9))
    np.testing.assert_array_equal(chosen, same)
    assert not np.array_equal(chosen, other)


def test_draw_lets_every_image_of_a_large_class_come_and_each_class_get_the_odd_one():
    drawn = [draw(LABELS, np.random.default_rng([5, epoch])) for epoch in range(12)]
    assert set(np.concatenate(drawn)) == set(range(77))
    fewest = {int(np.bincount(LABELS[c])[[0, 1, 3]].argmin()) for c in drawn}
    assert fewest == {0, 1, 2}

import numpy as np
import pytest

from numpycnn.data import augment, batches

X, Y = np.arange(10 * 12).reshape(10, 3, 4, 1).astype(np.uint8), np.arange(10)


def test_in_order_without_a_seed():
    got = list(batches(X, Y, 4))
    assert [len(y) for _, y in got] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate([x for x, _ in got]), X)
    np.testing.assert_array_equal(np.concatenate([y for _, y in got]), Y)


@pytest.mark.parametrize("size", [1, 3, 10, 99])
def test_every_index_exactly_once_and_with_its_image(size):
    orders = []
    for epoch in range(3):
        got = list(batches(X, Y, size, seed=5, epoch=epoch))
        for x, y in got:
            np.testing.assert_array_equal(x, X[y])
        orders.append(np.concatenate([y for _, y in got]).tolist())
        assert sorted(orders[-1]) == list(range(10))
    assert orders[0] != orders[1] != orders[2]


@pytest.mark.parametrize("start", range(5))
def test_a_resumed_epoch_sees_the_same_bits(start):
    step = augment.compose(augment.horizontal_flip, augment.random_crop)
    whole = list(batches(X, Y, 3, seed=1, epoch=7, augment=step))
    rest = list(batches(X, Y, 3, seed=1, epoch=7, augment=step, start=start))
    assert len(rest) == 4 - start
    for (x, y), (x2, y2) in zip(whole[start:], rest, strict=True):
        np.testing.assert_array_equal(x, x2)
        np.testing.assert_array_equal(y, y2)


def test_epochs_and_steps_have_their_own_augmentation():
    def noise(x, rng):
        return rng.random(len(x))

    drawn = [
        tuple(x)
        for epoch in range(2)
        for x, _ in batches(X, Y, 5, seed=1, epoch=epoch, augment=noise)
    ]
    assert len(set(drawn)) == 4


def test_the_global_random_state_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    list(batches(X, Y, 3, seed=1, augment=augment.random_erasing))
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(
    "arguments",
    [
        (X, Y, 0), (X, Y, -1), (X, Y, 2.5), (X, Y[:9], 2), (X[:0], Y[:0], 2),
        (X, Y, 3, 1, 0, None, 5), (X, Y, 3, 1, 0, None, -1),
        (X, Y, 3, None, 0, augment.random_crop),
    ],
)  # fmt: skip
def test_impossible_arguments_are_refused_at_once(arguments):
    with pytest.raises(ValueError, match="batches: "):
        batches(*arguments)


def test_balanced_batches_depend_on_seed_epoch_and_step_alone():
    y = np.repeat([0, 1], [8, 2])
    whole = list(batches(X, y, 3, seed=1, epoch=7, sampling="balanced"))
    labels = np.concatenate([yb for _, yb in whole])
    assert np.bincount(labels).tolist() == [5, 5]
    for start in range(5):
        rest = list(batches(X, y, 3, seed=1, epoch=7, start=start, sampling="balanced"))
        for (xb, yb), (x2, y2) in zip(whole[start:], rest, strict=True):
            np.testing.assert_array_equal(xb, x2)
            np.testing.assert_array_equal(yb, y2)
    other = np.concatenate([x for x, _ in batches(X, y, 3, seed=1, epoch=8, sampling="balanced")])
    assert not np.array_equal(other, np.concatenate([x for x, _ in whole]))
    for arguments in ({"sampling": "equal", "seed": 1}, {"sampling": "balanced"}):
        with pytest.raises(ValueError, match="batches: sampling"):
            batches(X, y, 3, **arguments)

import dataclasses

import numpy as np
import pytest

from numpycnn.data import Dataset
from numpycnn.errors import DatasetError

RNG = np.random.default_rng(0)
X, Y = RNG.integers(0, 256, (60, 6, 5, 1)).astype("u1"), np.arange(60) % 3
TX, TY = RNG.integers(0, 256, (9, 6, 5, 1)).astype("u1"), np.arange(9) % 3


def make(x=X, y=Y, tx=TX, ty=TY, classes=("a", "b", "c")):
    return Dataset("mine", x, y, tx, ty, classes, "a test")


def refused(word, **parts):
    with pytest.raises(DatasetError, match=word) as info:
        make(**parts)
    assert "\n" not in str(info.value)
    return str(info.value)


def test_mean_and_deviation_are_those_of_the_training_images():
    data = make()
    assert data.mean == pytest.approx((X / 255).mean(), abs=1e-12)
    assert data.std == pytest.approx((X / 255).std(), abs=1e-12)
    halves = make(x=X.astype("f4") / 255, tx=TX.astype("f8") / 255)
    assert halves.mean == pytest.approx(data.mean, abs=1e-6)
    assert halves.std == pytest.approx(data.std, abs=1e-6)
    assert halves.x_test.dtype == np.float32


def test_sha256_sees_every_array():
    data = make()
    assert data.sha256 == make().sha256
    other = {
        X.tobytes(): make(x=X[:, ::-1]),
        Y.tobytes(): make(y=Y[::-1]),
        TX.tobytes(): make(tx=TX[::-1]),
    }
    assert len({data.sha256, *(d.sha256 for d in other.values()), make(ty=TY[::-1]).sha256}) == 5
    assert make(x=X.transpose(0, 2, 1, 3), tx=TX.transpose(0, 2, 1, 3)).sha256 != data.sha256


def test_frozen_and_classes_made_up():
    with pytest.raises(dataclasses.FrozenInstanceError):
        make().x_train = X
    assert make(classes=None).classes == ("0", "1", "2")
    assert make(y=Y.astype("u1")).y_train.dtype == np.int64
    assert make(y=Y.astype(">i4")).y_train.tolist() == Y.tolist()


def rows(x):
    return sorted(image.tobytes() for image in x)


def test_split_is_stratified_seeded_and_loses_nothing():
    (x, y), (x_val, y_val) = make().split(12, seed=1)
    assert np.bincount(y_val).tolist() == [4, 4, 4]
    assert rows(np.concatenate([x, x_val])) == rows(X)
    assert (len(y), len(x)) == (48, 48)
    assert rows(make().split(12, seed=1)[1][0]) == rows(x_val)
    assert rows(make().split(12, seed=2)[1][0]) != rows(x_val)
    for image, label in zip(x_val, y_val, strict=True):
        assert label == Y[(image == X).all(axis=(1, 2, 3))][0]


def test_split_keeps_proportions():
    y = np.array([0] * 40 + [1] * 20)
    assert np.bincount(make(y=y, ty=TY * 0, classes=None).split(15)[1][1]).tolist() == [10, 5]


@pytest.mark.parametrize("n", [0, -1, 60, 61])
def test_impossible_splits(n):
    with pytest.raises(DatasetError, match="validation"):
        make().split(n)


def test_limit_is_balanced_and_leaves_the_test_set():
    small = make().limit(7)
    assert sorted(np.bincount(small.y_train).tolist()) == [2, 2, 3]
    assert set(rows(small.x_train)) < set(rows(X))
    assert small.x_test is make().x_test or rows(small.x_test) == rows(TX)
    assert small.sha256 == make().limit(7).sha256 != make().limit(7, seed=1).sha256
    assert "7 of its 60" in small.source
    rare = make(y=np.array([0] * 57 + [1, 1, 2])).limit(10)
    assert np.bincount(rare.y_train).tolist() == [7, 2, 1]
    assert len(make().limit(1000).x_train) == 60
    with pytest.raises(DatasetError, match="at least 1"):
        make().limit(0)


def test_nan_and_infinity_are_counted_and_located():
    x = X.astype("f4") / 255
    x[3, 2, 1, 0] = np.nan
    x[5:7, 0, 0, 0] = np.inf
    message = refused("NaN", x=x)
    assert "3 values" in message
    assert "(3, 2, 1, 0)" in message


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("0 to 1", {"x": X.astype("f4")}),
        ("0 to 1", {"x": X / 255 - 0.5}),
        ("int64", {"x": X.astype("i8")}),
        ("bool", {"x": X > 5}),
        ("complex", {"x": X * 1j}),
        ("object", {"x": X.astype(object)}),
        ("<U", {"x": X.astype(str)}),
        (r"x\[..., None\]", {"x": X[..., 0]}),
        ("images", {"x": X.reshape(60, -1)}),
        ("images", {"x": X[:0], "y": Y[:0]}),
        ("NCHW", {"x": X.transpose(0, 3, 1, 2), "tx": TX.transpose(0, 3, 1, 2)}),
        ("NCHW", {"x": np.zeros((60, 2, 6, 6), "u1")}),
        ("59 images .* 60 labels", {"x": X[:59]}),
        ("8 labels", {"ty": TY[:8]}),
        (r"y_train\[59\] is 3", {"y": np.append(Y[:59], 3)}),
        (r"y_test\[2\] is -1", {"ty": np.where(TY == 2, -1, TY)}),
        ("float64", {"y": Y / 1}),
        ("argmax", {"y": np.eye(3)[Y]}),
        ("argmax", {"y": np.eye(3, dtype=int)[Y]}),
        ("multi-label .* row 0 names 3 classes", {"y": np.ones((60, 3), int)}),
        (
            "multi-label .* row 4 names 0 classes",
            {"y": np.eye(3)[Y] * (np.arange(60) != 4)[:, None]},
        ),
        ("ravel", {"y": Y[:, None]}),
        ("<U", {"y": Y.astype(str)}),
        ("object", {"y": Y.astype(object)}),
        ("same", {"tx": TX[:, :5]}),
        ("same", {"tx": TX / 255}),
    ],
)
def test_what_is_refused(word, parts):
    refused(word, **parts)


def test_pixels_of_only_0_and_1_are_named():
    with pytest.warns(UserWarning, match="no pixel of x_train and x_test is above 1, .* by 255"):
        make(x=X // 128, tx=TX // 128)
    with pytest.warns(UserWarning, match="no pixel of x_test is above 1"):
        make(tx=TX // 128)


def numbered(y, classes=None, ty=None):
    return Dataset("letters", X, y, TX, y[:9] if ty is None else ty, classes)


@pytest.mark.parametrize(
    ("y", "classes", "message"),
    [
        (Y + 1, None, r"the class 0 \(of 4\): if labels count from 1, use y - 1"),
        (Y + 1, "abcd", r"the class a \(of 4\): if labels count from 1, use y - 1"),
        (
            Y * 2,
            None,
            r"the classes 1, 3 \(of 5\): .* y = np.unique\(y, return_inverse=True\)\[1\]",
        ),
        (Y, "abcde", r"the classes d, e \(of 5\): the network can never learn them"),
        (np.minimum(Y, 1), None, r"no training image has the class 2 \(of 3\)"),
    ],
)
def test_classes_without_a_training_image_are_named(y, classes, message):
    with pytest.warns(UserWarning, match=message):
        numbered(y, classes, ty=TY if y.max() == 1 else None)


@pytest.mark.parametrize("y", [np.where(Y > 0, 3, 5), Y * 20, Y * 2000])
def test_labels_of_which_most_do_not_occur_are_refused(y):
    with pytest.raises(DatasetError, match=r"occur .*np.unique\(y, return_inverse=True\)\[1\]"):
        numbered(y)
    assert numbered(np.unique(y, return_inverse=True)[1]).classes  # the line that mends it


def test_classes_that_all_have_images_are_not_mentioned(recwarn):
    numbered(Y)
    numbered(Y, "abc")
    assert not recwarn.list

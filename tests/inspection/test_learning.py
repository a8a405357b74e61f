"""Findings from accuracies and losses: under-fitting, over-fitting, missed classes."""

import numpy as np
import pytest

from numpycnn.inspection import diagnose, examine
from numpycnn.inspection.learning import missed_classes
from tests.helpers import pictures, small

X, Y = pictures(64)
FALLING = {"loss": [1.0, 0.5, 0.2], "val_loss": [1.0, 0.7, 0.6]}
FLAT = {"loss": [1.0, 0.91, 0.9], "val_loss": [1.0, 0.95, 0.95]}


def of(accuracy):
    """An examination of a sound network, with this training accuracy."""
    examined = examine(small(), X, Y)
    examined.accuracy = accuracy
    return examined


def kinds(examined, history=None, held_out=None):
    return [one.kind for one in diagnose(examined, history, held_out)]


@pytest.mark.parametrize(
    ("accuracy", "history", "found"),
    [
        (0.37, FLAT, True),
        (0.37, {}, True),
        (0.65, FLAT, True),
        (0.65, FALLING, True),
        (0.8, FALLING, True),
        (0.8, FLAT, False),
        (0.8, {}, False),
        (0.95, FALLING, False),
        (0.8, {"loss": [0.2]}, False),
        (0.8, {"loss": [None, None]}, False),
    ],
)
def test_under_fitting(accuracy, history, found):
    findings = diagnose(of(accuracy), history, held_out=(accuracy, 1000))
    assert [one.kind for one in findings] == ["under-fitting"] * found
    if found:
        assert f"only {accuracy:.1%} of 64 training images are correct (guessing: 25%)" in str(
            findings[0]
        )
        assert ("train longer" in findings[0].text) == (history is FALLING)


def test_a_network_before_training_does_not_under_fit():
    assert kinds(of(0.25)) == []


def test_over_fitting_by_its_history():
    examined = of(0.95)
    assert kinds(examined, FALLING) == []
    assert kinds(examined, {**FALLING, "val_loss": [1.0, 0.6, 0.65]}) == []
    rising = {**FALLING, "val_loss": [1.0, 0.6, 0.9]}
    found = diagnose(examined, rising)
    assert [one.kind for one in found] == ["over-fitting"]
    assert "since epoch 2 the validation loss rose from 0.600 to 0.900" in found[0].text
    assert (
        kinds(examined, {**rising, "loss": [1.0, 0.5, 0.7]}) == []
    )  # both rise: no learning by heart
    for val_loss in ([], [None, None, None], [np.nan] * 3, [1.0]):
        assert kinds(examined, {"loss": [1.0, 0.5, 0.2], "val_loss": val_loss}) == []


def test_over_fitting_by_accuracy_allows_for_chance():
    examined = of(0.95)
    assert [one.kind for one in diagnose(examined, held_out=(0.7, 1000))] == ["over-fitting"]
    assert diagnose(examined, held_out=(0.9, 1000)) == []
    assert diagnose(examined, held_out=(0.7, 20)) == []
    examined.images = 10  # then the 95 % are uncertain too
    assert diagnose(examined, held_out=(0.75, 1000)) == []
    examined.images = 1000
    assert [one.kind for one in diagnose(examined, held_out=(0.75, 1000))] == ["over-fitting"]
    assert diagnose(examined, held_out=(0.0, 1)) == []  # one image, and wrong


NAMES = ["shirt", "coat", "bag", "boot"]


def confusion(*rows):
    return np.array(rows)


def test_a_class_that_is_never_predicted_is_named():
    found = missed_classes(confusion([90, 10, 0], [5, 95, 0], [70, 30, 0]), NAMES[:3])
    assert [one.kind for one in found] == ["missed class"]
    assert (
        "bag: 0 of 100 are recognised (it is never predicted), most often taken for shirt (70)"
        in found[0].text
    )
    assert "coat" not in found[0].text


def test_a_class_far_below_the_others_is_named():
    matrix = confusion([28, 60, 2, 10], [5, 95, 0, 0], [0, 10, 90, 0], [0, 0, 8, 92])
    text = missed_classes(matrix, NAMES)[0].text
    assert text.startswith("shirt: 28 of 100 are recognised, most often taken for coat (60). ")
    assert missed_classes(matrix)[0].text.startswith("0: 28 of 100 are recognised, most often")


def test_many_are_counted():
    matrix = np.zeros((20, 20), int)
    matrix[:, 3] = 10
    text = missed_classes(matrix, [f"c{k}" for k in range(20)])[0].text
    assert "c0: 0 of 10" in text
    assert "and 14 more classes" in text


@pytest.mark.parametrize(
    "rows",
    [
        ([70, 30], [20, 80]),
        ([1, 2], [0, 2]),  # three images: chance
        ([5, 5], [0, 0]),  # one class has no images
        ([60, 40, 0], [20, 80, 0], [0, 0, 0]),
        ([50, 50], [50, 50]),
    ],
)
def test_what_is_no_missed_class(rows):
    assert missed_classes(confusion(*rows)) == []

"""The rule by which a claim holds, on numbers that are worked out by hand."""

import math

import pytest

from numpycnn.studies import Study
from numpycnn.studies.verdict import conclude, decide, summarize, with_deviation


def rows(**values):
    return [
        {"variant": variant, "seed": seed, "accuracy": value, "seconds": 100 * (value or 0)}
        for variant, some in values.items()
        for seed, value in enumerate(some)
    ]


def test_means_and_deviations():
    found = summarize(rows(a=[0.8, 0.9, 1.0], b=[0.5], c=[None, math.nan], d=[0.25, None]))
    assert found.keys() == {"a", "b", "d"}
    assert (found["a"].mean, found["a"].deviation, found["a"].n) == pytest.approx((0.9, 0.1, 3))
    assert (found["b"].mean, found["b"].deviation, found["b"].n) == (0.5, None, 1)
    assert found["d"].n == 1


@pytest.mark.parametrize(
    ("left", "right", "outcome"),
    [
        # deviation 0.01 each: twice the error is 2 sqrt(2 * 0.0001 / 3) = 0.01633
        ([0.90, 0.91, 0.92], [0.88, 0.89, 0.90], "holds"),  # 0.02
        ([0.90, 0.91, 0.92], [0.885, 0.895, 0.905], "undecided"),  # 0.015
        ([0.90, 0.91, 0.92], [0.915, 0.925, 0.935], "undecided"),  # -0.015
        ([0.90, 0.91, 0.92], [0.92, 0.93, 0.94], "contradicted"),  # -0.02
        ([0.90, 0.91, 0.92], [0.91], "undecided"),  # one seed has no error
        ([0.90, 0.90], [0.90, 0.90], "undecided"),  # the same is not more
        ([0.90, 0.90], [0.89, 0.89], "holds"),
        ([0.90, 0.90], [], "undecided"),
    ],
)
def test_more_than_twice_the_standard_error(left, right, outcome):
    found = rows(a=left, b=right)
    assert decide(("a", ">", "b"), found)[0] == outcome
    swapped = {"holds": "contradicted", "contradicted": "holds"}.get(outcome, outcome)
    assert decide(("b", ">", "a"), found)[0] == swapped
    assert decide(("b", "<", "a", "seconds"), found)[0] == outcome


@pytest.mark.parametrize(
    ("right", "outcome"), [(0.89, "holds"), (0.925, "holds"), (0.95, "contradicted")]
)
def test_not_less(right, outcome):
    found = rows(a=[0.90, 0.91, 0.92], b=[right - 0.01, right, right + 0.01])
    assert decide(("a", ">=", "b"), found)[0] == outcome


def test_numbers_to_compare_with():
    found = rows(a=[0.90, 0.91, 0.92], b=[0.5])  # twice the error: 2 * 0.01 / sqrt(3) = 0.01155
    assert decide(("a", ">", 0.898), found)[0] == "holds"
    assert decide(("a", ">", 0.899), found)[0] == "undecided"
    assert decide(("a", ">", 0.922), found)[0] == "contradicted"
    assert decide(("a", "within", (0.90, 0.92)), found)[0] == "holds"
    assert decide(("a", "within", (0.92, 0.93)), found)[0] == "contradicted"
    assert decide(("b", "within", (0.4, 0.6)), found)[0] == "holds"  # needs no error
    assert decide(("c", "within", (0.4, 0.6)), found) == (
        "undecided",
        "c within 40.00 % to 60.00 %: no result",
    )


def test_the_text_gives_difference_and_error():
    _, text = decide(("a", ">", "b"), rows(a=[0.90, 0.91, 0.92], b=[0.88, 0.89, 0.90]))
    assert text == "a > b: difference +2.00 points ± 1.63 (2 s.e.)"
    _, text = decide(("a", "<", "b", "seconds"), rows(a=[0.90, 0.91, 0.92], b=[0.88, 0.89, 0.90]))
    assert text == "a < b (seconds): difference +2.00 s ± 1.63 (2 s.e.)"


@pytest.mark.parametrize(
    ("pairs", "verdict"),
    [
        ([("a", "b"), ("a", "c")], "holds"),
        ([("a", "b"), ("b", "a")], "does not hold"),  # what is claimed together falls together
        ([("a", "b"), ("a", "a2")], "undecided (1 of 2 statements hold)"),
        ([("b", "a"), ("a", "a2")], "does not hold"),
        ([("a", "a2")], "undecided"),
        ([], "undecided"),
    ],
)
def test_a_claim_of_several_statements(pairs, verdict):
    study = Study("a claim", {}, minutes=1, expect=tuple((x, ">", y) for x, y in pairs))
    assert conclude(study, FOUR)[0] == verdict
    assert len(conclude(study, FOUR)[1]) == len(pairs)


FOUR = rows(a=[0.9, 0.91, 0.92], a2=[0.9, 0.91, 0.92], b=[0.8, 0.81, 0.82], c=[0.7, 0.71, 0.72])


def test_parts_of_a_claim_are_judged_apart():
    def verdict(**parts):
        study = Study(
            "a claim",
            {},
            minutes=1,
            expect={part: ((x, ">", y),) for part, (x, y) in parts.items()},
        )
        return conclude(study, FOUR)[0]

    assert verdict(first=("a", "b"), second=("b", "c")) == "holds"
    assert verdict(first=("b", "a"), second=("c", "b")) == "does not hold"
    assert verdict(first=("a", "b"), second=("c", "b"), third=("a", "a2")) == (
        "first: holds; second: does not hold; third: undecided"
    )


def test_what_always_diverges_is_less_accurate():
    found = rows(a=[0.9, 0.91, 0.92]) + [
        {"variant": "b", "seed": i, "status": "diverged"} for i in range(3)
    ]
    assert decide(("a", ">", "b"), found) == ("holds", "a > b: b diverged on all seeds")
    assert decide(("b", ">", "a"), found)[0] == "contradicted"
    assert decide(("a", "<", "b", "seconds"), found)[0] == "undecided"
    failed = [
        row | {"status": "failed: no room"} if row["variant"] == "b" else row for row in found
    ]
    assert decide(("a", ">", "b"), failed)[0] == "undecided"


def test_an_accuracy_to_explain():
    study = Study("a claim", {}, minutes=1, target=0.7446)
    found = rows(
        near=[0.73, 0.75, 0.754],
        wide=[0.5, 0.7, 0.8],
        far=[0.9, 0.91, 0.92],
        nearly=[0.744, 0.744, 0.744],
    )
    verdict, findings = conclude(
        study, found
    )  # wide, 0.667 with a deviation of 0.153, explains nothing
    assert verdict == "explained by near: 74.47 ± 1.29 %, nearly: 74.40 %"
    assert [outcome for outcome, _ in findings] == ["holds", "holds"]
    verdict, findings = conclude(study, rows(far=[0.9, 0.91, 0.92], farther=[0.1, 0.1, 0.1]))
    assert verdict == "not explained; the nearest is far: 91.00 ± 1.00 %"
    assert findings[0][0] == "undecided"
    assert conclude(study, []) == ("undecided", [])


@pytest.mark.parametrize(
    ("values", "measure", "text"),
    [
        ([0.9, 0.92], "accuracy", "91.00 ± 1.41 %"),
        ([0.9], "accuracy", "90.00 %"),
        ([0.9, 0.9], "accuracy", "90.00 %"),
        ([12345, 12345], "parameters", "12,345"),
        ([1.5, 2.5], "seconds", "2.00 ± 0.71 s"),
        ([150.2, 151.2], "seconds", "151 ± 1 s"),
        ([99.98, 99.98], "seconds", "100 s"),
        ([1000, 13000], "parameters", "7,000 ± 8,485"),
    ],
)
def test_numbers_for_people(values, measure, text):
    found = summarize([{"variant": "a", measure: value} for value in values], measure)["a"]
    assert with_deviation(found, measure) == text

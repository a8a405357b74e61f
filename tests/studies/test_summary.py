"""The claims in short: what counts as best, as the paper's choice, and as the difference."""

import pathlib

import pytest

import numpycnn
from numpycnn.studies import STUDIES, Study, results
from numpycnn.studies.summary import claims, headline, table

STORED = pathlib.Path(numpycnn.__file__).parents[1] / "benchmarks" / "studies"
GOOD, FAIR, POOR = [0.90, 0.91, 0.92], [0.87, 0.88, 0.89], [0.70, 0.71, 0.72]


def rows(**values):
    return [
        {"variant": variant, "seed": i, "status": "done", "accuracy": v, "seconds": 100 * v}
        for variant, several in values.items()
        for i, v in enumerate(several)
    ]


def only(study, found):
    (claim,) = claims("tiny", study, found)
    return claim


def test_a_choice_that_another_variant_beats():
    """b > c holds, but a, of which the claim does not speak, is better than both."""
    study = Study("b is better than c", {}, minutes=1, expect=(("b", ">", "c"),))
    claim = only(study, rows(a=GOOD, b=FAIR, c=POOR))
    assert (claim.verdict, claim.text) == ("holds", "b is better than c")
    assert claim.best == "a: 91.00 ± 1.00 %"
    assert claim.choice == "b: 88.00 ± 1.00 %"
    # 2 sqrt(2 * 0.01^2 / 3) = 0.0163
    assert claim.difference == "-3.00 points ± 1.63 (2 s.e.)"
    assert claim.better == "a is better by 3.00 points"


def test_what_is_better_by_less_than_the_error_is_not_called_better():
    study = Study("b is better than a", {}, minutes=1, expect=(("b", ">", "a"),))
    claim = only(study, rows(a=GOOD, b=[0.89, 0.90, 0.91]))
    assert (claim.verdict, claim.better) == ("undecided", "")
    assert claim.best.startswith("a: ")


def test_a_choice_that_is_best():
    study = Study("a is better than b", {}, minutes=1, expect=(("a", ">", "b"),))
    claim = only(study, rows(a=GOOD, b=POOR))
    assert (claim.verdict, claim.choice) == ("holds", "the same")
    assert claim.difference == "+20.00 points ± 1.63 (2 s.e.)"


def test_the_fastest_is_the_best_where_the_claim_is_about_seconds():
    study = Study("b is faster", {}, minutes=1, expect=(("b", "<", "a", "seconds"),))
    claim = only(study, rows(a=GOOD, b=POOR))
    assert claim.best == "b: 71.0 ± 1.0 s"
    assert claim.difference == "-20.0 s ± 1.63 (2 s.e.)"


def test_each_part_of_a_claim_has_its_line_and_its_own_variants():
    expect = {"b beats c": (("b", ">", "c"),), "c beats a": (("c", ">", "a"),)}
    study = Study("a claim", {}, minutes=1, expect=expect)
    first, second = claims("tiny", study, rows(a=GOOD, b=FAIR, c=POOR))
    assert (first.text, first.verdict, first.best[0]) == ("b beats c", "holds", "b")
    assert (second.text, second.verdict, second.best[0]) == ("c beats a", "does not hold", "a")


def test_numbers_that_are_claimed():
    found = rows(a=GOOD)
    study = Study("a claim", {}, minutes=1, expect=(("a", ">", 0.9),))
    # 2 * 0.01 / sqrt(3) = 0.0115
    assert only(study, found).difference == "+1.00 points ± 1.15 (2 s.e.)"
    study = Study("a claim", {}, minutes=1, expect=(("a", "within", (0.8, 0.95)),))
    assert only(study, found).difference == "claimed: 80.00 % to 95.00 %"


def test_an_accuracy_to_explain():
    claim = only(Study("a claim", {}, minutes=1, target=0.715), rows(a=GOOD, b=POOR))
    assert (claim.verdict, claim.choice) == ("explained", "71.50 %")
    assert claim.difference == "b: -0.50 points ± 1.15 (2 s.e.)"
    assert headline([claim])[0] == (
        "1 study, 1 claims: 0 hold, 0 do not hold, 0 are undecided, 1 is explained."
    )


@pytest.mark.parametrize("target", [None, 0.7])
def test_without_results_there_is_a_line_all_the_same(target):
    failed = [{"variant": "a", "seed": 0, "status": "failed: no room"}]
    study = Study("a claim", {}, minutes=1, expect=(("a", ">", "b"),), target=target)
    claim = only(study, failed)
    assert claim.verdict == "undecided"
    assert "| **undecided** | - |" in table([claim])[-1]
    assert "1 claims: 0 hold, 0 do not hold, 1 are undecided" in headline([claim])[0]


def test_the_headline_counts_and_names_every_claim():
    expect = {"b beats c": (("b", ">", "c"),), "c beats a": (("c", ">", "a"),)}
    study = Study("a claim", {}, minutes=1, expect=expect)
    text = headline(claims("tiny", study, rows(a=GOOD, b=FAIR, c=POOR)))
    assert text == [
        "1 study, 2 claims: 1 hold, 1 do not hold, 0 are undecided.",
        "",
        "- **Holds:** b beats c.",
        "- **Does not hold:** c beats a (a is better by 20.00 points).",
    ]


@pytest.mark.skipif(not STORED.exists(), reason="only where the benchmarks lie")
def test_the_page_in_benchmarks_is_the_one_that_its_tables_give():
    page = (STORED / "README.md").read_text(encoding="utf-8")
    assert page == results.readme(STORED, STUDIES)
    assert page.count("validation images") > 10  # its tables have an older word for them


def test_pictures_and_page_are_written_anew_from_the_tables(tmp_path):
    study = Study("a claim", {}, minutes=1, expect=(("a", ">", "b"),))
    found = rows(a=GOOD, b=POOR)
    results.publish("tiny", study, found, tmp_path, "numpycnn study tiny")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for name in ("README.md", "tiny.png"):
        (tmp_path / name).unlink()
    results.republish(tmp_path, {"tiny": study})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

"""Studies at full length: their form, rows that are kept as they come, and what the page says."""

import shutil

import numpy as np
import pytest

from numpycnn import studies
from numpycnn.cli import parser
from numpycnn.errors import RunFolderError
from numpycnn.studies import STUDIES, Study, full, results, runner
from numpycnn.studies.summary import claims

pytestmark = pytest.mark.filterwarnings("ignore:class.* never predicted", "ignore:invalid value")

GOOD, POOR = [0.90, 0.91, 0.92], [0.70, 0.71, 0.72]
TINY = {"filters": (4,), "depth": 1, "dropout": (0,), "batch_size": 16}


def study(**more):
    variants = {"a": TINY, "b": {**TINY, "filters": (6,)}}
    return Study("a is better", variants, minutes=1, expect=(("a", ">", "b"),), **more)


def rows(slope=None, **values):
    return [
        {"variant": v, "seed": i, "status": "done", "accuracy": one, "slope": slope}
        for v, several in values.items()
        for i, one in enumerate(several)
    ]


@pytest.fixture
def two(monkeypatch):
    """A study "two" among the known ones, with a full form."""
    known = {"two": study(), "other": study()}
    monkeypatch.setattr(full, "NAMES", ("two",))
    monkeypatch.setattr(studies, "STUDIES", known)
    monkeypatch.setattr(results, "STUDIES", known)
    return full.beside(known)


@pytest.fixture
def data(tmp_path):
    rng, y = np.random.default_rng(0), np.arange(130) % 3
    x = rng.integers(0, 200, (130, 12, 12, 1)).astype(np.uint8)
    x[y == 1, ::3] = 250
    path = tmp_path / "data.npz"
    np.savez(path, x_train=x[:100], y_train=y[:100], x_test=x[100:], y_test=y[100:])
    return str(path)


@pytest.mark.parametrize("name", full.NAMES)
def test_every_variant_has_all_images_and_40_epochs(name):
    longer = full.full(STUDIES[name])
    assert {(one["epochs"], one["limit"]) for one in longer.variants.values()} == {(40, None)}
    assert len({str(one) for one in longer.variants.values()}) == len(longer.variants)
    statements = longer.expect.values() if isinstance(longer.expect, dict) else [longer.expect]
    named = {side for some in statements for left, _, right, *_ in some for side in (left, right)}
    assert named <= longer.variants.keys()
    assert all(statements)
    assert longer.last == 5
    assert not STUDIES[name].last


def test_what_differs_in_its_length_alone_is_trained_once():
    longer = full.full(STUDIES["augmentation"])
    gone = STUDIES["augmentation"].variants.keys() - longer.variants.keys()
    assert gone == {"none, 30 epochs", "flip,crop, 30 epochs"}
    assert "flip and crop help in 30 epochs" not in longer.expect
    assert (
        longer.expect["flip and crop help"] == STUDIES["augmentation"].expect["flip and crop help"]
    )


def test_the_slope_is_that_of_the_last_five_epochs():
    assert full.slope([0.1, 0.9, 0.5, 0.6, 0.7, 0.8, 0.9]) == pytest.approx(0.1)
    assert full.slope([0.5, 0.5, 0.8]) == pytest.approx(0.15)
    assert full.slope([0.5]) is None


def test_rows_are_kept_as_they_come_and_a_stopped_study_goes_on(two, data, tmp_path, monkeypatch):
    out, counts, perform = tmp_path / "out", [], runner.perform

    def counted(job):
        path = out / "two-full.csv"
        counts.append(len(results.read_csv(path)) if path.exists() else 0)
        return perform(job)

    monkeypatch.setattr(runner, "perform", counted)
    settings = {"jobs": 1, "data": data, "seeds": 2, "epochs": 3, "say": lambda line: None}
    some = {"two-full": two["two-full"]}
    found = studies.run(some, out, command="numpycnn study STUDY --full", **settings)
    assert counts == [0, 1, 2, 3]
    kept = results.read_csv(out / "two-full.csv")
    assert [(row["variant"], row["epochs"]) for row in kept] == [
        ("a", 3),
        ("a", 3),
        *[("b", 3)] * 2,
    ]
    assert all(np.isfinite(row["slope"]) for row in kept)
    assert found["studies"]["two-full"]["failed"] == 0
    page = (out / "README.md").read_text()
    assert "\n## two-full\n" in page
    assert "\nnumpycnn study two --full\n" in page
    assert "| slope |" in page
    assert "Slope: by how many points the validation accuracy rose in an epoch" in page
    monkeypatch.setattr(runner, "perform", lambda job: perform(job))
    monkeypatch.setattr("numpycnn.training.loop.fit", None)  # nothing is trained again
    assert studies.run(some, out, **settings)["studies"]["two-full"]["failed"] == 0


def test_a_table_keeps_the_rows_that_a_run_has_not_made_anew(two, data, tmp_path, monkeypatch):
    """Stopped after one job, where the finished jobs are not beside it, as in a fresh clone."""
    out, some = tmp_path / "out", {"two-full": two["two-full"]}
    settings = {"jobs": 1, "data": data, "epochs": 1, "say": lambda line: None}
    studies.run(some, out, command="numpycnn study STUDY --full --seeds 2", seeds=2, **settings)
    table = (out / "two-full.csv").read_text().splitlines()
    shutil.rmtree(out / "runs")
    perform = runner.perform

    def stopped(job):
        if job["facts"]["settings"]["filters"] == [6]:
            raise KeyboardInterrupt
        return perform(job)

    monkeypatch.setattr(runner, "perform", stopped)
    with pytest.raises(KeyboardInterrupt):
        studies.run(some, out, command="numpycnn study STUDY --full --seeds 1", seeds=1, **settings)
    now = (out / "two-full.csv").read_text().splitlines()
    assert [line.split(",")[:3] for line in now] == [line.split(",")[:3] for line in table]
    assert now[2:] == table[2:]
    assert (
        "--full --seeds 1\nnumpycnn study two --full --seeds 2\n" in (out / "README.md").read_text()
    )
    line = "two-full.csv holds results of `numpycnn study two --full --seeds 1`.*give another --out"
    with pytest.raises(RunFolderError, match=line):
        studies.run(some, out, command="numpycnn study STUDY --full --limit 20", **settings)
    assert (out / "two-full.csv").read_text().splitlines() == now


def test_a_short_study_is_not_slower_for_it(two, data, tmp_path):
    """No validation after each epoch, and no slope."""
    studies.run({"two": two["two"]}, tmp_path / "out", jobs=1, data=data, seeds=1, epochs=2,
                say=lambda line: None)  # fmt: skip
    assert results.read_csv(tmp_path / "out" / "two.csv")[0]["slope"] is None
    (folder, *_) = (tmp_path / "out" / "runs").iterdir()
    assert ",nan,nan," in (folder / "history.csv").read_text()


def page(tmp_path, two, short, longer):
    for name, found in (("two", short), ("two-full", longer)):
        if found:
            results.publish(name, two[name], found, tmp_path, "")
    return (tmp_path / "README.md").read_text()


def test_where_short_and_full_disagree_the_page_shows_both(two, tmp_path):
    text = page(tmp_path, two, rows(a=POOR, b=GOOD), rows(0.0002, a=GOOD, b=POOR))
    assert "1 study, 1 claims: 1 hold, 0 do not hold, 0 are undecided." in text
    assert (
        "- **Another verdict at full length:** a is better: does not hold in the short study, "
        "holds in [the full one](#two-full)." in text
    )
    assert "| [a is better](#two) | **does not hold** |" in text
    assert "| [a is better, at full length](#two-full) | **holds** |" in text
    assert "| +0.020 points |" in text
    assert "the steepest is a, +0.020." in text


def test_where_they_agree_nothing_is_said_of_it(two, tmp_path):
    text = page(tmp_path, two, rows(a=GOOD, b=POOR), rows(a=GOOD, b=POOR))
    assert "Another verdict" not in text
    assert text.count("| **holds** |") == 2


def test_a_full_study_decides_nothing_before_it_is_complete(two, tmp_path):
    text = page(tmp_path, two, rows(a=POOR, b=GOOD), rows(a=GOOD, b=POOR[:1]))
    assert "0 hold, 1 do not hold" in text
    assert "Another verdict" not in text
    only = rows(a=GOOD)
    assert page(tmp_path, two, None, only)
    assert not full.complete(two["two-full"], only)
    (claim,) = claims("two-full", two["two-full"], only)
    assert claim.kind == "undecided"


def test_the_command(two, data, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = ["--data", data, "--jobs", "1", "--seeds", "1", "--out", "out"]
    assert parser.main(["study", "two", "--full", "--quick", "--epochs", "2", *given]) == 0
    assert (tmp_path / "out" / "two-full.csv").exists()
    assert "two-full" in capsys.readouterr().out
    assert (
        f"numpycnn study two --full --quick --seeds 1 --epochs 2 --data {data}\n"
        in (tmp_path / "out" / "README.md").read_text()
    )
    assert parser.main(["study", "tow", "--full"]) == 2
    said = capsys.readouterr().err
    assert "unknown study 'tow'; did you mean two" in said
    assert parser.main(["study", "other", "--full"]) == 2
    assert said.count("\n") == 1
    assert "unknown study with a full length 'other'" in capsys.readouterr().err


def test_all_of_them_come_in_the_order_of_their_worth(monkeypatch):
    seen = []

    def noted(chosen, out, **settings):
        seen.extend(chosen)
        return {"studies": {}, "out": str(out), "failed": 0}

    monkeypatch.setattr(studies, "run", noted)
    assert parser.main(["study", "all", "--full"]) == 0
    assert seen == [name + full.ENDING for name in full.NAMES]
    assert seen[:4] == ["dropout-full", "augmentation-full", "head-full", "init-full"]

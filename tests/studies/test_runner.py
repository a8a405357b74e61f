"""Studies on small synthetic data: resumed, shared, with a failing job, on a full disk."""

import errno
import json
import re

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import backend, files, studies
from numpycnn.cli import parser
from numpycnn.errors import DatasetError, MissingPackage, RunFolderError, UnknownNameError
from numpycnn.studies import STUDIES, Study, figures, job, plan, results, runner
from numpycnn.training import loop
from numpycnn.training.run import FitRun

pytestmark = pytest.mark.filterwarnings("ignore:class.* never predicted", "ignore:invalid value")

SMALL = {"filters": (4,), "depth": 1, "dropout": (0,), "epochs": 2, "batch_size": 16, "limit": None}


def tiny(**variants):
    variants = variants or {"plain": {}, "wide": {"filters": (6,)}}
    variants = {name: {**SMALL, **changes} for name, changes in variants.items()}
    return Study("a claim", variants, minutes=1, expect=(("wide", ">", "plain"),))


@pytest.fixture
def data(tmp_path):
    """An .npz of 100 training images, 20 of them for validation, and 30 test images; 3 classes."""
    rng = np.random.default_rng(0)
    y = np.arange(130) % 3
    x = rng.integers(0, 200, (130, 12, 12, 1)).astype(np.uint8)
    x[y == 1, ::3] = 250
    x[y == 2, :, ::3] = 250
    path = tmp_path / "data.npz"
    np.savez(path, x_train=x[:100], y_train=y[:100], x_test=x[100:], y_test=y[100:])
    return str(path)


@pytest.fixture
def run(data, tmp_path):
    """run({name: Study}, ...) -> what studies.run returns, and the lines that it said."""

    def call(some, **settings):
        lines = []
        settings = {"jobs": 1, "data": data, "seeds": 2, **settings}
        found = studies.run(
            some,
            tmp_path / "out",
            say=lines.append,
            command="numpycnn study STUDY --here",
            **settings,
        )
        return found, lines

    return call


@pytest.fixture
def trained(monkeypatch):
    """The number of calls of fit, as a list of their seeds."""
    seeds, fit = [], loop.fit

    def spy(*args, **settings):
        seeds.append(settings["seed"])
        return fit(*args, **settings)

    monkeypatch.setattr(loop, "fit", spy)
    return seeds


def table(tmp_path, name="tiny"):
    return results.read_csv(tmp_path / "out" / f"{name}.csv")


# ---- what is written --------------------------------------------------------------------------


def test_a_study_leaves_table_plot_and_readme(run, tmp_path):
    found, lines = run({"tiny": tiny()})
    rows = table(tmp_path)
    assert [(row["variant"], row["seed"]) for row in rows] == [
        ("plain", 0),
        ("plain", 1),
        ("wide", 0),
        ("wide", 1),
    ]
    for row in rows:
        assert row["status"] == "done"
        assert (row["images"], row["measured_images"], row["epochs"]) == (80, 20, 2)
        assert row["measured_on"] == "validation images"
        names, recall = zip(
            *(pair.rsplit(" ", 1) for pair in row["recall"].split("; ")), strict=True
        )
        assert names == ("0", "1", "2")
        recall = [float(share) for share in recall]
        assert row["balanced_accuracy"] == pytest.approx(np.mean(recall), abs=1e-4)
        assert row["command"] == "numpycnn study tiny --here"
        assert (row["threads"], row["code"]) == (nc.backend.threads(), plan.code())
    plain, wide = (
        40 + 8 + 8 + 15,
        60 + 12 + 12 + 21,
    )  # convolution, gamma and beta, running statistics, dense
    assert [row["parameters"] for row in rows] == [plain, plain, wide, wide]
    out = tmp_path / "out"
    assert (out / "tiny.png").read_bytes().startswith(b"\x89PNG")
    text = (out / "README.md").read_text()
    assert f"| [a claim](#tiny) | **{found['studies']['tiny']['verdict']}** | " in text
    assert "80 training images, 2 epochs, 2 seeds" in text
    assert "\nnumpycnn study tiny --here\n" in text
    assert "![tiny](tiny.png)" in text
    told = re.compile(r"\[\d/4\] tiny: (plain|wide), seed [01]: \d+\.\d\d % in ")
    assert sum(bool(told.match(line)) for line in lines) == 4
    assert found["failed"] == 0
    accuracies = [row["accuracy"] for row in rows if row["variant"] == "wide"]
    assert found["studies"]["tiny"]["variants"]["wide"]["accuracy"] == pytest.approx(
        np.mean(accuracies)
    )


def test_a_study_of_ones_own_in_python_has_no_command(data, tmp_path):
    studies.run(
        {"mine": tiny()}, tmp_path / "out", quick=True, jobs=1, data=data, say=lambda line: None
    )
    text = (tmp_path / "out" / "README.md").read_text()
    assert "![mine](mine.png)" in text
    assert "```" not in text


def test_a_job_is_what_fit_and_evaluate_give(run, data, tmp_path):
    run({"tiny": tiny(plain={"lr": 0.01})}, seeds=1)
    loaded = nc.data.load(data)
    (x, y), held = loaded.split(20, seed=0)
    form = {"filters": (4,), "depth": 1, "dropout": (0,), "classes": 3, "input_shape": (12, 12, 1)}
    net = nc.models.build("vgg", 0, mean=loaded.mean, std=loaded.std, **form)
    history = nc.fit(
        net, x, y, epochs=2, batch_size=16, lr=0.01, schedule="one_cycle", progress=False
    )
    measured = nc.evaluate(net, *held)
    row = table(tmp_path)[0]
    assert (row["accuracy"], row["loss"]) == (
        measured["accuracy"],
        pytest.approx(measured["loss"], rel=1e-6),
    )
    assert row["train_accuracy"] == history["accuracy"][-1]


def test_the_test_set_is_measured_only_where_the_study_says_so(run, data, tmp_path):
    study = tiny()
    run({"tiny": Study(study.claim, study.variants, minutes=1, test=True)})
    assert {(row["measured_on"], row["measured_images"]) for row in table(tmp_path)} == {
        ("test images", 30)
    }


def test_the_same_seed_gives_the_same_numbers_in_processes_too(run, tmp_path):
    run({"tiny": tiny()})
    alone = [(row["accuracy"], row["loss"]) for row in table(tmp_path)]
    (tmp_path / "out").rename(tmp_path / "first")
    run({"tiny": tiny()}, jobs=2)
    assert [(row["accuracy"], row["loss"]) for row in table(tmp_path)] == alone
    assert len(set(alone)) == 4  # seeds and variants differ


def test_the_picture_of_costs_has_ticks_that_people_read(tmp_path, monkeypatch):
    ticks, name_points = [], results.figures.name_points

    def spy(axes, points):
        name_points(axes, points)
        ticks.append([label.get_text() for label in axes.get_xticklabels()])

    monkeypatch.setattr(results.figures, "name_points", spy)
    rows = [
        {
            "variant": str(size),
            "seed": 0,
            "status": "done",
            "accuracy": 0.9,
            "parameters": size,
            "seconds": size / 1e4,
        }
        for size in (8e3, 2e5, 4e7)
    ]
    results.figures.cost(tmp_path / "cost.png", {"architectures": rows})
    assert {"10,000", "1 M"} <= set(ticks[0])
    assert {"1", "100", "1,000"} <= set(ticks[1])


def test_what_did_not_train_does_not_squeeze_the_others_together(tmp_path, monkeypatch):
    limits, plot_variants = [], results.figures.plot_variants

    def spy(axes, *args):
        plot_variants(axes, *args)
        limits.append(axes.get_xlim())

    monkeypatch.setattr(results.figures, "plot_variants", spy)
    rows = [
        {"variant": v, "seed": 0, "status": "done", "accuracy": a}
        for v, a in (("a", 0.9), ("b", 0.86), ("c", 0.1))
    ]
    results.figures.study(tmp_path / "a.png", "tiny", tiny(), rows)
    results.figures.study(tmp_path / "a.png", "tiny", tiny(), rows[:2])
    assert limits[0] == pytest.approx((85, 91))  # a quarter of what lies between them on each side
    assert limits[1][0] > 85


def test_a_mean_says_which_runs_it_is_without():
    rows = [{"variant": "a", "seed": i, "status": "done", "accuracy": 0.9} for i in range(2)]
    rows.append({"variant": "a", "seed": 2, "status": "diverged"})
    table = results.variants_table(tiny(), rows)
    assert table[-1] == "| a (1 of 3 diverged) | 90.00 % |"


def test_several_processes_have_one_thread_each():
    study = tiny(plain={})
    threads = [
        plan.plan("tiny", study, plan.pathlib.Path("out"), jobs, {"seeds": 1}, str, print)[
            "plain", 0
        ]["threads"]
        for jobs in (1, 2, -1)
    ]
    assert threads == [nc.backend.threads(), 1, 1]


# ---- resume -----------------------------------------------------------------------------------


def test_what_is_done_is_not_done_again(run, trained, tmp_path):
    first, _ = run({"tiny": tiny()})
    assert trained == [0, 1, 0, 1]
    again, _ = run({"tiny": tiny()})
    assert trained == [0, 1, 0, 1]
    assert again == first
    run({"tiny": tiny()}, seeds=3)
    assert trained == [0, 1, 0, 1, 2, 2]
    run({"tiny": tiny()}, epochs=1)
    assert len(trained) == 10  # other settings are other jobs


def test_results_of_other_code_are_told(run, monkeypatch):
    _, lines = run({"tiny": tiny()}, seeds=1)
    assert not any("other code" in line for line in lines)
    monkeypatch.setattr(studies.runner, "code", lambda: "changed")
    _, lines = run({"tiny": tiny()}, seeds=1)
    assert (
        lines[-1]
        == "2 of 2 results are of other code than this; to have them anew, give another --out"
    )


@pytest.fixture
def package(tmp_path):
    """A copy of the package's Python files, to change."""
    source = plan.PACKAGE
    for path in source.rglob("*.py"):
        copy = tmp_path / "package" / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path / "package"


def replaced(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_moved_and_reworded_code_is_the_same_code(package):
    assert plan.code(package) == plan.code()
    source = package / "ops" / "loss.py"
    text = source.read_text(encoding="utf-8")
    assert "from ..errors import" in text
    moved = package / "training" / "deeper" / "cost.py"
    moved.parent.mkdir()
    moved.write_text(
        '"""Another docstring."""\n'
        + text.partition('"""\n')[2].replace("from ..", "from ....")
        + "\n\n# a comment\n",
        encoding="utf-8",
    )
    source.unlink()
    (package / "report" / "html.py").write_text("")  # no part in training
    plan.code.cache_clear()
    assert plan.code(package) == plan.code()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("training/loop.py", "def fit(", "def fit_now("),
        ("optim.py", "0.999", "0.99"),
        ("data/augment.py", "x[:, :, ::-1]", "x[:, ::-1]"),
        ("studies/job.py", "HELD = 5_000", "HELD = 6_000"),
    ],
)
def test_changed_code_is_other_code(package, file, old, new):
    replaced(package / file, old, new)
    assert plan.code(package) != plan.code()


def test_a_new_file_is_other_code(package):
    (package / "layers" / "new.py").write_text("x = 1\n")
    assert plan.code(package) != plan.code()


def test_other_data_is_another_job(run, trained, data):
    run({"tiny": tiny()}, seeds=1)
    with np.load(data) as arrays:
        changed = dict(arrays)
    changed["x_train"][0, 0, 0] ^= 1
    np.savez(data, **changed)
    run({"tiny": tiny()}, seeds=1)
    assert trained == [0, 0, 0, 0]


def test_a_stopped_job_goes_on_where_it_was(run, tmp_path, monkeypatch):
    run({"tiny": tiny()}, seeds=1)
    whole = [(row["accuracy"], row["loss"]) for row in table(tmp_path)]
    (tmp_path / "out").rename(tmp_path / "first")
    end_epoch, epochs = FitRun.end_epoch, []

    def stop(self, validate=None):
        end_epoch(self, validate)
        epochs.append(self.history.epochs)
        if len(epochs) == 3:  # the first epoch of the second job
            raise KeyboardInterrupt

    monkeypatch.setattr(FitRun, "end_epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        run({"tiny": tiny()}, seeds=1)
    assert not (tmp_path / "out" / "tiny.csv").exists()
    run({"tiny": tiny()}, seeds=1)
    assert epochs == [
        1,
        2,
        1,
        2,
    ]  # the first job is not run again, the second not from its beginning
    assert [(row["accuracy"], row["loss"]) for row in table(tmp_path)] == whole


def test_finished_jobs_keep_no_checkpoints(run, tmp_path):
    run({"tiny": tiny()})
    left = {path.name for path in (tmp_path / "out" / "runs").rglob("*") if path.is_file()}
    assert left == {"result.json", "history.csv"}


def test_studies_share_the_jobs_that_they_have_in_common(run, trained, tmp_path):
    found, _ = run(
        {
            "tiny": tiny(),
            "other": tiny(narrow={"filters": (4,), "kernel_size": 3}, deep={"depth": 2}),
        }
    )
    assert len(trained) == 6  # "plain" and "narrow" are the same
    assert found["studies"].keys() == {"tiny", "other"}
    plain = [row["loss"] for row in table(tmp_path, "tiny") if row["variant"] == "plain"]
    assert plain == [row["loss"] for row in table(tmp_path, "other") if row["variant"] == "narrow"]


# ---- what goes wrong --------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", '{"row"', "[]", "{}"])
def test_a_damaged_result_is_named_and_the_other_jobs_go_on(run, trained, tmp_path, content):
    run({"tiny": tiny()}, seeds=1)
    path = min((tmp_path / "out" / "runs").rglob("result.json"))
    path.write_text(content)
    found, lines = run({"tiny": tiny()}, seeds=1)
    assert (found["failed"], len(trained)) == (1, 2)
    assert any(f"{path} is damaged; delete it" in line for line in lines)
    path.unlink()
    assert run({"tiny": tiny()}, seeds=1)[0]["failed"] == 0


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failing_job_does_not_stop_the_others(run, tmp_path, jobs):
    broken = tiny(plain={}, broken={"optimizer": "adamm"}, wide={"filters": (6,)})
    found, lines = run({"tiny": broken}, jobs=jobs)
    assert found["failed"] == 2
    assert found["studies"]["tiny"]["failed"] == 2
    status = {(row["variant"], row["status"]) for row in table(tmp_path)}
    text = "failed: UnknownNameError: unknown optimiser 'adamm'; did you mean adam or adamw?"
    assert status == {("plain", "done"), ("broken", text), ("wide", "done")}
    assert sum(text in line for line in lines) == 2
    assert "broken (2 of 2 failed: UnknownNameError" in (tmp_path / "out" / "README.md").read_text()


def test_a_failed_job_is_tried_again(run, monkeypatch, tmp_path):
    build, broken = job.build, [True]

    def fail(settings, *args):
        if broken and settings["filters"] == [6]:
            raise MemoryError("no room")
        return build(settings, *args)

    monkeypatch.setattr(job, "build", fail)
    assert run({"tiny": tiny()})[0]["failed"] == 2
    broken.clear()
    assert run({"tiny": tiny()})[0]["failed"] == 0
    assert {row["status"] for row in table(tmp_path)} == {"done"}


def test_divergence_is_a_result(run, tmp_path, trained):
    wild = tiny(plain={}, wide={"optimizer": "sgd", "lr": 1e30, "schedule": "constant"})
    found, _ = run({"tiny": wild})
    assert found["failed"] == 0
    assert [row["status"] for row in table(tmp_path)] == ["done", "done", "diverged", "diverged"]
    assert found["studies"]["tiny"]["verdict"] == "does not hold"  # wide > plain
    assert "wide (2 of 2 diverged)" in (tmp_path / "out" / "README.md").read_text()
    run({"tiny": wild})
    assert len(trained) == 4


@pytest.mark.parametrize(("jobs", "code"), [(1, errno.ENOSPC), (2, errno.EDQUOT)])
def test_a_full_disk_stops_everything_in_one_line_and_loses_nothing(
    run, monkeypatch, trained, tmp_path, jobs, code
):
    before = backend.backend(), backend.threads()
    run({"tiny": tiny()}, seeds=1)
    kept = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    jobs_run = []

    def full(path, content):
        raise OSError(code, "No space left on device; the file was not saved", str(path))

    def attempt(one):
        jobs_run.append(one)
        return runner_attempt(one)

    runner_attempt = runner.attempt
    monkeypatch.setattr(runner, "attempt", attempt)
    monkeypatch.setattr(files, "write", full)
    if jobs == 2:  # threads stand for processes
        joblib = pytest.importorskip("joblib")
        with (
            joblib.parallel_config(backend="threading"),
            pytest.raises(OSError, match="the disk is full") as caught,
        ):
            run({"tiny": tiny()}, seeds=3, jobs=2)
        backend.use(*before)  # what a process would not have changed here
    else:
        with pytest.raises(
            OSError, match="the disk is full; free some space and give the same command"
        ) as caught:
            run({"tiny": tiny()}, seeds=3)
        assert len(jobs_run) == 2  # the one that was done is read, the next one stops everything
    assert caught.value.errno == code
    assert {path: path.read_bytes() for path in kept} == kept
    monkeypatch.undo()
    found, _ = run({"tiny": tiny()}, seeds=3)
    assert found["failed"] == 0
    assert len(table(tmp_path)) == 6


def test_a_disk_that_is_full_when_the_table_is_written(run, monkeypatch, tmp_path):
    run({"tiny": tiny()}, seeds=1)
    old = (tmp_path / "out" / "tiny.csv").read_text()
    write = files.write

    def full(path, content):
        if str(path).endswith(".csv") and "runs" not in str(path):
            raise OSError(
                errno.ENOSPC, "No space left on device; the file was not saved", str(path)
            )
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write", full)
        with pytest.raises(OSError, match="the disk is full"):
            run({"tiny": tiny()})
    assert (tmp_path / "out" / "tiny.csv").read_text() == old
    run({"tiny": tiny()})
    assert len(table(tmp_path)) == 4


def test_what_is_checked_before_anything_starts(run, tmp_path, trained, monkeypatch):
    with pytest.raises(UnknownNameError, match="did you mean mnist"):
        run({"tiny": tiny()}, data="mnits")
    with pytest.raises(DatasetError, match="no such file"):
        run({"tiny": tiny()}, data="missing.npz")
    monkeypatch.setattr(runner.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        MissingPackage, match=r'joblib is not installed: pip install "numpycnn\[study\]"'
    ):
        run({"tiny": tiny()}, jobs=2)
    assert runner.processes(None) == 1
    assert not trained
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").write_text("a file")
    with pytest.raises(RunFolderError, match="is a file"):
        run({"tiny": tiny()})


def test_a_missing_scikit_learn_is_told_before_anything_starts(run, trained, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn", None)
    with pytest.raises(
        MissingPackage, match=r'scikit-learn is not installed: pip install "numpycnn\[study\]"'
    ):
        run({"tiny": tiny(), "baselines": STUDIES["baselines"]})
    assert not trained


# ---- settings ---------------------------------------------------------------------------------


def planned(study, **given):
    return plan.plan(
        "tiny", study, plan.pathlib.Path("out"), 1, given, lambda source: "hash", print
    )


def test_given_settings_replace_the_largest_and_leave_less():
    study = tiny(plain={"epochs": 8}, short={"epochs": 1}, few={"epochs": 8, "limit": 50})
    jobs = planned(study, epochs=3, limit=100, seeds=1)
    settings = {variant: one["facts"]["settings"] for (variant, _), one in jobs.items()}
    chosen = {variant: (one["epochs"], one["limit"]) for variant, one in settings.items()}
    assert chosen == {"plain": (3, 100), "short": (1, 100), "few": (3, 50)}
    assert planned(study, limit=20, seeds=1)["few", 0]["facts"]["settings"]["limit"] == 20


def test_a_data_set_that_is_not_here_is_left_out(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("NUMPYCNN_DATA", str(tmp_path))
    monkeypatch.setenv("NUMPYCNN_CACHE", str(tmp_path / "cache"))
    jobs = planned(tiny(plain={}, other={"data": "kmnist"}), seeds=1)
    assert list(jobs) == [("plain", 0)]
    assert "other is left out: kmnist is not on this machine" in capsys.readouterr().out
    (tmp_path / "kmnist").mkdir()
    (tmp_path / "kmnist" / "t10k-labels-idx1-ubyte.gz").write_bytes(b"x")
    assert len(planned(tiny(plain={}, other={"data": "kmnist"}), seeds=1)) == 2


def test_rare_classes_weights_and_sampling(data):
    loaded = nc.data.load(data)
    base = {**studies.definitions.DEFAULTS, "limit": 60, "rare": {"class": 1, "share": 0.1}}
    (x, y), held = job.images(base, loaded)
    assert np.bincount(y).tolist() == [20, 2, 20]
    assert np.bincount(held[1]).tolist() == [7, 7, 6]
    (x, y), _ = job.images({**base, "balance": "sampling"}, loaded)
    assert np.bincount(y).tolist() == [20, 20, 20]
    assert len(x) == 60
    assert len(np.unique(x[y == 1], axis=0)) == 2


def test_the_rare_class_is_weighed(run, data, monkeypatch, tmp_path):
    seen, fit = [], loop.fit
    monkeypatch.setattr(loop, "fit", lambda *a, **k: seen.append(k["class_weight"]) or fit(*a, **k))
    rare = {"class": 1, "share": 0.1}
    run({"tiny": tiny(plain={"rare": rare}, wide={"rare": rare, "balance": "weights"})}, seeds=1)
    assert seen[0] is None
    counts = np.array([27, 3, 27])  # of the 80, a tenth of the 27 of class 1
    np.testing.assert_allclose(seen[1], counts.sum() / (3 * counts))
    for row in table(tmp_path):
        assert row["rare_recall"] == pytest.approx(
            float(row["recall"].split("; ")[1].split()[-1]), abs=1e-4
        )


def test_a_class_may_be_named_like_a_list_of_recalls():
    row = {"variant": "plain", "status": "done", "recall": "a; b 0.5000; x 0.1 0.2500"}
    assert results.recalls([row])[-3:] == [
        "| variant | a; b | x 0.1 |",
        "|---|---|---|",
        "| plain | 50.0 | 25.0 |",
    ]


def test_recall_of_each_class_by_its_name():
    rows = [
        {"variant": "plain", "status": "done", "recall": text}
        for text in ("T-shirt/top 0.9; Ankle boot 0.5", "T-shirt/top 0.8; Ankle boot 0.7")
    ]
    rows += [{"variant": "wild", "status": "diverged", "recall": None}]
    assert results.recalls(rows)[-3:] == [
        "| variant | T-shirt/top | Ankle boot |",
        "|---|---|---|",
        "| plain | 85.0 | 60.0 |",
    ]


def test_dropout_that_is_left_on(data):
    net = nc.models.build(
        "alexnet", 0, filters=(2,), hidden=(30,), dropout=0.5, classes=3, input_shape=(12, 12, 1)
    )
    x = nc.data.load(data).x_test
    quiet = loop.logits(net, x)
    assert not np.allclose(job.noisy_logits(net, x), quiet)
    silent = nc.models.build(
        "alexnet", 0, filters=(2,), dropout=0, classes=3, input_shape=(12, 12, 1)
    )
    np.testing.assert_allclose(
        job.noisy_logits(silent, x), loop.logits(silent, x), rtol=1e-4, atol=1e-5
    )


def test_lsuv_and_other_initialisations(data):
    loaded = nc.data.load(data)
    settings = {**studies.definitions.DEFAULTS, **SMALL, "batch_norm": False, "init": "lsuv"}
    net = job.build(settings, loaded, 0, loaded.x_train)
    conv = net.layers[1]
    y, _ = conv.forward(net.layers[0].forward(loaded.x_train[: job.BATCH])[0])
    assert y.var() == pytest.approx(1, abs=0.1)


# ---- the definitions --------------------------------------------------------------------------

ISSUE = {
    "optimizer", "filter-size", "dropout", "hidden-units", "filters", "init", "activation",
    "batch-norm", "augmentation", "batch-size", "head", "depth", "alexnet-74",
    "imbalance", "transfer",
}  # fmt: skip


def test_every_study_of_the_paper_is_there():
    assert STUDIES.keys() >= ISSUE | {"architectures", "baselines"}


@pytest.mark.parametrize("name", STUDIES)
def test_definitions_can_be_built(name):
    """Every variant's network, optimiser and augmentation exist; statements name variants."""
    study = STUDIES[name]
    jobs = plan.plan(name, study, plan.pathlib.Path("out"), 1, {"seeds": 1}, str, lambda line: None)
    assert len({one["folder"] for one in jobs.values()}) == len(
        jobs
    )  # no variant is another one's twin
    for one in jobs.values():
        settings = one["facts"]["settings"]
        nc.data.augment.augmentation(settings["augment"])
        nc.schedule.named(settings["schedule"])
        if settings["model"] in studies.runner.baselines.BASELINES:
            continue
        arguments = {
            k: v
            for k, v in settings.items()
            if k not in studies.definitions.DEFAULTS and k != "init"
        }
        net = nc.models.build(settings["model"], **arguments)
        nc.optim.OPTIMIZERS[settings["optimizer"]](
            net.params(), settings["lr"], **settings["optimizer_arguments"]
        )
    parts = study.expect.values() if isinstance(study.expect, dict) else [study.expect]
    for left, relation, right, *measure in (statement for some in parts for statement in some):
        assert left in study.variants
        assert right in study.variants or not isinstance(right, str)
        assert relation in (">", "<", ">=", "within")
        assert not measure or measure[0] in results.COLUMNS
    assert set(study.shown) <= studies.results.figures.LABELS.keys()
    assert (study.expect or study.target is not None) and study.minutes > 0  # noqa: PT018


# ---- the command line -------------------------------------------------------------------------


@pytest.fixture
def command(capsys):
    """command(...) -> exit code, standard output, standard error."""

    def call(*arguments):
        try:
            code = parser.main(["study", *map(str, arguments)])
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return call


def test_the_command(command, data, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        studies, "STUDIES", {"tiny": tiny(), "other": tiny(plain={}, broken={"optimizer": "x"})}
    )
    code, out, err = command(
        "tiny", "--data", data, "--seeds", 2, "--jobs", 1, "--quick", "--epochs", 1, "--json"
    )
    assert code == 0, err
    result = json.loads(out)
    assert result["studies"]["tiny"]["statements"][0]["text"].startswith("wide > plain")
    assert "[4/4]" in err
    typed = (tmp_path / "runs" / "studies-quick" / "README.md").read_text()
    assert f"numpycnn study tiny --quick --seeds 2 --epochs 1 --data {data}\n" in typed
    assert (result["trial"], result["studies"]["tiny"]["trial"]) == (True, True)
    code, out, err = command("all", "--data", data, "--seeds", 1, "--jobs", 1, "--out", "here")
    assert code == 1
    assert out.splitlines()[-1] == f"Results: {tmp_path / 'here' / 'README.md'}"
    assert (
        err.splitlines()[-1] == "numpycnn study: 1 jobs failed; the same command tries them again"
    )


def test_a_trial_says_so_on_every_output(command, data, monkeypatch, tmp_path):
    """Page, table, picture, terminal and JSON; a real study does not say it."""
    titles = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(studies, "STUDIES", {"tiny": tiny()})
    monkeypatch.setattr(figures, "wrapped", lambda text, width: titles.append(text) or text)
    for more, trial in ((["--quick"], True), ([], False)):
        titles.clear()
        arguments = ["tiny", "--data", data, "--seeds", 2, "--epochs", 1, "--jobs", 1, *more]
        code, out, err = command(*arguments, "--out", f"out {trial}")
        page = (tmp_path / f"out {trial}" / "README.md").read_text()
        rows = results.read_csv(tmp_path / f"out {trial}" / "tiny.csv")
        assert code == 0
        assert (
            "tiny           trial, no verdict\nA trial: its numbers mean nothing" in out
        ) == trial
        assert ("tiny: trial, no verdict" in err) == trial
        assert ("**Trial** (tiny): " in page) == trial
        assert ("| **trial, no verdict** |" in page) == trial
        assert ("Verdict: **trial, no verdict**." in page) == trial
        assert ("- trial: wide > plain" in page) == trial
        assert (" hold, " in page) != trial
        assert {row["trial"] for row in rows} == {"trial" if trial else None}
        assert titles[0].startswith("TRIAL: tiny" if trial else "tiny")
        assert ("Verdict: trial, no verdict." in titles[1]) == trial
        assert "trial" in out + err + page or not trial
        results.republish(tmp_path / f"out {trial}", {"tiny": tiny()})
        assert (tmp_path / f"out {trial}" / "README.md").read_text() == page


def test_the_list(command):
    code, out, _ = command("--list", "--json")
    assert code == 0
    listed = json.loads(out)["studies"]
    assert list(listed) == list(STUDIES)
    assert listed["optimizer"]["claim"] == "Adam is better than SGD"
    code, out, _ = command("--list")
    assert all(name in out for name in STUDIES)


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ([], 2, "name a study, or all; --list shows them"),
        (["optimiser"], 2, "unknown study 'optimiser'; did you mean optimizer"),
        (["head", "--seeds", "0"], 2, "at least 1"),
        (["head", "--data", "mnits"], 2, "did you mean mnist"),
        (["head", "--data", "no.npz"], 3, "no such file"),
        (["head", "--data", "synthetic", "--out", "/dev/null/x"], 1, "choose another --out"),
    ],
)
def test_mistakes_get_one_line(command, arguments, code, text):
    came, out, err = command(*arguments)
    assert (came, out) == (code, "")
    assert text in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"epoch": 2}, UnknownNameError, "unknown setting of a study 'epoch'; did you mean epochs"),
        ({"seeds": 0}, ValueError, "seeds must be at least 1"),
        ({"jobs": 0}, ValueError, "jobs must be at least 1, or -1"),
        ({"jobs": -2}, ValueError, "jobs must be at least 1, or -1"),
    ],
)
def test_settings_that_mean_nothing_are_refused_before_anything_starts(
    run, tmp_path, settings, kind, message
):
    with pytest.raises(kind, match=message):
        run({"tiny": tiny()}, **settings)
    assert not (tmp_path / "out").exists()

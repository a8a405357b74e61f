"""Studies on a real dask cluster of this machine, and under Ray: workers that die or differ."""

import contextlib
import os
import pathlib
import signal
import threading
import time

import numpy as np
import pytest

from numpycnn import studies
from numpycnn.errors import MissingPackage, RankError
from numpycnn.studies import Study, cluster, runner
from tests.helpers import ROOT

pytestmark = pytest.mark.filterwarnings("ignore:class.* never predicted", "ignore:invalid value")
SETTINGS = {"filters": (4,), "depth": 1, "dropout": (0,), "batch_size": 16, "limit": None}
VARIANTS = {name: {**SETTINGS, "epochs": n} for name, n in (("short", 1), ("long", 2))}
STUDY = {"tiny": Study("a claim", VARIANTS, minutes=1, expect=(("long", ">", "short"),))}


@pytest.fixture
def run(tmp_path):
    """run(out, **settings) -> what studies.run returns, and the lines that it said."""
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = rng.integers(0, 200, (90, 8, 8, 1)).astype(np.uint8)
    np.savez(tmp_path / "data.npz", x_train=x[:60], y_train=y[:60], x_test=x[60:], y_test=y[60:])

    def call(out, then=lambda: None, **settings):
        lines = []

        def say(line):
            lines.append(line)
            if line.startswith("[1/"):
                then()

        settings = {"data": str(tmp_path / "data.npz"), "seeds": 2, **settings}
        return studies.run(STUDY, tmp_path / out, say=say, **settings), lines

    return call


@pytest.fixture(scope="module")
def workers():
    """A LocalCluster of two processes."""
    pytest.importorskip("distributed", reason="needs dask[distributed]")
    from distributed import LocalCluster

    with (
        cluster._quiet("distributed"),
        LocalCluster(2, threads_per_worker=1, dashboard_address=None) as found,
    ):
        yield found


def address(workers):
    return workers.scheduler_address.replace("tcp://", cluster.SCHEME)


def figures(folder):
    """{run: its row, but for what a clock measured}"""
    import json

    rows = {p.parent.name: json.loads(p.read_text())["row"] for p in folder.rglob("result.json")}
    return {
        name: {k: v for k, v in row.items() if "seconds" not in k and k != "threads"}
        for name, row in rows.items()
    }


def test_the_job_of_a_killed_worker_is_done_again_to_the_same_figures(run, workers, tmp_path):
    pid = next(iter(workers.workers.values())).pid
    found, lines = run("far", on=address(workers), then=lambda: os.kill(pid, signal.SIGKILL))
    assert found["failed"] == 0, lines
    assert len(figures(tmp_path / "far")) == 4
    assert not list((tmp_path / "far").glob(".shared*"))
    run("near", jobs=1)
    assert figures(tmp_path / "far") == figures(tmp_path / "near")


def test_other_code_on_a_worker_is_refused(run, workers, monkeypatch, tmp_path):
    monkeypatch.setattr(cluster, "code", lambda: "other")
    with pytest.raises(RankError, match="has other code of numpycnn than this machine"):
        run("out", on=address(workers))
    assert not list(tmp_path.rglob("result.json"))


def test_a_folder_that_a_worker_does_not_share_is_refused(run, workers, monkeypatch, tmp_path):
    elsewhere = str(tmp_path / "elsewhere" / "mark"), "content"
    monkeypatch.setattr(cluster, "_mark", lambda out: contextlib.nullcontext(elsewhere))
    with pytest.raises(RankError, match=r"does not share the folder .*elsewhere: give --out where"):
        run("out", on=address(workers))


def test_a_scheduler_that_goes_away_leaves_what_is_done(run, workers, tmp_path):
    """The last test that needs the cluster."""
    with pytest.raises(RankError, match=r"the scheduler at dask://.* went away; finished jobs are"):
        run("out", on=address(workers), then=workers.close)
    done = len(figures(tmp_path / "out"))
    assert done >= 1
    found, _ = run("out", jobs=1)
    assert found["failed"] == 0
    assert len(figures(tmp_path / "out")) == 4


def test_what_is_refused_before_anything_starts(run, monkeypatch, tmp_path):
    for wrong in ("tcp://host:8786", "dask://host", "ray://host:1"):
        with pytest.raises(ValueError, match="expected dask://HOST:PORT"):
            run("out", on=wrong)
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(MissingPackage, match=r"numpycnn\[cluster\]"):
        run("out", on="dask://127.0.0.1:1")
    assert not (tmp_path / "out").exists()


def test_nobody_answers(run, monkeypatch):
    pytest.importorskip("distributed", reason="needs dask[distributed]")
    monkeypatch.setattr(cluster, "ANSWER", 0.5)
    with pytest.raises(RankError, match=r"the scheduler at dask://127\.0\.0\.1:1 does not answer"):
        run("out", on="dask://127.0.0.1:1")


def test_a_worker_that_dies_under_ray_gets_the_sentence_of_one_that_dies_here(run, monkeypatch):
    """Ray comes through joblib, and is known by the name of its errors' module."""
    joblib = pytest.importorskip("joblib")
    died = type("ActorDiedError", (Exception,), {"__module__": "ray.exceptions"})

    def dying(*_, **__):
        raise died("the actor died unexpectedly")

    monkeypatch.setattr(joblib, "Parallel", lambda *_, **__: dying)
    with pytest.raises(OSError, match=r"a process of a study was killed.* finished jobs are kept"):
        run("out", jobs=2)
    assert not runner._of_ray(ValueError())


@pytest.mark.skipif(not pathlib.Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_a_worker_of_a_real_ray_is_killed(run, monkeypatch, tmp_path):
    """As soon as a job is done, which is then kept."""
    ray = pytest.importorskip("ray")
    joblib = pytest.importorskip("joblib")
    ray_joblib = pytest.importorskip("ray.util.joblib")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setitem(VARIANTS, "long", {**SETTINGS, "epochs": 500})
    ray.init(num_cpus=2, include_dashboard=False, configure_logging=False, log_to_driver=False)
    try:
        ray_joblib.register_ray()
        killer = threading.Thread(target=kill_when_one_is_done, args=(tmp_path / "out",))
        killer.start()
        with (
            joblib.parallel_backend("ray"),
            pytest.raises(
                OSError, match=r"a process of a study was killed.* finished jobs are kept"
            ),
        ):
            run("out", jobs=2)
        killer.join()
    finally:
        ray.shutdown()
    assert 1 <= len(figures(tmp_path / "out")) < 4


def kill_when_one_is_done(folder):
    """Ray's actors, which do jobs."""
    end = time.monotonic() + 60
    while not list(folder.rglob("result.json")) and time.monotonic() < end:
        time.sleep(0.05)
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"ray::PoolActor" in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)

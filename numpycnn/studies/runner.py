"""Runs the jobs of studies: side by side, resumable, one failure without the others.

    from numpycnn.studies import STUDIES, run
    run({"optimizer": STUDIES["optimizer"]}, "runs/studies", jobs=4)

With joblib.parallel_config(backend="dask") or a Ray backend around it, the same jobs run on that
cluster, with jobs=-1 on all of it; its machines must share the folder and the data.
"""

import contextlib
import errno
import functools
import importlib.util
import pathlib
import time
import warnings

from .. import backend, data, files
from ..errors import MissingPackage, RunFolderError, unknown
from . import baselines, cluster, results
from .full import ENDING
from .job import perform
from .plan import QUICK, code, plan
from .verdict import format_value

GIVEN = "seeds", "epochs", "limit", "measure_most", "data"
FULL = (errno.ENOSPC, errno.EDQUOT)


def run(studies, out, *, jobs=None, on=None, quick=False, say=print, command="", **given):
    """Run studies, {name: Study}, into the folder `out` -> {"out", "failed", "trial",
    "studies"}.

    "studies": {name: what results.publish returns}. `given`: seeds (how many, from 0 on), epochs,
    limit and data replace those of the studies (plan.resolve). `quick`: a trial in minutes.
    `jobs`: processes, each with one thread (by default one a core, where joblib is installed); a
    single one has all threads. `on`: "dask://host:port", a cluster that does them instead
    (cluster.py). What is done in `out` is not run again. `command`: what to type to reproduce the
    results, with STUDY for the study's name; it is written into the tables. A table of the same
    command keeps its rows of other seeds, and each of the others until its job has ended anew.

    Raises, before anything starts, UnknownNameError, ValueError, DatasetError, MissingPackage,
    RunFolderError for a table of another command, and OSError for a folder that cannot be written;
    OSError when the disk is full, and RankError for a cluster that fails: finished jobs are kept.
    """
    out = pathlib.Path(out).absolute()
    if out.exists() and not out.is_dir():
        raise RunFolderError(f"{out} is a file; expected a folder, or a name that is free")
    files.check_writable(out)
    address = cluster.check(on) if on else None
    jobs = -1 if on else processes(jobs)
    for key, value in given.items():
        if key not in GIVEN:
            raise unknown("setting of a study", key, GIVEN)
        if key != "data" and value is not None and value < 1:
            raise ValueError(f"{key} must be at least 1, not {value!r}")
    for name in studies:
        results.check(out, name, _typed(command, name))
    given = (QUICK if quick else {}) | {
        key: value for key, value in given.items() if value is not None
    }
    sha256_of = functools.cache(lambda source: data.load(source).sha256)
    planned = {
        name: plan(name, study, out, jobs, given, sha256_of, say) for name, study in studies.items()
    }
    everything = {job["folder"]: job for some in planned.values() for job in some.values()}
    if any(job["facts"]["settings"]["model"] in baselines.BASELINES for job in everything.values()):
        baselines.require()
    try:
        ended = outcomes(list(everything.values()), jobs, address, out)
        return finish(studies, planned, list(everything.values()), out, ended, say, command, quick)
    except OSError as error:
        if error.errno not in FULL:
            raise
        advice = (
            "the disk is full; free some space and give the same command again: "
            "finished jobs are kept"
        )
        raise OSError(error.errno, advice, error.filename) from error


def processes(jobs):
    """How many run side by side. Raises MissingPackage when several are and joblib is missing."""
    there = importlib.util.find_spec("joblib") is not None
    if jobs is None:
        return backend.threads() if there else 1
    if jobs == 0 or jobs < -1:
        raise ValueError(f"jobs must be at least 1, or -1 for all that there is, not {jobs!r}")
    if jobs != 1 and not there:
        raise MissingPackage("joblib", "study")
    return jobs


def finish(studies, planned, everything, out, outcomes, say, command, quick=False):
    """Take the jobs' outcomes, publish each study when its last one has come -> what run returns.

    One at full length is published whenever a job of it has ended.
    """
    rows, published, failed = {}, {}, 0
    clock = Clock(everything)
    users = {}  # of each folder: [(study, variant), ...]
    for name, some in planned.items():
        for (variant, _), job in some.items():
            users.setdefault(job["folder"], []).append((name, variant))
    with contextlib.closing(outcomes) as ended:
        for outcome in ended:
            folder = outcome["job"]["folder"]
            failed += "error" in outcome
            row = rows[folder] = outcome.get("row") or failure(outcome)
            who = "; ".join(f"{name}: {variant}" for name, variant in users[folder])
            count = f"[{clock.tick(outcome)}/{len(everything)}]"
            say(f"{count} {who}, seed {row['seed']}: {sentence(row)}{clock.left()}")
            for name in dict(users[folder]):
                there = [(v, job) for (v, _), job in planned[name].items() if job["folder"] in rows]
                if len(there) == len(planned[name]) or studies[name].last:  # hours: row by row
                    study_rows = [{"variant": v, **rows[job["folder"]]} for v, job in there]
                    published[name] = results.publish(
                        name, studies[name], study_rows, out, _typed(command, name), quick
                    )
                    if len(there) == len(planned[name]):
                        say(f"{name}: {published[name]['verdict']}")
    others = sum(row["status"] == "done" and row.get("code") != code() for row in rows.values())
    if others:
        say(
            f"{others} of {len(rows)} results are of other code than this; "
            "to have them anew, give another --out"
        )
    return {
        "out": str(out),
        "failed": failed,
        "trial": quick,
        "studies": {name: published[name] for name in studies if name in published},
    }


def _typed(command, name):
    return command.replace("STUDY", name.removesuffix(ENDING))


def outcomes(everything, jobs, address=None, out=None):
    """Yields attempt(job) of each, in the order in which they end.

    Raises OSError at once when the disk is full.
    """
    if address:
        ended = cluster.outcomes(attempt, everything, address, out)
    elif jobs == 1:
        ended = (attempt(job) for job in everything)
    else:
        ended = side_by_side(everything, jobs)
    with contextlib.closing(ended):
        for outcome in ended:
            if outcome.get("full"):
                raise OSError(outcome["full"], outcome["error"], outcome["job"]["folder"])
            yield outcome


def side_by_side(everything, jobs):
    """attempt(job) of each in processes, or by the backend of joblib that is chosen around this."""
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    chosen, _ = joblib.parallel.get_active_backend()
    kind = "generator_unordered" if chosen.supports_return_generator else "list"
    try:
        with warnings.catch_warnings():
            # those tasks are not lost: they are kept in their folders
            warnings.filterwarnings("ignore", message=".*tasks have been successfully executed")
            parallel = joblib.Parallel(jobs, return_as=kind, batch_size=1)
            yield from parallel(joblib.delayed(attempt)(job) for job in everything)
    except Exception as error:
        # Ray is known by its name alone; attempt returns a job's own errors
        if not isinstance(error, TerminatedWorkerError) and not _of_ray(error):
            raise
        raise OSError(
            errno.ECHILD, "a process of a study was killed, perhaps for want of memory; finished "
            "jobs are kept: give the same command again, with fewer --jobs"
        ) from error  # fmt: skip


def _of_ray(error):
    return type(error).__module__.partition(".")[0] == "ray"


def attempt(job):
    """{"job", "row", "seconds"} of a job, or {"job", "error", "full"} of one that failed.

    "full": the error's number where the disk was full, else None.
    """
    start = time.perf_counter()
    try:
        return {"job": job, "row": perform(job), "seconds": time.perf_counter() - start}
    except Exception as error:  # whatever it is, the other jobs go on, and the exit code tells
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"
        full = getattr(error, "errno", None)
        return {"job": job, "error": text, "full": full if full in FULL else None}


def failure(outcome):
    """The row of a job that failed."""
    return {"seed": outcome["job"]["facts"]["seed"], "status": f"failed: {outcome['error']}"}


def sentence(row):
    """What a row tells while the others still run."""
    if row["status"] != "done":
        return row["status"]
    accuracy = format_value(row["accuracy"], "accuracy")
    return f"{accuracy} in {format_value(row['seconds'], 'seconds')}"


class Clock:
    """How many jobs have ended, and how long the others will take by the studies' estimates."""

    def __init__(self, everything):
        self.start = time.perf_counter()
        self.ended = 0
        self.cost_left = sum(job["cost"] for job in everything)
        self.cost_run = 0.0

    def tick(self, outcome):
        """One more has ended -> how many have.

        One whose result was there already says nothing about time.
        """
        self.ended += 1
        self.cost_left -= outcome["job"]["cost"]
        self.cost_run += outcome["job"]["cost"] if outcome.get("seconds", 0) > 0.5 else 0
        return self.ended

    def left(self):
        """For people; nothing where it is not known, or over."""
        if self.cost_left < 1e-6 or not self.cost_run:
            return ""
        seconds = (time.perf_counter() - self.start) * self.cost_left / self.cost_run
        return f"; about {files.duration(seconds)} left"

"""Contenders in processes of their own that take turns.

Each gets a fresh process: no allocator, thread pool or spinning worker of another is in its way,
and each can have its own environment. Only one runs at a time. Between two turns there is a pause,
because idle OpenMP and BLAS threads spin for up to a tenth of a second. A turn begins with one run
that is not timed, which brings the caches back. All take a turn in every round, so that a drift of
the machine meets all of them.
"""

import dataclasses
import importlib
import math
import multiprocessing
import os
import pathlib
import statistics
import sys
import time
import traceback

PAUSE = 0.15  # seconds between two turns
TURN = 0.4  # seconds that a turn should last
LONG = 1.0  # a run of so many seconds needs no other before it


def say(text):
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


@dataclasses.dataclass(frozen=True)
class Contender:
    """Somebody who does `job`: build(job, **options) -> a function that does one unit of work."""

    name: str
    build: object
    job: object
    imports: tuple = ()
    options: dict = dataclasses.field(default_factory=dict)
    environment: dict = dataclasses.field(default_factory=dict)

    @property
    def ours(self):
        return self.name.startswith("numpycnn")


@dataclasses.dataclass
class Result:
    """What was measured of a contender, in seconds; `missing` says why there is nothing."""

    name: str
    samples: list = dataclasses.field(default_factory=list)
    missing: str = ""
    info: dict = dataclasses.field(default_factory=dict)
    memory: dict = dataclasses.field(default_factory=dict)

    @property
    def median(self):
        return statistics.median(self.samples)

    @property
    def quartiles(self):
        if len(self.samples) < 2:
            return (self.median,) * 2
        low, _, high = statistics.quantiles(self.samples, n=4, method="inclusive")
        return low, high


def start(function, threads, *args, environment=None):
    """Run function(pipe, *args) in a fresh process -> (process, our end of the pipe)."""
    pools = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMPYCNN_THREADS")
    context, before = multiprocessing.get_context("spawn"), dict(os.environ)
    own, other = context.Pipe()
    os.environ.update({**dict.fromkeys(pools, str(threads)), **(environment or {})})
    try:
        process = context.Process(target=function, args=(other, *args))
        process.start()
    finally:
        os.environ.clear()
        os.environ.update(before)
    other.close()
    return process, own


def call(function, threads, *args):
    """function(*args) in a fresh process with that many threads -> its result."""
    process, pipe = start(_answer, threads, function, args)
    try:
        return pipe.recv()
    except EOFError:
        raise RuntimeError(f"{function.__name__} failed, see above") from None
    finally:
        process.join()


def _answer(pipe, function, args):
    os.dup2(2, 1)  # whatever is printed there goes to standard error
    pipe.send(function(*args))


def race(contenders, rounds, threads, quick=False):
    """Time the contenders in turns -> a Result each. Those of one name are variants: the fastest
    stays.
    """
    running, results = [], []
    try:
        for contender in contenders:
            say(f"  starting {contender.name}")
            process, pipe = start(_serve, threads, contender, environment=contender.environment)
            running.append((process, pipe))
            try:
                missing, info = pipe.recv()
            except EOFError:
                missing, info = "cannot run: its process died", {}
            if missing and contender.ours:
                raise RuntimeError(f"{contender.name}: {missing}")
            if contender.environment:
                info["environment"] = contender.environment
            results.append(Result(contender.name, missing=missing, info=info))
        turns = [(r, pipe) for r, (_, pipe) in zip(results, running, strict=True) if not r.missing]
        for number in range(rounds):
            say(f"  round {number + 1} of {rounds}")
            for result, pipe in turns:
                time.sleep(PAUSE)
                count = 1 if quick else max(1, min(20, round(TURN / result.info["warm_seconds"])))
                result.samples += _asked(result, pipe, count) or []
            turns = [(result, pipe) for result, pipe in turns if not result.missing]
        for result, pipe in turns:
            result.memory = _asked(result, pipe, 0) or {}
        for contender, result in zip(contenders, results, strict=True):
            if contender.ours and result.missing:
                raise RuntimeError(f"{contender.name}: {result.missing}")
    finally:
        for process, pipe in running:
            pipe.close()
            process.join()
    return _best_variants(results)


def _asked(result, pipe, count):
    """What a contender answers to the count.

    None if it died, which its result says from then on.
    """
    try:
        pipe.send(count)
        return pipe.recv()
    except (EOFError, OSError):
        result.missing, result.samples = f"died after {len(result.samples)} runs", []


def _serve(pipe, contender):
    """A contender's process: build, warm up, then as many timed runs as the pipe asks for.

    0 ends.
    """
    os.dup2(2, 1)
    try:
        for name in contender.imports:
            importlib.import_module(name)
        imported = memory_now()
        run, info = contender.build(contender.job, **contender.options)
        for done in range(3):
            seconds, value = _timed(run)
            if done and seconds > LONG:
                break
        if not math.isfinite(float(value)):
            raise FloatingPointError(f"its loss is {value}")
    except ImportError as error:
        pipe.send((f"missing: {error}", {}))
        return
    except Exception as error:
        traceback.print_exc()
        pipe.send(
            (f"cannot run: {type(error).__name__}: {str(error).strip().splitlines()[0][:200]}", {})
        )
        return
    pipe.send(("", {**info, "warm_seconds": seconds}))
    while True:
        try:
            count = pipe.recv()
        except EOFError:
            return
        if not count:
            pipe.send({"imported": imported, "peak": memory_peak()})
            return
        if seconds < LONG:
            run()
        pipe.send([_timed(run)[0] for _ in range(count)])


def _timed(run):
    begin = time.perf_counter()
    value = run()
    return time.perf_counter() - begin, value


def _best_variants(results):
    """Of the results of one name the fastest; what the others were stays in its info."""
    kept = {}
    for result in results:
        kept.setdefault(result.name, []).append(result)
    for variants in kept.values():
        variants.sort(key=lambda r: r.median if not r.missing else math.inf)
        others = [{**r.info, "samples": r.samples, "missing": r.missing} for r in variants[1:]]
        if others:
            variants[0].info["slower_variants"] = others
    return [variants[0] for variants in kept.values()]


def memory_now():
    """Resident memory of this process in bytes."""
    return _status("VmRSS")


def memory_peak():
    """Its peak. Not getrusage's ru_maxrss, in which a child starts with its parent's peak."""
    return _status("VmHWM")


def _status(key):
    try:
        lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    except OSError:  # not Linux
        return 0
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key + ":"))

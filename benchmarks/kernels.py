"""Each kernel against its NumPy reference in ops/: python -m benchmarks.kernels

A kernel is measurably faster if three quarters of its runs beat the fastest quarter of the
reference's. One that is not, all its shapes taken together, should be deleted (dense is kept:
README.md says why).
"""

import importlib
import pkgutil
import statistics
import time

import numpy as np

from .common import Report, arguments
from .drawing import bars, number
from .kernel_cases import cases
from .race import PAUSE, TURN, call, say


def main():
    args = arguments(__doc__.splitlines()[0])
    report = Report("kernels", args)
    say("kernels:")
    report.rows = call(measure, args.threads, args.threads, args.rounds, args.quick)
    for op in dict.fromkeys(r["op"] for r in report.rows):
        judge(report, op)
    columns = {
        "op": lambda r: r["op"],
        "shape": lambda r: r["shape"],
        "NumPy ms": lambda r: number(r.get("numpy_ms")),
        "numba ms": lambda r: number(r.get("numba_ms")),
        "times faster": lambda r: number(r.get("times")),
        "": lambda r: r["note"],
    }
    report.finish(columns, draw)


def judge(report, op):
    """Add up the op's shapes: is the twin worth keeping?"""
    rows = [r for r in report.rows if r["op"] == op and "times" in r]
    if rows:
        ours, theirs = (sum(r[f"{who}_ms"] for r in rows) for who in ("numba", "numpy"))
        faster = sum(r["numba_slow_ms"] for r in rows) < sum(r["numpy_fast_ms"] for r in rows)
        note = "" if faster else "NOT measurably faster: delete the twin"
        what = f"{op}, times faster over all shapes"
        report.check(what, theirs / ours, 1, least=True, note=note, holds=bool(faster))


def draw(figure, report):
    rows = [r for r in report.rows if "times" in r]
    figure.set_size_inches(9, 1 + 0.24 * len(rows))
    names, values = [f"{r['op']}  {r['shape']}" for r in rows], [r["times"] for r in rows]
    title = "kernel, times faster than its NumPy reference (blue: measurably)"
    axes = figure.subplots()
    bars(axes, title, names, values, [number(v) for v in values], [not r["note"] for r in rows])
    axes.axvline(1, color="#d9710a", linewidth=1)


# ---- in the process that is measured ----------------------------------------------------------


def measure(threads, rounds, quick):
    """A row for each twin and shape."""
    import numpycnn

    rows, made = [], cases()
    for op in twins():
        if op not in made:
            rows.append(
                {"op": op, "shape": "-", "note": "no case in benchmarks/kernel_cases.py: add one"}
            )
        for shape, make in made.get(op, ()):
            say(f"  {op} {shape}")
            seconds, runs = {"numba": [], "numpy": []}, {}
            for name in seconds:
                numpycnn.use(name, threads=threads)
                runs[name] = make()
                runs[name]()
            for _ in range(rounds):
                for name, samples in seconds.items():
                    numpycnn.use(name)
                    time.sleep(0 if quick else PAUSE)
                    samples += turn(runs[name], quick)
            rows.append(row(op, shape, seconds))
    return rows


def turn(run, quick):
    """Times of some runs, after one that is not timed."""
    times, end = [], time.perf_counter() + (0 if quick else TURN / 8)
    run()
    while not times or (time.perf_counter() < end and len(times) < 20):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return times


def row(op, shape, seconds):
    ours, theirs = seconds["numba"], seconds["numpy"]
    times = statistics.median(theirs) / statistics.median(ours)
    slow, fast = np.quantile(ours, 0.75), np.quantile(theirs, 0.25)
    return {
        "op": op, "shape": shape, "times": times,
        "numba_slow_ms": 1e3 * slow, "numpy_fast_ms": 1e3 * fast,
        "numpy_ms": 1e3 * statistics.median(theirs), "numba_ms": 1e3 * statistics.median(ours),
        "note": "" if slow < fast else "NOT measurably faster",
    }  # fmt: skip


def twins():
    """The names of all ops that have a kernel."""
    from numpycnn import backend, ops

    for found in pkgutil.iter_modules(ops.__path__):
        module = importlib.import_module(f"numpycnn.ops.{found.name}")
        for name, value in vars(module).items():
            own = hasattr(value, "check") and value.__module__ == module.__name__
            if own and backend._kernel(found.name, name):
                yield name


if __name__ == "__main__":
    main()

"""What the benchmarks share: contenders in processes of their own that take turns, tables, JSON, plots.

Each contender gets a fresh process: no allocator, thread pool or spinning worker of another is in its way, and each
can have its own environment. Only one runs at a time; between two turns there is a pause, because idle OpenMP and
BLAS threads spin for up to a tenth of a second. A turn begins with one run that is not timed, which brings the
caches back. All contenders take a turn in every round, so that a drift of the machine meets all of them.
"""

import argparse
import dataclasses
import datetime
import importlib
import importlib.metadata
import json
import math
import multiprocessing
import os
import pathlib
import platform
import statistics
import sys
import time
import traceback

PAUSE = 0.15  # seconds between two turns
TURN = 0.4  # seconds that a turn should last
PACKAGES = ("numpy", "numba", "llvmlite", "torch", "dezero", "matplotlib")


def arguments(description, **more):
    """The command line that all benchmarks have; `more` are further flags, {name: help}."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--quick", action="store_true", help="a trial of the command: its numbers mean nothing")
    parser.add_argument("--threads", type=int, default=2, help="threads of every contender (2)")
    parser.add_argument("--rounds", type=int, help="turns of each contender (15; --quick: 2)")
    parser.add_argument("--out", default="benchmarks/results", help="folder of the JSON and the plot")
    for name, text in more.items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    chosen = parser.parse_args()
    chosen.rounds = chosen.rounds or (2 if chosen.quick else 15)
    return chosen


def say(text):
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


# ---- contenders in processes of their own -------------------------------------------------------


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
    """Time the contenders in turns -> a Result each; contenders of one name are variants: the faster one stays."""
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
            info = {**info, **({"environment": contender.environment} if contender.environment else {})}
            results.append(Result(contender.name, missing=missing, info=info))
        turns = [(r, pipe) for r, (_, pipe) in zip(results, running, strict=True) if not r.missing]
        for number in range(rounds):
            say(f"  round {number + 1} of {rounds}")
            for result, pipe in turns:
                time.sleep(PAUSE)
                pipe.send(1 if quick else max(2, min(20, round(TURN / result.info["warm_seconds"]))))
                result.samples += pipe.recv()
        for result, pipe in turns:
            pipe.send(0)
            result.memory = pipe.recv()
    finally:
        for process, pipe in running:
            pipe.close()
            process.join()
    return _best_variants(results)


def _serve(pipe, contender):
    """A contender's process: build, warm up, then as many timed runs as the pipe asks for; 0 ends."""
    os.dup2(2, 1)
    try:
        for name in contender.imports:
            importlib.import_module(name)
        imported = memory_now()
        run, info = contender.build(contender.job, **contender.options)
        for _ in range(3):
            seconds, value = _timed(run)
        if not math.isfinite(float(value)):
            raise FloatingPointError(f"its loss is {value}")
    except ImportError as error:
        pipe.send((f"missing: {error}", {}))
        return
    except Exception as error:
        traceback.print_exc()
        pipe.send((f"cannot run: {type(error).__name__}: {str(error).strip().splitlines()[0][:200]}", {}))
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


# ---- tables, JSON, plots --------------------------------------------------------------------------


def machine(threads):
    """Where this was measured, and with what."""
    cpu = platform.processor() or platform.machine()
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "missing"
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "cpu": cpu, "cores": os.cpu_count(), "system": platform.platform(), "threads": threads,
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "load_before": load, "versions": versions,
    }  # fmt: skip


class Report:
    """The rows that a command measured, and the figures of issue 3 that it checks them against."""

    def __init__(self, command, args):
        self.command, self.args, self.rows, self.checks = command, args, [], []
        self.machine = machine(args.threads)
        load = self.machine["load_before"]
        if load and load > 0.5:
            say(f"the machine is busy (load {load:.2f}): do not trust what follows")

    def race(self, what, contenders):
        """Let them race, and add a row for each; ratio: our median over theirs. -> {name: Result}"""
        say(f"{what}:")
        results = race(contenders, self.args.rounds, self.args.threads, self.args.quick)
        ours = results[0]
        for r in results:
            row = {"what": what, "who": r.name}
            if r.missing:
                row["missing"] = r.missing
            else:
                low, high = r.quartiles
                row |= {"ms": 1e3 * r.median, "low": 1e3 * low, "high": 1e3 * high, "ratio": ours.median / r.median}
                row |= {"samples_ms": [1e3 * s for s in r.samples], "memory": r.memory}
            self.rows.append({**row, **r.info})
        return {r.name: r for r in results}

    def check(self, what, value, required=None, aim=None, unit="", least=False, note=""):
        """A figure beside what issue 3 requires of it: at most that, or with `least` at least."""
        holds = None
        if value is not None and required is not None:
            holds = value >= required if least else value <= required
        self.checks.append({"what": what, "value": value, "required": required, "aim": aim, "unit": unit,
                            "least": least, "holds": holds, "note": note})  # fmt: skip

    def ratio(self, what, results, names, required=None, aim=None, measure=lambda r: r.median):
        """Check the first result against the best of the others that begin with one of `names`."""
        ours, *others = results.values()
        rivals = [r for r in others if r.name.startswith(names) and not r.missing]
        if not rivals:
            missing = next((r.missing for r in others if r.name.startswith(names)), "missing")
            return self.check(what, None, required, aim, note=missing)
        best = min(rivals, key=measure)
        return self.check(what, measure(ours) / measure(best), required, aim, note=f"against {best.name}")

    def finish(self, columns, draw):
        """Write JSON and plot; print tables (or JSON). columns: {heading: function of a row}."""
        out = pathlib.Path(self.args.out)
        out.mkdir(parents=True, exist_ok=True)
        whole = {"command": self.command, "quick": self.args.quick, "machine": self.machine,
                 "checks": self.checks, "rows": self.rows}  # fmt: skip
        text = json.dumps(whole, indent=1, default=float)
        (out / f"{self.command}.json").write_text(text + "\n")
        plot(out / f"{self.command}.png", draw, self)
        if self.args.json:
            print(text)
            return
        versions = ", ".join(f"{name} {version}" for name, version in self.machine["versions"].items())
        m = self.machine
        print(f"{m['date']}, {m['cpu']}, {m['cores']} cores, {m['threads']} threads\n{versions}\n")
        print(table(columns, self.rows))
        if self.checks:
            print("\n" + table(CHECK_COLUMNS, self.checks))
        if self.args.quick:
            print("\n--quick: these numbers mean nothing.")
        print(f"\nwritten: {out / self.command}.json, .png")


def table(columns, rows):
    """A Markdown table that can be read as it is."""
    lines = [list(columns), *([str(cell(row)) for cell in columns.values()] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    lines.insert(1, ["-" * w for w in widths])
    return "\n".join("| " + " | ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) + " |" for r in lines)


def number(value, unit=""):
    """Three digits of a number; a dash for none."""
    if value is None:
        return "-"
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}".strip()


def _limit(key):
    return lambda c: "-" if c[key] is None else f"{'>=' if c['least'] else '<='} {number(c[key], c['unit'])}"


CHECK_COLUMNS = {
    "issue 3": lambda c: c["what"],
    "measured": lambda c: number(c["value"], c["unit"]),
    "required": _limit("required"),
    "aim": _limit("aim"),
    "holds": lambda c: {True: "yes", False: "NO", None: "-"}[c["holds"]],
    "": lambda c: c["note"],
}

TIME_COLUMNS = {
    "what": lambda r: r["what"],
    "who": lambda r: r["who"],
    "median ms": lambda r: number(r.get("ms")),
    "quartiles": lambda r: f"{number(r['low'])} - {number(r['high'])}" if "low" in r else "-",
    "ours / theirs": lambda r: number(r.get("ratio")),
    "": lambda r: r.get("missing") or r.get("note", "") or ", ".join(r.get("environment", {})),
}


def plot(path, draw, report):
    """draw(figure, report) into a PNG, without pyplot."""
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from numpycnn.plots import STYLE

    with style.context(STYLE):
        figure = Figure(figsize=(9, 5))
        FigureCanvasAgg(figure)
        draw(figure, report)
        m = report.machine
        note = f"{m['cpu']}, {m['threads']} threads, {m['date'][:10]}" + (", QUICK TRIAL" * report.args.quick)
        figure.supxlabel(note, fontsize=8, color="#616e7c", x=0.99, ha="right")
        figure.savefig(path, dpi=120)


def bars(axes, title, names, values, texts, marked, low=None, high=None):
    """Horizontal bars from the top down, the marked ones in blue, a text at the end of each."""
    from numpycnn.plots import BLUE, LINE

    places = range(len(names), 0, -1)
    axes.barh(places, values, color=[BLUE if m else "#a9b4bf" for m in marked], height=0.7)
    if low:
        error = [[v - a for v, a in zip(values, low, strict=True)], [b - v for v, b in zip(values, high, strict=True)]]
        axes.errorbar(values, list(places), xerr=error, fmt="none", ecolor="#1f2933", elinewidth=1)
    ends = high or values
    for place, end, text in zip(places, ends, texts, strict=True):
        axes.text(end + 0.01 * max(ends, default=1), place, f" {text}", va="center", fontsize=8)
    axes.set_yticks(list(places), names, fontsize=8)
    axes.tick_params(length=0)
    axes.set_xlim(0, 1.3 * max(ends, default=1))
    axes.spines["left"].set_color(LINE)
    axes.set_title(title, fontsize=10)


def time_bars(figure, report):
    """One panel a question, the medians with their quartiles."""
    questions = list(dict.fromkeys(r["what"] for r in report.rows))
    counts = [sum(r["what"] == q and "ms" in r for r in report.rows) for q in questions]
    figure.set_size_inches(9, 1 + 0.5 * len(questions) + 0.3 * sum(counts))
    panels = figure.subplots(len(questions), 1, squeeze=False, height_ratios=[c + 1 for c in counts])[:, 0]
    for axes, question in zip(panels, questions, strict=True):
        rows = [r for r in report.rows if r["what"] == question and "ms" in r]
        texts = [f"{number(r['ms'])} ms" + (f", ours / theirs {r['ratio']:.2f}" if i else "") for i, r in enumerate(rows)]
        names, values, low, high = ([r[key] for r in rows] for key in ("who", "ms", "low", "high"))
        bars(axes, f"{question}, ms (less is better)", names, values, texts, [n.startswith("numpycnn") for n in names], low, high)

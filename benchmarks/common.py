"""What the commands share: arguments, the report with its tables and JSON, the machine."""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform

from .drawing import number, plot
from .race import race, say

PACKAGES = ("numpy", "numba", "llvmlite", "torch", "dezero", "matplotlib")


def arguments(description, **more):
    """Every benchmark's command line; `more` are further flags, {name: help}."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print one JSON object, no tables")
    parser.add_argument("--quick", action="store_true", help="a trial: its numbers mean nothing")
    parser.add_argument("--threads", type=int, default=2, help="threads of every contender (2)")
    parser.add_argument("--rounds", type=int, help="turns of each contender (15; --quick: 2)")
    parser.add_argument(
        "--out", default="benchmarks/results", help="folder of the JSON and the plot"
    )
    for name, text in more.items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    chosen = parser.parse_args()
    chosen.rounds = chosen.rounds or (2 if chosen.quick else 15)
    return chosen


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


def where(machine):
    """The machine in two lines."""
    m, versions = (
        machine,
        ", ".join(f"{name} {version}" for name, version in machine["versions"].items()),
    )
    return f"{m['date']}, {m['cpu']}, {m['cores']} cores, {m['threads']} threads\n{versions}"


class Report:
    """The rows that a command measured, and the targets that it checks them against."""

    def __init__(self, command, args):
        self.command, self.args, self.rows, self.checks = command, args, [], []
        self.machine = machine(args.threads)
        load = self.machine["load_before"]
        if load and load > 0.5:
            say(f"the machine is busy (load {load:.2f}): do not trust what follows")

    def race(self, what, contenders, compare=True):
        """Let them race -> {name: Result}.

        A row each, to `compare` with the first's median over theirs.
        """
        say(f"{what}:")
        results = race(contenders, self.args.rounds, self.args.threads, self.args.quick)
        for r in results:
            row = {"what": what, "who": r.name}
            if r.missing:
                row["missing"] = r.missing
            else:
                low, high = r.quartiles
                row |= {
                    "ms": 1e3 * r.median,
                    "low": 1e3 * low,
                    "high": 1e3 * high,
                    "memory": r.memory,
                }
                row["samples_ms"] = [1e3 * s for s in r.samples]
                row["ratio"] = results[0].median / r.median if compare else None
            self.rows.append({**row, **r.info})
        return {r.name: r for r in results}

    def check(
        self, what, value, required=None, aim=None, unit="", least=False, note="", holds=None
    ):
        """A figure beside what is required of it: at most that, or with `least` at least."""
        if holds is None and value is not None and required is not None:
            holds = value >= required if least else value <= required
        self.checks.append({"what": what, "value": value, "required": required, "aim": aim,
                            "unit": unit, "least": least, "holds": holds,
                            "note": note})  # fmt: skip

    def ratio(self, what, results, names, required=None, aim=None, measure=lambda r: r.median):
        """Check the first result against the best of the others that begin with one of `names`."""
        ours, *others = results.values()
        rivals = [r for r in others if r.name.startswith(names) and not r.missing]
        if not rivals:
            missing = next((r.missing for r in others if r.name.startswith(names)), "missing")
            return self.check(what, None, required, aim, note=missing)
        best = min(rivals, key=measure)
        return self.check(
            what, measure(ours) / measure(best), required, aim, note=f"against {best.name}"
        )

    def finish(self, columns, draw):
        """Write JSON and plot; print tables (or JSON). columns: {heading: function of a row}."""
        out = pathlib.Path(self.args.out)
        out.mkdir(parents=True, exist_ok=True)
        whole = {"command": self.command, "quick": self.args.quick, "machine": self.machine,
                 "checks": self.checks, "rows": self.rows}  # fmt: skip
        text = json.dumps(whole, indent=1, default=float)
        (out / f"{self.command}.json").write_text(text + "\n")
        note = (
            f"{self.machine['cpu']}, {self.machine['threads']} threads, {self.machine['date'][:10]}"
        )
        plot(out / f"{self.command}.png", draw, self, note + ", QUICK TRIAL" * self.args.quick)
        if self.args.json:
            print(text)
            return
        print(f"{where(self.machine)}\n\n{table(columns, self.rows)}")
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
    padded = ([c.ljust(w) for c, w in zip(line, widths, strict=True)] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def _limit(key):
    return lambda c: (
        "-" if c[key] is None else f"{'>=' if c['least'] else '<='} {number(c[key], c['unit'])}"
    )


CHECK_COLUMNS = {
    "what": lambda c: c["what"],
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

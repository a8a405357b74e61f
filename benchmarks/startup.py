"""How long until something happens: python -m benchmarks.startup

Every run is a process of its own. A first step counts from the program's first line: imports,
building the network, one training step. The kernel cache is a new folder: the first run compiles
into it, the others find it warm.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from .common import Report, arguments
from .drawing import bars, number
from .race import Result, say

CLOCK = "import time; begin = time.perf_counter()\n"
END = "\nprint(time.perf_counter() - begin)"
IMPORT = CLOCK + "import numpycnn" + END
EVERYTHING = CLOCK + "import numpycnn\nfor name in numpycnn.__all__: getattr(numpycnn, name)" + END
JOB = (
    CLOCK + "from benchmarks.contenders import Job, ours; job = Job(batch=32, threads={threads})\n"
)
STEP = JOB + "ours(job)[0]()" + END
TORCH_IMPORT = CLOCK + "import torch" + END
TORCH_STEP = JOB + "from benchmarks.opponents import torch_form; torch_form(job)[0]()" + END


def main():
    args = arguments(__doc__.splitlines()[0])
    report, times = Report("startup", args), 2 if args.quick else 9
    with tempfile.TemporaryDirectory() as cache:
        fresh, said = several("numpycnn, first step, fresh cache", STEP, 1, args, cache)
        programs = {
            "import numpycnn": IMPORT,
            "import numpycnn and all its names": EVERYTHING,
            "numpycnn, first step, warm cache": STEP,
            "import torch": TORCH_IMPORT,
            "torch, first step": TORCH_STEP,
        }
        results = {
            name: several(name, code, times, args, cache)[0] for name, code in programs.items()
        }
    for r in (*results.values(), fresh):
        row = {"who": r.name, "missing": r.missing}
        if not r.missing:
            low, high = r.quartiles
            row |= {"s": r.median, "low": low, "high": high, "samples_s": r.samples}
        report.rows.append(row)
    report.check("import numpycnn", results["import numpycnn"].median, 0.5, 0.2, "s")
    report.check(
        "first step, warm cache", results["numpycnn, first step, warm cache"].median, 3, 1, "s"
    )
    note = f"it says: {said.splitlines()[0]}" if said else "it does not say that it compiles"
    report.check("first step, fresh cache", fresh.median, 40, 15, "s", note=note)
    columns = {
        "what": lambda r: r["who"],
        "median s": lambda r: number(r.get("s")),
        "quartiles": lambda r: f"{number(r['low'])} - {number(r['high'])}" if "s" in r else "-",
        "": lambda r: r.get("missing", ""),
    }
    report.finish(columns, draw)


def several(name, code, times, args, cache):
    """Run the program some times -> Result, and what it wrote to standard error."""
    say(f"  {name}")
    root = str(pathlib.Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache, "PYTHONPATH": path}
    result, said = Result(name), ""
    command = [sys.executable, "-c", code.replace("{threads}", str(args.threads))]
    for _ in range(times):
        time.sleep(0 if args.quick else 0.2)
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        said = done.stderr.strip()
        if done.returncode:
            result.missing = f"missing: {said.splitlines()[-1]}"
            if "numpycnn" in name:
                raise RuntimeError(f"{name}: {said}")
            break
        result.samples.append(json.loads(done.stdout.splitlines()[-1]))
    return result, said


def draw(figure, report):
    rows = [r for r in report.rows if "s" in r]
    figure.set_size_inches(9, 1 + 0.4 * len(rows))
    names, values, low, high = ([r[key] for r in rows] for key in ("who", "s", "low", "high"))
    title = "seconds until it is done (less is better)"
    bars(figure.subplots(), title, names, values, [f"{number(v)} s" for v in values],
         ["numpycnn" in n for n in names], low, high)  # fmt: skip


if __name__ == "__main__":
    main()

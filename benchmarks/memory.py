"""Peak resident memory of training at batch 128, against PyTorch: python -m benchmarks.memory

Each contender trains in a process of its own. The peak counts the interpreter and all libraries;
"training" is the peak less what was there after the imports. The latter still has numba's compiler
and the kernels in it, which are loaded at the first step.
"""

from .common import Report, arguments
from .contenders import Job, numpycnn_with
from .drawing import bars, number
from .opponents import torch_forms

MB = 1 << 20


def main():
    args = arguments(__doc__.splitlines()[0])
    report = Report("memory", args)
    job = Job(batch=128, threads=args.threads)
    waiting = [
        c for c in torch_forms(job) if not c.environment
    ]  # how workers wait makes no difference here
    results = report.race("training, batch 128", [numpycnn_with(job), *waiting])
    report.ratio(
        "peak memory of training, against the best of PyTorch", results, "torch", 1, 0.5, peak
    )
    report.ratio("the same less what the imports took", results, "torch", None, None, training)
    for row in report.rows:
        if "memory" in row:
            row["training"] = training(results[row["who"]])
    columns = {
        "who": lambda r: r["who"],
        "after imports, MB": lambda r: megabytes(r, "imported"),
        "peak, MB": lambda r: megabytes(r, "peak"),
        "training, MB": lambda r: number(r["training"] / MB) if "memory" in r else "-",
        "": lambda r: r.get("missing", ""),
    }
    report.finish(columns, draw)


def training(result):
    return result.memory["peak"] - result.memory["imported"]


def peak(result):
    return result.memory["peak"]


def megabytes(row, key):
    return number(row["memory"][key] / MB) if "memory" in row else "-"


def draw(figure, report):
    rows = [r for r in report.rows if "memory" in r]
    figure.set_size_inches(9, 1.5 + 0.7 * len(rows))
    names, marked = [r["who"] for r in rows], [r["who"].startswith("numpycnn") for r in rows]
    own, peaks = [r["training"] / MB for r in rows], [r["memory"]["peak"] / MB for r in rows]
    titles = "training: peak less what the imports took", "peak"
    for axes, title, values in zip(figure.subplots(2, 1), titles, (own, peaks), strict=True):
        bars(
            axes,
            f"{title}, MB (less is better)",
            names,
            values,
            [number(v) for v in values],
            marked,
        )


if __name__ == "__main__":
    main()

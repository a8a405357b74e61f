"""A training step against PyTorch, DeZero and this project's own NumPy reference: python
-m benchmarks.step

A step is forward, loss, backward and optimiser, on float32 batches that are ready in memory.
--profile prints instead what share of a step each op takes.
"""

from . import op_profile
from .common import TIME_COLUMNS, Report, arguments
from .contenders import OUR_IMPORTS, Job, numpycnn_with, ours
from .drawing import time_bars
from .opponents import dezero, torch_forms
from .race import Contender


def main():
    args = arguments(__doc__.splitlines()[0], profile="print the profile of a step instead")
    if args.profile:
        print(op_profile.profile(args.threads, quick=args.quick))
        return
    report = Report("step", args)
    for batch in (32, 128):
        job = Job(batch=batch, threads=args.threads)
        slow = []
        if batch == 32:
            slow = [numpycnn_with(job, "numpycnn, use('numpy')", "numpy"), dezero(job)]
        contenders = [numpycnn_with(job), *slow, *torch_forms(job)]
        results = report.race(f"step, batch {batch}", contenders)
        same_network(results)
        report.ratio(
            f"step, batch {batch}, against the best of PyTorch", results, "torch", 0.55, 0.4
        )
        if slow:
            faster(
                report, "times faster than use('numpy')", results, "numpycnn, use('numpy')", 5, 10
            )
            faster(report, "times faster than DeZero", results, "DeZero", 8, 12)
    job = Job(model="alexnet", batch=128, threads=args.threads)
    results = report.race("AlexNet, batch 128", [numpycnn_with(job), *torch_forms(job)])
    same_network(results)
    report.ratio(
        "AlexNet, step, batch 128, against the best of PyTorch", results, "torch", 0.5, 0.4
    )
    for batch in (32, 128):
        share_of_batching(report, batch)
    report.finish(TIME_COLUMNS, time_bars)


def faster(report, what, results, who, required, aim):
    """Check how many times faster ours is than `who`."""
    other = results[who]
    times = None if other.missing else other.median / results["numpycnn"].median
    report.check(what, times, required, aim, least=True, note=other.missing)


def same_network(results):
    """All contenders must have as many parameters as ours."""
    counts = {name: r.info["parameters"] for name, r in results.items() if "parameters" in r.info}
    if len(set(counts.values())) > 1:
        raise AssertionError(f"these are not the same network: {counts}")


def share_of_batching(report, batch):
    """Batching and augmentation (flip, crop) of an epoch against its steps, on uint8 images as in
    fit.
    """
    images = 1024 if report.args.quick else 60_032  # both batch sizes divide it
    steps = Job(batch=batch, threads=report.args.threads, pixels="uint8")
    epoch = Job(
        work="batching", batch=batch, threads=report.args.threads, pixels="uint8", images=images
    )
    results = report.race(
        f"data, batch {batch}",
        [Contender("numpycnn, a step", ours, steps, OUR_IMPORTS),
         Contender("numpycnn, making its batch", ours, epoch, OUR_IMPORTS)],
        compare=False,
    )  # fmt: skip
    count, row = images // batch, report.rows[-1]
    row |= {key: row[key] / count for key in ("ms", "low", "high")}  # of a batch, not of the epoch
    row["samples_ms"] = [s / count for s in row["samples_ms"]]
    step, epoch = (r.median for r in results.values())
    share = epoch / (epoch + step * count)
    report.check(
        f"augmentation and batching, share of the epoch, batch {batch}", 100 * share, 8, 3, "%"
    )


if __name__ == "__main__":
    main()

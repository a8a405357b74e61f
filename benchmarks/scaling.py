"""How the time of an image grows with batch, image side, filters and threads: python -m
benchmarks.scaling

Each series is compared with its first point. Required: time an image grows no faster than its
multiply-adds. More threads than there are cores share no work: what they cost is the overhead.
"""

from .common import Report, arguments
from .contenders import Job, numpycnn_with, our_network
from .drawing import number

MANY = (2, 4, 8, 16, 32, 64)  # threads
NOISE = 1.05  # what a growth may exceed 1 by, and still be called equal


def main():
    args = arguments(__doc__.splitlines()[0])
    report = Report("scaling", args)
    quick, t = args.quick, args.threads
    usual = 8 if quick else 32
    for axis, label, batch, points in (
        ("batch", "batch", usual, [8, 16] if quick else [32, 64, 128, 256, 512, 1024]),
        ("side", "image side", usual, [14, 28] if quick else [28, 42, 56, 84, 112]),
        ("width", "filters x", usual, [1, 2] if quick else [1, 2, 4]),
        ("threads", "threads", usual, sorted({1, t} if quick else {1, t, *MANY})),
        ("threads", "threads, batch 128", 128, sorted({1, t})),
    ):
        fixed = {"batch": batch, "threads": t}
        series(report, axis, label, [Job(**{**fixed, axis: point}) for point in points])
    columns = {
        "series": lambda r: r["what"],
        "point": lambda r: str(r["point"]),
        "ms a step": lambda r: number(r["ms"]),
        "microseconds an image": lambda r: number(r["us"]),
        "million multiply-adds": lambda r: number(r["work"] / 1e6),
        "time grew": lambda r: number(r["time_grew"]),
        "arithmetic grew": lambda r: number(r["work_grew"]),
        "time / arithmetic": lambda r: number(r["growth"]),
    }
    report.finish(columns, draw)


def series(report, axis, label, jobs):
    """Race one network with itself along an axis, and check the growth."""
    contenders = [numpycnn_with(job, f"numpycnn, {label} {getattr(job, axis)}") for job in jobs]
    before = len(report.rows)
    report.race(label, contenders, compare=False)
    rows = report.rows[before:]
    for row, job in zip(rows, jobs, strict=True):
        row["point"], row["us"] = getattr(job, axis), 1e3 * row["ms"] / job.batch
        row["work"] = our_network(job).summary((job.side, job.side, 1)).multiply_adds
        row["time_grew"], row["work_grew"] = (
            row["us"] / rows[0]["us"],
            row["work"] / rows[0]["work"],
        )
        row["growth"] = row["time_grew"] / row["work_grew"]
    if axis == "threads":
        ms = {row["point"]: row["ms"] for row in rows}
        best, most = report.args.threads, max(ms)
        batch = jobs[0].batch
        required = 1.75 if batch == 128 else 1.6
        what = f"speed-up of {best} threads, batch {batch}"
        report.check(what, ms[1] / ms[best], required, 1.8, least=True)
        if most > best:
            report.check(f"{most} threads against {best}", ms[most] / ms[best], 1.15)
    else:
        worst = max(rows[1:], key=lambda r: r["growth"])
        note = f"worst at {worst['point']}; {100 * (NOISE - 1):.0f} % are noise"
        report.check(
            f"time an image / arithmetic, growth with {label}", worst["growth"], NOISE, 1, note=note
        )


def draw(figure, report):
    from numpycnn.report.style import BLUE, ORANGE

    labels = list(dict.fromkeys(r["what"] for r in report.rows))
    figure.set_size_inches(10, 9)
    panels = figure.subplots(3, 2).flat
    panels[-1].axis("off")
    for axes, label in zip(panels, labels, strict=False):
        rows = [r for r in report.rows if r["what"] == label]
        places = range(len(rows))
        axes.plot(places, [r["us"] for r in rows], "o-", color=BLUE, label="measured")
        name, expected = "arithmetic", [rows[0]["us"] * r["work_grew"] for r in rows]
        if label.startswith("threads"):
            name, expected = (
                "shared out evenly",
                [rows[0]["us"] / min(r["point"], report.machine["cores"]) for r in rows],
            )
        axes.plot(places, expected, "--", color=ORANGE, label=name)
        axes.set_xticks(list(places), [str(r["point"]) for r in rows])
        axes.set_ylim(0, 1.1 * max(*expected, *(r["us"] for r in rows)))
        axes.set_title(f"microseconds an image against {label}", fontsize=10)
        axes.legend(fontsize=8)


if __name__ == "__main__":
    main()

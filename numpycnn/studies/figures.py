"""The pictures of studies: what each variant reached, with its seeds; accuracy against what it costs."""

import textwrap
from pathlib import Path
from statistics import median

from matplotlib import ticker
from matplotlib.transforms import Bbox

from ..report.style import BLUE, GREY, INK, ORANGE, figure
from .verdict import conclude, seeds, span, summarize, with_deviation

LABELS = {
    "accuracy": "accuracy, %", "rare_recall": "recall of the rare class, %", "seconds": "training, seconds",
    "predict_seconds": "prediction, seconds", "parameters": "parameters",
}  # fmt: skip


def study(path, name, definition, rows):
    """A row a variant: its seeds as small dots, mean and deviation in blue; a panel for each measure it shows."""
    variants = list(dict.fromkeys(row["variant"] for row in rows))
    panels = definition.shown
    with figure(path, (3.2 + 3.9 * len(panels), 1.55 + 0.36 * len(variants))) as fig:
        verdict, _ = conclude(definition, rows)
        claim = f"{name}: {definition.claim}"
        fig.suptitle(
            wrapped(claim, 34 + 42 * len(panels)), x=0.01, ha="left", size=11, weight="bold"
        )
        fig.supxlabel(
            wrapped(footnote(rows, verdict), 60 + 55 * len(panels)),
            x=0.01,
            ha="left",
            size=8,
            color=GREY,
        )
        for i, (axes, measure) in enumerate(
            zip(fig.subplots(1, len(panels), squeeze=False)[0], panels, strict=True)
        ):
            dots(axes, measure, variants, rows)
            if definition.target is not None and measure == "accuracy":
                axes.plot(
                    [100 * definition.target] * 2,
                    [-0.6, len(variants) - 0.4],
                    "--",
                    color=ORANGE,
                    lw=1.2,
                )
                axes.set_title(
                    f"dashed: the paper's {100 * definition.target:.2f} %", color=ORANGE, size=9
                )
            axes.set_yticks(range(len(variants)), variants if not i else [""] * len(variants))
    return Path(path)


def footnote(rows, verdict):
    """What was found, and on what."""
    where = next((row["measured_on"] for row in rows if row.get("measured_on")), "no images")
    epochs = (
        f", {span(rows, 'epochs')} epochs"
        if any(row.get("epochs") is not None for row in rows)
        else ""
    )
    return (
        f"Measured: {verdict}. {span(rows, 'images')} training images{epochs}, {seeds(rows)} seeds, measured on "
        f"{where}. Grey: single runs; blue: their mean ± deviation."
    )


def wrapped(text, width):
    """The text in lines of at most `width` characters."""
    return "\n".join(textwrap.wrap(text.replace(" %", "\u00a0%"), width))


def dots(axes, measure, variants, rows):
    """One panel."""
    scale = 100 if measure in ("accuracy", "rare_recall") else 1
    found = summarize(rows, measure)
    axes.grid(axis="y")
    for place, variant in enumerate(variants):
        if variant not in found:
            status = next((r["status"] for r in rows if r["variant"] == variant), "no result")
            axes.text(
                0.02,
                place,
                status[:40],
                transform=axes.get_yaxis_transform(),
                va="center",
                size=8,
                color=ORANGE,
            )
            continue
        measured = found[variant]
        values = [
            scale * r[measure]
            for r in rows
            if r["variant"] == variant and r.get(measure) is not None
        ]
        axes.plot(values, [place + 0.22] * len(values), "o", ms=3, color=GREY, alpha=0.6)
        error = scale * (measured.deviation or 0)
        axes.errorbar(
            scale * measured.mean,
            place,
            xerr=error,
            fmt="o",
            ms=6,
            color=BLUE,
            capsize=3,
            lw=1.6,
            zorder=3,
        )
        text = with_deviation(measured, measure)
        axes.text(
            1.02,
            place,
            text,
            transform=axes.get_yaxis_transform(),
            va="center",
            size=8.5,
            color=INK,
        )
    means = [measured.mean for measured in found.values()]
    if measure == "accuracy" and means and min(means) < 0.5 * median(means):
        zoom(axes, {v: scale * m.mean for v, m in found.items()}, variants)
    if scale == 1 and means and min(means) > 0 and max(means) > 30 * min(means):
        axes.set_xscale("log")
    elif means:
        axes.xaxis.set_major_locator(ticker.MaxNLocator(5))
    axes.xaxis.set_major_formatter(readable)
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.set(xlabel=LABELS[measure], ylim=(len(variants) - 0.4, -0.6))
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.06)
    if not found:
        axes.set_xticks([])


def zoom(axes, means, variants):
    """Leave out of the axis what lies far below the others; an arrow at its edge says where it is."""
    least = 0.5 * median(means.values())
    kept = [value for value in means.values() if value >= least]
    room = max(1.0, 0.25 * (max(kept) - min(kept)))
    axes.set_xlim(min(kept) - room, max(kept) + room)
    for place, variant in enumerate(variants):
        if means.get(variant, least) < least:
            axes.plot(0.01, place, "<", ms=6, color=BLUE, transform=axes.get_yaxis_transform())


def readable(value, _=None):
    """A tick for people: 200,000 and 4 M, no powers of ten."""
    return f"{value:,g}" if abs(value) < 1e6 else f"{value / 1e6:,g} M"


def cost(path, tables):
    """Accuracy against parameters and against training time; `tables`: {"architectures": rows, "baselines": rows}."""
    kinds = {"architectures": ("networks", BLUE), "baselines": ("scikit-learn", ORANGE)}
    labels = {"parameters": "numbers that the model holds", "seconds": "seconds of training"}
    with figure(path, (11, 5)) as fig:
        title = "What accuracy costs: networks and classical classifiers"
        fig.suptitle(title, x=0.01, ha="left", size=11, weight="bold")
        panels = list(zip(fig.subplots(1, 2, sharey=True), labels, strict=True))
        points = {
            measure: [
                p
                for kind, rows in tables.items()
                for p in scatter(axes, measure, rows, *kinds[kind])
            ]
            for axes, measure in panels
        }
        for axes, measure in panels:
            axes.set(xscale="log", xlabel=labels[measure])
            axes.xaxis.set_major_formatter(readable)
            axes.xaxis.set_minor_formatter(ticker.NullFormatter())
            axes.grid(axis="both")
            axes.margins(x=0.2, y=0.1)
        panels[0][0].set_ylabel("test accuracy, %")
        panels[0][0].legend(loc="lower right")
        fig.draw_without_rendering()  # only now do places in the data have places on the page
        for axes, measure in panels:
            name_points(axes, points[measure])
    return Path(path)


def scatter(axes, measure, rows, title, color):
    """Dots with error bars -> [(x, y, variant), ...]"""
    accuracy, price = summarize(rows), summarize(rows, measure)
    both = [variant for variant in accuracy if variant in price]
    x, y = [price[v].mean for v in both], [100 * accuracy[v].mean for v in both]
    error = [100 * (accuracy[v].deviation or 0) for v in both]
    axes.errorbar(
        x,
        y,
        yerr=error,
        fmt="o",
        ms=6,
        color=color,
        ecolor=color,
        elinewidth=1.2,
        capsize=2,
        label=title,
    )
    return list(zip(x, y, both, strict=True))


def name_points(axes, points):
    """A name beside each point, on the first side where it covers no other name and no point."""
    renderer = axes.figure.canvas.get_renderer()
    taken = [
        Bbox.from_bounds(x - 6, y - 6, 12, 12)
        for x, y in axes.transData.transform([p[:2] for p in points])
    ]
    sides = [(8, 0, "left"), (-8, 0, "right")]
    sides += [(dx, dy, "center") for dy in (11, -11, 20, -20) for dx in (0, 30, -30)]
    for x, y, name in points:
        for dx, dy, align in sides:
            text = axes.annotate(name, (x, y), xytext=(dx, dy), textcoords="offset points", ha=align, va="center",
                                 size=8, color=INK, in_layout=False)  # fmt: skip
            box = text.get_window_extent(renderer)
            inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
            if inside and not any(box.overlaps(other) for other in taken):
                break
            text.remove()
        else:
            text = axes.annotate(
                name,
                (x, y),
                xytext=(8, 0),
                textcoords="offset points",
                va="center",
                size=8,
                color=INK,
            )
        taken.append(text.get_window_extent(renderer))

"""The plots of studies: what each variant reached, with its seeds; accuracy against its cost."""

import textwrap
from pathlib import Path
from statistics import median

from matplotlib import ticker
from matplotlib.transforms import Bbox

from ..report.style import BLUE, GREY, INK, ORANGE, figure
from .verdict import (
    conclude,
    count_range,
    is_trial,
    measured_on,
    seed_range,
    summarize,
    with_deviation,
)

LABELS = {
    "accuracy": "accuracy, %",
    "rare_recall": "recall of the rare class, %",
    "seconds": "training, seconds",
    "predict_seconds": "prediction, seconds",
    "parameters": "parameters",
}


def study(path, name, definition, rows):
    """A panel for each measure that the study shows, with a line for each variant."""
    variants = list(dict.fromkeys(row["variant"] for row in rows))
    panels = definition.shown
    with figure(path, (3.2 + 3.9 * len(panels), 1.55 + 0.36 * len(variants))) as fig:
        verdict, _ = conclude(definition, rows)
        trial = "TRIAL: " if is_trial(rows) else ""
        title = wrapped(f"{trial}{name}: {definition.claim}", 34 + 42 * len(panels))
        fig.suptitle(title, x=0.01, ha="left", size=11, weight="bold")
        foot = wrapped(footnote(rows, verdict), 60 + 55 * len(panels))
        fig.supxlabel(foot, x=0.01, ha="left", size=8, color=GREY)
        all_axes = fig.subplots(1, len(panels), squeeze=False)[0]
        for i, (axes, measure) in enumerate(zip(all_axes, panels, strict=True)):
            plot_variants(axes, measure, variants, rows)
            if definition.target is not None and measure == "accuracy":
                mark_target(axes, 100 * definition.target, len(variants))
            axes.set_yticks(range(len(variants)), variants if not i else [""] * len(variants))
    return Path(path)


def mark_target(axes, percent, lines):
    """A dashed line at the paper's accuracy."""
    axes.plot([percent] * 2, [-0.6, lines - 0.4], "--", color=ORANGE, lw=1.2)
    axes.set_title(f"dashed: the paper's {percent:.2f} %", color=ORANGE, size=9)


def footnote(rows, verdict):
    """The verdict, and what it was measured on."""
    trained = f"{count_range(rows, 'images')} training images"
    if any(row.get("epochs") is not None for row in rows):
        trained += f", {count_range(rows, 'epochs')} epochs"
    return (
        f"Verdict: {verdict}. {trained}, {seed_range(rows)} seeds, measured on "
        f"{measured_on(rows)}. Grey: single runs; blue: their mean ± standard deviation."
    )


def wrapped(text, width):
    """The text in lines of at most `width` characters."""
    return "\n".join(textwrap.wrap(text.replace(" %", "\u00a0%"), width))


def plot_variants(axes, measure, variants, rows):
    """One panel: each variant's seeds as small grey dots, mean and deviation in blue."""
    scale = 100 if measure in ("accuracy", "rare_recall") else 1
    means = summarize(rows, measure)
    beside = axes.get_yaxis_transform()  # x from 0 to 1 across the panel, y as in the data
    axes.grid(axis="y")
    for y, variant in enumerate(variants):
        if variant not in means:
            status = next((r["status"] for r in rows if r["variant"] == variant), "no result")
            axes.text(0.02, y, status[:40], transform=beside, va="center", size=8, color=ORANGE)
            continue
        measured = means[variant]
        values = [
            scale * row[measure]
            for row in rows
            if row["variant"] == variant and row.get(measure) is not None
        ]
        axes.plot(values, [y + 0.22] * len(values), "o", ms=3, color=GREY, alpha=0.6)
        error = scale * (measured.deviation or 0)
        style = {"fmt": "o", "ms": 6, "color": BLUE, "capsize": 3, "lw": 1.6, "zorder": 3}
        axes.errorbar(scale * measured.mean, y, xerr=error, **style)
        text = with_deviation(measured, measure)
        axes.text(1.02, y, text, transform=beside, va="center", size=8.5, color=INK)
    values = {variant: scale * measured.mean for variant, measured in means.items()}
    set_x_axis(axes, measure, values, variants)
    axes.set(xlabel=LABELS[measure], ylim=(len(variants) - 0.4, -0.6))
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.06)


def set_x_axis(axes, measure, means, variants):
    """Ticks and scale of a panel: zoomed where one accuracy is far off, logarithmic for costs."""
    values = list(means.values())
    shares = measure in ("accuracy", "rare_recall")
    if measure == "accuracy" and values and min(values) < 0.5 * median(values):
        zoom(axes, means, variants)
    if not shares and values and min(values) > 0 and max(values) > 30 * min(values):
        axes.set_xscale("log")
    elif values:
        axes.xaxis.set_major_locator(ticker.MaxNLocator(5))
    axes.xaxis.set_major_formatter(format_tick)
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    if not values:
        axes.set_xticks([])


def zoom(axes, means, variants):
    """Leave out of the axis what lies far below the others; an arrow at its edge marks it."""
    least = 0.5 * median(means.values())
    kept = [value for value in means.values() if value >= least]
    room = max(1.0, 0.25 * (max(kept) - min(kept)))
    axes.set_xlim(min(kept) - room, max(kept) + room)
    for y, variant in enumerate(variants):
        if means.get(variant, least) < least:
            axes.plot(0.01, y, "<", ms=6, color=BLUE, transform=axes.get_yaxis_transform())


def format_tick(value, _=None):
    """The label of a tick: 200,000 and 4 M, no powers of ten."""
    return f"{value:,g}" if abs(value) < 1e6 else f"{value / 1e6:,g} M"


def cost(path, tables):
    """Accuracy against parameters and against training time.

    tables: {"architectures": rows, "baselines": rows}, or one of them.
    """
    kinds = {"architectures": ("networks", BLUE), "baselines": ("scikit-learn", ORANGE)}
    labels = {"parameters": "numbers that the model holds", "seconds": "seconds of training"}
    with figure(path, (11, 5)) as fig:
        title = "What accuracy costs: networks and classical classifiers"
        if any(is_trial(rows) for rows in tables.values()):
            title = f"TRIAL: {title}"
        fig.suptitle(title, x=0.01, ha="left", size=11, weight="bold")
        panels = list(zip(fig.subplots(1, 2, sharey=True), labels, strict=True))
        points = {measure: [] for measure in labels}
        for axes, measure in panels:
            for kind, rows in tables.items():
                points[measure] += scatter(axes, measure, rows, *kinds[kind])
            axes.set(xscale="log", xlabel=labels[measure])
            axes.xaxis.set_major_formatter(format_tick)
            axes.xaxis.set_minor_formatter(ticker.NullFormatter())
            axes.grid(axis="both")
            axes.margins(x=0.2, y=0.1)
        panels[0][0].set_ylabel("test accuracy, %")
        panels[0][0].legend(loc="lower right")
        fig.draw_without_rendering()  # only now is the layout fixed, and points have pixels
        for axes, measure in panels:
            name_points(axes, points[measure])
    return Path(path)


def scatter(axes, measure, rows, title, color):
    """Dots with error bars -> [(x, y, variant), ...]"""
    accuracy, price = summarize(rows), summarize(rows, measure)
    both = [variant for variant in accuracy if variant in price]
    x = [price[v].mean for v in both]
    y = [100 * accuracy[v].mean for v in both]
    error = [100 * (accuracy[v].deviation or 0) for v in both]
    style = {"fmt": "o", "ms": 6, "elinewidth": 1.2, "capsize": 2, "color": color, "ecolor": color}
    axes.errorbar(x, y, yerr=error, label=title, **style)
    return list(zip(x, y, both, strict=True))


def name_points(axes, points):
    """A name beside each point, where it first covers no other name and no point."""
    renderer = axes.figure.canvas.get_renderer()
    pixels = axes.transData.transform([point[:2] for point in points])
    taken = [Bbox.from_bounds(x - 6, y - 6, 12, 12) for x, y in pixels]
    positions = [(8, 0, "left"), (-8, 0, "right")]
    positions += [(dx, dy, "center") for dy in (11, -11, 20, -20) for dx in (0, 30, -30)]

    def annotate(name, x, y, dx, dy, align):
        return axes.annotate(
            name, (x, y), xytext=(dx, dy), textcoords="offset points",
            ha=align, va="center", size=8, color=INK, in_layout=False,
        )  # fmt: skip

    for x, y, name in points:
        for position in positions:
            text = annotate(name, x, y, *position)
            box = text.get_window_extent(renderer)
            inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
            if inside and not any(box.overlaps(other) for other in taken):
                break
            text.remove()
        else:
            text = annotate(name, x, y, 8, 0, "left")
        taken.append(text.get_window_extent(renderer))

"""Plots of the results, without pyplot, in the style of the project's own.

matplotlib is imported inside, so that it is not in the processes that are measured.
"""


def number(value, unit=""):
    """Three digits of a number; a dash for none."""
    if value is None:
        return "-"
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}".strip()


def plot(path, draw, report, note):
    """draw(figure, report) into a PNG, without pyplot."""
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from numpycnn.report.style import GREY, STYLE

    with style.context(STYLE):
        figure = Figure(figsize=(9, 5))
        FigureCanvasAgg(figure)
        draw(figure, report)
        figure.supxlabel(note, fontsize=8, color=GREY, x=0.99, ha="right")
        figure.savefig(path, dpi=120)


def bars(axes, title, names, values, texts, marked, low=None, high=None):
    """Horizontal bars from the top down, the marked ones in blue, a text at the end of each."""
    from numpycnn.report.style import BLUE, INK, LINE

    places = range(len(names), 0, -1)
    axes.barh(places, values, color=[BLUE if m else "#a9b4bf" for m in marked], height=0.7)
    if low:
        below = [v - a for v, a in zip(values, low, strict=True)]
        error = below, [b - v for v, b in zip(values, high, strict=True)]
        axes.errorbar(values, list(places), xerr=error, fmt="none", ecolor=INK, elinewidth=1)
    ends = high or values
    for place, end, text in zip(places, ends, texts, strict=True):
        axes.text(end + 0.01 * max(ends, default=1), place, f" {text}", va="center", fontsize=8)
    axes.set_yticks(list(places), names, fontsize=8)
    axes.tick_params(length=0, labelsize=8)
    axes.set_xlim(0, 1.3 * max(ends, default=1))
    axes.set_ylim(0.4, len(names) + 0.6)
    axes.spines["left"].set_color(LINE)
    axes.set_title(title, fontsize=10)


def time_bars(figure, report):
    """One panel a question, the medians with their quartiles."""
    questions = list(dict.fromkeys(r["what"] for r in report.rows))
    counts = [sum(r["what"] == q and "ms" in r for r in report.rows) for q in questions]
    figure.set_size_inches(9, 1 + 0.5 * len(questions) + 0.3 * sum(counts))
    panels = figure.subplots(
        len(questions), 1, squeeze=False, height_ratios=[c + 1 for c in counts]
    )[:, 0]
    for axes, question in zip(panels, questions, strict=True):
        rows = [r for r in report.rows if r["what"] == question and "ms" in r]
        texts = [f"{number(r['ms'])} ms" for r in rows]
        for i, r in enumerate(rows[1:], 1):
            texts[i] += f", ours / theirs {number(r['ratio'])}" if r["ratio"] else ""
        names, values, low, high = ([r[key] for r in rows] for key in ("who", "ms", "low", "high"))
        ours = [name.startswith("numpycnn") for name in names]
        bars(axes, f"{question}, ms (less is better)", names, values, texts, ours, low, high)

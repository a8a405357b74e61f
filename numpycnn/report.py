"""The page that a run leaves: report.html and its pictures, to be opened in any browser, without network."""

import shlex
from html import escape
from pathlib import Path

import numpy as np

from . import files, metrics, plots

STYLE = """
:root { color-scheme: light dark; --ink: #1f2933; --soft: #5b6875; --line: #dfe4e9; --page: #fff;
  --card: #f6f8fa; --accent: #0b6bb0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaee; --soft: #9aa7b4; --line: #333c46;
  --page: #14181d; --card: #1d232a; --accent: #6db5ea; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 2.5rem 1.25rem 4rem; background: var(--page);
  color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 1.5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 3rem 0 .25rem; }
p { margin: .25rem 0 1rem; max-width: 46rem; }
.soft { color: var(--soft); }
.top { display: flex; flex-wrap: wrap; gap: 1.5rem 3rem; padding: 1.5rem; background: var(--card);
  border-radius: 12px; }
.score { flex: 1 1 15rem; }
.score b { display: block; font-size: 3.6rem; line-height: 1.1; color: var(--accent); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.facts { flex: 2 1 22rem; font-size: .92rem; align-self: center; }
.facts th { text-align: left; font-weight: normal; color: var(--soft); padding: .12rem 1rem .12rem 0;
  vertical-align: top; white-space: nowrap; }
.facts td { padding: .12rem 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
.classes { width: 100%; }
.classes th, .classes td { padding: .38rem .75rem; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
.classes thead th { color: var(--soft); font-weight: 600; font-size: .85rem; }
.classes :is(th, td):is(:first-child, :last-child) { text-align: left; }
.classes tbody th { font-weight: 600; }
.classes .low td, .classes .low th { background: color-mix(in srgb, #d9710a 14%, transparent); }
figure { margin: 1rem 0 0; }
img { display: block; max-width: 100%; height: auto; padding: 14px; background: #fff;
  border: 1px solid var(--line); border-radius: 12px; }
img.narrow { max-width: min(100%, 46rem); }
code, pre { font: .88rem/1.5 ui-monospace, "SFMono-Regular", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre { margin: .25rem 0 1rem; padding: .8rem 1rem; background: var(--card); border-radius: 8px;
  overflow-x: auto; }
@media print { body { max-width: none; padding: 0; } figure, tr { break-inside: avoid; } }
"""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
<section class="top">
<div class="score">Test accuracy <b>{accuracy}</b> <span class="soft">{counted}</span></div>
<table class="facts">
{facts}
</table>
</section>
{sections}
</body>
</html>
"""

READING = {
    "learning_curves": (
        "Learning curves",
        "While both losses fall, the network still learns something that carries over. Where the validation "
        "loss turns upwards and the training loss goes on falling, it learns the training images by heart.",
    ),
    "confusion": (
        "Confusion matrix",
        "Each row is a true class, each column what the network said. Blue cells on the diagonal are right; "
        "the darker an orange cell, the more of its row went astray there.",
    ),
    "mistakes": (
        "Worst mistakes",
        "The test images on which the network was surest and wrong. Look at them one by one: some may be "
        "mislabelled or fool a person too, and those bound the accuracy that can be reached.",
    ),
    "filters": (
        "First-layer filters",
        "What the first convolution looks for. Filters with a stripe, or with two opposite sides, answer to "
        "edges; pale or speckled ones have learnt little.",
    ),
}


def write(folder, *, title, facts, history, labels, probabilities, images, classes, first_filters=None):
    """Write report.html, learning_curves.png, confusion.png, mistakes.png (and filters.png) into folder.

    facts: a dict label -> value, shown in order, floats to four digits, everything else as str() has it.
    labels (N,), probabilities (N, K), images uint8 (N, H, W, 1 or 3): the test set; classes: K names;
    first_filters: (kh, kw, C, F) or None. Returns the path of report.html. ValueError when these do not fit.
    """
    folder = Path(folder)
    confusion = metrics.confusion_matrix(labels, probabilities, len(classes))
    folder.mkdir(parents=True, exist_ok=True)
    plots.learning_curves(history, folder / "learning_curves.png")
    plots.confusion(confusion, classes, folder / "confusion.png")
    plots.mistakes(images, labels, probabilities, classes, folder / "mistakes.png")
    pictures = ["learning_curves", "confusion", "mistakes"]
    if first_filters is not None:
        plots.filters(first_filters, folder / "filters.png")
        pictures.append("filters")
    sections = [_classes_section(confusion, classes), *map(_figure, pictures), _next_section(folder)]
    page = PAGE.format(
        title=escape(str(title)),
        style=STYLE,
        accuracy=_percent(metrics.accuracy(labels, probabilities)),
        counted=_counted(labels, probabilities, confusion),
        facts="\n".join(_fact(label, value) for label, value in facts.items()),
        sections="\n".join(sections),
    )
    files.write(folder / "report.html", page.encode("utf-8"))
    return folder / "report.html"


def commonest_confusion(confusion):
    """For each class the class that it was most often taken for, or -1; of equals the first. (K,)."""
    wrong = confusion - np.diag(np.diag(confusion))
    return np.where(wrong.max(axis=1) > 0, wrong.argmax(axis=1), -1)


def _counted(labels, probabilities, confusion):
    text = f"{np.trace(confusion):,} of {confusion.sum():,} images right"
    if len(confusion) > 3:
        three = metrics.top_k_accuracy(labels, probabilities, 3)
        text += f"; right within the first three guesses: {_percent(three)}"
    return text


def _fact(label, value):
    text = escape(f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value))
    text = f"<code>{text}</code>" if str(label).lower() == "command" else text
    return f'<tr><th scope="row">{escape(str(label))}</th><td>{text}</td></tr>'


def _classes_section(confusion, classes):
    """The table of precision, recall and F1; the class with the lowest F1 is marked."""
    scores, taken_for = metrics.per_class(confusion), commonest_confusion(confusion)
    lowest = -1 if np.isnan(scores["f1"]).all() else int(np.nanargmin(scores["f1"]))
    rows = []
    for i, name in enumerate(classes):
        numbers = [_percent(scores[key][i]) for key in ("precision", "recall", "f1")]
        numbers.append(f"{scores['support'][i]:,}")
        j = taken_for[i]
        other = f"{escape(str(classes[j]))} ({confusion[i, j]:,})" if j >= 0 else "–"
        cells = "".join(f"<td>{cell}</td>" for cell in [*numbers, other])
        mark = ' class="low"' if i == lowest and len(classes) > 1 else ""
        rows.append(f'<tr{mark}><th scope="row">{escape(str(name))}</th>{cells}</tr>')
    remarks = "".join(f"<p>Note: {escape(remark)}.</p>\n" for remark in metrics.remarks(confusion))
    heads = ("Class", "Precision", "Recall", "F1", "Images", "Most often taken for")
    return (
        "<h2>Each class</h2>\n"
        '<p class="soft">Precision: how often it is right when it names this class. Recall: how much of the '
        "class it finds. F1: their harmonic mean, lowest in the marked row.</p>\n"
        f'{remarks}<div class="scroll"><table class="classes">\n<thead><tr>'
        + "".join(f'<th scope="col">{head}</th>' for head in heads)
        + "</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody>\n</table></div>"
    )  # fmt: skip


def _figure(name):
    heading, caption = READING[name]
    narrow = ' class="narrow"' if name in ("confusion", "filters") else ""
    return (
        f'<h2>{heading}</h2>\n<p class="soft">{caption}</p>\n'
        f'<figure><img{narrow} src="{name}.png" srcset="{name}.png 1.6x" alt="{heading}"></figure>'
    )


def _next_section(folder):
    run, best = shlex.quote(str(folder)), shlex.quote(str(folder / "best.npz"))
    lines = (
        ("Measure this network again:", f"numpycnn evaluate {best}"),
        ("Try it on an image of your own:", f"numpycnn predict IMAGE --checkpoint {best}"),
        ("Go on where this run stopped:", f"numpycnn train --resume --out {run}"),
    )
    return "<h2>What to do next</h2>\n" + "\n".join(
        f'<p class="soft">{said}</p>\n<pre><code>{escape(command)}</code></pre>' for said, command in lines
    )


def _percent(share):
    return "–" if np.isnan(share) else f"{100 * share:.2f} %"

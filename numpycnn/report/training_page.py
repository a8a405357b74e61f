"""The page that a run leaves: report.html and its pictures, to be opened in any browser, without network."""

import shlex
from html import escape
from pathlib import Path

import numpy as np

from .. import metrics
from . import html, plots

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


def write(
    folder, *, title, facts, history, labels, probabilities, images, classes, first_filters=None
):
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
    return html.write(
        folder / "report.html",
        title=title,
        heading="Test accuracy",
        score=html.percent(metrics.accuracy(labels, probabilities)),
        said=_counted(labels, probabilities, confusion),
        facts=facts,
        sections=[
            _classes_section(confusion, classes),
            *map(_picture, pictures),
            _next_section(folder),
        ],
    )


def commonest_confusion(confusion):
    """For each class the class that it was most often taken for, or -1; of equals the first. (K,)."""
    wrong = confusion - np.diag(np.diag(confusion))
    return np.where(wrong.max(axis=1) > 0, wrong.argmax(axis=1), -1)


def _counted(labels, probabilities, confusion):
    text = f"{np.trace(confusion):,} of {confusion.sum():,} images right"
    if len(confusion) > 3:
        three = metrics.top_k_accuracy(labels, probabilities, 3)
        text += f"; right within the first three guesses: {html.percent(three)}"
    return text


def _classes_section(confusion, classes):
    """The table of precision, recall and F1; the class with the lowest F1 is marked."""
    scores, taken_for = metrics.per_class(confusion), commonest_confusion(confusion)
    lowest = -1 if np.isnan(scores["f1"]).all() else int(np.nanargmin(scores["f1"]))
    rows = []
    for i, name in enumerate(classes):
        numbers = [html.percent(scores[key][i]) for key in ("precision", "recall", "f1")]
        j = taken_for[i]
        other = f"{escape(str(classes[j]))} ({confusion[i, j]:,})" if j >= 0 else "–"
        mark = "low" if i == lowest and len(classes) > 1 else None
        rows.append((mark, [escape(str(name)), *numbers, f"{scores['support'][i]:,}", other]))
    remarks = "".join(f"<p>Note: {escape(remark)}.</p>\n" for remark in metrics.remarks(confusion))
    return (
        "<h2>Each class</h2>\n"
        '<p class="soft">Precision: how often it is right when it names this class. Recall: how much of the '
        f"class it finds. F1: their harmonic mean, lowest in the marked row.</p>\n{remarks}"
        + html.table(("Class", "Precision", "Recall", "F1", "Images", "Most often taken for"), rows)
    )


def _picture(name):
    return html.figure(*READING[name], f"{name}.png", narrow=name in ("confusion", "filters"))


def _next_section(folder):
    run, last, best = (
        shlex.quote(str(path)) for path in (folder, folder / "last.npz", folder / "best.npz")
    )
    return html.commands(
        (
            ("Measure this network again:", f"numpycnn evaluate {last}"),
            ("Look inside it:", f"numpycnn inspect {best}"),
            ("Try it on an image of your own:", f"numpycnn predict IMAGE --checkpoint {best}"),
            ("Go on where this run stopped:", f"numpycnn train --resume --out {run}"),
        )
    )

"""The page that a run leaves: report.html and its pictures, for any browser, offline."""

from html import escape
from pathlib import Path

import numpy as np

from .. import files, metrics
from . import html, plots

READING = {
    "learning_curves": (
        "Learning curves",
        "While both losses fall, the network learns something that generalises. Where the "
        "validation loss rises and the training loss goes on falling, it over-fits: it memorises "
        "the training images.",
    ),
    "confusion": (
        "Confusion matrix",
        "Each row is a true class, each column a predicted class. Blue cells on the diagonal are "
        "correct; the darker an orange cell, the larger the share of its row that was "
        "misclassified so.",
    ),
    "mistakes": (
        "Most confident errors",
        "The misclassified test images with the highest predicted probability. Look at them one by "
        "one: some may be mislabelled, or ambiguous to a person too, and those limit the accuracy "
        "that can be reached.",
    ),
    "filters": (
        "First-layer filters",
        "What the first convolution responds to. Filters with a stripe, or with two opposite "
        "sides, detect edges; pale or noisy ones have learnt little.",
    ),
}


def write(
    folder, *, title, facts, history, labels, probabilities, images, classes, first_filters=None
):
    """Write report.html, learning_curves.png, confusion.png, mistakes.png (and filters.png).

    facts: a dict label -> value, shown in order, floats to four digits, everything else as str()
    has it. labels (N,), probabilities (N, K), images uint8 (N, H, W, 1 or 3): the test set;
    classes: K names; first_filters: (kh, kw, C, F) or None. Returns the path of report.html.
    Raises ValueError when these do not fit.
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
        detail=_counted(labels, probabilities, confusion),
        facts=facts,
        sections=[
            _classes_section(confusion, classes),
            *map(_picture, pictures),
            _next_section(folder),
        ],
    )


def commonest_confusion(confusion):
    """For each class the one it was most often predicted as, or -1; of equals the first. (K,)."""
    wrong = confusion - np.diag(np.diag(confusion))
    return np.where(wrong.max(axis=1) > 0, wrong.argmax(axis=1), -1)


def _counted(labels, probabilities, confusion):
    text = f"{np.trace(confusion):,} of {confusion.sum():,} images correct"
    if len(confusion) > 3:
        top_3 = metrics.top_k_accuracy(labels, probabilities, 3)
        text += f"; top-3 accuracy: {html.percent(top_3)}"
    return text


def _classes_section(confusion, classes):
    """The table of precision, recall and F1; the class with the lowest F1 is marked."""
    scores = metrics.per_class(confusion, classes)  # each (K,)
    predicted_as = commonest_confusion(confusion)
    lowest = -1 if np.isnan(scores["f1"]).all() else int(np.nanargmin(scores["f1"]))
    rows = []
    for i, name in enumerate(classes):
        numbers = [html.percent(scores[key][i]) for key in ("precision", "recall", "f1")]
        j = predicted_as[i]
        other = f"{escape(str(classes[j]))} ({confusion[i, j]:,})" if j >= 0 else "–"
        mark = "low" if i == lowest and len(classes) > 1 else None
        rows.append((mark, [escape(str(name)), *numbers, f"{scores['support'][i]:,}", other]))
    remarks = metrics.remarks(confusion, [str(name) for name in classes])
    remarks = "".join(f"<p>Note: {escape(remark)}.</p>\n" for remark in remarks)
    return (
        "<h2>Each class</h2>\n"
        '<p class="soft">Precision: the share of the predictions of this class that are correct. '
        "Recall: the share of the class's images that are found. F1: their harmonic mean, lowest "
        f"in the marked row.</p>\n{remarks}"
        + html.table(("Class", "Precision", "Recall", "F1", "Images", "Most confused with"), rows)
    )


def _picture(name):
    return html.figure(*READING[name], f"{name}.png", narrow=name in ("confusion", "filters"))


def _next_section(folder):
    run, last, best = (
        files.quoted(path) for path in (folder, folder / "last.npz", folder / "best.npz")
    )
    return html.commands(
        (
            ("Evaluate this network again:", f"numpycnn evaluate {last}"),
            ("Look inside it:", f"numpycnn inspect {best}"),
            ("Try it on an image of your own:", f"numpycnn predict IMAGE --checkpoint {best}"),
            ("Continue this run:", f"numpycnn train --resume --out {run}"),
        )
    )

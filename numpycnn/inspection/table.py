"""An inspection as lines of text."""

from pathlib import Path

from ..tables import aligned
from .finding import SOUND

HEADS = (
    "layer", "output", "mean", "deviation", "zeros", "gradient: mean",
    "deviation", "zeros", "dead", "update/weight",
)  # fmt: skip


def cells(row):
    """A measure.Row, as a dict, in text: a cell for each of HEADS."""
    shape = " × ".join(map(str, row["shape"]))
    dead = "" if row["units"] is None else f"{row['dead']}/{row['units']}"
    update = "" if row["update"] is None else f"{row['update']:.1e}"
    return [
        f"{row['path']} {row['kind']}",
        shape,
        *_three(row["activation"]),
        *_three(row["gradient"]),
        dead,
        update,
    ]


def _three(statistics):
    if statistics is None:
        return ["", "", ""]
    return [
        f"{statistics['mean']:.2g}",
        f"{statistics['deviation']:.2g}",
        f"{statistics['zeros']:.0%}",
    ]


def text(result):
    """What `numpycnn inspect` prints of report.write's result: table, circumstances, diagnoses."""
    table = [HEADS, *map(cells, result["layers"])]
    head, *lines = aligned(table, left=2)
    lines = [head, "-" * len(head), *lines, ""]
    lines.append(
        f"Outputs over {result['images']:,} training images; gradients of each image's loss over "
        f"{result['gradient_images']} of them, in batches of {result['batch_size']}."
    )
    lines.append(f"Update/weight at lr {result['lr']:g}: {result['update_rule']}.")
    lines.append(
        f"Training accuracy: {result['train_accuracy']:.2%}. "
        f"Test accuracy: {result['test_accuracy']:.2%}."
    )
    findings = result["diagnoses"]
    lines += ["", *(f"{finding['kind'].upper()}: {finding['text']}." for finding in findings)]
    lines += [SOUND] if not result["diagnoses"] else []
    return "\n".join([*lines, *result["notes"], f"Page: {Path(result['out'], 'inspection.html')}"])

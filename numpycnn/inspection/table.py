"""An inspection as lines of text."""

from pathlib import Path

from .finding import KINDS

HEADS = (
    "layer", "output", "mean", "deviation", "zeros", "gradient: mean",
    "deviation", "zeros", "dead", "update/weight",
)  # fmt: skip
SOUND = f"Nothing wrong was found: no sign of {', '.join(KINDS[:-1])} or {KINDS[-1]}."


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
    widths = [max(len(line[i]) for line in table) for i in range(len(HEADS))]
    aligned = [_aligned(line, widths) for line in table]
    lines = [aligned[0], "-" * len(aligned[0]), *(line.rstrip() for line in aligned[1:]), ""]
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


def _aligned(line, widths):
    """The cells of a line in columns: names to the left, numbers to the right."""
    names = [cell.ljust(width) for cell, width in zip(line[:2], widths[:2], strict=True)]
    numbers = [cell.rjust(width) for cell, width in zip(line[2:], widths[2:], strict=True)]
    return "  ".join(names + numbers)

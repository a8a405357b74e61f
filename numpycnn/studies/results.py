"""What a study leaves: NAME.csv with a row a job, NAME.png, and README.md with a row for each study in the folder."""

import csv
import io
import pathlib
import re

from .. import files
from . import figures
from .definitions import STUDIES
from .verdict import (
    CAVEAT,
    HOLDS,
    RULE,
    UNDECIDED,
    conclude,
    lost,
    seeds,
    span,
    summarize,
    with_deviation,
)

COLUMNS = (
    "variant", "seed", "status", "accuracy", "loss", "balanced_accuracy", "rare_recall", "train_accuracy", "seconds",
    "predict_seconds", "threads", "parameters", "multiply_adds", "epochs", "images", "measured_on", "measured_images",
    "recall", "command", "code",
)  # fmt: skip
WORDS = ("variant", "status", "measured_on", "recall", "command", "code")
RECALL = re.compile(
    r"(.*?) (\d\.\d+)(?:; |$)"
)  # of job.shares; a name may hold all of these characters too
MARKS = {HOLDS: "holds", UNDECIDED: "undecided"}


def publish(name, study, rows, out, command):
    """Write NAME.csv, NAME.png, README.md -> {"verdict", "statements", "variants", "failed", "csv", "plot"}."""
    out.mkdir(parents=True, exist_ok=True)
    rows = [{**row, "command": command} for row in rows]
    write_csv(out / f"{name}.csv", rows)
    known = {**STUDIES, name: study}
    figures.study(out / f"{name}.png", name, study, rows)
    beside = {
        key: read_csv(out / f"{key}.csv")
        for key in ("architectures", "baselines")
        if found(out, key)
    }
    if name in beside:
        figures.cost(out / "cost.png", beside)
    files.write(out / "README.md", readme(out, known).encode())
    verdict, findings = conclude(study, rows)
    accuracy = summarize(rows)
    return {
        "verdict": verdict, "statements": [{"outcome": o, "text": text} for o, text in findings],
        "variants": {v: {"accuracy": m.mean, "deviation": m.deviation, "seeds": m.n} for v, m in accuracy.items()},
        "failed": sum(row["status"].startswith("failed") for row in rows),
        "csv": str(out / f"{name}.csv"), "plot": str(out / f"{name}.png"),
    }  # fmt: skip


def found(out, name):
    """Whether the folder holds the study's table."""
    return pathlib.Path(out, f"{name}.csv").exists()


def write_csv(path, rows):
    """A row a job; what a row lacks stays empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    files.write(path, text.getvalue().encode())


def read_csv(path):
    """The rows of write_csv: numbers as numbers, None for what is empty."""
    with open(path, newline="", encoding="utf-8") as file:
        return [
            {k: (v if k in WORDS else float(v)) if v else None for k, v in row.items()}
            for row in csv.DictReader(file)
        ]


def readme(out, known):
    """The table of all studies whose results are in the folder, and a section for each."""
    tables = {
        name: (study, read_csv(out / f"{name}.csv"))
        for name, study in known.items()
        if found(out, name)
    }
    lines = [
        "# Studies: the paper's comparisons, run again",
        "",
        "Written by `numpycnn study`. " + RULE,
        "",
        CAVEAT,
        "",
    ]
    lines += [
        "| study | the paper's claim | what was measured | whether it holds | again |",
        "|---|---|---|---|---|",
    ]
    for name, (study, rows) in tables.items():
        verdict, _ = conclude(study, rows)
        again = f"[plot]({name}.png)" + (f", `{rows[0]['command']}`" if rows[0]["command"] else "")
        lines.append(
            f"| [{name}](#{name}) | {study.claim} | {in_short(rows, study)} | **{verdict}** | {again} |"
        )
    if pathlib.Path(out, "cost.png").exists():
        lines += ["", "![Accuracy against parameters and against training time](cost.png)"]
    for name, (study, rows) in tables.items():
        lines += ["", *section(name, study, rows)]
    return "\n".join(lines) + "\n"


def in_short(rows, study):
    """Means and deviations in one line, the most accurate first."""
    ranked = sorted(summarize(rows, study.shown[0]).items(), key=lambda item: -item[1].mean)
    texts = [
        f"{variant} {with_deviation(m, study.shown[0])}{lost(rows, variant)}"
        for variant, m in ranked
    ]
    title = "" if study.shown[0] == "accuracy" else f"{study.shown[0].replace('_', ' ')}: "
    return title + "; ".join(texts) if texts else "nothing yet"


def section(name, study, rows):
    """Picture, circumstances, command, statements, and the table of variants."""
    verdict, findings = conclude(study, rows)
    lines = [f"## {name}", "", f"The claim: {study.claim}. Measured: **{verdict}**."]
    lines += [f"{study.note[0].upper()}{study.note[1:].rstrip('.')}."] if study.note else []
    lines += [circumstances(rows), "", f"![{name}]({name}.png)", ""]
    lines += ["```", rows[0]["command"], "```", ""] if rows[0]["command"] else []
    lines += [f"- {MARKS.get(outcome, '**contradicted**')}: {text}" for outcome, text in findings]
    shown = [*dict.fromkeys((*study.shown, "accuracy", "train_accuracy", "seconds", "parameters"))]
    shown = [key for key in shown if summarize(rows, key)] or ["accuracy"]
    lines += ["", "| variant | " + " | ".join(key.replace("_", " ") for key in shown) + " |"]
    lines += ["|---" * (len(shown) + 1) + "|"]
    measured = {key: summarize(rows, key) for key in shown}
    for variant in dict.fromkeys(row["variant"] for row in rows):
        cells = [
            with_deviation(measured[k][variant], k) if variant in measured[k] else "-"
            for k in shown
        ]
        lines.append(f"| {variant}{lost(rows, variant)} | " + " | ".join(cells) + " |")
    return lines + (recalls(rows) if "rare_recall" in study.shown else [])


def recalls(rows):
    """The table of each class's recall, mean over seeds, in per cent: a row a variant."""
    table = {}
    for row in rows:
        for name, share in RECALL.findall(row["recall"] or "") if row["status"] == "done" else ():
            table.setdefault(row["variant"], {}).setdefault(name, []).append(100 * float(share))
    names = [*dict.fromkeys(name for recall in table.values() for name in recall)]
    lines = [
        "",
        "Recall of each class, %:",
        "",
        f"| variant | {' | '.join(names)} |",
        "|---" * (len(names) + 1) + "|",
    ]
    for variant, recall in table.items():
        lines.append(
            f"| {variant} | " + " | ".join(f"{sum(v) / len(v):.1f}" for v in recall.values()) + " |"
        )
    return lines


def circumstances(rows):
    """On what, how long, how often, and what the figures behind ± are."""
    done = [row for row in rows if row["status"] == "done"]
    if not done:
        return "No job has ended well."
    threads = (
        f", threads for each: {span(done, 'threads')}"
        if any(row.get("threads") for row in done)
        else ""
    )
    epochs = f"{span(done, 'epochs')} epochs, " if any(row.get("epochs") for row in done) else ""
    return (
        f"{span(done, 'images')} training images, {epochs}{seeds(rows)} seeds (mean ± deviation over them), "
        f"measured on {span(done, 'measured_images')} {done[0]['measured_on']}; seconds are those of training{threads}."
    )

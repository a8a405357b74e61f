"""What studies leave: NAME.csv with a row a job, NAME.png, and one README.md for the folder."""

import csv
import io
import pathlib
import re

from .. import files
from ..errors import RunFolderError
from . import figures, full, summary
from .definitions import STUDIES
from .verdict import (
    CAVEAT,
    HOLDS,
    RULE,
    UNDECIDED,
    conclude,
    count_range,
    measured_on,
    missing_runs,
    seed_range,
    summarize,
    with_deviation,
)

COLUMNS = (
    "variant", "seed", "status", "accuracy", "loss", "balanced_accuracy", "rare_recall",
    "train_accuracy", "slope", "seconds", "predict_seconds", "threads", "parameters",
    "multiply_adds", "epochs", "images", "measured_on", "measured_images", "recall", "command",
    "code", "trial",
)  # fmt: skip
TEXT_COLUMNS = ("variant", "status", "measured_on", "recall", "command", "code", "trial")
# of job.shares; a class's name may hold all of these characters too
RECALL = re.compile(r"(.*?) (\d\.\d+)(?:; |$)")
MARKS = {HOLDS: "holds", UNDECIDED: "undecided", "trial": "trial"}
COST = ("architectures", "baselines")  # the studies in cost.png


def publish(name, study, rows, out, command, trial=False):
    """Write NAME.csv, NAME.png and README.md; of a trial all say so.

    Rows of jobs that are not among `rows` stay in the table, where a command made it (check).
    -> {"trial", "verdict", "statements", "variants", "failed", "csv", "plot"}.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows = [{**row, "command": command, "trial": "trial" if trial else None} for row in rows]
    rows = _with_those_before(out, name, study, rows, command)
    write_csv(out / f"{name}.csv", rows)
    draw_study(out, name, study, rows)
    files.write(out / "README.md", readme(out, {**STUDIES, name: study}).encode())
    verdict, findings = conclude(study, rows)
    variants = {
        variant: {"accuracy": m.mean, "deviation": m.deviation, "seeds": m.n}
        for variant, m in summarize(rows).items()
    }
    return {
        "trial": trial,
        "verdict": verdict,
        "statements": [{"outcome": outcome, "text": text} for outcome, text in findings],
        "variants": variants,
        "failed": sum(row["status"].startswith("failed") for row in rows),
        "csv": str(out / f"{name}.csv"),
        "plot": str(out / f"{name}.png"),
    }


def check(out, name, command):
    """Raise RunFolderError where a table is there that another command made, but for its seeds."""
    rows = read_csv(out / f"{name}.csv") if command and has_table(out, name) else []
    commands = [row.get("command") for row in rows]
    made = [one for one in commands if _but_seeds(one) != _but_seeds(command)]
    if made:
        raise RunFolderError(
            f"{out / name}.csv holds results of `{made[0] or 'another program'}`, which these "
            "would replace: give another --out"
        )


def _but_seeds(command):
    return re.sub(r" --seeds \d+", "", command or "")


def _with_those_before(out, name, study, rows, command):
    """The rows, and those in the table of other jobs of the study, in the study's order."""
    before = read_csv(out / f"{name}.csv") if command and has_table(out, name) else []
    before = [row for row in before if row["variant"] in study.variants]
    every = {(row["variant"], row["seed"]): row for row in [*before, *rows]}
    order = [*study.variants, *(row["variant"] for row in rows)]
    return sorted(every.values(), key=lambda row: (order.index(row["variant"]), row["seed"]))


def republish(out, studies=STUDIES):
    """Write README.md and the pictures anew, from the tables in the folder; nothing is trained."""
    out = pathlib.Path(out)
    for name, (study, rows) in stored(out, studies).items():
        draw_study(out, name, study, rows)
    files.write(out / "README.md", readme(out, studies).encode())


def draw_study(out, name, study, rows):
    """NAME.png, and cost.png where the study takes part in it."""
    figures.study(out / f"{name}.png", name, study, rows)
    if name in COST:
        tables = {key: read_csv(out / f"{key}.csv") for key in COST if has_table(out, key)}
        figures.cost(out / "cost.png", tables)


def has_table(out, name):
    """Whether the folder holds the study's table."""
    return pathlib.Path(out, f"{name}.csv").exists()


def stored(out, known):
    """{name: (study, rows)} of those known studies whose tables are in the folder."""
    return {
        name: (study, read_csv(out / f"{name}.csv"))
        for name, study in known.items()
        if has_table(out, name)
    }


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
            {key: _value(key, text) if text else None for key, text in row.items()}
            for row in csv.DictReader(file)
        ]


def _value(column, text):
    if column in TEXT_COLUMNS:
        return text
    return int(text) if text.isdecimal() else float(text)  # so that they are written as they were


def readme(out, known):
    """README.md: what was found, the table of all claims, the rule, and a section a study."""
    tables = stored(out, full.beside(known))
    claims = [
        claim
        for name, (study, rows) in tables.items()
        for claim in summary.claims(name, study, rows)
    ]
    counted = full.decisive(claims, tables)
    lines = ["# Studies: the paper's comparisons, run again", "", *summary.headline(counted)]
    lines += [*full.disagreements(claims, counted), ""]
    lines += ["## Results for every claim", "", *summary.table(claims), ""]
    lines += [
        "Best: of the variants that the claim speaks of; of all, where a study has one claim. "
        "Difference: the paper's choice minus the best of the others. "
        "± in the columns of values is the standard deviation over seeds; "
        "2 s.e. are two standard errors of the difference.",
        "",
    ]
    if pathlib.Path(out, "cost.png").exists():
        lines += ["![Accuracy against parameters and against training time](cost.png)", ""]
    lines += ["## How it is decided", "", RULE, "", CAVEAT, ""]
    lines += [
        "This page is written by `numpycnn study`, from the tables (CSV) beside it; "
        "`studies.results.republish(folder)` writes it anew without training.",
    ]
    for name, (study, rows) in tables.items():
        lines += ["", *section(name, study, rows)]
    return "\n".join(lines) + "\n"


def section(name, study, rows):
    """Claim, circumstances, statements, table of variants, picture, and the command."""
    verdict, findings = conclude(study, rows)
    lines = [f"## {name}", "", f"Claim: {study.claim}. Verdict: **{verdict}**."]
    if study.note:
        lines.append(f"{study.note[0].upper()}{study.note[1:].rstrip('.')}.")
    lines += [circumstances(rows), ""]
    lines += [f"- {MARKS.get(outcome, '**contradicted**')}: {text}" for outcome, text in findings]
    lines += ["", *variants_table(study, rows)]
    lines += ["", rising] if (rising := full.still_rising(rows)) else []
    if "rare_recall" in study.shown:
        lines += recalls(rows)
    lines += ["", f"![{name}]({name}.png)"]
    commands = [*dict.fromkeys(row["command"] for row in rows if row["command"])]
    lines += ["", "Reproduce:", "", "```", *commands, "```"] if commands else []
    return lines


def variants_table(study, rows):
    """The table of variants: a row each, in the order of the study, and a column a measure."""
    always = "accuracy", "train_accuracy", "slope", "seconds", "parameters"
    measures = dict.fromkeys((*study.shown, *always))
    measured = {key: summarize(rows, key) for key in measures}
    measured = {key: means for key, means in measured.items() if means} or {"accuracy": {}}
    lines = ["| variant | " + " | ".join(key.replace("_", " ") for key in measured) + " |"]
    lines += ["|---" * (len(measured) + 1) + "|"]
    for variant in dict.fromkeys(row["variant"] for row in rows):
        cells = [
            with_deviation(means[variant], key) if variant in means else "-"
            for key, means in measured.items()
        ]
        lines.append(f"| {variant}{missing_runs(rows, variant)} | " + " | ".join(cells) + " |")
    return lines


def recalls(rows):
    """The table of each class's recall, mean over seeds, in per cent: a row a variant."""
    table = {}
    for row in rows:
        for name, share in RECALL.findall(row["recall"] or "") if row["status"] == "done" else ():
            table.setdefault(row["variant"], {}).setdefault(name, []).append(100 * float(share))
    names = [*dict.fromkeys(name for recall in table.values() for name in recall)]
    lines = ["", "Recall of each class, %:", ""]
    lines += [f"| variant | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for variant, recall in table.items():
        means = (f"{sum(shares) / len(shares):.1f}" for shares in recall.values())
        lines.append(f"| {variant} | " + " | ".join(means) + " |")
    return lines


def circumstances(rows):
    """On what, how long, how often, and what the figures behind ± are."""
    done = [row for row in rows if row["status"] == "done"]
    if not done:
        return "No job has ended well."
    trained = f"{count_range(done, 'images')} training images"
    if any(row.get("epochs") for row in done):
        trained += f", {count_range(done, 'epochs')} epochs"
    threads = ""
    if any(row.get("threads") for row in done):
        threads = f", threads a job: {count_range(done, 'threads')}"
    return (
        f"{trained}, {seed_range(rows)} seeds (mean ± standard deviation over them), "
        f"measured on {count_range(done, 'measured_images')} {measured_on(done)}; "
        f"seconds: training{threads}."
    )

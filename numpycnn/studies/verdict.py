"""Whether a claim holds: a stated rule on means over seeds, so that nobody has to be asked."""

import math
import statistics
from dataclasses import dataclass

RULE = (
    "`a > b` holds when the difference of the means over seeds is above twice its standard error, "
    "sqrt(s_a²/n_a + s_b²/n_b) with s the deviation over n seeds; it is contradicted when the difference is below "
    "minus that, and undecided between. `a >= b` holds unless contradicted, `a within p to q` when the mean lies "
    "there. What diverged with every seed is less accurate than what did not. "
    "A claim, or a part of one, holds when each of its statements does, does not hold when one is contradicted, and is "
    "undecided otherwise. An accuracy is explained by each variant whose mean is within one point of it."
)
CAVEAT = (
    "With three seeds twice the standard error is a mild test: of true ties one in nine falls outside it, one in five "
    "where one of the deviations is far smaller, so a few of all these statements will be wrong by chance. The "
    "deviation is over seeds alone: all train on the same images, and are measured on the same. Trainings are short, "
    "and on a part of the images where it is said; the paper's took 100 epochs on all. What keeps a network from "
    "over-fitting (dropout, augmentation, few parameters) and what learns slowly are worth less here than there; the "
    "accuracy on the training images, as they were seen, tells how far a training had come."
)
HOLDS, CONTRADICTED, UNDECIDED = "holds", "contradicted", "undecided"
SHARES = ("accuracy", "train_accuracy", "rare_recall", "balanced_accuracy")
NEAR = 0.01  # an accuracy is explained by a mean within this


@dataclass(frozen=True)
class Measured:
    """Mean and deviation (None for one value) of n values."""

    mean: float
    deviation: float | None
    n: int


def summarize(rows, measure="accuracy"):
    """{variant: Measured} over the rows that have the measure, in their order."""
    values = {}
    for row in rows:
        value = row.get(measure)
        if value is not None and math.isfinite(value):
            values.setdefault(row["variant"], []).append(value)
    return {
        variant: Measured(statistics.fmean(v), statistics.stdev(v) if len(v) > 1 else None, len(v))
        for variant, v in values.items()
    }


def decide(statement, rows):
    """(outcome, text) of one statement (variant, relation, other[, measure]); see RULE.

    `other` is a variant, a number, or for "within" a pair of numbers. The text gives means, difference and error.
    """
    left, relation, other, measure = (*statement, "accuracy")[:4]
    found = summarize(rows, measure)
    a, b = found.get(left), found.get(other) if isinstance(other, str) else other
    title = f"{left} {relation} {shown(other, measure) if not isinstance(other, str) else other}"
    title += "" if measure == "accuracy" else f" ({measure.replace('_', ' ')})"
    if measure == "accuracy" and relation in (">", ">=") and isinstance(other, str):
        if a and diverged(rows, other):
            return HOLDS, f"{title}: {other} diverged with every seed"
        if b and diverged(rows, left):
            return CONTRADICTED, f"{title}: {left} diverged with every seed"
    if a is None or b is None:
        return UNDECIDED, f"{title}: no result"
    if relation == "within":
        low, high = other
        return (
            HOLDS if low <= a.mean <= high else CONTRADICTED
        ), f"{title}: {with_deviation(a, measure)}"
    return compare(title, a, relation, b, measure)


def diverged(rows, variant):
    """Whether every run of the variant diverged."""
    return {row.get("status") for row in rows if row["variant"] == variant} == {"diverged"}


def lost(rows, variant):
    """Which of the variant's runs its mean is without, such as " (1 of 3 diverged)"; nothing where it has all."""
    own = [row["status"] for row in rows if row["variant"] == variant]
    wrong = [status for status in own if status != "done"]
    return f" ({len(wrong)} of {len(own)} {wrong[0]})" if wrong else ""


def compare(title, a, relation, b, measure):
    """The rule itself: difference against twice its standard error."""
    b = b if isinstance(b, Measured) else Measured(b, 0.0, 1)
    if a.deviation is None or b.deviation is None:
        return UNDECIDED, f"{title}: one seed gives no error"
    sign = -1 if relation == "<" else 1
    difference = a.mean - b.mean
    error = math.sqrt(a.deviation**2 / a.n + b.deviation**2 / b.n)
    twice = shown(2 * error, measure).partition(" ")[0]
    text = f"{title}: difference {shown(difference, measure, signed=True)}, twice its error {twice}"
    if sign * difference < -2 * error:
        return CONTRADICTED, text
    return (HOLDS if relation == ">=" or sign * difference > 2 * error else UNDECIDED), text


def conclude(study, rows):
    """(verdict, [(outcome, text), ...]) of a study: what its README row says."""
    if study.target is not None:
        return explain(study.target, rows)
    parts = study.expect if isinstance(study.expect, dict) else {"": study.expect}
    found = {
        part: [decide(statement, rows) for statement in statements]
        for part, statements in parts.items()
    }
    verdicts = {
        part: judge([outcome for outcome, _ in findings]) for part, findings in found.items()
    }
    findings = [finding for some in found.values() for finding in some]
    if len(set(verdicts.values())) == 1:
        return next(iter(verdicts.values())), findings
    return "; ".join(f"{part}: {verdict}" for part, verdict in verdicts.items()), findings


def judge(outcomes):
    """The verdict on statements that are claimed together."""
    if CONTRADICTED in outcomes:
        return "does not hold"
    if outcomes and set(outcomes) == {HOLDS}:
        return "holds"
    count = outcomes.count(HOLDS)
    return f"undecided ({count} of {len(outcomes)} statements hold)" if count else "undecided"


def explain(target, rows):
    """Which variants give the target accuracy, nearest first; where none does, the nearest one."""
    found = summarize(rows)
    if not found:
        return "undecided", []
    away = {variant: abs(measured.mean - target) for variant, measured in found.items()}
    ranked = sorted(found, key=away.get)
    near = [variant for variant in ranked if away[variant] <= NEAR]
    texts = [
        f"{variant}: {with_deviation(found[variant], 'accuracy')}" for variant in near or ranked[:1]
    ]
    word = "explained by" if near else "not explained; the nearest is"
    return f"{word} {', '.join(texts)}", [(HOLDS if near else UNDECIDED, text) for text in texts]


def span(rows, key):
    """The values of a count over the rows, as text: "10,000", "3 to 12", or "no"."""
    values = sorted({int(row[key]) for row in rows if row.get(key) is not None})
    return between(values) if values else "no"


def seeds(rows):
    """How many runs the variants have, as text."""
    return between(
        sorted({sum(row["variant"] == v for row in rows) for v in {row["variant"] for row in rows}})
    )


def between(values):
    """Sorted whole numbers as text: the only one, or the first and the last."""
    return f"{values[0]:,} to {values[-1]:,}" if len(values) > 1 else f"{values[0]:,}"


def shown(value, measure, signed=False):
    """A value for people: shares in per cent, seconds with their unit, counts with commas."""
    if isinstance(value, (tuple, list)):
        return " to ".join(shown(v, measure) for v in value)
    sign = "+" if signed else ""
    if measure in SHARES:
        return f"{100 * value:{sign}.2f} {'points' if signed else '%'}"
    if measure in ("seconds", "predict_seconds"):
        return (
            f"{value:{sign}#.3g}".rstrip(".") + " s" if abs(value) < 100 else f"{value:{sign}.0f} s"
        )
    return f"{value:{sign},.0f}"


def with_deviation(measured, measure):
    """Mean ± deviation, in one unit, and to the same place."""
    text, error = (
        shown(measured.mean, measure),
        (measured.deviation or 0) * (100 if measure in SHARES else 1),
    )
    number, _, unit = text.partition(" ")
    places = len(number.partition(".")[2])
    return f"{number} ± {error:,.{places}f} {unit}".strip() if error else text

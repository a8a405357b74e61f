"""Whether a claim holds: a stated rule on means over seeds, so that nobody has to be asked."""

import math
import statistics
from dataclasses import dataclass

RULE = (
    "`a > b` holds when the difference of the means over seeds is larger than two standard errors, "
    "2 sqrt(s_a²/n_a + s_b²/n_b), with s the standard deviation over n seeds. "
    "It is contradicted when the difference is below minus that, and undecided in between. "
    "`a >= b` holds unless it is contradicted; `a within p to q` holds when the mean lies there. "
    "A variant that diverged on all seeds ranks below any that did not. "
    "A claim holds when each of its statements does, does not hold when one is contradicted, "
    "and is undecided otherwise. "
    "An accuracy is explained by each variant whose mean is within one point of it."
)
CAVEAT = (
    "With three seeds, two standard errors are a mild test: one in nine true ties falls outside, "
    "one in five where one of the deviations is far smaller. "
    "So a few of all these statements are wrong by chance. "
    "The deviation is over seeds alone: all runs train and are measured on the same images. "
    "Trainings are short, some on a part of the images; the paper's took 100 epochs on all. "
    "So what prevents over-fitting (dropout, augmentation, few parameters) and what learns slowly "
    "gain less here than there. "
    "The accuracy on the training images, as they were augmented, shows how far a training came."
)
HOLDS, CONTRADICTED, UNDECIDED = "holds", "contradicted", "undecided"
TRIAL = "trial, no verdict"  # of `study --quick`, whose numbers mean nothing
FAILS = "does not hold"  # of a claim, where a statement is contradicted
SHARES = ("accuracy", "train_accuracy", "rare_recall", "balanced_accuracy")
NEAR = 0.01  # an accuracy is explained by a mean within this


@dataclass(frozen=True)
class Measured:
    """Mean and standard deviation (None for one value) of n values."""

    mean: float
    deviation: float | None
    n: int


def is_trial(rows):
    """Whether the rows are those of `study --quick`."""
    return any(row.get("trial") for row in rows)


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

    `other` is a variant, a number, or for "within" a pair of numbers.
    The text gives means, difference and error.
    """
    left, relation, other, measure = (*statement, "accuracy")[:4]
    means = summarize(rows, measure)
    a = means.get(left)
    b = means.get(other) if isinstance(other, str) else other
    other_text = other if isinstance(other, str) else format_value(other, measure)
    title = f"{left} {relation} {other_text}"
    if measure != "accuracy":
        title += f" ({measure.replace('_', ' ')})"
    if measure == "accuracy" and relation in (">", ">=") and isinstance(other, str):
        if a and diverged(rows, other):
            return HOLDS, f"{title}: {other} diverged on all seeds"
        if b and diverged(rows, left):
            return CONTRADICTED, f"{title}: {left} diverged on all seeds"
    if a is None or b is None:
        return UNDECIDED, f"{title}: no result"
    if relation == "within":
        low, high = other
        inside = low <= a.mean <= high
        return (HOLDS if inside else CONTRADICTED), f"{title}: {with_deviation(a, measure)}"
    return compare(title, a, relation, b, measure)


def diverged(rows, variant):
    """Whether every run of the variant diverged."""
    return {row.get("status") for row in rows if row["variant"] == variant} == {"diverged"}


def missing_runs(rows, variant):
    """Which runs the variant's mean lacks, such as " (1 of 3 diverged)"; "" where it has all."""
    status = [row["status"] for row in rows if row["variant"] == variant]
    wrong = [text for text in status if text != "done"]
    return f" ({len(wrong)} of {len(status)} {wrong[0]})" if wrong else ""


def compare(title, a, relation, b, measure):
    """The rule itself: the difference of two means against two standard errors."""
    b = as_measured(b)
    error = two_standard_errors(a, b)
    if error is None:
        return UNDECIDED, f"{title}: one seed gives no error"
    sign = -1 if relation == "<" else 1
    difference = a.mean - b.mean
    text = f"{title}: difference {format_difference(a, b, measure)}"
    if sign * difference < -error:
        return CONTRADICTED, text
    return (HOLDS if relation == ">=" or sign * difference > error else UNDECIDED), text


def as_measured(value):
    """A number to compare with, as a mean without deviation."""
    return value if isinstance(value, Measured) else Measured(value, 0.0, 1)


def two_standard_errors(a, b):
    """2 sqrt(s_a²/n_a + s_b²/n_b) of the difference of two means; None where a deviation is."""
    if a.deviation is None or b.deviation is None:
        return None
    return 2 * math.sqrt(a.deviation**2 / a.n + b.deviation**2 / b.n)


def format_difference(a, b, measure):
    """a's mean minus b's: "+16.01 points ± 0.77 (2 s.e.)"; without the error for one seed."""
    text = format_value(a.mean - b.mean, measure, signed=True)
    error = two_standard_errors(a, b)
    if error is None:
        return text
    return f"{text} ± {format_value(error, measure).partition(' ')[0]} (2 s.e.)"


def parts(study):
    """{part of the claim: its statements}; a claim of one part is named ""."""
    return study.expect if isinstance(study.expect, dict) else {"": study.expect}


def conclude(study, rows):
    """(verdict, [(outcome, text), ...]) of a study: what its section in the README says."""
    if is_trial(rows):
        _, findings = conclude(study, [{**row, "trial": None} for row in rows])
        return TRIAL, [("trial", text) for _, text in findings]
    if study.target is not None:
        return explain(study.target, rows)
    findings = {
        part: [decide(statement, rows) for statement in statements]
        for part, statements in parts(study).items()
    }
    verdicts = {
        part: judge([outcome for outcome, _ in decided]) for part, decided in findings.items()
    }
    flat = [finding for decided in findings.values() for finding in decided]
    if len(set(verdicts.values())) == 1:
        return next(iter(verdicts.values())), flat
    return "; ".join(f"{part}: {verdict}" for part, verdict in verdicts.items()), flat


def judge(outcomes):
    """The verdict on statements that are claimed together."""
    if CONTRADICTED in outcomes:
        return FAILS
    if outcomes and set(outcomes) == {HOLDS}:
        return HOLDS
    count = outcomes.count(HOLDS)
    return f"{UNDECIDED} ({count} of {len(outcomes)} statements hold)" if count else UNDECIDED


def explain(target, rows):
    """Which variants give the target accuracy, nearest first; where none does, the nearest one."""
    means = summarize(rows)
    if not means:
        return UNDECIDED, []
    away = {variant: abs(measured.mean - target) for variant, measured in means.items()}
    ranked = sorted(means, key=away.get)
    near = [variant for variant in ranked if away[variant] <= NEAR]
    texts = [
        f"{variant}: {with_deviation(means[variant], 'accuracy')}" for variant in near or ranked[:1]
    ]
    word = "explained by" if near else "not explained; the nearest is"
    return f"{word} {', '.join(texts)}", [(HOLDS if near else UNDECIDED, text) for text in texts]


def count_range(rows, key):
    """The values of a count over the rows, as text: "10,000", "3 to 12", or "no"."""
    values = sorted({int(row[key]) for row in rows if row.get(key) is not None})
    return first_to_last(values) if values else "no"


def seed_range(rows):
    """How many runs the variants have, as text."""
    variants = {row["variant"] for row in rows}
    return first_to_last(sorted({sum(row["variant"] == v for row in rows) for v in variants}))


def first_to_last(values):
    """Sorted whole numbers as text: the only one, or the first and the last."""
    return f"{values[0]:,} to {values[-1]:,}" if len(values) > 1 else f"{values[0]:,}"


def measured_on(rows):
    """The kind of images that the rows were measured on, as text."""
    kind = next((row["measured_on"] for row in rows if row.get("measured_on")), "no images")
    # Tables that were written before version 0.2 have another word for the same.
    return {"held-out training images": "validation images"}.get(kind, kind)


def format_value(value, measure, signed=False):
    """A value as text: shares in per cent, seconds with their unit, counts with commas."""
    if isinstance(value, (tuple, list)):
        return " to ".join(format_value(v, measure) for v in value)
    sign = "+" if signed else ""
    if measure in SHARES:
        return f"{100 * value:{sign}.2f} {'points' if signed else '%'}"
    if measure == "slope":
        return f"{100 * value:+.3f} points"
    if measure in ("seconds", "predict_seconds"):
        if abs(value) >= 100:
            return f"{value:{sign}.0f} s"
        return f"{value:{sign}#.3g}".rstrip(".") + " s"  # three digits
    return f"{value:{sign},.0f}"


def with_deviation(measured, measure):
    """Mean ± standard deviation, in one unit, and with the same number of decimals."""
    text = format_value(measured.mean, measure)
    error = (measured.deviation or 0) * (100 if measure in (*SHARES, "slope") else 1)
    number, _, unit = text.partition(" ")
    decimals = len(number.partition(".")[2])
    return f"{number} ± {error:,.{decimals}f} {unit}".strip() if error else text

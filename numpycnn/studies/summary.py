"""The claims in short, from stored rows: the lines on top of README.md, and its table."""

import collections
from dataclasses import dataclass, replace

from .full import ENDING
from .verdict import (
    FAILS,
    HOLDS,
    TRIAL,
    UNDECIDED,
    as_measured,
    decide,
    explain,
    format_difference,
    format_value,
    is_trial,
    judge,
    missing_runs,
    parts,
    summarize,
    two_standard_errors,
    with_deviation,
)


@dataclass(frozen=True)
class Claim:
    """One line of the table: a claim, or a part of one, and what was measured of it, as text."""

    study: str
    text: str
    verdict: str
    best: str = "-"
    choice: str = "-"
    difference: str = "-"
    better: str = ""  # "Muon is better by 1.63 points", where that is beyond the error

    @property
    def kind(self):
        """HOLDS, FAILS, UNDECIDED, or for an accuracy to explain the verdict itself."""
        return UNDECIDED if self.verdict.startswith(UNDECIDED) else self.verdict


def claims(name, study, rows):
    """The lines of a study: one for each part of its claim."""
    if is_trial(rows):
        real = claims(name, study, [{**row, "trial": None} for row in rows])
        return [replace(claim, verdict=TRIAL, better="") for claim in real]
    if study.target is not None:
        return [explained(name, study, rows)]
    return [
        line(name, part or study.claim, statements, rows if not part else None, rows)
        for part, statements in parts(study).items()
    ]


def line(name, text, statements, whole, rows):
    """The line of one part. `whole`: the rows of all variants, where the part is the whole claim.

    Best: of the variants that the part speaks of, or of all. The paper's choice: the best of those
    that stand on the left of a statement. Difference: the choice minus the best of the others.
    """
    verdict = judge([decide(statement, rows)[0] for statement in statements])
    if not statements:
        return Claim(name, text, verdict)
    _, relation, other, measure = (*statements[0], "accuracy")[:4]
    means = summarize(rows, measure)
    choices = {left for left, *_ in statements if left in means}
    rivals = {right for _, _, right, *_ in statements if right in means}
    rivals = (set(means) if whole else rivals) - choices
    if not choices:
        return Claim(name, text, verdict, choice="no result")
    pick = min if relation == "<" else max  # a "<" is about what is cheap

    def first(variants):
        return pick([v for v in means if v in variants], key=lambda v: means[v].mean)

    def described(variant):
        number = with_deviation(means[variant], measure)
        return f"{variant}: {number}{missing_runs(rows, variant)}"

    choice, best = first(choices), first(choices | rivals)
    cells = {"best": described(best), "choice": described(choice)}
    if choice == best:
        cells["choice"] = "the same"
    if isinstance(other, tuple):
        between = f"claimed: {format_value(other, measure)}"
        return Claim(name, text, verdict, **cells, difference=between)
    if not isinstance(other, str):
        difference = format_difference(means[choice], as_measured(other), measure)
        return Claim(name, text, verdict, **cells, difference=difference)
    if not rivals:
        return Claim(name, text, verdict, **cells)
    rival = first(rivals)
    difference = format_difference(means[choice], means[rival], measure)
    away = abs(means[choice].mean - means[rival].mean)
    better = ""
    if rival == best and away > (two_standard_errors(means[choice], means[rival]) or 0):
        size = format_value(away, measure, signed=True).lstrip("+")
        better = f"{rival} is better by {size}"
    return Claim(name, text, verdict, **cells, difference=difference, better=better)


def explained(name, study, rows):
    """The line of an accuracy to explain: the variant whose mean is nearest to it."""
    verdict, _ = explain(study.target, rows)
    means = summarize(rows)
    if not means:
        return Claim(name, study.claim, verdict)
    best = max(means, key=lambda v: means[v].mean)
    nearest = min(means, key=lambda v: abs(means[v].mean - study.target))
    return Claim(
        name,
        study.claim,
        verdict.partition(" by ")[0].partition(";")[0],  # "explained", or "not explained"
        best=f"{best}: {with_deviation(means[best], 'accuracy')}",
        choice=f"{study.target:.2%}".replace("%", " %"),
        difference=f"{nearest}: "
        + format_difference(means[nearest], as_measured(study.target), "accuracy"),
    )


def headline(lines):
    """What was found, in few lines of Markdown: how many claims hold, and which."""
    trials = [one for one in lines if one.kind == TRIAL]
    lines = [one for one in lines if one.kind != TRIAL]
    if trials:
        names = ", ".join(dict.fromkeys(one.study for one in trials))
        trial = (
            f"**Trial** ({names}): few images, few epochs, two seeds (`--quick`), to see that it "
            "runs. The numbers mean nothing, and decide nothing."
        )
        return [trial, *(["", *headline(lines)] if lines else [])]
    groups = {kind: [one for one in lines if one.kind == kind] for kind in (HOLDS, FAILS)}
    groups[UNDECIDED] = [one for one in lines if one.kind == UNDECIDED]
    others = [one for one in lines if one.kind not in groups]
    counted = {kind: len(some) for kind, some in groups.items()}
    studies = len({one.study.removesuffix(ENDING) for one in lines})
    rest = "".join(
        f", {number} {'is' if number == 1 else 'are'} {verdict}"
        for verdict, number in collections.Counter(one.verdict for one in others).items()
    )
    text = [
        f"{studies} {'study' if studies == 1 else 'studies'}, {len(lines)} claims: "
        f"{counted[HOLDS]} hold, {counted[FAILS]} do not hold, {counted[UNDECIDED]} are undecided"
        f"{rest}.",
        "",
    ]
    heads = {HOLDS: "Holds", FAILS: "Does not hold", UNDECIDED: "Undecided"}
    for kind, some in groups.items():
        if some:
            text.append(f"- **{heads[kind]}:** " + "; ".join(map(in_words, some)) + ".")
    for one in others:
        text.append(f"- **{one.verdict.capitalize()}:** {one.text}. Nearest is {one.difference}.")
    return text


def in_words(claim):
    """A claim, and what is better than its choice: "... (Muon is better by 1.63 points)"."""
    return claim.text + (f" ({claim.better})" if claim.better else "")


def table(lines):
    """The table of all claims, in Markdown; a claim leads to the section of its study."""
    text = [
        "| claim | verdict | best | paper's choice | difference |",
        "|---|---|---|---|---|",
    ]
    for one in lines:
        words = one.text + (", at full length" if one.study.endswith(ENDING) else "")
        cells = [f"[{words}](#{one.study})", f"**{one.verdict}**"]
        text.append("| " + " | ".join([*cells, one.best, one.choice, one.difference]) + " |")
    return text

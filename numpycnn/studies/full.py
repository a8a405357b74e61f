"""Studies at the paper's own length: all training images, and epochs until nothing rises any more.

What keeps a network from over-fitting cannot be judged after 8 epochs of 10,000 images. `NAME-full`
has the variants of NAME, each with 40 epochs; the page shows both, and where they disagree.
"""

import dataclasses

import numpy as np

from .verdict import summarize

ENDING = "-full"
LENGTH = {"epochs": 40, "limit": None}
LAST = 5  # epochs whose slope tells whether a variant was still rising
NAMES = (  # in the order in which they are worth their hours
    "dropout", "augmentation", "head", "init", "activation", "optimizer", "batch-size", "mirror",
)  # fmt: skip


def full(study):
    """The study at full length; of variants that differ in their length alone, the first."""
    variants = {}
    for name, changes in study.variants.items():
        longer = {**changes, **LENGTH}
        if longer not in variants.values():
            variants[name] = longer
    return dataclasses.replace(
        study, variants=variants, expect=_about(study.expect, variants), last=LAST
    )


def _about(expect, variants):
    """The statements about these variants; a part of the claim without any is left out."""
    if isinstance(expect, dict):
        parts = {part: _about(statements, variants) for part, statements in expect.items()}
        return {part: statements for part, statements in parts.items() if statements}
    gone = {
        side for left, _, right, *_ in expect for side in (left, right) if isinstance(side, str)
    }
    gone -= variants.keys()
    return tuple(one for one in expect if not gone & {one[0], str(one[2])})


def beside(known):
    """{name: study}, with NAME-full after each that has one."""
    both = {}
    for name, study in known.items():
        both[name] = study
        if name in NAMES:
            both[name + ENDING] = full(study)
    return both


def slope(accuracies):
    """Least squares: how much the accuracy of the last epochs rises in one; None for one epoch."""
    last = accuracies[-LAST:]
    return float(np.polyfit(np.arange(len(last)), last, 1)[0]) if len(last) > 1 else None


def complete(study, rows):
    """Whether every variant has as many seeds as the others, and more than one."""
    counts = {sum(row["variant"] == variant for row in rows) for variant in study.variants}
    return len(counts) == 1 and counts.pop() > 1


def decisive(claims, tables):
    """The claims that count: in the place of a short study's the full one's, once it is complete.

    tables: {name: (study, rows)}, as results.stored gives them.
    """
    longer = {(one.study, one.text): one for one in claims if one.study.endswith(ENDING)}
    longer = {key: one for key, one in longer.items() if complete(*tables[one.study])}
    short = [one for one in claims if not one.study.endswith(ENDING)]
    return [longer.get((one.study + ENDING, one.text), one) for one in short]


def disagreements(short, counted):
    """Lines of Markdown, one for each claim on which the full study decides otherwise."""
    by_key = {(one.study + ENDING, one.text): one for one in short}
    lines = []
    for one in counted:
        before = by_key.get((one.study, one.text))
        if before and before.kind != one.kind:
            lines.append(
                f"- **Another verdict at full length:** {one.text}: {before.kind} in the short "
                f"study, {one.kind} in [the full one](#{one.study})."
            )
    return lines


def still_rising(rows):
    """The sentence on slopes under a full study's table; "" where none was measured."""
    slopes = summarize(rows, "slope")
    if not slopes:
        return ""
    steepest = max(slopes, key=lambda variant: slopes[variant].mean)
    return (
        f"Slope: by how many points the validation accuracy rose in an epoch, over the last {LAST} "
        f"epochs; the steepest is {steepest}, {100 * slopes[steepest].mean:+.3f}."
    )

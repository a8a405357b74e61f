"""Grades a student's function: its contract, its numbers, its float32, and gradcheck's own word.

    verdict = grade(exercise, function, seed)

It runs in this process; process.py runs it in one of its own. Nothing here knows an exercise.
"""

import copy
import zlib

import numpy as np

from .exercise import Trouble, in_float32, leaves
from .naming import Run, explain
from .verdict import Verdict


def probes(exercise, seed=""):
    """The exercise's probes, drawn for a student."""
    return list(
        exercise.probes(np.random.default_rng(zlib.crc32(f"{exercise.name} {seed}".encode())))
    )


def grade(exercise, function, seed=""):
    """-> Verdict. Whatever the function raises is a sentence of it."""
    verdict, runs = Verdict(exercise.name), []
    with np.errstate(all="ignore"):
        for probe in probes(exercise, seed):
            try:
                got = _call(exercise, function, probe, verdict)
            except NotImplementedError:
                return verdict.wrong("contract", "nothing is written yet: NotImplementedError")
            except Trouble as error:
                return verdict.wrong("contract", str(error))
            except Exception as error:
                text = " ".join(f"{type(error).__name__}: {error}".split())
                return verdict.wrong("contract", f"it raises {text}{_of(probe)}")
            runs.append((probe, got, exercise.expected(probe.args, got)))
        _untouched(exercise, runs, verdict)
        if not verdict.sentences or not exercise.changed:
            _outputs(exercise, runs, verdict)
        if not verdict.sentences and exercise.float32:
            _single(exercise, function, runs[0][0], verdict)
        if exercise.judge and not verdict.sentences:
            _judge(exercise, function, verdict)
    if not verdict.sentences:
        verdict.rows.insert(0, ("contract", "right", ""))
    return verdict


def _of(probe):
    about = ", ".join(f"{key} {value}" for key, value in probe.about.items())
    return f" (where {about})" if about else ""


def _call(exercise, function, probe, verdict):
    """What one probe gives; what it does beside is told to the verdict."""
    args = copy.deepcopy(probe.args)
    got = copy.deepcopy(exercise.observe(function, args))
    before, after = leaves(probe.args), leaves(args)
    for name in before:
        if name in exercise.changed or not isinstance(before[name], np.ndarray):
            continue
        if not np.array_equal(before[name], after[name], equal_nan=before[name].dtype.kind == "f"):
            verdict.wrong(
                "contract",
                f"it changes its argument {name}: the array belongs to the caller, work on a copy",
            )
    again = exercise.observe(function, copy.deepcopy(probe.args))
    if any(not _equal(got[name], again.get(name)) for name in got):
        rng = any(isinstance(v, np.random.Generator) for v in before.values())
        why = "random numbers come from elsewhere than rng, or s" if rng else "s"
        verdict.wrong(
            "contract",
            "the same call gives another answer the second time: "
            f"{why}omething is kept between the calls",
        )
    return got


def _untouched(exercise, runs, verdict):
    """Arguments that are to be changed in place, and never were."""
    for name in exercise.changed:
        old = [leaves(probe.args)[name] for probe, _, _ in runs]
        due = [
            (before, got[name])
            for before, (_, got, want) in zip(old, runs, strict=True)
            if not np.array_equal(before, want[name])
        ]
        if due and all(np.array_equal(before, now) for before, now in due):
            verdict.wrong(
                "contract",
                f"{name} is as it was: the array itself must change ({name} += ... or "
                f"{name}[...] = ...), as {name} = ... only makes another one",
            )


def _equal(a, b):
    try:
        a, b = np.asarray(a, float), np.asarray(b, float)
    except (TypeError, ValueError):
        return True  # no arrays: that is said elsewhere
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=True)


def _outputs(exercise, runs, verdict):
    """A row for each output."""
    for name in runs[0][2]:
        of_output = [Run(p, got.get(name), want[name], got, want, name) for p, got, want in runs]
        said = explain(exercise, name, of_output)
        for sentence in said:
            verdict.wrong(name, sentence)
        if not said:
            verdict.rows.append((name, "right", ""))


def _single(exercise, function, probe, verdict):
    """float32 must stay float32."""
    args = in_float32(copy.deepcopy(probe.args))
    want = exercise.expected(args)
    try:
        got = exercise.observe(function, copy.deepcopy(args))
    except Exception as error:
        verdict.wrong("float32", f"it raises {type(error).__name__} for float32: {error}")
        return
    for name, right in want.items():
        if isinstance(right, np.ndarray) and right.dtype == np.float32:
            came = np.asarray(got[name]).dtype
            if came != np.float32:
                verdict.wrong("float32", f"{name} is {came} where float32 came in")
    if not any(row[0] == "float32" for row in verdict.rows):
        verdict.rows.append(("float32", "right", ""))


def _judge(exercise, function, verdict):
    """gradcheck knows no reference: it compares with differences of the forward pass."""
    from ..gradient_check import gradcheck

    layer, inputs = exercise.judge(function)
    result = gradcheck(layer, *inputs, directions=2, elements=20, raise_error=False)
    wrong = [row for row in result.rows if row.verdict == "WRONG"]
    if result.ok:
        verdict.rows.append(("gradcheck", "right", f"largest error {result.max_error:.0e}"))
    else:
        names = (f"d{row.name}" if row.tolerance is None else row.worst for row in wrong)
        found = ", ".join(names) or "; ".join(result.problems)
        verdict.wrong("gradcheck", f"the differences of the forward pass disagree: {found}")

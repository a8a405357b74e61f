"""From wrong arrays to sentences: what is common to all probes, and where right and wrong part.

A sentence is said only when it holds for every probe that it speaks of. The order is from what says
most to what says least; the last, "wrong for every probe", is always true.
"""

from dataclasses import dataclass

import numpy as np

from . import places
from .compare import change, coefficients, factor, ratio, same
from .exercise import Probe
from .whatif import questions


@dataclass(eq=False)
class Run:
    """One output of one probe: what came, what is right."""

    probe: Probe
    got: object
    want: object
    observed: dict  # all outputs that came


def explain(exercise, name, runs):
    """[sentence] about the output `name`; empty where it is right."""
    form = _form(exercise, name, runs)
    if form:
        return [form]
    wanted = [r for r in runs if r.want is not None]
    endless = [r for r in wanted if not np.isfinite(r.got).all() and np.isfinite(r.want).all()]
    said = [f"{name} is not finite{places.only(wanted, endless)}"] if endless else []
    wanted = [r for r in wanted if r not in endless]
    bad = [r for r in wanted if not same(r.got, r.want, exercise.tolerance)]
    if bad:
        said.append(_sentence(exercise, name, wanted, bad))
    return said


def _form(exercise, name, runs):
    """A sentence about what is no array of the right shape, or None."""
    for run in runs:
        if run.got is None and run.want is not None:
            missing = [r for r in runs if r.got is None and r.want is not None]
            return f"{name} is not given back{places.only(runs, missing)}"
        if run.got is not None and run.want is None:
            extra = [r for r in runs if r.got is not None and r.want is None]
            return f"{name} is given back where None is expected{places.only(runs, extra)}"
        if run.want is None:
            continue
        try:
            run.got = np.asarray(run.got)
            numbers = run.got.dtype.kind in "fiub"
        except ValueError:
            numbers = False
        if not numbers:
            return f"{name} is no array of real numbers"
    wrong = [r for r in runs if r.want is not None and r.got.shape != np.shape(r.want)]
    if not wrong:
        return None
    return _shape(exercise, name, runs, wrong)


def _shape(exercise, name, runs, wrong):
    """The sentence about wrong shapes; a probe of the right shape may have wrong values too."""
    runs = [r for r in runs if r.want is not None]
    bad = [r for r in runs if not same(r.got, r.want, exercise.tolerance)]
    text = f"{name} has the shape {wrong[0].got.shape}, not {np.shape(wrong[0].want)}"
    scope = places.only(runs, bad)
    if all(r.got.ndim == 2 and r.got.shape == np.shape(r.want)[::-1] for r in wrong):
        also = all(same(r.got.T, r.want, exercise.tolerance) for r in bad)
        return f"{text}: it is transposed{' (and right otherwise)' if also else ''}{scope}"
    summed = [_summed(r.got, np.asarray(r.want)) for r in wrong]
    if all(s is not None and same(s, r.want) for s, r in zip(summed, wrong, strict=True)):
        return f"{text}: it is right once it is summed over the other axes{scope}"
    why = _twin(exercise, name, runs) or _as_if(exercise, name, runs)
    return f"{text}{': ' + why if why else ''}{scope}"


def _summed(got, want):
    """got, with the axes before those of want summed, or None."""
    if got.ndim <= want.ndim or got.shape[got.ndim - want.ndim :] != want.shape:
        return None
    return got.sum(axis=tuple(range(got.ndim - want.ndim)))


def _sentence(exercise, name, runs, bad):
    """The sentence about arrays of the right shape and wrong values."""
    for r in runs:
        r.got, r.want = np.asarray(r.got, float), np.asarray(r.want, float)
    scope = places.only(runs, bad) or "; it is wrong for every probe"
    ratios = [ratio(r.got, r.want) for r in bad]
    if all(k is not None for k in ratios):
        words = factor(ratios, [r.probe.sizes for r in bad])
        if words and (not words.endswith("should be") or any(r.want.size > 1 for r in bad)):
            known = all(_one(words, r.probe.sizes) for r in runs if r not in bad)
            return f"{name} is {words}{'' if known else scope}"
    for search in (_terms, _twin, _as_if, _rearranged, _scaled):
        words = search(exercise, name, runs) or (len(bad) > 1 and search(exercise, name, bad))
        if words:
            return f"{name}: {words}{scope}"
    if all(k is not None for k in ratios) and any(r.want.size > 1 for r in bad):
        return f"{name} is right but for a factor, another one for each probe{scope}"
    return f"{name} is wrong{scope or ' for every probe'}{places.where(exercise, name, bad)}"


def _one(words, sizes):
    """Whether the factor of these words is 1 for these sizes: the probe could not tell."""
    name = words.removesuffix(", the batch size").rpartition(" ")[2].removesuffix("^2")
    return sizes.get(name) == 1 and "/ " not in words and "* " not in words


def _terms(exercise, name, runs):
    """What became of the terms that the right answer is a sum of."""
    known = exercise.terms.get(name, ())
    runs = [r for r in runs if np.isfinite(r.got).all() and r.got.shape == r.want.shape]
    if not known or not runs:
        return None
    subjects = [subject for subject, _ in known]
    columns = [[np.broadcast_to(f(r.probe.args), r.want.shape) for r in runs] for _, f in known]
    k = coefficients([r.got for r in runs], columns)
    if k is not None:
        said = [f"{s} {change(x)}" for s, x in zip(subjects, k, strict=True) if abs(x - 1) > 1e-5]
        return " and ".join(said) or None
    said = []
    each = [coefficients([r.got], [[c[i]] for c in columns]) for i, r in enumerate(runs)]
    if any(one is None for one in each):
        return None
    for i, subject in enumerate(subjects):
        ks = [one[i] for one in each]
        there = [
            (k, r.probe.sizes) for k, r, c in zip(ks, runs, columns[i], strict=True) if c.any()
        ]
        if all(abs(k - 1) < 1e-5 for k, _ in there):
            continue
        words = factor(*zip(*there, strict=True))
        if not words:
            return None
        said.append(f"{subject} is {words}")
    return " and ".join(said) or None


def _twin(exercise, name, runs):
    """The sentence of a twin, wrong on purpose, that gives what came in every probe."""
    for sentence, f in [*exercise.twins.get(name, ()), *exercise.twins.get("", ())]:
        if _matches(exercise, runs, lambda r, f=f: _of(f(r.probe.args), name)):
            return sentence
    return None


def _of(result, name):
    return result[name] if isinstance(result, dict) else result


def _as_if(exercise, name, runs):
    """The other arguments for which the right function gives what came in every probe."""
    for words, changed in questions(runs[0].probe.args):

        def other(r, changed=changed):
            return exercise.expected(changed(r.probe.args), r.observed)[name]

        if _matches(exercise, runs, other):
            return f"it comes out as if {words}"
    return None


def _matches(exercise, runs, other):
    """Whether other(run) is what came, for all runs, and not what is right for one of them."""
    differs = False
    with np.errstate(all="ignore"):
        for r in runs:
            try:
                there = other(r)
                if not same(r.got, there, exercise.tolerance):
                    return False
                differs |= not same(there, r.want, exercise.tolerance)
            except Exception:  # there is no right answer for such arguments
                return False
    return differs


REARRANGED = [
    ("it is right but for its sign where it is negative: |.| is taken", np.abs),
    ("negative values are cut off", lambda a: np.maximum(a, 0)),
    ("positive values are cut off", lambda a: np.minimum(a, 0)),
    ("it is squared", np.square),
    ("its root is taken", lambda a: np.sqrt(np.abs(a))),
    ("it is 1 over what it should be", lambda a: 1 / a),
    ("its exponential is taken", np.exp),
    ("its logarithm is taken", lambda a: np.log(np.abs(a))),
    ("it is rounded to whole numbers", np.round),
    ("it is cut to whole numbers", np.trunc),
    ("nothing is left but its sign", np.sign),
]


def _rearranged(exercise, name, runs):
    """The right cells in wrong places, or a simple function of the right values."""
    moves = list(REARRANGED)
    axes = exercise.axes.get(name, ())
    for i, axis in enumerate(axes):
        moves.append((f"it is in reverse order along the {axis}s", lambda a, i=i: np.flip(a, i)))
        moves.append((f"it is shifted by one {axis}", lambda a, i=i: np.roll(a, 1, i)))
        moves.append((f"it is shifted back by one {axis}", lambda a, i=i: np.roll(a, -1, i)))
        moves.append(
            (f"its mean over the {axis}s is taken off", lambda a, i=i: a - a.mean(i, keepdims=True))
        )
        moves.append(
            (f"all {axis}s have their mean", lambda a, i=i: _all(a.mean(i, keepdims=True), a))
        )
        moves.append(
            (f"all {axis}s have what belongs to the first", lambda a, i=i: _all(a.take([0], i), a))
        )
        for j in range(i + 1, len(axes)):
            words = f"{axis}s and {axes[j]}s are exchanged (transposed)"
            moves.append((words, lambda a, i=i, j=j: np.swapaxes(a, i, j)))
    if len(axes) == 4:
        moves.append(("it is turned by 180 degrees", lambda a: a[::-1, ::-1]))
        moves.append(("each of its maps is turned by 180 degrees", lambda a: a[:, ::-1, ::-1]))
    for words, f in moves:
        if _matches(exercise, runs, lambda r, f=f: f(r.want)):
            return words
    return None


def _all(part, whole):
    return np.broadcast_to(part, whole.shape)


def _scaled(exercise, name, runs):
    """Two mistakes at once: other arguments or a twin, and a factor."""
    candidates = [
        (s, lambda r, f=f: _of(f(r.probe.args), name))
        for s, f in [*exercise.twins.get(name, ()), *exercise.twins.get("", ())]
    ]
    candidates += [
        (
            f"it comes out as if {words}",
            lambda r, g=g: exercise.expected(g(r.probe.args), r.observed)[name],
        )
        for words, g in questions(runs[0].probe.args)
    ]
    if max(r.want.size for r in runs) < 3:
        return None
    for words, other in candidates:
        with np.errstate(all="ignore"):
            ratios = []
            for r in runs:
                try:
                    k = ratio(r.got, np.asarray(other(r), float))
                except Exception:
                    k = None
                if not k:
                    break
                ratios.append(k)
        if len(ratios) == len(runs) and (named := factor(ratios, [r.probe.sizes for r in runs])):
            return f"{words}, and is {named}"
    return None

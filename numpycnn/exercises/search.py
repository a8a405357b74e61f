"""The searches for what a wrong output is: terms, twins, other arguments, places, and a factor.

Each takes (exercise, name, runs) and gives words that hold for all the runs, or None.
"""

import numpy as np

from .compare import alike, change, coefficients, factor, ratio, same
from .exercise import NO_ANSWER
from .steps import seen
from .whatif import questions


def exchanged(exercise, name, runs):
    """Another output stands in the place of this one."""
    for other in runs[0].wanted:
        if other == name:
            continue
        if _matches(exercise, runs, lambda r, other=other: r.wanted[other]):
            return f"it is {other}: the two are in each other's place, or the same"
        if _matches(exercise, runs, lambda r, other=other: r.want + r.wanted[other]):
            return f"{other} is added to it"
    return None


def offset(exercise, name, runs):
    """One number is added to every cell, the same in every probe."""
    if max(r.want.size for r in runs) < 2:
        return None
    with np.errstate(all="ignore"):
        gaps = np.concatenate([(r.got - r.want).ravel() for r in runs])
        largest = max(np.abs(r.want).max(initial=0) for r in runs)
    one = float(np.median(gaps))
    if not np.isfinite(one) or np.ptp(gaps) > 1e-9 * (largest + abs(one)) or abs(one) < 1e-9:
        return None
    return f"the number {one:.6g} is added to every cell"


def terms(exercise, name, runs):
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


def twin(exercise, name, runs):
    """The sentence of a twin, wrong on purpose, that gives what came in every probe."""
    for sentence, f in exercise.twins.get(name, ()):
        if _matches(exercise, runs, lambda r, f=f: _of(f(seen(r)), name)):
            return sentence
    for sentence, f in exercise.twins.get("", ()):  # of all outputs: each must be as the twin's
        if _matches(exercise, runs, lambda r, f=f: f(seen(r))[name]) and all(
            _all_alike(exercise, r, f(seen(r))) for r in runs
        ):
            return sentence
    return None


def _all_alike(exercise, run, there):
    pairs = [(run.observed[k], v) for k, v in there.items() if v is not None]
    return all(same(got, want, exercise.tolerance) for got, want in pairs)


def _of(result, name):
    return result[name] if isinstance(result, dict) else result


def as_if(exercise, name, runs):
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
                there = np.asarray(other(r), float)
                if not alike(r.got, there, exercise.tolerance):
                    return False
                differs |= not same(there, r.want, exercise.tolerance)
            except NO_ANSWER:
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
    ("it is rounded down to whole numbers", np.floor),
    ("it is rounded up to whole numbers", np.ceil),
    ("nothing is left but its sign", np.sign),
]


def rearranged(exercise, name, runs):
    """The right cells in wrong places, or a simple function of the right values."""
    if max(r.want.size for r in runs) < 2 and len({float(r.want) for r in runs}) < 2:
        return None  # one number alone: too much would explain it
    moves = [*REARRANGED, *_moves(exercise.axes.get(name, ()))]
    for words, f in moves:
        if _matches(exercise, runs, lambda r, f=f: f(r.want)):
            return words
    return None


def _moves(axes):
    """[(words, f)] along the axes of these names."""
    for i, axis in enumerate(axes):
        yield f"it is in reverse order along the {axis}s", lambda a, i=i: np.flip(a, i)
        yield f"it is shifted by one {axis}", lambda a, i=i: np.roll(a, 1, i)
        yield f"it is shifted back by one {axis}", lambda a, i=i: np.roll(a, -1, i)
        yield f"the {axis}s are added up, one after the other", lambda a, i=i: np.cumsum(a, i)
        yield f"its mean over the {axis}s is taken off", lambda a, i=i: a - a.mean(i, keepdims=True)
        for words, f in FOR_ALL:
            yield f"all {axis}s have {words}", lambda a, i=i, f=f: _all(f(a, i), a)
        for j in range(i + 1, len(axes)):
            words = f"{axis}s and {axes[j]}s are exchanged (transposed)"
            yield words, lambda a, i=i, j=j: np.swapaxes(a, i, j)
    if len(axes) == 4:
        yield "it is turned by 180 degrees", lambda a: a[::-1, ::-1]
        yield "each of its maps is turned by 180 degrees", lambda a: a[:, ::-1, ::-1]


FOR_ALL = [
    ("their mean", lambda a, i: a.mean(i, keepdims=True)),
    ("their sum", lambda a, i: a.sum(i, keepdims=True)),
    ("the largest of them", lambda a, i: a.max(i, keepdims=True)),
    ("what belongs to the first", lambda a, i: a.take([0], i)),
    ("what belongs to the last", lambda a, i: a.take([-1], i)),
]


def _all(part, whole):
    return np.broadcast_to(part, whole.shape)


def _rounded(run):
    """Whether it is right but for rounding: no factor is to be found."""
    k = ratio(run.got, run.want)
    return k is not None and abs(k - 1) < 1e-5


def scaled(exercise, name, runs):
    """Two mistakes at once: other arguments or a twin, and a factor."""
    candidates = [
        (s, lambda r, f=f: _of(f(seen(r)), name))
        for s, f in [*exercise.twins.get(name, ()), *exercise.twins.get("", ())]
    ]
    candidates += [
        (
            f"it comes out as if {words}",
            lambda r, g=g: exercise.expected(g(r.probe.args), r.observed)[name],
        )
        for words, g in questions(runs[0].probe.args)
    ]
    if max(r.want.size for r in runs) < 3 or all(_rounded(r) for r in runs):
        return None
    for words, other in candidates:
        with np.errstate(all="ignore"):
            ratios = []
            for r in runs:
                try:
                    k = ratio(r.got, np.asarray(other(r), float))
                except NO_ANSWER:
                    k = None
                if not k:
                    break
                ratios.append(k)
        if len(ratios) == len(runs) and (named := factor(ratios, [r.probe.sizes for r in runs])):
            return f"{words}, and is {named}"
    return None

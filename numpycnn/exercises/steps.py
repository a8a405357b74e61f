"""What if one step of the right computation gave something else?

An exercise's steps(args) is a generator: it yields (words, value) for each value on the way, takes
back the value to go on with, and returns {output: array}. Every step is changed in turn, in all
the ways below; no exercise is known here. What matches in every probe is a fact about all of them:
"it comes out as if the variance were squared".
"""

import itertools

import numpy as np

from .compare import alike, factor, ratio, same
from .exercise import NO_ANSWER, leaves
from .whatif import along

TINY = (1e-15, 1e-12, 1e-10, 1e-9, 1e-8)  # the same, but where a value is 0
SMALL = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
SINGLE = [
    ("were 0", np.zeros_like),
    ("were 1", np.ones_like),
    ("had the other sign", np.negative),
    ("lost its sign: |.|", np.abs),
    ("were squared", np.square),
    ("were its own root", lambda v: np.sqrt(np.abs(v))),
    ("were 1 over itself", lambda v: 1 / v),
    ("were 1 over its own root", lambda v: 1 / np.sqrt(v)),
    ("were 1 less itself", lambda v: 1 - v),
    ("were its exponential", np.exp),
    ("were its logarithm", np.log),
    ("were there twice", lambda v: 2 * v),
    ("were halved", lambda v: v / 2),
    ("were cubed", lambda v: v**3),
    ("were cut off below 0", lambda v: np.maximum(v, 0)),
    ("were cut off above 0", lambda v: np.minimum(v, 0)),
    ("were nothing but its sign", np.sign),
    *((f"were at least {k:g}", lambda v, k=k: np.maximum(v, k)) for k in (0.01, 0.1, 0.2)),
    ("were cut to [-1, 1]", lambda v: np.clip(v, -1, 1)),
    ("went through a sigmoid", lambda v: 1 / (1 + np.exp(-v))),
    ("went through a tanh", np.tanh),
    ("went through a softplus", lambda v: np.logaddexp(0, v)),
    ("were cut to whole numbers", np.trunc),
    ("were rounded to whole numbers", np.round),
    ("were 1 where it is positive", lambda v: np.asarray(v > 0, float)),
    ("were its mean", lambda v: np.broadcast_to(np.mean(v), np.shape(v))),
    ("were its sum", lambda v: np.broadcast_to(np.sum(v), np.shape(v))),
    ("were divided by its norm", lambda v: v / np.linalg.norm(v)),
    ("had its mean taken off", lambda v: v - np.mean(v)),
    *((f"were at least {e:g}, or had it added", lambda v, e=e: np.maximum(v, e)) for e in TINY),
    *((f"had {e:g} added to it", lambda v, e=e: v + e) for e in SMALL),
    *((f"were at least {e:g}", lambda v, e=e: np.maximum(v, e)) for e in SMALL),
]
USUAL = [
    one
    for one in SINGLE
    if one[0].removeprefix("were ") in ("0", "1", "cut off below 0", "squared", "its mean")
    or one[0] == "had the other sign"
]
PAIRS = [
    ("were {}", lambda v, w: np.broadcast_to(w, np.shape(v))),
    ("were multiplied by {}", np.multiply),
    ("were divided by {}", np.divide),
    ("had {} added to it", np.add),
    ("had {} taken off", np.subtract),
    ("were multiplied by the root of {}", lambda v, w: v * np.sqrt(w)),
    ("were divided by the root of {}", lambda v, w: v / np.sqrt(w)),
    ("were multiplied by 1 - {}", lambda v, w: v * (1 - w)),
    ("were divided by 1 - {}", lambda v, w: v / (1 - w)),
    ("were multiplied by 1 + {}", lambda v, w: v * (1 + w)),
]


TWO = [("-", np.subtract), ("/", np.divide), ("*", np.multiply), ("+", np.add)]


def changed_step(exercise, name, runs):
    """The words for the one changed step that gives what came in every probe, or None.

    Where none gives it, one that gives a multiple of it, by a factor that has a name.
    """
    if not exercise.steps:
        return None
    wrong = [r for r in runs if not same(r.got, r.want, exercise.tolerance)]
    if not wrong:
        return None
    first, multiples = wrong[0], []  # what changes nothing here is no cause
    k = ratio(first.got, first.want)  # 1, but for rounding: then no factor is to be found
    scaled = first.got.size > 2 and (k is None or abs(k - 1) > 1e-5)
    with np.errstate(all="ignore"):
        for at, words, change in _questions(exercise, first):
            found = _output(exercise, name, first, {at: change})
            if found is None or not _promising(first.got, found):
                continue
            if alike(first.got, found, exercise.tolerance):
                if all(_matches(exercise, name, r, {at: change}) for r in runs):
                    return f"it comes out as if {words}"
            elif scaled and not same(found, first.want) and ratio(first.got, found):
                multiples.append((at, words, change))
        for at, words, change in multiples:
            if by := _factor(exercise, name, runs, at, change):
                return f"it comes out as if {words}, and is {by}"
        return _two_steps(exercise, name, [first, *runs])


def _two_steps(exercise, name, runs):
    """The words for two steps changed at once, each in a usual way, or None."""
    single = []
    for at, words, change in _questions(exercise, runs[0], USUAL):
        found = _output(exercise, name, runs[0], {at: change})
        if found is not None and not same(found, runs[0].want):
            single.append((at, words, change))
    for (a, first, f), (b, second, g) in itertools.combinations(single, 2):
        changes = {a: f, b: g}
        if a != b and all(_matches(exercise, name, r, changes) for r in runs):
            return f"it comes out as if {first}, and {second}"
    return None


def _promising(got, found):
    """Whether two cells may be equal, or one multiple: a quick look, before all are compared."""
    if got.size < 2:
        return True
    (a, b), (c, d) = got.flat[:2], found.flat[:2]
    return not abs(a * d - b * c) > 1e-6 * max(abs(a * d), abs(b * c), 1e-300)


def _factor(exercise, name, runs, at, change):
    ratios = []
    for run in runs:
        found = _output(exercise, name, run, {at: change})
        k = None if found is None or found.size < 2 else ratio(run.got, found)
        if not k:
            return None
        ratios.append(k)
    return factor(ratios, [run.probe.sizes for run in runs])


def _matches(exercise, name, run, changes):
    found = _output(exercise, name, run, changes)
    return found is not None and alike(run.got, found, exercise.tolerance)


def _output(exercise, name, run, changes):
    """The output of the changed computation, or None."""
    found = follow(exercise, run, changes)
    value = None if found is None else found.get(name)
    return None if value is None or np.shape(value) != run.got.shape else np.asarray(value, float)


def follow(exercise, run, changes=None):
    """{output: array} with the steps of {name: change} replaced by change(value, known, sizes).

    None where there is no such value: another shape, or what NumPy refuses.
    """
    walk, known = exercise.steps(seen(run)), dict(run.numbers)
    try:
        words, value = next(walk)
        while True:
            if changes and words in changes:
                new = changes[words](value, known, run.probe.sizes)
                if new is None or np.shape(new) != np.shape(value):
                    return None
                value = np.asarray(new)
            known[words] = value
            words, value = walk.send(value)
    except StopIteration as end:
        return end.value
    except NO_ANSWER:
        return None


def seen(run):
    """The arguments, what the student drew, and the outputs that came, as "_got"."""
    drawn = {k: v for k, v in run.observed.items() if k.startswith("_")}
    return run.probe.args | drawn | {"_got": run.observed}


def numbers(args):
    """The arguments that are numbers or arrays of numbers."""
    found = {}
    for name, value in leaves(args).items():
        kind = np.asarray(value).dtype.kind if isinstance(value, (np.ndarray, int, float)) else ""
        if (kind and kind in "fi") or (kind == "b" and np.ndim(value)):
            found[name] = value
    return found


def _questions(exercise, run, usual=None):
    """[(name of the step, words, change)]; with `usual`, those changes alone."""
    walk, known = exercise.steps(seen(run)), dict(run.numbers)
    try:
        words, value = next(walk)
        while True:
            for ending, f in usual or _single(value):
                yield words, f"{words} {ending}", lambda v, known, sizes, f=f: f(v)
            others = [] if usual else [name for name, v in known.items() if _fits(v, value)]
            for other in others:
                for ending, f in PAIRS:
                    yield words, f"{words} {ending.format(other)}", _of_pair(other, f)
            arrays = [name for name in others if np.ndim(known[name])]
            for a, b in itertools.permutations(arrays, 2):
                for sign, f in TWO if a < b else TWO[:2]:
                    yield words, f"{words} were {a} {sign} {b}", _of_two(a, b, f)
            for size in () if usual else run.probe.sizes:
                yield words, f"{words} were multiplied by {size}", _by(size, np.multiply)
                yield words, f"{words} were divided by {size}", _by(size, np.divide)
            known[words] = value
            words, value = walk.send(value)
    except StopIteration:
        return


def _single(value):
    yield from SINGLE
    for axis in range(np.ndim(value)):
        yield from along(axis)
    if np.ndim(value) == 2 and len(set(np.shape(value))) == 1:
        yield "were transposed", np.transpose


def _fits(value, into):
    try:
        return np.broadcast_shapes(np.shape(value), np.shape(into)) == np.shape(into)
    except ValueError:
        return False


def _of_pair(other, f):
    return lambda v, known, sizes: f(v, known[other])


def _of_two(a, b, f):
    return lambda v, known, sizes: np.broadcast_to(f(known[a], known[b]), np.shape(v))


def _by(size, f):
    return lambda v, known, sizes: f(v, sizes[size])


REDUCED = [
    ("the sum of", np.sum),
    ("the mean of", np.mean),
    ("the largest of", np.max),
    ("the smallest of", np.min),
    ("the median of", np.median),
    ("the product of", np.prod),
    ("the deviation of", np.std),
    ("the sum of the squares of", lambda v, axis: (v * v).sum(axis)),
    ("the mean square of", lambda v, axis: (v * v).mean(axis)),
    ("the root of the mean square of", lambda v, axis: np.sqrt((v * v).mean(axis))),
    ("the norm of", lambda v, axis: np.sqrt((v * v).sum(axis))),
    ("the sum of the magnitudes of", lambda v, axis: np.abs(v).sum(axis)),
    ("the mean of the magnitudes of", lambda v, axis: np.abs(v).mean(axis)),
    ("the largest magnitude of", lambda v, axis: np.abs(v).max(axis)),
    ("the first of", lambda v, axis: _taken(v, axis, 0)),
    ("the last of", lambda v, axis: _taken(v, axis, -1)),
]


def _taken(v, axes, index):
    return v[tuple(index if i in axes else slice(None) for i in range(v.ndim))]


def reduced(exercise, name, runs):
    """One number made of several in another way than is wanted: the largest where it is the sum."""
    wrong = [r for r in runs if not same(r.got, r.want, exercise.tolerance)]
    if not wrong or not any(r.got.size > 1 for r in wrong):
        return None
    first = wrong[0]
    with np.errstate(all="ignore"):
        known = [(r, known_values(exercise, r)) for r in [first, *runs]]
        for words, value in known[0][1].items():
            for axes in _axes_to(np.shape(value), first.got.shape):
                for how, f in REDUCED:
                    if all(_is_reduced(exercise, r, one.get(words), f, axes) for r, one in known):
                        over = " and ".join(map(str, axes))
                        return f"it is {how} {words} over axis {over}"
    return None


def _axes_to(shape, wanted):
    """The axes to reduce, so that what is left has the wanted shape."""
    for count in range(1, len(shape) - len(wanted) + 1):
        for axes in itertools.combinations(range(len(shape)), count):
            if tuple(n for i, n in enumerate(shape) if i not in axes) == wanted:
                yield axes


def _is_reduced(exercise, run, value, f, axes):
    if value is None or np.ndim(value) <= max(axes):
        return False
    found = np.asarray(f(np.asarray(value, float), axis=axes))
    return found.shape == run.got.shape and alike(run.got, found, exercise.tolerance)


def added(exercise, name, runs):
    """k times a known value is added to what is right, k the same number in every probe."""
    runs = [r for r in runs if np.isfinite(r.got).all()]
    if not runs or max(r.want.size for r in runs) < 3:
        return None
    with np.errstate(all="ignore"):
        known = [_candidates(exercise, r) for r in runs]
        gaps = [r.got - r.want for r in runs]
        for words in known[0]:
            k = _multiple(gaps, [one.get(words) for one in known], runs)
            if k:
                times = "" if abs(k - 1) < 1e-6 else "-" if abs(k + 1) < 1e-6 else f"{k:.4g} times "
                return f"{times}{words} is added to it"
    return None


def _multiple(gaps, found, runs):
    """k with gap = k * found in every probe, or None."""
    ks = []
    for gap, one, run in zip(gaps, found, runs, strict=True):
        if one is None:
            return None
        one = np.asarray(one, float)
        if not _fits(one, gap) or not np.isfinite(one).all():
            return None
        one = np.broadcast_to(one, gap.shape)
        within = 1e-7 * max(np.abs(run.want).max(initial=0), np.abs(run.got).max(initial=0), 1e-12)
        square = float((one * one).sum())
        k = float((gap * one).sum()) / square if square else 0.0
        if np.abs(gap - k * one).max(initial=0) > within:
            return None
        if square:
            ks.append(k)
    ks = np.array(ks)
    if not ks.size or not np.isfinite(ks).all() or np.ptp(ks) > 1e-5 * abs(ks[0]):
        return None
    return float(ks[0]) if abs(ks[0]) > 1e-6 else None


def known_values(exercise, run):
    """{name: number or array}: the arguments and all steps."""
    known = dict(run.numbers)
    if exercise.steps:
        walk = exercise.steps(seen(run))
        try:
            words, value = next(walk)
            while True:
                known[words] = value
                words, value = walk.send(value)
        except StopIteration:
            pass
    return known


def _candidates(exercise, run):
    """{words: array}: arguments and steps, their negative and positive parts, where masks open."""
    known = known_values(exercise, run)
    known = {k: v for k, v in known.items() if np.ndim(v) and np.asarray(v).dtype.kind in "fb"}
    floats = {k: v for k, v in known.items() if v.dtype.kind == "f"}
    masks = {k: v for k, v in known.items() if v.dtype.kind == "b"}
    found = dict(floats)
    for name, v in floats.items():
        found[f"the negative part of {name}"] = np.minimum(v, 0)
        found[f"the positive part of {name}"] = np.maximum(v, 0)
        found[f"1 where {name} <= 0"] = 1.0 * (v <= 0)
        found[f"1 where {name} > 0"] = 1.0 * (v > 0)
        found[f"|{name}|"] = np.abs(v)
        found[f"{name} squared"] = v * v
        for mask, m in masks.items():
            if m.shape == v.shape:
                found[f"{name} where {mask} is False"] = v * ~m
                found[f"{name} where {mask} is True"] = v * m
    for mask, m in masks.items():
        found[f"1 where {mask} is True"] = 1.0 * m
        found[f"1 where {mask} is False"] = 1.0 * ~m
    return found

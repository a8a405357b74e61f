"""From wrong arrays to sentences: what is common to all probes, and where right and wrong part.

A sentence is said only when it holds for every probe that it speaks of. The order is from what says
most to what says least; the last, "wrong for every probe", is always true.
"""

import functools
import itertools
from dataclasses import dataclass

import numpy as np

from . import places
from .compare import factor, ratio, same
from .exercise import Probe
from .search import as_if, exchanged, offset, rearranged, scaled, terms, twin
from .steps import added, changed_step, numbers, reduced

# From what says most to what says least.
SEARCHES = (
    exchanged, twin, terms, as_if, offset, rearranged, reduced, changed_step, added, scaled,
)  # fmt: skip


@dataclass(eq=False)
class Run:
    """One output of one probe: what came, what is right."""

    probe: Probe
    got: object
    want: object
    observed: dict  # all outputs that came
    wanted: dict  # and what they should be
    name: str = ""

    @functools.cached_property
    def numbers(self):
        """The arguments that are numbers or arrays of numbers, by name."""
        return numbers(self.probe.args)


def explain(exercise, name, runs):
    """[sentence] about the output `name`; empty where it is right."""
    form = _form(exercise, name, runs)
    if form:
        return [form]
    if any(np.asarray(r.got).dtype == np.float16 for r in runs):
        return [f"{name} is float16: it has three digits only"]
    wanted = [r for r in runs if r.want is not None]
    for r in wanted:
        r.got, r.want = np.asarray(r.got, float), np.asarray(r.want, float)
    endless = [r for r in wanted if not np.isfinite(r.got).all() and np.isfinite(r.want).all()]
    said = []
    if endless:
        scope = places.only(wanted, endless).replace("it is right", "it is finite")
        why = next((w for f in (twin, as_if, changed_step) if (w := f(exercise, name, wanted))), "")
        scope = scope.replace("wrong", "not finite")
        said.append(f"{name} is not finite{scope}{'; ' + why if why else ''}")
        if why:  # it is said of all probes
            return said
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
    if all(r.got.size == np.size(r.want) for r in bad) and all(_same_cells(r) for r in bad):
        return f"{text}: it is right in another shape{scope}"
    for shaped in (_cropped, _spread, _contained, _reduced):
        said = {shaped(exercise, r) for r in wrong}
        if len(said) == 1 and None not in said:
            return f"{text}: {said.pop()}{scope}"
    searches = (exchanged, twin, as_if, rearranged, reduced)
    why = next((found for search in searches if (found := search(exercise, name, runs))), "")
    return f"{text}{': ' + why if why else ''}{scope}"


def _cropped(exercise, r):
    """What is there is right, and the rest is missing at one end."""
    got, want = r.got, np.asarray(r.want)
    if got.ndim != want.ndim or not all(a <= b for a, b in zip(got.shape, want.shape, strict=True)):
        return None
    first = want[tuple(slice(n) for n in got.shape)]
    last = want[tuple(slice(m - n, None) for n, m in zip(got.shape, want.shape, strict=True))]
    if same(got, first, exercise.tolerance):
        return "what is there is right, and the end is missing"
    return "what is there is right, and the beginning is missing" if same(got, last) else None


def _spread(exercise, r):
    """It is right once it is repeated along the axes that it lacks."""
    want = np.asarray(r.want)
    for kept in itertools.combinations(range(want.ndim), r.got.ndim):
        shape = [want.shape[i] if i in kept else 1 for i in range(want.ndim)]
        if r.got.shape == tuple(want.shape[i] for i in kept):
            whole = np.broadcast_to(r.got.reshape(shape), want.shape)
            if same(whole, want, exercise.tolerance):
                return "it is right once it is repeated along the axes that it lacks"
    return None


def _contained(exercise, r):
    """The right array stands inside a larger one."""
    want = np.asarray(r.want)
    if r.got.ndim != want.ndim:
        return None
    rooms = [range(a - b + 1) for a, b in zip(r.got.shape, want.shape, strict=True)]
    for begin in itertools.product(*rooms):
        place = tuple(slice(i, i + n) for i, n in zip(begin, want.shape, strict=True))
        if same(r.got[place], want, exercise.tolerance):
            return "it is right once its border is cut off"
    return None


def _reduced(exercise, r):
    """The right array, summed or averaged over an axis."""
    want = np.asarray(r.want)
    for i, axis in enumerate(exercise.axes.get(r.name, ())):
        if same(r.got, want.sum(i), exercise.tolerance):
            return f"it is summed over the {axis}s, which are to be kept"
        if same(r.got, want.mean(i), exercise.tolerance):
            return f"it is averaged over the {axis}s, which are to be kept"
    return None


def _same_cells(r):
    return same(r.got.ravel(), np.ravel(r.want))


def _summed(got, want):
    """got, with the axes before those of want summed, or None."""
    if got.ndim <= want.ndim or got.shape[got.ndim - want.ndim :] != want.shape:
        return None
    return got.sum(axis=tuple(range(got.ndim - want.ndim)))


def _sentence(exercise, name, runs, bad):
    """The sentence about arrays of the right shape and wrong values."""
    scope = places.only(runs, bad) or "; it is wrong for every probe"
    ratios = [ratio(r.got, r.want) for r in bad]
    if all(k is not None for k in ratios):
        words = factor(ratios, [r.probe.sizes for r in bad])
        if words and (not words.endswith("should be") or sum(r.want.size for r in bad) > 2):
            if words.endswith(("should be", "everywhere")) and (also := twin(exercise, name, runs)):
                return f"{name}: {also}{scope}"
            known = all(_one(words, r.probe.sizes) for r in runs if r not in bad)
            return f"{name} is {words}{'' if known else scope}"
    weak = None  # true, but a number only: said where nothing says more
    for search in SEARCHES:
        words = search(exercise, name, runs)
        if not words and 1 < len(bad) < len(runs):
            words = search(exercise, name, bad)
        if words and " comes " in words and search is terms:
            weak = words
        elif words:
            return f"{name}: {words}{scope}"
    if weak:
        return f"{name}: {weak}{scope}"
    if all(k is not None for k in ratios) and any(r.want.size > 1 for r in bad):
        return f"{name} is right but for a factor, another one for each probe{scope}"
    return f"{name} is wrong{scope}{places.where(exercise, name, bad)}{places.nearly(bad)}"


def _one(words, sizes):
    """Whether the factor of these words is 1 for these sizes: the probe could not tell."""
    name = words.removesuffix(", the batch size").rpartition(" ")[2].removesuffix("^2")
    return sizes.get(name) == 1 and "/ " not in words and "* " not in words

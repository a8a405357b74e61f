"""The comparison: central differences of forward against what backward says, sample by sample."""

import math

import numpy as np

from .point import units

STEPS = (1e-5, 1e-5 / 8, 1e-5 / 64)  # h, times the unit of the element that moves
BEND = 1e-6  # slopes that disagree by more than this share of the largest slope have met a kink
ROUNDING = np.finfo(np.float64).eps  # of y; divided by h it is what rounding does to a slope
HIDDEN = 1e-3  # rounding above this share of the largest slope: the rest is compared once more
SAMPLED = 20  # elements drawn of an array that is too large to try all
LINEAR = 1e-4  # D(a + b) and D(a) + D(b) agree to this share where there is a derivative


class Compared:
    """A point with its y, the random dy, and dv, what backward says."""

    def __init__(self, point, dy=None):
        self.point, self.rng = point, point.rng
        self.y = point.y()
        self.dy = self.rng.standard_normal(self.y.shape) if dy is None else dy
        self.dv = point.backward(self.dy)


def check(here, row, names, tolerance, directions, elements=0):
    """Fills the row of the arrays `names` -> the row.

    Where most samples lie on ties, or an error is found where forward has no derivative at all,
    the comparison is made again 1 % beside.
    """
    _sample(here, row, names, tolerance, directions, elements)
    tied = row.left_out > row.checked
    if tied or (not row.error <= tolerance and not _has_derivative(here, names)):
        point = here.point.beside()
        if set(names) <= set(point.v) and np.isfinite(point.y()).all():
            row.error, row.gap, row.worst = 0.0, -1.0, ""
            checked, left_out = row.checked, row.left_out
            row.kinks = max(row.kinks, checked if not tied else 0)
            _sample(Compared(point), row, names, tolerance, directions, elements)
            tied = row.left_out - left_out > row.checked - checked
    if tied:
        row.verdict = "not checked"
        row.worst = row.worst or (
            f"most samples of {row.name} lie on kinks, where there is no gradient; try another x"
        )
    if not row.error <= tolerance:
        row.verdict = "WRONG"
    return row


def _sample(here, row, names, tolerance, directions, elements):
    if elements:
        _compare_elements(here, row, names[0], tolerance, elements)
    for _ in range(directions):
        d = {name: here.point.direction(here.point.v[name]) for name in names}
        _compare(here, row, d, tolerance, f"along a random direction of {row.name}")


def _compare_elements(here, row, name, tolerance, elements):
    """All elements of a small array, or 20 of a large one; others for those that are left out."""
    v = here.point.v[name]
    wanted = v.size if v.size <= elements else min(elements, SAMPLED)
    enough = row.checked + wanted
    sizes = units(v)
    for i in here.rng.permutation(v.size)[: wanted if wanted == v.size else 3 * wanted]:
        at = np.unravel_index(i, v.shape)
        d = np.zeros(v.shape)
        d[at] = sizes[at]
        where = f"{row.name}[{', '.join(map(str, at))}]"
        _compare(here, row, {name: d}, tolerance, where, sizes[at])
        if row.checked == enough:
            break


def _compare(here, row, d, tolerance, where, unit=None):
    """One sample along d {name: array}: backward against differences, where outputs do not bend."""
    for h in STEPS:
        slope, doubt, moved, bent, blind = _differences(here, d, h)
        row.kinks += bool(bent.any() and h == STEPS[0])
        if bent.sum() <= moved.sum() / 2:
            break
    if bent.any() and bent.sum() == moved.sum():
        row.left_out += 1
        return
    row.checked += 1
    for aside in (bent, bent | blind)[: 1 + blind.any()]:
        dy = np.where(aside, 0, here.dy)
        dv = here.point.backward(dy) if aside.any() else here.dv
        _note(row, d, dv, dy, slope, doubt, tolerance, where, unit)


def _note(row, d, dv, dy, slope, doubt, tolerance, where, unit):
    """Into the row: the error of <dv, d> against <dy, slope>."""
    analytic = sum(float((dv[name] * d[name]).sum()) for name in d)
    numeric = float((dy * slope).sum())
    hidden = np.linalg.norm(dy * doubt) / tolerance  # by rounding
    error = abs(analytic - numeric) / (max(abs(analytic), abs(numeric), hidden) or 1.0)
    error = error if error == error else math.inf
    row.error = max(row.error, error)
    larger = not row.gap >= abs(analytic - numeric)
    if error > tolerance and larger and (unit or not row.worst):
        row.gap, unit = abs(analytic - numeric), unit or 1.0
        ratio = f", ratio {analytic / numeric:.6g}" if numeric else ""
        slopes = f"backward gives {analytic / unit:.6g}, differences {numeric / unit:.6g}"
        row.worst = f"{where}: {slopes}{ratio}"


def _differences(here, d, h):
    """Of each output along d: its slope, the doubt left of it, whether it moves, whether it bends
    (a kink), whether it is so large that rounding hides slopes (the -1e9 of a mask).

    Where y is smooth the central slopes C(h) and C(h/2) agree to O(h^2), and the second difference
    B(h) = (y(h) - 2y + y(-h)) / h = h y'' + O(h^3) is twice B(h/2). A kink at t within (-h, h)
    breaks one of the two, wherever t lies: B at 0, C at h/3. The slope is Richardson's, (4 C(h/2) -
    C(h)) / 3.
    """
    y = here.y
    up, down, up2, down2 = (
        here.point.y({name: t * array for name, array in d.items()}) for t in (h, -h, h / 2, -h / 2)
    )
    with np.errstate(invalid="ignore"):
        wide, near = (up - down) / (2 * h), (up2 - down2) / h
        bends = (up - y - (y - down)) / h - 2 * (up2 - y - (y - down2)) / (h / 2)
        doubt = np.maximum(np.abs(wide - near), np.abs(bends))
        moved = (up != y) | (down != y)
        largest = np.abs(near[np.isfinite(near)]).max(initial=0)
        hides = ROUNDING * np.abs(y) / h
        blind = hides > HIDDEN * largest
        blind &= (moved & ~blind).any()  # while others are left to compare
        moved &= ~blind
        rounding = np.where(blind, hides.max(), hides[~blind].max())
        bent = moved & ~(doubt <= BEND * largest + 1000 * rounding)
        slope = np.where(bent, 0, (4 * near - wide) / 3)
        return slope, np.where(bent, 0, doubt + 16 * rounding), moved, bent, blind


def _has_derivative(here, names):
    """Whether the slope along a + b is the sum of those along a and b, for every output.

    It is wherever there is a derivative. At a tie of three values of a median it is not, though no
    line through the tie bends: the median is odd there.
    """
    h = STEPS[0]
    for _ in range(4):
        a, b = (
            {name: here.point.direction(here.point.v[name]) for name in names} for _ in range(2)
        )
        both = {name: a[name] + b[name] for name in names}
        first, second, together = (
            (here.point.y(_times(d, h)) - here.point.y(_times(d, -h))) / (2 * h)
            for d in (a, b, both)
        )
        allowed = LINEAR * max(np.abs(x).max(initial=0) for x in (first, second, together))
        if not (np.abs(together - first - second) <= allowed).all():
            return False
    return True


def _times(d, h):
    return {name: h * array for name, array in d.items()}

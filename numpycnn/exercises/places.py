"""Which probes are wrong, and which cells: conditions and places, in words."""

import itertools

import numpy as np

from .exercise import leaves

TOLERANCE = 1e-7


def only(runs, bad):
    """The attribute that parts right from wrong: "; it is right where A is X, wrong where it is Y".

    Empty where every probe is wrong. One attribute, then two of them, then the bare count.
    """
    wrong = [r.probe.about for r in runs if any(r is b for b in bad)]
    right = [r.probe.about for r in runs if not any(r is b for b in bad)]
    if not right or not wrong:
        return ""
    return (
        _one(right, wrong)
        or _two(right, wrong)
        or _mostly(right, wrong)
        or (f"; it is right for {len(right)} of {len(runs)} probes")
    )


def _one(right, wrong):
    parting = []
    for key in right[0]:
        good, poor = {a[key] for a in right}, {a[key] for a in wrong}
        if not good & poor:
            parting.append((len(good | poor), key, good, poor))
    if not parting:
        return ""
    _, key, good, poor = min(parting, key=lambda one: one[0])  # the fewest values say most
    return f"; it is right where {key} is {_or(good)}, wrong where it is {_or(poor)}"


def _two(right, wrong):
    """Wrong only where both hold, or right only where both hold."""
    for a, b in itertools.combinations(right[0], 2):
        for few, many, word in ((wrong, right, "wrong"), (right, wrong, "right")):
            pairs = {(one[a], one[b]) for one in few}
            rest = {(one[a], one[b]) for one in many}
            if len(pairs) == 1 and not pairs & rest:
                ((u, v),) = pairs
                return f"; it is {word} only where {a} is {u} and {b} is {v}"
            first, second = {p[0] for p in pairs}, {p[1] for p in pairs}
            product = set(itertools.product(first, second))
            if pairs == product and not pairs & rest and len(first) + len(second) < len(rest) + 2:
                return f"; it is {word} only where {a} is {_or(first)} and {b} is {_or(second)}"
    return ""


def _mostly(right, wrong):
    """Wrong under one condition alone, though not always there."""
    for key in right[0]:
        poor = {a[key] for a in wrong}
        there = [a for a in right if a[key] in poor]
        if len(poor) == 1 and len(right) - len(there) > 3 and len(wrong) > max(len(there), 3):
            share = f"in {len(wrong)} of {len(wrong) + len(there)} probes"
            return f"; it is wrong only where {key} is {_or(poor)} ({share})"
    return ""


def _or(values):
    return " or ".join(sorted(map(str, values)))


def where(exercise, name, bad):
    """ " (12 % of its cells, ...)": which cells are wrong, and what stands there."""
    off = [np.abs(r.got - r.want) > TOLERANCE * np.abs(r.want).max(initial=1e-12) for r in bad]
    found = _masks(exercise, name, bad, off)
    share = np.mean([o.mean() for o in off])
    text = found or f"{max(share, 0.01):.0%} of its cells"
    if all((r.got[o] == 0).all() for r, o in zip(bad, off, strict=True)) and share < 1:
        text += ", which are 0 there"
    elif all((r.want[o] == 0).all() for r, o in zip(bad, off, strict=True)):
        text += ", which should be 0 there"
    return f" ({text})"


def nearly(bad):
    """ "; nearly right where A is X, far off where it is Y": by the size of the error."""
    if all(_error(r) < 1e-6 for r in bad):
        return "; it is right to six digits: something is rounded, to float32 or by a small number"
    near = [r for r in bad if _error(r) < 1e-3]
    if len(near) == len(bad):
        return "; it is nearly right: off by less than 0.1 % of its largest value"
    far = [r.probe.about for r in bad if not any(r is one for one in near)]
    parted = _one([r.probe.about for r in near], far) if near else ""
    return parted.replace("it is right", "it is nearly right").replace("wrong", "far off")


def _error(r):
    return float(np.abs(r.got - r.want).max() / max(np.abs(r.want).max(), 1e-12))


def _masks(exercise, name, bad, off):
    """The words for the wrong cells, where they are the same kind of cell in every probe."""
    if all(o.all() for o in off):
        return ""
    kinds = list(_by_value(bad)) + list(_by_place(exercise.axes.get(name, ()), bad))
    for words, masks in kinds:
        if all(np.array_equal(o, m) for o, m in zip(off, masks, strict=True)):
            return f"exactly the cells {words}"
    for words, masks in kinds:
        inside = all((o <= m).all() and m.mean() < 1 for o, m in zip(off, masks, strict=True))
        if inside and np.mean([o.sum() / m.sum() for o, m in zip(off, masks, strict=True)]) > 0.5:
            return f"only cells {words}"
    return ""


def _by_value(bad):
    """Cells by the sign of an argument of the same shape, or of what is right."""
    first = leaves(bad[0].probe.args)

    def alike(r, key):
        value = leaves(r.probe.args)[key]
        return isinstance(value, np.ndarray) and value.shape == r.want.shape and value.size > 1

    keys = [k for k, v in first.items() if isinstance(v, np.ndarray) and v.dtype.kind in "fb"]
    same_shape = [key for key in keys if all(alike(r, key) for r in bad)]
    tests = [("> 0", lambda v: v > 0), ("< 0", lambda v: v < 0), ("= 0", lambda v: v == 0)]
    for key in same_shape:
        for words, test in tests:
            yield f"where {key} {words}", [test(leaves(r.probe.args)[key]) for r in bad]
    yield "that should be 0", [r.want == 0 for r in bad]
    yield "that should not be 0", [r.want != 0 for r in bad]


def _by_place(axes, bad):
    """Cells by their place along the axes."""
    for i, axis in enumerate(axes):
        if max(r.want.shape[i] for r in bad) < 2:
            continue
        for words, index in (("first", 0), ("last", -1)):
            masks = [_slab(r.want.shape, i, index) for r in bad]
            yield f"of the {words} {axis}", masks
            yield f"of all {axis}s but the {words}", [~m for m in masks]
    for words, index in (("beginning", 0), ("end", -1)):
        masks = [_cell(r.want.shape, index) for r in bad]
        yield f"at the very {words} (one of them)", masks
        yield f"but the one at the very {words}", [~m for m in masks]
    if {"row", "column"} <= set(axes):
        i, j = axes.index("row"), axes.index("column")
        border = []
        for r in bad:
            m = _slab(r.want.shape, i, 0) | _slab(r.want.shape, i, -1)
            border.append(m | _slab(r.want.shape, j, 0) | _slab(r.want.shape, j, -1))
        yield "at the border of the images", border
        yield "inside, away from the border", [~m for m in border]


def _cell(shape, index):
    mask = np.zeros(shape, bool)
    mask.flat[index] = True
    return mask


def _slab(shape, axis, index):
    mask = np.zeros(shape, bool)
    mask[(slice(None),) * axis + (index,)] = True
    return mask

"""Comparing arrays: equal, a multiple, a sum of known terms; and the words for what was found."""

import itertools

import numpy as np

CLOSE = 1e-6  # of a ratio or a coefficient


def same(got, want, tolerance=1e-7):
    """Whether both have one shape, and differ by no more than the tolerance of the largest."""
    got, want = np.asarray(got, float), np.asarray(want, float)
    if got.shape != want.shape:
        return False
    if np.array_equal(got, want, equal_nan=True):
        return True
    with np.errstate(invalid="ignore"):
        largest = max(np.abs(want).max(initial=0), 1e-12)
        return bool(np.abs(got - want).max(initial=0) <= tolerance * largest)


def alike(got, other, tolerance=1e-7):
    """Like same, but what is not finite must be so in the same cells: overflow has no digits."""
    got, other = np.asarray(got, float), np.asarray(other, float)
    if got.shape != other.shape:
        return False
    finite = np.isfinite(got)
    return np.array_equal(finite, np.isfinite(other)) and same(
        got[finite], other[finite], tolerance
    )


def ratio(a, b):
    """a / b where it is one number for the whole array, else None."""
    if a.shape != b.shape or not np.any(b) or not np.isfinite(a).all():
        return None
    k = float((a * b).sum() / (b * b).sum())
    largest = max(np.abs(a).max(), np.abs(k * b).max(), 1e-300)
    return k if np.abs(a - k * b).max() <= CLOSE * largest else None


def factor(ratios, sizes):
    """The words for {ratio of each probe}, of their sizes, or None for numbers without a name."""
    ratios = np.array(ratios, float)
    if np.ptp(ratios) < CLOSE * max(abs(ratios[0]), 1e-12):
        k = ratios[0]
        if abs(k) < 1e-12:
            return "0 everywhere"
        if abs(k + 1) < CLOSE:
            return "of the wrong sign"
        if abs(k - 1) < 1e-5:
            return None  # what is right but for rounding has no factor
        named = _by_size(ratios, sizes) if len(ratios) > 1 else None
        return named or f"{k:.6g} times what it should be"
    named = _by_size(ratios, sizes)
    if named is None and (ratios < 0).all():
        named = _by_size(-ratios, sizes)
        named = named and f"of the wrong sign, and {named}"
    return named


def _by_size(ratios, sizes):
    names = list(sizes[0])
    simple = []
    for of, power in (("factor {}", 1.0), ("factor {}^2", 2.0), ("root of {}", 0.5)):
        for n in names:
            up, down, name = "large", "small", n
            if all(s[n] < 1 for s in sizes):  # times 0.1 is too small by the factor 1 / 0.1
                up, down, name = "small", "large", n[2:] if n.startswith("1/") else f"1/{n}"
            by = of.format(name)
            simple.append((f"too {up} by the {by}", lambda s, n=n, p=power: s[n] ** p))
            simple.append((f"too {down} by the {by}", lambda s, n=n, p=power: s[n] ** -p))
    for n in names:
        if all(s[n] >= 1 for s in sizes):  # where n is 1, students divide by 1
            by = f"factor {n} / ({n} - 1)"
            simple.append((f"too large by the {by}", lambda s, n=n: s[n] / max(s[n] - 1, 1)))
            simple.append((f"too small by the {by}", lambda s, n=n: max(s[n] - 1, 1) / s[n]))
    for n, m in itertools.permutations(names, 2):
        over, under = _fraction(n, m), _fraction(m, n)
        if (ratios > 1).all():
            words = f"too large by the factor {over}"
        elif (ratios < 1).all():
            words = f"too small by the factor {under}"
        else:
            words = f"{over} times what it should be"
        simple.append((words, lambda s, n=n, m=m: s[n] / s[m]))
        squared = words.replace(over, f"({over})^2").replace(under, f"({under})^2")
        simple.append((squared, lambda s, n=n, m=m: (s[n] / s[m]) ** 2))
    for n, m in itertools.combinations(names, 2):
        if not n.startswith("1/") and not m.startswith("1/"):
            by = f"the factor {n} * {m}"
            simple.append((f"too large by {by}", lambda s, n=n, m=m: s[n] * s[m]))
            simple.append((f"too small by {by}", lambda s, n=n, m=m: 1 / (s[n] * s[m])))
    larger = np.abs(ratios).mean() > 1
    simple.sort(key=lambda one: ("large" in one[0]) != larger)  # of a ratio below 1: too small
    for words, f in simple:
        wanted = np.array([f(s) for s in sizes])
        if np.allclose(ratios, wanted, rtol=CLOSE, atol=0):
            return (
                words.replace("factor N", "factor N, the batch size")
                if words.endswith(" N")
                else words
            )
    return None


def _fraction(n, m):
    """ "n / m", where each may be written as 1/name."""
    above = [name for name in (n, "1/" + m) if not name.startswith("1/")] + (
        [m[2:]] if m.startswith("1/") else []
    )
    below = ([n[2:]] if n.startswith("1/") else []) + ([m] if not m.startswith("1/") else [])
    return f"{' * '.join(above) or 1} / {' * '.join(below)}" if below else " * ".join(above)


def coefficients(got, terms):
    """[k] with got = sum of k * term, over all probes at once, or None; got, terms: lists."""
    a = np.stack([np.concatenate([t.ravel() for t in term]) for term in terms], axis=1)
    b = np.concatenate([g.ravel() for g in got])
    if not np.isfinite(b).all() or len(b) <= len(terms):
        return None
    scale = np.abs(a).max(axis=0)
    present = scale > 0
    if not present.any():
        return None
    k, _, rank, _ = np.linalg.lstsq(a[:, present] / scale[present], b, rcond=1e-10)
    if rank < present.sum():
        return None
    k = k / scale[present]
    if np.abs(a[:, present] @ k - b).max() > CLOSE * max(np.abs(b).max(), 1e-12):
        return None
    full = np.ones(len(terms))
    full[present] = k
    return full


def change(k):
    """The words for one term's coefficient."""
    if abs(k) < CLOSE:
        return "is missing"
    if abs(k + 1) < CLOSE:
        return "has the wrong sign"
    if abs(k - 2) < CLOSE:
        return "is there twice"
    return f"comes {k:.4g} times"

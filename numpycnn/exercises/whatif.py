"""Questions of the form: is it what the right function gives for other arguments?

Each answer is a fact about all probes: "it comes out as if gamma were 1 everywhere". No exercise is
known here; the questions are made from the names and kinds of the arguments.
"""

import itertools

import numpy as np

from .exercise import leaves, replaced

CONSTANTS = {
    "momentum": (0.9, 0.99, 0.1),
    "beta1": (0.9,),
    "beta2": (0.999, 0.99, 0.9),
    "rate": (0.5,),
    "lr": (0.1, 0.01, 0.001),
    "h": (1e-2, 1e-3, 1e-4, 1e-5, 1e-6),
}
USUAL = [
    ("eps were 1e-5, whatever is given", lambda v: 1e-5),
    ("eps were 1e-8, whatever is given", lambda v: 1e-8),
]


def questions(args):
    """[(words, change)]: change(args) -> other arguments; it may raise where there are none."""
    found = leaves(args)
    asked = []
    simple = sorted(found, key=lambda name: isinstance(found[name], np.ndarray))
    for name, value in ((name, found[name]) for name in simple):  # plain numbers first
        for words, f in _of(name, value):
            asked.append((words, _one(name, f)))
    for a, b in itertools.combinations(found, 2):
        if not _alike(found[a], found[b]):
            continue
        asked.append((f"{a} and {b} were exchanged", _swap(a, b)))
        asked.append((f"{a} were {b}", _copy(a, b)))
        asked.append((f"{b} were {a}", _copy(b, a)))
    arrays = [name for name, value in found.items() if _floats(value)]
    for a, b in itertools.permutations(arrays, 2):
        asked.append((f"{a} were {a} * {b}", _with(a, b, np.multiply)))
        asked.append((f"{a} were {a} / {b}", _with(a, b, np.divide)))
    for a, b in itertools.combinations(arrays, 2):
        asked.append((f"{a} and {b} were 1 everywhere", _both(a, b, np.ones_like)))
        asked.append((f"{a} and {b} were 0 everywhere", _both(a, b, np.zeros_like)))
    return asked


def _floats(value):
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def _with(a, b, f):
    def changed(args):
        found = leaves(args)
        new = f(found[a], found[b])
        return replaced(args, {a: new}) if new.shape == found[a].shape else None

    return changed


def _both(a, b, f):
    return lambda args: replaced(args, {name: f(leaves(args)[name]) for name in (a, b)})


def _one(name, f):
    return lambda args: replaced(args, {name: f(leaves(args)[name])})


def _swap(a, b):
    return lambda args: replaced(args, {a: leaves(args)[b], b: leaves(args)[a]})


def _copy(a, b):
    return lambda args: replaced(args, {a: leaves(args)[b]})


def _alike(a, b):
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.ndim == b.ndim and a.ndim > 0 and a.dtype.kind == b.dtype.kind == "f"
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and not isinstance(a[0], tuple) and not isinstance(b[0], tuple)
    return type(a) is float and type(b) is float


def _of(name, value):
    """[(words, f)] for one argument."""
    if isinstance(value, (bool, np.bool_)):
        return [
            (f"{name} were always True", lambda v: True),
            (f"{name} were always False", lambda v: False),
            (f"{name} were the other way round", lambda v: not v),
        ]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        fixed = [
            (f"{name} were {k:g}, whatever is given", lambda v, k=k: k)
            for k in CONSTANTS.get(name, ())
        ]
        return _of_number(name) + fixed + (USUAL if name == "eps" else [])
    if isinstance(value, tuple):
        return _of_pair(name, value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return _of_floats(name, value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "biu":
        return _of_integers(name, value)
    return []


def _of_number(name):
    return [
        (f"{name} were 0", lambda v: v * 0),
        (f"{name} were 1", lambda v: v * 0 + 1),
        (f"{name} were 0.5", lambda v: 0.5 if 0 < v < 1 else None),
        (f"{name} were 1 - {name}", lambda v: 1 - v),
        (f"{name} were {name} - 1", lambda v: v - 1),
        (f"{name} were {name} + 1", lambda v: v + 1),
        (f"{name} were -{name}", lambda v: -v),
        (f"{name} were 2 * {name}", lambda v: v * 2),
        (f"{name} were {name} / 2", lambda v: v / 2),
        (f"{name} were its square", lambda v: v * v),
        (f"{name} were its root", lambda v: abs(v) ** 0.5),
    ]


def _of_pair(name, value):
    if isinstance(value[0], tuple):  # padding: ((top, bottom), (left, right))
        return [
            (f"{name} were 0", lambda v: ((0, 0), (0, 0))),
            (f"{name} were 1", lambda v: ((1, 1), (1, 1))),
            (f"{name} were twice as large", lambda v: tuple((2 * a, 2 * b) for a, b in v)),
            (f"{name} before and after were exchanged", lambda v: tuple(p[::-1] for p in v)),
            (f"{name} of rows and columns were exchanged", lambda v: v[::-1]),
            *_of_sides(name),
        ]
    return [
        (f"{name} were 1", lambda v: tuple(1 for _ in v)),
        (f"{name} were 2, whatever is given", lambda v: tuple(2 for _ in v)),
        (f"{name} of rows were 1", lambda v: (1, *v[1:])),
        (f"{name} of columns were 1", lambda v: (*v[:-1], 1)),
        (f"{name} were larger by 1", lambda v: tuple(n + 1 for n in v)),
        (f"{name} were smaller by 1", lambda v: tuple(n - 1 for n in v)),
        (f"{name} of rows and columns were exchanged", lambda v: v[::-1]),
        (f"{name} of rows held for the columns too", lambda v: (v[0],) * len(v)),
        (f"{name} of columns held for the rows too", lambda v: (v[-1],) * len(v)),
    ]


def _of_sides(name):
    """Padding, side by side: 0, 1 or 2 times what it is, or that of the other side."""
    sides = [
        (f"{name} before and after the rows were exchanged", lambda v: (v[0][::-1], v[1])),
        (f"{name} before and after the columns were exchanged", lambda v: (v[0], v[1][::-1])),
        (f"{name} of rows held for the columns too", lambda v: (v[0], v[0])),
        (f"{name} of columns held for the rows too", lambda v: (v[1], v[1])),
        (f"{name} before held after too", lambda v: tuple((a, a) for a, _ in v)),
        (f"{name} after held before too", lambda v: tuple((b, b) for _, b in v)),
        (f"{name} all stood after", lambda v: tuple((0, a + b) for a, b in v)),
        (f"{name} all stood before", lambda v: tuple((a + b, 0) for a, b in v)),
        (f"{name} were larger by 1", lambda v: tuple((a + 1, b + 1) for a, b in v)),
    ]
    for i, axis in enumerate(("rows", "columns")):
        for words, f in (
            (f"{name} of {axis} were 0", lambda p: (0, 0)),
            (f"{name} before the {axis} were 0", lambda p: (0, p[1])),
            (f"{name} after the {axis} were 0", lambda p: (p[0], 0)),
            (f"{name} of the {axis} all stood after", lambda p: (0, sum(p))),
            (f"{name} of the {axis} all stood before", lambda p: (sum(p), 0)),
        ):
            sides.append(
                (words, lambda v, i=i, f=f: tuple(f(p) if i == j else p for j, p in enumerate(v)))
            )
    return sides


def _of_floats(name, value):
    asked = [
        (f"{name} were 1 everywhere", np.ones_like),
        (f"{name} were 0 everywhere", np.zeros_like),
        (f"{name} were -{name}", np.negative),
        (f"{name} were |{name}|", np.abs),
        (f"{name} were its square", np.square),
        (f"{name} were its root", lambda v: np.sqrt(np.abs(v))),
        (f"{name} were 1/{name}", lambda v: 1 / v),
        (f"{name} were exp({name})", np.exp),
        (f"{name} were 2 * {name}", lambda v: 2 * v),
        (f"{name} were {name} / 2", lambda v: v / 2),
        (f"{name} were 4 * {name}", lambda v: 4 * v),
        (f"{name} were max({name}, 0)", lambda v: np.maximum(v, 0)),
        (f"{name} were less its mean", lambda v: v - v.mean()),
        (f"{name} were divided by its norm", lambda v: v / np.linalg.norm(v)),
    ]
    for axis in range(value.ndim):
        asked += [(f"{name} {words}", f) for words, f in along(axis)]
    for a, b in itertools.combinations(range(value.ndim), 2):
        words = (
            f"{name} were transposed"
            if value.ndim == 2
            else f"{name} had axes {a} and {b} exchanged"
        )
        asked.append((words, lambda v, a=a, b=b: np.swapaxes(v, a, b)))
    if value.ndim == 4:
        asked.append((f"{name} were turned by 180 degrees", lambda v: v[::-1, ::-1]))
    return asked


def along(axis):
    """[(words, f)]: what may become of an array along one of its axes."""

    def keep(f):
        return lambda v: np.broadcast_to(f(v, axis=axis, keepdims=True), v.shape).copy()

    return [
        (f"were in reverse order along axis {axis}", lambda v: np.flip(v, axis)),
        (f"were replaced by its mean over axis {axis}", keep(np.mean)),
        (f"were replaced by its sum over axis {axis}", keep(np.sum)),
        (f"were replaced by the largest along axis {axis}", keep(np.max)),
        (f"were less its mean over axis {axis}", lambda v: v - v.mean(axis, keepdims=True)),
        (f"had nothing but its first entry along axis {axis}", lambda v: _only(v, axis, 0)),
        (f"had nothing but its last entry along axis {axis}", lambda v: _only(v, axis, -1)),
        (f"lacked its first entry along axis {axis}", lambda v: v - _only(v, axis, 0)),
        (f"lacked its last entry along axis {axis}", lambda v: v - _only(v, axis, -1)),
        (f"had its first entry along axis {axis} everywhere", lambda v: _first(v, axis)),
        (f"had its last entry along axis {axis} everywhere", lambda v: _first(v, axis, -1)),
        (f"were shifted by one along axis {axis}", lambda v: np.roll(v, 1, axis)),
        (f"were shifted back by one along axis {axis}", lambda v: np.roll(v, -1, axis)),
        (f"were added up along axis {axis}", lambda v: np.cumsum(v, axis)),
        (f"were divided by its norm along axis {axis}", _by_norm(axis)),
        (
            f"were divided by its largest along axis {axis}",
            lambda v: v / v.max(axis, keepdims=True),
        ),
        (f"were divided by its sum over axis {axis}", lambda v: v / v.sum(axis, keepdims=True)),
    ]


def _by_norm(axis):
    return lambda v: v / np.linalg.norm(v, axis=axis, keepdims=True)


def _first(v, axis, index=0):
    return np.broadcast_to(v.take([index], axis), v.shape).copy()


def _only(v, axis, index):
    kept = np.zeros_like(v)
    place = (slice(None),) * axis + (index,)
    kept[place] = v[place]
    return kept


def _of_integers(name, value):
    if value.dtype == bool:
        return [
            (f"{name} were True everywhere", np.ones_like),
            (f"{name} were the other way round", np.logical_not),
        ]
    axes = [] if value.ndim < 2 else range(value.ndim)
    first = [
        (f"{name} had its first entry along axis {i} everywhere", lambda v, i=i: _first(v, i))
        for i in axes
    ]
    return [
        *first,
        (f"{name} were 0 everywhere", np.zeros_like),
        (f"{name} were in reverse order", lambda v: v[::-1]),
        (f"{name} were {name} + 1", lambda v: (v + 1) % max(int(v.max()) + 1, 1)),
        (f"{name} were {name} - 1", lambda v: np.maximum(v, 1) - 1),
        (f"{name} were shifted by one place", lambda v: np.roll(v, 1)),
    ]

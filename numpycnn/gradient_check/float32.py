"""The last row: the code that trains, float32 on the backend in use, against the float64 result.

Every kernel refuses float64, so that differences never reach one: a broken kernel would pass.
"""

import numpy as np

from .. import backend
from .differences import Compared
from .result import Row

ALLOWED = 1e-3  # of the norm of a gradient: more than rounding takes, far less than a fault
ROUNDING = 30  # times what float32 loses on the NumPy backend is allowed too, ...
PLAUSIBLE = 0.05  # ... where that is less than this share of the gradient, ...
# ... or the gradient below this share of the largest: that of a bias before batch norm
CANCELLED = 1e-3


def float32_row(here):
    """y and all gradients: the norms of their differences from float64, relative to theirs -> Row,
    [a sentence on what comes out in another dtype].

    Rounding may break a tie another way, so that it is tried again beside the point.
    """
    for beside in (False, True):
        exact = Compared(here.point.beside()) if beside else here
        row = Row(f"float32, {backend.backend()}", 0, tolerance=ALLOWED)
        came = _run(exact)
        with backend.using("numpy"):
            plain = _run(exact)
        largest = max((np.linalg.norm(dv) for dv in exact.dv.values()), default=0)
        for name, wanted in {"y": exact.y, **exact.dv}.items():
            _compare(row, name, wanted, came[name], plain[name], CANCELLED * largest)
        if row.verdict == "ok":
            break
    wide = [name for name, array in came.items() if np.asarray(array).dtype != np.float32]
    if not wide:
        return row, []
    kind = np.asarray(came[wide[0]]).dtype
    what = ", ".join(name if name == "y" else f"d{name}" for name in wide)
    return row, [f"of float32 comes {kind}, in {what}: training is slower; cast by astype(x.dtype)"]


def _run(exact):
    """{"y": y, name: gradient} in float32"""
    point = exact.point.as_float32()
    layer, _, (y, cache) = point.forward()
    dx = point.call_backward(layer, exact.dy.astype(np.float32), cache)
    return {"y": y, **point.gradients(layer, dx)}


def _compare(row, name, wanted, came, plain, little):
    norm, gap, rounding = np.linalg.norm(wanted), _gap(came, wanted), _gap(plain, wanted)
    row.elements += wanted.size
    row.checked += wanted.size
    if rounding <= PLAUSIBLE * norm or norm < little:
        norm = max(norm, ROUNDING * rounding / ALLOWED)
    error = gap / norm if norm else gap
    if not error <= row.error:
        row.error = error if error == error else np.inf
    if not error <= ALLOWED:
        what = "y" if name == "y" else f"the gradient of {name}"
        row.verdict = "WRONG"
        row.worst = row.worst or (
            f"{what} differs from float64 by {error:.2%} of its size: the float32 code of the "
            f"{backend.backend()} backend is another function"
        )


def _gap(came, wanted):
    if np.shape(came) != wanted.shape:
        return np.inf
    return float(np.linalg.norm(np.asarray(came, np.float64) - wanted))

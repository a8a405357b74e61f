"""A gradient check."""

import itertools

import numpy as np

from .. import reference
from ..exercise import Exercise, Probe
from .common import noise


def cube(x):
    return x**3


def wave(x):
    return np.sin(x)


def row_sums(x):
    return x.sum(axis=-1) + x[..., 0] ** 2


def row_products(x):
    return x.prod(axis=-1)


def _check_probes(rng):
    for f, shape, h in itertools.product(
        (cube, wave, row_sums, row_products), ((4,), (2, 3)), (1e-4, 1e-5)
    ):
        x = noise(rng, *shape)
        args = {"f": f, "x": x, "dy": noise(rng, *np.shape(f(x))), "h": h}
        about = {"f": f.__name__, "x": "a vector" if len(shape) == 1 else "a matrix", "h": h}
        yield Probe(args, about, {"h": h, "size": x.size})


def _differences(difference):
    """A twin: difference(f, x, e, h, dy) for each element."""

    def twin(a):
        dx = np.zeros_like(a["x"])
        for i in np.ndindex(dx.shape):
            e = np.zeros_like(dx)
            e[i] = 1
            dx[i] = difference(a["f"], a["x"], e, a["h"], a["dy"])
        return dx

    return twin


def _left_moved(by):
    """A twin: the elements before stay moved by this many h."""

    def twin(a):
        x, dx = a["x"].copy(), np.zeros_like(a["x"])
        for i in np.ndindex(dx.shape):
            e = np.zeros_like(dx)
            e[i] = a["h"]
            dx[i] = (a["dy"] * (a["f"](x + e) - a["f"](x - e))).sum() / (2 * a["h"])
            x = x + by * e
        return dx

    return twin


NUMERICAL = Exercise(
    "numerical_gradient",
    "a gradient check",
    5,
    ("exercises/reference.py", "numerical_gradient"),
    ("dx",),
    _check_probes,
    reference.numerical_gradient,
    "The gradient by definition: move one element of x, see how sum of dy * f(x) changes. The "
    "difference is taken to both sides: its error is of the size h^2, to one side it is h.",
    ">>> numerical_gradient(lambda x: x**2, np.array([3.0]), np.array([10.0]), 1e-5).round(4)\n"
    "array([60.])",
    axes={"dx": ()},
    float32=False,
    twins={
        "dx": [
            (
                "the difference is taken to one side, forward",
                _differences(lambda f, x, e, h, dy: (dy * (f(x + h * e) - f(x))).sum() / h),
            ),
            (
                "the difference is taken to one side, backward",
                _differences(lambda f, x, e, h, dy: (dy * (f(x) - f(x - h * e))).sum() / h),
            ),
            (
                "it is divided by h, not by 2h",
                _differences(lambda f, x, e, h, dy: (dy * (f(x + h * e) - f(x - h * e))).sum() / h),
            ),
            (
                "a difference to one side is divided by 2h",
                _differences(lambda f, x, e, h, dy: (dy * (f(x + h * e) - f(x))).sum() / (2 * h)),
            ),
            (
                "it is not divided by 2h",
                _differences(lambda f, x, e, h, dy: (dy * (f(x + h * e) - f(x - h * e))).sum()),
            ),
            (
                "dy is not used",
                _differences(lambda f, x, e, h, dy: (f(x + h * e) - f(x - h * e)).sum() / (2 * h)),
            ),
            (
                "dy is averaged, where the products must be summed",
                _differences(
                    lambda f, x, e, h, dy: (dy * (f(x + h * e) - f(x - h * e))).mean() / (2 * h)
                ),
            ),
            (
                "it is the second difference: f(x + h) - 2 f(x) + f(x - h) over h^2",
                _differences(
                    lambda f, x, e, h, dy: (
                        (dy * (f(x + h * e) - 2 * f(x) + f(x - h * e))).sum() / h**2
                    )
                ),
            ),
            (
                "the step is h / 2, and the division by 2h",
                _differences(
                    lambda f, x, e, h, dy: (
                        (dy * (f(x + h / 2 * e) - f(x - h / 2 * e))).sum() / (2 * h)
                    )
                ),
            ),
            (
                "the difference is taken to one side, by 2h",
                _differences(
                    lambda f, x, e, h, dy: (dy * (f(x + 2 * h * e) - f(x))).sum() / (2 * h)
                ),
            ),
            (
                "dy and the differences are summed apart, and the sums multiplied",
                _differences(
                    lambda f, x, e, h, dy: dy.sum() * (f(x + h * e) - f(x - h * e)).sum() / (2 * h)
                ),
            ),
            (
                "|dy * difference| is summed",
                _differences(
                    lambda f, x, e, h, dy: (
                        np.abs(dy * (f(x + h * e) - f(x - h * e))).sum() / (2 * h)
                    )
                ),
            ),
            ("x is not put back: each element stays moved by -h", _left_moved(-1)),
            ("x is not put back: each element stays moved by +h", _left_moved(1)),
            (
                "all elements are moved at once",
                _differences(lambda f, x, e, h, dy: (dy * (f(x + h) - f(x - h))).sum() / (2 * h)),
            ),
        ]
    },
    solution="numpycnn/gradient_check/differences.py",
    step="numpycnn/gradient_check/__init__.py, its first lines",
)

EXERCISES = (NUMERICAL,)

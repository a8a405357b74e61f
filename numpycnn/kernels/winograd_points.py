"""Winograd's six points, the matrices that follow from them, and those as loops over channels.

Each transform is (x, x_at, x_step, out, out_at, out_step, channels), as simd.linear makes it.
Source: Lavin & Gray 2016. Steps: ops/DERIVATIONS.md, "Winograd's six points".
"""

import math

from .runtime.simd import linear
from .runtime.threads import kernel

POINTS = (0, 1, -1, 2, -2)  # and infinity, the sixth


def _polynomial(roots):
    """The coefficients of the product of all (t - root), the constant first."""
    coefficients = (1,)
    for root in roots:
        shifted = (0, *coefficients)  # times t
        scaled = (*(root * c for c in coefficients), 0)  # times the root
        coefficients = tuple(a - b for a, b in zip(shifted, scaled, strict=True))
    return coefficients


def _others(point):
    return tuple(p for p in POINTS if p != point)


def _b_t():
    """B^T (6, 6): a row a point, the polynomial that is 0 at the others; infinity: at all five."""
    finite = tuple((*_polynomial(_others(point)), 0) for point in POINTS)
    return (*finite, _polynomial(POINTS))


B_T = _b_t()
# The norm of a point: the product of its distances to the others, its polynomial's value there.
NORMS = tuple(math.prod(p - q for q in _others(p)) for p in POINTS)


def a_t(m):
    """A^T (m, 6): the powers 0 .. m-1 of the points; at infinity only the highest counts."""
    return tuple((*(p**i for p in POINTS), int(i == m - 1)) for i in range(m))


def g(r):
    """G (6, r): the powers 0 .. r-1 of the points, divided by their norms."""
    finite = tuple(
        tuple(p**i / norm for i in range(r)) for p, norm in zip(POINTS, NORMS, strict=True)
    )
    return (*finite, (0,) * (r - 1) + (1,))


def _transposed(matrix):
    return tuple(zip(*matrix, strict=True))


inputs = linear(B_T)
_outputs_4, _outputs_2 = linear(a_t(4)), linear(a_t(2))
_gradients_4, _gradients_2 = linear(_transposed(a_t(4))), linear(_transposed(a_t(2)))
_weights_3, _weights_5 = linear(g(3)), linear(g(5))
_weight_gradients_3, _weight_gradients_5 = linear(_transposed(g(3))), linear(_transposed(g(5)))


@kernel
def weights(r, x, x_at, x_step, out, out_at, out_step, channels):
    """out (6) = G x (r)"""
    if r == 3:
        _weights_3(x, x_at, x_step, out, out_at, out_step, channels)
    else:
        _weights_5(x, x_at, x_step, out, out_at, out_step, channels)


@kernel
def weight_gradients(r, x, x_at, x_step, out, out_at, out_step, channels):
    """out (r) = G^T x (6)"""
    if r == 3:
        _weight_gradients_3(x, x_at, x_step, out, out_at, out_step, channels)
    else:
        _weight_gradients_5(x, x_at, x_step, out, out_at, out_step, channels)


@kernel
def outputs(m, x, x_at, x_step, out, out_at, out_step, channels):
    """out (m) = A^T x (6)"""
    if m == 4:
        _outputs_4(x, x_at, x_step, out, out_at, out_step, channels)
    else:
        _outputs_2(x, x_at, x_step, out, out_at, out_step, channels)


@kernel
def gradients(m, x, x_at, x_step, out, out_at, out_step, channels):
    """out (6) = A x (m)"""
    if m == 4:
        _gradients_4(x, x_at, x_step, out, out_at, out_step, channels)
    else:
        _gradients_2(x, x_at, x_step, out, out_at, out_step, channels)

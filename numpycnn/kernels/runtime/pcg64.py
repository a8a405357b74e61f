"""The numbers of PCG64, NumPy's default generator, by all threads at once and bit for bit.

    s[i+1] = a * s[i] + c  mod 2^128        number i: the halves of s[i+1], xor, rotated

To jump ahead by n is one such step too, with a^n and c * (1 + a + .. + a^(n-1)) in the place of a
and c, found by squaring; so each thread can begin anywhere. Source: O'Neill 2014; Brown 1994.
"""

import sys

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .memory import empty
from .threads import kernel, parallel

_MASK = (1 << 64) - 1
_A = 0x2360ED051FC65DA44385DF649FCCF645
_WIDE = ir.IntType(128)


def fits(bits):
    """Whether `raw` knows this bit generator, no half of a number waits in it, and the halves of a
    number lie in memory in the order in which NumPy draws them: the low one first.
    """
    known = type(bits) is np.random.PCG64 and sys.byteorder == "little"
    return known and not bits.state["has_uint32"]


def raw(bits, count):
    """bits.random_raw(count): uint64 (count,); the generator goes on behind them."""
    state = bits.state["state"]
    place = np.array([state["state"] >> 64, state["state"] & _MASK], np.uint64)
    step = [_A >> 64, _A & _MASK, state["inc"] >> 64, state["inc"] & _MASK]
    out = empty((count,), np.uint64)
    parallel(_fill, count, place, np.array(step, np.uint64), out)
    bits.advance(count)
    return out


@intrinsic
def _multiply_add(typing, a_high, a_low, b_high, b_low, c_high, c_low):
    """a * b + c mod 2^128, each in two halves."""

    def emit(context, builder, signature, values):
        halves = [builder.zext(value, _WIDE) for value in values]
        a, b, c = (
            builder.or_(builder.shl(high, _WIDE(64)), low)
            for high, low in zip(halves[::2], halves[1::2], strict=True)
        )
        result = builder.add(builder.mul(a, b), c)
        parts = builder.lshr(result, _WIDE(64)), result
        parts = [builder.trunc(part, ir.IntType(64)) for part in parts]
        return context.make_tuple(builder, signature.return_type, parts)

    return types.UniTuple(types.uint64, 2)(*[types.uint64] * 6), emit


@kernel
def _jump(high, low, step, n):
    """The state n steps behind (high, low): for each bit of n, a step of twice the length."""
    a_high, a_low, c_high, c_low = step
    zero = np.uint64(0)
    while n:
        if n & 1:
            high, low = _multiply_add(a_high, a_low, high, low, c_high, c_low)
        c_high, c_low = _multiply_add(a_high, a_low, c_high, c_low, c_high, c_low)
        a_high, a_low = _multiply_add(a_high, a_low, a_high, a_low, zero, zero)
        n >>= 1
    return high, low


@kernel
def _fill(place, step, out, lo, hi):
    """Writes the numbers lo .. hi - 1 of the stream into out."""
    high, low = _jump(place[0], place[1], step, lo)
    a_high, a_low, c_high, c_low = step
    for i in range(lo, hi):
        high, low = _multiply_add(a_high, a_low, high, low, c_high, c_low)
        turn, mixed = high >> np.uint64(58), high ^ low
        out[i] = (mixed >> turn) | (mixed << ((np.uint64(64) - turn) & np.uint64(63)))

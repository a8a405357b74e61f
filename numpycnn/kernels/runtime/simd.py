"""The one place where vector instructions are written by hand: two small loops that LLVM keeps in registers.

`product` is a matrix product of a few rows by WIDTH columns, in tiles whose sums stay in registers:

    acc[r, :] = start[r, :]                                  # for each row r
    for o in range(outer):  for i in range(inner):           # the sum over what convolution sums over
        acc[r, :] += a[a_at[r] + o * a_outer + i * a_inner] * b[b_at : b_at + WIDTH]
        b_at += b_inner                                      # and b_skip more after each round of o
    c[c_at[r] : c_at[r] + WIDTH] = acc[r, :]

`linear(matrix)` applies a small constant matrix across channels, as Winograd's transforms need:

    out[out_at + i * out_step + c] = sum_j matrix[i][j] * x[x_at + j * x_step + c]      for c in range(channels)

Patches of an image are runs of neighbouring values, so that a convolution needs no im2col: row r starts at a
pixel's patch, `inner` walks along kw * C values of an image row, `outer` down kh rows. Why by hand: numba would
keep the accumulators in memory (a third of the speed); LLVM keeps these vectors in registers, and compiles
them in half a second for all shapes. It is written with llvmlite's builder: LLVM's addition and multiplication
on vectors, for any processor. simd_reference.py has both in Python.
"""

import functools

import numpy as np
from llvmlite import binding, ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import arrayobj

from . import simd_reference
from .threads import kernel

_features = binding.get_host_cpu_features()
# Lanes of a vector; rows of a tile (ROWS * 2 accumulators must leave registers for the operands).
LANES, ROWS = (16, 12) if _features.get("avx512f") else (8, 6) if _features.get("avx") else (4, 6)
WIDTH = 2 * LANES  # columns of a tile

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_INT = ir.IntType(64)


def _integers(arguments):
    """The numba types of an intrinsic's arguments: arrays as they are, whole numbers as int64."""
    return types.void(*(t if isinstance(t, types.Array) else types.int64 for t in arguments))


def _unpacked(context, builder, signature, values):
    """The values, with every array replaced by the pointer to its data."""
    return [
        arrayobj.make_array(t)(context, builder, value).data
        if isinstance(t, types.Array)
        else value
        for t, value in zip(signature.args, values, strict=True)
    ]


def _at(builder, pointer, index):
    return builder.gep(pointer, [index if isinstance(index, ir.Value) else _INT(index)])


def _vector(builder, pointer, index):
    return builder.bitcast(_at(builder, pointer, index), _VECTOR.as_pointer())


def _load(builder, pointer):
    value = builder.load(pointer)
    value.align = 4  # no array is promised to start at a multiple of the vector's size
    return value


def _spread(builder, scalar):
    """A vector with the scalar in every lane."""
    undefined, lanes = ir.Constant(_VECTOR, ir.Undefined), ir.VectorType(ir.IntType(32), LANES)
    one = builder.insert_element(undefined, scalar, ir.IntType(32)(0))
    return builder.shuffle_vector(one, undefined, ir.Constant(lanes, [0] * LANES))


def _multiply_add(builder, total, left, right):
    """total + left * right, which may be one instruction; no total: the product alone."""
    product = builder.fmul(left, right, flags=("contract",))
    return product if total is None else builder.fadd(total, product, flags=("contract",))


def _tile(rows):
    """A numba function for that many rows, of (a, a_at, c_at, first, inner, a_inner, outer, a_outer, b, b_at, b_inner,
    b_skip, start, start_at, start_rows, c, c_base).

    a_at and c_at are int64 tables; the tile takes their entries first .. first+rows-1. c_base is added to c's.
    The start is start[start_at : ...] for every row or, with start_rows, start[start_at + c_at[r] : ...].
    """

    @intrinsic
    def tile(typing, a, a_at, c_at, first, inner, a_inner, outer, a_outer, b, b_at, b_inner, b_skip,
             start, start_at, start_rows, c, c_base):  # fmt: skip
        arguments = (a, a_at, c_at, first, inner, a_inner, outer, a_outer, b, b_at, b_inner, b_skip,
                     start, start_at, start_rows, c, c_base)  # fmt: skip
        return _integers(arguments), emit

    def emit(context, builder, signature, values):
        (a, a_at, c_at, first, inner, a_inner, outer, a_outer, b, b_at, b_inner, b_skip,
         start, start_at, start_rows, c, c_base) = _unpacked(context, builder, signature, values)  # fmt: skip

        def entry(table, r):
            return builder.load(_at(builder, table, builder.add(first, _INT(r))))

        places = [entry(c_at, r) for r in range(rows)]
        a_row = [
            cgutils.alloca_once_value(builder, _at(builder, a, entry(a_at, r))) for r in range(rows)
        ]
        b_row = cgutils.alloca_once_value(builder, _at(builder, b, b_at))
        acc = [[cgutils.alloca_once(builder, _VECTOR) for _ in range(2)] for _ in range(rows)]
        by_row = builder.icmp_signed("!=", start_rows, _INT(0))
        for r in range(rows):
            begin = builder.add(start_at, builder.select(by_row, places[r], _INT(0)))
            for k in range(2):
                place = builder.add(begin, _INT(k * LANES))
                builder.store(_load(builder, _vector(builder, start, place)), acc[r][k])

        with cgutils.for_range(builder, outer):
            with cgutils.for_range(builder, inner) as loop:
                _products(
                    builder, a_row, builder.mul(loop.index, a_inner), builder.load(b_row), acc
                )
                builder.store(_at(builder, builder.load(b_row), b_inner), b_row)
            builder.store(_at(builder, builder.load(b_row), b_skip), b_row)
            for pointer in a_row:
                builder.store(_at(builder, builder.load(pointer), a_outer), pointer)

        for r in range(rows):
            for k in range(2):
                place = builder.add(builder.add(c_base, places[r]), _INT(k * LANES))
                builder.store(builder.load(acc[r][k]), _vector(builder, c, place)).align = 4
        return context.get_dummy_value()

    return tile


def _products(builder, a_row, step, right, acc):
    """acc[r] += a_row[r][step] * right, for every row and both vectors of `right`."""
    vectors = [_load(builder, _vector(builder, right, k * LANES)) for k in range(2)]
    for pointer, sums in zip(a_row, acc, strict=True):
        left = _spread(builder, builder.load(_at(builder, builder.load(pointer), step)))
        for one, vector in zip(sums, vectors, strict=True):
            builder.store(_multiply_add(builder, builder.load(one), left, vector), one)


@functools.lru_cache(256)
def steps(count, step):
    """0, step, 2 * step, ...: the table of a tile whose rows lie evenly spaced."""
    return np.arange(0, count * step, step, dtype=np.int64)


_many, _four, _one = (
    simd_reference.tile(n, WIDTH) if config.DISABLE_JIT else _tile(n) for n in (ROWS, 4, 1)
)


@kernel
def product(count, a, a_at, c_at, inner, a_inner, outer, a_outer, b, b_at, b_inner, b_skip,
          start, start_at, start_rows, c, c_base):  # fmt: skip
    """`count` rows of a matrix product, in tiles of ROWS; what is left over in tiles of 4 and single rows."""
    t = 0
    while t + ROWS <= count:
        _many(a, a_at, c_at, t, inner, a_inner, outer, a_outer, b, b_at, b_inner, b_skip,
              start, start_at, start_rows, c, c_base)  # fmt: skip
        t += ROWS
    while t + 4 <= count:
        _four(a, a_at, c_at, t, inner, a_inner, outer, a_outer, b, b_at, b_inner, b_skip,
              start, start_at, start_rows, c, c_base)  # fmt: skip
        t += 4
    while t < count:
        _one(a, a_at, c_at, t, inner, a_inner, outer, a_outer, b, b_at, b_inner, b_skip,
             start, start_at, start_rows, c, c_base)  # fmt: skip
        t += 1


def linear(matrix):
    """A numba function of (x, x_at, x_step, out, out_at, out_step, channels); channels a multiple of LANES."""
    if config.DISABLE_JIT:
        return simd_reference.linear(matrix)

    @intrinsic
    def apply(typing, x, x_at, x_step, out, out_at, out_step, channels):
        return _integers((x, x_at, x_step, out, out_at, out_step, channels)), emit

    def emit(context, builder, signature, values):
        x, x_at, x_step, out, out_at, out_step, channels = _unpacked(
            context, builder, signature, values
        )

        def place(begin, step, number):
            return builder.add(begin, builder.mul(step, _INT(number)))

        with cgutils.for_range_slice(builder, _INT(0), channels, _INT(LANES), _INT) as (c, _):
            x_now, out_now = builder.add(x_at, c), builder.add(out_at, c)
            columns = [
                _load(builder, _vector(builder, x, place(x_now, x_step, j)))
                for j in range(len(matrix[0]))
            ]
            for i, row in enumerate(matrix):
                total = None
                for factor, column in zip(row, columns, strict=True):
                    if factor:
                        constant = ir.Constant(
                            _VECTOR, [ir.Constant(ir.FloatType(), factor)] * LANES
                        )
                        total = _multiply_add(builder, total, constant, column)
                builder.store(total, _vector(builder, out, place(out_now, out_step, i))).align = 4
        return context.get_dummy_value()

    return apply

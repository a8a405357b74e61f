"""The one place where vector instructions are written by hand: two small loops.

`product` multiplies a few rows by two vectors of columns (WIDTH), or by one (LANES), in tiles whose
sums stay in registers. operands.py has its operands:

    sums[r, :] = start                                       # for each row r
    for o in range(outer):  for i in range(inner):           # what a convolution sums over
        sums[r, :] += rows[r, o, i] * panel[o, i, :]
    out[r, :] = sums[r, :]

`linear(matrix)` applies a small constant matrix to vectors of channels, as Winograd transforms do:

    out[i, c] = sum_j matrix[i][j] * x[j, c]                 # for c in range(channels)

Why by hand: numba would keep the sums in memory (a third of the speed). LLVM keeps these vectors in
registers, and compiles them in half a second for all shapes. llvmlite's builder gives LLVM's
addition and multiplication on vectors, for any processor. simd_reference.py has both in Python.
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


def _signature(arguments):
    """Of an intrinsic: whole numbers come as int64, arrays and named tuples as they are."""
    return types.void(*(types.int64 if isinstance(t, types.Integer) else t for t in arguments))


def _unpacked(context, builder, kind, value):
    """An array's data pointer; a whole number as int64; of a named tuple one with these fields."""
    if isinstance(kind, types.BaseNamedTuple):
        fields = zip(kind, cgutils.unpack_tuple(builder, value, len(kind)), strict=True)
        return kind.instance_class(*(_unpacked(context, builder, *field) for field in fields))
    if isinstance(kind, types.Array):
        return arrayobj.make_array(kind)(context, builder, value).data
    return context.cast(builder, value, kind, types.int64)


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


def _tile(count, vectors):
    """A numba function for `count` rows, `first` .. first + count - 1, which LLVM unrolls, and so
    many vectors of columns.
    """

    @intrinsic
    def tile(typing, first, inner, outer, rows, panel, start, out, at):
        return _signature((first, inner, outer, rows, panel, start, out, at)), emit

    def emit(context, builder, signature, values):
        first, inner, outer, rows, panel, start, out, at = (
            _unpacked(context, builder, *pair) for pair in zip(signature.args, values, strict=True)
        )

        def entry(table, r):
            return builder.load(_at(builder, table, builder.add(first, _INT(r))))

        places = [entry(out.places, r) for r in range(count)]
        left = _at(builder, rows.data, at.rows)
        a_row = [
            cgutils.alloca_once_value(builder, _at(builder, left, entry(rows.starts, r)))
            for r in range(count)
        ]
        b_row = cgutils.alloca_once_value(builder, _at(builder, panel.data, at.panel))
        sums = [
            [cgutils.alloca_once(builder, _VECTOR) for _ in range(vectors)] for _ in range(count)
        ]
        by_row = builder.icmp_signed("!=", start.by_row, _INT(0))
        for r in range(count):
            begin = builder.add(at.start, builder.select(by_row, places[r], _INT(0)))
            for k in range(vectors):
                place = builder.add(begin, _INT(k * LANES))
                builder.store(_load(builder, _vector(builder, start.data, place)), sums[r][k])

        with cgutils.for_range(builder, outer):
            with cgutils.for_range(builder, inner) as loop:
                step = builder.mul(loop.index, rows.step)
                _products(builder, a_row, step, builder.load(b_row), sums)
                builder.store(_at(builder, builder.load(b_row), panel.step), b_row)
            for pointer in a_row:
                builder.store(_at(builder, builder.load(pointer), rows.skip), pointer)

        for r in range(count):
            for k in range(vectors):
                place = builder.add(builder.add(at.out, places[r]), _INT(k * LANES))
                target = _vector(builder, out.data, place)
                builder.store(builder.load(sums[r][k]), target).align = 4
        return context.get_dummy_value()

    return tile


def _products(builder, a_row, step, right, sums):
    """sums[r] += a_row[r][step] * right, for every row and each vector of `right`."""
    vectors = [_load(builder, _vector(builder, right, k * LANES)) for k in range(len(sums[0]))]
    for pointer, row in zip(a_row, sums, strict=True):
        left = _spread(builder, builder.load(_at(builder, builder.load(pointer), step)))
        for total, vector in zip(row, vectors, strict=True):
            builder.store(_multiply_add(builder, builder.load(total), left, vector), total)


@functools.lru_cache(256)
def steps(count, step):
    """0, step, 2 * step, ...: the table of a tile whose rows lie evenly spaced."""
    return np.arange(0, count * step, step, dtype=np.int64)


def _tiles(vectors):
    """Of ROWS rows, of four and of one."""
    if config.DISABLE_JIT:
        return [simd_reference.tile(n, vectors * LANES) for n in (ROWS, 4, 1)]
    return [_tile(n, vectors) for n in (ROWS, 4, 1)]


_many, _four, _one = _tiles(2)
_many_narrow, _four_narrow, _one_narrow = _tiles(1)


@kernel
def _whole_tiles(count):
    """How many tiles of ROWS rows `count` rows have: one fewer where tiles of four then leave fewer
    single rows, which take as long as four.
    """
    tiles, rest = count // ROWS, count % ROWS
    return tiles - 1 if tiles and (rest + ROWS) % 4 < rest % 4 else tiles


@kernel
def product(count, inner, outer, rows, panel, start, out, at):
    """`count` rows times WIDTH columns: reads Rows, Panel and Start, writes Out, from At on.

    In tiles of ROWS rows; what is left over in tiles of four and in single rows.
    """
    t, last = 0, _whole_tiles(count) * ROWS
    while t < last:
        _many(t, inner, outer, rows, panel, start, out, at)
        t += ROWS
    while t + 4 <= count:
        _four(t, inner, outer, rows, panel, start, out, at)
        t += 4
    while t < count:
        _one(t, inner, outer, rows, panel, start, out, at)
        t += 1


@kernel
def narrow_product(count, inner, outer, rows, panel, start, out, at):
    """The same for LANES columns."""
    t, last = 0, _whole_tiles(count) * ROWS
    while t < last:
        _many_narrow(t, inner, outer, rows, panel, start, out, at)
        t += ROWS
    while t + 4 <= count:
        _four_narrow(t, inner, outer, rows, panel, start, out, at)
        t += 4
    while t < count:
        _one_narrow(t, inner, outer, rows, panel, start, out, at)
        t += 1


def linear(matrix):
    """A numba function of (x, x_at, x_step, out, out_at, out_step, channels).

    x[j] is x[x_at + j * x_step : ... + channels], out[i] likewise; channels a multiple of LANES.
    """
    if config.DISABLE_JIT:
        return simd_reference.linear(matrix)

    @intrinsic
    def apply(typing, x, x_at, x_step, out, out_at, out_step, channels):
        return _signature((x, x_at, x_step, out, out_at, out_step, channels)), emit

    def emit(context, builder, signature, values):
        x, x_at, x_step, out, out_at, out_step, channels = (
            _unpacked(context, builder, *pair) for pair in zip(signature.args, values, strict=True)
        )

        def place(begin, step, number):
            return builder.add(begin, builder.mul(step, _INT(number)))

        def constant(factor):
            return ir.Constant(_VECTOR, [ir.Constant(ir.FloatType(), factor)] * LANES)

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
                        total = _multiply_add(builder, total, constant(factor), column)
                builder.store(total, _vector(builder, out, place(out_now, out_step, i))).align = 4
        return context.get_dummy_value()

    return apply

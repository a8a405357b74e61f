"""The one place where vector instructions are written by hand: two small loops that LLVM keeps in registers.

`tile_wide` is a tile of a matrix product:

    acc[r, :] = start[r, :]
    for o in range(outer):  for i in range(inner):           # the sum over what convolution sums over
        acc[r, :] += a[a_at[r] + o * a_outer + i * a_inner] * b[b_at : b_at + WIDTH]
        b_at += b_inner                                      # and b_skip more after each round of o
    c[c_at[r] : c_at[r] + WIDTH] = acc[r, :]                 # for each of ROWS rows r

`linear(matrix)` applies a small constant matrix across channels, as Winograd's transforms need:

    out[out_at + i * out_step + c] = sum_j matrix[i][j] * x[x_at + j * x_step + c]      for c in range(channels)

Patches of an image are runs of neighbouring values, so that a convolution needs no im2col: row r starts at a
pixel's patch, `inner` walks along kw * C values of an image row, `outer` down kh rows. Why by hand: numba would keep
the accumulators in memory (a third of the speed); LLVM keeps these vectors in registers, and has half a second to
compile instead of many for each shape. It is written with llvmlite's builder: this is LLVM's addition and
multiplication on vectors, for any processor.
"""

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import arrayobj

_features = binding.get_host_cpu_features()
# Lanes of a vector; rows of a tile (ROWS * 2 accumulators must leave registers for the operands).
LANES, ROWS = (16, 12) if _features.get("avx512f") else (8, 6) if _features.get("avx") else (4, 6)

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_INT = ir.IntType(64)


def _tile(rows, vectors):
    """A numba function of (a, a_at, c_at, first, inner, a_inner, outer, a_outer, b, b_at, b_inner, b_skip,
    start, start_at, start_rows, c, c_base).

    a_at and c_at are int64 tables; the tile takes their entries first .. first+rows-1. c_base is added to c's.
    The start is start[start_at : ...] for every row or, with start_rows, start[start_at + c_at[r] : ...].
    """

    @intrinsic
    def tile(typing, a, a_at, c_at, first, inner, a_inner, outer, a_outer, b, b_at, b_inner, b_skip,
             start, start_at, start_rows, c, c_base):  # fmt: skip
        arguments = (a, a_at, c_at, first, inner, a_inner, outer, a_outer, b, b_at, b_inner, b_skip,
                     start, start_at, start_rows, c, c_base)  # fmt: skip
        ints = [t if isinstance(t, types.Array) else types.int64 for t in arguments]
        return types.void(*ints), _emit

    def _emit(context, builder, signature, values):
        v = [
            arrayobj.make_array(t)(context, builder, value).data if isinstance(t, types.Array) else value
            for t, value in zip(signature.args, values, strict=True)
        ]
        (
            a,
            a_at,
            c_at,
            first,
            inner,
            a_inner,
            outer,
            a_outer,
            b,
            b_at,
            b_inner,
            b_skip,
            start,
            start_at,
            flag,
            c,
            c_base,
        ) = v

        def at(pointer, index):
            return builder.gep(pointer, [index if isinstance(index, ir.Value) else _INT(index)])

        def vector(pointer, index):
            return builder.bitcast(at(pointer, index), _VECTOR.as_pointer())

        def load(pointer):
            value = builder.load(pointer)
            value.align = 4
            return value

        def entry(table, r):
            return builder.load(at(table, builder.add(first, _INT(r))))

        def spread(scalar):
            lanes = ir.VectorType(ir.IntType(32), LANES)
            one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), scalar, ir.IntType(32)(0))
            return builder.shuffle_vector(one, ir.Constant(_VECTOR, ir.Undefined), ir.Constant(lanes, [0] * LANES))

        c_row = [builder.add(c_base, entry(c_at, r)) for r in range(rows)]
        a_row = [cgutils.alloca_once_value(builder, at(a, entry(a_at, r))) for r in range(rows)]
        b_row = cgutils.alloca_once_value(builder, at(b, b_at))
        acc = [[cgutils.alloca_once(builder, _VECTOR) for _ in range(vectors)] for _ in range(rows)]
        for r in range(rows):
            own = builder.select(builder.icmp_signed("!=", flag, _INT(0)), entry(c_at, r), _INT(0))
            for k in range(vectors):
                place = builder.add(builder.add(start_at, own), _INT(k * LANES))
                builder.store(load(vector(start, place)), acc[r][k])

        with cgutils.for_range(builder, outer):
            with cgutils.for_range(builder, inner) as loop:
                pointer = builder.load(b_row)
                right = [load(vector(pointer, k * LANES)) for k in range(vectors)]
                step = builder.mul(loop.index, a_inner)
                for r in range(rows):
                    left = spread(builder.load(at(builder.load(a_row[r]), step)))
                    for k in range(vectors):
                        product = builder.fmul(left, right[k], flags=("contract",))
                        builder.store(builder.fadd(builder.load(acc[r][k]), product, flags=("contract",)), acc[r][k])
                builder.store(at(pointer, b_inner), b_row)
            builder.store(at(builder.load(b_row), b_skip), b_row)
            for r in range(rows):
                builder.store(at(builder.load(a_row[r]), a_outer), a_row[r])

        for r in range(rows):
            for k in range(vectors):
                store = builder.store(builder.load(acc[r][k]), vector(c, builder.add(c_row[r], _INT(k * LANES))))
                store.align = 4
        return context.get_dummy_value()

    return tile


tile_wide = _tile(ROWS, 2)  # ROWS rows of 2 * LANES columns: the fast one
tile_row = _tile(1, 2)  # one row: for what is left over


def linear(matrix):
    """A numba function of (x, x_at, x_step, out, out_at, out_step, channels); channels a multiple of LANES."""

    @intrinsic
    def apply(typing, x, x_at, x_step, out, out_at, out_step, channels):
        arguments = (x, x_at, x_step, out, out_at, out_step, channels)
        ints = [t if isinstance(t, types.Array) else types.int64 for t in arguments]
        return types.void(*ints), emit

    def emit(context, builder, signature, values):
        x, out = (arrayobj.make_array(signature.args[i])(context, builder, values[i]).data for i in (0, 3))
        x_at, x_step, out_at, out_step, channels = (values[i] for i in (1, 2, 4, 5, 6))

        def vector(pointer, index):
            return builder.bitcast(builder.gep(pointer, [index]), _VECTOR.as_pointer())

        with cgutils.for_range_slice(builder, _INT(0), channels, _INT(LANES), _INT) as (c, _):
            columns = []
            for j in range(len(matrix[0])):
                place = builder.add(builder.add(x_at, c), builder.mul(x_step, _INT(j)))
                columns.append(builder.load(vector(x, place)))
                columns[-1].align = 4
            for i, row in enumerate(matrix):
                total = None
                for factor, column in zip(row, columns, strict=True):
                    if factor:
                        constant = ir.Constant(_VECTOR, [ir.Constant(ir.FloatType(), factor)] * LANES)
                        term = column if factor == 1 else builder.fmul(constant, column, flags=("contract",))
                        total = term if total is None else builder.fadd(total, term, flags=("contract",))
                place = builder.add(builder.add(out_at, c), builder.mul(out_step, _INT(i)))
                builder.store(total, vector(out, place)).align = 4
        return context.get_dummy_value()

    return apply

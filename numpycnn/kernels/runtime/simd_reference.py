"""What the loops of simd.py compute, in Python: their definition, and what runs without numba."""

import numpy as np


def tile(count, width):
    """out[r, :] = start + sum over o, i of rows[r, o, i] * panel[o, i, :]      for `count` rows"""

    def reference(first, inner, outer, rows, panel, start, out, at):
        for r in range(first, first + count):
            begin = at.start + (out.places[r] if start.by_row else 0)
            left, right = at.rows + rows.starts[r], at.panel
            sums = start.data[begin : begin + width].copy()  # (width,)
            for o in range(outer):
                for i in range(inner):
                    value = rows.data[left + o * rows.skip + i * rows.step]
                    sums += value * panel.data[right : right + width]
                    right += panel.step
            place = at.out + out.places[r]
            out.data[place : place + width] = sums

    return reference


def linear(matrix):
    """out[i] = sum_j matrix[i][j] * x[j]      x[j], out[i]: `channels` values, a step apart"""

    def reference(x, x_at, x_step, out, out_at, out_step, channels):
        columns = [x[x_at + j * x_step :][:channels] for j in range(len(matrix[0]))]
        for i, row in enumerate(matrix):
            terms = [
                np.float32(factor) * column
                for factor, column in zip(row, columns, strict=True)
                if factor
            ]
            out[out_at + i * out_step :][:channels] = np.sum(terms, axis=0, dtype=np.float32)

    return reference

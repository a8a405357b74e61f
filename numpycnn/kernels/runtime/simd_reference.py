"""What the two loops of simd.py compute, in Python: their definition, and what runs without the compiler."""

import numpy as np


def tile(rows, width):
    """acc = start, plus the sum of a * b over `outer` rounds of `inner` values each; into c. For that many rows."""

    def text(a, a_at, c_at, first, inner, a_inner, outer, a_outer, b, b_at, b_inner, b_skip,
             start, start_at, start_rows, c, c_base):  # fmt: skip
        for r in range(first, first + rows):
            begin, left, right = start_at + (c_at[r] if start_rows else 0), a_at[r], b_at
            acc = start[begin : begin + width].copy()
            for o in range(outer):
                for i in range(inner):
                    acc += a[left + o * a_outer + i * a_inner] * b[right : right + width]
                    right += b_inner
                right += b_skip
            c[c_base + c_at[r] : c_base + c_at[r] + width] = acc

    return text


def linear(matrix):
    """out[i] = sum_j matrix[i][j] * x[j], where x[j] and out[i] are `channels` values, x_step and out_step apart."""

    def text(x, x_at, x_step, out, out_at, out_step, channels):
        columns = [x[x_at + j * x_step :][:channels] for j in range(len(matrix[0]))]
        for i, row in enumerate(matrix):
            terms = [
                np.float32(factor) * column
                for factor, column in zip(row, columns, strict=True)
                if factor
            ]
            out[out_at + i * out_step :][:channels] = np.sum(terms, axis=0, dtype=np.float32)

    return text

"""What `product` of simd.py multiplies, and where its result goes: flat arrays and places in them.

    Rows     the left factor: rows[r, o, i] = data[starts[r] + o * skip + i * step]
    Panel    the right factor: panel[o, i, :] = data[at + (o * inner + i) * step : ... + WIDTH]
    Start    where the sums begin: data[at : at + WIDTH] for every row, such as a bias; with
             by_row = 1 at data[at + places[r] : ... + WIDTH], places being those of Out
    Out      the result: out[r, :] = data[base + places[r] : ... + WIDTH]

A convolution reads images through Rows without im2col: row r begins at the patch of pixel r, `step`
walks along the kw * C values that neighbour each other in an image row, `skip` down the kh rows.
"""

import typing

import numpy as np


class Rows(typing.NamedTuple):
    data: np.ndarray  # float32, flat
    starts: np.ndarray  # int64, one a row
    step: int
    skip: int


class Panel(typing.NamedTuple):
    data: np.ndarray  # float32, flat
    at: int
    step: int


class Start(typing.NamedTuple):
    data: np.ndarray  # float32, flat
    at: int
    by_row: int


class Out(typing.NamedTuple):
    data: np.ndarray  # float32, flat
    places: np.ndarray  # int64, one a row
    base: int

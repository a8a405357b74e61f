"""What `product` of simd.py multiplies, and where its result goes: flat arrays, and places in them.

    Rows     the left factor: rows[r, o, i] = data[starts[r] + o * skip + i * step]
    Panel    the right factor: panel[o, i, :] = data[(o * inner + i) * step : ... + WIDTH]
    Start    what the sums begin with: data[: WIDTH] for every row, such as a bias; with by_row = 1
             data[places[r] : ... + WIDTH], places being those of Out
    Out      the result: out[r, :] = data[places[r] : ... + WIDTH]
    At       how far into each of the four arrays this product begins

A convolution reads images through Rows without im2col: row r begins at the patch of pixel r, `step`
walks along the kw * C values that neighbour each other in an image row, `skip` down the kh rows.

Those with arrays are made outside of loops: a new one counts references, which costs a twentieth
of a small product. At has no arrays.
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
    step: int


class Start(typing.NamedTuple):
    data: np.ndarray  # float32, flat
    by_row: int


class Out(typing.NamedTuple):
    data: np.ndarray  # float32, flat
    places: np.ndarray  # int64, one a row


class At(typing.NamedTuple):
    rows: int
    panel: int
    start: int
    out: int

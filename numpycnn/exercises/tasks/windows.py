"""Windows of images: the probes of pooling, and its twins by loops."""

import itertools

import numpy as np

from ..exercise import Probe
from .common import noise


def cases(rng):
    grid = itertools.product((2, 3), (1, 2, 3), (False, True), ("mixed", "all negative"), (1, 3))
    for size, stride, ties, sign, n in grid:
        left = int(rng.integers(2)) if stride > 1 else 0
        h = size + stride * int(rng.integers(1, 3)) + left
        w = size + stride * int(rng.integers(1, 3)) + left
        c = int(rng.integers(1, 4))
        x = noise(rng, n, h, w, c)
        x = np.round(x) if ties else x
        x = -np.abs(x) - 1 if sign == "all negative" else x
        touch = "overlapping" if stride < size else "side by side" if stride == size else "apart"
        about = {
            "windows": touch,
            "x": "with equal values" if ties else "all different",
            "values": sign,
            "batch": n,
            "size": size,
            "stride": stride,
            "channels": c,
            "border": "left over" if left else "filled",
        }
        cells = ((h - size) // stride + 1) * ((w - size) // stride + 1)
        sizes = {"N": n, "size^2": size * size, "size": size, "OH*OW": cells}
        yield x, size, stride, about, sizes | {"H*W": h * w, "stride": stride, "C": c}


def forward_probes(rng):
    for x, size, stride, about, sizes in cases(rng):
        yield Probe({"x": x, "size": (size, size), "stride": (stride, stride)}, about, sizes)


def backward_probes(op):
    def probes(rng):
        for x, size, stride, about, sizes in cases(rng):
            y, cache = op(x, size, stride)
            yield Probe({"dy": noise(rng, *y.shape), "cache": cache}, about, sizes)

    return probes


def pooled(f, step=None, down=0, right=0):
    """A twin: f(window) -> a number, by loops; step(size, stride) -> another step of windows.

    `down` and `right` move the windows; those at the end are cut by the image's border.
    """

    def twin(a):
        (size, _), (s, _), x = a["size"], a["stride"], a["x"]
        oh, ow = (x.shape[1] - size) // s + 1, (x.shape[2] - size) // s + 1
        y = np.zeros((len(x), oh, ow, x.shape[3]))
        s = step(size, s) if step else s
        for n, i, j, c in np.ndindex(y.shape):
            r, q = i * s + down, j * s + right
            y[n, i, j, c] = f(x[n, r : r + size, q : q + size, c])
        return y

    return twin


def spread(f, collect=True, step=None, first=False):
    """A twin of a backward pass: dx[window] += f(dy, its cell's number or None, size).

    Not to collect is = for +=: the last window that has a share counts, with `first` the first one
    that covers a pixel, as in a loop over the places of the window.
    """

    def twin(a):
        c = a["cache"]
        (size, _), (s, _), dy = c.size, c.stride, a["dy"]
        dx = np.zeros(c.x_shape)
        winner = getattr(c, "winner", None) if "winner" in c.fields else None
        cells = list(np.ndindex(dy.shape))
        for n, i, j, k in reversed(cells) if first else cells:
            q = step(size, s) if step else s
            place = np.s_[n, i * q : i * q + size, j * q : j * q + size, k]
            share = f(dy[n, i, j, k], None if winner is None else int(winner[n, i, j, k]), size)
            h, w = dx[place].shape  # another stride may lead out of the image
            share = share[:h, :w]
            counts = np.ones_like(share) if first else share
            dx[place] = dx[place] + share if collect else np.where(counts != 0, share, dx[place])
        return dx

    return twin


def averaged(shares):
    """A twin: what windows give to one pixel is averaged over those that give something."""
    total = spread(shares)
    count = spread(lambda dy, w, size: (shares(1.0, w, size) != 0) * 1.0)
    return lambda a: total(a) / np.maximum(count(a), 1)


def next_cell(by):
    """The winner's number is off by `by`."""
    return lambda dy, winner, size: at_cell(dy, (winner + by) % size**2, size)


def from_the_end(dy, winner, size):
    return at_cell(dy, size**2 - 1 - winner, size)


def at_cell(dy, winner, size):
    share = np.zeros((size, size))
    share.flat[winner] = dy
    return share


def turned(dy, winner, size):
    return at_cell(dy, winner, size).T


def all_alike(dy, winner, size):
    return np.full((size, size), dy)


def all_others(dy, winner, size):
    return np.full((size, size), dy) - at_cell(dy, winner, size)


def mean_share(dy, winner, size):
    return np.full((size, size), dy / size**2)

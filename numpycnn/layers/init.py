"""Initialisers: weights whose size keeps the signal's variance from layer to layer.

A weight (..., fan_in, fan_out) of a convolution (kh, kw, C, F) has fan_in = kh*kw*C and fan_out =
kh*kw*F.
"""

import os

import numpy as np

from ..errors import ShapeError, unknown
from .traverse import walk, watch


def _fans(shape):
    window = int(np.prod(shape[:-2], dtype=np.int64))
    return window * shape[-2], window * shape[-1]


def he_normal(shape, rng):
    """w ~ N(0, 2 / fan_in), for ReLU, which halves the variance: the paper's choice.

    Source: He et al. 2015.
    """
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(np.sqrt(2 / _fans(shape)[0]))


def lecun_normal(shape, rng):
    """w ~ N(0, 1 / fan_in). Source: LeCun et al. 1998, Efficient BackProp, 4.6."""
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(np.sqrt(1 / _fans(shape)[0]))


def glorot_uniform(shape, rng):
    """w ~ U(-a, a) with a = sqrt(6 / (fan_in + fan_out)): Keras's default.

    Source: Glorot & Bengio 2010, (16).
    """
    a = np.sqrt(6 / sum(_fans(shape)))
    return ((2 * rng.random(shape, dtype=np.float32) - 1) * np.float32(a)).astype(np.float32)


def orthonormal(shape, rng):
    """Rows or columns of w.reshape(fan_in, -1) are orthonormal, from the QR of a Gaussian.

    Source: Saxe et al. 2014.
    """
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))  # (larger, smaller); without the signs q would not be uniform
    return np.ascontiguousarray((q if rows >= columns else q.T).reshape(shape), np.float32)


def _normal(std):
    """w ~ N(0, std^2)"""
    if not 0 < std < np.inf:
        raise ValueError(f"weights need a deviation that is positive and finite, not {std!r}")
    return lambda shape, rng: rng.standard_normal(shape, dtype=np.float32) * np.float32(std)


INITIALISERS = {f.__name__: f for f in (he_normal, glorot_uniform, lecun_normal, orthonormal)}


def draw(init, shape, rng):
    """float32 weights of `shape` by the initialiser of that name, or by a function of (shape, rng).

    A number is the deviation of a normal distribution, whatever the fan-in (AlexNet's own was
    0.01). rng=None takes fresh entropy. Raises ShapeError where the weights alone would not fit
    into memory.
    """
    if isinstance(init, (int, float)) and not isinstance(init, bool):
        init = _normal(init)
    if not callable(init) and init not in INITIALISERS:
        raise unknown("initialiser", init, INITIALISERS)
    if any(int(n) != n or n < 1 for n in shape):
        raise ShapeError(f"weights need sizes of at least 1, not {tuple(shape)}")
    refuse_huge(
        4 * int(np.prod([int(n) for n in shape], dtype=object)),
        f"weights of the shape {tuple(shape)}",
    )
    rng = np.random.default_rng() if rng is None else rng
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng must be a numpy.random.Generator, not {type(rng).__name__}; "
            "take np.random.default_rng(seed)"
        )
    weights = np.asarray(
        (init if callable(init) else INITIALISERS[init])(tuple(shape), rng), np.float32
    )
    if weights.shape != tuple(shape):
        raise ShapeError(f"the initialiser gave the shape {weights.shape}, expected {tuple(shape)}")
    return weights


def refuse_huge(nbytes, what):
    """Raises ShapeError, before it is allocated, for what needs more than the machine's memory."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not a POSIX system: take what a laptop has
        memory = 16 << 30
    if nbytes > memory:
        raise ShapeError(f"{what} would need {nbytes:,} bytes; this machine has {memory:,}")


def lsuv(net, x, rng, tolerance=0.05, iterations=10):
    """Layer-sequential unit variance: orthonormal weights, scaled so that each output's is 1.

    w <- w / sqrt(Var[y]), layer by layer in forward order, on the batch x (N, ...). Changes net's
    weights in place and returns rows (path, variance before, variance after). Raises ValueError for
    fuse(net). Source: Mishkin & Matas 2015, algorithm 1.
    """
    if any(layer.opaque for _, layer in walk(net)):
        raise ValueError(
            "initialise the network itself, not fuse(net): "
            "what is inside a fused layer cannot be seen"
        )
    layers = {}  # one in two places stands here once, and its first output counts
    for path, layer in walk(net):
        if getattr(getattr(layer, "w", None), "value", None) is not None:
            layers[id(layer)] = path, layer
    variance = {}

    def measure(path, layer, x, y, cache):
        variance.setdefault(path, float(y.var(dtype=np.float64)))

    def run():
        variance.clear()
        with watch(net, measure):
            net.forward(x)

    rows = []
    for path, layer in layers.values():
        run()
        before = variance[path]
        layer.w.value[...] = orthonormal(layer.w.value.shape, rng)
        run()
        for _ in range(iterations):
            if abs(variance[path] - 1) <= tolerance or variance[path] == 0:
                break
            layer.w.value /= np.float32(np.sqrt(variance[path]))
            run()
        rows.append((path, before, variance[path]))
    return rows

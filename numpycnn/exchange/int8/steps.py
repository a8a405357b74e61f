"""The arithmetic of the integer network: what each kind of step computes, in NumPy.

A code c, a uint8, stands for the value scale * (c - zero). Images are codes already: their pixels.
Every function is (step, *codes of its inputs) -> codes (N, ...), or int64 sums for the last layer.
All of it is exact, so a C program gives the same bits. Steps: ../INT8.md
"""

import dataclasses

import numpy as np

from ...ops.conv import conv_size

MOST_SHIFT = 50  # so that 2^31 * 2^31 and (2 * 1023 + 1) * 2^49 fit into 64 bits together


@dataclasses.dataclass
class Step:
    """One operation. `inputs` are the numbers of the steps that it reads, `shape` is one image's.

    numbers: what config holds, whole numbers and text; arrays: {"w": int8, "b": int32, ...}
    """

    op: str
    name: str
    inputs: tuple
    shape: tuple
    scale: float
    zero: float
    numbers: dict = dataclasses.field(default_factory=dict)
    arrays: dict = dataclasses.field(default_factory=dict)

    def multiply_adds(self):
        """Of one image."""
        if "w" not in self.arrays:
            return 0
        return self.arrays["w"].size * (self.shape[0] * self.shape[1] if self.op == "conv" else 1)


def requantize(sums, q, s, zero, top=255):
    """code = min(max(floor(sum * q / 2^s + zero + 1/2), 0), top): to nearest, a half up.

    sums int32, q int32, s 1..50, in 64 bits: floor((sum * q + (2 zero + 1) 2^(s-1)) / 2^s).
    """
    s = np.asarray(s, np.int64)
    moved = sums.astype(np.int64) * q + (2 * zero + 1) * (np.int64(1) << (s - 1))
    return np.clip(moved >> s, 0, top)


def conv(step, x):
    """sum[n,i,j,k] = b_k + sum_{di,dj,c} w[di,dj,c,k] xpad[n, i*sh+di, j*sw+dj, c], then _finish.

    x (N, H, W, C), w (kh, kw, C, F), b (F,) -> (N, OH, OW, F). Outside stands the code of 0.
    """
    w, (sh, sw), pads = step.arrays["w"], step.numbers["stride"], step.numbers["pads"]
    oh, ow = conv_size(x.shape[1:3], w.shape[:2], (sh, sw), pads)
    xpad = np.pad(x, ((0, 0), *pads, (0, 0)), constant_values=step.numbers["outside"])
    xpad, w = xpad.astype(_exact(w)), w.astype(_exact(w))
    sums = np.zeros((len(x), oh, ow, w.shape[3]), w.dtype)
    for di, dj in np.ndindex(w.shape[:2]):
        sums += xpad[:, di : di + sh * oh : sh, dj : dj + sw * ow : sw] @ w[di, dj]
    return _finish(step, sums)


def dense(step, x):
    """sum[n,k] = b_k + sum_d x[n,d] w[d,k], then _finish.   x (N, D), w (D, K), b (K,) -> (N, K)"""
    w = step.arrays["w"]
    return _finish(step, x.astype(_exact(w)) @ w.astype(_exact(w)))


def head(step, x):
    """logits[n,k] = b_k + sum_c w[c,k] sum_p x[n,p,c]: int64 that fit into int32.

    The last dense layer; of images x (N, H, W, C) with the global average pool before it, whose
    division by `pixels` is in the scale, so that nothing is rounded.
    """
    w = step.arrays["w"].astype(np.int64)  # (C, K)
    sums = x.reshape(len(x), step.numbers["pixels"], len(w)).sum(axis=1, dtype=np.int64)
    return sums @ w + step.arrays["b"]


def _exact(w):
    """A float type in which every sum of these products is exact: BLAS is fast, and has no ints."""
    largest = 255 * np.abs(w.astype(np.int64)).reshape(-1, w.shape[-1]).sum(axis=0).max(initial=0)
    return np.float32 if largest < 1 << 24 else np.float64


def _finish(step, sums):
    """Sums (..., F) without bias -> codes."""
    arrays, numbers = step.arrays, step.numbers
    sums = sums.astype(np.int64) + arrays["b"]
    q = arrays["q"].astype(np.int64)
    if "slope" in arrays:  # LeakyReLU, PReLU: another factor below zero
        q = np.where(sums < 0, arrays["slope"].astype(np.int64), q)
    top = len(arrays["table"]) - 1 if "table" in arrays else 255
    codes = requantize(sums, q, arrays["s"], numbers["offset"], top)
    return arrays["table"][codes] if "table" in arrays else codes.astype(np.uint8)


def add(step, *xs):
    """code = min(max(floor((b + sum_k q_k x_k) / 2^s), 0), 255), the branches' scales in q.

    b holds - sum_k q_k zero_k, the new zero and the half that rounds.
    """
    total = sum(int(q) * x.astype(np.int64) for q, x in zip(step.arrays["q"], xs, strict=True))
    return np.clip((total + step.numbers["b"]) >> step.numbers["s"], 0, 255).astype(np.uint8)


def mean(step, x):
    """Of each window: requantize(b + sum x), 1/size in q.   (N, H, W, C) -> (N, *shape)

    b is - size * zero of x.
    """
    sums = _windows(step, x).sum(axis=(4, 5), dtype=np.int64) + step.numbers["b"]
    codes = requantize(sums, *(step.numbers[name] for name in ("q", "s", "offset")))
    return codes.astype(np.uint8).reshape(len(x), *step.shape)


def max_pool(step, x):
    """The largest code of each window; scale and zero stay.   (N, H, W, C) -> (N, OH, OW, C)"""
    return _windows(step, x).max(axis=(4, 5))


def _windows(step, x):
    """(N, OH, OW, C, kh, kw), a view."""
    sh, sw = step.numbers["stride"]
    windows = np.lib.stride_tricks.sliding_window_view(x, step.numbers["size"], axis=(1, 2))
    return windows[:, ::sh, ::sw]


def lookup(step, x):
    """table[code]: any function of single values."""
    return step.arrays["table"][x]


def reshape(step, x):
    """The same codes in another shape (N, ...)."""
    return x.reshape(len(x), *step.shape)


OPS = {f.__name__: f for f in (conv, dense, head, add, mean, max_pool, lookup, reshape)}

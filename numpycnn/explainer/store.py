"""The arrays of a page as one block of float32, each content once.

What the page can make again bit for bit from other arrays is not stored (a ReLU's output, say):
only the rule is, once it has been tried here. page/store.js has the same rules.
"""

import hashlib
import zlib

import numpy as np

from ..ops.pool import max_pool2d, max_pool2d_backward

F32 = np.float32
LETTERS = bytes(c for c in range(33, 127) if chr(c) not in "<&\\")  # 91, none of them markup


def _norm(x, mean, var, gamma, beta, eps):
    rows = x.reshape(-1, len(gamma))  # of a mirror norm, the two maps of a pair are one channel
    return (gamma * ((rows - mean) * (1 / np.sqrt(var + F32(eps)))) + beta).reshape(x.shape)


def _norm_use_dx(dy, var, gamma, eps):
    rows = dy.reshape(-1, len(gamma))
    return (gamma * (1 / np.sqrt(var + F32(eps))) * rows).reshape(dy.shape)


def _norm_train_dx(dy, x, mean, var, gamma, dgamma, dbeta, eps, m):
    inv, rows = 1 / np.sqrt(var + F32(eps)), x.reshape(-1, len(gamma))
    xhat, dy = (rows - mean) * inv, dy.reshape(rows.shape)
    return (gamma * inv * (dy - dbeta / F32(m) - xhat * (dgamma / F32(m)))).reshape(x.shape)


def _unpool(dy, x, sh, sw, th, tw):
    _, cache = max_pool2d(x[None], (sh, sw), (th, tw))
    return max_pool2d_backward(np.ascontiguousarray(dy[None]), cache)[0]


RULES = {
    "same": lambda x: x,
    "repeat": lambda x, sh, sw: x.repeat(int(sh), 0).repeat(int(sw), 1),
    "relu": lambda x: np.maximum(x, 0),
    "gate": lambda dy, y: dy * (y > 0),
    "times": lambda a, b: a * b,
    "scale": lambda x, factor: x * F32(factor),
    "shift": lambda x, mean, factor: (x - F32(mean)) * F32(factor),
    "sum": lambda *arrays: sum(arrays[1:], arrays[0]),
    "concat": lambda *arrays: np.concatenate(arrays, -1),
    "slice": lambda x, start, stop: x[..., start:stop],
    "outer": lambda x, dy: np.outer(x, dy),
    "norm": _norm,
    "norm_use_dx": _norm_use_dx,
    "norm_train_dx": _norm_train_dx,
    "pool": lambda x, *sizes: max_pool2d(x[None], sizes[:2], sizes[2:])[0][0],
    "unpool": _unpool,
}


def checksum(array):
    """A number of 32 bits by which the page knows that it made the same array again."""
    bits = np.where(np.isnan(array), F32(1), array + F32(0)).ravel().view(np.uint32)  # -0 is 0
    places = np.arange(bits.size, dtype=np.uint32) % np.uint32(65521) + np.uint32(1)
    return int(np.add.reduce(bits * places, dtype=np.uint32))


def _smallest(content):
    """zlib with and without the search for repetitions: noise is coded better without."""
    coders = [
        zlib.compressobj(6, strategy=s) for s in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY)
    ]
    return min((coder.compress(content) + coder.flush() for coder in coders), key=len)


class Store:
    """Arrays go in, numbers that name them come out.

    index[i] is what the page reads of array i: [shape, place in the block], or [shape, null, rule,
    arrays, numbers, checksum], or [shape, null] of one that the page computes when it is asked.
    """

    def __init__(self):
        self.index, self.arrays, self._known = [], [], {}
        self._needed = self._packed = None  # found when asked for

    def put(self, array):
        """-> its number."""
        return self._add(np.ascontiguousarray(array, F32), "stored")

    def derive(self, array, rule, sources, *numbers):
        """-> the number of an array that `rule` makes of others; else it is stored."""
        array, sources = np.ascontiguousarray(array, F32), [int(i) for i in sources]
        with np.errstate(all="ignore"):
            made = RULES[rule](*(self.arrays[i] for i in sources), *numbers)
        if made.dtype != F32 or not np.array_equal(made, array, equal_nan=True):
            return self.put(array)
        numbers = [float(n) for n in numbers]
        return self._add(array, [rule, sources, numbers, checksum(array)])

    def _add(self, array, how):
        """One content is kept once, and once more for each other shape."""
        content = hashlib.sha1(array.tobytes()).digest()
        if (content, array.shape) in self._known:
            return self._known[content, array.shape]
        if content in self._known:
            how = ["same", [self._known[content]], [], checksum(array)]
        self.arrays.append(array)
        self.index.append(how)
        self._needed, self._packed, number = None, None, len(self.index) - 1
        self._known.setdefault(content, number)
        self._known[content, array.shape] = number
        return number

    def drop(self, i):
        """Leave array i to the page -> whether it was stored, and no rule needs it."""
        if self._needed is None:
            rules = [how for how in self.index if isinstance(how, list)]
            self._needed = {j for how in rules for j in how[1]}
        if self.index[i] != "stored" or i in self._needed:
            return False
        self.index[i], self._packed = "computed", None
        return True

    def packed(self):
        """-> four pieces of zlib: all exponents, then the other bits, a byte of each number at a
        time: so like bytes stand together.
        """
        if self._packed is None:
            block = np.concatenate([np.zeros(0, F32), *(a.ravel() for a in self._stored())])
            bits = block.view(np.uint32)
            turned = (bits << np.uint32(1)) | (bits >> np.uint32(31))  # the sign comes last
            planes = turned.astype(">u4").view(np.uint8).reshape(-1, 4).T
            self._packed = [_smallest(plane.tobytes()) for plane in planes]
        return self._packed

    def size(self):
        """Bytes of the text that packed() becomes."""
        return sum(map(len, self.packed())) * 16 / 13

    def text(self):
        """packed() in printable letters: the lengths of the pieces, then two a 13 bits."""
        pieces = self.packed()
        lengths = " ".join(str(len(piece)) for piece in pieces)
        bits = np.unpackbits(np.frombuffer(b"".join(pieces), np.uint8))
        groups = np.pad(bits, (0, -bits.size % 13)).reshape(-1, 13)
        numbers = groups @ (1 << np.arange(12, -1, -1))
        letters = np.frombuffer(LETTERS, np.uint8)
        return f"{lengths} {letters[np.stack(np.divmod(numbers, 91), 1)].tobytes().decode()}"

    def stored(self):
        """How many numbers the block holds."""
        return sum(array.size for array in self._stored())

    def listing(self):
        """-> index, as the page reads it."""
        found, at = [], 0
        for array, how in zip(self.arrays, self.index, strict=True):
            place, at = (at, at + array.size) if how == "stored" else (None, at)
            found.append([list(array.shape), place, *(how if isinstance(how, list) else [])])
        return found

    def _stored(self):
        return [a for a, how in zip(self.arrays, self.index, strict=True) if how == "stored"]

"""Which of the two versions of an op runs: the NumPy text in ops/, or its numba twin in kernels/.

    numpycnn.use("numpy")            # the definitions; numba is never imported
    numpycnn.use("numba", threads=2) # the twins, where there are any (the default)

An op is a function with `@twin(door)` on it. The door checks the arguments and brings them into one
form (floating point, C-contiguous, pairs for stride and padding), so that the two versions below it
hold nothing but the mathematics, and get the same input.
"""

import functools
import importlib
import importlib.util
import os

import numpy as np

from .errors import ShapeError, UnknownNameError

_BACKENDS = ("numba", "numpy")
_current = None
_threads = None


def use(name, threads=None):
    """Choose "numba" or "numpy" for every op from now on, and the number of threads of the kernels.

    The environment's NUMPYCNN_BACKEND and NUMPYCNN_THREADS choose before the first call.
    Raises UnknownNameError, and ValueError for fewer than one thread.
    """
    global _current, _threads
    if name not in _BACKENDS:
        raise UnknownNameError(f"unknown backend {name!r}; there are 'numba' and 'numpy'")
    if name == "numba" and importlib.util.find_spec("numba") is None:
        raise UnknownNameError("numba is not installed: `pip install numba`, or use('numpy')")
    if threads is not None:
        if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or threads < 1:
            raise ValueError(f"threads must be a whole number of at least 1, not {threads!r}")
        _threads = int(threads)
    _current = name


def backend():
    """The name of the backend in use."""
    global _current
    if _current is None:
        use(os.environ.get("NUMPYCNN_BACKEND") or ("numba" if importlib.util.find_spec("numba") else "numpy"))
    return _current


def threads():
    """How many threads the kernels use: use(threads=), NUMPYCNN_THREADS, or the cores this process may use.

    Raises ValueError for another NUMPYCNN_THREADS than a whole number of at least 1.
    """
    global _threads
    if _threads is None:
        text = os.environ.get("NUMPYCNN_THREADS", "")
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        if text and not (text.isascii() and text.isdigit() and int(text)):
            raise ValueError(f"NUMPYCNN_THREADS must be a whole number of at least 1, not {text!r}")
        _threads = int(text or cores)
    return _threads


class Cache(tuple):
    """What a forward pass keeps for its backward pass: a tuple that knows its op and its output's shape.

    It refers to the arrays themselves, x among them: they must not be changed before the backward pass.
    """

    def __new__(cls, op, y, *values):
        cache = super().__new__(cls, values)
        cache.op, cache.shape, cache.dtype = op, y.shape, y.dtype
        return cache

    def __getnewargs__(self):
        return (self.op, np.empty(self.shape, self.dtype), *self)


def twin(door):
    """Decorate an op: `door` checks its arguments; then its numba twin runs if it has one and it is wanted.

    A twin has the same name, in the file of the same name in kernels/. It may return NotImplemented
    for arguments that it is not made for: then the NumPy text runs.
    """

    def decorate(function):
        module = f"numpycnn.kernels.{function.__module__.rpartition('.')[2]}"
        name = function.__name__
        find = functools.cache(lambda: _find(module, name))

        @functools.wraps(function)
        def op(*args, **kwargs):
            args = door(*args, **kwargs)
            if backend() == "numba":
                kernel = find()
                if kernel is not None:
                    result = kernel(*args)
                    if result is not NotImplemented:
                        return result
            return function(*args)

        op.door = door
        return op

    return decorate


def _find(module, name):
    return getattr(importlib.import_module(module), name, None) if importlib.util.find_spec(module) else None


# ---- doors ------------------------------------------------------------------------------------


def floats(name, array, ndim=None, like=None):
    """`array` as C-contiguous float32 or float64 in native byte order; `like` raises float32 to float64.

    Raises TypeError for anything that is not real floating point, ShapeError for other dimensions.
    """
    array = np.asarray(array)
    if array.dtype.kind != "f":
        hint = "; scale images first (layers.Standardize does)" if array.dtype.kind in "ui" else ""
        raise TypeError(f"{name} must be floating point, not {array.dtype}{hint}")
    if ndim is not None and array.ndim not in (ndim if isinstance(ndim, tuple) else (ndim,)):
        raise ShapeError(f"{name} must have {ndim} dimensions, not the shape {array.shape}")
    dtype = np.float64 if array.dtype.itemsize >= 8 or (like is not None and like.dtype == np.float64) else np.float32
    return np.asarray(array, dtype, order="C")  # ascontiguousarray would make (1,) of ()


def images(x):
    """`x` as a batch of images (N, H, W, C); the error shows how a neighbour's layout is converted."""
    array = np.asarray(x)
    if array.ndim == 3:
        raise ShapeError(
            f"expected images (N, H, W, C), got the 3-D shape {array.shape}; "
            "for grey images add the channel: x[..., None]; for one image add the batch: x[None]"
        )
    return floats("x", array, 4)


def channels(x, expected):
    """Raise ShapeError unless x has `expected` channels in its last axis."""
    if x.shape[-1] != expected:
        layout = " (NHWC)" if x.ndim == 4 else ""
        hint = "; NCHW? convert with x.transpose(0, 2, 3, 1)" if x.ndim == 4 and x.shape[1] == expected else ""
        raise ShapeError(f"expected {expected} channels in the last axis{layout}, got the shape {x.shape}{hint}")


def pair(name, value, least=1):
    """(value, value) for an int, or the pair itself; ShapeError unless both are whole and >= least."""
    pair = tuple(value) if isinstance(value, (tuple, list, np.ndarray)) else (value, value)
    whole = (isinstance(v, (int, np.integer)) and not isinstance(v, bool) and v >= least for v in pair)
    if len(pair) != 2 or not all(whole):
        raise ShapeError(f"{name} must be a whole number of at least {least}, or a pair of them, not {value!r}")
    return int(pair[0]), int(pair[1])


def backward(op, **defaults):
    """The door of a backward pass: a cache of `op`, a dy of the shape that its forward gave; `defaults` are options."""

    def options_of(*given, **named):
        bound = dict(zip(defaults, given, strict=False)) | named
        if len(given) > len(defaults) or len(bound) < len(given) + len(named) or not bound.keys() <= defaults.keys():
            raise TypeError(f"{op}_backward takes dy, cache{''.join(f', {k}={v}' for k, v in defaults.items())}")
        return {**defaults, **bound}.values()

    def door(dy, cache, *given, **named):
        options = options_of(*given, **named)
        if not isinstance(cache, Cache) or cache.op != op:
            came = f"{cache.op}'s" if isinstance(cache, Cache) else type(cache).__name__
            raise ValueError(f"{op}_backward needs the cache that {op} returned, not {came}")
        dy = np.asarray(dy)
        if dy.shape != cache.shape:
            raise ShapeError(f"{op}_backward: dy has the shape {dy.shape}, the forward pass gave {cache.shape}")
        if dy.dtype.kind != "f":
            raise TypeError(f"{op}_backward: dy must be floating point, not {dy.dtype}")
        return np.asarray(dy, cache.dtype, order="C"), cache, *options

    return door

"""Which of the two versions of an op runs: the NumPy reference in ops/, or its numba twin in kernels/.

    numpycnn.use("numpy")            # the definitions; numba is never imported
    numpycnn.use("numba", threads=2) # the twins, where there are any (the default)

An op is a function with `@op(check)` on it. The check refuses bad arguments and brings the others into one
form (floating point, C-contiguous, pairs for stride and padding), so that the two versions below it
hold nothing but the mathematics, and get the same input.
"""

import functools
import importlib
import importlib.util
import os

import numpy as np

from .errors import UnknownNameError

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
        use(
            os.environ.get("NUMPYCNN_BACKEND")
            or ("numba" if importlib.util.find_spec("numba") else "numpy")
        )
    return _current


def threads():
    """How many threads the kernels use: use(threads=), NUMPYCNN_THREADS, or the cores this process may use.

    Raises ValueError for another NUMPYCNN_THREADS than a whole number of at least 1.
    """
    global _threads
    if _threads is None:
        text = os.environ.get("NUMPYCNN_THREADS", "")
        cores = (
            len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count() or 1
        )
        if text and not (text.isascii() and text.isdigit() and int(text)):
            raise ValueError(f"NUMPYCNN_THREADS must be a whole number of at least 1, not {text!r}")
        _threads = int(text or cores)
    return _threads


class Cache(tuple):
    """What a forward pass keeps for its backward pass: a tuple with names, which knows its op.

        cache = Cache("relu", y, positive=x > 0)
        (positive,) = cache                       # or cache.positive

    `op` is the op's name, `shape` and `dtype` are those of its output y, `fields` are the names.
    It refers to the arrays themselves, x among them: do not change them before the backward pass.
    """

    def __new__(cls, op, y, /, **values):
        cache = super().__new__(cls, values.values())
        cache.op = op
        cache.shape = y.shape
        cache.dtype = y.dtype
        cache.fields = tuple(values)
        return cache

    def __getattr__(self, name):
        fields = self.__dict__.get("fields", ())  # a cache that is being copied has none yet
        if name not in fields:
            raise AttributeError(f"a cache has {', '.join(fields)}, but no {name!r}")
        return self[fields.index(name)]

    def __getnewargs_ex__(self):
        """For copy and pickle: the arguments of __new__; of y only shape and dtype are needed."""
        y = np.empty(self.shape, self.dtype)
        return (self.op, y), dict(zip(self.fields, self, strict=True))


def op(check):
    """Decorate an op: `check` brings its arguments into one form; then its kernel runs, if it has one.

    The kernel is the function of the same name in the file of the same name in kernels/: the numba twin.
    It may return NotImplemented for arguments that it is not made for: then the NumPy reference runs.
    """

    def decorate(reference):
        file = reference.__module__.rpartition(".")[2]

        @functools.wraps(reference)
        def checked(*args, **kwargs):
            args = check(*args, **kwargs)
            if backend() == "numba":
                kernel = _kernel(file, reference.__name__)
                if kernel is not None:
                    result = kernel(*args)
                    if result is not NotImplemented:
                        return result
            return reference(*args)

        checked.check = check
        return checked

    return decorate


@functools.cache
def _kernel(file, name):
    """The numba twin `name` in kernels/`file`.py, or None."""
    module = f"numpycnn.kernels.{file}"
    found = importlib.util.find_spec(module)
    return getattr(importlib.import_module(module), name, None) if found else None

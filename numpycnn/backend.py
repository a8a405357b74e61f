"""Which version of an op runs: the NumPy reference in ops/, or its numba kernel in kernels/.

    numpycnn.use("numpy")             # the reference; numba is never imported
    numpycnn.use("numba", threads=2)  # the kernels, where there are any (the default)

An op is a function with `@op(check)` on it. The check refuses bad arguments and brings the others
into one form (floating point, C-contiguous, pairs for stride and padding). Reference and kernel
then hold nothing but the mathematics, and get the same input.
"""

import contextlib
import functools
import importlib
import importlib.util
import os
import threading

import numpy as np

from . import moved
from .errors import UnknownNameError

_BACKENDS = ("numba", "numpy")
_current = None  # chosen by the first call of use() or backend()
_threads = None
_of_this_thread = threading.local()  # within using()


def use(name, threads=None):
    """Choose "numba" or "numpy" for every op from now on, and the kernels' number of threads.

    Before the first call, the environment's NUMPYCNN_BACKEND and NUMPYCNN_THREADS decide.
    Raises UnknownNameError, and ValueError for fewer than one thread.
    """
    global _current, _threads
    if name not in _BACKENDS:
        raise UnknownNameError(f"unknown backend {name!r}; there are 'numba' and 'numpy'")
    # looked up, not imported: that would take a second
    if name == "numba" and importlib.util.find_spec("numba") is None:
        raise UnknownNameError("numba is not installed: `pip install numba`, or use('numpy')")
    if threads is not None:
        if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or threads < 1:
            raise ValueError(f"threads must be a whole number of at least 1, not {threads!r}")
        _threads = int(threads)
    _current = name


def backend():
    """The backend in use: using(name)'s, use(name)'s, NUMPYCNN_BACKEND, or "numba" if installed.

    Raises UnknownNameError for another NUMPYCNN_BACKEND than "numba" or "numpy".
    """
    if name := getattr(_of_this_thread, "backend", None):
        return name
    if _current is None:
        installed = "numba" if importlib.util.find_spec("numba") else "numpy"
        use(os.environ.get("NUMPYCNN_BACKEND") or installed)
    return _current


@contextlib.contextmanager
def using(name):
    """Within it the ops that this thread calls run on that backend; other threads keep theirs."""
    before = getattr(_of_this_thread, "backend", None)
    _of_this_thread.backend = name
    try:
        yield
    finally:
        _of_this_thread.backend = before


def threads():
    """The number of threads of the kernels: use(threads=), NUMPYCNN_THREADS, or all cores allowed.

    Raises ValueError for another NUMPYCNN_THREADS than a whole number of at least 1.
    """
    global _threads
    if _threads is None:
        text = os.environ.get("NUMPYCNN_THREADS", "")
        if text and not (text.isascii() and text.isdigit() and int(text)):
            raise ValueError(f"NUMPYCNN_THREADS must be a whole number of at least 1, not {text!r}")
        _threads = int(text or processors())
    return _threads


def processors():
    """How many cores this process may use; in a container often fewer than the computer has."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
    """Decorate an op: fill in its defaults, check its arguments, run its kernel or the reference.

    `check` takes all positional arguments of the op, has no defaults of its own, and returns the
    arguments in the form that reference and kernel expect. Keyword-only arguments go past it.
    The kernel is the function of the same name in the file of the same name in kernels/. It
    returns NotImplemented for arguments that it is not made for: then the reference runs.
    """

    def decorate(reference):
        file, name = reference.__module__.rpartition(".")[2], reference.__name__
        names = reference.__code__.co_varnames[: reference.__code__.co_argcount]
        defaults = reference.__defaults__ or ()
        required = len(names) - len(defaults)
        optional = list(zip(names[required:], defaults, strict=True))
        keyword_only = reference.__kwdefaults__ or {}  # as input_gradient of conv2d_backward

        @functools.wraps(reference)
        def checked(*args, **kwargs):
            options = {key: kwargs.pop(key, default) for key, default in keyword_only.items()}
            # By hand, as inspect.signature(...).bind takes longer than a small op.
            for key, default in optional[max(len(args) - required, 0) :]:
                kwargs.setdefault(key, default)
            args = check(*args, **kwargs)

            if backend() == "numba":
                kernel = _kernel(file, name)  # many ops have none: NumPy is as fast
                if kernel is not None:
                    result = kernel(*args, **options)
                    if result is not NotImplemented:
                        return result
            return reference(*args, **options)

        checked.check = check
        return checked

    return decorate


@functools.cache
def _kernel(file, name):
    """The kernel `name` in kernels/`file`.py, or None. Imported only now: numba takes its time."""
    module = f"numpycnn.kernels.{file}"
    if importlib.util.find_spec(module) is None:
        return None
    return getattr(importlib.import_module(module), name, None)


def kernel_cache():
    """The folder where numba keeps compiled kernels; None without numba, or where it has none."""
    if backend() != "numba":
        return None
    functions = vars(importlib.import_module("numpycnn.kernels.pool")).values()
    folders = [function.stats.cache_path for function in functions if hasattr(function, "stats")]
    return folders[0] if folders and folders[0] else None


__getattr__ = moved("backend")

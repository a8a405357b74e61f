"""numba's cache of compiled kernels, made fit for a bad disk and a bad day.

numba believes what it finds: a damaged file raises whatever pickle raises, or is run as machine
code. Here every entry carries a checksum, and one that fails it is compiled and written anew. Its
age is judged by all the files that kernels are made of, not only by the kernel's own; and where
nothing can be written, kernels are compiled each time.
"""

import functools
import hashlib
import pathlib
import pickle
import sys

from numba import config
from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache

DIGEST = hashlib.sha256().digest_size
_said = []


class _Files(IndexDataCacheFile):
    """Index and machine code of one kernel, each entry behind its SHA-256."""

    def _dump(self, obj):
        data = super()._dump(obj)
        return hashlib.sha256(data).digest() + data

    def _load_index(self):
        try:
            with open(self._index_path, "rb") as file:
                content = file.read()
            version = pickle.dumps(self._version, protocol=-1)
            stamp, overloads = pickle.loads(_checked(content.removeprefix(version)))
        except (OSError, ValueError):  # none, of another version of numba, or damaged
            return {}
        return overloads if stamp == self._source_stamp else {}

    def _load_data(self, name):
        with open(self._data_path(name), "rb") as file:
            content = file.read()
        try:
            return pickle.loads(_checked(content))
        except ValueError as error:
            raise OSError(str(error)) from error  # which numba takes as: it is not there


def _checked(content):
    digest, data = content[:DIGEST], content[DIGEST:]
    if hashlib.sha256(data).digest() != digest:
        raise ValueError("a damaged entry of the kernel cache")
    return data


class _Cache(FunctionCache):
    """numba's, with those files; what cannot be written is left alone."""

    def __init__(self, function):
        super().__init__(function)
        stamp = self._impl.locator.get_source_stamp(), _sources()
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, stamp)

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _say(f"{self.cache_path}: {error.strerror or error}")


def cache_of(function):
    """The cache of one kernel; none if there is no folder for it."""
    try:
        return _Cache(function)
    except RuntimeError:  # numba found no folder that it may write to
        _say("no folder for them can be written")
        return NullCache()


def _say(reason):
    if not _said:
        _said.append(reason)
        sys.stderr.write(
            f"numpycnn: compiled kernels cannot be kept ({reason}): compiled anew each time; "
            "set NUMBA_CACHE_DIR to a folder that can be written\n"
        )


@functools.cache
def _sources():
    """Whether indices are checked; name, size, time of every file that kernels are made of."""
    folder = pathlib.Path(__file__).parent
    files = sorted([*folder.glob("*.py"), *folder.parent.glob("*.py")])
    return config.BOUNDSCHECK, *(
        (file.name, file.stat().st_size, file.stat().st_mtime) for file in files
    )

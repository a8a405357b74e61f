"""The lock of a run's folder: one run at a time writes into it.

The operating system holds the lock (flock; msvcrt on Windows), and releases it when the process
ends, however it ends. Where a file system has no locks, there is none.
"""

import contextlib
import errno
import os
import pathlib
import threading

from ..errors import RunFolderError
from ..files import LOCK

_held = {}  # {folder: (process, thread) that has locked it}
_guard = threading.Lock()


@contextlib.contextmanager
def locked(folder):
    """Within it no other process or thread may lock the folder, which is made where it is missing.

    The thread that has locked it may do so again. Raises RunFolderError, and OSError.
    """
    folder = pathlib.Path(folder)
    made = [place for place in (folder, *folder.absolute().parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    key, own = os.path.realpath(folder), (os.getpid(), threading.get_ident())
    with _guard:
        holder = _held.get(key)
        if holder is None or holder[0] != own[0]:  # of another process: this one is its fork
            holder, _held[key] = None, own
    if holder == own:
        yield
        return
    if holder is not None:
        raise _busy(folder, "another thread of this process")
    try:
        with _locked_file(folder):
            yield
    finally:
        _held.pop(key)
        for place in made:
            with contextlib.suppress(OSError):  # what came into it stays
                place.rmdir()


@contextlib.contextmanager
def _locked_file(folder):
    path = folder / LOCK
    descriptor = _open_locked(path, folder)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()  # before the lock goes: nobody else can have locked this file
        os.close(descriptor)


def _open_locked(path, folder):
    """The descriptor of the file at path, locked. Raises RunFolderError."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        try:
            _lock(descriptor)
            if _is_at(descriptor, path):
                os.truncate(descriptor, 0)
                os.write(descriptor, str(os.getpid()).encode())
                return descriptor
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                return descriptor  # this file system has no locks
            text = os.pread(descriptor, 20, 0) if hasattr(os, "pread") else b""
            os.close(descriptor)
            who = f"process {text.decode()}" if text.isdigit() else "another process"
            raise _busy(folder, who) from None
        os.close(descriptor)  # it was removed in between


def _is_at(descriptor, path):
    """Whether the open file is still the one at the path."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _lock(descriptor):
    """Lock the whole file, at once. Raises OSError where somebody else has locked it."""
    try:
        import fcntl
    except ImportError:
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _busy(folder, who):
    return RunFolderError(
        f"{folder} is in use: {who} trains into it; wait until it ends, or choose another folder"
    )

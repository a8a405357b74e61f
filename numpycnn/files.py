"""Writing a file so that the old one stays until the new one is whole; opening those of others."""

import contextlib
import errno
import itertools
import math
import os
import pathlib
import secrets
import shlex
import stat

from .errors import RunFolderError, printable

PIECE = 1 << 20
LOCK = ".lock"  # the file in a run's folder that training/lock.py locks


def shown(text, limit=200):
    """The text as one printable line of at most `limit` characters: a file may hold anything."""
    text = printable(text)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def quoted(path):
    """The path as a shell takes it; $'run\\xff' where it holds what cannot be printed."""
    text = str(path)
    if text.isprintable():
        return shlex.quote(text)
    raw = os.fsencode(text).replace(b"\\", b"\\\\").replace(b"'", b"\\'")
    return "$'" + "".join(chr(c) if 32 <= c < 127 else f"\\x{c:02x}" for c in raw) + "'"


def open_regular(path, expected="a file"):
    """A file of somebody else's, open for reading: a regular file, or a link to one.

    A folder, a device and a pipe are refused, which have no end or make the reader wait. Raises
    OSError, whose strerror says so, with the path as filename.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):  # before opening, which can have effects on a device
        raise _irregular(path, mode, expected)
    descriptor = os.open(
        path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    try:
        mode = os.fstat(descriptor).st_mode  # again: it may have been changed between the two calls
        if not stat.S_ISREG(mode):
            raise _irregular(path, mode, expected)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _irregular(path, mode, expected):
    kinds = (stat.S_ISDIR, "folder"), (stat.S_ISFIFO, "pipe"), (stat.S_ISSOCK, "socket")
    kind = next((name for test, name in kinds if test(mode)), "device")
    return OSError(errno.EINVAL, f"is a {kind}; expected {expected}", os.fspath(path))


def unused(path, taken=()):
    """`path`, or beside it NAME-2, NAME-3, ...: the first that does not exist and is not `taken`,
    as text.
    """
    path = pathlib.Path(path)
    names = (
        f"{path.stem}{number}{path.suffix}"
        for number in itertools.chain([""], itertools.count(-2, -1))
    )
    free = (str(path.with_name(name)) for name in names)
    return next(place for place in free if not os.path.lexists(place) and place not in taken)


def write(path, content):
    """Put the bytes at `path`: written beside it, synced, renamed. A symlink stays; its target is
    replaced.

    Raises OSError, with the path; then the old file is as it was and nothing is left beside it.
    Only an error in the sync of the folder, the last step, comes when the new file stands there
    already.
    """
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f".numpycnn-{secrets.token_hex(8)}.tmp")
    try:
        with _removed_on_failure(temporary):
            with open(temporary, "xb", buffering=0) as file:
                view = memoryview(content)
                while view:
                    view = view[os.write(file.fileno(), view[: 16 * PIECE]) :]
                os.fsync(file.fileno())
            os.replace(temporary, target)
        _sync_folder(folder)
    except OSError as error:
        reason = f"{error.strerror or error}; the file was not saved"
        raise OSError(error.errno, reason, shown(os.fsdecode(path))) from error


@contextlib.contextmanager
def _removed_on_failure(path):
    try:
        yield
    except BaseException:  # Ctrl-C as well
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def _sync_folder(folder):
    """Make the rename durable, where the system lets a folder be opened and synced."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EACCES):
            raise
    finally:
        os.close(descriptor)


def claim(folder, name):
    """The first of folder/NAME-1, NAME-2, ... that does not exist, made at once: two processes get
    two.
    """
    for number in itertools.count(1):
        place = folder / f"{name}-{number}"
        with contextlib.suppress(FileExistsError):
            place.mkdir(parents=True)
            return place


def check_folder(out, force):
    """Refuse a folder that is not empty, unless force, and one that cannot be written.

    Raises OSError.
    """
    if out.exists() and not out.is_dir():
        raise RunFolderError(f"{out} is a file; --out needs a folder, which may be new")
    if out.exists() and not force and any(path.name != LOCK for path in out.iterdir()):
        raise RunFolderError(
            f"{out} exists and is not empty; "
            "choose another --out, or --resume, or --force to start anew"
        )
    check_writable(out)


def check_writable(out, option="--out"):
    """Refuse a folder that could not be made, or written to, as the option's. Raises OSError."""
    place = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        raise PermissionError(
            errno.EACCES, f"cannot be written to; choose another {option}", str(place)
        )


def duration(seconds):
    """For people: "40 seconds", "5 minutes", "2.5 hours"."""
    if seconds < 90:
        return f"{round(seconds)} seconds" if seconds >= 1.5 else "1 second"
    return f"{round(seconds / 60)} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def plain(value):
    """What JSON can hold: numbers that are not finite become None."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""Writing a file so that the old one is there, whole, until the new one is."""

import contextlib
import errno
import itertools
import os
import pathlib
import secrets

PIECE = 1 << 20


def shown(text, limit=200):
    """The text as one printable line of at most `limit` characters: file content may hold anything."""
    text = str(text)
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= limit else text[: limit - 3] + "..."


def unused(path, taken=()):
    """`path`, or beside it NAME-2, NAME-3, ...: the first that does not exist and is not `taken`, as text."""
    path = pathlib.Path(path)
    names = (f"{path.stem}{number}{path.suffix}" for number in itertools.chain([""], itertools.count(-2, -1)))
    free = (str(path.with_name(name)) for name in names)
    return next(place for place in free if not os.path.lexists(place) and place not in taken)


def write(path, content):
    """Put the bytes at `path`: written beside it, synced, renamed. A symlink stays; its target is replaced.

    Raises OSError, with the path; then the old file is as it was and nothing is left beside it. Only an error
    in the sync of the folder, the last step, comes when the new file stands there already.
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
    """Make the rename durable, on systems and file systems where a folder can be opened and synced."""
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

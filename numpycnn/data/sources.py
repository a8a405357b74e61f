"""Where a data set's files lie: a folder, and what is read of it without looking at content.

A source has `path`; `names`, its files in order, with "/" between folders; `hidden`, what was left
out, counted by folder; and `open(name)`, a binary file.
"""

import collections
import contextlib
import os

from .. import files
from ..errors import DatasetError

DEPTH = 8  # folders below the one that is given
# What systems and programs leave in folders of data, beside names that begin with a dot.
LEFT_BEHIND = {
    "__macosx", "__pycache__", "@eadir", "$recycle.bin", "system volume information", "lost+found",
    "thumbs.db", "desktop.ini", "ehthumbs.db",
}  # fmt: skip
SILENT = {".ds_store", ".directory", ".gitkeep", ".gitignore", ".keep"} | LEFT_BEHIND
RUN = {"last.npz", "history.csv"}  # a folder with these is a run of numpycnn


class Folder:
    """The files below a folder. Raises DatasetError, one line, where it cannot be read."""

    def __init__(self, path):
        self.path, self.names = str(path), []
        self.hidden = collections.Counter()
        with readable(self.path, "a folder"):
            self._walk("", set(), DEPTH)

    def _walk(self, below, above, depth):
        """`above`: the folders on the way here, since links may lead in a circle."""
        place = os.path.join(self.path, below)
        status = os.stat(place)
        key = status.st_dev, status.st_ino
        if key in above:
            return
        with os.scandir(place) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
        if {entry.name for entry in entries} >= RUN:
            self.hidden[f"{below or '.'} (a run)"] += len(entries)
            return
        for entry in entries:
            name = f"{below}/{entry.name}" if below else entry.name
            if is_hidden(entry.name):
                if entry.name.lower() not in SILENT:
                    self.hidden[name] += _count(entry)
            elif not entry.is_dir():
                self.names.append(name)
            elif depth:
                self._walk(name, above | {key}, depth - 1)
            else:
                self.hidden[name] += 1

    def open(self, name):
        """Raises OSError for what is no regular file."""
        return files.open_regular(os.path.join(self.path, name))

    def where(self, name):
        """The file as messages name it."""
        return os.path.join(self.path, name)


class Single:
    """One file; its only name is its path."""

    def __init__(self, path, expected="a file"):
        self.path, self.names, self.hidden = str(path), [str(path)], {}
        self.expected = expected

    def open(self, name):
        """Raises OSError for what is no regular file."""
        return files.open_regular(name, self.expected)

    def where(self, name):
        """The file as messages name it."""
        return str(name)


def is_hidden(name):
    """Whether a file or folder of this name is no part of the data."""
    return name.startswith(".") or name.lower() in LEFT_BEHIND


def _count(entry):
    """How many files are behind a hidden name."""
    if not entry.is_dir(follow_symlinks=False):
        return 1
    return sum(len(inside) for _, _, inside in os.walk(entry.path))


@contextlib.contextmanager
def readable(where, expected="a file"):
    """A file that cannot be opened or read is a DatasetError of one line, with its name."""
    try:
        yield
    except OSError as error:
        raise DatasetError(f"{where}: {reason(error, expected)}") from error


def reason(error, expected="a file"):
    """Why a file could not be opened, of an OSError."""
    if isinstance(error, FileNotFoundError):
        return "no such file" if expected == "a file" else f"no such file; expected {expected}"
    text = error.strerror or str(error)
    return text if "; expected" in text else f"cannot be read: {text}"

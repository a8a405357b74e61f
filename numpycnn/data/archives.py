"""Archives as sources (sources.py): read where they are, nothing is unpacked to disk."""

import collections
import gzip
import io
import os
import posixpath
import tarfile
import zipfile
import zlib

from .. import files
from ..errors import DatasetError
from .sources import SILENT, is_hidden, readable

EXPANSION = 20  # an archive may unpack to this many times its size, ...
SLACK = 64 << 20  # ... and this much more
WRONG = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, ValueError, RuntimeError,
    NotImplementedError, gzip.BadGzipFile,
)  # fmt: skip


def open_archive(path):
    """-> Zip or Tar of the file at `path`, or None if it is neither. Raises DatasetError."""
    with readable(path), files.open_regular(path) as file:
        start = file.read(512)
    try:
        if start.startswith(b"PK\3\4"):
            return Zip(path)
        if start.startswith(b"\x1f\x8b") or start[257:262] == b"ustar":
            return Tar(path)
    except DatasetError:
        raise
    except WRONG as error:
        raise DatasetError(
            f"{path}: not a whole .zip, .tar or .tar.gz: {files.shown(error, 100)}; expected one; "
            "a single .gz is unpacked with gunzip"
        ) from error
    return None


class _Archive:
    def __init__(self, path):
        self.path, self.names = str(path), []
        self.hidden = collections.Counter()

    def where(self, name):
        """The file as messages name it: with the archive."""
        return f"{self.path}/{name}"

    def _add(self, name):
        """Whether the file is one of the data's."""
        parts = [part for part in name.split("/") if part not in ("", ".", "..")]
        hidden = next((part for part in parts if is_hidden(part)), None)
        if hidden is None:
            self.names.append(name)
        elif hidden.lower() not in SILENT:
            self.hidden["/".join(parts[: parts.index(hidden) + 1])] += 1
        return hidden is None

    def _check(self, total, size):
        if total > EXPANSION * size + SLACK:
            raise DatasetError(
                f"{self.path}: unpacks to more than {EXPANSION} times its size, {size:,} bytes: "
                "refused as a possible zip bomb; if you trust it, unpack it and give the folder"
            )


class Zip(_Archive):
    """Its members are unpacked one by one, when they are opened."""

    def __init__(self, path):
        super().__init__(path)
        with readable(path):
            self.file = files.open_regular(path)
        self.archive = zipfile.ZipFile(self.file)
        members = [info for info in self.archive.infolist() if not info.is_dir()]
        self._check(sum(info.file_size for info in members), os.fstat(self.file.fileno()).st_size)
        self.members = {info.filename: info for info in members if self._add(info.filename)}
        self.names = sorted(self.members)

    def open(self, name):
        """The member's content. Raises OSError for a damaged one."""
        try:
            return io.BytesIO(self.archive.read(self.members[name]))
        except WRONG as error:
            raise OSError(0, f"damaged in the archive: {error}; expected a whole one") from error


class Tar(_Archive):
    """A .tar or .tar.gz, whose files are read at once, as it can only be read from its start.

    A hard link is the file before it that it names; other links, which may lead out, are `hidden`.
    """

    def __init__(self, path):
        super().__init__(path)
        with readable(path), files.open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            stream = _Bounded(self, gzip.GzipFile(fileobj=file) if packed else file, size)
            self.content, total = {}, 0
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for member in archive:
                    content = self.content.get(member.linkname) if member.islnk() else None
                    # of a sparse file and of a link more than the archive has of it
                    total += member.size + len(content or b"")
                    self._check(total, size)
                    kept = member.isreg() or member.islnk() or member.issym()
                    if not kept or not self._add(member.name):
                        continue
                    if member.isreg():
                        content = archive.extractfile(member).read()
                    if content is None:
                        self.hidden[f"{posixpath.dirname(member.name) or '.'} (links)"] += 1
                    else:
                        self.content[member.name] = content
            while stream.read(1 << 20):  # to the end, where gzip's checksum is
                pass
        self.names = sorted(self.content)

    def open(self, name):
        """The file's content."""
        return io.BytesIO(self.content[name])


class _Bounded:
    """A stream that ends with an error where it has given more than an archive may unpack to."""

    def __init__(self, owner, stream, size):
        self.owner, self.stream, self.size, self.given = owner, stream, size, 0

    def read(self, count):
        data = self.stream.read(count)
        self.given += len(data)
        self.owner._check(self.given, self.size)
        return data

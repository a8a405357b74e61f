"""Fetches the files of an official data set: checksums, mirrors, retries, and never half a file."""

import hashlib
import os
import shutil
import tempfile
import time
import warnings
import zipfile
from pathlib import Path
from urllib.parse import urljoin

from ..errors import DownloadError
from .official import OFFICIAL

TIMEOUT = (5, 20)  # seconds to connect, and between two pieces of a file
TRIES = 3
PAUSE = 0.5  # seconds before the second try, twice as long before the third


def cache_folder():
    """Where downloaded data sets lie: $NUMPYCNN_CACHE, or numpycnn's place in the user's cache."""
    folder = os.environ.get("NUMPYCNN_CACHE") or _pooch().os_cache("numpycnn")
    folder = os.path.expanduser(folder)
    if folder.startswith("~"):
        raise DownloadError(
            "no home folder to keep downloaded data in; set NUMPYCNN_CACHE to a folder"
        )
    return Path(folder)


def matches(path, checksum):
    """Whether the file has this "algorithm:checksum"; OSError when it cannot be read."""
    algorithm, expected = checksum.split(":")
    digest = hashlib.new(algorithm)
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest() == expected


def _pooch():
    """pooch; with it comes tqdm.auto, which warns in red of a notebook without ipywidgets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pooch
    return pooch


def missing(name, folder, files=None):
    """{file: checksum} of those (None: all) files that `folder` lacks, or has damaged or
    unreadable.
    """
    checksums = OFFICIAL[name].files
    return {
        file: checksums[file]
        for file in files or checksums
        if not _present(folder / file, checksums[file])
    }


def _present(path, checksum):
    try:
        return path.is_file() and matches(path, checksum)
    except OSError:
        return False


def fetch(name, folder, progress=True, tries=TRIES):
    """Brings what is missing or damaged in `folder` from the mirrors of `name`, each tried `tries`
    times.

    Raises DownloadError, one line: what failed at every mirror, and where the files may be put by
    hand.
    """
    pooch = _pooch()
    pooch.get_logger().setLevel("WARNING")
    files, reasons = OFFICIAL[name].files, {}
    _check_writable(folder)
    for attempt in range(tries):
        if attempt:
            time.sleep(PAUSE * attempt)
        for mirror in OFFICIAL[name].mirrors:
            try:
                _fetch_from(mirror, name, folder, progress)
                return
            except Exception as error:  # whatever a mirror does wrong, the next one may do right
                reasons[mirror] = _one_line(error)
    failures = "; ".join(f"{mirror}: {reason}" for mirror, reason in reasons.items())
    data = os.environ.get("NUMPYCNN_DATA") or "$NUMPYCNN_DATA"
    raise DownloadError(
        f"{name} is missing or damaged in {folder} and could not be downloaded ({failures}); "
        f"put {', '.join(files)} into {Path(data) / name} or {folder}"
    )


def _fetch_from(mirror, name, folder, progress):
    wanted = missing(name, folder)
    if wanted and mirror.endswith(".zip"):
        _fetch_archive(mirror, OFFICIAL[name].archive, wanted, folder, progress)
    else:
        for file, checksum in wanted.items():
            _retrieve(mirror + file, checksum, file, folder, progress)


def _retrieve(url, checksum, file, folder, progress):
    """pooch downloads beside the file, verifies, and renames: two processes at once are safe."""
    from tqdm import tqdm

    pooch = _pooch()
    with tqdm(
        desc=file,
        total=1,
        unit="B",
        unit_scale=True,
        leave=False,
        disable=None if progress else True,
    ) as bar:
        get = pooch.HTTPDownloader(
            progressbar=bar if progress else False,
            timeout=TIMEOUT,
            headers={"Accept-Encoding": "identity"},  # else some servers unpack .gz on the way
            hooks={"response": _refuse_plain_http},
        )
        return pooch.retrieve(url, known_hash=checksum, fname=file, path=folder, downloader=get)


def _refuse_plain_http(response, **_):
    target = urljoin(response.url, response.headers.get("location", ""))
    if response.is_redirect and not target.startswith("https://"):
        raise OSError(f"redirects to {target}, which is not https: refused")


def _fetch_archive(url, checksum, files, folder, progress):
    """Downloads the .zip, takes the files out of it, each verified, and deletes it."""
    archive = f"archive-{os.getpid()}.zip"
    try:
        _retrieve(url, checksum, archive, folder, progress)
        with zipfile.ZipFile(folder / archive) as members:
            inside = {Path(member).name: member for member in members.namelist()}
            for file, expected in files.items():
                with members.open(inside[file]) as source:
                    _store(source, folder / file, expected)
    finally:
        (folder / archive).unlink(missing_ok=True)


def _store(source, path, checksum):
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as copy:
        temporary = Path(copy.name)
    try:
        with open(temporary, "wb") as copy:
            shutil.copyfileobj(source, copy)
        if not matches(temporary, checksum):
            raise OSError(f"{path.name} in the archive has a wrong checksum")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _check_writable(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DownloadError(
            f"the cache folder {folder} cannot be written ({error.strerror or error}); "
            f"set NUMPYCNN_CACHE to a folder that can"
        ) from error


def _one_line(error):
    """The innermost reason, without urllib3's wrappers: "Connection refused", "404 Client Error:
    ...".
    """
    reason = getattr(error.args[0], "reason", error) if error.args else error
    text = " ".join(str(reason).split()) or type(error).__name__
    if "does not match the known hash" in text:
        return "wrong checksum"
    text = text.split(">: ")[-1].split("): ")[-1]
    return text if len(text) <= 160 else text[:157] + "..."

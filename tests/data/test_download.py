"""The search order and the downloads, against a server on this machine.

Nothing here uses the network.
"""

import gzip
import hashlib
import os
import struct
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from numpycnn import data
from numpycnn.data import datasets, download, official
from numpycnn.errors import DatasetError, DownloadError

FASHION = "fashion-mnist"


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(head + array.astype("u1").tobytes(), mtime=0)


def some_files(names, seed=0):
    rng = np.random.default_rng(seed)
    arrays = [
        rng.integers(0, 256, (20, 28, 28)),
        np.arange(20) % 10,
        rng.integers(0, 256, (10, 28, 28)),
        np.arange(10),
    ]
    return dict(zip(names, map(idx, arrays), strict=True))


FILES = some_files(official.IDX_FILES)
OTHER = some_files(official.IDX_FILES, seed=1)


def checksums(files):
    return {
        name: "sha256:" + hashlib.sha256(content).hexdigest() for name, content in files.items()
    }


class Handler(BaseHTTPRequestHandler):
    """/good/, /missing/ (404), /half/ (stops in the middle), /wrong/, /stall/, /http/ (redirects to
    http).
    """

    def do_GET(self):
        _, kind, name = self.path.split("/")
        self.server.asked.append(kind)
        content = (OTHER if kind == "wrong" else {**FILES, **self.server.more}).get(name, b"")
        if kind == "http":
            self.send_response(302)
            self.send_header("Location", f"{self.server.url}good/{name}")
            self.end_headers()
            return
        self.send_response(404 if kind == "missing" else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if kind == "stall":
            self.wfile.write(content[:10])
            self.wfile.flush()
            self.server.stop.wait(10)
        elif kind != "missing":
            self.wfile.write(content[: len(content) // 2] if kind == "half" else content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.more, server.stop = [], {}, threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("NUMPYCNN_CACHE", str(tmp_path / "cache ü"))
    monkeypatch.delenv("NUMPYCNN_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(download, "PAUSE", 0.01)
    monkeypatch.setattr(download, "TIMEOUT", (1, 0.3))
    yield server
    server.stop.set()
    server.shutdown()
    server.server_close()


def mirrors(monkeypatch, *addresses, name=FASHION, **changes):
    entry = replace(
        official.OFFICIAL[name], mirrors=addresses, **{"files": checksums(FILES), **changes}
    )
    monkeypatch.setitem(official.OFFICIAL, name, entry)


def cached(tmp_path, name=FASHION):
    folder = tmp_path / "cache ü" / name
    return sorted(f.name for f in folder.iterdir()) if folder.exists() else []


def put(folder, files=FILES):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def failure(name=FASHION, error=DownloadError):
    with pytest.raises(error) as info:
        data.load(name, progress=False)
    assert "\n" not in str(info.value)
    return str(info.value)


def test_download_once_then_the_cache(server, tmp_path, monkeypatch, capfd):
    mirrors(monkeypatch, server.url + "good/")
    first = data.load(FASHION, progress=True)
    assert first.x_train.shape == (20, 28, 28, 1)
    assert first.classes[9] == "Ankle boot"
    assert cached(tmp_path) == sorted(FILES)
    assert server.asked == ["good"] * 4
    assert data.load(FASHION).sha256 == first.sha256
    assert server.asked == ["good"] * 4
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("kind", ["missing", "half", "wrong", "stall", "http"])
def test_a_bad_mirror_then_a_good_one(server, tmp_path, monkeypatch, kind):
    mirrors(monkeypatch, f"{server.url}{kind}/", server.url + "good/")
    assert data.load(FASHION, progress=False).x_train.shape == (20, 28, 28, 1)
    assert cached(tmp_path) == sorted(FILES)
    assert server.asked[:2] == [kind, "good"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "404"),
        ("half", ""),
        ("wrong", "checksum"),
        ("stall", "timed out"),
        ("http", "not https"),
    ],
)
def test_only_bad_mirrors(server, tmp_path, monkeypatch, kind, reason):
    mirrors(monkeypatch, f"{server.url}{kind}/")
    message = failure()
    assert reason in message
    assert f"{server.url}{kind}/" in message
    assert str(tmp_path / "cache ü" / FASHION) in message
    assert "$NUMPYCNN_DATA/fashion-mnist" in message
    assert all(name in message for name in FILES)
    assert server.asked.count(kind) == download.TRIES
    assert cached(tmp_path) == []  # no half file, no temporary
    assert data.load_default(progress=False).name == "synthetic"


def test_files_that_cannot_be_read_are_bad_data_by_default_too(monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", "train")

    monkeypatch.setattr("numpycnn.data.datasets._official", lambda *_, **__: refuse())
    for load in (data.load_default, lambda: data.load(FASHION)):
        with pytest.raises(
            DatasetError, match="fashion-mnist: train cannot be read: Permission denied"
        ):
            load()


def test_no_network(server, tmp_path, monkeypatch):
    mirrors(monkeypatch, "http://127.0.0.1:9/")
    assert "refused" in failure()
    default = data.load_default(progress=False)
    assert default.name == "synthetic"
    assert "Fashion-MNIST is not here" in default.source
    mirrors(monkeypatch, server.url + "good/")
    assert data.load_default(progress=False).name == FASHION


def test_an_edited_file_in_the_cache_is_fetched_anew(server, tmp_path, monkeypatch):
    mirrors(monkeypatch, server.url + "good/")
    expected = data.load(FASHION, progress=False).sha256
    path = tmp_path / "cache ü" / FASHION / official.IDX_FILES[1]
    path.write_bytes(OTHER[official.IDX_FILES[0]])
    assert data.load(FASHION, progress=False).sha256 == expected
    assert len(server.asked) == 5
    path.write_bytes(b"edited")
    mirrors(monkeypatch, server.url + "missing/")
    assert "damaged" in failure()


def test_search_order(server, tmp_path, monkeypatch):
    mirrors(monkeypatch, server.url + "good/")
    put(tmp_path / "here")
    assert data.load(FASHION, path=tmp_path / "here").source == str(tmp_path / "here")
    monkeypatch.setenv("NUMPYCNN_DATA", str(tmp_path / "data"))
    put(tmp_path / "data" / FASHION)
    assert data.load(FASHION).source == str(tmp_path / "data" / FASHION)
    assert data.load(FASHION, path=str(tmp_path / "here")).source == str(tmp_path / "here")
    assert server.asked == []
    monkeypatch.setenv("NUMPYCNN_DATA", str(tmp_path / "empty"))
    assert "cache" in data.load(FASHION, progress=False).source
    assert len(server.asked) == 4


def test_strange_or_missing_files_under_an_official_name(server, tmp_path, monkeypatch):
    mirrors(monkeypatch, server.url + "good/")
    monkeypatch.setenv("NUMPYCNN_DATA", str(tmp_path))
    folder = put(tmp_path / FASHION, OTHER)
    message = failure(error=DatasetError)
    assert "not the official file" in message
    assert official.IDX_FILES[0] in message
    assert data.load(folder).classes[0] == "0"  # by its path it is anybody's data
    (put(folder) / official.IDX_FILES[3]).unlink()
    assert f"{official.IDX_FILES[3]} not found" in failure(error=DatasetError)
    assert server.asked == []


def test_official_files_are_recognised_and_may_be_unpacked(server, tmp_path, monkeypatch):
    mirrors(monkeypatch)
    folder = put(tmp_path / "folder")
    assert data.load(folder).classes[0] == "T-shirt/top"
    for name, content in FILES.items():
        (folder / name).unlink()
        (folder / name.removesuffix(".gz")).write_bytes(gzip.decompress(content))
    loaded = data.load(FASHION, path=folder)
    assert loaded.classes[0] == "T-shirt/top"
    assert "not verified" in loaded.source


def test_emnist_from_its_archive_stands_upright(server, tmp_path, monkeypatch):
    files = some_files(tuple(official.OFFICIAL["emnist"].files))
    with zipfile.ZipFile(tmp_path / "gzip.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(f"gzip/{name}", content)
    content = (tmp_path / "gzip.zip").read_bytes()
    server.more = {"gzip.zip": content}
    both = (server.url + "missing/", server.url + "good/gzip.zip")
    archive = "sha256:" + hashlib.sha256(content).hexdigest()
    mirrors(monkeypatch, *both, name="emnist", files=checksums(files), archive=archive)
    loaded = data.load("emnist", progress=False)
    assert len(loaded.classes) == 47
    assert cached(tmp_path, "emnist") == sorted(files)
    sideways = np.frombuffer(
        gzip.decompress(files[next(iter(official.OFFICIAL["emnist"].files))]), "u1"
    )[16:].reshape(20, 28, 28)
    np.testing.assert_array_equal(loaded.x_train[..., 0], sideways.transpose(0, 2, 1))
    wrong = {**checksums(files), tuple(official.OFFICIAL["emnist"].files)[3]: "sha256:" + "0" * 64}
    mirrors(monkeypatch, both[1], name="emnist", files=wrong, archive=archive)
    assert "wrong checksum" in failure("emnist")
    assert set(cached(tmp_path, "emnist")) <= set(files)


def test_a_cache_that_cannot_be_written_names_the_variable(server, tmp_path, monkeypatch):
    mirrors(monkeypatch, server.url + "good/")
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("NUMPYCNN_CACHE", str(tmp_path / "a file"))
    assert "NUMPYCNN_CACHE" in failure()
    assert data.load_default(progress=False).name == "synthetic"


def test_no_home(monkeypatch):
    import pooch

    monkeypatch.delenv("NUMPYCNN_CACHE", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda name: f"~/.cache/{name}")
    monkeypatch.setattr(os.path, "expanduser", str)
    with pytest.raises(DownloadError, match="NUMPYCNN_CACHE"):
        download.cache_folder()


TWO = """
import sys
from dataclasses import replace
from numpycnn import data
from numpycnn.data import official
entry = replace(official.OFFICIAL["fashion-mnist"], mirrors=(sys.argv[1],), files=eval(sys.argv[2]))
official.OFFICIAL["fashion-mnist"] = entry
print(data.load("fashion-mnist", progress=False).sha256)
"""


def test_two_processes_at_once(server, tmp_path):
    command = [sys.executable, "-c", TWO, server.url + "good/", repr(checksums(FILES))]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert answers[0] == answers[1] != ""
    assert cached(tmp_path) == sorted(FILES)


def test_the_table_is_complete():
    splits = {f"emnist-{name}" for name in ("letters", "digits", "mnist", "bymerge", "byclass")}
    others = {"fashion-mnist", "mnist", "kmnist", "emnist", "qmnist", "cifar10"}
    assert set(official.OFFICIAL) == others | splits
    for name, entry in official.OFFICIAL.items():
        assert len(entry.mirrors) >= (1 if name in ("qmnist", "cifar10") else 2)
        assert all(
            mirror.startswith("https://") and mirror.endswith(("/", ".zip"))
            for mirror in entry.mirrors
        )
        count = 1 if name == "cifar10" else 4
        assert len(entry.files) == len(set(entry.files.values())) == count
        for checksum in entry.files.values():
            algorithm, digits = checksum.split(":")
            assert len(bytes.fromhex(digits)) == {"sha256": 32, "md5": 16}[algorithm]
    assert (
        len(official.OFFICIAL["emnist"].classes)
        == len(set(official.OFFICIAL["emnist"].classes))
        == 47
    )
    kinds = {"letters": 26, "digits": 10, "mnist": 10, "bymerge": 47, "byclass": 62}
    for name, count in kinds.items():
        assert len(set(official.OFFICIAL[f"emnist-{name}"].classes)) == count


REAL = pytest.mark.skipif(
    not os.path.isdir(os.path.join(os.environ.get("NUMPYCNN_DATA", ""), FASHION))
    or "NUMPYCNN_DATA" not in os.environ,
    reason="NUMPYCNN_DATA does not point to the real data",
)


@REAL
def test_the_real_fashion_mnist():
    start = time.perf_counter()
    fashion = data.load(FASHION)
    assert time.perf_counter() - start < 30
    assert (fashion.x_train.shape, fashion.x_test.shape) == (
        (60_000, 28, 28, 1),
        (10_000, 28, 28, 1),
    )
    assert np.bincount(fashion.y_train).tolist() == [6000] * 10
    assert fashion.mean == pytest.approx(0.2860, abs=1e-4)  # as published
    assert fashion.std == pytest.approx(0.3530, abs=1e-4)
    assert datasets.load(os.path.join(os.environ["NUMPYCNN_DATA"], FASHION)).name == FASHION

"""Archives are read where they are, in any nesting, and cannot fill the memory."""

import gzip
import io
import os
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from numpycnn import data
from tests.data.test_layout import load, refused
from tests.data.trees import arrays, folder, idx_bytes, picture

X, Y = arrays(12)


def pack(root, kind):
    """The folder as an archive beside it."""
    path = root.parent / f"packed.{kind}"
    files = sorted(file for file in root.rglob("*") if file.is_file())
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.relative_to(root.parent))
    else:
        with tarfile.open(path, "w:gz" if kind != "tar" else "w") as archive:
            archive.add(root, root.name)
    return path


def make_pictures(root):
    folder(root, {"train/a": 5, "train/b": 4, "test/a": 2, "test/b": 1, "train/.hidden": 3})


def make_idx(root):
    root.mkdir()
    for part, n in (("train", 12), ("t10k", 4)):
        (root / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes(X[:n]))
        (root / f"{part}-labels.idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(Y[:n])))


def make_table(root):
    root.mkdir()
    for part, n in (("train", 12), ("test", 4)):
        rows = (",".join(map(str, [y, *x.ravel()])) for x, y in zip(X[:n], Y[:n], strict=True))
        (root / f"mnist_{part}.csv").write_text("\n".join(rows))


def make_npz(root):
    root.mkdir()
    np.savez(root / "own.npz", x_train=X, y_train=Y, x_test=X[:4], y_test=Y[:4])


def make_npy(root):
    root.mkdir()
    for name, array in (("x_train", X), ("y_train", Y), ("x_test", X[:4]), ("y_test", Y[:4])):
        np.save(root / f"{name}.npy", array)


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tgz", "tar"])
@pytest.mark.parametrize("make", [make_pictures, make_idx, make_table, make_npz, make_npy])
def test_the_same_as_from_the_folder(tmp_path, make, kind):
    make(tmp_path / "own")
    path = pack(tmp_path / "own", kind)
    before = set(tmp_path.rglob("*"))
    found, said = load(path)
    expected, _ = load(tmp_path / "own")
    assert found.sha256 == expected.sha256
    assert found.classes == expected.classes
    assert ("3 hidden files" in said) == (make is make_pictures)
    assert set(tmp_path.rglob("*")) == before  # nothing was unpacked to disk
    assert data.load(found.name).sha256 == found.sha256


def test_links_in_a_tar(tmp_path):
    """Hard links are files; symbolic ones, which are not followed, are named."""
    folder(tmp_path / "own", {"a": 5, "b": 4})
    for i in range(5):
        (tmp_path / "own" / "c").mkdir(exist_ok=True)
        os.link(tmp_path / "own" / "a" / f"{i}.png", tmp_path / "own" / "c" / f"{i}.png")
    path, expected = pack(tmp_path / "own", "tar.gz"), data.load(tmp_path / "own")
    with tarfile.open(path) as archive:
        assert sum(member.islnk() for member in archive) == 5
    found, said = load(path)
    assert (found.sha256, found.classes) == (expected.sha256, ("a", "b", "c"))
    assert said == ""
    for i in range(3):
        os.symlink(f"../b/{i}.png", tmp_path / "own" / "a" / f"s{i}.png")
    os.symlink("../b/0.png", tmp_path / "own" / "a" / ".s.png")
    found, said = load(pack(tmp_path / "own", "tar"))
    assert found.sha256 == expected.sha256
    assert "4 hidden files (own/a/.s.png, own/a (links))" in said


def test_hard_links_count_towards_what_an_archive_may_unpack_to(tmp_path):
    info = tarfile.TarInfo("a/0.png")
    info.size = 30 * MiB
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz", compresslevel=1) as archive:
        archive.addfile(info, io.BytesIO(bytes(info.size)))
        for i in range(1, 3):
            link = tarfile.TarInfo(f"a/{i}.png")
            link.type, link.linkname = tarfile.LNKTYPE, "a/0.png"
            archive.addfile(link)
    refused(tmp_path / "a.tar.gz", "zip bomb")


def test_pictures_in_an_archive_are_treated_as_in_a_folder(tmp_path):
    for i in range(6):
        picture(tmp_path / "own" / "ab"[i % 2] / f"{i}.png", i, (20 + i, 30))
    path = pack(tmp_path / "own", "zip")
    refused(path, "6 sizes")
    assert load(path, size=16)[0].x_train.shape[1:] == (16, 16, 1)
    (tmp_path / "own" / "a" / "0.png").write_bytes(b"")
    refused(pack(tmp_path / "own", "tar.gz"), "packed.tar.gz/own/a/0.png (empty)", size=16)


def peak(path, *words):
    tracemalloc.start()
    try:
        refused(path, *words)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


MiB = 1 << 20


def test_bombs(tmp_path):
    zeros = bytes(150 * MiB)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/x.png", zeros)
    assert peak(tmp_path / "a.zip", "zip bomb") < 8 * MiB
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz", compresslevel=1) as archive:
        for i in range(3):
            info = tarfile.TarInfo(f"a/{i}.png")
            info.size = 50 * MiB
            archive.addfile(info, io.BytesIO(zeros[: info.size]))
    assert peak(tmp_path / "a.tar.gz", "zip bomb") < 130 * MiB


def test_a_sparse_file_and_a_huge_header_in_a_tar(tmp_path):
    info = tarfile.TarInfo("a/x.png")
    info.size = 1 << 40  # of which the archive holds nothing
    (tmp_path / "a.tar").write_bytes(info.tobuf() + bytes(1024))
    assert peak(tmp_path / "a.tar", "zip bomb") < 4 * MiB
    info.type = tarfile.XHDTYPE
    info.size = 150 * MiB
    content = info.tobuf() + bytes(150 * MiB)
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress(content, 1))
    assert peak(tmp_path / "b.tar.gz", ".tar") < 160 * MiB


def test_names_are_no_paths(tmp_path):
    """Neither ../ nor / leads anywhere; links in a tar do not lead out of it."""
    secret = tmp_path / "secret.png"
    picture(secret)
    png = secret.read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for i in range(4):
            archive.writestr(f"../../{'ab'[i % 2]}/{i}.png", png)
            archive.writestr(f"/abs/{'ab'[i % 2]}/{i}.png", png)
    before = set(tmp_path.rglob("*"))
    refused(tmp_path / "a.zip", "folders inside folders")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"a/{kind.decode()}.png")
            info.type, info.linkname = kind, str(secret)
            archive.addfile(info)
    refused(tmp_path / "a.tar", "no pictures", "2 hidden files (a (links))")
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "a.tar"}


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar"])
def test_cut_or_flipped_anywhere_is_refused_or_equal(tmp_path, kind):
    make_npy(tmp_path / "own")
    path = pack(tmp_path / "own", kind)
    content, expected = path.read_bytes(), load(path)[0].sha256
    changed = 0
    for i in range(0, len(content), max(1, len(content) // 60)):
        path.write_bytes(content[:i])
        try:
            assert data.load(path).sha256 == expected  # the padding at a tar's end
        except data.datasets.DatasetError as error:
            assert str(error).startswith(str(path))  # noqa: PT017
        damaged = bytearray(content)
        damaged[i] ^= 0x11
        path.write_bytes(bytes(damaged))
        try:
            changed += data.load(path).sha256 != expected
        except data.datasets.DatasetError as error:
            assert "\n" not in str(error)  # noqa: PT017
    assert changed == 0 or kind == "tar"  # a plain tar has checksums of its headers alone


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(b"hello" * 200, mtime=0), ("not a whole .zip, .tar or .tar.gz", "gunzip")),
        (b"Rar!\x1a\x07", ("a RAR archive", "unpack it")),
        (b"7z\xbc\xaf\x27\x1c", ("a 7z archive",)),
        (b"\x89HDF\r\n\x1a\n", ("an HDF5 file", "h5py", "np.savez")),
        (b"MATLAB 5.0 MAT-file", ("a MATLAB file", "scipy.io.loadmat")),
        (b"\x80\x04\x95abc", ("a pickle", "runs code", "np.savez")),
        (b"PAR1", ("a Parquet file",)),
    ],
)
def test_what_a_file_is_instead(tmp_path, content, words):
    """Alone, and in a folder."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "data.bin").write_bytes(content)
    refused(tmp_path / "own" / "data.bin", *words)
    if content[:1] != b"\x1f":
        refused(tmp_path / "own", words[0], "no pictures")


def test_an_archive_that_is_a_device(tmp_path):
    os.symlink("/dev/zero", tmp_path / "a.zip")
    refused(Path(tmp_path / "a.zip"), "is a device")

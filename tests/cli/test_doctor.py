"""doctor: facts about the machine, and a kernel that is wrong is called so."""

import os

import numpy as np

from numpycnn import backend
from numpycnn.cli import doctor, parser


def test_the_facts(each_backend, tmp_path, monkeypatch):
    for name in ("mnist", "kmnist"):
        (tmp_path / name).mkdir()
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte").touch()
    monkeypatch.setattr("numpycnn.data.download.cache_folder", lambda: tmp_path / "nothing")
    monkeypatch.setenv("NUMPYCNN_DATA", str(tmp_path))
    facts = doctor.examine()
    assert all(isinstance(value, str) for value in facts.values())
    assert {
        "numpycnn",
        "python",
        "machine",
        "backend",
        "numpy",
        "kernels",
        "kernel cache",
        "data",
    } <= facts.keys()
    assert facts["backend"].startswith(each_backend)
    assert facts["kernels"].startswith("right")
    assert facts["data"].startswith(f"mnist in {tmp_path / 'mnist'}; not here: ")
    assert "kmnist" in facts["data"]  # its folder is empty
    compiling = each_backend == "numba" and not os.environ.get("NUMBA_DISABLE_JIT")
    assert (facts["kernel cache"] == "not in use") == (not compiling)


def test_a_wrong_kernel_is_found(monkeypatch, capsys):
    conv2d = doctor.ops.conv2d

    def wrong(x, w):
        y, cache = conv2d(x, w)
        return (y * np.float32(1.01) if backend.backend() == "numba" else y), cache

    before = backend.backend()
    try:
        backend.use("numba")
        monkeypatch.setattr(doctor.ops, "conv2d", wrong)
        assert doctor.examine()["kernels"].startswith("WRONG")
        assert parser.main(["doctor"]) == 1
        assert backend.backend() == "numba"
    finally:
        backend.use(before)
    capsys.readouterr()


def test_a_kernel_that_fails_is_a_fact_too(monkeypatch):
    def broken(x, w):
        raise EOFError("Ran out of input")

    before = backend.backend()
    monkeypatch.setattr(doctor.ops, "conv2d", broken)
    assert doctor.examine()["kernels"] == "BROKEN: EOFError: Ran out of input"
    assert backend.backend() == before


def test_without_a_home_folder_it_still_answers(monkeypatch):
    from numpycnn.data import download
    from numpycnn.errors import DownloadError

    def homeless():
        raise DownloadError("no home folder")

    monkeypatch.setattr(download, "cache_folder", homeless)
    assert "no home folder" in doctor.examine()["data"]

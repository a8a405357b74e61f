"""The cache of compiled kernels: damaged, shared, forbidden.

And processes forked or spawned after the kernels' use.
"""

import itertools
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import numpycnn as nc
from tests.faults.dying import child

pytest.importorskip("numba")
from numpycnn.kernels.runtime import compile_cache

ROOT = Path(__file__).parents[2]
POOL = (
    "import numpy as np, numpycnn as nc; nc.use('numba', threads=2);"
    "x = np.random.default_rng(0).standard_normal((3, 9, 9, 17), dtype=np.float32);"
    "y, cache = nc.ops.max_pool2d(x, 3);"
    "print(float(y.sum()), float(nc.ops.max_pool2d_backward(y, cache).sum()))"
)


@pytest.fixture(scope="module")
def right():
    """What POOL must print, by the NumPy reference."""
    return run(POOL.replace("'numba', threads=2", "'numpy'"))[0]


def run(code, folder=ROOT, **environment):
    """-> standard output, standard error of `python -c code` in a folder, which must end well."""
    whole, command = (
        {**os.environ, "PYTHONPATH": str(folder), **environment},
        [sys.executable, "-c", code],
    )
    done = subprocess.run(
        command, cwd=folder, env=whole, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def values(text):
    return [pytest.approx(float(word), rel=1e-5) for word in text.split()]


def entries(folder):
    return sorted(path for path in Path(folder).rglob("*") if path.suffix in (".nbi", ".nbc"))


DAMAGE = {
    "emptied": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "flipped": lambda content: content[:-20] + bytes([content[-20] ^ 1]) + content[-19:],
    "flipped in the middle": lambda content: (
        content[: len(content) // 2] + b"??" + content[len(content) // 2 + 2 :]
    ),
    "junk": lambda content: b"junk" * 1000,
}


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_entry_is_none_and_is_written_anew(damage, suffix, tmp_path):
    kernel = list(range(100))  # what is kept need not be machine code
    files = compile_cache._Files(str(tmp_path), "kernel", "stamp")
    files.save("types", kernel)
    (path,) = tmp_path.glob(f"*{suffix}")
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    assert files.load("types") is None
    files.save("types", kernel)
    assert files.load("types") == kernel


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_a_damaged_entry_is_compiled_anew(suffix, right, warm, tmp_path):
    """Each kernel's file has another damage."""
    damages = itertools.cycle(DAMAGE.values())
    for path in entries(warm):
        copy = tmp_path / path.relative_to(warm)
        copy.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes()
        copy.write_bytes(next(damages)(content) if path.suffix == suffix else content)
    out, err = run(POOL, NUMBA_CACHE_DIR=str(tmp_path))
    assert [float(word) for word in out.split()] == values(right)
    assert err == "numpycnn: compiling the kernels, once: about 20 seconds\n"
    assert run(POOL, NUMBA_CACHE_DIR=str(tmp_path)) == (out, "")  # and kept


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """A cache with POOL's kernels in it."""
    folder = tmp_path_factory.mktemp("kernels ü")
    run(POOL, NUMBA_CACHE_DIR=str(folder))
    assert len(entries(folder)) >= 4
    return folder


def test_processes_that_fill_it_at_once(right, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", POOL]
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    found = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * 2
    assert found[0] == found[1]
    assert [float(word) for word in found[0].split()] == values(right)
    assert run(POOL, NUMBA_CACHE_DIR=str(tmp_path)) == (found[0], "")
    assert not [path for path in tmp_path.rglob("*") if ".tmp" in path.name]


def test_no_folder_can_be_written(right, tmp_path):
    """Read-only installation and home: the kernels are compiled each time, and one line says how to
    change that.
    """
    package = tmp_path / "numpycnn"
    for source in (ROOT / "numpycnn").rglob("*.py"):
        copy = package / source.relative_to(ROOT / "numpycnn")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(source.read_bytes())
        (copy.parent / "__pycache__").touch()  # a file where the folder should be
    nowhere = {"HOME": "/proc/nowhere", "XDG_CACHE_HOME": "/proc/nowhere", "NUMBA_CACHE_DIR": ""}
    out, err = run(POOL, tmp_path, **nowhere)
    assert [float(word) for word in out.split()] == values(right)
    said = err.splitlines()
    assert len(said) == 2
    assert "set NUMBA_CACHE_DIR to a folder that can be written" in said[0]
    assert said[1].startswith("numpycnn: compiling")


def test_no_home(right, tmp_path):
    environment = {
        k: v
        for k, v in os.environ.items()
        if k not in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR")
    }
    command = [sys.executable, "-c", POOL]
    done = subprocess.run(
        command,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, [float(word) for word in done.stdout.split()]) == (0, values(right))


# ---- fork and spawn after use -------------------------------------------------------------------


def predictions(seed=0):
    net = nc.models.build("vgg", 0, filters=(16, 17), dropout=(0, 0))
    return nc.predict(net, np.random.default_rng(seed).random((9, 28, 28, 1), dtype=np.float32))


def answer(pipe):
    nc.use("numba", threads=2)
    pipe.send(predictions())


def test_spawn_after_use():
    wanted = predictions()
    own, other = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=answer, args=(other,))
    process.start()
    assert own.poll(120)
    np.testing.assert_array_equal(own.recv(), wanted)
    process.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork_after_use(tmp_path):
    """The threads of the parent do not live in the child, which makes its own."""
    before = nc.backend.backend(), nc.backend.threads()
    try:
        nc.use("numba", threads=2)
        wanted = predictions()
        pid = child(lambda: np.save(tmp_path / "child.npy", predictions()))
        assert os.waitpid(pid, 0)[1] == 0
        np.testing.assert_array_equal(np.load(tmp_path / "child.npy"), wanted)
        np.testing.assert_array_equal(predictions(), wanted)  # and the parent's still work
    finally:
        nc.use(*before)

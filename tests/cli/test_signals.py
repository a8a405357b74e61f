"""Signals, pipes, terminals and backends, mostly in processes of their own."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

import numpycnn as nc
from numpycnn.training import checkpoint, loop
from tests.helpers import ROOT, finish, start

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_an_import_turns_into_an_import_error(signum, run, monkeypatch):
    """As C extensions do when their initialisation is interrupted. Without a signal: an error."""

    def broken(*_, **__):
        try:
            signal.raise_signal(signum)
        except KeyboardInterrupt:
            raise ImportError("initialization failed") from None

    monkeypatch.setattr(nc.models, "build", broken)
    assert run("summary", "vgg")[::2] == (128 + signum, "numpycnn summary: stopped\n")

    def missing(*_, **__):
        raise ImportError("no such module")

    monkeypatch.setattr(nc.models, "build", missing)
    assert run("summary", "vgg")[0] == 1


@pytest.mark.parametrize(
    ("signum", "place", "code"),
    [
        (signal.SIGINT, "epoch", 130),
        (signal.SIGTERM, "epoch", 143),
        (signal.SIGINT, r"\d+ training", 130),
    ],
)
def test_a_signal_saves_and_ends(signum, place, code, data, tmp_path):
    with start(
        "train", "--model", "alexnet", "--data", data, "--epochs", 9999, "--out", "run"
    ) as process:
        for line in process.stderr:
            if re.match(place, line):
                break
        process.send_signal(signum)
        rest = process.stderr.read()
        out = process.stdout.read()
    assert process.returncode == code
    assert out == ""
    assert "Traceback" not in rest
    assert rest.splitlines()[-1].startswith("numpycnn train: stopped")
    if place == "epoch":  # before, there may be nothing to save yet
        assert "continue with: numpycnn train --resume --out run" in rest.splitlines()[-1]
        assert checkpoint.read(tmp_path / "run" / "last.npz")[0]["recipe"]["epochs"] == 9999


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("place", ["data", "trial", "evaluation"])
def test_a_signal_elsewhere_ends_at_once(signum, place, data, run, monkeypatch):
    def hit(*_, **__):
        signal.raise_signal(signum)
        time.sleep(5)

    target = {"data": (nc.data, "load"), "trial": (loop, "_epoch"), "evaluation": (loop, "measure")}
    if place == "trial":
        epoch = loop._epoch

        def hit(run, *args):
            signal.raise_signal(signum)
            epoch(run, *args)

    monkeypatch.setattr(*target[place], hit)
    began = time.monotonic()
    code, out, err = run(
        "train", "--model", "alexnet", "--data", data, "--epochs", 1, "--out", "run"
    )
    assert (code, out) == (128 + signum, "")
    assert err.splitlines()[-1].startswith("numpycnn train: stopped")
    assert time.monotonic() - began < 30
    assert os.path.exists("run") == (place == "evaluation")


def test_a_terminal_sees_a_bar(data):
    pty = pytest.importorskip("pty")
    import fcntl
    import struct
    import termios

    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [
        "train",
        "--model",
        "alexnet",
        "--data",
        data,
        "--epochs",
        "4",
        "--batch-size",
        "8",
        "--json",
    ]
    code = (
        "from numpycnn import cli\nfrom numpycnn.cli import training\n"
        f"training.training_page.write = lambda *a, **k: None\ncli.main({command})"
    )
    with start("-c", code, stderr=child, text=False) as process:
        os.close(child)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while piece := os.read(parent, 65536):
                shown += piece
        json.loads(process.stdout.read())
    os.close(parent)
    text = shown.decode()
    bar = r"epoch [1-4]/4 \|.*\| \d+/28, \d\d:\d\d left, "
    bar += r"loss \d+\.\d+, accuracy +\d+\.\d%, \d+ images/s"
    assert re.search(bar, text)
    lines = [line.split("\r")[-1] for line in text.replace("\r\n", "\n").split("\n")]
    assert sum(bool(re.match(r"epoch [1-4]/4  loss", line)) for line in lines) == 4
    assert not any("|" in line for line in lines)  # no bar is left behind
    assert (
        max(len(piece) for line in text.split("\n") for piece in line.split("\r") if "|" in piece)
        <= 80
    )


def test_numpy_trains_without_numba_and_under_O(data):
    code = (
        "import sys\nfrom numpycnn.cli import main\n"
        "from numpycnn.cli import training\ntraining.training_page.write = lambda *a, **k: None\n"
        "command = ['train', '--backend', 'numpy', '--model', 'alexnet', '--epochs', '1']\n"
        f"code = main([*command, '--limit', '24', '--data', {data!r}])\n"
        "print('numba' in sys.modules, code)"
    )
    env = {**os.environ, "PYTHONPATH": ROOT}
    done = subprocess.run(
        [sys.executable, "-O", "-c", code], env=env, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "False 0", done.stderr
    assert "compiling" not in done.stderr


def test_a_closed_pipe_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer) as pipe:
        settings = {"stdout": pipe, "env": {"NUMPYCNN_BACKEND": "numpy"}}  # nothing to compile
        assert finish("summary", "vgg", **settings) == (141, None, "")


@pytest.mark.skipif(
    not os.path.isdir("/proc/self"), reason="needs a folder that even root cannot write to"
)
def test_a_working_directory_that_cannot_be_written(data, tmp_path):
    code, out, err = finish(
        "train", "--model", "alexnet", "--data", data, "--epochs", 1, cwd="/proc/self"
    )
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "--out" in err


def test_the_first_run_says_that_it_compiles_and_the_second_does_not(tmp_path):
    code = (
        "import numpy as np, numpycnn as nc;"
        "nc.ops.relu(np.ones(3, np.float32)); nc.ops.max_pool2d(np.ones((1, 4, 4, 1), np.float32))"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "NUMPYCNN_BACKEND": "numba"}
    environment.pop("NUMBA_DISABLE_JIT", None)
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stderr
        for _ in range(2)
    ]
    assert said == ["numpycnn: compiling the kernels, once: about 20 seconds\n", ""]

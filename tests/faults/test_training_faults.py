"""Training that is killed, asked to stop, or stopped at any step, and taken up again.

The long form: `python -m tests.faults.fuzz training resume signals --seed 1`
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from numpycnn import backend
from numpycnn.cli import parser
from numpycnn.training import checkpoint
from numpycnn.training.run import FitRun
from tests.faults.dying import STEPS, child, die_at
from tests.helpers import arrays, fit, pictures, rows, same, small, state
from tests.helpers import settings as fit_settings

ROOT = Path(__file__).parents[2]
ATTEMPTS = 400  # of one run, before it is called endless


@contextlib.contextmanager
def quick():
    """The NumPy reference: a child that is forked while kernels run would inherit their locks."""
    before = backend.backend(), backend.threads()
    backend.use("numpy")
    try:
        yield
    finally:
        backend.use(*before)


# ---- kill -9 ----------------------------------------------------------------------------------


def train(out, step=None, at=0):
    """Three epochs of three steps: from the beginning, or on from what is there.

    It dies at such a call.
    """
    if step:
        die_at(step, at)
    x, y = pictures(42)
    resume = (Path(out) / "last.npz").exists()
    fit(
        small("alexnet", seed=0 if not resume else 9),
        x,
        y,
        out=out,
        resume=resume,
        **fit_settings(),
    )


def look(out):
    """What a kill left: a whole checkpoint or none yet, and a history that lost the running epoch
    at most.
    """
    for name in ("last.npz", "best.npz"):
        if (out / name).exists():
            checkpoint.load(out / name)
    written = rows(out) if (out / "history.csv").exists() else []
    if (out / "last.npz").exists():
        saved = checkpoint.read(out / "last.npz")[0]["fit"]["history"]
        epochs = len(saved["loss"])
        if not epochs - 1 <= len(written) <= epochs:
            raise RuntimeError(f"{epochs} epochs are saved, history.csv has {len(written)}")
        for i, row in enumerate(written):
            if float(row["loss"]) != saved["loss"][i]:
                raise RuntimeError(f"history.csv differs from the checkpoint in epoch {i + 1}")
    elif written:
        raise RuntimeError("a history without a checkpoint")


def kills(count, seed, folder):
    """Kill training `count` times, at random and at each system call of saving.

    Each run ends as the unhurt one.
    """
    draw, folder, number, done, died = random.Random(seed), Path(folder), 0, 0, 0
    with quick():
        began = time.monotonic()
        train(folder / "whole")
        duration = time.monotonic() - began
        wanted = state(folder / "whole"), rows(folder / "whole")
        plans = [(step, at) for step in STEPS for at in range(1, 13)]
        while died < count:
            out = folder / f"run {number}"
            number += 1
            for _ in range(ATTEMPTS):
                step, at = draw.choice(plans) if draw.random() < 0.5 else (None, 0)
                pid = child(lambda out=out, step=step, at=at: train(out, step, at))
                if step is None:
                    time.sleep(draw.random() * duration * 1.2)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                status = os.waitpid(pid, 0)[1]
                look(out)
                if status == 0:
                    break
                if status != signal.SIGKILL:
                    raise RuntimeError(f"seed {seed}, run {number}: the child ended with {status}")
                died += 1
            else:
                raise RuntimeError("the run came to no end")
            done += 1
            if (state(out), rows(out)) != wanted:
                raise RuntimeError(
                    f"seed {seed}, run {number}: another result than without the kills"
                )
            shutil.rmtree(out)
    return f"{died} kills in {done} runs, each of which ended bit-identical; 0 defects"


# ---- resume -----------------------------------------------------------------------------------


def resumes(count, seed, folder):
    """Stop after a random step, go on, `count` times in all: weights, optimiser, random state,
    order, history.
    """
    draw, folder, points, number = random.Random(seed), Path(folder), 0, 0
    end_step = FitRun.end_step
    try:
        while points < count:
            number += 1
            name, images = draw.choice(["vgg", "alexnet"]), draw.randint(17, 60)
            x, y = pictures(images, seed=number)
            options = {**fit_settings(), "seed": number, "batch_size": draw.choice([8, 16, 25])}
            steps = 3 * -(-images // options["batch_size"])
            whole = small(name, seed=number)
            fit(whole, x, y, out=folder / f"{number} whole", **options)
            stops, seen = (
                sorted(draw.sample(range(1, steps + 1), draw.randint(1, min(3, steps)))),
                [],
            )

            def spy(run, *args, seen=seen, stops=stops):
                end_step(run, *args)
                seen.append(1)
                if len(seen) in stops:
                    signal.raise_signal(draw.choice([signal.SIGINT, signal.SIGTERM]))

            FitRun.end_step = spy
            out, net = folder / f"{number} stopped", None
            for attempt in range(len(stops) + 1):
                net = small(name, seed=number if not attempt else 1000 + attempt)
                try:
                    fit(net, x, y, out=out, resume=attempt > 0, **options)
                except KeyboardInterrupt:
                    points += 1
            FitRun.end_step = end_step
            if len(seen) != steps or not same(arrays(net), arrays(whole)):
                raise RuntimeError(
                    f"seed {seed}, run {number}: {len(seen)} steps of {steps}, or other weights"
                )
            if state(out) != state(folder / f"{number} whole") or rows(out) != rows(
                folder / f"{number} whole"
            ):
                raise RuntimeError(f"seed {seed}, run {number}: another checkpoint or history")
    finally:
        FitRun.end_step = end_step
    return f"{points} stops in {number} runs; bit-identical after each; 0 defects"


# ---- signals ----------------------------------------------------------------------------------


def wait_for(path, seconds=60):
    end = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > end:
            raise RuntimeError(f"there is no {path.name} after {seconds} seconds")
        time.sleep(0.01)


def signals(count, seed, folder):
    """`numpycnn train`, and Ctrl-C or SIGTERM at a random time: exit 130 or 143, and what is saved
    is whole.
    """
    draw, folder = random.Random(seed), Path(folder)
    x, y = pictures(64)
    np.savez(folder / "data.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    codes, command = (
        {},
        ["train", "--data", str(folder / "data.npz"), "--model", "alexnet", "--epochs", "9999"],
    )
    with quick():
        for number in range(count):
            out = folder / f"signal {number}"
            ready, started = os.pipe()

            def run(out=out, started=started):
                signal.signal(signal.SIGINT, signal.default_int_handler)
                os.write(started, b"x")
                return parser.main([*command, "--out", str(out)])

            log = folder / "log"
            pid, signum = child(run, log), draw.choice([signal.SIGINT, signal.SIGTERM])
            os.read(ready, 1)
            if draw.random() < 0.6:  # in training; else anywhere
                wait_for(out / "last.npz")
            time.sleep(0.002 + draw.random())
            os.kill(pid, signum)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            os.close(ready)
            os.close(started)
            if code != 128 + signum:
                raise RuntimeError(
                    f"seed {seed}, signal {number}: exit {code} after {signum.name}:\n"
                    f"{log.read_text()}"
                )
            saved = (out / "last.npz").exists()
            if saved:
                look(out)
            codes[code, saved] = codes.get((code, saved), 0) + 1
            shutil.rmtree(out, ignore_errors=True)
    told = (
        f"{n} times exit {code}{'' if s else ' before the first save'}"
        for (code, s), n in sorted(codes.items())
    )
    return f"{count} signals: {', '.join(told)}; 0 defects"


# ---- memory -----------------------------------------------------------------------------------

STEP = """
import sys
import numpy as np, numpycnn as nc
from pathlib import Path
def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmRSS")).split()[1])
nc.use("numba", threads=2)
net = nc.models.build("vgg", 0, filters=(4, 8), depth=1, input_shape=(8, 8, 1))
fast = nc.layers.fuse(net, input_gradient=False)
optimizer, rng = nc.optim.Adam(net.params()), np.random.default_rng(0)
count, marks = int(sys.argv[1]), []
for step in range(count):
    n = 1 + step % 5  # the sizes change, as in the last batch of an epoch
    x, labels = rng.integers(0, 256, (n, 8, 8, 1), dtype=np.uint8), rng.integers(0, 10, n)
    optimizer.zero_grad()
    logits, cache = fast.forward(x, train=True)
    fast.backward(nc.ops.softmax_cross_entropy(logits, labels)[1], cache)
    optimizer.step()
    if step % (count // 20) == count // 20 - 1:
        marks.append(resident())
print(*marks)
"""


def memory(count, seed=0, folder=None):
    """`count` small training steps: how much resident memory grows after the first quarter."""
    command = [sys.executable, "-c", STEP, str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    marks = [int(word) for word in done.stdout.split()]
    grown = max(marks[5:]) - marks[4]
    if grown > 1 << 20:
        raise RuntimeError(f"memory grew by {grown} bytes: {marks}")
    start = f"{marks[4] / 2**20:.1f} MiB resident after a quarter"
    return f"{count} steps: {start}, at most {grown / 1024:.0f} KiB more later; 0 defects"


# ---- the short forms --------------------------------------------------------------------------


def test_kill_9_during_training(tmp_path):
    """In a process of its own, which forks while it has one thread only."""
    command = [
        sys.executable,
        "-m",
        "tests.faults.fuzz",
        "training",
        "--count",
        "25",
        "--folder",
        str(tmp_path),
    ]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "bit-identical; 0 defects" in done.stdout


def test_resume_at_random_points(tmp_path):
    assert "0 defects" in resumes(6, 0, tmp_path)


def test_signals_at_random_times(tmp_path):
    command = [
        sys.executable,
        "-m",
        "tests.faults.fuzz",
        "signals",
        "--count",
        "5",
        "--folder",
        str(tmp_path),
    ]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "5 signals" in done.stdout


def test_memory_stays_flat():
    assert "0 defects" in memory(2000)

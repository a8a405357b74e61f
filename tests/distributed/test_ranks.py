"""Several ranks, started by a real mpirun: the same bits as one, and one end for all."""

import importlib.util
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import types

import pytest

import numpycnn
from numpycnn import cli, distributed, errors
from tests.helpers import ROOT, arrays, same, write_data

MPIRUN = shutil.which("mpirun", path=f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}")
MISSING = [name for name in ("mpi4py", "numba") if importlib.util.find_spec(name) is None]
MISSING += [] if MPIRUN else ["mpirun"]
real = pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}")

ENVIRONMENT = {f"OMPI_ALLOW_RUN_AS_ROOT{end}": "1" for end in ("", "_CONFIRM")}
ENVIRONMENT |= {"NUMPYCNN_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": ROOT}
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


def launch(ranks, *command):
    """The command, which follows `python`, as so many processes."""
    words = [MPIRUN, "--oversubscribe", "-n", str(ranks), sys.executable, *map(str, command)]
    return subprocess.Popen(words, cwd=ROOT, env={**os.environ, **ENVIRONMENT}, **PIPES)


def mpirun(ranks, *command):
    """The same, to its end -> exit code, standard output, standard error."""
    with launch(ranks, *command) as process:
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.terminate()
    assert "Traceback" not in err, err
    return process.returncode, out, err


# ---- what four ranks found (together.py) -------------------------------------------------------


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """What together.py found with four ranks, and with parts of them."""
    code, out, err = mpirun(4, "-m", "tests.distributed.together", tmp_path_factory.mktemp("run"))
    assert code == 0, err
    return json.loads(out)


@real
@pytest.mark.parametrize("run", ["75", "67", "taught"])
def test_one_two_and_four_ranks_train_to_the_same_bits(together, run):
    """75 images leave a last batch of 11, which no number of ranks divides; 67 leave 3, also where
    they are taught by another network.
    """
    found = together["bits"][run]
    assert sorted(found) == ["1", "2", "4"]
    assert len({checksum for checksums in found.values() for checksum in checksums}) == 1


@real
def test_a_signal_to_one_rank_stops_all_and_others_go_on_to_the_same_bits(together):
    """Four ranks, then two, then one, the average of the weights and clipping included."""
    found = together["resumed"]
    assert found["stops"] == [[15, 15], [15, 15], [15], [15]]
    assert found["resumed"] == found["whole"]


@real
@pytest.mark.parametrize(
    ("what", "rank", "how"),
    [
        ("weights", 1, ";"),
        ("settings", 3, ": batch_size 16, not 32;"),
        ("data", 0, ": crc32 of the validation data "),
        ("code", 2, ";"),
    ],
)
def test_a_rank_that_differs_is_named_on_all(together, what, rank, how):
    """Settings with both values, also where by another batch size the trial has other images."""
    (text,) = set(together["refused"][what])
    assert text.startswith(f"rank {rank} (")
    assert f"other {what} than the other ranks{how}" in text


@real
def test_a_layer_that_draws_for_its_own_images_is_named(together):
    """The last batch of 11 images gives one rank two of them, the others three."""
    (text,) = set(together["drawn"])
    assert "other random states than the other ranks: 0.rng " in text
    assert text.endswith("a layer draws for its own images only: use ops.whole.draw")


@real
def test_a_loss_that_is_not_finite_on_one_rank_ends_all(together):
    (text,) = set(together["diverged"])
    assert "the loss is not finite in epoch 2, step 1" in text


# ---- a rank that fails, and the others do not know (faults.py) ---------------------------------

ONE = f"rank 1 ({socket.gethostname()})"
SILENT = f"{ONE}: silent for 1 seconds, which ends the training; checkpoints are whole"


@real
@pytest.mark.parametrize(
    ("case", "line"),
    [
        ("error", f"{ONE}: division by zero"),
        ("dead", "rank 1 with PID"),  # the launcher's own words
        ("silent", SILENT),
        ("stopped", SILENT),
        ("stopped at work", SILENT.replace("rank 1", "rank 0")),
    ],
)
def test_no_rank_waits_for_one_that_fails(case, line, tmp_path):
    """And the checkpoint of the first epoch is whole."""
    code, _, err = mpirun(3, "-m", "tests.distributed.faults", case, tmp_path)
    assert code != 0
    assert line in err
    assert len([line for line in err.splitlines() if line.startswith("rank")]) <= 1, err
    net = numpycnn.load(tmp_path / "last.npz")
    assert len(net.metadata["fit"]["history"]["loss"]) == 1


@real
def test_rank_0_may_work_alone_for_longer_than_a_rank_may_be_silent(tmp_path):
    """Its validation takes three times as long."""
    code, _, err = mpirun(3, "-m", "tests.distributed.faults", "at work", tmp_path)
    assert code == 0, err
    assert numpycnn.load(tmp_path / "last.npz").metadata["fit"]["history"]["loss"][8:]


# ---- the command -------------------------------------------------------------------------------

COMMAND = "train", "--model", "lenet5", "--val", "8", "--batch-size", "16"


@real
def test_the_command_trains_as_one_process_does(tmp_path):
    """One result, one folder, one line for people; the batch is the same whole one."""
    data = write_data(tmp_path / "data.npz")
    settings = (*COMMAND, "--data", data, "--epochs", "2", "--json", "--out")
    code, out, err = mpirun(2, "-m", "numpycnn", *settings, tmp_path / "two")
    assert code == 0, err
    assert json.loads(out)["epochs"] == 2
    assert err.count("56 training and 8 validation images, 2 epochs, 8 steps") == 1
    assert cli.main([*settings, str(tmp_path / "one")]) == 0
    assert same(*(arrays(numpycnn.load(tmp_path / name / "last.npz")) for name in ("one", "two")))


@real
def test_a_mistake_of_all_is_told_once(tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("mine")
    code, _, err = mpirun(2, "-m", "numpycnn", *COMMAND, "--out", tmp_path / "taken")
    assert code == 2
    assert err.count("numpycnn train: ") == 1
    assert "taken exists and is not empty" in err


@real
def test_ctrl_c_leaves_a_whole_checkpoint(tmp_path):
    data, out = write_data(tmp_path / "data.npz"), tmp_path / "run"
    settings = (*COMMAND, "--data", data, "--epochs", "100000", "--out", out)
    with launch(2, "-m", "numpycnn", *settings) as process:
        deadline = time.monotonic() + 30
        while not (out / "history.csv").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode != 0
    assert numpycnn.load(out / "last.npz").metadata["fit"]["history"]["loss"]


@pytest.mark.parametrize("there", [False, True])
def test_a_launcher_that_mpi4py_does_not_know_is_refused(there, monkeypatch):
    """Without mpi4py, or with one of another MPI: else four runs would fight over one folder."""
    one = types.SimpleNamespace(MPI=types.SimpleNamespace(COMM_WORLD=types.SimpleNamespace(size=1)))
    monkeypatch.setitem(sys.modules, "mpi4py", one if there else None)
    monkeypatch.setenv("PMI_SIZE", "4")
    monkeypatch.setenv("PMI_RANK", "2")
    with pytest.raises(errors.RankError, match="4 processes were started together") as raised:
        with distributed.joined():
            pass
    assert ("mpi4py sees 1" if there else "numpycnn[mpi]") in str(raised.value)
    assert raised.value.quiet  # the first of the four tells it


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, (1, False)),
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}, (1, False)),  # salloc or sbatch: no step
        ({"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "1"}, (4, True)),
        ({"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "0"}, (4, False)),
        (  # mpirun starts its daemons, one a machine, by srun
            {"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1"}
            | {"OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_RANK": "0"},
            (8, False),
        ),
    ],
)
def test_a_launcher_is_known_by_its_variables(variables, expected, monkeypatch):
    for pair in distributed.LAUNCHERS.items():
        for name in pair:
            monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (distributed.launched(), distributed.follows()) == expected

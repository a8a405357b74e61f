"""Several ranks, started by a real mpirun: the same bits, and one end for all."""

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from tests.helpers import ROOT

MPIRUN = shutil.which("mpirun", path=f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}")
MISSING = [name for name in ("mpi4py", "numba") if importlib.util.find_spec(name) is None]
MISSING += [] if MPIRUN else ["mpirun"]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}")


def mpirun(ranks, *command, seconds=60, **environment):
    """The command, which follows `python`, as so many processes -> the finished process."""
    allowed = {f"OMPI_ALLOW_RUN_AS_ROOT{end}": "1" for end in ("", "_CONFIRM")}
    allowed |= {"NUMPYCNN_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **environment}
    return subprocess.run(
        [MPIRUN, "--oversubscribe", "-n", str(ranks), sys.executable, *map(str, command)],
        capture_output=True, text=True, timeout=seconds, cwd=ROOT, env={**os.environ, **allowed},
    )  # fmt: skip


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """What together.py found with four ranks, and with parts of them."""
    done = mpirun(4, "-m", "tests.distributed.together", tmp_path_factory.mktemp("run"))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("images", ["75", "67"])
def test_one_two_and_four_ranks_train_to_the_same_bits(together, images):
    """75 images leave a last batch of 11, which no number of ranks divides; 67 leave 3."""
    found = together["bits"][images]
    assert sorted(found) == ["1", "2", "4"]
    assert len({checksum for checksums in found.values() for checksum in checksums}) == 1


def test_a_signal_to_one_rank_stops_all_and_others_go_on_to_the_same_bits(together):
    """Four ranks, then two, then one, the average of the weights and clipping included."""
    found = together["resumed"]
    assert found["stops"] == [[15, 15], [15, 15], [15], [15]]
    assert found["resumed"] == found["whole"]


@pytest.mark.parametrize(("what", "rank"), [("weights", 1), ("settings", 3), ("data", 0)])
def test_a_rank_that_differs_is_named_on_all(together, what, rank):
    (text,) = set(together["refused"][what])
    assert text.startswith(f"rank {rank} (")
    assert f"other {what} than" in text


def test_a_loss_that_is_not_finite_on_one_rank_ends_all(together):
    (text,) = set(together["diverged"])
    assert "the loss is not finite in epoch 2, step 1" in text

"""A run's folder: one run at a time, and nothing left behind."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from numpycnn.errors import RunFolderError
from numpycnn.training import lock
from tests.helpers import ROOT, fit, pictures, small

HOLD = """
import sys, time
from numpycnn.training.lock import locked
with locked(sys.argv[1]):
    print("locked", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder "run"."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_in_one_line(holder, tmp_path):
    x, y = pictures(16)
    with pytest.raises(RunFolderError, match=f"in use: process {holder.pid} trains into it"):
        fit(small(), x, y, out=tmp_path / "run")
    assert os.listdir(tmp_path / "run") == [".lock"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_goes_with_its_process(how, holder, tmp_path):
    x, y = pictures(16)
    holder.send_signal(how)
    holder.wait()
    assert fit(small(), x, y, out=tmp_path / "run", epochs=1).epochs == 1
    assert not (tmp_path / "run" / ".lock").exists()


def test_another_thread_is_refused_and_the_same_one_is_not(tmp_path):
    found = []

    def other():
        try:
            with lock.locked(tmp_path / "run"):
                found.append("locked")
        except RunFolderError as error:
            found.append(str(error))

    def ask():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()

    with lock.locked(tmp_path / "run"):
        with lock.locked(tmp_path / "run"):
            ask()
        ask()
    ask()
    assert "another thread of this process" in found[0]
    assert found[1:] == [found[0], "locked"]


def test_two_names_of_one_folder_are_one(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to("run")
    found = []

    def other():
        with pytest.raises(RunFolderError, match="in use"), lock.locked(tmp_path / "link"):
            pass
        found.append("refused")

    with lock.locked(tmp_path / "run"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert found == ["refused"]


def test_a_fork_does_not_inherit_the_right(tmp_path):
    code = (
        "import os\nfrom numpycnn.training.lock import locked\n"
        f"with locked({str(tmp_path)!r}):\n"
        "    if not os.fork():\n"
        "        try:\n"
        f"            with locked({str(tmp_path)!r}): os._exit(1)\n"
        "        except OSError: os._exit(0)\n"
        "    raise SystemExit(os.waitstatus_to_exitcode(os.wait()[1]))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_folders_that_stay_empty_go_again(tmp_path):
    with lock.locked(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b" / ".lock").exists()
    assert not (tmp_path / "a").exists()
    with lock.locked(tmp_path / "a" / "b"):
        (tmp_path / "a" / "note").write_text("mine")
    assert os.listdir(tmp_path / "a") == ["note"]


def test_a_file_system_without_locks_has_none(tmp_path, monkeypatch):
    def none(descriptor):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(lock, "_lock", none)
    with lock.locked(tmp_path):
        pass


def test_a_lock_file_that_is_replaced_meanwhile_is_not_trusted(tmp_path, monkeypatch):
    """The holder removed it between our opening and our locking: the one that is there counts."""
    calls = []

    def replaced(descriptor):
        calls.append(descriptor)
        if len(calls) == 1:
            (tmp_path / ".lock").unlink()

    monkeypatch.setattr(lock, "_lock", replaced)
    with lock.locked(tmp_path):
        assert len(calls) == 2

"""README's lines in a fresh environment and an empty folder: install, the course, a notebook.

Offline: the other packages are those of this environment, found by a .pth file.
"""

import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig

import pytest

from numpycnn.exercises import EXERCISES, cut
from tests import helpers

ROOT = pathlib.Path(helpers.ROOT)

HEADLESS = """
import sys, nbclient, nbformat
notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, timeout=120).execute()
print(sum(len(cell.get("outputs", [])) for cell in notebook.cells), "outputs")
"""


def run(*command, folder, code=0, **more):
    """What a command prints, which ends with `code`; nothing of this environment leads to ROOT."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=kept | more, capture_output=True, text=True,
        encoding="utf-8", timeout=300,
    )  # fmt: skip
    assert done.returncode == code, (command, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of a new environment with a wheel of this checkout, as README installs it."""
    for package in ("pip", "setuptools"):
        if not importlib.util.find_spec(package):
            pytest.skip(f"{package} is needed to build and install the package")
    folder = tmp_path_factory.mktemp("fresh")
    install = re.search(r"^python3 (-m venv \.venv)$", (ROOT / "README.md").read_text(), re.M)
    run(sys.executable, *install[1].split(), "--without-pip", folder=folder)
    bin_folder = folder / ".venv" / ("Scripts" if os.name == "nt" else "bin")
    new = bin_folder / f"python{'.exe' if os.name == 'nt' else ''}"
    site = run(new, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder)
    pathlib.Path(site.strip(), "others.pth").write_text(sysconfig.get_path("purelib"))
    run(
        sys.executable, "-m", "pip", "--python", new, "install", "-q", "--no-deps", "--no-index",
        "--no-build-isolation", "--force-reinstall", checkout(folder), folder=folder,
    )  # fmt: skip
    return new


def checkout(folder):
    """A copy of what a clone holds, so that the build leaves nothing in the real one."""
    copy = folder / "clone"
    unwanted = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "build", "tests")
    shutil.copytree(ROOT, copy, ignore=unwanted)
    return copy


def test_the_course_in_an_empty_folder(python, tmp_path):
    """The commands of README's "Teach with it", and the library's own answer passes."""
    command = python.with_name("numpycnn.exe" if os.name == "nt" else "numpycnn")
    where = run(python, "-c", "import numpycnn; print(numpycnn.__file__)", folder=tmp_path)
    assert ".venv" in where
    teach = (ROOT / "README.md").read_text(encoding="utf-8").split("## Teach with it")[1]
    for word in ("`numpycnn exercise`", "`start NAME`", "`check FILE`", "`hint FILE`", "`grade"):
        assert word in teach
    listed = run(command, "exercise", folder=tmp_path)
    assert all(f"  {name} " in listed for name in EXERCISES)
    run(command, "exercise", "start", "relu_backward", folder=tmp_path)
    path = tmp_path / "relu_backward.py"
    said = run(command, "exercise", "check", path.name, folder=tmp_path, code=1)
    assert "nothing is written yet" in said
    answer = "\n".join(cut.parts(EXERCISES["relu_backward"].place)[2])
    path.write_text(path.read_text().replace(f"    {cut.TODO}", answer))
    assert "passed" in run(command, "exercise", "check", path.name, folder=tmp_path)


def test_a_notebook_runs_headless(python, tmp_path):
    for package in ("nbclient", "nbformat", "ipykernel"):
        pytest.importorskip(package, reason="needs the extra notebooks")
    (tmp_path / "headless.py").write_text(HEADLESS)
    notebook = ROOT / "examples" / "notebooks" / "2_one_batch_by_hand.ipynb"
    own = {"IPYTHONDIR": str(tmp_path / "ipython"), "JUPYTER_PATH": str(tmp_path)}  # no compiling
    said = run(python, "headless.py", notebook, folder=tmp_path, NUMPYCNN_BACKEND="numpy", **own)
    assert int(said.split()[0]) > 10

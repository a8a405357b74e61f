"""What is packed: metadata, examples/, what the tests read; and the pages beside the package."""

import configparser
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest

import numpycnn as nc
from numpycnn.ops import activation
from tests.helpers import ROOT

ROOT = pathlib.Path(ROOT)
FOLDERS = "tests", "benchmarks", "examples", "numpycnn", ".ci", ".github"


@pytest.fixture(scope="module")
def setup():
    parsed = configparser.ConfigParser(comment_prefixes=("#",))
    parsed.read(ROOT / "setup.cfg")
    return parsed


def files(folder):
    """Paths below the repository's root, without what a run leaves there."""
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    names = {path.relative_to(ROOT).as_posix() for path in found}
    return {name for name in names if "__pycache__" not in name and not name.endswith(".pyc")}


def test_one_version():
    assert nc.__version__ == "0.2.0"
    assert f"\n## {nc.__version__}\n" in (ROOT / "CHANGELOG.md").read_text()
    assert f"\nversion: {nc.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_source_is_cited():
    text = (ROOT / "CITATION.cff").read_text()
    assert re.findall(r"family-names: (\w+)", text) == ["Guo", "Li", "Czartoryski"]


def test_every_script_is_listed_for_the_wheel(setup):
    listed = setup["options"]["py_modules"].split()
    assert listed == sorted(
        f"numpycnn.examples.{path.stem}" for path in (ROOT / "examples").glob("*.py")
    )


def test_old_names_stand_in_the_changes():
    text = (ROOT / "CHANGELOG.md").read_text()
    for old, new in nc._MOVED.items():
        assert f"| `{old}` | `{new}` |" in text


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """(names in the sdist, names in the wheel), both built from a copy, with nothing fetched."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("packed")
    ignore = shutil.ignore_patterns(".git", "__pycache__", "*.egg-info", "runs", "build", ".venv")
    shutil.copytree(ROOT, folder / "copy", ignore=ignore)
    for kind in ("sdist", "wheel"):
        code = f"from setuptools import build_meta; build_meta.build_{kind}({str(folder)!r})"
        command = [sys.executable, "-c", code]
        done = subprocess.run(
            command, cwd=folder / "copy", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        sdist = {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        return sdist, set(archive.namelist())


def test_the_sdist_has_what_its_tests_read(packed):
    wanted = set().union(*map(files, FOLDERS))
    wanted |= {path.name for path in ROOT.glob("*.md")} | {"setup.cfg", "CITATION.cff"}
    assert sorted(wanted - packed[0]) == []


def test_the_wheel_has_package_and_scripts(packed):
    wheel = packed[1]
    assert sorted(files("numpycnn") - wheel) == []
    assert {f"numpycnn/{name}" for name in files("examples") if name.endswith(".py")} <= wheel
    assert {name.split("/")[0] for name in wheel} == {
        "numpycnn", f"numpycnn-{nc.__version__}.dist-info"
    }  # fmt: skip


def test_the_package_page_needs_no_other_file(setup):
    text = setup["metadata"]["long_description"]
    assert "numpycnn example --list" in text
    assert not re.search(r"\]\((?!https?://)", text)


# ---- the contributor's page ---------------------------------------------------------------------


def test_the_op_of_the_contributors_page_is_right():
    """Its code is run as it stands there."""
    text = (ROOT / ".github/CONTRIBUTING.md").read_text()
    ops_code, test_code, layer_code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    space = {**vars(activation), "Layer": nc.layers.Layer}
    exec(ops_code, space)

    class Ops:
        softplus = staticmethod(space["softplus"])
        softplus_backward = staticmethod(space["softplus_backward"])

    space |= {"ops": Ops}
    exec(test_code, space)
    space["test_softplus_is_its_definition"](None)
    exec(layer_code, space)
    x = np.random.default_rng(0).standard_normal((3, 4))
    assert nc.gradcheck(space["Softplus"](), x).ok
    assert space["Softplus"]().forward(x.astype(np.float32))[0].dtype == np.float32


def test_what_the_contributors_page_names_exists():
    text = (ROOT / ".github/CONTRIBUTING.md").read_text()
    for name in re.findall(r"`((?:tests|numpycnn|ops|layers|kernels)/[\w/.]*)`", text):
        assert (ROOT / name).exists() or (ROOT / "numpycnn" / name).exists(), name
    for target in re.findall(r"\]\((\.\./[^)]*)\)", text):
        assert (ROOT / ".github" / target).exists(), target


def test_the_workflows_parts_are_those_of_the_script():
    script = (ROOT / ".ci/run").read_text()
    parts = {
        name.replace("_", "-") for name in re.findall(r"^part_(\w+)\(\)", script, re.MULTILINE)
    }
    workflow = (ROOT / ".github/workflows/ci.yml").read_text()
    named = " ".join(re.findall(r'part: "?([\w -]+)', workflow)).split()
    assert set(named) == {name.replace("_", "-") for name in parts}

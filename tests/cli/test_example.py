"""`numpycnn example`: lists, runs and copies the scripts of examples/, and loses no file."""

import pathlib
import sys

import pytest

from numpycnn.cli import example
from tests.helpers import ROOT, finish

EXAMPLES = pathlib.Path(ROOT, "examples")


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_script_has_its_line(run):
    code, out, err = run("example", "--list")
    assert (code, err) == (0, "")
    names = {path.stem for path in EXAMPLES.glob("*.py")} - {"common"}
    assert {line.split()[0] for line in out.splitlines()} == names
    assert "The paper's tuned AlexNet from its layers up" in out
    assert all(20 < len(line) < 110 for line in out.splitlines())


def test_a_script_runs_with_its_arguments_and_leaves_no_trace(run, empty):
    before = sys.argv, list(sys.path), sys.excepthook
    code, out, _ = run("example", "gan", "--help")
    assert (code, "usage: gan.py" in out) == (0, True)
    code, out, _ = run("example", "record_small", "--help")  # finds common.py
    assert (code, "--quick" in out) == (0, True)
    assert (sys.argv, sys.path, sys.excepthook) == before
    assert not list(empty.iterdir())


def test_from_an_empty_folder_the_output_is_the_scripts(empty):
    code, out, err = finish("example", "one_batch_by_hand")
    assert (code, err) == (0, "")
    assert "relative error" in out.splitlines()[-1]  # nothing is printed after it


@pytest.mark.parametrize("words", ["--copy gan", "gan --copy"])
def test_a_copy_is_the_script(words, run, empty):
    assert run("example", *words.split())[0] == 0
    assert [path.name for path in empty.iterdir()] == ["gan.py"]
    assert (empty / "gan.py").read_bytes() == (EXAMPLES / "gan.py").read_bytes()
    assert run("example", *words.split())[0] == 0  # it is the same


def test_what_a_script_imports_is_copied_too(run, empty):
    assert run("example", "--copy", "record_small")[0] == 0
    assert {path.name for path in empty.iterdir()} == {"record_small.py", "common.py"}


@pytest.mark.parametrize("name", ["record_small.py", "common.py"])
def test_no_file_is_written_over(name, run, empty):
    (empty / name).write_text("mine")
    code, _, err = run("example", "--copy", "record_small")
    assert (code, err.count("\n")) == (2, 1)
    assert f"{name} exists here" in err
    assert [path.name for path in empty.iterdir()] == [name]  # the other one is not written either
    assert (empty / name).read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [("", "--list shows them"), ("alexnt", "did you mean alexnet"), ("common", "unknown example")],
)
def test_mistakes(words, said, run, empty):
    code, _, err = run("example", *words.split())
    assert (code, err.count("\n"), said in err) == (2, 1, True)


def test_an_error_in_a_script_is_one_line(run, empty, monkeypatch):
    (empty / "broken.py").write_text('"""Broken."""\nraise ValueError("no such thing")\n')
    monkeypatch.setattr(example, "folder", lambda: empty)
    code, _, err = run("example", "broken")
    assert (code, err) == (2, "numpycnn example: no such thing\n")


def test_an_installed_package_has_the_scripts_inside(empty, monkeypatch):
    monkeypatch.setattr(example, "PACKAGE", empty / "numpycnn")
    assert example.folder() == empty / "examples"
    (empty / "numpycnn" / "examples").mkdir(parents=True)
    assert example.folder() == empty / "numpycnn" / "examples"

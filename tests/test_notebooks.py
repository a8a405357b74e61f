"""The notebooks of examples/: each runs from start to end, and is committed with its outputs."""

import json
import pathlib

import pytest

from tests.helpers import ROOT

FOLDER = pathlib.Path(ROOT, "examples", "notebooks")
NAMES = sorted(path.name for path in FOLDER.glob("*.ipynb"))
LARGEST = 300_000  # bytes
SECONDS = 120  # for each cell
NEEDS = {"6_to_pytorch_and_back.ipynb": ["torch", "onnx"]}


def read(name):
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def test_all_are_here():
    assert [name[:2] for name in NAMES] == [f"{i}_" for i in range(1, 1 + len(NAMES))]
    assert len(NAMES) == 6


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_committed_with_its_outputs(name):
    """Small, in order, with no error, and nothing in it that another run would change."""
    assert (FOLDER / name).stat().st_size <= LARGEST
    code = [cell for cell in read(name)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, 1 + len(code)))
    assert "".join(code[0]["source"]).startswith("# %pip install ")
    outputs = [output for cell in code for output in cell["outputs"]]
    assert len(outputs) > len(code) // 2
    kinds = {output["output_type"] for output in outputs}
    assert kinds <= {"execute_result", "stream", "display_data"}
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert " object at 0x" not in json.dumps(outputs)
    assert not [cell["metadata"] for cell in code if cell["metadata"]]  # no times


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs(name, tmp_path, monkeypatch):
    """With NUMPYCNN_QUICK, in an empty folder; whatever a cell raises fails."""
    nbclient = pytest.importorskip("nbclient", reason="needs the extra notebooks")
    nbformat = pytest.importorskip("nbformat", reason="needs the extra notebooks")
    pytest.importorskip("ipykernel", reason="needs the extra notebooks")
    for package in NEEDS.get(name, []):
        pytest.importorskip(package, reason=f"{name} needs {package}")
    for variable, value in {
        "NUMPYCNN_QUICK": "1",
        "NUMPYCNN_DATA": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }.items():
        monkeypatch.setenv(variable, value)
    notebook = nbformat.read(FOLDER / name, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:
        cell.update(outputs=[], execution_count=None)
    client = nbclient.NotebookClient(
        notebook, timeout=SECONDS, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    assert [cell.execution_count for cell in code] == list(range(1, 1 + len(code)))

"""`numpycnn inspect`."""

import json
import os

import numpy as np
import pytest

from numpycnn.inspection import report
from tests.helpers import pictures

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")


def test_inspect(trained, run, tmp_path, monkeypatch):
    code, out, err = run("inspect", "run/last.npz")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line.split()[:2] for line in lines[2:5]] == [
        ["0", "Standardize"],
        ["1", "Conv2D"],
        ["2", "ReLU"],
    ]
    assert (
        "Update/weight at lr 0.001: Adam's last step, from the optimiser's state in the file."
        in lines
    )
    assert lines[-1] == f"Page: {os.path.join('last-inspect', 'inspection.html')}"
    first = json.loads((tmp_path / "last-inspect" / "inspection.json").read_text())
    assert {path.name for path in (tmp_path / "last-inspect").glob("*.png")} == set(
        first["pictures"]
    )
    names = [name.removesuffix(".png") for name in first["pictures"]]
    monkeypatch.setattr(report, "_draw", lambda *_: (names, []))
    code, out, _ = run("inspect", "run/last.npz", "--json")  # over its own
    result = json.loads(out)
    assert result == first
    assert (code, result["checkpoint"], result["data"]) == (0, "run/last.npz", trained)
    assert (
        result["test_accuracy"]
        == json.loads(run("evaluate", "run/last.npz", "--json")[1])["accuracy"]
    )


def test_inspect_overwrites_no_foreign_folder(trained, run):
    os.mkdir("mine")
    with open("mine/notes.txt", "w") as file:
        file.write("dear diary")
    os.mkdir("other")
    with open("other/inspection.json", "w") as file:
        json.dump({"checkpoint": "run/best.npz"}, file)
    os.mkdir("odd")
    with open("odd/inspection.json", "w") as file:
        file.write("[1, 2")
    for out in ("mine", "other", "odd"):
        before = os.listdir(out)
        code, said, err = run("inspect", "run/last.npz", "--out", out)
        assert (code, said) == (2, "")
        assert f"{out} exists and is no inspection of run/last.npz; choose another --out" in err
        assert os.listdir(out) == before
    code, _, err = run("inspect", "run/last.npz", "--out", trained)
    assert (code, "is a file; --out needs a folder" in err) == (2, True)


def test_two_runs_have_inspections_of_their_own(trained, run):
    for _ in range(2):
        assert run("inspect", "run/last.npz")[0] == 0
    os.rename("run", "other")
    assert run("inspect", "other/last.npz")[0] == 0
    for place, of in {"last-inspect": "run", "last-inspect-2": "other"}.items():
        with open(f"{place}/inspection.json") as file:
            assert json.load(file)["checkpoint"] == f"{of}/last.npz"


def test_inspect_goes_on_in_the_folder_that_it_was_stopped_in(trained, run, monkeypatch):
    def stopped(out, *_):
        (out / "layers.png").touch()
        raise KeyboardInterrupt

    draw = report._draw
    monkeypatch.setattr(report, "_draw", stopped)
    assert run("inspect", "run/last.npz")[0] == 130
    monkeypatch.setattr(report, "_draw", draw)
    assert run("inspect", "run/last.npz")[0] == 0
    assert os.stat("last-inspect/layers.png").st_size > 0


def test_inspect_takes_an_image(trained, run, monkeypatch):
    from PIL import Image

    shown = []
    monkeypatch.setattr(report, "_draw", lambda *a: (shown.append(a[-1]), ([], []))[1])
    Image.fromarray(pictures(1)[0][0, ..., 0]).save("ü.png")
    assert run("inspect", "run/best.npz", "--image", "ü.png", "--out", "new/größe")[0] == 0
    np.testing.assert_array_equal(shown[0], pictures(1)[0][0])
    code, out, err = run("inspect", "run/best.npz", "--image", "run/history.csv", "--out", "b")
    assert (code, out) == (3, "")
    assert err.count("\n") == 1
    assert not os.path.exists("b")

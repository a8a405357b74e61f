"""`numpycnn summary`, `data` and `gradcheck`."""

import importlib
import json

import pytest

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")


def test_summary_and_data_as_json(data, run):
    code, out, err = run("summary", "vgg", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["total"] == 196_778
    assert run("summary", "vgg")[1].count("Conv2D") == 6
    code, out, _ = run("data", data, "--json")
    found = json.loads(out)
    assert (code, found["train"], found["test"], found["image"]) == (0, 64, 40, [12, 12, 1])
    assert found.keys() == {"name", "classes", "sha256", "source", "train", "test", "image"}


def test_gradcheck_of_a_model(run):
    code, out, _ = run("gradcheck", "lenet5", "--seed", 1, "--json")
    found = json.loads(out)
    assert (code, found["model"], found["ok"]) == (0, "lenet5", True)
    assert 0 < found["max_error"] < 1e-5
    assert (
        json.loads(run("gradcheck", "lenet5", "--seed", 2, "--json")[1])["max_error"]
        != found["max_error"]
    )


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 1)])
def test_gradcheck_fails_with_an_exit_code(ok, code, run, monkeypatch):
    class Result:
        max_error = float("nan")

        def __str__(self):
            return "a table"

    Result.ok = ok
    monkeypatch.setattr(
        importlib.import_module("numpycnn.gradient_check"),
        "check_network",
        lambda *a, **k: Result(),
    )
    assert run("gradcheck", "vgg") == (code, "a table\n", "")
    found, out, _ = run("gradcheck", "vgg", "--json")
    assert found == code
    assert json.loads(out) == {"model": "vgg", "ok": ok, "max_error": None}

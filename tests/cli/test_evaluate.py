"""`numpycnn evaluate`, and checkpoints that it refuses."""

import json
import os
import re

import numpy as np
import pytest

import numpycnn as nc
from numpycnn.explainer import source
from tests.helpers import pictures, write_data

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")


@pytest.mark.filterwarnings("ignore:class.* never predicted")
def test_evaluate(trained, run):
    code, out, _ = run("evaluate", "run/last.npz", "--json")
    result = json.loads(out)
    assert code == 0
    assert result.keys() == {"accuracy", "loss", "parameters", "per_class", "confusion"}
    assert list(result["per_class"]) == ["one", "two", "three", "four"]
    assert np.trace(result["confusion"]) / 40 == result["accuracy"]
    code, out, _ = run("evaluate", "run/last.npz")
    assert f"Test accuracy: {result['accuracy']:.2%}" in out
    code, out, _ = run("evaluate", "run/last.npz", "--flip", "--json")
    net = nc.load("run/last.npz")
    held = nc.data.load(net.metadata["data"])
    assert (
        json.loads(out)["loss"]
        == nc.evaluate(net, held.x_test, held.y_test, flip=True)["loss"]
        != result["loss"]
    )


def test_evaluate_on_other_data(trained, run, tmp_path):
    other = write_data("other.npz", classes=("a", "b", "c", "d"))
    code, out, err = run("evaluate", "run/last.npz", "--data", other, "--json")
    assert code == 0
    assert "other classes" in err
    more = write_data("more.npz", classes=("a", "b", "c", "d", "e"))
    code, out, err = run("evaluate", "run/last.npz", "--data", more)
    assert (code, out) == (2, "")
    assert "4 classes" in err
    x = np.zeros((40, 14, 14, 1), np.uint8)
    sizes = write_data("sizes.npz", x_train=x, y_train=np.zeros(40, int), x_test=x)
    code, out, err = run("evaluate", "run/last.npz", "--data", sizes)
    assert (code, out) == (2, "")


def test_data_that_are_not_here_are_named(trained, run):
    os.rename(trained, "elsewhere.npz")
    code, out, err = run("evaluate", "run/last.npz")
    assert (code, out) == (3, "")
    assert (
        f"run/last.npz was trained on {trained}, which is not here: give its path as --data" in err
    )
    assert run("evaluate", "run/last.npz", "--data", "elsewhere.npz")[0] == 0


def test_classes_in_another_order_are_the_same_classes(trained, run):
    """The answer is that of the network's own order, and labels in a page are right."""
    _, expected, _ = run("evaluate", "run/last.npz", "--json")
    order = ("four", "one", "three", "two")
    own = nc.data.load(trained)
    number = np.array([order.index(name) for name in own.classes])
    labels = {"y_train": number[own.y_train], "y_test": number[own.y_test]}
    other = write_data("other.npz", classes=order, **labels)
    _, out, err = run("evaluate", "run/last.npz", "--data", other, "--json")
    assert json.loads(out) == json.loads(expected)
    assert "other classes" not in err
    net = nc.load("run/last.npz")
    given = source.arguments(net, "other.npz:2", train=8)
    assert given["label"] == own.y_test[2]
    np.testing.assert_array_equal(given["batch"][1], own.y_train[:7])
    net.metadata["classes"] = ["a", "b", "c", "d"]
    with pytest.warns(UserWarning, match="other.npz:2: its label counts other classes"):
        source.arguments(net, "other.npz:2", train=0)


def test_numbers_that_json_does_not_know_are_null(trained, run):
    y = np.zeros(40, int)
    write_data("one.npz", x_test=pictures(40)[0], y_test=y)
    code, out, err = run("evaluate", "run/last.npz", "--data", "one.npz", "--json")
    assert code == 0
    assert "NaN" not in out
    assert json.loads(out)["per_class"]["two"] is None
    assert err.count("note: ") == len(set(re.findall("note: .*", err))) > 0
    assert ".py" not in err


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", "short", "foreign"])
def test_a_checkpoint_of_something_else_is_refused(content, trained, run):
    if content == "short":
        with open("run/last.npz", "rb") as file:
            content = file.read()[:-100]
    if content == "foreign":
        np.savez("other.npz", w=np.zeros(3))
    else:
        with open("other.npz", "wb") as file:
            file.write(content)
    commands = (
        ["evaluate", "other.npz"],
        ["predict", "x.png", "--checkpoint", "other.npz"],
        ["evaluate", "no.npz"],
    )
    for command in commands:
        code, out, err = run(*command)
        assert (code, out) == (3, "")
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("metadata", "code", "message"),
    [
        ({"classes": 10}, 3, "its classes are no list but 10"),
        ({"data": 5}, 3, "its data are no str but 5"),
        ({}, 2, "wide.npz knows 7 classes, but data.npz has 4"),
    ],
)
def test_a_checkpoint_that_says_what_cannot_be(metadata, code, message, data, run):
    nc.save("wide.npz", nc.models.build("alexnet", classes=7, input_shape=(12, 12, 1)), **metadata)
    found, out, err = run("evaluate", "wide.npz", "--data", "data.npz")
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert message in err

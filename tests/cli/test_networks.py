"""Networks of the user's own code on the command line: --net file.py:function."""

import json
import sys

import numpy as np
import pytest

import numpycnn as nc
from numpycnn.cli import networks
from tests.helpers import pictures

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")

CODE = """
import numpy as np
from beside import SLOPE
from numpycnn.layers import Conv2D, Dense, GlobalAvgPool, Layer, Sequential, Standardize

print("this is no result")


class Swish(Layer):
    def __init__(self, slope=1.0):
        self.slope = slope

    def forward(self, x, train=False):
        s = 1 / (1 + np.exp(-self.slope * x))
        return x * s, (x, s)

    def backward(self, dy, cache):
        x, s = cache
        return dy * (s + self.slope * x * s * (1 - s))


class Wrong(Swish):
    def backward(self, dy, cache):
        return 2 * super().backward(dy, cache)


def build(activation=Swish):
    rng = np.random.default_rng(0)
    net = Sequential(
        Standardize(0.3, 0.2), Conv2D(1, 4, 3, rng=rng), activation(SLOPE), GlobalAvgPool(),
        Dense(4, 4, rng=rng),
    )
    net.input_shape = (12, 12, 1)
    return net


def wrong():
    return build(Wrong)


def nothing():
    return 3


def failing():
    return build()[7]


def leaving():
    raise SystemExit("bye")


def needing(size):
    return size
"""


@pytest.fixture
def own(data, tmp_path):
    """own.py with a layer and functions, and a checkpoint own.npz of its network, trained a bit."""
    (tmp_path / "own.py").write_text(CODE)
    (tmp_path / "beside.py").write_text("SLOPE = 1.5\n")
    net = networks.own_code("own.py:build")[0]()
    x, y = pictures(64)
    nc.fit(net, x, y, epochs=1, progress=False)
    with pytest.warns(UserWarning, match="Swish"):
        nc.save("own.npz", net, data="data.npz", classes=["one", "two", "three", "four"])
    return net


@pytest.mark.parametrize("code", ["own.py:build", "own.py"])
def test_a_checkpoint_with_layers_of_ones_own(code, own, run):
    from PIL import Image

    Image.fromarray(pictures(1)[0][0, ..., 0]).save("a.png")
    found, out, _ = run("evaluate", "own.npz", "--net", code, "--json")
    dataset = nc.data.load("data.npz")
    wanted = nc.evaluate(own, dataset.x_test, dataset.y_test)["accuracy"]
    assert (found, json.loads(out)["accuracy"]) == (0, wanted)
    found, out, _ = run("predict", "a.png", "--checkpoint", "own.npz", "--net", code, "--json")
    assert found == 0
    assert json.loads(out)["predictions"][0]["class"] in ("one", "two", "three", "four")
    found, out, _ = run("inspect", "own.npz", "--net", code, "--out", "page")
    assert found == 0
    assert "Swish" in out
    found, out, _ = run("summary", "own.npz", "--net", code)
    assert (found, "Swish" in out) == (0, True)


def test_without_the_code_one_line_says_so(own, run):
    found, out, err = run("evaluate", "own.npz")
    assert (found, out, err.count("\n")) == (3, "", 1)
    assert "Swish" in err


def test_a_network_that_is_only_code(own, run):
    found, out, err = run("summary", "--net", "own.py:build", "--json")
    assert (found, json.loads(out)["total"]) == (0, 60)
    assert "this is no result" in err
    assert run("gradcheck", "--net", "own.py:build")[0] == 0
    found, out, _ = run("gradcheck", "--net", "own.py:wrong")
    assert (found, "WRONG" in out) == (1, True)
    assert run("summary", "--net", "own.py:build", "--shape", "20x16x1")[0] == 0


def test_a_checkpoint_instead_of_a_model(trained, run):
    found, out, _ = run("summary", "run/last.npz", "--json")
    assert (found, json.loads(out)["model"]) == (0, "run/last.npz")
    assert run("gradcheck", "run/last.npz")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["summary"], "name a model or a checkpoint, or give --net file.py:function"),
        (["summary", "--net", "own.py"], "expected file.py:function"),
        (["summary", "--net", "nowhere.py:build"], "there is no file nowhere.py"),
        (["summary", "--net", "own.py:bild"], "own.py has no function bild"),
        (["summary", "--net", "own.py:SLOPE"], "own.py has no function SLOPE"),
        (["summary", "--net", "own.py:nothing"], "nothing() returned int, no network"),
        (["summary", "--net", "own.py:failing"], "own.py:failing, line 46: TypeError"),
        (["summary", "--net", "own.py:leaving"], "SystemExit: bye"),
        (["summary", "--net", "own.py:needing"], "missing 1 required positional argument: 'size'"),
        (["summary", "--net", "own.npz:build"], "no file own.npz:build"),
        (["summary", "--net", "bad.py:build"], "bad.py:build, line 1: SyntaxError"),
        (["summary", "--net", ""], "not an empty text"),
        (["summary", "vgg", "--net", "own.py:build"], "vgg is no checkpoint"),
        (["summary", "vgg", "--shape", "28x28"], "expected HxWxC"),
        (["evaluate", "own.npz", "--net", "own.py:nothing"], "returned int"),
    ],
)
def test_what_is_wrong_with_it_is_said_in_one_line(arguments, message, own, run, tmp_path):
    (tmp_path / "bad.py").write_text("def build(:\n")
    found, out, err = run(*arguments)
    err = err.replace("this is no result\n", "")
    assert (found, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_layers_that_the_file_imports_from_another_of_ones_own_are_found(own, run, tmp_path):
    (tmp_path / "imports.py").write_text(
        "from own import Swish\nfrom numpycnn.layers import ReLU\n"
    )
    kinds = networks.own_code("imports.py")[1]
    assert [kind.__name__ for kind in kinds] == ["Swish"]
    assert run("evaluate", "own.npz", "--net", "imports.py")[0] == 0


def test_a_file_may_do_what_it_may_when_python_runs_it(own, run, tmp_path):
    """A dataclass looks for its module in sys.modules."""
    (tmp_path / "sizes.py").write_text(
        "from __future__ import annotations\n"
        "import dataclasses\n"
        "from own import build\n\n"
        "@dataclasses.dataclass\n"
        "class Sizes:\n"
        "    width: int = 3\n"
    )
    found, out, _ = run("summary", "--net", "sizes.py:build", "--json")
    assert (found, json.loads(out)["total"]) == (0, 60)
    (tmp_path / "sizes.py").write_text("1 / 0\n")
    assert run("summary", "--net", "sizes.py:build")[0] == 2
    assert "numpycnn_net_sizes" not in sys.modules


def test_sys_path_is_as_before(own):
    before = list(sys.path)
    networks.own_code("own.py:build")[0]()
    assert sys.path == before
    assert np.isfinite(own.layers[1].w.value).all()

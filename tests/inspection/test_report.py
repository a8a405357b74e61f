"""The page, its pictures and its result: whole, escaped, and also where there is less to show."""

import json
import re

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import layers, optim
from numpycnn.errors import CheckpointError
from numpycnn.inspection import report, source, table
from numpycnn.training import checkpoint
from tests.helpers import fit, pictures, small
from tests.report.test_training_page import Page

pytestmark = pytest.mark.filterwarnings("ignore:class.* never predicted")
CLASSES = ("cat & dog", "<b>bird</b>", "お茶", "fish")
ALL = ["layers", "learning_curves", "filters", "feature_maps", "look", "confusions"]


def dataset(channels=1, floats=False, classes=CLASSES):
    parts = []
    for seed in (0, 1):
        x, y = pictures(48, seed)
        x = np.repeat(x, channels, axis=3)
        parts += [x / np.float32(255) if floats else x, y]
    return nc.data.Dataset("garments", *parts, classes)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out, data, net = tmp_path_factory.mktemp("runs") / "a <run>", dataset(), small()
    history = fit(net, data.x_train, data.y_train, lr=2e-3, validation=(data.x_test, data.y_test))
    result = report.write(out, net, data, "<i>net</i>", history=history)
    return out, result, (out / "inspection.html").read_text(encoding="utf-8")


def test_the_page_is_one_whole_file(written):
    out, result, text = written
    page = Page(text.replace("<img ", '<img srcset="data: 1x" '))
    sources = page.pictures[::2]
    assert result["pictures"] == [f"{name}.png" for name in ALL]
    assert len(sources) == len(ALL)
    assert all(one.startswith("data:image/png;base64,") for one in sources)
    assert {path.name for path in out.iterdir()} == {
        *result["pictures"],
        "inspection.html",
        "inspection.json",
    }
    assert "http" not in text
    assert "<script" not in text


def test_foreign_text_is_escaped(written):
    text = written[2]
    assert "<title>Inside &lt;i&gt;net&lt;/i&gt;</title>" in text
    assert not {"i", "script"} & set(Page(text.replace("<img ", '<img srcset="data: 1x" ')).tags)


def test_page_file_and_result_say_the_same(written):
    out, result, text = written
    assert json.loads((out / "inspection.json").read_text()) == json.loads(json.dumps(result))
    rows = Page(text.replace("<img ", '<img srcset="data: 1x" ')).rows
    assert [row for row in rows if re.match(r"\d+ [A-Z]", row[0])] == [
        table.cells(row) for row in result["layers"]
    ]
    assert f"{result['test_accuracy']:.2%}".replace("%", "\u00a0%") in text


def test_the_text_has_the_table_and_what_was_found(written):
    result = written[1]
    lines = table.text(result).splitlines()
    assert lines[0].split()[:2] == ["layer", "output"]
    assert len({line.index("×") for line in lines[2:5]}) == 1
    assert "UNDER-FITTING: only" in table.text(result)
    assert table.SOUND in table.text({**result, "diagnoses": []}).splitlines()
    wrong = {**result, "diagnoses": [{"kind": "too slow", "where": "", "text": "it creeps"}]}
    assert "TOO SLOW: it creeps." in table.text(wrong)
    assert table.SOUND not in table.text(wrong)


def test_what_is_wrong_stands_on_the_page_and_marks_its_row(tmp_path):
    net = small()
    net.layers[2].beta.value[...] = -1e3
    result = report.write(tmp_path, net, dataset(), "broken")
    text = (tmp_path / "inspection.html").read_text(encoding="utf-8")
    kinds = [one["kind"] for one in result["diagnoses"]]
    assert kinds == ["dead", "dead", "under-fitting", "missed class"]  # the next stage is dead too
    assert "Found: dead, under-fitting, missed class<" in text
    assert re.findall(r'<tr class="low"><th scope="row">(.*?)<', text) == ["3 ReLU", "8 ReLU"]


def test_a_network_without_convolution_is_shown_without_grad_cam(tmp_path):
    rng = np.random.default_rng(0)
    chain = (
        layers.Flatten(),
        layers.Dense(144, 8, rng=rng),
        layers.ReLU(),
        layers.Dense(8, 4, rng=rng),
    )
    result = report.write(
        tmp_path, layers.Sequential(layers.Standardize(), *chain), dataset(), "dense"
    )
    assert result["pictures"] == ["layers.png", "look.png", "confusions.png"]
    assert "no convolution" in result["notes"][0]
    assert result["notes"][0] in table.text(result)
    assert result["notes"][0] in (tmp_path / "inspection.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("channels", "floats"), [(3, False), (2, True)])
def test_images_of_other_kinds(tmp_path, channels, floats):
    net = small("alexnet", input_shape=(12, 12, channels), filters=(4, 20))
    image = np.full((12, 12, channels), 200, np.uint8)
    data = dataset(channels, floats, ("a", *report.CLOSE))
    net.layers[-1] = layers.Dense(12, 5)
    assert report.write(tmp_path, net, data, "x", image=image)["notes"] == []


def test_close_classes():
    data = dataset(classes=("Shirt", "Coat", "Pullover", "T-shirt/top"))
    assert report.close_classes(data, np.eye(4)) == [3, 2, 1, 0]
    guesses = np.where(dataset().y_test == 1, 3, dataset().y_test)
    assert report.close_classes(dataset(), np.eye(4)[guesses], most=2) == [1, 3]


# ---- what a checkpoint tells -------------------------------------------------------------------


def saved(path, **metadata):
    net = small()
    checkpoint.save(path, net, optim.Adam(net.params(), 5e-4), **metadata)
    return source.known(path, dataset())


def test_the_learning_rate_is_the_largest_of_the_schedule(tmp_path):
    recipe = {"lr": 3e-3}
    assert saved(tmp_path / "a.npz")["lr"] == 5e-4
    assert saved(tmp_path / "a.npz", recipe=recipe)["lr"] == 3e-3
    assert saved(tmp_path / "a.npz", recipe=recipe, fit={"settings": {"lr": 7e-3}})["lr"] == 7e-3


def test_the_images_are_those_that_were_trained_on(tmp_path):
    data = dataset()
    recipe = {"data": "./as it was typed", "limit": 40, "val": 8, "seed": 3}
    x, y = saved(tmp_path / "a.npz", data="garments", recipe=recipe)["trained_on"]
    (expected, labels), _ = data.limit(40).split(8, 3)
    np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(y, labels)
    for name, other in (
        ("mnist", recipe),
        ("garments", {**recipe, "limit": "x", "val": None}),
        ("garments", None),
    ):
        assert len(saved(tmp_path / "a.npz", data=name, recipe=other)["trained_on"][0]) == 48


def test_the_history_is_found_where_it_stands(tmp_path):
    history = {"loss": [1.0, float("nan")], "val_loss": [None, 2]}
    for metadata in ({"history": history}, {"fit": {"history": history}}):
        assert saved(tmp_path / "a.npz", **metadata)["history"].keys() == history.keys()
    assert saved(tmp_path / "a.npz", history=7)["history"] == {}
    with pytest.raises(CheckpointError, match="numbers"):
        saved(tmp_path / "a.npz", history={"loss": ["x"]})

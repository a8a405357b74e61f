"""What is shipped: small, with a card, and exactly as good as the card says."""

import re

import pytest

import numpycnn as nc
from numpycnn import data
from numpycnn.checkpoint import PRETRAINED

CLASSIFIERS = [path.stem for path in sorted(PRETRAINED.glob("*.npz")) if "measured" in nc.load(path).metadata]
FACTS = ("data", "recipe", "test accuracy", "time", "trained by", "measured by")


def card(name):
    """{"data": "Fashion-MNIST, ...", ...}: the rows of a card's table."""
    text = (PRETRAINED / f"{name}.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| ([a-z ]+) \| (.*) \|$", text, re.MULTILINE))


def test_the_networks_that_documents_name_are_shipped():
    assert {"accurate", "paper", "small"} <= set(CLASSIFIERS)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_card_tells_what_the_checkpoint_holds(name):
    path, facts = PRETRAINED / f"{name}.npz", card(name)
    metadata = nc.load(path).metadata
    measured = metadata["measured"]
    assert path.stat().st_size < 1_000_000
    assert set(FACTS) <= facts.keys()
    assert f"{measured['accuracy']:.2%}" == facts["test accuracy"].split(" (")[0].replace(" %", "%")
    assert f"{measured['flip_accuracy']:.2%}".replace("%", " %") in facts["test accuracy"]
    assert f"{measured['epochs']} epochs" in facts["recipe"]
    assert f"seed {measured['seed']}" in facts["recipe"]
    assert metadata["command"].split(" --seed")[0] in facts["trained by"]
    assert f"pretrained:{name}" in facts["measured by"]


@pytest.mark.skipif(not data.present("fashion-mnist"), reason="the data set is not here")
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_test_set_gives_the_card_s_figures(name):
    net, clothes = nc.load(f"pretrained:{name}"), data.load("fashion-mnist")
    assert net.metadata["data_sha256"] == clothes.sha256
    measured = net.metadata["measured"]
    assert nc.evaluate(net, clothes.x_test, clothes.y_test)["accuracy"] == measured["accuracy"]
    assert nc.evaluate(net, clothes.x_test, clothes.y_test, flip=True)["accuracy"] == measured["flip_accuracy"]
    assert net.summary((28, 28, 1)).total == measured["parameters"]

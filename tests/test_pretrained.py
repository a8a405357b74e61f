"""What is shipped: small, with a card, and exactly as good as the card says."""

import re

import numpy as np
import pytest
from PIL import Image

import numpycnn as nc
from benchmarks.generative import samples
from numpycnn import data, metrics
from numpycnn.cli import parser
from numpycnn.generative import latent
from numpycnn.report import grids
from numpycnn.training.checkpoint import PRETRAINED, pretrained

CLASSIFIERS = [
    path.stem for path in sorted(PRETRAINED.glob("*.npz")) if "measured" in nc.load(path).metadata
]
GENERATORS = [
    path.stem for path in sorted(PRETRAINED.glob("*.npz")) if "samples" in nc.load(path).metadata
]
FACTS = ("data", "recipe", "test accuracy", "time", "trained by", "measured by")


def card(name):
    """{"data": "Fashion-MNIST, ...", ...}: the rows of a card's table."""
    text = (PRETRAINED / f"{name}.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| ([a-z ]+) \| (.*) \|$", text, re.MULTILINE | re.IGNORECASE))


def test_the_networks_that_documents_name_are_shipped():
    assert {"accurate-1", "paper", "small-1"} <= set(CLASSIFIERS)
    assert {"accurate", "paper", "small"} <= set(pretrained())
    assert {"gan", "vae"} <= set(GENERATORS)


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
    net, dataset = nc.load(f"pretrained:{name}"), data.load("fashion-mnist")
    assert net.metadata["data_sha256"] == dataset.sha256
    measured = net.metadata["measured"]
    assert nc.evaluate(net, dataset.x_test, dataset.y_test)["accuracy"] == measured["accuracy"]
    assert (
        nc.evaluate(net, dataset.x_test, dataset.y_test, flip=True)["accuracy"]
        == measured["flip_accuracy"]
    )
    assert net.summary((28, 28, 1)).total == measured["parameters"]


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_is_small_and_its_card_tells_what_it_holds(name):
    path, facts = PRETRAINED / f"{name}.npz", card(name)
    metadata = nc.load(path).metadata
    assert path.stat().st_size < 2_000_000
    assert metadata["command"] in facts["recipe"]
    assert f"seed {metadata['seed']}" in facts["recipe"]
    assert f"{metadata['samples']['frechet']:.3g}" in facts["Frechet distance"]
    assert f"{metadata['samples']['rarest_class']:.1%}" in facts["classes"]


@pytest.mark.parametrize("name", GENERATORS)
def test_what_a_generator_draws_is_what_its_card_says(name):
    """In the eyes of the classifier, of which no data set is needed: all classes, and the class
    that was asked for.
    """
    net, judge = nc.load(f"pretrained:{name}"), nc.load(samples.CLASSIFIER)
    drawn, labels = samples.drawn(net, 1000)
    guesses = latent.outputs(judge, np.round(255 * drawn).astype(np.uint8)).argmax(axis=1)
    measured = net.metadata["samples"]
    shares = metrics.class_shares(guesses, 10)
    assert (shares > 0).all()
    np.testing.assert_allclose(shares, measured["class_shares"], atol=0.03)
    if net.classes:
        assert (guesses == labels).mean() == pytest.approx(measured["class_right"], abs=0.04)


def test_a_generator_draws_offline_at_once(tmp_path, monkeypatch):
    """Without a data set, and without naming one: a grid of bags."""
    monkeypatch.setenv("NUMPYCNN_DATA", str(tmp_path / "nothing"))
    out = tmp_path / "bags.png"
    assert parser.main(["generate", "--class", "bag", "--count", "8", "--out", str(out)]) == 0
    wanted = latent.draw(nc.load("pretrained:gan"), 8, np.random.default_rng(0), np.full(8, 8))
    with Image.open(out) as picture:
        np.testing.assert_array_equal(np.asarray(picture), grids.grid(wanted, columns=8)[..., 0])


@pytest.mark.skipif(not data.present("fashion-mnist"), reason="the data set is not here")
@pytest.mark.parametrize("name", GENERATORS)
def test_the_test_images_give_the_distance_on_the_card(name):
    net, judge = (
        nc.load(f"pretrained:{name}"),
        samples.Judge(samples.CLASSIFIER, data.load("fashion-mnist")),
    )
    drawn, _ = samples.drawn(net, samples.COUNT)
    distance = metrics.frechet_distance(judge.test, judge.features(drawn))
    assert distance == pytest.approx(net.metadata["samples"]["frechet"], rel=1e-3)


@pytest.mark.parametrize(
    "command",
    [
        "evaluate pretrained:gan",
        "inspect pretrained:vae",
        "predict --checkpoint pretrained:vae x.png",
    ],
)
def test_a_generator_is_no_classifier_and_that_is_said(command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parser.main(command.split()) == 2
    said = capsys.readouterr().err
    assert "classifies nothing" in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())

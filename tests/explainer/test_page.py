"""What explain writes, and what it leaves alone."""

import base64
import hashlib
import json
import pathlib
import re

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import backend, errors, layers, models
from numpycnn.explainer import source, write
from numpycnn.layers.traverse import generators, named_buffers, named_params

from . import pages


def facts_of(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'type="application/json">(.*?)</script>', text, re.S)[1])


def test_the_network_stays_as_it_was(tmp_path):
    net = pages.hard()
    next(net.params()).grad = kept = np.ones(3)

    def state():
        values = {**{k: p.value for k, p in named_params(net).items()}, **named_buffers(net)}
        drawn = {k: g.bit_generator.state for k, g in generators(net).items()}
        return {k: v.tobytes() for k, v in values.items()}, drawn, backend.backend()

    before = state()
    pages.write(tmp_path / "page.html", net)
    assert state() == before
    grads = [param.grad for param in net.params()]
    assert grads[0] is kept
    assert all(grad is None for grad in grads[1:])


def test_the_page_is_one_file_that_may_run_its_own_scripts_only(tmp_path):
    names = [
        "</script><script>window.hacked=1</script>",
        "<img src=x onerror=hacked=1>",
        "<!--",
        "d",
    ]
    path = pages.write(tmp_path / "a.html", pages.hard(), classes=names, title="<b>&</title>")
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"https?://(?!www\.w3\.org)", text)
    assert "<img" not in text
    assert "<b>&<" not in text
    scripts = re.findall(r"<script(?: id=\"maths\")?>(.*?)</script>", text, re.S)
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src 'none'" in policy
    assert [f"'sha256-{h}'" for h in hashes] == re.findall(r"'sha256-[^']*'", policy)
    assert facts_of(path)["classes"] == names


def test_the_same_network_and_image_give_the_same_bytes(tmp_path):
    first, second = (pages.write(tmp_path / n, pages.hard()).read_bytes() for n in ("a", "b"))
    assert first == second


def test_numbers_that_are_not_finite_give_a_page(tmp_path):
    net = pages.hard()
    net.layers[1].w.value[0, 0, 0, 2] = np.nan
    path = pages.write(tmp_path / "page.html", net, label=1)
    assert facts_of(path)["runs"][0]["nodes"][-1]["attrs"]["loss"] == "nan"


SIZES = ("pretrained:small-1", 2), ("pretrained:accurate", 3.2), ("lenet5", 1), ("alexnet", 4.1)


@pytest.mark.parametrize(("name", "most"), SIZES)  # megabytes
def test_sizes(tmp_path, name, most):
    net = nc.load(name) if ":" in name else models.build(name)
    garments, labels = nc.data.synthetic.make(32, 0)
    batch = garments[1:], labels[1:]
    facts = nc.explain(net, garments[0], tmp_path / "p", label=int(labels[0]), batch=batch)
    assert facts["runs"] == ["use", "train"]
    assert facts["bytes"] == (tmp_path / "p").stat().st_size < most * 1e6


def test_above_its_size_the_page_computes_arrays_itself_and_says_which(tmp_path):
    whole = nc.explain(pages.hard(), pages.image(), tmp_path / "a", label=2)
    less = nc.explain(pages.hard(), pages.image(), tmp_path / "b", label=2, size=1)
    assert whole["computed"] == []
    assert (
        {"use: 6 dL/dw", "use: 6 y"}
        <= set(less["computed"])
        == set(facts_of(tmp_path / "b")["left"])
    )
    assert less["bytes"] < whole["bytes"]


class Twice(layers.Layer):
    """y = 2 x"""

    def __init__(self, slope=2):
        self.slope = slope

    def forward(self, x, train=False):
        return 2 * x, None

    def backward(self, dy, cache):
        return self.slope * dy


@pytest.mark.parametrize(("slope", "verdict"), [(2, "passed"), (3, "FAILED")])
def test_a_layer_of_your_own_has_its_source_and_the_verdict_of_gradcheck(tmp_path, slope, verdict):
    net = layers.Sequential(Twice(slope), layers.Flatten(), layers.Dense(144, 4, rng=pages.rng()))
    path = pages.write(tmp_path / "page.html", net, pages.image() / np.float32(255), None)
    node = facts_of(path)["runs"][0]["nodes"][1]
    assert node["kind"] == "Own"
    assert node["attrs"]["doc"] == "y = 2 x"
    assert "return self.slope * dy" in node["attrs"]["source"]
    assert node["attrs"]["gradcheck"].lower().startswith(verdict.lower())


def test_a_frozen_layer_that_computes_otherwise_is_one_of_your_own(tmp_path):
    class Doubled(layers.Frozen):
        def forward(self, x, train=False):
            y, cache = super().forward(x)
            return 2 * y, cache

    for kind, name in (layers.Frozen, "ReLU"), (Doubled, "Own"):
        net = layers.Sequential(kind(layers.ReLU()), layers.Flatten(), layers.Dense(144, 4))
        path = pages.write(tmp_path / name, net, pages.image() / np.float32(255), None)
        assert facts_of(path)["runs"][0]["nodes"][1]["kind"] == name


def test_mistakes(tmp_path):
    def refused(error, words, *args, **settings):
        with pytest.raises(error, match=words):
            nc.explain(*args, tmp_path / "page.html", **settings)
        assert not (tmp_path / "page.html").exists()

    net, x = pages.hard(), pages.image()
    refused(errors.UnknownNameError, "unknown loss 'mze'", net, x, loss="mze")
    refused(ValueError, "label 9 at index 0 is outside", net, x, label=9)
    refused(errors.ShapeError, "expected \\(12, 12, 1\\)", net, x, batch=pages.batch((9, 9, 1)))
    refused(errors.ShapeError, "target of mse must have", net, x, loss="mse", target=x)
    refused(errors.ShapeError, "channels", net, pages.image((12, 12, 3)))


def test_what_the_command_lines_words_mean():
    net = nc.load("pretrained:small-1")
    given = source.arguments(net, "synthetic:3", train=5)
    assert given["image"].shape == (28, 28, 1)
    assert len(given["batch"][0]) == len(given["batch"][1]) == 4
    assert given["classes"][given["label"]]
    assert source.arguments(net, "synthetic:3", train=0)["batch"] is None
    for words, where, train in (
        ("0 to", "synthetic:99999999", 0),
        ("batch of one", "synthetic:3", 1),
    ):
        with pytest.raises(ValueError, match=words):
            source.arguments(net, where, train=train)
    with pytest.raises(ValueError, match="without its critic"):
        source.arguments(nc.load("pretrained:gan"), "synthetic:3")


def test_the_pages_source_is_read_in_one_order_and_stays_short():
    files = {path.stem: path for path in write.PAGE.glob("*.js")}
    assert sorted(files) == sorted((*write.MATHS, *write.VIEW))
    for path in write.PAGE.iterdir():
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 250, path


def test_contrast_is_at_least_4_5_in_light_and_dark():
    style = (write.PAGE / "style.css").read_text()
    for theme in (":root {", ":root[data-theme=dark] {"):
        block = style.split(theme)[1].split("}")[0]
        colours = dict(re.findall(r"--(\w+): (#\w+)", block))
        for ink in ("ink", "soft", "pos", "neg", "accent", "good", "bad"):
            for ground in ("page", "card"):
                assert contrast(colours[ink], colours[ground]) >= 4.5, (theme, ink, ground)
        assert contrast(colours["ink"], colours["tint"]) >= 4.5
        assert contrast(colours["soft"], colours["warm"]) >= 4.5
        assert contrast(colours["page"], colours["accent"]) >= 4.5  # a pressed button


def contrast(a, b):
    """WCAG's ratio of two colours."""

    def luminance(colour):
        digits = colour[1:] if len(colour) == 7 else "".join(2 * d for d in colour[1:])
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        r, g, b = (v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_steps_that_other_texts_name_are_what_they_say(tmp_path):
    """examples/one_batch_by_hand.py and numpycnn/README.md link to steps of pretrained:small-1."""
    shape = (28, 28, 1)
    nc.explain(nc.load("pretrained:small-1"), pages.image(shape), tmp_path / "p")
    kinds = [node["kind"] for node in facts_of(tmp_path / "p")["runs"][0]["nodes"]]
    steps = kinds + kinds[::-1]
    package = pathlib.Path(nc.__file__).parent
    example = (package.parent / "examples" / "one_batch_by_hand.py").read_text()
    named = re.findall(r"step=(\d+)", example + (package / "README.md").read_text())
    assert [steps[int(step)] for step in named] == [
        "Conv2D", "SoftmaxCE", "SoftmaxCE", "Dense", "Conv2D", "BatchNorm",
    ]  # fmt: skip

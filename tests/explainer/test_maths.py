"""The page's mathematics, run by node: every number it explains, and every fault in it."""

import contextlib
from pathlib import Path

import numpy as np
import pytest

from numpycnn import layers as L
from numpycnn import models, ops

from . import pages

pytestmark = pytest.mark.skipif(not pages.NODE, reason="node is not installed")
rng = pages.rng


def verified(path, least, cells=40):
    with pages.Page(path) as page:
        found = page(f"verify(runs, {cells})")
    assert found["checked"] >= least
    assert found["bad"] == 0, found
    assert 0 < found["worst"] < 1
    return found


@pytest.mark.parametrize("net", [pages.hard, pages.others, pages.mirror, pages.small_blocks])
def test_every_number_of_every_layer_is_the_sum_that_the_page_shows(tmp_path, net):
    verified(pages.write(tmp_path / "page.html", net(), label=2), 3000)


def test_losses_with_smoothing_and_class_weights(tmp_path):
    weight = [1.0, 0.5, 2.0, 3.0]
    settings = {"label": 3, "label_smoothing": 0.1, "class_weight": weight}
    path = pages.write(tmp_path / "page.html", pages.hard(), **settings)
    verified(path, 3000)
    with pages.Page(path) as page:
        last = "runs[0].nodes[runs[0].nodes.length - 1]"
        a, loss = page(f"{last}.Y.v"), page(f"{last}.attrs.loss")
        eq = page(f"{last}.explain('y', 0, 0).eq")
        ds = [page(f"{last}.explain('dx', 0, {k})") for k in range(4)]
    y = 0.1 / 4 + 0.9 * np.eye(4)[3]
    assert "L = -\\frac{1}{v_{label}} \\sum_k v_k y_k \\log a_k" in eq
    assert loss == pytest.approx(-(weight * y * np.log(a)).sum() / weight[3], rel=1e-5)
    for k, e in enumerate(ds):
        way = "up" if e["value"] < 0 else "down"
        assert f"y is {y[k]:g} here. The weight v of this class is {weight[k]:g}" in e["note"]
        assert f"This score is pushed {way}" in e["note"]
        assert "The label's score is pushed" not in e["note"]
    assert {e["value"] < 0 for e in ds} == {True, False}


def test_an_autoencoder_a_conditional_vae_and_a_critic(tmp_path):
    shape = (8, 8, 1)
    x, (xs, labels) = pages.image(shape), pages.batch(shape, classes=2)
    net = models.autoencoder(latent=3, filters=(4, 6), depth=1, input_shape=shape, rng=rng())
    verified(pages.write(tmp_path / "a.html", pages.shaken(net), x, (xs, xs)), 2000)

    beside = np.zeros((6, 8, 8, 2), np.float32)
    beside[np.arange(6), ..., [1, *labels]] = 1
    with_class = np.concatenate([np.concatenate([x[None], xs]) / np.float32(255), beside], -1)
    vae = pages.conditional_vae()
    kept = pages.write(tmp_path / "v.html", vae, with_class[0], (with_class[1:], xs), target=x)
    verified(kept, 3000)

    gan = models.gan(classes=2, filters=(3, 4), batch_norm=True, input_shape=shape, rng=rng())
    ones = np.ones((5, 1), np.float32)
    critic = pages.shaken(gan.critic)
    verified(pages.write(tmp_path / "c.html", critic, with_class[0], (with_class[1:], ones)), 1000)


def test_frozen_and_fused_layers_are_shown_as_what_they_are_made_of(tmp_path):
    conv, norm = L.Conv2D(1, 3, 3, rng=rng()), L.BatchNorm(3)
    head = [L.GlobalAvgPool(), L.Dense(3, 4, rng=rng(1))]
    net = L.Sequential(L.Frozen(L.Sequential(L.ConvBNReLU(conv, norm, 2))), *head)
    path = pages.write(tmp_path / "page.html", pages.shaken(net), label=0)
    verified(path, 500)
    with pages.Page(path) as page:
        kinds = page("runs[0].nodes.map((n) => n.kind)")
    assert kinds[1:5] == ["Conv2D", "BatchNorm", "ReLU", "MaxPool2D"]


def test_a_second_step_leaves_frozen_layers_alone_as_the_first_does(tmp_path):
    body = L.Frozen(L.Sequential(L.Conv2D(1, 3, 3, rng=rng()), L.BatchNorm(3), L.ReLU()))
    net = L.Sequential(body, L.GlobalAvgPool(), L.Dense(3, 4, rng=rng(1)))
    path = pages.write(tmp_path / "page.html", pages.shaken(net), label=0)
    with pages.Page(path) as page:
        step = "runs[0].again(runs[0].nodes[0].Y.v, sgd(runs[0], 0.01).params)"
        for run in ("runs[0]", step, f"({step}).again(runs[0].nodes[0].Y.v)"):
            changed = page(f"sgd({run}, 0.01).changes.map((c) => runs[0].nodes[c.k].path)")
            assert set(changed) == {"2"}, run


def test_a_weight_in_two_places_moves_by_the_sum_of_its_gradients(tmp_path, on_numpy):
    twice = L.Dense(6, 6, rng=rng(2))
    net = L.Sequential(twice, L.ELU(), twice, L.Frozen(twice), L.Dense(6, 3, rng=rng(1)))
    x = rng(1).standard_normal((1, 6)).astype(np.float32)
    path = pages.write(tmp_path / "page.html", net, x[0], None, label=0)
    y, cache = net.forward(x)
    net.backward(ops.softmax_cross_entropy(y, np.array([0]))[1], cache)
    with pages.Page(path) as page:
        moved = page("sgd(runs[0], 0.1).params.filter((p) => p.w).map((p) => p.w.v)")
        names = page("sgd(runs[0], 0.1).changes.map((c) => [c.k, c.name])")
        layers = "runs[0].nodes.filter((n) => n.grads.w)"
        notes = page(f"{layers}.map((n) => n.explain('grad', 'w', 0).note)")
        again = page("runs[0].again(runs[0].nodes[0].Y.v).nodes.map((n) => n.shared ?? null)")
    assert len(names) == 4  # w and b of two layers
    for w in moved[:3]:
        expected = (twice.w.value - 0.1 * twice.w.grad).ravel()
        np.testing.assert_allclose(w, expected, rtol=1e-5, atol=1e-7)
    assert ["in 3 places" in note for note in notes] == [True, True, False]
    assert [bool(one) for one in again] == [False, True, False, True, True, False, False]


class Composite(L.Layer):
    """y = tanh(x w + b) + x, of layers inside"""

    def __init__(self):
        self.dense, self.tanh = L.Dense(6, 6, rng=rng()), L.Tanh()

    def forward(self, x, train=False):
        y, first = self.dense.forward(x, train)
        z, second = self.tanh.forward(y, train)
        return z + x, (first, second)

    def backward(self, dy, cache):
        return self.dense.backward(self.tanh.backward(dy, cache[1]), cache[0]) + dy


def unusual():
    """(network, image): a layer of layers, one used twice, empty branches, colours, a subclass."""
    vector, twice = rng(1).standard_normal(6).astype(np.float32), L.Dense(6, 6, rng=rng(2))
    yield L.Sequential(L.Dense(6, 6, rng=rng()), Composite(), L.Dense(6, 3, rng=rng(1))), vector
    yield L.Sequential(twice, L.ELU(), twice, L.Dense(6, 3, rng=rng(1))), vector
    body = L.Sequential(L.Dense(6, 6, rng=rng()), L.ELU())
    branches = L.Add(L.Sequential(), body), L.Concat(L.Identity(), L.Identity())
    yield L.Sequential(*branches, L.Dense(12, 3, rng=rng(1))), vector
    conv = type("Mine", (L.Conv2D,), {})(3, 4, 3, padding=(0, 2), stride=(1, 2), rng=rng())
    colour = L.Sequential(
        L.Standardize(0.5, 0.5), conv, L.GlobalAvgPool(), L.Dense(4, 3, rng=rng())
    )
    yield colour, pages.image((9, 8, 3))


@pytest.mark.parametrize("case", range(4))
def test_unusual_networks(tmp_path, case):
    net, x = list(unusual())[case]
    xs = np.stack([x, x[::-1], x * 2]), np.array([0, 1, 2])
    verified(pages.write(tmp_path / "page.html", net, x, xs), 1000)


# ---- faults: each changes one text of the mathematics, and verify must find it -------------------


def faults():
    """{what: (text, what stands in its place)} of faults.diff."""
    found = {}
    for block in Path(__file__).with_name("faults.diff").read_text().split("\n# ")[1:]:
        name, *lines = block.splitlines()
        old, new = ("\n".join(x[1:] for x in lines if x.startswith(mark)) for mark in "-+")
        found[name] = old, new
    return found


FAULTS = faults()


@pytest.fixture(scope="module")
def faulty_page(tmp_path_factory):
    """faulty_page(fault) -> the page of the network that has its layer."""
    folder = tmp_path_factory.mktemp("explainer")
    with contextlib.ExitStack() as kept:
        found = {
            net: kept.enter_context(pages.Page(pages.write(folder / net.__name__, net(), label=2)))
            for net in (pages.hard, pages.mirror, pages.small_blocks)
        }
        words = {"mirror": pages.mirror, "small": pages.small_blocks}
        yield lambda fault: found[words.get(fault.split()[0].strip(",:"), pages.hard)]


@pytest.mark.parametrize("fault", FAULTS)
def test_verify_finds_a_fault_of_the_pages_own_mathematics(faulty_page, fault):
    page = faulty_page(fault)
    assert page.swap(*FAULTS[fault]) == 1, "the text of the fault is not there"
    assert page("verify(runs, 40)")["bad"] > 0

"""A new head on a trained body: what is kept, new or frozen, and that files hold it."""

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import layers, models, optim
from numpycnn.errors import ShapeError
from numpycnn.layers.fused import fuse
from numpycnn.layers.traverse import named_params
from tests.helpers import arrays, same
from tests.test_models import SMALL

SHAPE = (16, 16, 1)
X = np.random.default_rng(0).integers(0, 256, (12, *SHAPE), dtype=np.uint8)


def trained(name):
    """A small network whose running statistics and weights are not those of the beginning."""
    net = models.build(name, seed=1, input_shape=SHAPE, mean=0.3, std=0.2, **SMALL[name])
    nc.fit(net, X, np.arange(12) % 10, epochs=1, batch_size=6, progress=False)
    return net


def own():
    rng = np.random.default_rng(0)
    conv = layers.Conv2D(1, 4, 3, rng=rng)
    head = layers.Sequential(layers.Flatten(), layers.Dense(64, 7, bias=False, rng=rng))
    return layers.Sequential(conv, layers.BatchNorm(4), layers.ReLU(), layers.MaxPool2D(4), head)


@pytest.mark.parametrize("name", [*SMALL, "own"])
def test_all_but_the_head_is_kept_and_files_hold_the_network(name, tmp_path):
    net = own() if name == "own" else trained(name)
    before, x = arrays(net), X.astype(np.float32) / 255
    values = {} if name == "own" else {"mean": 0.5, "std": 0.25}
    new = models.with_new_head(net, 5, seed=7, **values)
    assert same(arrays(net), before)
    kept = {key: array for key, array in arrays(new).items() if array.shape[-1:] != (5,)}
    assert len(kept) >= len(before) - 2
    assert all(np.array_equal(array, before[key]) for key, array in kept.items())
    assert new.infer(x).shape == (12, 5)
    assert new.infer(x).dtype == np.float32
    nc.save(tmp_path / "new.npz", new, classes=list("abcde"))
    loaded = nc.load(tmp_path / "new.npz")
    assert same(arrays(loaded), arrays(new))
    np.testing.assert_array_equal(nc.predict(loaded, x), nc.predict(new, x))
    if name != "own":
        assert loaded.metadata["model"] == name
        assert (loaded.layers[0].mean, loaded.layers[0].std) == (0.5, 0.25)


def test_the_seed_decides_the_head_and_the_dropout():
    net = trained("vgg")
    one, same_seed, other = (models.with_new_head(net, 3, seed=seed) for seed in (1, 1, 2))
    first = [n.forward(X, train=True)[0] for n in (one, same_seed, other)]
    assert np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], first[2])


def test_another_size_where_the_network_allows_it():
    new = models.with_new_head(trained("vgg"), 3, input_shape=(20, 24, 1))
    assert new.input_shape == (20, 24, 1)
    assert new.infer(np.zeros((1, 20, 24, 1), np.uint8)).shape == (1, 3)
    for name, shape in (
        ("alexnet", (20, 20, 1)),
        ("mirror_vgg", (16, 19, 1)),
        ("vgg", (16, 16, 2)),
    ):
        with pytest.raises(ShapeError, match=r"do not fit this network, which was made for \(16"):
            models.with_new_head(trained(name), 3, input_shape=shape)


@pytest.mark.parametrize("name", ["vgg", "mirror_vgg", "densenet"])
def test_a_network_of_grey_images_takes_colours_and_sees_grey_as_before(name):
    net = trained(name)
    new = models.with_new_head(net, 10, input_shape=(16, 16, 3))
    new.layers[-1] = net.layers[-1]
    grey = np.repeat(X, 3, axis=3)
    np.testing.assert_allclose(nc.predict(new, grey), nc.predict(net, X), rtol=1e-4, atol=1e-6)
    assert new.spec["arguments"]["input_shape"] == (16, 16, 3)


def test_what_has_no_head_is_told_what_to_do():
    headless = layers.Sequential(layers.Flatten(), layers.Dense(4, 2, rng=np.random.default_rng(0)))
    headless.layers.append(layers.ReLU())
    for net, name in ((headless, "ends in ReLU"), (layers.ReLU(), "not of ReLU")):
        with pytest.raises(TypeError, match=f"{name}: put a Dense"):
            models.with_new_head(net, 3)
    with pytest.raises(ValueError, match="at least 2 classes, not 1"):
        models.with_new_head(own(), 1)
    with pytest.raises(ShapeError, match="std > 0"):
        models.with_new_head(models.build("lenet5"), 3, std=0.0)
    with pytest.raises(ValueError, match="no Standardize layer"):
        models.with_new_head(own(), 3, mean=0.5)


def test_frozen_layers_stay_while_the_others_learn(tmp_path):
    net = trained("vgg")
    y = np.arange(12) % 3
    last = len(net.layers) - 1
    for count in (4, "all"):
        new = models.freeze(models.with_new_head(net, 3), count)
        before = arrays(new)
        nc.fit(new, X, y, epochs=2, batch_size=6, progress=False)
        end = last if count == "all" else count
        for name, array in arrays(new).items():
            if not name.endswith(".b"):  # a bias below batch norm has no gradient
                still = np.array_equal(array, before[name])
                assert still == (int(name.partition(".")[0]) < end), name
        nc.save(tmp_path / "frozen.npz", new)
        np.testing.assert_array_equal(
            nc.predict(nc.load(tmp_path / "frozen.npz"), X), nc.predict(new, X)
        )


def test_freezing_is_taken_back_and_constants_of_an_import_stay():
    net = trained("resnet")
    frozen = models.freeze(net, 5)
    assert same(arrays(models.thaw(frozen)), arrays(net))
    assert (
        named_params(models.thaw(models.freeze(frozen, "all"))).keys() == named_params(net).keys()
    )
    assert models.with_new_head(frozen, 10).summary(SHAPE).trainable == net.summary(SHAPE).trainable
    constant = layers.Frozen(layers.BatchNorm(1))
    imported = layers.Sequential(constant, *own().layers)
    assert models.thaw(imported).layers[0] is constant
    assert models.thaw(models.freeze(imported, 3)).layers[0] is constant
    for wrong in (0, 6, True, "some"):
        with pytest.raises(ValueError, match="expected 1 to 5, or 'all'"):
            models.freeze(imported, wrong)


def test_fused_frozen_layers_compute_the_same_and_end_the_backward_pass():
    net = models.freeze(trained("vgg"), 9)
    x = X.astype(np.float32) / 255
    for fast in (fuse(net), fuse(net, input_gradient=False)):
        y, cache = net.forward(x, train=False)
        z, fast_cache = fast.forward(x, train=False)
        np.testing.assert_allclose(z, y, rtol=1e-4, atol=1e-5)
        dy = np.ones_like(y)
        grads = []
        for one, kept in ((net, cache), (fast, fast_cache)):
            for param in net.params():
                param.grad = None
            one.backward(dy, kept)
            grads.append([param.grad for param in net.params()])
        for a, b in zip(*grads, strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-3, atol=1e-5)
    assert sum(isinstance(layer, layers.Frozen) for layer in fast.layers) == 1


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_a_scaled_rate_is_that_rate(name):
    """One optimiser with factors equals two optimisers with rates of their own."""

    def step(build):
        net = own()
        rng = np.random.default_rng(3)
        for step in build(net):
            for param in net.params():
                param.grad = rng.standard_normal(param.value.shape).astype(np.float32)
            for one in step:
                one.step()
        return arrays(net)

    def scaled(net):
        one = optim.OPTIMIZERS[name](net.params(), lr=0.01)
        one.scale(models.body(net), 0.1)
        return [[one]] * 3

    def apart(net):
        kind, below = optim.OPTIMIZERS[name], models.body(net)
        head = [p for p in net.params() if all(p is not q for q in below)]
        return [[kind(below, lr=0.01 * 0.1), kind(head, lr=0.01)]] * 3

    assert same(step(scaled), step(apart))
    with pytest.raises(ValueError, match="finite and at least 0, not -1"):
        optim.SGD(own().params()).scale([], -1)


def test_resume_holds_to_the_rates(tmp_path):
    y = np.arange(12) % 3

    def fit(factor, **more):
        net = models.freeze(models.with_new_head(trained("vgg"), 3), 4)
        adam = optim.Adam(net.params(), lr=0.01)
        adam.scale(models.body(net), factor)
        given = {"epochs": 2, "batch_size": 6, "progress": False, "optimizer": adam}
        nc.fit(net, X, y, out=tmp_path, **given, **more)
        return arrays(net)

    whole = fit(0.1)
    assert same(fit(0.1, resume=True), whole)
    with pytest.raises(nc.errors.CheckpointError, match="factors"):
        fit(0.2, resume=True)


@pytest.mark.parametrize("wrong", [{"mean": 72.9, "std": 90.0}, {"mean": 72.9}, {"std": 90.0}])
def test_mean_and_deviation_of_pixels_to_255_are_refused(wrong):
    with pytest.raises(ValueError, match="pixels from 0 to 1: divide by 255"):
        models.with_new_head(nc.load("pretrained:small"), 4, **wrong)

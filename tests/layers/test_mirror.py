"""Mirror layers against their readable definition: images and mirror images side by side.

There, ordinary convolutions see both, stacked on the batch; between two layers each map gets its
partner, the map of the other image, mirrored. Nothing is done to the weights.
"""

import copy

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import layers, models
from numpycnn.errors import ShapeError
from numpycnn.layers.activation import ACTIVATIONS
from tests.naive import agree


class Twin(layers.Layer):
    """(N, ...) -> (2N, ...): the images, then their mirror images."""

    def forward(self, x, train=False):
        return np.concatenate([x, x[:, :, ::-1]]), None

    def backward(self, dy, cache):
        n = len(dy) // 2
        return dy[:n] + dy[n:, :, ::-1]


class Exchange(layers.Layer):
    """(2N, H, W, F) -> (2N, H, W, 2F): after each image's maps those of its twin, mirrored."""

    def forward(self, x, train=False):
        other = np.roll(x, len(x) // 2, axis=0)[:, :, ::-1]
        return np.concatenate([x, other], axis=3), None

    def backward(self, dy, cache):
        own, other = np.split(dy, 2, axis=3)
        return own + np.roll(other[:, :, ::-1], len(dy) // 2, axis=0)


class TwinMean(layers.Layer):
    """(2N, F) -> (N, F)"""

    def forward(self, x, train=False):
        n = len(x) // 2
        return (x[:n] + x[n:]) / 2, None

    def backward(self, dy, cache):
        return np.concatenate([dy, dy]) / 2


def definition(net):
    """The readable form of a mirror_vgg, with the same weights: arrays of its own."""
    plain = [net.layers[0], Twin()]
    for layer in net.layers[1:]:
        if type(layer) is layers.MirrorConv2D:
            plain += [] if layer.first else [Exchange()]
            *_, c, f = layer.w.value.shape
            conv = layers.Conv2D(c, f, 3, bias=False, rng=np.random.default_rng(0))
            conv.w.value = layer.w.value.copy()
            plain.append(conv)
        elif type(layer) is layers.MirrorBatchNorm:
            norm = layers.BatchNorm(len(layer.gamma.value))
            norm.gamma.value, norm.beta.value = layer.gamma.value.copy(), layer.beta.value.copy()
            plain.append(norm)
        else:
            plain.append(TwinMean() if type(layer) is layers.MirrorMean else copy.deepcopy(layer))
    return layers.Sequential(*plain)


def small(dtype=np.float32):
    net = models.build("mirror_vgg", seed=3, filters=(4, 6, 8), mean=0.1, std=0.9)
    rng = np.random.default_rng(4)
    for param in net.params():
        if param.name in ("gamma", "beta"):
            param.value = param.value + 0.3 * rng.standard_normal(param.value.shape)
        param.value = param.value.astype(dtype)
    return net


def images(n=5, dtype=np.float32):
    return np.random.default_rng(5).standard_normal((n, 28, 28, 1)).astype(dtype)


def passes(net, x):
    """Logits, dx, the parameters' gradients and the running statistics of one step of training."""
    y, cache = net.forward(x, train=True)
    dx = net.backward(np.random.default_rng(6).standard_normal(y.shape).astype(y.dtype), cache)
    buffers = layers.traverse.named_buffers(net).values()
    return [y, dx, *(param.grad for param in net.params()), *buffers]


@pytest.mark.parametrize("fused", [False, True], ids=["", "fused"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_is_the_definition(fused, dtype, each_backend):
    net, x = small(dtype), images(dtype=dtype)
    plain = definition(net)
    got = passes(layers.fuse(net) if fused else net, x)
    for one, two in zip(got, passes(plain, x), strict=True):
        agree(one, two)
    agree(net.infer(x), plain.infer(x))  # with the running statistics of that step


@pytest.mark.parametrize("fused", [False, True], ids=["", "fused"])
def test_an_image_and_its_mirror_image_get_the_same_answer(fused, each_backend):
    net, x = small(), images()
    net = layers.fuse(net) if fused else net
    for train in (True, False):
        y, mirrored = net.forward(x, train)[0], net.forward(x[:, :, ::-1], train)[0]
        assert np.abs(y).max() > 0.1
        assert np.abs(y - mirrored).max() < 1e-5
    assert np.abs(net.infer(x) - net.infer(x[:, :, ::-1])).max() < 1e-5
    assert np.abs(net.infer(x) - net.infer(x[:, ::-1])).max() > 1e-3  # upside down is another


@pytest.mark.parametrize("fused", [False, True])
def test_images_of_a_width_that_would_break_the_symmetry_are_refused(fused, tmp_path):
    """Built for 28 columns, it takes images of 24, and none of 26, 29 or 30; a saved one too."""
    net = models.mirror_vgg(filters=(3, 4, 5), depth=1, rng=np.random.default_rng(0))
    nc.save(tmp_path / "net.npz", net)
    for one in (net, nc.load(tmp_path / "net.npz")):
        one = layers.fuse(one) if fused else one
        assert one.infer(np.zeros((1, 27, 24, 1), np.float32)).shape == (1, 10)
        for width in (26, 29, 30):
            x = np.zeros((2, 28, width, 1), np.float32)
            for run in (one.infer, one.forward, lambda x, one=one: one.forward(x, train=True)):
                with pytest.raises(ShapeError, match=r"layer \d+ .* leaves out the last 1 of"):
                    run(x)


def test_only_a_symmetric_pool_is_written_as_one():
    assert layers.MaxPool2D(2).config() == {"size": 2, "stride": None}
    pool = layers.MaxPool2D(3, 2, symmetric=True)
    assert repr(pool) == "MaxPool2D(size=3, stride=2, symmetric=True)"
    assert pool.infer(np.zeros((1, 5, 7, 1))).shape == (1, 2, 3, 1)
    with pytest.raises(ShapeError, match="leaves out the last 1 of 6"):
        pool.infer(np.zeros((1, 5, 6, 1)))


def test_and_so_it_is_after_training():
    net = models.build("mirror_vgg", filters=(4, 6), depth=1, dropout=0.1, input_shape=(12, 12, 1))
    rng = np.random.default_rng(7)
    x, y = rng.integers(0, 255, (40, 12, 12, 1)).astype(np.uint8), np.arange(40) % 10
    nc.fit(net, x, y, epochs=2, batch_size=8, progress=False)
    plain = nc.evaluate(net, x, y)
    assert nc.evaluate(net, x, y, flip=True)["loss"] == pytest.approx(plain["loss"], abs=1e-5)
    assert np.abs(net.infer(x) - net.infer(x[:, :, ::-1])).max() < 1e-5


def test_fuse_knows_the_layers_and_leaves_the_network_as_it_is():
    net = models.build("mirror_vgg", filters=(2, 3))
    fused = layers.fuse(net, input_gradient=False)
    kinds = [type(layer).__name__ for layer in fused.layers]
    assert kinds == [
        "Standardize", *["ConvBNReLU"] * 4, "GlobalAvgPool", "MirrorMean", "Dense",
    ]  # fmt: skip
    assert [layer.pool for layer in fused.layers[1:5]] == [1, 2, 1, 1]
    assert fused.summary((28, 28, 1)).multiply_adds == net.summary((28, 28, 1)).multiply_adds
    x = images()
    y, cache = fused.forward(x, train=True)
    assert fused.layers[1].conv.input_gradient is False
    assert net.layers[1].input_gradient is True
    fused.backward(y, cache)
    assert all(param.grad.shape == param.value.shape for param in net.params())


def test_a_mirror_convolution_without_batch_norm_is_fused_too(each_backend):
    rng = np.random.default_rng(8)
    conv = layers.MirrorConv2D(2, 3, 3, bias=True, rng=rng)
    conv.b.value[:] = rng.standard_normal(3)
    net, x = layers.Sequential(conv, layers.ReLU()), images().reshape(5, 14, 14, 4)
    wanted = passes(copy.deepcopy(net), x)
    fused = layers.fuse(net)
    assert len(fused.layers) == 1
    for one, two in zip(passes(fused, x), wanted, strict=True):
        agree(one, two)


def test_the_fused_form_refuses_what_the_layers_refuse():
    """A stride that meets the edges differently, and batch norm of other sizes."""
    rng, x = np.random.default_rng(9), np.zeros((2, 8, 8, 4), np.float32)
    conv = layers.MirrorConv2D(2, 4, 3, stride=2, rng=rng)
    for norm in (layers.MirrorBatchNorm(4), None):
        with pytest.raises(ShapeError, match="do not meet the left edge"):
            layers.ConvBNReLU(conv, norm).forward(x)
    conv = layers.MirrorConv2D(2, 4, 3, rng=rng)
    for norm in (layers.MirrorBatchNorm(2), layers.MirrorBatchNorm(3)):
        with pytest.raises(ShapeError, match="but the convolution has 4 filters"):
            layers.ConvBNReLU(conv, norm).forward(x)
    plain = layers.Conv2D(4, 4, 3, rng=rng)
    with pytest.raises(ShapeError, match=r"gamma has the shape \(2,\), but the convolution has 4"):
        layers.ConvBNReLU(plain, layers.BatchNorm(2)).infer(x)


def test_batch_norm_of_pairs_refuses_other_shapes():
    norm = layers.MirrorBatchNorm(3)
    with pytest.raises(ShapeError, match="expected 6 channels"):
        norm.forward(np.zeros((2, 4, 4, 3), np.float32))
    with pytest.raises(ShapeError, match="expected images"):
        norm.forward(np.zeros((2, 4, 6), np.float32))


def test_multiply_adds_count_every_map():
    layer = layers.MirrorConv2D(2, 3, 3, rng=np.random.default_rng(0))
    assert layer.multiply_adds((1, 5, 6, 4), (1, 5, 6, 6)) == 5 * 6 * 9 * 4 * 6


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_it_is_symmetric_with_every_activation(name):
    net, x = models.build("mirror_vgg", seed=1, filters=(4, 5), activation=name), images()
    net.forward(x, train=True)
    np.testing.assert_allclose(net.infer(x[:, :, ::-1]), net.infer(x), rtol=0, atol=1e-5)
    kinds = {type(layer) for layer in net.layers}
    assert type(layers.activation(name, 1)) in kinds

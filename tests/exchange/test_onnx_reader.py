"""Networks of PyTorch, Keras and our own, by way of an ONNX file."""

import re
import warnings

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import layers as L
from numpycnn.errors import CheckpointError
from numpycnn.exchange import onnx as exchange
from numpycnn.exchange.parts import part
from tests.exchange.networks import CLASSIFIERS, classifier, odd, painters

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
torch = pytest.importorskip("torch")
from tests.exchange import torch_networks as theirs  # noqa: E402

ODD, PAINTERS = odd(), painters()
pytestmark = pytest.mark.filterwarnings("ignore")


def nhwc(x):
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x


def largest(a, b):
    assert a.shape == b.shape
    return np.abs(a - b).max()


def exported(make, shape, path, dynamo):
    net = theirs.ready(make)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return net, theirs.export(net, shape, path, dynamo)


@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("name", theirs.NETWORKS)
def test_networks_of_torch(name, dynamo, tmp_path):
    make, shape = theirs.NETWORKS[name]
    net, path = exported(make, shape, tmp_path / "x.onnx", dynamo)
    x = torch.randn(100, *shape)
    expected = nhwc(net(x).detach().numpy())
    got = exchange.load(path)
    assert got.input_shape == ((*shape[1:], shape[0]) if len(shape) == 3 else shape)
    y = got.infer(nhwc(x.numpy()))
    if name == "tutorial":  # it ends in a log-softmax, ours in logits
        y = y - np.log(np.exp(y).sum(1, keepdims=True))
    assert largest(y, expected) <= 2e-6 * max(1, np.abs(expected).max())
    nc.save(tmp_path / "x.npz", got)
    assert np.array_equal(
        nc.load(tmp_path / "x.npz").infer(nhwc(x.numpy())), got.infer(nhwc(x.numpy()))
    )


def test_the_layers_are_those_that_a_person_would_write(tmp_path):
    _, path = exported(theirs.vgg, (1, 28, 28), tmp_path / "x.onnx", False)
    kinds = [type(layer).__name__ for layer in exchange.load(path).layers]
    assert [k for k in kinds if k != "BatchNorm"] == [
        *("Conv2D", "LeakyReLU", "MaxPool2D", "Conv2D", "PReLU", "GlobalAvgPool", "Dense"),
    ]


@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("name", theirs.REFUSED)
def test_what_is_not_known_is_named_in_one_line(name, dynamo, tmp_path):
    make, words = theirs.REFUSED[name]
    _, path = exported(make, (1, 9, 9), tmp_path / "x.onnx", dynamo)
    with pytest.raises(CheckpointError) as caught:
        exchange.load(path)
    assert str(caught.value).isprintable()
    assert str(caught.value).startswith(path)
    for word in words:
        assert re.search(word, str(caught.value)), (word, str(caught.value))


def back(net, shape, tmp_path, **options):
    exchange.save(tmp_path / "x.onnx", net, input_shape=shape, check=False, **options)
    return exchange.load(tmp_path / "x.onnx")


@pytest.mark.parametrize("options", [{}, {"fold": False, "layout": "nhwc"}])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_our_own_files_come_back(name, options, tmp_path):
    net = classifier(name)
    x = np.random.default_rng(0).random((20, 28, 28, 1)).astype(np.float32)
    got = back(net, (28, 28, 1), tmp_path, **options)
    assert largest(got.infer(x), net.infer(x)) <= 2e-6 * np.abs(net.infer(x)).max() + 2e-5
    if not options.get("fold", True) and name != "mirror_vgg":  # there as plain convolutions
        assert np.array_equal(got.infer(x), net.infer(x))
        plain = [k for k in map(type, net.layers) if k is not L.Dropout]
        if name not in ("resnet", "densenet"):
            assert [type(layer) for layer in got.layers] == plain


def test_uint8_and_classes_come_back(tmp_path, garments):
    net = nc.load("pretrained:small")
    got = back(net, None, tmp_path, input="uint8", softmax=True)
    expected = net.infer(garments)
    assert largest(got.infer(garments), expected) <= 2e-6 * np.abs(expected).max() + 2e-5
    assert got.metadata["classes"] == net.metadata["classes"]
    assert got.layers[0].mean == pytest.approx(net.layers[0].mean, rel=1e-6)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("name", ODD)
def test_odd_geometry_comes_back(name, layout, tmp_path):
    net, shape = ODD[name]
    x = np.random.default_rng(1).standard_normal((7, *shape)).astype(np.float32)
    got = back(net, shape, tmp_path, layout=layout)
    assert got.input_shape == shape
    assert largest(got.infer(x), net.infer(x)) <= 2e-6 * np.abs(net.infer(x)).max() + 2e-5


@pytest.mark.parametrize("name", PAINTERS)
def test_parts_of_generative_networks_come_back(name, tmp_path):
    layers, shape = part(*PAINTERS[name])
    x = np.random.default_rng(1).random((7, *shape)).astype(np.float32)
    got = back(layers, shape, tmp_path)
    assert largest(got.infer(x), layers.infer(x)) <= 2e-6 * np.abs(layers.infer(x)).max() + 2e-5

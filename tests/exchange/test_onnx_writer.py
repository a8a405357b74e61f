"""Every network, exported: onnx.checker takes the file, and onnxruntime's answers are ours."""

import json

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import layers as L
from numpycnn.exchange import onnx as exchange
from numpycnn.exchange.fold import fold
from numpycnn.exchange.graph import ExportError, trace
from numpycnn.exchange.parts import part
from numpycnn.layers.traverse import named_buffers, named_params
from tests.exchange.networks import CLASSIFIERS, Silent, classifier, odd, painters, randomized

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
ODD, PAINTERS = odd(), painters()


def session(content):
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def answers(content, x, layout="nchw", batch=250):
    """onnxruntime's, NHWC in and out."""
    model = session(content)
    name = model.get_inputs()[0].name
    nchw = layout == "nchw"
    fed = np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if nchw and x.ndim == 4 else x
    parts = [model.run(None, {name: fed[i : i + batch]})[0] for i in range(0, len(fed), batch)]
    y = np.concatenate(parts)
    return y.transpose(0, 2, 3, 1) if nchw and y.ndim == 4 else y


def checked(content):
    """The model, after onnx.checker."""
    model = onnx.load_model_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    return model


def ours(net, x):
    return np.concatenate([net.infer(x[i : i + 250]) for i in range(0, len(x), 250)])


def assert_same(y, expected):
    assert y.shape == expected.shape
    assert np.abs(y - expected).max() <= 2e-6 * np.abs(expected).max() + 2e-5


def ops_of(model):
    return {node.op_type for node in model.graph.node}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier(name, garments):
    net = classifier(name)
    x = garments.astype(np.float32) / 255
    expected = ours(net, x)
    for folded in (True, False):
        content = exchange.encode(net, (28, 28, 1), fold=folded)
        model = checked(content)
        assert "Transpose" not in ops_of(model)
        y = answers(content, x)
        assert_same(y, expected)
        assert (y.argmax(1) == expected.argmax(1)).all()
        assert_same(answers(content, x[:20], batch=1), expected[:20])
    content = exchange.encode(net, (28, 28, 1), layout="nhwc", input="uint8", softmax=True)
    assert checked(content).graph.output[0].name == "probabilities"
    assert_same(answers(content, garments, "nhwc"), nc.ops.softmax(ours(net, garments))[0])


@pytest.mark.parametrize("name", ["paper", "small", "accurate"])
def test_the_pretrained_ones(name, garments):
    net = nc.load(f"pretrained:{name}")
    content = exchange.encode(net, (28, 28, 1), input="uint8", metadata=net.metadata)
    y, expected = answers(content, garments), ours(net, garments)
    assert_same(y, expected)
    assert (y.argmax(1) == expected.argmax(1)).all()
    noted = {p.key: p.value for p in checked(content).metadata_props}
    assert json.loads(noted["classes"]) == net.metadata["classes"]
    preprocessing = json.loads(noted["preprocessing"])
    assert preprocessing["dtype"] == "uint8"
    assert preprocessing["inside"] == {"mean": net.layers[0].mean, "std": net.layers[0].std}


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("name", ODD)
def test_odd_geometry(name, layout):
    net, shape = ODD[name]
    x = np.random.default_rng(1).standard_normal((7, *shape)).astype(np.float32)
    expected = net.infer(x)
    for folded in (True, False):
        content = exchange.encode(net, shape, layout=layout, fold=folded)
        model = checked(content)
        assert_same(answers(content, x, layout), expected)
        dims = [
            d.dim_value or d.dim_param for d in model.graph.output[0].type.tensor_type.shape.dim
        ]
        seen = (
            expected.transpose(0, 3, 1, 2) if layout == "nchw" and expected.ndim == 4 else expected
        )
        assert dims == ["N", *seen.shape[1:]]


@pytest.mark.parametrize("name", PAINTERS)
def test_parts_of_generative_networks(name):
    net, chosen = PAINTERS[name]
    layers, shape = part(net, chosen)
    x = np.random.default_rng(1).random((7, *shape)).astype(np.float32)
    content = exchange.encode(layers, shape)
    checked(content)
    assert_same(answers(content, x), layers.infer(x))


def test_parts_are_what_the_networks_do():
    rng = np.random.default_rng(0)
    labels = np.array([0, 2, 1])
    codes = np.concatenate(
        [z := rng.normal(size=(3, 5)).astype(np.float32), np.eye(3, dtype=np.float32)[labels]], 1
    )
    for name in ("gan3", "vae3"):
        net, _ = PAINTERS[f"{name} decoder"]
        assert np.array_equal(part(net, "decoder")[0].infer(codes), net.decode(z, labels))
    net, _ = PAINTERS["vae0 encoder"]
    x = rng.random((3, 8, 8, 1)).astype(np.float32)
    assert np.array_equal(part(net, "encoder")[0].infer(x), net.encode(x))


def test_no_transpose_for_a_dense_layer_beside_an_image():
    for name in ("vae3 decoder", "autoencoder None"):
        layers, shape = part(*PAINTERS[name])
        assert not ops_of(checked(exchange.encode(layers, shape))) & {"Transpose", "Gather"}


def test_folding_takes_batch_norm_away_and_changes_nothing_in_the_network():
    net = classifier("vgg")
    before = {k: p.value.copy() for k, p in named_params(net).items()}
    nodes = trace(net, (28, 28, 1))
    assert {n.op for n in fold(nodes)} == {n.op for n in nodes} - {"batch_norm"}
    assert all(np.array_equal(before[k], p.value) for k, p in named_params(net).items())
    assert named_buffers(net)


def test_what_cannot_go_is_named():
    conv = L.Conv2D(1, 2, 3)
    with pytest.raises(ExportError, match=r"layer 1\.branches\.0 \(Silent\).*export\(\)"):
        exchange.encode(L.Sequential(conv, L.Add(Silent(), Silent())), (4, 4, 1))
    with pytest.raises(nc.errors.ShapeError, match=r"layer 1 .*Conv2D.*2 channels, expected 1"):
        exchange.encode(L.Sequential(conv, conv), (4, 4, 1))
    with pytest.raises(ExportError, match="Standardize"):
        exchange.encode(L.Sequential(conv), (4, 4, 1), input="uint8")
    with pytest.raises(ExportError, match="softmax"):
        exchange.encode(L.Sequential(conv), (4, 4, 1), softmax=True)
    with pytest.raises(ExportError, match="nchw or nhwc, not 'hwcn'"):
        exchange.encode(L.Sequential(conv), (4, 4, 1), layout="hwcn")
    with pytest.raises(ExportError, match="choose a part of it: generator"):
        part(PAINTERS["gan0 generator"][0])
    with pytest.raises(ExportError, match="input_shape"):
        part(L.Sequential(conv))
    with pytest.raises(ExportError, match="no part 'encoder'; its parts: none"):
        part(classifier("lenet5"), "encoder")


def test_saving_checks_the_answers_first(tmp_path, monkeypatch):
    net = classifier("lenet5")
    path = tmp_path / "net.onnx"
    result = exchange.save(path, net)
    assert result["bytes"] == path.stat().st_size
    assert 0 <= result["error"] < 1e-4
    path.unlink()
    wrong = randomized(classifier("lenet5"), seed=4)
    monkeypatch.setattr(net, "infer", wrong.infer)
    with pytest.raises(ExportError, match="other answers"):
        exchange.save(path, net)
    assert not path.exists()

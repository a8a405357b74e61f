"""Keras 3, on PyTorch: there, back to the bit, and networks that were made there."""

import contextlib
import io
import json
import zipfile

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import backend, ops
from numpycnn import layers as L
from numpycnn.errors import CheckpointError
from numpycnn.exchange.graph import ExportError
from numpycnn.exchange.names import state_dict
from numpycnn.exchange.parts import part
from tests.exchange.faults import attempt, cuts, flips, splices
from tests.exchange.networks import CLASSIFIERS, classifier, odd, painters

pytest.importorskip("torch")
keras = pytest.importorskip("keras")
from numpycnn.exchange import keras as exchange  # noqa: E402
from tests.exchange import keras_networks as theirs  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
ODD, PAINTERS = odd(), painters()


@contextlib.contextmanager
def plain_ops():
    """NumPy's passes, without kernels."""
    before = backend.backend()
    nc.use("numpy")
    try:
        yield
    finally:
        nc.use(before)


def assert_same(y, expected):
    assert y.shape == expected.shape
    assert np.abs(y - expected).max() <= 2e-6 * np.abs(expected).max() + 2e-5


def assert_equal(a, b):
    """The same arrays in the same order."""
    a, b = state_dict(a).values(), state_dict(b).values()
    assert [one.tobytes() for one in a] == [one.tobytes() for one in b]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_there_and_back(name, tmp_path, garments):
    net = classifier(name)
    x = garments[:40].astype(np.float32) / 255
    expected = net.infer(x)
    exchange.save(tmp_path / "x.keras", net)
    model = keras.models.load_model(tmp_path / "x.keras")
    assert_same(theirs.answers(model, x), expected)
    for back in (exchange.load(tmp_path / "x.keras"), exchange.from_keras(model)):
        assert back.input_shape == (28, 28, 1)
        if name == "mirror_vgg":  # there as plain convolutions
            assert_same(back.infer(x), expected)
            continue
        assert_equal(back, net)
        assert np.array_equal(back.infer(x), expected)
        assert np.array_equal(back.infer(garments[:40]), net.infer(garments[:40]))


@pytest.mark.parametrize("name", ["paper", "small-1", "accurate-1"])
def test_the_pretrained_ones(name, tmp_path, garments):
    """Within 2e-5 of the plain ops. The kernels' own rounding (Winograd) is larger: on `paper`,
    at logits of 37, they are 5.7e-5 from a float64 pass, Keras and the plain ops 2.0e-5.
    """
    net = nc.load(f"pretrained:{name}")
    x = garments[:200].astype(np.float32) / 255
    result = exchange.save(tmp_path / "x.keras", net)
    assert 0 < result["error"] <= 1e-4
    there = theirs.answers(exchange.to_keras(net), x)
    assert_same(there, net.infer(x))
    with plain_ops():
        assert np.abs(there[:50] - net.infer(x[:50])).max() <= 2e-5
    back = exchange.load(tmp_path / "x.keras")
    assert np.array_equal(back.infer(x), net.infer(x))
    kinds = [type(layer) for layer in back.layers]
    assert kinds == [type(layer) for layer in net.layers]


@pytest.mark.parametrize("name", ODD)
def test_odd_geometry(name, tmp_path):
    net, shape = ODD[name]
    x = np.random.default_rng(1).standard_normal((7, *shape)).astype(np.float32)
    if name == "transposed 3 2 valid":
        net.layers[0].padding = "valid"
    net.input_shape = shape
    exchange.save(tmp_path / "x.keras", net)
    assert_same(theirs.answers(exchange.to_keras(net), x), net.infer(x))
    assert_same(exchange.load(tmp_path / "x.keras").infer(x), net.infer(x))


@pytest.mark.parametrize("name", PAINTERS)
def test_parts_of_generative_networks(name, tmp_path):
    net, chosen = PAINTERS[name]
    layers, shape = part(net, chosen)
    x = np.random.default_rng(1).random((7, *shape)).astype(np.float32)
    exchange.save(tmp_path / "x.keras", net, chosen)
    assert_same(theirs.answers(keras.models.load_model(tmp_path / "x.keras"), x), layers.infer(x))
    back = exchange.load(tmp_path / "x.keras").infer(x)
    if name.startswith("vae") and "decoder" not in name:  # Sampling is there as a matrix
        assert_same(back, layers.infer(x))
    else:
        assert np.array_equal(back, layers.infer(x))


@pytest.mark.parametrize("name", theirs.NETWORKS)
def test_networks_that_were_made_there(name, tmp_path):
    model, x = theirs.ready(theirs.NETWORKS[name])
    model.save(tmp_path / "x.keras")
    expected = theirs.answers(model, x)
    for net in (exchange.load(tmp_path / "x.keras"), exchange.from_keras(model)):
        y = net.infer(x)
        y = ops.softmax(y)[0] if name == "tutorial" else y
        assert np.abs(y - expected).max() <= 1e-6 * max(1, np.abs(expected).max())


def test_a_step_of_training_changes_running_statistics_alike():
    net = L.Sequential(L.Conv2D(1, 3, 3, rng=np.random.default_rng(0)), L.BatchNorm(3))
    net.input_shape = (6, 6, 1)
    model = exchange.to_keras(net)
    x = np.random.default_rng(1).random((5, 6, 6, 1)).astype(np.float32)
    y, _ = net.forward(x, train=True)
    there = keras.ops.convert_to_numpy(model(x, training=True).detach())
    assert np.abs(there - y).max() < 1e-5
    back = exchange.from_keras(model)
    assert np.allclose(back.layers[1].running_var, net.layers[1].running_var, rtol=1e-6)
    assert np.allclose(back.layers[1].running_mean, net.layers[1].running_mean, rtol=1e-5)


def test_what_is_not_known_is_named_in_one_line(tmp_path):
    K = keras.layers
    model = keras.Sequential([
        *(keras.Input((8, 8, 2)), K.SeparableConv2D(4, 3, name="two"), K.Activation("softplus")),
        *(K.MaxPooling2D(2, padding="same"), K.RMSNormalization(), K.Flatten(), K.Dense(2)),
    ])  # fmt: skip
    with pytest.raises(CheckpointError) as caught:
        exchange.from_keras(model)
    for word in ("SeparableConv2D (two)", "RMSNormalization", "padding same", "softplus"):
        assert word in str(caught.value)
    twice, x = K.Dense(3), keras.Input((3,))
    with pytest.raises(CheckpointError, match="is used 2 times"):
        exchange.from_keras(keras.Model(x, twice(twice(x))))
    net = L.Sequential(L.Conv2D(1, 1, 3, 2, 1, dilation=2))
    net.input_shape = (7, 7, 1)
    with pytest.raises(ExportError, match="no stride beside a dilation"):
        exchange.to_keras(net)
    net = L.Sequential(L.ConvTranspose2D(1, 1, 2, 3, "valid"))
    net.input_shape = (4, 4, 1)
    with pytest.raises(ExportError, match="kernel smaller than its stride"):
        exchange.to_keras(net)


def test_zeros_around_an_image_and_pixels_cut_off():
    K, x = keras.layers, np.random.default_rng(0).random((3, 8, 6, 2)).astype(np.float32)

    def built(*layers):
        return keras.Sequential([keras.Input((8, 6, 2)), *layers])

    for layers, kinds in (
        ([K.ZeroPadding2D((2, 1)), K.Conv2D(3, 3)], ["Conv2D"]),
        ([K.ZeroPadding2D(((0, 1), (0, 1))), K.Conv2D(3, 3, 2)], ["Conv2D"]),  # MobileNet's
        ([K.Conv2DTranspose(3, 4, 2), K.Cropping2D((1, 2))], ["ConvTranspose2D"]),
    ):
        model = built(*layers)
        net = exchange.from_keras(model)
        assert [type(layer).__name__ for layer in net.layers] == kinds
        assert np.abs(net.infer(x) - theirs.answers(model, x)).max() <= 1e-6
    for layers, message in (
        ([K.ZeroPadding2D(1), K.MaxPooling2D(2)], "stand before no convolution"),
        ([K.ZeroPadding2D(1)], "stand before no convolution"),
        ([K.ZeroPadding2D(((3, 0), (0, 0))), K.Conv2D(3, 3)], r"zeros \(\(3, 0\), \(0, 0\)\) that"),
        ([K.Cropping2D(1), K.Conv2D(3, 3)], "an image is cut by"),
        ([K.Conv2DTranspose(3, 4, 2), K.Cropping2D(((1, 0), (0, 0)))], "cuts both sides alike"),
    ):
        with pytest.raises(CheckpointError, match=message):
            exchange.from_keras(built(*layers))


# ---- files from a stranger --------------------------------------------------------------------


def content(tmp_path):
    net = L.Sequential(L.Conv2D(1, 2, 3, rng=np.random.default_rng(0)), L.GlobalAvgPool())
    net.input_shape = (4, 4, 1)
    exchange.save(tmp_path / "y.keras", net, check=False)
    return (tmp_path / "y.keras").read_bytes()


def test_cut_flipped_and_spliced_files(tmp_path):
    whole = content(tmp_path)
    for damaged in cuts(whole, 100):
        assert attempt(tmp_path / "x.keras", damaged, exchange.load) is None
    refused = [
        attempt(tmp_path / "x.keras", one, exchange.load) is None for one in flips(whole, 300)
    ]
    assert sum(refused) > 100
    for damaged in splices(whole, 100):
        attempt(tmp_path / "x.keras", damaged, exchange.load)


def changed(whole, change, compression=zipfile.ZIP_STORED):
    """The file with another config, its checksums right."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(file, "w", compression) as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                config = json.loads(data)
                config = change(config) or config
                data = config if isinstance(config, bytes) else json.dumps(config).encode()
            new.writestr(name, data)
    return file.getvalue()


def layer(config, i=1):
    return config["config"]["layers"][i]


FORGED = {
    "another class": lambda c: layer(c).update(class_name="Lambda"),
    "a module of code": lambda c: layer(c).update(module="os", class_name="system"),
    "a subclass": lambda c: c.update(class_name="Mine"),
    "a huge input": lambda c: layer(c, 0)["config"].update(batch_shape=[None, 1 << 40, 1, 1]),
    "no input": lambda c: layer(c, 0)["config"].update(batch_shape=None),
    "a loop": lambda c: layer(c)["inbound_nodes"][0]["args"][0]["config"].update(
        keras_history=[layer(c)["config"]["name"], 0, 0]
    ),
    "no JSON": lambda c: b"[" * 100_000,
    "a huge JSON": lambda c: b" " * (5 << 20),
    "a list": lambda c: b"[]",
    "a stride of 0": lambda c: layer(c)["config"].update(strides=[0, 0]),
    "no stride": lambda c: layer(c)["config"].pop("strides"),
    "another bias": lambda c: layer(c)["config"].update(use_bias=False),
    "an endless name": lambda c: layer(c).update(class_name="x" * 100_000),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_files(name, tmp_path):
    whole = changed(content(tmp_path), FORGED[name])
    assert attempt(tmp_path / "x.keras", whole, exchange.load) is None


def test_a_bomb_and_weights_that_are_elsewhere(tmp_path):
    bomb = changed(content(tmp_path), lambda c: None, zipfile.ZIP_DEFLATED)
    assert attempt(tmp_path / "x.keras", bomb, exchange.load) is None
    h5py = pytest.importorskip("h5py")
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(72))
    for link in ("external storage", "external link", "soft link"):
        file = io.BytesIO()
        with h5py.File(file, "w") as weights:
            group = weights.create_group("layers/conv2d/vars")
            if link == "external storage":
                group.create_dataset("0", (3, 3, 1, 2), "f4", external=[(str(secret), 0, 72)])
            else:
                far = h5py.ExternalLink(str(secret), "/0")
                group["0"] = far if link == "external link" else h5py.SoftLink("/other")
            group.create_dataset("1", (2,), "f4")
        old = zipfile.ZipFile(io.BytesIO(content(tmp_path)))
        with zipfile.ZipFile(tmp_path / "z.keras", "w") as new:
            new.writestr("config.json", old.read("config.json"))
            new.writestr("model.weights.h5", file.getvalue())
        with pytest.raises(CheckpointError, match="plain arrays"):
            exchange.load(tmp_path / "z.keras")

"""export and import, as commands."""

import json
import pathlib
import re
import shutil

import numpy as np
import pytest

import numpycnn as nc
from numpycnn.exchange import int8


def test_export_writes_a_new_file_and_says_how_exact_it_is(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pytest.importorskip("onnxruntime")
    code, out, err = run("export", "pretrained:small", "--to", "onnx")
    assert (code, err) == (0, "")
    assert out.startswith("small.onnx: ")
    assert "largest difference on 8 images" in out
    arguments = ["--layout", "nhwc", "--input", "uint8", "--softmax", "--no-fold", "--json"]
    code, out, _ = run("export", "pretrained:small", "--to", "onnx", *arguments)
    result = json.loads(out)
    assert result["file"] == "small-2.onnx"
    assert result["bytes"] == (tmp_path / "small-2.onnx").stat().st_size
    assert result["error"] < 1e-5
    code, out, _ = run(
        "export", "pretrained:gan", "--to", "onnx", "--part", "decoder", "--out", "x"
    )
    assert code == 0
    assert out.startswith("x: ")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["pretrained:small", "--to", "caffe"], 2, "invalid choice: 'caffe'"),
        (["pretrained:small"], 2, "--to"),
        (["pretrained:small", "--to", "onnx", "--part", "encoder"], 2, "no part 'encoder'"),
        (["pretrained:gan", "--to", "onnx"], 2, "choose a part of it: generator"),
        (
            ["pretrained:vae", "--to", "onnx", "--input", "uint8", "--part", "decoder"],
            2,
            "Standard",
        ),
        (["nowhere.npz", "--to", "onnx"], 3, "no such checkpoint"),
        (["pretrained:small", "--to", "onnx", "--out", "there"], 2, "it exists"),
        (
            ["pretrained:gan", "--to", "c", "--part", "critic"],
            2,
            "--part is for --to onnx, keras and safetensors, not for c",
        ),
        (["pretrained:small", "--to", "int8", "--softmax"], 2, "--softmax is for --to onnx"),
        (["pretrained:small", "--to", "keras", "--layout", "nchw"], 2, "--layout is for --to onnx"),
        (["pretrained:small", "--to", "c", "--input", "float"], 2, "--input is for --to onnx"),
        (["pretrained:small", "--to", "safetensors", "--no-fold"], 2, "--no-fold is for --to onnx"),
    ],
)
def test_a_mistake_of_export_gets_one_line(arguments, code, message, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").touch()
    found, out, err = run("export", *arguments)
    assert (found, out) == (code, "")
    assert err.count("\n") == 1
    assert message in err
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_file_goes_out_and_comes_in(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("export", "pretrained:small", "--to", "onnx", "--input", "uint8", "--out", "x.onnx")
    code, out, err = run("import", "x.onnx", "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert (result["out"], result["input_shape"]) == ("x.npz", [28, 28, 1])
    net, before = nc.load("x.npz"), nc.load("pretrained:small")
    assert net.metadata["classes"] == before.metadata["classes"]
    x = np.random.default_rng(0).integers(0, 256, (8, 28, 28, 1)).astype(np.uint8)
    assert np.abs(net.infer(x) - before.infer(x)).max() < 1e-4
    code, out, err = run("import", "x.onnx", "--out", "y.npz")
    assert code == 0
    assert out.startswith("y.npz: images or features (28, 28, 1), ")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["x.h5"], 2, "expected a file that ends in .onnx"),
        (["x.onnx"], 3, "no such file"),
        (["there.onnx"], 3, "damaged"),
        (["there.onnx", "--out", "there.onnx"], 2, "it exists"),
        (
            ["there.onnx", "--like", "pretrained:small"],
            2,
            "--like is for .safetensors, not for .on",
        ),
        (["x.keras", "--flatten", "nhwc"], 2, "--flatten is for .safetensors, not for .keras"),
    ],
)
def test_a_mistake_of_import_gets_one_line(arguments, code, message, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.onnx").touch()
    found, out, err = run("import", *arguments)
    assert (found, out) == (code, "")
    assert err.count("\n") == 1
    assert message in err
    assert [path.name for path in tmp_path.iterdir()] == ["there.onnx"]


def test_keras_goes_out_and_comes_in(run, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("keras")
    pytest.importorskip("h5py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    code, out, _ = run("export", "pretrained:small", "--to", "keras")
    assert code == 0
    assert "largest difference on 8 images" in out
    code, _, err = run("import", "small.keras")
    assert (code, err) == (0, "")
    x = np.random.default_rng(0).integers(0, 256, (8, 28, 28, 1)).astype(np.uint8)
    assert np.array_equal(nc.load("small.npz").infer(x), nc.load("pretrained:small").infer(x))


def test_an_imported_network_takes_pictures_or_says_how(run, tmp_path, monkeypatch):
    """The Rescaling of pixels from 0 to 255 is known; of a network without one nothing is."""
    pytest.importorskip("torch")
    pytest.importorskip("h5py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    rng, K = np.random.default_rng(0), keras.layers
    x = rng.integers(0, 256, (1, 8, 6, 3)).astype(np.uint8)
    nc.show(x, path="x.png")
    for name, first in (("scaled", [K.Rescaling(1 / 127.5, -1.0)]), ("raw", [])):
        layers = [*first, K.Conv2D(4, 3), K.GlobalAveragePooling2D(), K.Softmax()]
        model = keras.Sequential([keras.Input((8, 6, 3)), *layers])
        model.save(f"{name}.keras")
        code, _, err = run("import", f"{name}.keras")
        assert (code, err.count("\n")) == (0, 1)
        net = nc.load(f"{name}.npz")
        if not first:
            assert "Standardize(0, 1 / 255) if from 0 to 255" in err
            net.layers.insert(0, nc.layers.Standardize(0, 1 / 255))
        else:
            assert run("predict", "x.png", "--checkpoint", "scaled.npz")[0] == 0
        expected = keras.ops.convert_to_numpy(model(x.astype(np.float32)))
        assert np.abs(nc.predict(net, x) - expected).max() < 1e-5


def test_weights_go_out_and_come_in(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run("export", "pretrained:small", "--to", "safetensors")
    assert code == 0
    assert out.startswith("small.safetensors: ")
    assert "largest difference on 8 images 0.0" in out
    code, _, err = run("import", "small.safetensors")
    assert code == 2
    assert "--like" in err
    code, _, err = run("import", "small.safetensors", "--like", "pretrained:paper")
    assert code == 3
    code, _, err = run("import", "small.safetensors", "--like", "pretrained:small")
    assert (code, err) == (0, "")
    net, before = nc.load("small.npz"), nc.load("pretrained:small")
    pairs = zip(net.params(), before.params(), strict=True)
    assert all(np.array_equal(a.value, b.value) for a, b in pairs)
    assert net.metadata["classes"] == before.metadata["classes"]


# ---- whole numbers -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of small.npz, a little network of 28 x 28 images, and small.int8.npz."""
    folder = tmp_path_factory.mktemp("made")
    d = nc.data.load("synthetic")
    net = nc.models.build("vgg", 0, filters=(4, 6), depth=1, dropout=0, mean=d.mean, std=d.std)
    nc.fit(net, d.x_train[:300], d.y_train[:300], epochs=2, progress=False)
    nc.save(folder / "small.npz", net, classes=list(d.classes), data="synthetic")
    net = nc.load(folder / "small.npz")
    whole = int8.quantize(net, d.x_train[:64])
    nc.save(folder / "small.int8.npz", whole, **whole.metadata)
    return folder


@pytest.fixture
def small(made, tmp_path, monkeypatch):
    """Both in the working directory."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def test_an_integer_network_is_evaluated_predicts_and_is_explained(run, small):
    arguments = "--calibrate", "synthetic", "64", "--out", "new.npz"
    code, out, err = run("export", "small.npz", "--to", "int8", *arguments)
    assert (code, err) == (0, "")
    assert pathlib.Path("new.npz").stat().st_size > 442
    assert out.startswith("new.npz: 442 bytes of weights, ranges by 64 training images")
    assert "of 8 images 8 get the same answer" in out
    found = {}
    for name in ("small.npz", "small.int8.npz"):
        code, out, _ = run("evaluate", name, "--json")  # classes that are never predicted are noted
        assert code == 0
        found[name] = json.loads(out)["accuracy"]
    assert abs(found["small.npz"] - found["small.int8.npz"]) < 0.005
    nc.show(nc.data.load("synthetic").x_test[:1], path="x.png")
    code, out, err = run("predict", "x.png", "--checkpoint", "small.int8.npz")
    assert (code, err) == (0, "")
    assert out.startswith("x.png: ")
    code, out, err = run("explain", "small.int8.npz", "synthetic:0", "--out", "x.html")
    assert (code, err) == (0, "")
    page = pathlib.Path("x.html").read_text(encoding="utf-8")
    code = int(re.search(r"conv1\[.*?\]: .* = -?[\d,]+ .*\n× .* = (\d+)", page)[1])
    image = nc.data.load("synthetic").x_test[:1]
    assert code == int8.load("small.int8.npz").every(image)[1].max()
    for option in (("--train", 4), ("--data", "synthetic"), ("--size", 9)):
        code, _, err = run("explain", "small.int8.npz", "synthetic:0", *option)
        assert (code, err.count("\n")) == (2, 1)
        assert f"{option[0]} is for networks of floats, not for one of whole numbers" in err
    code, out, err = run("inspect", "small.int8.npz")
    assert (code, err.count("\n")) == (2, 1)


def test_a_c_file_tells_its_size_and_is_checked(run, small):
    code, out, err = run("export", "small.npz", "--to", "c", "--out", "my-net.c", "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert result["function"] == "my_net_infer"
    assert result["calibration"] == {"images": 500, "data": "synthetic"}
    assert result["bits"] in (0, None)  # None without a compiler
    assert f"arena[{result['ram']}]" in pathlib.Path("my-net.c").read_text()
    code, out, err = run("export", "small.int8.npz", "--to", "c")
    assert (code, err) == (0, "")
    assert re.match(r"small.c: [\d,]+ bytes of flash.* bytes of RAM, 70,620 multiply-adds", out)
    assert pathlib.Path("small.c").read_text().count("small_infer") == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["small.npz", "--to", "onnx", "--calibrate", "synthetic"], "is for --to int8 and c"),
        (
            ["small.npz", "--to", "c", "--calibrate", "synthetic", "many"],
            "a number of its training",
        ),
        (["small.npz", "--to", "c", "--calibrate", "synthetic", "0"], "a number of its training"),
        (["small.npz", "--to", "c", "--out", "small.npz"], "it exists"),
        (["small.int8.npz", "--to", "onnx"], "goes --to c alone"),
        (["small.int8.npz", "--to", "int8"], "goes --to c alone"),
        (["small.int8.npz", "--to", "c", "--calibrate", "synthetic"], "is calibrated already"),
        (["pretrained:vae", "--to", "int8"], "has no integer form"),
        (["pretrained:gan", "--to", "c"], "choose a part of it"),
    ],
)
def test_a_mistake_with_whole_numbers_gets_one_line(arguments, message, run, small):
    before = sorted(pathlib.Path().iterdir())
    code, out, err = run("export", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert sorted(pathlib.Path().iterdir()) == before

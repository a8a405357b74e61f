"""export and import, as commands."""

import json

import numpy as np
import pytest

import numpycnn as nc


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

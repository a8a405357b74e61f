"""exchange/README.md: its loader loads, its names are those of a checkpoint, its example runs."""

import io
import pathlib
import re
import zipfile

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import exchange, optim
from numpycnn.training import checkpoint, contents
from tests.exchange.networks import classifier

PAGE = pathlib.Path(exchange.__file__).with_name("README.md").read_text(encoding="utf-8")
EXAMPLE, LOADER = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def loader():
    found = {}
    exec(LOADER, found)
    return found["load"]


@pytest.mark.parametrize("name", ["resnet", "lenet5"])
def test_the_loader_gives_what_ours_gives(name, tmp_path):
    net = classifier(name)
    optimizer = optim.Adam(net.params())
    y, cache = net.forward(np.zeros((1, 28, 28, 1), np.float32), train=True)
    net.backward(y, cache)
    optimizer.step()
    nc.save(tmp_path / "x.npz", net, optimizer, classes=["a"])
    metadata, arrays = loader()(tmp_path / "x.npz")
    expected, own = checkpoint.read(tmp_path / "x.npz")
    assert metadata == expected
    assert arrays.keys() == own.keys()
    assert all(np.array_equal(arrays[key], own[key]) for key in own)
    assert {key.partition("/")[0] for key in own} >= {"param", "optimizer"}
    text = PAGE[PAGE.index("## What a checkpoint holds") :]
    documented = set(re.findall(r"`\.?(?:\w+/[\w.]*\.)?(\w+)`", text)) | {"NAME"}
    last = {key.rpartition(".")[2] for key in own if not key.startswith("optimizer")}
    assert last <= documented
    assert set(contents.OWN) <= documented
    assert set(metadata) - {"classes"} <= documented


def test_the_loader_is_short_needs_numpy_alone_and_refuses_what_is_damaged(tmp_path):
    body = LOADER[LOADER.index("def ") :]
    assert len(body.strip().splitlines()) <= 20
    assert "numpycnn" not in LOADER
    nc.save(tmp_path / "x.npz", classifier("lenet5"))
    with zipfile.ZipFile(tmp_path / "x.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for name in ("metadata.json", next(name for name in members if name.endswith("w.npy"))):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for key, data in members.items():
                archive.writestr(key, data[:-1] + b"!" if key == name else data)
        with pytest.raises(ValueError, match=f"{name.removesuffix('.npy')}.* is damaged"):
            loader()(file)


def test_the_example_runs(tmp_path, monkeypatch):
    for package in ("torch", "keras", "h5py", "onnxruntime"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(EXAMPLE, found)
    assert (tmp_path / "paper.onnx").stat().st_size > 100_000
    assert "conv1" in dict(found["module"].named_children())
    assert found["model"].count_params() > 100_000

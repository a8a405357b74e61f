"""safetensors, written and read by hand: the package agrees, and hostile files get one line."""

import copy
import json
import struct

import numpy as np
import pytest

from numpycnn import layers as L
from numpycnn.errors import CheckpointError
from numpycnn.exchange import safetensors as own
from numpycnn.exchange import weights
from numpycnn.exchange.names import state_dict
from numpycnn.exchange.structure import ExportError
from tests.exchange.faults import attempt, cuts, flips, splices


def arrays():
    rng = np.random.default_rng(0)
    found = {
        f"{name}.{i}": (rng.normal(size=(3, i, 2)) * 9).astype(np.dtype(name))
        for i, name in enumerate(own.DTYPES.values())
    }
    found["scalar"], found["weight with a name, ü"] = np.array(2.5, np.float32), rng.normal(size=7)
    found["fortran"] = np.asfortranarray(rng.normal(size=(3, 4)))
    return found


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].dtype == b[name].dtype, name
        assert a[name].shape == b[name].shape, name
        assert a[name].tobytes() == b[name].tobytes(), name


def test_the_package_reads_ours_and_we_read_the_package_s(tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    mine, theirs = tmp_path / "mine.safetensors", tmp_path / "theirs.safetensors"
    own.save(mine, arrays(), {"format": "pt"})
    assert_same(package.load_file(mine), arrays())
    package.save_file({k: np.array(v, order="C") for k, v in arrays().items()}, theirs, {"a": "b"})
    got, metadata = own.load(theirs)
    assert_same(got, arrays())
    assert metadata == {"a": "b"}


def test_bit_exact_there_and_back(tmp_path):
    path = tmp_path / "x.safetensors"
    special = np.array([np.nan, -0.0, np.inf, 5e-324])
    own.save(path, {"a": special, "none": np.zeros((0, 3), np.float32)})
    got, metadata = own.load(path)
    assert_same(got, {"a": special, "none": np.zeros((0, 3), np.float32)})
    assert metadata == {}
    assert got["a"].flags.writeable
    assert path.read_bytes() == own.encode(got)


def test_bfloat16_is_read_and_what_is_not_is_named(tmp_path):
    path, halves = tmp_path / "x.safetensors", np.array([0x3FC0, 0xC2F7], "<u2")  # 1.5, -123.5
    place = {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}
    path.write_bytes(forged({"a": place}, halves.tobytes()))
    assert_same(own.load(path)[0], {"a": np.array([1.5, -123.5], np.float32)})
    path.write_bytes(forged({"a": {**place, "dtype": "F8_E4M3", "shape": [4]}}, bytes(4)))
    with pytest.raises(CheckpointError, match=r"safetensors: 'a' is F8_E4M3, expected F64, F32"):
        own.load(path)


def test_what_it_cannot_hold_is_named():
    with pytest.raises(TypeError, match="w: safetensors has no complex128"):
        own.encode({"w": np.zeros(2, complex)})


def test_cut_flipped_and_spliced_files(tmp_path):
    path = tmp_path / "x.safetensors"
    content = own.encode({"a": np.ones((3, 4), np.float32), "b": np.arange(5)})
    for damaged in cuts(content, 400):
        assert attempt(path, damaged, own.load) is None
    for damaged in (*flips(content, 2_000), *splices(content, 2_000)):
        attempt(path, damaged, own.load)


def test_flipped_bits_of_a_network_s_weights(tmp_path):
    net = sequential(L.Conv2D(1, 2, 3), L.BatchNorm(2), L.Add(L.Identity(), L.Conv2D(2, 2, 3)))
    weights.save(tmp_path / "y.safetensors", net)
    content = (tmp_path / "y.safetensors").read_bytes()
    for damaged in flips(content, 200):
        attempt(tmp_path / "x.safetensors", damaged, lambda path: weights.load(path, net) or True)
    named = own.load(tmp_path / "y.safetensors")[0]
    own.save(tmp_path / "x.safetensors", {f"a\n{name}\x1b[2J": v for name, v in named.items()})
    with pytest.raises(CheckpointError, match=r"x\.safetensors: a.*expected") as caught:
        weights.load(tmp_path / "x.safetensors", net)
    assert str(caught.value).isprintable()


def forged(header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


PLACE = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        struct.pack("<Q", 1 << 62),
        forged({"a": {**PLACE, "shape": [1 << 60]}}, bytes(4)),
        forged({"a": {**PLACE, "shape": [-1, -1]}}, bytes(4)),
        forged({"a": {**PLACE, "shape": [1.0]}}, bytes(4)),
        forged({"a": {**PLACE, "shape": [True]}}, bytes(4)),
        forged({"a": {**PLACE, "dtype": "object"}}, bytes(4)),
        forged({"a": {**PLACE, "data_offsets": [0, 1 << 60]}}, bytes(4)),
        forged({"a": PLACE, "b": PLACE}, bytes(4)),
        forged({"a": PLACE}, bytes(8)),
        forged([PLACE], bytes(4)),
        forged(b"[" * 100_000),
        forged(b'{"a":' * 100_000),
        forged(b"{}" + b"\xff" * 9),
        forged({"a": {**PLACE, "data_offsets": "04"}}, bytes(4)),
    ],
)  # fmt: skip
def test_forged_files(content, tmp_path):
    assert attempt(tmp_path / "x.safetensors", content, own.load) is None


def test_a_header_may_not_fill_the_memory(tmp_path):
    text = json.dumps({str(i): [] for i in range(1_000_000)}).encode()
    assert attempt(tmp_path / "x.safetensors", forged(text), own.load) is None
    with pytest.raises(CheckpointError, match="more than may be"):
        own.load(tmp_path / "x.safetensors")


def sequential(*layers):
    net = L.Sequential(*layers)
    net.input_shape = (6, 6, 1)
    return net


class Wrapped(L.Layer):
    """A layer of a user's own, around a convolution."""

    def __init__(self, conv, copied):
        self.conv, self.copied = conv, copied

    def forward(self, x, train=False):
        return self.conv.forward(x, train)

    def backward(self, dy, cache):
        return self.conv.backward(dy, cache)

    def export(self):
        return [copy.deepcopy(self.conv) if self.copied else self.conv]


def test_a_network_s_weights_are_read_back_before_the_file_is_there(tmp_path, monkeypatch):
    net = sequential(L.Conv2D(1, 2, 3), L.BatchNorm(2), L.Add(L.Identity(), L.Conv2D(2, 2, 3)))
    result = weights.save(tmp_path / "x.safetensors", net)
    assert result["bytes"] == (tmp_path / "x.safetensors").stat().st_size
    assert (result["arrays"], result["error"]) == (8, 0.0)
    right = own.decode
    monkeypatch.setattr(own, "decode", lambda c: ({k: v + 1 for k, v in right(c)[0].items()}, {}))
    with pytest.raises(ExportError, match=r"the weights, read back, would give other answers"):
        weights.save(tmp_path / "y.safetensors", net)
    assert not (tmp_path / "y.safetensors").exists()


def test_weights_of_a_user_s_layer_come_back_or_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    for copied, error in ((False, 0.0), (True, None)):
        net, other = (sequential(Wrapped(L.Conv2D(1, 2, 3), copied)) for _ in range(2))
        assert weights.save(path, net)["error"] == error
        if copied:
            with pytest.raises(CheckpointError, match=r"wrapped1.layer.conv1.weight is a copy"):
                weights.load(path, other)
        else:
            weights.load(path, other)
            assert_same(state_dict(other), state_dict(net))

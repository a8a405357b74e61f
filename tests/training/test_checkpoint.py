"""Checkpoints: what comes back is what went in, and what does not fit changes nothing."""

import errno
import hashlib
import inspect
import json
import os
import resource
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest

from numpycnn import backend, files, layers, models, optim
from numpycnn.errors import CheckpointError, NumpyCNNError, UnknownNameError
from numpycnn.layers.base import Layer, Param
from numpycnn.layers.traverse import generators, named_buffers, named_params
from numpycnn.ops import softmax_cross_entropy
from numpycnn.training import checkpoint, contents, npz

VERSION_1 = Path(__file__).parents[1] / "data_files" / "checkpoint_format_1.npz"
LOGITS_OF_VERSION_1 = [-1.9141045, 2.3189771, 0.4170602]  # of a ramp from 0 to 1, when it was made


@pytest.fixture(autouse=True)
def numpy_backend(monkeypatch):
    monkeypatch.setattr(backend, "_current", "numpy")


def small_net(seed=0, **changes):
    arguments = {
        "filters": (2, 3),
        "depth": 1,
        "dropout": (0.2, 0.1),
        "classes": 3,
        "input_shape": (8, 8, 1),
    }
    return models.build("vgg", seed=seed, **{**arguments, **changes})


def own_net(drops=True):
    last = layers.Dropout(0.5, np.random.default_rng(1)) if drops else layers.ReLU()
    return layers.Sequential(layers.Dense(3, 2), layers.BatchNorm(2), last)


def train(net, optimizer, steps, seed):
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        x, labels = rng.random((4, 8, 8, 1), dtype=np.float32), rng.integers(0, 3, 4)
        logits, cache = net.forward(x, train=True)
        optimizer.zero_grad()
        net.backward(softmax_cross_entropy(logits, labels)[1], cache)
        optimizer.step()


def content(net, optimizer=None):
    """Every bit that a checkpoint restores, as comparable values."""
    arrays = {name: param.value for name, param in named_params(net).items()} | named_buffers(net)
    arrays |= {
        f"state {name}": array
        for name, array in (optimizer.state_arrays() if optimizer else {}).items()
    }
    arrays = {
        name: (array.dtype.str, array.shape, array.tobytes()) for name, array in arrays.items()
    }
    states = {k: contents.plain(g.bit_generator.state) for k, g in generators(net).items()}
    return arrays, states, optimizer and (optimizer.steps, optimizer.lr)


def trained(kind=optim.Adam, seed=0):
    net = small_net(seed)
    optimizer = kind(net.params(), lr=0.003)
    train(net, optimizer, 2, seed)
    return net, optimizer


def rewrite(path, change, compression=zipfile.ZIP_STORED):
    """Rewrite the archive, `change` applied to its list of [name, bytes]; signs the metadata."""
    with zipfile.ZipFile(path) as archive:
        members = [[name, archive.read(name)] for name in archive.namelist()]
    members = change(members) or members
    text = next((data for name, data in members if name == npz.METADATA), b"")
    for member in members:
        if member[0] == npz.CHECKSUM:
            member[1] = hashlib.sha256(text).hexdigest().encode()
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)


def edit(path, change):
    """Change the metadata in place by a function of the dict, and sign it anew."""

    def inside(members):
        metadata = json.loads(members[0][1])
        change(metadata)
        members[0][1] = json.dumps(metadata).encode()

    rewrite(path, inside)


# ---- the round trip ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.AdamW])
def test_resumed_steps_are_the_uninterrupted_ones_bit_for_bit(tmp_path, kind):
    net, optimizer = trained(kind)
    checkpoint.save(tmp_path / "c.npz", net, optimizer)
    saved = content(net, optimizer)
    train(net, optimizer, 3, seed=9)

    other = small_net(seed=5)
    again = kind(other.params(), lr=0.1)
    checkpoint.restore(tmp_path / "c.npz", other, again)
    assert content(other, again) == saved
    train(other, again, 3, seed=9)
    assert content(other, again) == content(net, optimizer) != saved


def test_load_builds_the_same_network_with_its_metadata(tmp_path):
    (net, optimizer), classes = trained(), ("a", "ä")
    history = {"loss": [0.5, float(np.float32(1 / 3))], "val_loss": [None, 1e-300]}
    checkpoint.save(
        tmp_path / "c.npz", net, optimizer, history=history, classes=classes, epoch=np.int64(2)
    )
    loaded = checkpoint.load(tmp_path / "c.npz")
    assert content(loaded) == content(net)
    assert loaded.metadata["history"] == history
    assert loaded.metadata["classes"] == ["a", "ä"]
    assert loaded.metadata["epoch"] == 2
    assert loaded.metadata["format"] == 1
    assert loaded.spec == {
        "model": "vgg",
        "arguments": json.loads(json.dumps(net.spec["arguments"])),
    }
    assert all(param.value.dtype == np.float32 for param in loaded.params())
    checkpoint.save(tmp_path / "again.npz", loaded)
    assert content(checkpoint.load(tmp_path / "again.npz")) == content(net)


def test_restore_fills_the_arrays_that_are_there(tmp_path):
    net, _ = trained()
    checkpoint.save(tmp_path / "c.npz", net)
    other = small_net(seed=1)
    before = [*(param.value for param in other.params()), *named_buffers(other).values()]
    metadata = checkpoint.restore(tmp_path / "c.npz", other)
    after = [*(param.value for param in other.params()), *named_buffers(other).values()]
    assert all(a is b for a, b in zip(before, after, strict=True))
    assert content(other) == content(net)
    assert metadata["model"] == "vgg"


def test_numpy_reads_the_file_too(tmp_path):
    net, optimizer = trained()
    checkpoint.save(tmp_path / "c.npz", net, optimizer)
    metadata, arrays = checkpoint.read(tmp_path / "c.npz")
    with np.load(tmp_path / "c.npz", allow_pickle=False) as file:
        assert set(file.files) == {*arrays, npz.METADATA, npz.CHECKSUM}
        for name, array in arrays.items():
            np.testing.assert_array_equal(file[name], array)
    assert metadata["optimizer"]["class"] == "Adam"
    assert arrays["param/1.w"].flags.writeable


def test_the_same_content_gives_the_same_bytes(tmp_path):
    net, optimizer = trained()
    for name in ("a", "b"):
        checkpoint.save(tmp_path / name, net, optimizer, epoch=1)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    "kind", [np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64]
)
def test_every_bit_generator_comes_back(tmp_path, kind):
    nets = [layers.Dropout(0.5, np.random.Generator(kind(seed))) for seed in (1, 2)]
    nets[0].rng.random(3, dtype=np.float32)  # an odd number: half a draw is kept for the next
    checkpoint.save(tmp_path / "c.npz", nets[0])
    checkpoint.restore(tmp_path / "c.npz", nets[1])
    draws = [net.rng.random(9, dtype=np.float32) for net in nets]
    np.testing.assert_array_equal(*draws)


class Odd(Layer):
    """Arrays of every kind and of odd shapes and layouts."""

    buffer_names = ("count", "empty", "scalar", "mask")

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.w = Param("w", rng.random((4, 3)).T)
        self.big = Param("big", rng.random(3).astype(">f8"))
        self.count, self.mask = rng.integers(0, 9, 3), rng.random(4) < 0.5
        self.empty, self.scalar = np.zeros((0, 3), np.float32), np.array(rng.random())


def test_odd_arrays_of_a_users_own_layer(tmp_path):
    net, other = Odd(0), Odd(1)
    other.big.value = other.big.value.astype("<f8")
    checkpoint.save(tmp_path / "c.npz", net)
    checkpoint.restore(tmp_path / "c.npz", other)
    for name in ("w", "big"):
        np.testing.assert_array_equal(getattr(other, name).value, getattr(net, name).value)
    for name in net.buffer_names:
        np.testing.assert_array_equal(getattr(other, name), getattr(net, name))
    with pytest.raises(CheckpointError, match=r"not in numpycnn.models.*restore\(path, net\)"):
        checkpoint.load(tmp_path / "c.npz")


def test_a_function_as_initialiser_is_not_needed_to_load(tmp_path):
    net = small_net(init=lambda shape, rng: np.full(shape, 0.5, np.float32))
    checkpoint.save(tmp_path / "c.npz", net)
    assert content(checkpoint.load(tmp_path / "c.npz")) == content(net)


@pytest.mark.parametrize("name", sorted(models.MODELS))
def test_every_model_takes_the_initialiser_that_bounds_its_memory(name, tmp_path):
    assert "init" in inspect.signature(models.MODELS[name]).parameters
    net = models.build(name, seed=1)
    checkpoint.save(tmp_path / "c.npz", net)
    assert content(checkpoint.load(tmp_path / "c.npz")) == content(net)


def test_the_file_of_format_version_1_still_loads():
    net = checkpoint.load(VERSION_1)
    assert net.metadata["format"] == 1
    assert net.metadata["classes"] == ["left", "right", "neither"]
    assert net.spec["arguments"]["filters"] == [2]
    optimizer = optim.Adam(net.params())
    checkpoint.restore(VERSION_1, net, optimizer)
    assert (optimizer.steps, optimizer.lr) == (2, 0.003)
    x = np.linspace(0, 1, 784, dtype=np.float32).reshape(1, 28, 28, 1)
    np.testing.assert_allclose(net.infer(x), [LOGITS_OF_VERSION_1], rtol=1e-4)


# ---- paths ------------------------------------------------------------------------------------


def test_paths_with_spaces_and_other_letters_and_the_mode_of_the_umask(tmp_path):
    folder = tmp_path / "mein Läufe 訓練"
    folder.mkdir()
    old = os.umask(0o027)
    try:
        checkpoint.save(str(folder / "das letzte.npz"), small_net())
    finally:
        os.umask(old)
    assert stat.S_IMODE((folder / "das letzte.npz").stat().st_mode) == 0o640
    assert content(checkpoint.load(folder / "das letzte.npz")) == content(small_net())
    assert os.listdir(folder) == ["das letzte.npz"]


def test_a_symlink_is_followed(tmp_path):
    (tmp_path / "disk").mkdir()
    link, target = tmp_path / "last.npz", tmp_path / "disk" / "real.npz"
    link.symlink_to(target)
    for seed in (1, 2):
        checkpoint.save(link, small_net(seed))
        assert link.is_symlink()
        assert (
            content(checkpoint.load(target))
            == content(checkpoint.load(link))
            == content(small_net(seed))
        )


def test_missing_files_and_what_is_no_file(tmp_path):
    checkpoint.save(tmp_path / "best.npz", small_net())
    with pytest.raises(CheckpointError, match=r"last\.npz: there is no .*; beside it: best\.npz"):
        checkpoint.load(tmp_path / "last.npz")
    with pytest.raises(CheckpointError, match=r"folder .* does not exist"):
        checkpoint.load(tmp_path / "no" / "last.npz")
    with pytest.raises(CheckpointError, match="no file"):
        checkpoint.load(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match="no file"):
        checkpoint.load(tmp_path / "pipe")
    for name in ("a\nb.npz", "a\0b.npz", "x" * 5000):
        with pytest.raises(CheckpointError) as caught:
            checkpoint.load(name)
        assert str(caught.value).isprintable()


def test_pretrained_names(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "PRETRAINED", tmp_path)
    with pytest.raises(UnknownNameError, match="there are none in"):
        checkpoint.load("pretrained:vgg")
    checkpoint.save(tmp_path / "vgg-small.npz", small_net(3))
    with pytest.raises(UnknownNameError, match="vgg-small"):
        checkpoint.load("pretrained:vgg")
    with pytest.raises(UnknownNameError):
        checkpoint.load("pretrained:../test/vgg-small")
    assert content(checkpoint.load("pretrained:vgg-small")) == content(small_net(3))


def test_a_name_without_a_number_is_the_newest_of_that_name(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "PRETRAINED", tmp_path)
    for number in (2, 10, 9):
        checkpoint.save(tmp_path / f"vgg-{number}.npz", small_net(number))
    for name, seed in (("vgg", 10), ("vgg-2", 2), ("vgg-9", 9)):
        assert content(checkpoint.load(f"pretrained:{name}")) == content(small_net(seed))
    with pytest.raises(UnknownNameError, match="did you mean vgg"):
        checkpoint.load("pretrained:vgg-3")


# ---- what cannot be saved ---------------------------------------------------------------------


class TwoOfOneName(Layer):
    def __init__(self):
        self.one, self.two = Param("w", np.zeros(1)), Param("w", np.ones(1))


def looped():
    loop = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    ("error", "net", "metadata"),
    [
        (TypeError, None, {"a": object()}),
        (TypeError, None, {"a": looped()}),
        (TypeError, None, {"a": np.zeros(3)}),
        (TypeError, None, {"a": np.complex64(1)}),
        (TypeError, None, {"format": 2}),
        (TypeError, None, {"model": "vgg"}),
        (TypeError, "last.npz", {}),
        (ValueError, None, {"a": "x" * (1 << 20)}),
        (ValueError, TwoOfOneName(), {}),
    ],
)
def test_what_cannot_be_saved_is_refused_before_writing(tmp_path, error, net, metadata):
    checkpoint.save(tmp_path / "c.npz", small_net(1))
    before = (tmp_path / "c.npz").read_bytes()
    with pytest.raises(error):
        checkpoint.save(tmp_path / "c.npz", small_net() if net is None else net, **metadata)
    assert (tmp_path / "c.npz").read_bytes() == before
    assert os.listdir(tmp_path) == ["c.npz"]


@pytest.mark.parametrize("kind", [object, complex, "f2", "U3", "M8[s]", "f4,f4", None])
def test_arrays_of_other_kinds_are_refused(tmp_path, kind):
    net = layers.Dense(2, 2)
    net.b.value = np.zeros(2, kind) if kind else 1.5
    with pytest.raises(TypeError, match="param/b must be an array of"):
        checkpoint.save(tmp_path / "c.npz", net)
    assert os.listdir(tmp_path) == []


# ---- what does not fit ------------------------------------------------------------------------


def refuse(path, match, net, optimizer=None):
    before = content(net, optimizer)
    with pytest.raises(CheckpointError, match=match) as caught:
        checkpoint.restore(path, net, optimizer)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).isprintable()
    assert content(net, optimizer) == before


def test_a_checkpoint_of_something_else_changes_nothing(tmp_path):
    path = tmp_path / "c.npz"
    net, optimizer = trained()
    checkpoint.save(path, net, optimizer)
    wider, other, alexnet = small_net(filters=(2, 4)), small_net(), models.build("alexnet")
    refuse(path, r"holds vgg .*expected alexnet .* is missing in .* and \d+ more", alexnet)
    refuse(
        path, r"param/6\.w is \(3, 3, 2, 3\) float32 in the file, \(3, 3, 2, 4\) float32 in", wider
    )
    refuse(path, "expected Sequential", own_net())
    refuse(path, "state of Adam for 10 parameters, expected SGD", other, optim.SGD(other.params()))
    refuse(path, "same order", other, optim.Adam(list(other.params())[::-1]))
    refuse(
        path, "for 10 parameters, expected Adam for 9", other, optim.Adam(list(other.params())[1:])
    )
    checkpoint.save(path, net)
    refuse(path, "no optimizer's state", other, optim.Adam(other.params()))
    other.layers[1].w.value = other.layers[1].w.value.astype(np.float64)
    refuse(path, r"float32 in the file, \(3, 3, 1, 2\) float64 in the network", other)
    checkpoint.save(path, own_net())
    refuse(
        path, r"expected Sequential: the generator 2\.rng is in the file only", own_net(drops=False)
    )
    checkpoint.save(path, own_net(drops=False))
    refuse(path, r"the generator 2\.rng is in the network only", own_net())
    checkpoint.save(path, net)
    frozen = small_net(4)
    frozen.layers[-1].w.value.flags.writeable = False
    refuse(path, "read-only", frozen)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            lambda m: m.update(format=7),
            r"format version 7, expected at most 1; install a newer numpycnn",
        ),
        (lambda m: m.update(format=0), "format version"),
        (lambda m: m.update(format=True), "format version"),
        (lambda m: m.update(format="1"), "format version"),
        (lambda m: m.pop("arrays"), "format version or the list of arrays"),
        (lambda m: m.pop("random"), "not valid"),
        (lambda m: m.pop("model"), "not valid"),
        (lambda m: m.pop("optimizer"), "not valid"),
        (lambda m: m["random"].pop("5.rng"), r"generator 5\.rng is in the network only"),
        (lambda m: m["random"]["5.rng"].update(bit_generator="MT19937"), "not one of PCG64"),
        (lambda m: m["random"]["5.rng"]["state"].update(state=1 << 128), "not one of PCG64"),
        (lambda m: m["random"]["5.rng"]["state"].update(state=-1), "not one of PCG64"),
        (lambda m: m["random"].update({"5.rng": None}), "not one of PCG64"),
        (lambda m: m["random"]["5.rng"].update(more=1), "not one of PCG64"),
        (lambda m: m["optimizer"].update(steps=-1), "not valid"),
        (lambda m: m["optimizer"].update(steps=10**30), "not valid"),
        (lambda m: m["optimizer"].update(lr=float("nan")), "not valid"),
        (lambda m: m["optimizer"].update(params=3), "not valid"),
        (lambda m: m.update(arguments=[1]), "not valid"),
        (lambda m: m["arrays"]["param/1.w"].update(shape=[1 << 40]), "should have .* bytes"),
        (lambda m: m["arrays"]["param/1.w"].update(shape=[0, 10**300]), "should have .* bytes"),
        (lambda m: m["arrays"]["param/1.w"].update(shape=[3, 3, 2, 1]), "checksum"),
        (lambda m: m["arrays"]["param/1.w"].update(shape=[-1, -18]), "declared as"),
        (lambda m: m["arrays"]["param/1.w"].update(dtype="<i4"), "checksum"),
        (lambda m: m["arrays"]["param/1.w"].update(dtype="|O"), "declared as"),
        (lambda m: m["arrays"]["param/1.w"].update(dtype=["<f4"]), "declared as"),
        (lambda m: m["arrays"]["param/1.w"].pop("sha256"), "checksum"),
        (lambda m: m["arrays"].update({"param/1.w": "x\n" * 99}), "declared as"),
        (lambda m: m["arrays"].pop("param/1.w"), r"extra, missing or misnamed: param/1\.w\.npy"),
        (lambda m: m["arrays"].update({"../evil": {}}), r"extra, missing or misnamed: \.\./evil"),
    ],
)
def test_signed_metadata_is_not_believed_either(tmp_path, change, match):
    path = tmp_path / "c.npz"
    checkpoint.save(path, *trained())
    edit(path, change)
    net = small_net(1)
    refuse(path, match, net, optim.Adam(net.params()))


# ---- what breaks while saving -----------------------------------------------------------------


def failing(real, at, error):
    """`real`, but the call number `at` raises `error`."""
    calls = []

    def call(*args, **kwargs):
        calls.append(args)
        if len(calls) == at:
            raise error
        return real(*args, **kwargs)

    return call


ERRORS = [
    OSError(errno.ENOSPC, "No space left"),
    OSError(errno.EIO, "I/O error"),
    KeyboardInterrupt(),
]


@pytest.mark.parametrize("error", ERRORS, ids=["ENOSPC", "EIO", "Ctrl-C"])
@pytest.mark.parametrize(
    "step", ["open 1", "write 1", "write 2", "write 5", "fsync 1", "replace 1"]
)
@pytest.mark.parametrize("old", [True, False])
def test_a_failure_at_any_step_leaves_only_the_old_file(tmp_path, monkeypatch, step, error, old):
    path = tmp_path / "c.npz"
    if old:
        checkpoint.save(path, small_net(1))
    before = old and path.read_bytes()
    monkeypatch.setattr(files, "PIECE", 64)
    step, at = step.split()
    owner, real = (files, open) if step == "open" else (os, getattr(os, step))
    monkeypatch.setattr(owner, step, failing(real, int(at), error), raising=False)
    with pytest.raises(type(error)) as caught:
        checkpoint.save(path, small_net(2))
    monkeypatch.undo()
    assert os.listdir(tmp_path) == (["c.npz"] if old else [])
    assert not old or path.read_bytes() == before
    if isinstance(error, OSError):
        assert caught.value.errno == error.errno
        assert str(path) in str(caught.value)
        assert str(caught.value).isprintable()


def test_a_failing_sync_of_the_folder_is_told_and_the_new_file_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "c.npz"
    monkeypatch.setattr(os, "fsync", failing(os.fsync, 2, OSError(errno.EIO, "I/O error")))
    with pytest.raises(OSError, match="I/O error"):
        checkpoint.save(path, small_net(2))
    monkeypatch.setattr(
        os, "fsync", failing(os.fsync, 2, OSError(errno.EINVAL, "cannot sync a folder here"))
    )
    checkpoint.save(path, small_net(2))
    assert content(checkpoint.load(path)) == content(small_net(2))
    assert os.listdir(tmp_path) == ["c.npz"]


def test_a_system_that_writes_in_small_pieces(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:100]))
    checkpoint.save(tmp_path / "c.npz", small_net(2))
    assert content(checkpoint.load(tmp_path / "c.npz")) == content(small_net(2))


def test_a_real_limit_on_the_file_size(tmp_path):
    checkpoint.save(tmp_path / "c.npz", small_net(1))
    before = (tmp_path / "c.npz").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="not saved"):
            checkpoint.save(tmp_path / "c.npz", small_net(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "c.npz").read_bytes() == before
    assert os.listdir(tmp_path) == ["c.npz"]


def test_a_folder_at_the_path_or_none_around_it(tmp_path):
    (tmp_path / "c.npz").mkdir()
    with pytest.raises(IsADirectoryError):
        checkpoint.save(tmp_path / "c.npz", small_net())
    with pytest.raises(FileNotFoundError):
        checkpoint.save(tmp_path / "no" / "c.npz", small_net())
    assert os.listdir(tmp_path) == ["c.npz"]


def test_errors_are_of_this_projects_kind():
    assert issubclass(CheckpointError, NumpyCNNError)
    assert issubclass(CheckpointError, ValueError)

"""The same numbers in PyTorch: answers, gradients of everything, a step of training."""

import re

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import layers as L
from numpycnn import optim
from numpycnn.errors import CheckpointError
from numpycnn.exchange.graph import ExportError
from numpycnn.exchange.names import load_state, places, state_dict
from numpycnn.exchange.parts import part
from numpycnn.layers.traverse import walk
from tests.exchange.networks import CLASSIFIERS, Silent, classifier, odd, painters, randomized

torch = pytest.importorskip("torch")
from numpycnn.exchange import torch as exchange  # noqa: E402
from numpycnn.exchange.torch import modules  # noqa: E402

ODD, PAINTERS = odd(), painters()


@pytest.fixture(autouse=True)
def one_thread():
    """Others use the machine too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def wide(net):
    """net in float64, and without dropout, which draws other numbers there."""
    for _, layer in walk(net):
        for name, value in vars(layer).items():
            if isinstance(value, L.Param):
                value.value = value.value.astype(np.float64)
            if isinstance(value, np.ndarray) and name in layer.buffer_names:
                setattr(layer, name, value.astype(np.float64))
        if isinstance(layer, L.Dropout):
            layer.rate = 0.0
        if isinstance(layer, L.Frozen):
            wide(layer.layer)
    return net


def nchw(x):
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x


def relative(a, b, least=1e-3):
    assert a.shape == b.shape
    return np.abs(a - b).max() / max(np.abs(b).max(), least)


def compare(net, x, train, tolerance=1e-12):
    """Answers, dx and every gradient, of the network and of its twin."""
    twin = exchange.to_torch(net)
    twin.train(train)
    rng = np.random.default_rng(7)
    there = torch.tensor(nchw(x), requires_grad=True)
    theirs = twin(there)
    y, cache = net.forward(x, train)
    assert relative(theirs.detach().numpy(), nchw(y)) <= tolerance
    dy = rng.normal(size=y.shape)
    for param in net.params():
        param.grad = None
    dx = net.backward(dy, cache)
    theirs.backward(torch.tensor(nchw(dy)))
    assert relative(there.grad.numpy(), nchw(dx)) <= tolerance
    named = dict(twin.named_parameters(remove_duplicate=False))
    largest = max(np.abs(p.grad).max() for p in net.params())  # a bias before a norm has none
    compared = 0
    for place in places(net):
        param = getattr(place.layer, place.attribute)
        if isinstance(param, L.Param) and named[place.name].requires_grad:
            grad = param.grad if place.axes is None else param.grad.transpose(place.axes)
            assert relative(named[place.name].grad.numpy(), grad, largest) <= tolerance, place.name
            compared += 1
    assert compared >= len(list(net.params()))  # a layer that is used twice has two places
    return twin


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier(name, train):
    net = wide(classifier(name))
    x = np.random.default_rng(2).random((8, 28, 28, 1))  # noise: flat images tie in max pooling
    before = {place.name: place.value.copy() for place in places(net)}
    twin = compare(net, x, train)
    if train:
        assert_running(net, twin, before)


def assert_running(net, twin, before):
    """The running variance: biased here, unbiased there: n / (n - 1) times the batch's."""
    there = twin.state_dict()
    sizes = {}
    for path, module in twin.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            sizes[path] = module.seen
    for place in places(net):
        if place.name.endswith("running_mean"):
            assert relative(there[place.name].numpy(), place.value) <= 1e-12
        if place.name.endswith("running_var"):
            n, old = sizes[place.name.rpartition(".")[0]], 0.9 * before[place.name]
            expected = old + (place.value - old) * n / (n - 1)
            assert relative(there[place.name].numpy(), expected) <= 1e-12


@pytest.fixture(autouse=True)
def counted(monkeypatch):
    """Batch norms of the twins note how many values of a channel they saw."""

    def forward(self, x):
        self.seen = x.numel() // x.shape[1]
        return torch.nn.BatchNorm2d.forward(self, x)

    monkeypatch.setattr(modules.BatchNorm, "forward", forward)


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("name", ODD)
def test_odd_geometry(name, train):
    net, shape = odd()[name]
    x = np.random.default_rng(1).standard_normal((5, *shape))
    if name == "frozen, fused, dropout":  # gradients of the fused layer are its own affair
        net.layers[1] = L.Sequential(net.layers[1].conv, net.layers[1].norm, L.ReLU())
    compare(wide(net), x, train)


@pytest.mark.parametrize("name", PAINTERS)
def test_parts_of_generative_networks(name):
    layers, shape = part(*painters()[name])
    compare(wide(layers), np.random.default_rng(1).random((5, *shape)), False)


def test_one_step_of_adam_gives_the_same_weights():
    net = wide(classifier("vgg", filters=(8, 12), depth=1))
    rng = np.random.default_rng(0)
    x, labels = rng.random((16, 28, 28, 1)), rng.integers(0, 10, 16)
    twin = exchange.to_torch(net).train()
    theirs = torch.optim.Adam(twin.parameters(), lr=1e-3, eps=1e-8)
    loss = torch.nn.functional.cross_entropy(twin(torch.tensor(nchw(x))), torch.tensor(labels))
    loss.backward()
    theirs.step()
    ours = optim.Adam(net.params(), lr=1e-3)
    logits, cache = net.forward(x, train=True)
    value, dlogits = nc.ops.softmax_cross_entropy(logits, labels)
    net.backward(dlogits, cache)
    ours.step()
    assert abs(value - loss.item()) < 1e-12
    for name, array in state_dict(net).items():
        if "running" not in name:
            # a bias before batch norm has no gradient but rounding, which Adam divides by eps
            most = 1e-7 if name.startswith("conv") and name.endswith("bias") else 1e-9
            assert relative(twin.state_dict()[name].numpy(), array) <= most, name


def test_names_are_readable():
    names = list(exchange.to_torch(classifier("resnet")).state_dict())
    assert names[:3] == ["conv1.weight", "batch_norm1.weight", "batch_norm1.bias"]
    assert "add4.branches.0.conv1.weight" in names
    assert names[-2:] == ["dense1.weight", "dense1.bias"]
    net = L.Sequential(L.LeakyReLU(), L.PReLU(), L.ReLU(), L.ELU(), L.GlobalAvgPool())
    assert list(dict(exchange.to_torch(net).named_children())) == [
        *("leaky_relu1", "prelu1", "relu1", "elu1", "global_avg_pool1"),
    ]


@pytest.mark.parametrize("name", ["vgg", "resnet", "lenet5"])
def test_weights_both_ways(name, tmp_path):
    net, other = classifier(name), randomized(classifier(name), seed=9)
    twin = exchange.to_torch(net)
    load_state(other, twin.state_dict())
    assert_equal(net, other)
    other = randomized(classifier(name), seed=9)
    exchange.save(tmp_path / "x.safetensors", net)
    exchange.load(tmp_path / "x.safetensors", other)
    assert_equal(net, other)
    package = pytest.importorskip("safetensors.torch")
    fresh = exchange.to_torch(randomized(classifier(name), seed=9))
    assert not fresh.load_state_dict(package.load_file(tmp_path / "x.safetensors"), False)[1]
    package.save_file(fresh.state_dict(), tmp_path / "y.safetensors")
    other = randomized(classifier(name), seed=4)
    exchange.load(tmp_path / "y.safetensors", other)
    assert_equal(net, other)


def assert_equal(a, b):
    a, b = state_dict(a), state_dict(b)
    assert a.keys() == b.keys()
    assert all(np.array_equal(a[name], b[name]) for name in a)


def theirs():
    """A module with names of its own, and square weights."""
    nn = torch.nn
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(2, 4, 4), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 4), nn.Flatten()),
        *(nn.Linear(64, 64), nn.PReLU(64), nn.Linear(64, 64)),
    ).eval()


def ours():
    return L.Sequential(
        *(L.Conv2D(2, 4, 4, padding="valid"), L.BatchNorm(4), L.ReLU()),
        *(L.Conv2D(4, 4, 4, padding="valid"), L.Flatten(), L.Dense(64, 64), L.PReLU(64)),
        L.Dense(64, 64),
    )


def test_other_names_are_matched_by_kind_never_by_shape():
    net, module = ours(), theirs()
    net.input_shape = (10, 10, 2)
    x = torch.randn(5, 2, 10, 10)
    load_state(net, module.state_dict(), flatten="nchw")
    y = net.infer(np.ascontiguousarray(x.numpy().transpose(0, 2, 3, 1)))
    assert np.abs(y - module(x).detach().numpy()).max() < 1e-6


def test_a_module_of_one_s_own_comes_in():
    pytest.importorskip("onnx")
    module = theirs().train()
    module[1].eval()
    net = exchange.from_torch(module, (10, 10, 2))
    assert [one.training for one in module] == [True, False, *[True] * 6]
    x = torch.randn(5, 2, 10, 10)
    y = net.infer(np.ascontiguousarray(x.numpy().transpose(0, 2, 3, 1)))
    assert np.abs(y - module.eval()(x).detach().numpy()).max() < 1e-6
    with pytest.raises(CheckpointError, match=r"^Sequential: .* no layers for Softplus"):
        exchange.from_torch(torch.nn.Sequential(torch.nn.Softplus()), (4,))
    with pytest.raises(CheckpointError, match=r"^ChannelShuffle: PyTorch cannot .*shuffle") as got:
        exchange.from_torch(torch.nn.ChannelShuffle(2), (4, 4, 4))
    assert str(got.value).isprintable()


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing():
    net, state = ours(), theirs().state_dict()
    before = state_dict(net)
    short = {k: v for k, v in state.items() if not k.startswith("7")}
    no_norm = {k: v for k, v in state.items() if k != "1.running_var"}
    swapped = {**state, "0.weight": torch.zeros(2, 4, 4, 4)}
    nhwc = {"flatten": "nhwc"}
    cases = [
        (state, {}, "flatten='nchw'"),
        (short, {}, "holds 5 layers with weights, expected 6"),
        (no_norm, {}, "1 is slopes.*expected norm"),
        (swapped, nhwc, r"conv1.weight is \(2, 4, 4, 4\)"),
        ({**before, "conv1.bias": np.zeros(5)}, {}, r"conv1.bias is \(5,\), expected \(4,\)"),
    ]
    for wrong, settings, message in cases:
        with pytest.raises(CheckpointError, match=message):
            load_state(net, wrong, **settings)
    assert all(np.array_equal(v, before[k]) for k, v in state_dict(net).items())


def test_tensors_that_are_trained_and_bfloat16_ones_come_in():
    twin = torch.nn.Linear(2, 3).bfloat16()
    net = L.Sequential(L.Dense(2, 3))
    load_state(net, dict(twin.named_parameters()))
    assert np.array_equal(net.layers[0].w.value, twin.weight.detach().float().numpy().T)


def test_what_cannot_go_is_named():
    with pytest.raises(ExportError, match=re.escape("layer branches.1 (Silent)")):
        exchange.to_torch(L.Sequential(L.Add(L.ReLU(), Silent())).layers[0])
    with pytest.raises(ExportError, match=re.escape("layer reshape1 (Reshape) to (5, 5)")):
        exchange.to_torch(L.Sequential(L.Reshape(5, 5), L.LayerNorm(5), L.Flatten()))

"""Networks of the blocks that small networks are made of: each trains, is saved, and comes back."""

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import layers as L
from numpycnn import ops, optim
from numpycnn.errors import ShapeError
from numpycnn.layers import init, traverse


def rng():
    return np.random.default_rng(3)


def conv(*args, **options):
    return L.Conv2D(*args, rng=rng(), **options)


def network(*middle, channels=8):
    """A stem of 8 channels, the blocks, and a head of `channels`."""
    stem = conv(1, 8, 3), L.BatchNorm(8), L.ReLU()
    return L.Sequential(*stem, *middle, L.GlobalAvgPool(), L.Dense(channels, 3, rng=rng()))


def inverted_residual():
    """MobileNetV2's and V3's block: wide inside, depthwise, with squeeze-and-excite."""
    wide = conv(8, 16, 1, bias=False), L.BatchNorm(16), L.HardSwish()
    depthwise = conv(16, 16, 3, groups=16, bias=False), L.BatchNorm(16), L.HardSwish()
    narrow = L.SqueezeExcite(16, 4, rng=rng()), conv(16, 8, 1, bias=False), L.BatchNorm(8)
    return L.Add(L.Identity(), L.Sequential(*wide, *depthwise, *narrow))


NETWORKS = {
    "groups": lambda: network(conv(8, 12, 3, groups=4), L.ReLU(), channels=12),
    "depthwise and pointwise": lambda: network(conv(8, 8, 3, groups=8), L.ReLU(), conv(8, 8, 1)),
    "dilation": lambda: network(conv(8, 8, 3, dilation=2), L.ReLU()),
    "squeeze-and-excite": lambda: network(conv(8, 8, 3), L.ReLU(), L.SqueezeExcite(8, 4)),
    "silu": lambda: network(conv(8, 8, 3), L.SiLU()),
    "gelu": lambda: network(conv(8, 8, 3), L.GELU()),
    "hard swish": lambda: network(conv(8, 8, 3), L.HardSwish()),
    "layer norm": lambda: network(conv(8, 8, 3), L.LayerNorm(8), L.GELU()),
    "group norm": lambda: network(conv(8, 8, 3), L.GroupNorm(2, 8), L.SiLU()),
    "an inverted residual": lambda: network(inverted_residual()),
}


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_it_learns_and_comes_back_from_a_file(make, tmp_path):
    net, draw = make(), np.random.default_rng(0)
    labels = np.arange(24) % 3  # stripes: across, down, none
    stripes = np.zeros((24, 8, 8, 1), np.float32)
    stripes[labels == 0, ::2] = 1
    stripes[labels == 1, :, ::2] = 1
    x = stripes + 0.1 * draw.standard_normal(stripes.shape, np.float32)
    fast = L.fuse(net, input_gradient=False)
    step, losses = optim.Adam(net.params(), 0.01), []
    for _ in range(12):
        step.zero_grad()
        logits, cache = fast.forward(x, train=True)
        loss, dlogits = ops.softmax_cross_entropy(logits, labels)
        fast.backward(dlogits, cache)
        step.step()
        losses.append(loss)
    assert losses[-1] < 0.6 * losses[0]

    wanted = net.infer(x)
    np.testing.assert_allclose(L.fuse(net).infer(x), wanted, atol=1e-4 * np.abs(wanted).max())
    nc.save(tmp_path / "net.npz", net)
    again = nc.load(tmp_path / "net.npz")
    assert repr(again) == repr(net)
    np.testing.assert_array_equal(again.infer(x), wanted)


def test_fuse_leaves_groups_and_dilation_as_they_are():
    odd = [conv(4, 4, 3, groups=4), L.BatchNorm(4), L.ReLU(), conv(4, 4, 3, dilation=2), L.ReLU()]
    fused = L.fuse(L.Sequential(*odd, conv(4, 4, 3), L.ReLU()))
    assert [type(one).__name__ for one in fused.layers[5:]] == ["ConvBNReLU"]
    assert fused.layers[:5] == odd
    for grouped in odd[0], odd[3]:
        with pytest.raises(ShapeError, match="ConvBNReLU has no groups and no dilation"):
            L.ConvBNReLU(grouped)


def test_a_first_layer_with_groups_needs_no_input_gradient():
    net = L.Sequential(L.Standardize(0.3, 0.4), conv(3, 6, 3, groups=3), L.ReLU())
    fast = L.fuse(net, input_gradient=False)
    y, cache = fast.forward(np.ones((2, 5, 5, 3), np.float32), train=True)
    assert fast.backward(np.ones_like(y), cache) is None
    assert net.layers[1].w.grad.any()


def test_the_fan_in_of_a_group_is_its_own_channels():
    """He's deviation is sqrt(2 / (3 * 3 * 2)) for 3x3 weights of two channels a group."""
    w = L.Conv2D(64, 6400, 3, groups=32, rng=rng()).w.value
    assert w.shape == (3, 3, 2, 6400)
    assert w.std() == pytest.approx(np.sqrt(2 / 18), rel=0.02)


def test_lsuv_gives_a_depthwise_layer_unit_variance():
    net = L.Sequential(conv(4, 4, 3, groups=4), L.ReLU(), conv(4, 6, 3, dilation=2))
    rows = init.lsuv(net, np.random.default_rng(1).standard_normal((4, 9, 9, 4), np.float32), rng())
    assert [path for path, *_ in rows] == ["0", "2"]
    assert all(after == pytest.approx(1, abs=0.1) for *_, after in rows)


def test_the_summary_counts_a_group_s_own_weights():
    net = L.Sequential(conv(8, 8, 3, groups=8), L.SqueezeExcite(8, 4, rng=rng()))
    summary = net.summary((5, 6, 8))
    squeeze = 8 * 2 + 2 + 2 * 8 + 8
    assert summary.total == 9 * 8 + 8 + squeeze
    assert summary.multiply_adds == 5 * 6 * 9 * 8 + 2 * 8 * 2


def test_the_gate_of_squeeze_and_excite_is_found():
    net = L.Sequential(L.SqueezeExcite(6, 3, rng=rng()))
    found = {path: param.value.shape for path, param in traverse.named_params(net).items()}
    assert found == {
        "0.gate.1.w": (6, 2), "0.gate.1.b": (2,), "0.gate.3.w": (2, 6), "0.gate.3.b": (6,),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: L.Conv2D(6, 8, 3, groups=4), "6 channels cannot be divided into 4 groups"),
        (lambda: L.Conv2D(8, 6, 3, groups=4), "6 filters cannot be divided into 4 groups"),
        (lambda: L.Conv2D(8, 8, 3, groups=0), "groups must be a whole number of at least 1, not 0"),
        (lambda: L.Conv2D(8, 8, 3, dilation=0), "dilation must be a whole number of at least 1"),
        (lambda: L.GroupNorm(4, 6), "6 channels cannot be divided into 4 groups"),
        (lambda: L.GroupNorm(1.0, 6), "groups must be a whole number"),
        (lambda: L.GroupNorm(1, 0), "group norm needs a whole number of at least 1 channel, not 0"),
        (lambda: L.LayerNorm(True), "layer norm needs a whole number of at least 1 channel"),
        (lambda: L.SqueezeExcite(4, 5), "SqueezeExcite needs a reduction of 1 to 4, .* not 5"),
        (lambda: L.SqueezeExcite(4, 0), "SqueezeExcite needs a reduction of 1 to 4, .* not 0"),
    ],
)
def test_what_fits_no_input_is_refused_at_once(make, message):
    with pytest.raises(ShapeError, match=message):
        make()


@pytest.mark.parametrize("make", [lambda: L.LayerNorm(4, 0.0), lambda: L.GroupNorm(2, 4, -1e-5)])
def test_eps_is_positive(make):
    with pytest.raises(ValueError, match="norm needs eps > 0"):
        make()


@pytest.mark.parametrize("name", ["silu", "gelu", "hard_swish"])
def test_models_take_the_new_activations_by_name(name):
    net = nc.models.build("vgg", seed=0, filters=(4, 4), input_shape=(8, 8, 1), activation=name)
    assert net.infer(np.zeros((1, 8, 8, 1), np.float32)).shape == (1, 10)

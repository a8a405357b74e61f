"""Weights behind and before flattened images, from modules that have them as (C, H, W)."""

import numpy as np
import pytest

from numpycnn import layers as L
from numpycnn.errors import CheckpointError
from numpycnn.exchange.names import load_state, state_dict

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402


class Joined(nn.Module):
    """A sum of branches, or their features side by side."""

    def __init__(self, join, *branches):
        super().__init__()
        self.join, self.branches = join, nn.ModuleList(branches)

    def forward(self, x):
        return self.join([branch(x) for branch in self.branches])


def side_by_side(ys):
    return torch.cat(ys, 1)


def norm():
    return (2, 2, 3), [nn.Flatten(), nn.BatchNorm1d(12), nn.PReLU(12), nn.Linear(12, 2)], [
        *(L.Flatten(), L.BatchNorm(12), L.PReLU(12), L.Dense(12, 2))
    ]  # fmt: skip


def layer_norm():
    return (2, 2, 3), [nn.Flatten(), nn.LayerNorm(12), nn.Linear(12, 2)], [
        *(L.Reshape(-1), L.LayerNorm(12), L.Dense(12, 2))
    ]  # fmt: skip


def residual():
    theirs = nn.Sequential(nn.Linear(12, 7), nn.Tanh(), nn.Linear(7, 12))
    ours = L.Sequential(L.Dense(12, 7), L.Tanh(), L.Dense(7, 12))
    return (2, 2, 3), [nn.Flatten(), Joined(sum, nn.Identity(), theirs), nn.Linear(12, 2)], [
        *(L.Flatten(), L.Add(L.Identity(), ours), L.Dense(12, 2))
    ]  # fmt: skip


def concatenated():
    theirs = nn.Sequential(nn.Conv2d(3, 5, 1), nn.Flatten()), nn.Sequential(nn.Flatten())
    theirs[1].append(nn.Linear(12, 4))
    ours = L.Sequential(L.Conv2D(3, 5, 1), L.Flatten()), L.Sequential(L.Flatten(), L.Dense(12, 4))
    joined = Joined(side_by_side, nn.Flatten(), *theirs)
    return (2, 2, 3), [joined, nn.BatchNorm1d(36), nn.Linear(36, 2)], [
        *(L.Concat(L.Flatten(), *ours), L.BatchNorm(36), L.Dense(36, 2))
    ]  # fmt: skip


def decoder():
    made = [nn.Linear(5, 12), nn.BatchNorm1d(12), nn.ELU(), nn.Unflatten(1, (3, 2, 2))]
    return (5,), [*made, nn.Conv2d(3, 2, 1)], [
        *(L.Dense(5, 12), L.BatchNorm(12), L.ELU(), L.Reshape(2, 2, 3), L.Conv2D(3, 2, 1))
    ]  # fmt: skip


def nchw(x):
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x


@pytest.mark.parametrize("make", [norm, layer_norm, residual, concatenated, decoder])
def test_weights_of_flattened_images_are_put_in_our_order(make):
    torch.manual_seed(0)
    shape, theirs, ours = make()
    module, net = nn.Sequential(*theirs).eval(), L.Sequential(*ours)
    for array in (*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())):
        array.data.uniform_(0.2, 1.5)
    net.input_shape = shape
    with pytest.raises(CheckpointError, match="flatten='nchw'"):
        load_state(net, module.state_dict())
    load_state(net, module.state_dict(), flatten="nchw")
    x = np.random.default_rng(0).random((4, *shape)).astype(np.float32)
    there = module(torch.tensor(nchw(x))).detach().numpy()
    assert np.abs(nchw(net.infer(x)) - there).max() <= 1e-6 * np.abs(there).max()


@pytest.mark.parametrize(
    ("layers", "shape", "message"),
    [
        ([L.Flatten(), L.GroupNorm(3, 12), L.Dense(12, 2)], (2, 2, 3), r"layer 1 \(group_norm\)"),
        ([L.Flatten(), L.MirrorMean(), L.Dense(6, 2)], (2, 2, 3), r"layer 1 \(dense\)"),
        ([L.Reshape(3, 2, 2), L.Conv2D(2, 1, 1)], (2, 2, 3), r"layer 0 \(reshape\)"),
        ([L.Reshape(2, 2, 3), L.Conv2D(3, 1, 1)], (12,), "the input"),
        ([L.Conv2D(3, 2, 1), L.Flatten()], (2, 2, 3), r"layer 1 \(reshape\)"),
    ],
)
def test_what_no_order_of_the_weights_mends_is_named(layers, shape, message):
    net = L.Sequential(*layers)
    net.input_shape = shape
    state = {f"their.{name}": array for name, array in state_dict(net).items()}
    with pytest.raises(CheckpointError, match=message):
        load_state(net, state, flatten="nchw")
    load_state(net, state, flatten="nhwc")

"""Modules of PyTorch that do what no export can hold, or end as numpycnn's networks do not."""

import random

import numpy as np
import pytest

from numpycnn.errors import CheckpointError
from tests.exchange.networks import odd

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
from numpycnn.exchange.torch import from_torch, to_torch  # noqa: E402


class Doing(torch.nn.Module):
    """A convolution, then what the test says."""

    def __init__(self, forward):
        super().__init__()
        self.conv, self.then = torch.nn.Conv2d(3, 4, 3), forward

    def forward(self, x):
        return self.then(self.conv, x)


@pytest.mark.parametrize(
    "forward",
    [
        lambda conv, x: conv(x / 255 if x.max() > 1 else x).mean((2, 3)),
        lambda conv, x: conv(x / float(x.abs().max() + 1)).mean((2, 3)),
        lambda conv, x: conv(x).mean((2, 3)) + random.random(),
        lambda conv, x: conv(x).mean((2, 3)) * len(x),
        lambda conv, x: conv(x).view(2, -1),
    ],
)
def test_a_module_that_decides_by_its_input_is_refused(forward):
    with pytest.raises(CheckpointError, match="Doing: exported as ONNX it gives other"):
        from_torch(Doing(forward), (8, 8, 3))


@pytest.mark.parametrize(
    "forward",
    [
        lambda conv, x: conv(x).mean((2, 3), keepdim=True),
        lambda conv, x: {"out": conv(x).permute(0, 2, 3, 1)},
        lambda conv, x: conv((x - 0.5) / 0.5).flatten(1).log_softmax(1),
        lambda conv, x: conv(x).softmax(1),
    ],
)
def test_ends_that_numpycnn_writes_otherwise_are_accepted(forward):
    assert from_torch(Doing(forward), (8, 8, 3)).input_shape == (8, 8, 3)


MIRRORED = "mirror", "mirrored, even and strided"  # ONNX has them as plain convolutions


@pytest.mark.parametrize("name", [name for name in odd() if name not in MIRRORED])
def test_our_own_modules_come_back(name):
    net, shape = odd()[name]
    x = np.random.default_rng(1).random((5, *shape)).astype(np.float32)
    got = from_torch(to_torch(net), shape).infer(x)
    np.testing.assert_allclose(got, net.infer(x), rtol=0, atol=1e-5)


class Gated(torch.nn.Module):
    """Squeeze-and-excite and a norm of channels, as many write them."""

    def __init__(self):
        super().__init__()
        self.down, self.up = torch.nn.Linear(4, 2), torch.nn.Linear(2, 4)
        self.norm = torch.nn.LayerNorm(4)

    def forward(self, x):
        gate = torch.sigmoid(self.up(torch.relu(self.down(x.mean((2, 3))))))
        return self.norm((x * gate[:, :, None, None]).movedim(1, -1)).movedim(-1, 1)


def test_negative_axes_and_two_new_ones():
    module, x = Gated(), torch.rand(5, 4, 6, 7)
    y = from_torch(module, (6, 7, 4)).infer(nhwc(x))
    np.testing.assert_allclose(y, nhwc(module(x).detach()), rtol=0, atol=1e-6)


def nhwc(x):
    return np.ascontiguousarray(x.numpy().transpose(0, 2, 3, 1))


def test_a_module_for_two_images_is_refused():
    with pytest.raises(CheckpointError, match=r"^Doing: it takes no eight images: shape"):
        from_torch(Doing(lambda conv, x: conv(x).view(2, 144)), (8, 8, 3))

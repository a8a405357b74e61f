"""PyTorch: a network as an nn.Module with readable names, and weights both ways.

Images are NHWC here, NCHW there. Features keep our order: Flatten there goes by way of (H, W, C),
so that a dense layer's rows need no permutation. What differs: the batch's variance that a running
variance takes in is biased here and unbiased there, n / (n - 1) times as large for n values.
"""

import importlib.util
import os
import tempfile
import warnings

from .. import layers as L
from ..errors import CheckpointError, MissingPackage
from ..ops.conv import conv_padding
from . import onnx, safetensors
from .graph import ExportError, transposed_pads
from .names import inside, load_state, state_dict

try:
    import torch
    from torch import nn
except ImportError:
    raise MissingPackage("torch", "torch") from None

__all__ = ["from_torch", "load", "load_state", "save", "state_dict", "to_torch"]


def to_torch(net):
    """The nn.Module that equals net, with copies of its weights; parameters keep their dtype.

    Images go in and out as NCHW. Raises ExportError for a layer that cannot go.
    """
    module = _module(net, "")
    own = {name: torch.from_numpy(array) for name, array in state_dict(net).items()}
    module.load_state_dict(own, strict=False, assign=True)
    for parameter in module.parameters():
        parameter.requires_grad_()
    _freeze(module)
    return module


def from_torch(module, input_shape):
    """The network that a module of yours is in use, by way of ONNX; input_shape (H, W, C) or (D,).

    Raises CheckpointError naming what numpycnn has no layer for, MissingPackage without onnx.
    """
    if importlib.util.find_spec("onnx") is None:
        raise MissingPackage("onnx", "onnx")
    shape = (input_shape[2], *input_shape[:2]) if len(input_shape) == 3 else input_shape
    first = next(module.parameters(), torch.zeros(0))
    x, training = torch.zeros(2, *shape, dtype=first.dtype, device=first.device), module.training
    free = {"input_names": ["x"], "dynamic_axes": {"x": {0: "N"}}}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter, which needs onnx alone
        path = os.path.join(folder, "module.onnx")
        try:
            torch.onnx.export(module.eval(), (x,), path, dynamo=False, verbose=False, **free)
        finally:
            module.train(training)
        try:
            return onnx.load(path)
        except CheckpointError as error:
            name = type(module).__name__
            raise CheckpointError(f"{name}: {str(error).removeprefix(path + ': ')}") from None


def save(path, net):
    """Write net's weights as a .safetensors of to_torch(net)'s names. Raises OSError."""
    safetensors.save(path, state_dict(net), {"format": "pt"})


def load(path, net):
    """Fill net, in place, from a .safetensors. Raises CheckpointError, and changes nothing then."""
    arrays, _ = safetensors.load(path)
    load_state(net, arrays)


def _freeze(module):
    for child in module.modules():
        if isinstance(child, Frozen):
            child.requires_grad_(False)


def _module(layer, path):
    below = inside(layer, path)
    if below is None:
        kind = type(layer).__name__
        if kind not in MODULES:
            raise ExportError(f"layer {path or 0} ({kind}) has no counterpart in PyTorch")
        return MODULES[kind](layer)
    made = [(name, _module(child, f"{path}.{name}".lstrip("."))) for name, child in below]
    if isinstance(layer, (L.Add, L.Concat)):
        return (Sum if isinstance(layer, L.Add) else Concatenation)([one for _, one in made])
    module = Frozen() if isinstance(layer, L.Frozen) else nn.Sequential()
    for name, one in made:
        module.add_module(name, one)
    return module


# ---- modules that PyTorch has not -------------------------------------------------------------


class Sum(nn.Module):
    """y = f(x) + g(x) + ..."""

    def __init__(self, branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        ys = [branch(x) for branch in self.branches]
        return sum(ys[1:], ys[0])


class Concatenation(Sum):
    """y = f(x), g(x), ... along the channels"""

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


class Frozen(nn.Sequential):
    """y = f(x), f always as in use"""

    def train(self, mode=True):
        return super().train(False)


class Standardize(nn.Module):
    """y = (x - mean) / std"""

    def __init__(self, mean, std):
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, x):
        return (x - self.mean) * (1 / self.std)


class SameConv2d(nn.Conv2d):
    """Padding of ceil(H / stride): an odd zero behind, as in Keras."""

    def forward(self, x):
        size = x.shape[2:]
        (top, bottom), (left, right) = conv_padding(size, self.kernel_size, self.stride, "same")
        return super().forward(nn.functional.pad(x, (left, right, top, bottom)))


class CutConvTranspose2d(nn.ConvTranspose2d):
    """What its `cut` says is cut off the full output, or added behind it."""

    cut = 0

    def forward(self, x):
        y = nn.functional.conv_transpose2d(x, self.weight, None, self.stride)
        cut = transposed_pads(y.shape[2:], self.kernel_size, self.stride, self.cut)
        (top, bottom), (left, right) = cut
        y = nn.functional.pad(y, (-left, -right, -top, -bottom))
        return y if self.bias is None else y + self.bias[:, None, None]


class BatchNorm(nn.BatchNorm2d):
    """Of features too. Its momentum is the weight of the new value, ours that of the old."""

    def _check_input_dim(self, x):
        pass


class MirrorConv2d(nn.Conv2d):
    """Each filter as it is, and mirrored with the halves of its in-channels swapped."""

    first = False

    def forward(self, x):
        partner = self.weight.flip(3)
        partner = partner if self.first else partner.roll(partner.shape[1] // 2, 1)
        bias = None if self.bias is None else self.bias.repeat(2)
        both = torch.cat([self.weight, partner])
        return nn.functional.conv2d(x, both, bias, self.stride, self.padding)


class MirrorBatchNorm(BatchNorm):
    """The two halves of the channels as two images."""

    def forward(self, x):
        n, c, h, w = x.shape
        return super().forward(x.reshape(2 * n, c // 2, h, w)).reshape(x.shape)


class MirrorMean(nn.Module):
    """(N, 2F) -> (N, F)"""

    def forward(self, x):
        return x.unflatten(1, (2, -1)).mean(1)


class Flatten(nn.Module):
    """(N, C, H, W) -> (N, H*W*C)"""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1) if x.ndim == 4 else x.flatten(1)


class Reshape(nn.Module):
    """In our order, (H, W, C)."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        x = x.permute(0, 2, 3, 1) if x.ndim == 4 else x
        y = x.reshape(len(x), *self.shape)
        return y.permute(0, 3, 1, 2) if y.ndim == 4 else y


class GlobalAvgPool(nn.Module):
    """(N, C, H, W) -> (N, C)"""

    def forward(self, x):
        return x.mean((2, 3))


class Sampling(nn.Module):
    """mean + exp(log_var / 2) * noise; in use the mean"""

    def forward(self, x):
        mean, log_var = x.chunk(2, 1)
        noise = torch.randn_like(mean) if self.training else 0
        return mean + torch.exp(log_var / 2) * noise


# ---- layers -> modules ------------------------------------------------------------------------


def _mirror_conv(layer):
    kh, kw, c, f = layer.w.value.shape
    padding = {"same": (kh // 2, kw // 2), "valid": 0}.get(layer.padding, layer.padding)
    made = MirrorConv2d(c, f, (kh, kw), layer.stride, padding, bias=layer.b is not None)
    made.first = layer.first
    return made


def _conv(layer):
    kh, kw, c, f = layer.w.value.shape
    odd = kh % 2 and kw % 2 and layer.stride == (1, 1)
    padding = {"same": (kh // 2, kw // 2) if odd else 0, "valid": 0}.get(
        layer.padding, layer.padding
    )
    kind = SameConv2d if layer.padding == "same" and not odd else nn.Conv2d
    return kind(c, f, (kh, kw), layer.stride, padding, bias=layer.b is not None)


def _conv_transpose(layer):
    kh, kw, f, c = layer.w.value.shape
    made = CutConvTranspose2d(c, f, (kh, kw), layer.stride, bias=layer.b is not None)
    made.cut = layer.padding
    return made


def _batch_norm(layer):
    kind = MirrorBatchNorm if isinstance(layer, L.MirrorBatchNorm) else BatchNorm
    return kind(len(layer.gamma.value), layer.eps, 1 - layer.momentum)


MODULES = {
    "AvgPool2D": lambda layer: nn.AvgPool2d(layer.size, layer.stride),
    "BatchNorm": _batch_norm,
    "Conv2D": _conv,
    "ConvTranspose2D": _conv_transpose,
    "Dense": lambda layer: nn.Linear(*layer.w.value.shape, bias=layer.b is not None),
    "Dropout": lambda layer: nn.Dropout(layer.rate),
    "ELU": lambda layer: nn.ELU(layer.alpha),
    "Flatten": lambda layer: Flatten(),
    "GlobalAvgPool": lambda layer: GlobalAvgPool(),
    "Identity": lambda layer: nn.Identity(),
    "LeakyReLU": lambda layer: nn.LeakyReLU(layer.negative_slope),
    "MaxPool2D": lambda layer: nn.MaxPool2d(layer.size, layer.stride),
    "MirrorBatchNorm": _batch_norm,
    "MirrorConv2D": _mirror_conv,
    "MirrorMean": lambda layer: MirrorMean(),
    "PReLU": lambda layer: nn.PReLU(len(layer.alpha.value)),
    "ReLU": lambda layer: nn.ReLU(),
    "Reshape": lambda layer: Reshape(layer.shape),
    "Sampling": lambda layer: Sampling(),
    "Sigmoid": lambda layer: nn.Sigmoid(),
    "Standardize": lambda layer: Standardize(layer.mean, layer.std),
    "Tanh": lambda layer: nn.Tanh(),
    "Upsample2D": lambda layer: nn.Upsample(scale_factor=layer.size, mode="nearest"),
}

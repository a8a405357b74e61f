"""A network -> an nn.Module, and a module of somebody's -> a network."""

import contextlib
import importlib.util
import os
import tempfile
import warnings

import numpy as np
import torch
from torch import nn

from ... import layers as L
from ...errors import CheckpointError, MissingPackage
from ...files import shown
from .. import check, onnx
from ..names import state_dict
from ..structure import ExportError, deeper, inside
from . import modules


def to_torch(net):
    """The nn.Module that equals net, with copies of its weights; parameters keep their dtype.

    Images go in and out as NCHW. Raises ExportError for a layer that cannot go.
    """
    module = _module(net, "", {})
    own = {name: torch.from_numpy(array) for name, array in state_dict(net).items()}
    module.load_state_dict(own, strict=False, assign=True)
    for parameter in module.parameters():
        parameter.requires_grad_()
    _freeze(module)
    return module


def from_torch(module, input_shape):
    """The network that a module of yours is in use, by way of ONNX; input_shape (H, W, C) or (D,).

    Answers to random images are compared. Raises CheckpointError where they differ, and naming
    what numpycnn has no layer for, or PyTorch no ONNX operator; MissingPackage without onnx.
    """
    if importlib.util.find_spec("onnx") is None:
        raise MissingPackage("onnx", "onnx")
    shape = (input_shape[2], *input_shape[:2]) if len(input_shape) == 3 else input_shape
    first = next(module.parameters(), torch.zeros(0))
    x = torch.zeros(2, *shape, dtype=first.dtype, device=first.device)
    free = {"input_names": ["x"], "dynamic_axes": {"x": {0: "N"}}}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), _in_use(module):
        warnings.simplefilter("ignore")  # the older exporter, which needs onnx alone
        path = os.path.join(folder, "module.onnx")
        try:
            torch.onnx.export(module, (x,), path, dynamo=False, verbose=False, **free)
        except Exception as error:  # whatever it raises, and the module itself
            raise _refusal(module, "PyTorch cannot export it as ONNX", error) from error
        try:
            net = onnx.load(path)
        except CheckpointError as error:
            name = type(module).__name__
            raise CheckpointError(f"{name}: {str(error).removeprefix(path + ': ')}") from None
        _compare(net, module, x, tuple(input_shape))
        return net


def _refusal(module, what, error):
    text = str(error).partition("\n")[0] or type(error).__name__
    return CheckpointError(f"{type(module).__name__}: {what}: {shown(text, 300)}")


def _compare(net, module, like, input_shape):
    """Raises CheckpointError where net and the module, of x as `like`, answer otherwise.

    An exported module does what it did with one x: if x.max() > 1 it decides once.
    """
    unit = isinstance(net.layers[0] if net.layers else None, L.Standardize)  # it takes [0, 1] alone
    noise = check.noise(net.input_shape).astype(np.float32)
    for x in (noise / 255,) if unit else (noise / 255, noise - 127):
        own = net.input_shape == input_shape and x.ndim == 4
        given = np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if own else x
        try:
            with torch.no_grad():
                y = module(torch.from_numpy(given).to(like))
        except Exception as error:
            raise _refusal(module, "it takes no eight images", error) from error
        while not torch.is_tensor(y):  # the only one in a tuple, or a dict
            (y,) = y.values() if isinstance(y, dict) else y
        y, z = y.cpu().numpy(), net.infer(x)
        orders = [y, np.moveaxis(y, 1, -1)] if y.ndim == 4 else [y]
        shifted = z - z.max(-1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
        ends = [z, log_p, np.exp(log_p)]  # a softmax at the end is left out
        same = len(y) == len(z) and y.size == z.size  # but for ones: (N, C, 1, 1) is (N, C) here
        pairs = [(e, y.reshape(e.shape)) for e in ends for y in orders] if same else []
        error = min((np.abs(a - b).max() for a, b in pairs), default=np.inf)
        if not error <= 1e-3 * np.abs(y).max() + 1e-4:  # rounding, inside a softmax too
            raise CheckpointError(
                f"{type(module).__name__}: exported as ONNX it gives other answers: they differ by "
                f"{error:.2g} at {np.abs(y).max():.2g}; does forward decide by the values of x, or "
                "by chance?"
            )


@contextlib.contextmanager
def _in_use(module):
    """eval(), and afterwards the mode that each module in it had: some may be frozen."""
    modes = {one: one.training for one in module.modules()}
    module.eval()
    try:
        yield
    finally:
        module.train(modes[module])  # for those that do more in it
        for one, training in modes.items():
            one.training = training


def _freeze(module):
    for child in module.modules():
        if isinstance(child, modules.Frozen):
            child.requires_grad_(False)


def _module(layer, path, made):
    """made: {id(layer): (layer, module)}, so that a layer that is used twice is one module."""
    if id(layer) not in made:
        made[id(layer)] = layer, _new(layer, path, made)
    return made[id(layer)][1]


def _new(layer, path, made):
    below = inside(layer, path)
    if below is None:
        kind = type(layer).__name__
        if kind not in MODULES:
            raise ExportError(f"layer {path or 0} ({kind}) has no counterpart in PyTorch")
        if isinstance(layer, L.Reshape) and len(layer.shape) not in (1, 3):
            raise ExportError(
                f"layer {path or 0} (Reshape) to {layer.shape} cannot go; images (H, W, C) and "
                "features (D,) can"
            )
        return MODULES[kind](layer)
    found = [(name, _module(one, deeper(path, name), made)) for name, one in below]
    if type(layer) in (L.Add, L.Concat):
        kind = modules.Sum if type(layer) is L.Add else modules.Concatenation
        return kind([one for _, one in found])
    if type(layer) is L.SqueezeExcite:
        return modules.SqueezeExcite(found[0][1])
    module = modules.Frozen() if isinstance(layer, L.Frozen) else nn.Sequential()
    for name, one in found:
        module.add_module(name, one)
    return module


# ---- layers -> modules ------------------------------------------------------------------------


def _mirror_conv(layer):
    kh, kw, c, f = layer.w.value.shape
    made = modules.MirrorConv2d(c, f, (kh, kw), layer.stride, bias=layer.b is not None)
    made.first, made.padded = layer.first, layer.padding
    return made


def _conv(layer):
    kh, kw, c, f = layer.w.value.shape
    odd = kh % 2 and kw % 2 and layer.stride == (1, 1)
    around = tuple(n // 2 * d for n, d in zip((kh, kw), layer.dilation, strict=True))
    padding = {"same": around if odd else 0, "valid": 0}.get(layer.padding, layer.padding)
    kind = modules.SameConv2d if layer.padding == "same" and not odd else nn.Conv2d
    place = layer.stride, padding, layer.dilation, layer.groups
    return kind(c * layer.groups, f, (kh, kw), *place, bias=layer.b is not None)


def _conv_transpose(layer):
    kh, kw, f, c = layer.w.value.shape
    made = modules.CutConvTranspose2d(c, f, (kh, kw), layer.stride, bias=layer.b is not None)
    made.cut = layer.padding
    return made


def _batch_norm(layer):
    kind = modules.MirrorBatchNorm if isinstance(layer, L.MirrorBatchNorm) else modules.BatchNorm
    return kind(len(layer.gamma.value), layer.eps, 1 - layer.momentum)


MODULES = {
    "AvgPool2D": lambda layer: nn.AvgPool2d(layer.size, layer.stride),
    "BatchNorm": _batch_norm,
    "Conv2D": _conv,
    "ConvTranspose2D": _conv_transpose,
    "Dense": lambda layer: nn.Linear(*layer.w.value.shape, bias=layer.b is not None),
    "Dropout": lambda layer: nn.Dropout(layer.rate),
    "ELU": lambda layer: nn.ELU(layer.alpha),
    "Flatten": lambda layer: modules.Flatten(),
    "GELU": lambda layer: nn.GELU(),
    "GlobalAvgPool": lambda layer: modules.GlobalAvgPool(),
    "GroupNorm": lambda layer: nn.GroupNorm(layer.groups, len(layer.gamma.value), layer.eps),
    "HardSwish": lambda layer: nn.Hardswish(),
    "Identity": lambda layer: nn.Identity(),
    "LayerNorm": lambda layer: modules.LayerNorm(len(layer.gamma.value), layer.eps),
    "LeakyReLU": lambda layer: nn.LeakyReLU(layer.negative_slope),
    "MaxPool2D": lambda layer: nn.MaxPool2d(layer.size, layer.stride),
    "MirrorBatchNorm": _batch_norm,
    "MirrorConv2D": _mirror_conv,
    "MirrorMean": lambda layer: modules.MirrorMean(),
    "PReLU": lambda layer: nn.PReLU(len(layer.alpha.value)),
    "ReLU": lambda layer: nn.ReLU(),
    "Reshape": lambda layer: modules.Reshape(layer.shape),
    "Sampling": lambda layer: modules.Sampling(),
    "SiLU": lambda layer: nn.SiLU(),
    "Sigmoid": lambda layer: nn.Sigmoid(),
    "Standardize": lambda layer: modules.Standardize(layer.mean, layer.std),
    "Tanh": lambda layer: nn.Tanh(),
    "Upsample2D": lambda layer: nn.Upsample(scale_factor=layer.size, mode="nearest"),
}

"""Keras's layers as numpycnn's: (settings, arrays) -> [layers and pieces to join]."""

import numpy as np

from ... import layers as L
from ...errors import CheckpointError
from ..assemble import (
    Affine,
    Margin,
    batch_norm,
    conv,
    conv_transpose,
    dense,
    example_norm,
    prelu,
)

MERGES = {"Add": L.Add, "Concatenate": L.Concat, "Multiply": L.SqueezeExcite}
OPERATIONS = {*MERGES, "Softmax"}  # of keras.ops, which say what the layers say: a + b is one
ACTIVATIONS = {
    "linear": list,
    "relu": lambda: [L.ReLU()],
    "sigmoid": lambda: [L.Sigmoid()],
    "tanh": lambda: [L.Tanh()],
    "elu": lambda: [L.ELU()],
    "leaky_relu": lambda: [L.LeakyReLU(0.2)],
    **dict.fromkeys(("silu", "swish"), lambda: [L.SiLU()]),
    "gelu": lambda: [L.GELU()],
    **dict.fromkeys(("hard_silu", "hard_swish"), lambda: [L.HardSwish()]),
}
EXPECTED = {  # settings that numpycnn has no other values of
    "data_format": ("channels_last", None), "rms_scaling": (False,),
    "keepdims": (False,), "max_value": (None,), "threshold": (0.0,), "interpolation": ("nearest",),
    "output_padding": (None,), "axis": (-1, [-1]), "renorm": (False,), "noise_shape": (None,),
}  # fmt: skip


def objections(one):
    """Why numpycnn has not the layer of a config, or None."""
    kind, settings, module = one["class_name"], one["config"], one["module"] or "a class of its own"
    name = f"{kind} ({settings.get('name')})"[:80]
    operation = module.startswith("keras.src.ops") and kind in OPERATIONS
    if module != "keras.layers" and not operation:
        return f"{name} of {module:.40}, which is none of keras.layers"
    if kind not in {*LAYERS, *MERGES, "InputLayer", "Activation", "Softmax"}:
        return name
    found = [
        f"{key} {settings[key]!s:.40}"
        for key, values in EXPECTED.items()
        if key in settings and settings[key] not in values and kind != "Softmax"
    ]
    if kind == "Conv2DTranspose" and settings.get("dilation_rate") not in ([1, 1], 1):
        found.append(f"dilation_rate {settings['dilation_rate']!s:.40}")
    if kind.endswith("Pooling2D") and settings.get("padding", "valid") != "valid":
        found.append("padding same")
    if kind == "ReLU" and settings.get("negative_slope"):
        found.append("negative_slope")
    if settings.get("activation", "linear") not in ("softmax", *ACTIVATIONS):
        found.append(f"activation {settings['activation']!s:.40}")
    return f"{name} with {' and '.join(found)}" if found else None


def activation_of(kind, settings, last):
    """The layers of a layer's activation. Raises CheckpointError for a softmax before the end."""
    name = "softmax" if kind == "Softmax" else settings.get("activation", "linear")
    if name == "softmax":
        if not last:
            raise CheckpointError(f"{settings['name']!r:.60} has a softmax before the end")
        return []
    return ACTIVATIONS[name]()


def _arrays(settings, weights, count):
    """Raises CheckpointError for another number of arrays."""
    if len(weights) != count:
        name = settings["name"]
        raise CheckpointError(f"{name!r:.60} has {len(weights)} arrays, expected {count}")
    return [*weights, None][:2] if count == 1 else weights


def _convolution(settings, weights):
    w, b = _arrays(settings, weights, 1 + bool(settings["use_bias"]))[:2]
    stride, padding = tuple(settings["strides"]), settings["padding"]
    return w, b, stride, padding


def _conv(settings, weights):
    place = tuple(settings["dilation_rate"]), settings["groups"]
    return [conv(*_convolution(settings, weights), *place)]


def _depthwise(settings, weights):
    """Filters (kh, kw, C, m) are ours (kh, kw, 1, C*m): of each channel, m side by side."""
    w, *rest = _convolution(settings, weights)
    kh, kw, c, m = w.shape
    place = tuple(settings["dilation_rate"]), c
    return [conv(w.reshape(kh, kw, 1, c * m), *rest, *place)]


def _conv_transpose(settings, weights):
    w, b, stride, padding = _convolution(settings, weights)
    if padding == "valid" and (np.array(w.shape[:2]) < stride).any():
        name = settings["name"]
        raise CheckpointError(f"{name!r:.60} has a kernel smaller than its stride")
    return [conv_transpose(w, b, stride, padding)]


def _dense(settings, weights):
    return [dense(*_arrays(settings, weights, 1 + bool(settings["use_bias"]))[:2])]


def _batch_norm(settings, weights):
    scale, center = bool(settings["scale"]), bool(settings["center"])
    weights = list(_arrays(settings, weights, 2 + scale + center))
    *_, mean, var = weights
    gamma = weights[0] if scale else np.ones_like(mean)
    beta = weights[int(scale)] if center else np.zeros_like(mean)
    return [batch_norm(gamma, beta, mean, var, settings["momentum"], settings["epsilon"])]


def _example_norm(settings, weights):
    """Of LayerNormalization, and with groups of GroupNormalization."""
    scale, center = bool(settings["scale"]), bool(settings["center"])
    weights = list(_arrays(settings, weights, scale + center))
    if not scale and not center:
        raise CheckpointError(f"{settings['name']!r:.60} has neither gamma nor beta")
    gamma = weights[0] if scale else np.ones_like(weights[0])
    beta = weights[int(scale)] if center else np.zeros_like(gamma)
    groups = settings.get("groups")
    groups = len(gamma) if groups == -1 else groups
    return [example_norm(gamma, beta, settings["epsilon"], groups)]


def _prelu(settings, weights):
    (alpha, _) = _arrays(settings, weights, 1)
    if alpha.size != alpha.shape[-1]:
        raise CheckpointError(f"{settings['name']!r:.60} has a slope of each pixel")
    return [prelu(alpha)]


def _rescaling(settings, weights):
    scale, offset = settings["scale"], settings["offset"]
    if not all(isinstance(n, (int, float)) for n in (scale, offset)):
        raise CheckpointError(f"{settings['name']!r:.60} has a scale of each channel")
    return [Affine(np.array([float(scale)]), np.array([float(offset)]), 1)]


def _margin(settings, weights):
    sign = 1 if "padding" in settings else -1
    pads = settings["padding"] if sign == 1 else settings["cropping"]
    return [Margin(tuple((sign * int(a), sign * int(b)) for a, b in pads))]


def _window(settings):
    return tuple(settings["pool_size"]), tuple(settings["strides"])


LAYERS = {
    "AveragePooling2D": lambda s, _: [L.AvgPool2D(*_window(s))],
    "BatchNormalization": _batch_norm,
    "Conv2D": _conv,
    "Conv2DTranspose": _conv_transpose,
    "Cropping2D": _margin,
    "Dense": _dense,
    "DepthwiseConv2D": _depthwise,
    "Dropout": lambda s, _: [L.Dropout(s["rate"])],
    "ELU": lambda s, _: [L.ELU(s["alpha"])],
    "Flatten": lambda s, _: [L.Flatten()],
    "GlobalAveragePooling2D": lambda s, _: [L.GlobalAvgPool()],
    "GroupNormalization": _example_norm,
    "LayerNormalization": _example_norm,
    "LeakyReLU": lambda s, _: [L.LeakyReLU(s["negative_slope"])],
    "MaxPooling2D": lambda s, _: [L.MaxPool2D(*_window(s))],
    "PReLU": _prelu,
    "ReLU": lambda s, _: [L.ReLU()],
    "Rescaling": _rescaling,
    "Reshape": lambda s, _: [L.Reshape(*s["target_shape"])],
    "UpSampling2D": lambda s, _: [L.Upsample2D(tuple(s["size"]))],
    "ZeroPadding2D": _margin,
}

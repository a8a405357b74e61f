"""Operators on images as layers: (node, the value, its constants) -> ([layers], the value made)."""

import dataclasses

import numpy as np

from ... import layers as L
from ...errors import CheckpointError
from ...ops.conv import conv_padding, conv_size, transposed_padding
from .. import assemble
from .value import Value, image, weights


def conv(node, value, given):
    """Conv: weights (F, C/groups, kh, kw) -> Conv2D; 1x1 of a mean -> Dense.

    Raises CheckpointError.
    """
    w, b = weights(node, given, 2)
    if value.axes == "pooled" and w.shape[2:] == (1, 1) and w.shape[1] == value.channels:
        return [assemble.dense(w[:, :, 0, 0].T, b)], Value([w.shape[0], 1, 1], "pooled")
    (c, *size), groups = image(node, value), node.attrs.get("group", 1)
    if w.ndim != 4 or w.shape[1] * groups != c:
        raise CheckpointError(
            f"{node} has weights {w.shape} for {c} channels in {groups} groups, "
            f"expected (F, {c // max(groups, 1)}, kh, kw)"
        )
    stride = tuple(node.attrs.get("strides", (1, 1)))
    dilation = tuple(node.attrs.get("dilations", (1, 1)))
    before = value.pads or ((0, 0), (0, 0))
    padding = _padding(node, size, w.shape[2:], stride, dilation, before)
    layer = assemble.conv(w.transpose(2, 3, 1, 0), b, stride, padding, dilation, groups)
    pads = conv_padding(size, w.shape[2:], stride, padding, dilation)
    size = conv_size(size, w.shape[2:], stride, pads, dilation)
    return [layer], Value([w.shape[0], *size], "nchw")


def _padding(node, size, kernel, stride, dilation, before):
    """ "same", or numbers for both sides alike; `before`: what a Pad gave.

    Raises CheckpointError for anything else.
    """
    pads = node.attrs.get("pads") or [0] * 4
    own = tuple(zip(pads[:2], pads[2:], strict=True))
    if node.attrs.get("auto_pad") == "SAME_UPPER":
        if not any(map(any, before)):
            return "same"
        padded = [n + sum(pair) for n, pair in zip(size, before, strict=True)]
        own = conv_padding(padded, kernel, stride, "same", dilation)
    pads = tuple((a + c, b + d) for (a, b), (c, d) in zip(own, before, strict=True))
    if all(a == b for a, b in pads):
        numbers = tuple(a for a, _ in pads)
        same = conv_padding(size, kernel, stride, "same", dilation) == pads
        return "valid" if numbers == (0, 0) else "same" if same else numbers
    if conv_padding(size, kernel, stride, "same", dilation) == pads:
        return "same"
    raise CheckpointError(f"{node}: padding {pads} is neither the same on both sides nor 'same'")


def conv_transpose(node, value, given):
    """ConvTranspose: weights (C, F, kh, kw) -> ConvTranspose2D. Raises CheckpointError."""
    (c, *size), (w, b) = image(node, value), weights(node, given, 2)
    if w.ndim != 4 or w.shape[0] != c:
        raise CheckpointError(
            f"{node} has weights {w.shape} for {c} channels, expected ({c}, F, kh, kw)"
        )
    stride, kernel = tuple(node.attrs.get("strides", (1, 1))), w.shape[2:]
    cut, more = node.attrs.get("pads") or [0] * 4, node.attrs.get("output_padding") or [0, 0]
    pads = tuple((cut[i], cut[i + 2] - more[i]) for i in (0, 1))
    full = [(n - 1) * s + k for n, s, k in zip(size, stride, kernel, strict=True)]
    if pads == transposed_padding(full, kernel, stride, "same"):
        padding = "same"
    elif all(a == b >= 0 for a, b in pads):
        padding = tuple(a for a, _ in pads)
    else:
        raise CheckpointError(
            f"{node}: it cuts off {pads}, neither the same on both sides nor 'same'"
        )
    layer = assemble.conv_transpose(w.transpose(2, 3, 1, 0), b, stride, padding)
    size = [n - sum(p) for n, p in zip(full, pads, strict=True)]
    return [layer], Value([w.shape[1], *size], "nchw")


def pool(node, value, given):
    """MaxPool or AveragePool -> MaxPool2D or AvgPool2D. Raises CheckpointError."""
    c, *size = image(node, value)
    window = tuple(node.attrs["kernel_shape"])
    stride = tuple(node.attrs.get("strides", (1, 1)))
    kind = L.MaxPool2D if node.op == "MaxPool" else L.AvgPool2D
    layer = kind(window, stride)
    size = [(n - k) // s + 1 for n, k, s in zip(size, window, layer.stride, strict=True)]
    return [layer], Value([c, *size], "nchw")


def global_pool(node, value, given):
    """GlobalAveragePool -> GlobalAvgPool; (N, C, 1, 1) counts as (N, C) from there on."""
    return [L.GlobalAvgPool()], Value([image(node, value)[0], 1, 1], "pooled")


def mean(node, value, given):
    """ReduceMean over height and width -> GlobalAvgPool. Raises CheckpointError."""
    axes = node.attrs.get("axes") or (given[1].tolist() if len(given) > 1 else [])
    expected = {"nchw": [2, 3], "nhwc": [1, 2]}.get(value.axes)
    if sorted(a % (len(value.dims) + 1) for a in axes) != expected:
        raise CheckpointError(f"{node} over {axes}, expected the mean over an image")
    c = value.channels
    kept = [c, 1, 1] if value.axes == "nchw" else [1, 1, c]
    flat = Value([c], "flat") if not node.attrs.get("keepdims", 1) else Value(kept, "pooled")
    return [L.GlobalAvgPool()], flat


def pad(node, value, given):
    """Zeros around an image, for the convolution after it; or pixels cut off a transposed one.

    Raises CheckpointError.
    """
    pads = node.attrs.get("pads") if len(given) < 2 else given[1]
    fill = given[2] if len(given) > 2 and given[2] is not None else node.attrs.get("value", 0.0)
    axes = (
        given[3].tolist() if len(given) > 3 and given[3] is not None else range(len(value.dims) + 1)
    )
    if pads is None or np.any(fill) or value.axes not in ("nchw", "nhwc"):
        raise CheckpointError(f"{node}: it is not of zeros around an image")
    pads = np.array(pads).reshape(2, -1).T.tolist()
    around = {axis % 4: tuple(pair) for axis, pair in zip(axes, pads, strict=True) if any(pair)}
    sides = (2, 3) if value.axes == "nchw" else (1, 2)
    both = tuple(around.get(axis, (0, 0)) for axis in sides)
    if set(around) - set(sides) or (np.min(both) < 0 < np.max(both)):
        raise CheckpointError(f"{node} by {pads}, expected zeros around an image")
    if np.min(both) < 0:
        dims = dataclasses.replace(value, pads=both).padded()
        return [assemble.Margin(both)], dataclasses.replace(value, dims=dims)
    return [], dataclasses.replace(value, pads=both if around else None)


ROUNDED = {  # where a pixel is taken from, between two others
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda place: np.ceil(place - 0.5),
    "round_prefer_ceil": lambda place: np.floor(place + 0.5),
}


def _repeats(node, factor):
    """Whether a Resize takes each of two pixels `factor` times, as Upsample2D does."""
    how = node.attrs.get("coordinate_transformation_mode", "half_pixel")
    rounded = ROUNDED.get(node.attrs.get("nearest_mode", "round_prefer_floor"))
    half = {"asymmetric": 0.0, "half_pixel": 0.5}.get(how)
    if factor < 1 or half is None or rounded is None:
        return False
    i = np.arange(2 * factor)
    return np.array_equal(rounded((i + half) / factor - half).clip(0, 1), i // factor)


def resize(node, value, given):
    """Resize by whole factors, nearest neighbour -> Upsample2D. Raises CheckpointError."""
    c, *size = image(node, value)
    scales = given[2] if len(given) > 2 and given[2] is not None and given[2].size else None
    if scales is None and len(given) > 3 and given[3] is not None:
        scales = given[3] / np.array([max(given[3][0], 1), c, *size])
    whole = None if scales is None else np.round(scales).astype(int)
    exact = whole is not None and (whole == scales).all() and (whole[:2] <= 1).all()
    if not exact or whole[2:].max() > 64 or not all(_repeats(node, n) for n in whole[2:]):
        raise CheckpointError(f"{node}: numpycnn enlarges by repeating pixels")
    return [L.Upsample2D(tuple(whole[2:].tolist()))], Value(
        [c, *(np.array(size) * whole[2:]).tolist()], "nchw"
    )

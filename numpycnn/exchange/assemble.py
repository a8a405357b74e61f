"""Pieces that other programs write apart, joined into layers: a product and its bias, a shift."""

import dataclasses
import warnings

import numpy as np

from .. import layers as L
from ..errors import CheckpointError
from ..layers.base import value_of
from ..layers.traverse import walk
from ..ops.conv import conv_padding, transposed_padding
from . import graph

FEATUREWISE = L.ReLU, L.Sigmoid, L.Tanh, L.LeakyReLU, L.ELU, L.SiLU, L.GELU, L.HardSwish
MOST = 1 << 22  # weights of a matrix that only changes the order of features


@dataclasses.dataclass
class Affine:
    """y = x * scale + shift, both (C,) or of one number, float64."""

    scale: np.ndarray
    shift: np.ndarray
    channels: int


@dataclasses.dataclass
class Reorder:
    """y[:, i] = x[:, order[i]] of x (N, features): it goes into the dense layer before it."""

    order: np.ndarray
    features: int


@dataclasses.dataclass
class Margin:
    """Zeros around an image, ((top, bottom), (left, right)), for the convolution after it.

    Negative ones are pixels that are cut off the transposed convolution before it.
    """

    pads: tuple


def zeros(shape, rng):
    """An initialiser for layers whose weights come from a file."""
    return np.zeros(shape, np.float32)


def conv(w, b, stride, padding, dilation=1, groups=1):
    """A convolution of weights (kh, kw, C/groups, F).

    Raises CheckpointError for a bias, or groups, that do not fit.
    """
    kh, kw, _, f = w.shape
    bias, place = b is not None, {"dilation": dilation, "groups": groups}
    if groups < 1 or f % groups:
        raise CheckpointError(f"a convolution has {f} filters in {groups} groups")
    layer = L.Conv2D(groups, groups, (kh, kw), stride, padding, bias, init=zeros, **place)
    return _filled(layer, w, b, f)


def conv_transpose(w, b, stride, padding):
    """A transposed convolution of weights (kh, kw, F, C)."""
    layer = L.ConvTranspose2D(1, 1, w.shape[:2], stride, padding, b is not None, init=zeros)
    return _filled(layer, w, b, w.shape[2])


def dense(w, b):
    """Dense of weights (D, K) and a bias (K,) or None. Raises CheckpointError where they differ."""
    return _filled(L.Dense(1, 1, bias=b is not None, init=zeros), w, b, w.shape[1])


def _filled(layer, w, b, outputs):
    layer.w.value = np.array(w, np.float32, order="C")
    if b is not None:
        layer.b.value = np.array(b, np.float32).reshape(-1)
        if layer.b.value.shape != (outputs,):
            raise CheckpointError(f"a bias of {b.shape} stands beside weights of {w.shape}")
    return layer


def batch_norm(gamma, beta, mean, var, momentum, eps):
    """BatchNorm of four arrays (C,). Raises CheckpointError where their lengths differ."""
    channels = np.asarray(var).size
    layer = L.BatchNorm(channels, momentum, eps)
    values = [np.array(v, np.float32).reshape(-1) for v in (gamma, beta, mean, var)]
    if any(v.shape != (channels,) for v in values):
        raise CheckpointError("the four arrays of a batch norm differ in length")
    layer.gamma.value, layer.beta.value, layer.running_mean, layer.running_var = values
    return layer


def example_norm(gamma, beta, eps, groups=None):
    """LayerNorm, or with groups GroupNorm, of two arrays (C,). Raises CheckpointError."""
    c = np.size(gamma)
    if np.shape(beta) != (c,) or (groups is not None and (groups < 1 or c % groups)):
        raise CheckpointError(f"a norm of {groups} groups has arrays of {c} and {np.size(beta)}")
    layer = L.LayerNorm(c, eps) if groups is None else L.GroupNorm(groups, c, eps)
    layer.gamma.value, layer.beta.value = np.float32(gamma), np.float32(beta)
    return layer


def squeeze_excite(gate):
    """SqueezeExcite of the layers that make its gate. Raises CheckpointError for other ones."""
    last = gate[-1]
    if isinstance(last, L.Reshape) and last.shape[:-1] == (1, 1):  # as Keras has it
        gate = gate[:-1]
    kinds = [type(layer) for layer in gate]
    if kinds != [L.GlobalAvgPool, L.Dense, L.ReLU, L.Dense, L.Sigmoid]:
        raise CheckpointError(
            "a product of two values, expected squeeze-and-excite: an image times GlobalAvgPool, "
            f"Dense, ReLU, Dense and Sigmoid of it; not {', '.join(k.__name__ for k in kinds)}"
        )
    squeeze, excite = gate[1], gate[3]
    channels, hidden = squeeze.w.value.shape
    if channels // (channels // hidden or 1) != hidden or excite.w.value.shape[1] != channels:
        raise CheckpointError(
            f"squeeze-and-excite of {channels} channels to {hidden}, which no whole reduction gives"
        )
    layer = L.SqueezeExcite(channels, channels // hidden, init=zeros)
    for own, given in ((layer.gate.layers[1], squeeze), (layer.gate.layers[3], excite)):
        own.w.value = given.w.value
        own.b.value = own.b.value if given.b is None else given.b.value
    return layer


def prelu(alpha):
    """PReLU of slopes (C,), in whatever shape they stand."""
    layer = L.PReLU(alpha.size)
    layer.alpha.value = np.array(alpha, np.float32).reshape(-1)
    return layer


def joined(pieces):
    """Layers, of layers and the pieces above. Raises CheckpointError for one that fits nowhere."""
    made = []
    for piece in pieces:
        last = made[-1] if made else None
        if isinstance(piece, Reorder):
            _reorder(made, piece)
        elif isinstance(piece, Affine):
            made[-1:] = _after(last, piece)
        elif isinstance(last, Margin):
            made[-1] = _padded(last, piece)
        elif isinstance(piece, Margin) and np.min(piece.pads) < 0:
            made[-1:] = [_cut(last, piece)]
        else:
            made.append(piece)
    if made and isinstance(made[-1], Margin):
        raise CheckpointError(NO_MARGIN)
    return [standardize_or_norm(one) if isinstance(one, Affine) else one for one in made]


NO_MARGIN = "zeros around an image stand before no convolution; numpycnn pads for these alone"


def _padded(margin, layer):
    """The convolution with these zeros around its images; settle() sees whether they are "same"."""
    if type(layer) is not L.Conv2D or layer.padding not in ("valid", (0, 0)):
        raise CheckpointError(NO_MARGIN)
    layer.padding = margin.pads
    if all(a == b for a, b in margin.pads):
        layer.padding = tuple(a for a, _ in margin.pads)
    return layer


def _cut(layer, margin):
    """The transposed convolution whose output lacks these pixels."""
    whole = type(layer) is L.ConvTranspose2D and layer.padding in ("valid", (0, 0))
    cut = tuple((-a, -b) for a, b in margin.pads)
    if whole and cut == transposed_padding(None, layer.w.value.shape[:2], layer.stride, "same"):
        layer.padding = "same"
        return layer
    if not whole or any(a != b or a > 0 for a, b in margin.pads):
        raise CheckpointError(
            f"an image is cut by {margin.pads}; numpycnn cuts both sides alike, and right behind a "
            "transposed convolution, alone"
        )
    layer.padding = tuple(-a for a, _ in margin.pads)
    return layer


def _after(last, piece):
    """The last piece and an affine one, in as few as possible."""
    if isinstance(last, Affine):
        scale, shift = last.scale * piece.scale, last.shift * piece.scale + piece.shift
        return [Affine(scale, shift, piece.channels)]
    linear = isinstance(last, (L.Conv2D, L.ConvTranspose2D, L.Dense))
    if linear and last.b is None and (piece.scale == 1).all():
        bias = np.broadcast_to(piece.shift, (piece.channels,))
        if isinstance(last, L.Dense):
            return [dense(last.w.value, bias)]
        if isinstance(last, L.Conv2D):
            return [conv(last.w.value, bias, *last.place())]
        return [conv_transpose(last.w.value, bias, last.stride, last.padding)]
    if isinstance(last, (L.LayerNorm, L.GroupNorm)):
        gamma, beta = last.gamma.value * piece.scale, last.beta.value * piece.scale + piece.shift
        return [example_norm(gamma, beta, last.eps, getattr(last, "groups", None))]
    return [piece] if last is None else [last, piece]


def standardize_or_norm(piece):
    """Standardize for one mean and a scale > 0; else a constant batch norm."""
    scale, shift = np.unique(piece.scale), np.unique(piece.shift)
    if len(scale) == len(shift) == 1 and scale[0] > 0:
        return standardize(scale[0], shift[0])
    return constant(piece.scale, piece.shift, piece.channels)


def constant(scale, shift, channels):
    """y = x * scale + shift: a batch norm of mean 0 and variance 1 that is not trained."""
    wide = [np.broadcast_to(v, (channels,)) for v in (scale, shift)]
    eps = 1e-5
    return L.Frozen(batch_norm(*wide, np.zeros(channels), np.full(channels, 1 - eps), 0.9, eps))


def settle(net, shape):
    """net with Standardize for pixels alone: the first layer, of a std up to 1.

    It takes no floats but those of images in [0, 1]. Elsewhere, and for images in [0, 255], the
    same is a constant batch norm. Zeros that differ from side to side become "same". Raises
    ShapeError where shapes do not fit, CheckpointError where such zeros are not those of "same".
    """
    for node in graph.trace(net, shape):
        layer = dict(walk(net)).get(node.path)
        if node.op == "conv" and np.ndim(layer.padding) == 2:
            size, w = node.inputs[0].shape[:2], layer.w.value
            how = layer.stride, "same", layer.dilation
            if conv_padding(size, w.shape[:2], *how) != layer.padding:
                raise CheckpointError(f"layer {node.path}: zeros {layer.padding} that differ")
            layer.padding = "same"
        if node.op == "standardize" and (node.path != "0" or node.attrs["std"] > 1):
            *above, last = node.path.split(".")
            owner = dict(walk(net))[".".join(above).removesuffix(".branches")]
            inside = owner.layers if isinstance(owner, L.Sequential) else owner.branches
            scale = np.array([1 / node.attrs["std"]])
            inside[int(last)] = constant(scale, -node.attrs["mean"] * scale, node.shape[-1])
    return net


def standardize(scale, shift):
    """y = x * scale + shift as (x - mean) / std, such that 1 / std is scale again."""
    near = [1 / scale, np.nextafter(1 / scale, 0), np.nextafter(1 / scale, np.inf)]
    std = next((one for one in near if 1 / one == scale), near[0])
    with warnings.catch_warnings():  # of pixels from 0 to 255, which the reader still converts
        warnings.filterwarnings("ignore", message="Standardize expects")
        return L.Standardize(float(-shift / scale), float(std))


def _reorder(made, piece):
    """Into the dense layer before, by way of what treats each feature alone; else as a matrix."""
    for i in range(len(made) - 1, -1, -1):
        if isinstance(made[i], L.Dense):
            made[i:] = [_picked(layer, piece.order) for layer in made[i:]]
            return
        if not isinstance(made[i], (*FEATUREWISE, L.PReLU, L.BatchNorm, L.Dropout, Affine)):
            break
    if piece.features * len(piece.order) > MOST:
        raise CheckpointError(
            f"{piece.features:,} features change their order, and no dense layer makes them"
        )
    matrix = np.eye(piece.features, dtype=np.float32)[:, piece.order]
    made.append(L.Frozen(dense(matrix, None)))


def _picked(layer, order):
    """The layer of which the outputs `order` are asked for."""
    if isinstance(layer, L.Dense):
        b = value_of(layer.b)
        return dense(layer.w.value[:, order], b if b is None else b[order])
    if isinstance(layer, Affine):
        values = (v if v.size == 1 else v[order] for v in (layer.scale, layer.shift))
        return Affine(*values, len(order))
    if isinstance(layer, L.BatchNorm):
        norm = layer.gamma.value, layer.beta.value, layer.running_mean, layer.running_var
        return batch_norm(*(v[order] for v in norm), layer.momentum, layer.eps)
    if isinstance(layer, L.PReLU) and layer.alpha.value.size > 1:
        return prelu(layer.alpha.value[order])
    return layer


def branched(kind, chains):
    """Add or Concat of chains of layers; an empty chain is x itself.

    Of SqueezeExcite one is empty, and the other makes its gate. Raises CheckpointError.
    """
    if kind is L.SqueezeExcite:
        gates = [chain for chain in chains if chain]
        if len(chains) != 2 or len(gates) != 1:
            raise CheckpointError("a product of two values, of which neither is the image itself")
        return squeeze_excite(gates[0])
    made = []
    for chain in chains:
        made.append(
            chain[0] if len(chain) == 1 else L.Sequential(*chain) if chain else L.Identity()
        )
    return kind(*made)

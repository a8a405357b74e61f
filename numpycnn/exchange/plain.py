"""Mirror layers, and Sampling in use, as ordinary ones, for programs that know no others."""

import numpy as np

from .. import layers as L
from ..errors import ShapeError

KINDS = L.MirrorConv2D, L.MirrorBatchNorm, L.MirrorMean, L.Sampling


def plain(layer, shape):
    """The Conv2D, BatchNorm or Dense that equals one of KINDS for inputs (N, *shape).

    Raises ShapeError as the layer does.
    """
    if type(layer) in (L.MirrorMean, L.Sampling):
        if len(shape) != 1 or shape[0] % 2:
            raise ShapeError(f"two halves (2F,) of features are expected, not {shape}")
        half = np.eye(shape[0] // 2, dtype=np.float32)  # Sampling gives the means, the first half
        both = [half / 2, half / 2] if type(layer) is L.MirrorMean else [half, 0 * half]
        made = L.Dense(*shape, shape[0] // 2, bias=False, init=_zeros)
        made.w.value = np.concatenate(both)
    elif type(layer) is L.MirrorBatchNorm:
        made = L.BatchNorm(2 * len(layer.gamma.value), layer.momentum, layer.eps)
        made.gamma.value, made.beta.value = np.tile([layer.gamma.value, layer.beta.value], 2)
        running = np.tile([layer.running_mean, layer.running_var], 2)
        made.running_mean, made.running_var = running
    else:
        w, b = layer.operands(np.empty((1, *shape), layer.w.value.dtype))
        place = layer.stride, layer.padding, b is not None
        made = L.Conv2D(*w.shape[2:], w.shape[:2], *place, init=_zeros)
        made.w.value = w
        if b is not None:
            made.b.value = b
    return made


def _zeros(shape, rng):
    """An initialiser for weights that are put in afterwards."""
    return np.zeros(shape, np.float32)

"""A network's weights alone, as .safetensors with PyTorch's names and axes."""

import copy
import os

import numpy as np

from .. import files
from ..errors import CheckpointError
from ..layers.base import fact
from . import safetensors
from .check import difference, noise
from .names import copies, load_state, places, state_dict


def save(path, net, input_shape=None):
    """Write net's weights under to_torch(net)'s names -> {"file", "bytes", "arrays", "error"}.

    The error: of a copy that reads them back, over eight images; None where nobody tells of what
    shape, or export() of a layer made copies. Raises ExportError where answers differ, OSError.
    """
    state, shape = state_dict(net), input_shape or fact(net, "input_shape")
    content = safetensors.encode(state, {"format": "pt"})
    error = _read_back(content, net, shape) if shape and not copies(net) else None
    files.write(path, content)
    return {"file": str(path), "bytes": len(content), "arrays": len(state), "error": error}


def load(path, net, flatten=None):
    """Fill net, in place, from a .safetensors, as names.load_state does.

    Raises CheckpointError, and changes nothing then.
    """
    arrays, _ = safetensors.load(path)
    try:
        load_state(net, arrays, flatten)
    except CheckpointError as error:
        raise CheckpointError(f"{files.shown(os.fsdecode(path))}: {error}") from None


def _read_back(content, net, shape):
    other, x = copy.deepcopy(net), noise(shape).astype(np.float32) / 255
    for place in places(other):
        place.value[...] = 0
    load_state(other, safetensors.decode(content)[0])
    return difference(other.infer(x), net.infer(x), "the weights, read back,")

"""Checkpoints: a network, its optimiser, its random state and whatever you note beside them, in one
.npz.

    save("run/last.npz", net, optimizer, epoch=3, classes=names)
    # any tree of this library's layers, built and filled
    net = load("run/last.npz")
    net = load("run/last.npz", layers=[Swish])            # with layers of yours
    metadata = restore("run/last.npz", net, optimizer)    # into a network that stands already

The structure is in the file: the class and the arguments of every layer (layers/structure.py). No
pickle; every array has a checksum. What is in the file: contents.py; how it gets into a network
that stands: fill.py, and into a new one: build.py; the format and its safe reading: npz.py.
"""

import math
import os
import warnings
from pathlib import Path

from .. import files
from ..errors import CheckpointError, UnknownNameError, unknown
from ..layers.base import Layer
from . import npz, pixels
from .build import build, doubt
from .contents import LAYERS, OWN, arrays_of, describe, structure_of
from .fill import fill, first_difference, title

PRETRAINED = Path(__file__).parents[1] / "pretrained"


def save(path, net, optimizer=None, **metadata):
    """Write the checkpoint; the keywords (JSON values: tuples come back as lists) are kept as
    metadata.

    The old file at `path` is replaced by the whole new one or not touched; a symlink is followed.
    Raises TypeError or ValueError, before anything is written, for what a checkpoint cannot hold,
    and OSError.
    """
    if not isinstance(net, Layer):
        raise TypeError(
            f"save(path, net): the second argument must be a network, not {type(net).__name__}"
        )
    files.write(path, pack(net, optimizer, **metadata))


def pack(net, optimizer=None, **metadata):
    """The bytes of such a file. Raises TypeError or ValueError for what a checkpoint cannot hold.

    Warns, in one line, of what load could not bring back: layers of yours, a network that is
    another one when built again, and state that is no Param and no running statistic.
    """
    taken = [name for name in metadata if name in OWN]
    if taken:
        raise TypeError(
            f"{', '.join(taken)}: save writes metadata of this name itself; choose another"
        )
    own, arrays = describe(net, optimizer), arrays_of(net, optimizer)
    _check_metadata(own)
    packed = npz.pack(arrays, {**own, **metadata})
    known = own["structure"] is None or own["model"] is not None  # what is told of, what is tested
    if not known and (sentence := doubt(net, own, arrays)):
        warnings.warn(sentence, stacklevel=3)
    return packed


def read(path):
    """-> metadata, {"param/1.w": array, "buffer/...": array, "optimizer/0.m": array}, all verified.

    `path` may be "pretrained:NAME". Raises CheckpointError, in one line, for any file that is not
    whole; UnknownNameError for a pretrained network that there is not.
    """
    path = _locate(path)
    metadata, arrays = npz.read(path)
    try:
        _check_metadata(metadata)
    except CheckpointError as error:
        raise npz.damaged(f"{files.shown(path)}: {error}") from None
    return metadata, arrays


def load(path, layers=()):
    """The network that was saved, built anew; net.metadata holds the metadata. Also
    load("pretrained:NAME").

    `layers` are classes of your own that it is made of, found by their names. Raises
    CheckpointError for a file that is damaged, or whose network cannot be built; UnknownNameError
    for a pretrained network that there is not, ValueError for two classes of one name.
    """
    own = {}
    for kind in layers:
        if own.setdefault(kind.__name__, kind) is not kind:
            raise ValueError(
                f"layers has two classes named {kind.__name__}, and a file holds names alone: "
                "rename one; or build your network, then numpycnn.restore(path, net)"
            )
    metadata, arrays = read(path)
    if metadata["model"] is None and metadata.get("structure") is None:
        raise CheckpointError(
            f"{files.shown(path)}: its network is not in numpycnn.models, nor does the file say "
            "what it is made of; build yours, then numpycnn.restore(path, net)"
        )
    try:
        net = build(metadata, arrays, LAYERS | own)
    except Exception as error:  # the arguments come from the file: they may be anything
        what = "its network" if metadata.get("structure") else title(metadata)
        raise CheckpointError(
            f"{files.shown(path)}: cannot build {what}: {files.shown(error)}; or build it, then "
            "numpycnn.restore(path, net)"
        ) from None
    fill(path, metadata, arrays, net)
    net.metadata = metadata
    net.pixel_scale = _pixel_scale(metadata)
    return net


def restore(path, net, optimizer=None):
    """Fill a network, its generators and, if given, the optimiser (steps and lr too), in place ->
    metadata.

    Raises CheckpointError if the file is damaged or does not fit, UnknownNameError for a pretrained
    network that there is not; then nothing has changed.
    """
    metadata, arrays = read(path)
    fill(path, metadata, arrays, net, optimizer)
    net.pixel_scale = _pixel_scale(metadata)
    saved, own = metadata.get("structure"), structure_of(net)
    if saved and own and saved != own:
        warnings.warn(
            f"{files.shown(path)}: {first_difference(saved, own)}: the values fit, "
            "but it is another network than the saved one",
            stacklevel=2,
        )
    return metadata


# ---- checks, all before anything changes ------------------------------------------------------


def _locate(path):
    if not (isinstance(path, str) and path.startswith("pretrained:")):
        return os.fspath(path)
    name, there = path.removeprefix("pretrained:"), pretrained()
    if name not in there:
        if not there:
            raise UnknownNameError(
                f"unknown pretrained network {name!r}; there are none in {PRETRAINED}"
            )
        raise unknown("pretrained network", name, there)
    return str(there[name])


def pretrained():
    """{name: path} of the networks that come with the package.

    NAME-1, NAME-2, ... stay what they are; NAME is the one with the largest number.
    """
    there = {path.stem: path for path in PRETRAINED.glob("*.npz")}
    numbered = [(stem.rpartition("-"), path) for stem, path in there.items()]
    numbered = [(int(n), name, path) for (name, _, n), path in numbered if n.isdecimal() and name]
    return {name: path for _, name, path in sorted(numbered)} | there


def _check_metadata(metadata):
    """Raise CheckpointError unless save's own part of the metadata has its types."""
    model, arguments = metadata.get("model"), metadata.get("arguments")
    random, optimizer = metadata.get("random"), metadata.get("optimizer")
    good = {"model", "optimizer"} <= metadata.keys() and (model is None or type(model) is str)
    good = good and type(arguments) is type(random) is dict
    shape, packed = metadata.get("input_shape"), metadata.get("structure")
    good = good and (packed is None or type(packed) is dict)
    _pixel_scale(metadata)
    good = good and (
        shape is None
        or (type(shape) is list and all(type(n) is int and 0 < n < 1 << 20 for n in shape))
    )
    if good and optimizer is not None:
        good = type(optimizer) is dict and type(optimizer.get("class")) is str
        good = good and type(optimizer.get("steps")) is int and 0 <= optimizer["steps"] < 1 << 63
        good = good and type(optimizer.get("lr")) is float and 0 <= optimizer["lr"] < math.inf
        good = good and type(optimizer.get("params")) is list
    if not good:
        raise CheckpointError(
            "the metadata's model, arguments, input_shape, optimizer (its lr?) or random "
            "is not valid"
        )


def _pixel_scale(metadata):
    """The scale of the images that the network was trained on, or None. Raises CheckpointError."""
    stored = metadata.get("pixel_scale")
    if stored is None:
        return None
    good = type(stored) is list and len(stored) == 3 and stored[0] in ("uint8", "float")
    if not good or not all(type(end) is float and math.isfinite(end) for end in stored[1:]):
        raise CheckpointError("the metadata's pixel_scale is not valid")
    return pixels.Scale(*stored)

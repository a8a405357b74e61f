"""Checkpoints: a network, its optimiser, its random state and whatever you note beside them, in one
.npz.

    save("run/last.npz", net, optimizer, epoch=3, classes=names)
    # any tree of this library's layers, built and filled
    net = load("run/last.npz")
    net = load("run/last.npz", layers=[Swish])            # with layers of yours
    metadata = restore("run/last.npz", net, optimizer)    # into a network that stands already

The structure is in the file: the class and the arguments of every layer (layers/structure.py). No
pickle; every array has a checksum. What is in the file: contents.py; how it gets into a network
that stands: fill.py; the format and its safe reading: npz.py.
"""

import collections
import inspect
import json
import math
import os
import warnings
from pathlib import Path

import numpy as np

from .. import files, models
from ..errors import CheckpointError, UnknownNameError, unknown
from ..layers import structure
from ..layers.base import Layer, Param
from ..layers.config import DRAWN, parameters
from ..layers.traverse import attributes, walk
from . import npz, pixels
from .contents import LAYERS, OWN, arrays_of, describe, structure_of
from .fill import differences_of, fill, first_difference, title

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
    if not known and (doubt := _doubt(net, own, arrays)):
        warnings.warn(doubt, stacklevel=3)
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

    `layers` are classes of your own that it is made of, found by their names.
    Raises CheckpointError for a file that is damaged, or whose network cannot be built;
    UnknownNameError for a pretrained network that there is not.
    """
    metadata, arrays = read(path)
    if metadata["model"] is None and metadata.get("structure") is None:
        raise CheckpointError(
            f"{files.shown(path)}: its network is not in numpycnn.models, nor does the file say "
            "what it is made of; build yours, then numpycnn.restore(path, net)"
        )
    try:
        net = _build(metadata, arrays, LAYERS | {kind.__name__: kind for kind in layers})
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


# ---- would load give this network? ------------------------------------------------------------


def _doubt(net, metadata, arrays):
    """What load would lose, in a sentence, or None: the network is built again, unfilled."""
    layers = [layer for _, layer in walk(net, frozen=True)]
    for layer in layers:
        if lost := _not_returned(layer):
            kind = type(layer).__name__
            return (
                f"load would make {kind} without its argument {', '.join(lost)}, of which the "
                f"config() that it inherits knows nothing: write a config() in {kind} that returns "
                "all arguments of its constructor"
            )
    state = np.random.get_state()  # noqa: NPY002, a constructor of somebody's own may draw from it
    try:
        again = _build(metadata, arrays, LAYERS | {type(one).__name__: type(one) for one in layers})
        made = structure.pack(again)
        differences = differences_of(arrays_of(again), arrays_of(net))
    except Exception as error:  # constructors of somebody's own raise what they like
        return (
            f"load cannot build this network again, restore(path, net) can: {error}; a config() "
            "must return the arguments of the constructor"
        )
    finally:
        np.random.set_state(state)  # noqa: NPY002
    if json.dumps(made) != json.dumps(metadata["structure"]):  # as text: nan is not nan
        where = first_difference(made, metadata["structure"], "after load")
        return (
            f"load would build another network: {where}; a config() must return what the "
            "constructor was given"
        )
    if differences:
        what = differences[0].replace("in the file", "after load")
        return f"load cannot build this network again, restore(path, net) can: {what}"
    return None


def _not_returned(layer):
    """The constructor's own arguments, where config() was written for a parent's constructor."""
    above = type(layer).__mro__
    made, known = (
        next(i for i, kind in enumerate(above) if name in vars(kind))
        for name in ("__init__", "config")
    )
    if made >= known or above[known] is Layer:  # Layer's reads the constructor itself
        return []
    return [
        name
        for name, p in parameters(type(layer)).items()
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and name not in (*DRAWN, *layer.config())
    ]


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


def _build(metadata, arrays, classes):
    """The network, unfilled.

    Weights that the file does not hold are refused before they are allocated.
    """
    weights = "param/", "buffer/"  # those of frozen layers are buffers
    sizes = [array.size for key, array in arrays.items() if key.startswith(weights)]
    tied = (metadata.get("structure") or {}).get("tied", ())
    left = collections.Counter(sizes * (2 if tied else 1))  # what is tied is drawn twice

    def init(shape, rng):
        if not left[math.prod(shape)]:
            raise CheckpointError(
                f"it needs weights of the shape {shape}, which the file does not hold"
            )
        left[math.prod(shape)] -= 1
        return np.zeros(shape, np.float32)

    name, arguments = metadata["model"], metadata["arguments"]
    if metadata.get("structure") is not None:
        net = structure.unpack(metadata["structure"], classes, init)
    else:  # a file of version 0.1
        known = inspect.signature(models.MODELS[name]).parameters if name in models.MODELS else ()
        net = models.build(name, **{**arguments, **({"init": init} if "init" in known else {})})
    _cast(net, arrays)
    net.spec = None if name is None else {"model": name, "arguments": arguments}
    if metadata.get("input_shape"):
        net.input_shape = tuple(metadata["input_shape"])
    return net


def _cast(net, arrays):
    """Parameters and running statistics in the file's precision: it may be float64."""

    def as_saved(array, *keys):
        saved = next((arrays[key] for key in keys if key in arrays), array)
        both = {array.dtype.name, saved.dtype.name}
        return array.astype(saved.dtype) if both == {"float32", "float64"} else array

    for path, layer in walk(net, frozen=True):
        start = f"{path}." if path else ""
        for _, param in attributes(layer, Param):
            keys = f"param/{start}{param.name}", f"buffer/{start}{param.name}"  # if it is frozen
            param.value = as_saved(param.value, *keys)
        for name in layer.buffer_names:
            setattr(layer, name, as_saved(getattr(layer, name), f"buffer/{start}{name}"))

"""A network built from what a checkpoint says of it, and whether save's would be the same."""

import collections
import inspect
import json
import math

import numpy as np

from .. import models
from ..errors import CheckpointError
from ..layers import structure
from ..layers.base import Layer, Param
from ..layers.config import DRAWN, parameters
from ..layers.traverse import attributes, walk
from .contents import LAYERS, arrays_of
from .fill import differences_of, first_difference


def build(metadata, arrays, classes):
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
    if name is not None or not hasattr(net, "spec"):  # which may be somebody's own
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


def doubt(net, metadata, arrays):
    """What load would lose, in a sentence, or None: the network is built again, unfilled."""
    kinds = {}
    for _, layer in walk(net, frozen=True):
        kind = type(layer)
        if kinds.setdefault(kind.__name__, kind) is not kind:
            return (
                "load cannot build this network again, restore(path, net) can: two classes are "
                f"named {kind.__name__}, and a file holds names alone: rename one"
            )
        if lost := _not_returned(layer):
            return (
                f"load would make {kind.__name__} without its argument {', '.join(lost)}, of which "
                f"the config() that it inherits knows nothing: write a config() in {kind.__name__} "
                "that returns all arguments of its constructor"
            )
    state = np.random.get_state()  # noqa: NPY002, a constructor of somebody's own may draw from it
    try:
        again = build(metadata, arrays, LAYERS | kinds)
        made = structure.pack(again, LAYERS)
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

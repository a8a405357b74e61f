"""What a checkpoint holds of a network: its arrays, and the metadata that save writes itself."""

import functools
import inspect
import json
import platform
import warnings

import numpy as np

from .. import __version__, layers, models
from ..layers import structure
from ..layers.base import Layer, fact
from ..layers.traverse import generators, named_buffers, named_params, uncovered
from . import npz, pixels

LAYERS = {  # what a file may name: this package's own layers
    name: kind
    for module in (layers, models)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, Layer) and kind is not Layer
}
OWN = (  # save's own metadata
    "format", "versions", "model", "arguments", "structure", "input_shape", "pixel_scale",
    "optimizer", "random", "arrays",
)  # fmt: skip


def arrays_of(net, optimizer=None):
    """{"param/1.w": array, ...}: the arrays themselves, not copies."""
    params = {name: param.value for name, param in named_params(net).items()}
    groups = {"param": params, "buffer": named_buffers(net)}
    if optimizer is not None:
        groups["optimizer"] = optimizer.state_arrays()
    return {
        f"{group}/{name}": array
        for group, arrays in groups.items()
        for name, array in arrays.items()
    }


def describe(net, optimizer):
    """save's own metadata of net. Warns of what load could not bring back."""
    spec, own = fact(net, "spec"), structure_of(net)
    if not spec or own != structure_of_model(spec["model"], spec["arguments"]):
        spec = {"model": None, "arguments": {}}  # it was changed since it was built
    for sentence in (*_unloadable(net, own), *uncovered(net)):
        warnings.warn(sentence, stacklevel=4)
    scale = getattr(net, "pixel_scale", None)
    states = {name: generator.bit_generator.state for name, generator in generators(net).items()}
    return {
        "format": npz.FORMAT,
        "versions": {
            "numpycnn": __version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "model": spec["model"],
        # a function as initialiser is not needed to load, and could not be stored
        "arguments": {
            k: v for k, v in spec["arguments"].items() if not (k == "init" and callable(v))
        },
        "structure": own,
        "input_shape": [int(n) for n in fact(net, "input_shape") or ()] or None,
        "pixel_scale": list(scale) if isinstance(scale, pixels.Scale) else None,
        "optimizer": None if optimizer is None else describe_optimizer(net, optimizer),
        "random": plain(states),
    }


def structure_of(net):
    """The structure of net, or None where a layer does not know its arguments."""
    try:
        return structure.pack(net, LAYERS)
    except TypeError:
        return None


def _zeros(shape, rng):
    return np.zeros(shape, np.float32)


@functools.lru_cache(8)
def _packed_model(model, arguments):
    """The structure of a model as models.build makes it, its weights not drawn."""
    named = json.loads(arguments)
    if "init" in inspect.signature(models.MODELS[model]).parameters:
        named["init"] = _zeros
    return structure.pack(models.build(model, **named))


def structure_of_model(model, arguments):
    plain = {k: v for k, v in arguments.items() if not (k == "init" and callable(v))}
    return _packed_model(model, json.dumps(plain))


def _unloadable(net, own):
    """Sentences on what load would need, or could not do."""
    if own is None:
        try:
            structure.pack(net, LAYERS)
        except TypeError as error:
            yield f"load cannot build this network again, restore(path, net) can: {error}"
    elif kinds := [k for k in structure.foreign(net, LAYERS) if not structure.house(k)]:
        names = ", ".join(kind.__name__ for kind in kinds)
        yield f"this network has layers of yours: numpycnn.load(path, layers=[{names}]) loads it"


def describe_optimizer(net, optimizer):
    """Its class, state and parameters, by their names in net."""
    names = {id(param): name for name, param in named_params(net).items()}
    return {
        "class": optimizer.title,
        "steps": int(optimizer.steps),
        "lr": float(optimizer.lr),
        "params": [names.get(id(param)) for param in optimizer.params],
    }


def plain(state):
    """A bit generator's state in JSON's kinds: some hold arrays."""
    if isinstance(state, dict):
        return {name: plain(value) for name, value in state.items()}
    return state.tolist() if isinstance(state, (np.ndarray, np.generic)) else state

"""Checkpoints: a network, its optimiser, its random state and whatever you note beside them, in one
.npz.

    save("run/last.npz", net, optimizer, epoch=3, classes=names)
    # any tree of this library's layers, built and filled
    net = load("run/last.npz")
    net = load("run/last.npz", layers=[Swish])            # with layers of yours
    metadata = restore("run/last.npz", net, optimizer)    # into a network that stands already

The structure is in the file: the class and the arguments of every layer (layers/structure.py). No
pickle; every array has a checksum. The format and its safe reading are in npz.py.
"""

import collections
import functools
import inspect
import json
import math
import os
import platform
import reprlib
import warnings
from pathlib import Path

import numpy as np

from .. import __version__, files, layers, models
from ..errors import CheckpointError, UnknownNameError, unknown
from ..layers import structure
from ..layers.base import Layer
from ..layers.traverse import generators, named_buffers, named_params, uncovered
from . import npz, pixels

LAYERS = {  # what a file may name: this package's own layers
    name: kind
    for module in (layers, models)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, Layer) and kind is not Layer
}
HOUSE = f"{layers.__name__.partition('.')[0]}."
PRETRAINED = Path(__file__).parents[1] / "pretrained"
OWN = (
    "format",
    "versions",
    "model",
    "arguments",
    "structure",
    "input_shape",
    "pixel_scale",
    "optimizer",
    "random",
    "arrays",
)  # save's own metadata


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

    Warns, in one line, of what load could not bring back: layers of yours, and state that is no
    Param and no running statistic.
    """
    taken = [name for name in metadata if name in OWN]
    if taken:
        raise TypeError(
            f"{', '.join(taken)}: save writes metadata of this name itself; choose another"
        )
    own = _describe(net, optimizer)
    _check_metadata(own)
    return npz.pack(_arrays(net, optimizer), {**own, **metadata})


def read(path):
    """-> metadata, {"param/1.w": array, "buffer/...": array, "optimizer/0.m": array}, all verified.

    `path` may be "pretrained:NAME". Raises CheckpointError, in one line, for any file that is not
    whole.
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
    Raises CheckpointError for a file that is damaged, or whose network cannot be built.
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
        title = "its network" if metadata.get("structure") else _title(metadata)
        raise CheckpointError(
            f"{files.shown(path)}: cannot build {title}: {files.shown(error)}; or build it, then "
            "numpycnn.restore(path, net)"
        ) from None
    _fill(path, metadata, arrays, net)
    net.metadata = metadata
    net.pixel_scale = _pixel_scale(metadata)
    return net


def restore(path, net, optimizer=None):
    """Fill a network, its generators and, if given, the optimiser (steps and lr too), in place ->
    metadata.

    Raises CheckpointError if the file is damaged or does not fit; then nothing has changed.
    """
    metadata, arrays = read(path)
    _fill(path, metadata, arrays, net, optimizer)
    net.pixel_scale = _pixel_scale(metadata)
    saved, own = metadata.get("structure"), _structure(net)
    if saved and own and saved != own:
        warnings.warn(
            f"{files.shown(path)}: {_first_difference(saved, own)}: the values fit, "
            "but it is another network than the saved one",
            stacklevel=2,
        )
    return metadata


# ---- what a checkpoint holds ------------------------------------------------------------------


def _arrays(net, optimizer=None):
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


def _describe(net, optimizer):
    spec, own = getattr(net, "spec", None), _structure(net)
    if not spec or own != _structure_of(spec["model"], spec["arguments"]):
        spec = {"model": None, "arguments": {}}  # it was changed since it was built
    for sentence in (*_unloadable(net, own), *uncovered(net)):
        warnings.warn(sentence, stacklevel=5)
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
        "input_shape": list(shape) if (shape := getattr(net, "input_shape", None)) else None,
        "pixel_scale": list(scale) if isinstance(scale, pixels.Scale) else None,
        "optimizer": None if optimizer is None else _describe_optimizer(net, optimizer),
        "random": _plain(states),
    }


def _structure(net):
    """The structure of net, or None where a layer does not know its arguments."""
    try:
        return structure.pack(net)
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


def _structure_of(model, arguments):
    plain = {k: v for k, v in arguments.items() if not (k == "init" and callable(v))}
    return _packed_model(model, json.dumps(plain))


def _unloadable(net, own):
    """Sentences on what load would need, or could not do."""
    if own is None:
        try:
            structure.pack(net)
        except TypeError as error:
            yield f"load cannot build this network again, restore(path, net) can: {error}"
    elif kinds := [k for k in structure.foreign(net, LAYERS) if not k.__module__.startswith(HOUSE)]:
        names = ", ".join(kind.__name__ for kind in kinds)
        yield f"this network has layers of yours: numpycnn.load(path, layers=[{names}]) loads it"


def _first_difference(saved, own):
    """Where two structures part, in words; the saved one may be anything."""
    kind = own["class"]
    config = saved.get("config")
    if saved.get("class") != kind or not isinstance(config, dict):
        return f"{kind} is {files.shown(saved.get('class'), 40)} in the file"
    for name, value in own["config"].items():
        other = config.get(name)
        if isinstance(value, list) and isinstance(other, list) and len(value) == len(other):
            pairs = zip(value, other, strict=True)
        else:
            pairs = [(value, other)]
        for ours, theirs in pairs:
            if (
                isinstance(ours, dict)
                and isinstance(theirs, dict)
                and ours != theirs
                and "class" in ours
            ):
                return _first_difference(theirs, ours)
            if ours != theirs:
                shown = f"{files.shown(theirs, 40)} in the file, {files.shown(ours, 40)} here"
                return f"{kind}'s {name} is {shown}"
    return f"{kind} has other arguments in the file"


def _describe_optimizer(net, optimizer):
    names = {id(param): name for name, param in named_params(net).items()}
    return {
        "class": optimizer.title,
        "steps": int(optimizer.steps),
        "lr": float(optimizer.lr),
        "params": [names.get(id(param)) for param in optimizer.params],
    }


def _plain(state):
    """A bit generator's state in JSON's kinds: some hold arrays."""
    if isinstance(state, dict):
        return {name: _plain(value) for name, value in state.items()}
    return state.tolist() if isinstance(state, (np.ndarray, np.generic)) else state


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
    net.spec = None if name is None else {"model": name, "arguments": arguments}
    if metadata.get("input_shape"):
        net.input_shape = tuple(metadata["input_shape"])
    return net


def _fill(path, metadata, arrays, net, optimizer=None):
    own, found = _arrays(net, optimizer), generators(net)
    if optimizer is None:
        arrays = {
            name: array for name, array in arrays.items() if not name.startswith("optimizer/")
        }
    else:
        _check_optimizer(path, metadata, net, optimizer)
    differences = _differences(arrays, own) + _random_differences(metadata["random"], found)
    if differences:
        more = f" and {len(differences) - 3} more" if len(differences) > 3 else ""
        expected = _title(getattr(net, "spec", None), net)
        raise CheckpointError(
            f"{files.shown(path)}: it holds {_title(metadata)}, expected {expected}: "
            f"{'; '.join(differences[:3])}{more}; "
            "build the network with the arguments of the saved one"
        )
    if optimizer is not None:
        state = {
            name.partition("/")[2]: a for name, a in arrays.items() if name.startswith("optimizer/")
        }
        optimizer.load_state(state, metadata["optimizer"]["steps"])
        optimizer.lr = metadata["optimizer"]["lr"]
    for name, array in own.items():
        if not name.startswith("optimizer/"):
            array[...] = arrays[name]
    for name, generator in found.items():
        generator.bit_generator.state = metadata["random"][name]


def _check_optimizer(path, metadata, net, optimizer):
    saved, own = metadata["optimizer"], _describe_optimizer(net, optimizer)
    if saved is None:
        raise CheckpointError(
            f"{files.shown(path)}: it holds no optimizer's state; restore without one"
        )
    if saved["class"] != own["class"] or saved["params"] != own["params"]:
        raise CheckpointError(
            f"{files.shown(path)}: it holds the state of {files.shown(saved['class'], 40)} for "
            f"{len(saved['params'])} parameters, expected {own['class']} for {len(own['params'])}; "
            "make the same optimiser of the same parameters in the same order"
        )


def _differences(saved, own):
    def kind(arrays, name):
        return f"{arrays[name].shape} {arrays[name].dtype}" if name in arrays else "missing"

    names = [*own, *(name for name in saved if name not in own)]
    differences = [
        f"{files.shown(name, 60)} is {kind(saved, name)} in the file, "
        f"{kind(own, name)} in the network"
        for name in names
        if kind(saved, name) != kind(own, name)
    ]
    return differences or [
        f"{name} is read-only" for name, array in own.items() if not array.flags.writeable
    ]


def _random_differences(saved, found):
    names = sorted(saved.keys() ^ found.keys())
    if names:
        where = {name: "network" if name in found else "file" for name in names}
        return [
            f"the generator {files.shown(name, 60)} is in the {where[name]} only" for name in names
        ]
    return [
        f"the random state {name} is not one of {type(generator.bit_generator).__name__}"
        for name, generator in found.items()
        if not _is_state(type(generator.bit_generator), saved[name])
    ]


def _is_state(kind, state):
    """Whether a bit generator of this kind takes the state, and gives the same one back."""
    try:
        trial = kind(0)
        trial.state = state
        return _plain(trial.state) == state
    except Exception:  # NumPy raises KeyError, TypeError, ValueError or OverflowError, as it comes
        return False


def _title(spec, net=None):
    if not spec or spec["model"] is None:
        return "a network of your own" if net is None else type(net).__name__
    return files.shown(f"{spec['model']} {reprlib.repr(spec['arguments'])}", 120)

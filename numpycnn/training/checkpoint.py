"""Checkpoints: a network, its optimiser, its random state and whatever you note beside them, in one .npz.

    save("run/last.npz", net, optimizer, epoch=3, classes=names)
    net = load("run/last.npz")                            # a network of numpycnn.models, built and filled
    metadata = restore("run/last.npz", net, optimizer)    # into a network that stands already: any of yours

No pickle; every array has a checksum. The format and its safe reading are in npz.py.
"""

import collections
import inspect
import math
import os
import platform
import reprlib
from pathlib import Path

import numpy as np

from .. import __version__, files, models
from ..errors import CheckpointError, UnknownNameError, unknown
from ..layers.base import Layer
from ..layers.traverse import generators, named_buffers, named_params
from . import npz

PRETRAINED = Path(__file__).parents[1] / "pretrained"
OWN = (
    "format",
    "versions",
    "model",
    "arguments",
    "optimizer",
    "random",
    "arrays",
)  # save's own metadata


def save(path, net, optimizer=None, **metadata):
    """Write the checkpoint; the keywords (JSON values: tuples come back as lists) are kept as metadata.

    The old file at `path` is replaced by the whole new one or not touched; a symlink is followed. Raises
    TypeError or ValueError, before anything is written, for what a checkpoint cannot hold, and OSError.
    """
    if not isinstance(net, Layer):
        raise TypeError(
            f"save(path, net): the second argument must be a network, not {type(net).__name__}"
        )
    files.write(path, pack(net, optimizer, **metadata))


def pack(net, optimizer=None, **metadata):
    """The bytes of such a file. Raises TypeError or ValueError for what a checkpoint cannot hold."""
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

    `path` may be "pretrained:NAME". Raises CheckpointError, in one line, for any file that is not whole.
    """
    path = _locate(path)
    metadata, arrays = npz.read(path)
    try:
        _check_metadata(metadata)
    except CheckpointError as error:
        raise npz.damaged(f"{files.shown(path)}: {error}") from None
    return metadata, arrays


def load(path):
    """The network that was saved, built anew; net.metadata holds the metadata. Also load("pretrained:NAME").

    Raises CheckpointError for a file that is damaged or that holds no network of numpycnn.models.
    """
    metadata, arrays = read(path)
    if metadata["model"] is None:
        raise CheckpointError(
            f"{files.shown(path)}: it holds a network that is not in numpycnn.models; build yours, then "
            "numpycnn.checkpoint.restore(path, net)"
        )
    try:
        net = _build(metadata, arrays)
    except Exception as error:  # the arguments come from the file: they may be anything
        raise CheckpointError(
            f"{files.shown(path)}: cannot build {_title(metadata)}: {files.shown(error)}; build it, then "
            "numpycnn.checkpoint.restore(path, net)"
        ) from None
    _fill(path, metadata, arrays, net)
    net.metadata = metadata
    return net


def restore(path, net, optimizer=None):
    """Fill a network, its generators and, if given, the optimiser (steps and lr too), in place -> metadata.

    Raises CheckpointError if the file is damaged or does not fit; then nothing has changed.
    """
    metadata, arrays = read(path)
    _fill(path, metadata, arrays, net, optimizer)
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
    spec = getattr(net, "spec", None) or {"model": None, "arguments": {}}
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
        "optimizer": None if optimizer is None else _describe_optimizer(net, optimizer),
        "random": _plain(states),
    }


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
    name = path.removeprefix("pretrained:")
    names = [file.stem for file in PRETRAINED.glob("*.npz")]
    if name not in names:
        if not names:
            raise UnknownNameError(
                f"unknown pretrained network {name!r}; there are none in {PRETRAINED}"
            )
        raise unknown("pretrained network", name, names)
    return str(PRETRAINED / f"{name}.npz")


def _check_metadata(metadata):
    """Raise CheckpointError unless save's own part of the metadata has its types."""
    model, arguments = metadata.get("model"), metadata.get("arguments")
    random, optimizer = metadata.get("random"), metadata.get("optimizer")
    good = {"model", "optimizer"} <= metadata.keys() and (model is None or type(model) is str)
    good = good and type(arguments) is type(random) is dict
    if good and optimizer is not None:
        good = type(optimizer) is dict and type(optimizer.get("class")) is str
        good = good and type(optimizer.get("steps")) is int and 0 <= optimizer["steps"] < 1 << 63
        good = good and type(optimizer.get("lr")) is float and 0 <= optimizer["lr"] < math.inf
        good = good and type(optimizer.get("params")) is list
    if not good:
        raise CheckpointError(
            "the metadata's model, arguments, optimizer (its lr?) or random is not valid"
        )


def _build(metadata, arrays):
    """The model, unfilled. Weights that the file does not hold are refused before they are allocated."""
    name, arguments = metadata["model"], metadata["arguments"]
    left = collections.Counter(
        array.size for key, array in arrays.items() if key.startswith("param/")
    )

    def init(shape, rng):
        if not left[math.prod(shape)]:
            raise CheckpointError(
                f"it needs weights of the shape {shape}, which the file does not hold"
            )
        left[math.prod(shape)] -= 1
        return np.zeros(shape, np.float32)

    takes_init = (
        name in models.MODELS and "init" in inspect.signature(models.MODELS[name]).parameters
    )
    net = models.build(name, **{**arguments, **({"init": init} if takes_init else {})})
    net.spec = {"model": name, "arguments": arguments}
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
            f"{'; '.join(differences[:3])}{more}; build the network with the arguments of the saved one"
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
        f"{files.shown(name, 60)} is {kind(saved, name)} in the file, {kind(own, name)} in the network"
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

"""A checkpoint's values into a network that stands, or an error that says how the two differ."""

import reprlib

from .. import files
from ..errors import CheckpointError
from ..layers.base import fact
from ..layers.traverse import generators
from .contents import arrays_of, describe_optimizer, plain


def fill(path, metadata, arrays, net, optimizer=None):
    """The values of a file that was read, into net and the optimiser, in place.

    Raises CheckpointError where they do not fit; then nothing has changed.
    """
    own, found = arrays_of(net, optimizer), generators(net)
    if optimizer is None:
        arrays = {
            name: array for name, array in arrays.items() if not name.startswith("optimizer/")
        }
    else:
        _check_optimizer(path, metadata, net, optimizer)
    differences = differences_of(arrays, own) + _random_differences(metadata["random"], found)
    if differences:
        more = f" and {len(differences) - 3} more" if len(differences) > 3 else ""
        expected = title(fact(net, "spec"), net)
        raise CheckpointError(
            f"{files.shown(path)}: it holds {title(metadata)}, expected {expected}: "
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
    saved, own = metadata["optimizer"], describe_optimizer(net, optimizer)
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


def differences_of(saved, own):
    """Sentences on where names, shapes and dtypes of two {name: array} differ."""

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
        return plain(trial.state) == state
    except Exception:  # NumPy raises KeyError, TypeError, ValueError or OverflowError, as it comes
        return False


def title(spec, net=None):
    """A network in words."""
    if not spec or spec["model"] is None:
        return "a network of your own" if net is None else type(net).__name__
    return files.shown(f"{spec['model']} {reprlib.repr(spec['arguments'])}", 120)


def first_difference(saved, own, there="in the file"):
    """Where two structures part, in words; the saved one may be anything, and stands `there`."""
    kind = own["class"]
    config = saved.get("config")
    if saved.get("class") != kind or not isinstance(config, dict):
        return f"{kind} is {files.shown(saved.get('class'), 40)} {there}"
    if saved.get("own") != own.get("own"):
        where = "here" if own.get("own") else there
        return f"{kind} is numpycnn's in one of them, and a class of somebody's own {where}"
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
                return first_difference(theirs, ours, there)
            if ours != theirs:
                shown = f"{files.shown(theirs, 40)} {there}, {files.shown(ours, 40)} here"
                return f"{kind}'s {name} is {shown}"
    return f"{kind} has other arguments {there}"

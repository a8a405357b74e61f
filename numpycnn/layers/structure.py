"""A network as JSON, and back: the class and the arguments of every layer, in the order of walk.

    pack(net)                  -> {"class": "Sequential", "config": {"layers": [...]}, ...}
    unpack(structure, classes) -> a network of the same layers, its weights not those of net

A layer in two places is written once, and named by its number where it stands again; so is a
generator that several layers draw from. Nothing but classes of the given table is ever called.
"""

import numpy as np

from ..errors import CheckpointError
from .base import Layer, Param
from .config import parameters
from .traverse import attributes, places, walk

HOUSE = f"{__name__.partition('.')[0]}."
DEPTH = 50  # of layers inside layers
ARRAYS = "float32", "float64", "int64", "uint8", "bool"
BIT_GENERATORS = "PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"


def pack(net, classes=()):
    """The structure of net, in JSON's kinds. Raises TypeError naming what cannot be written.

    A class of somebody's own is marked where its name is one of `classes`, this package's.
    """
    return _Packing(classes).layer(net)


def unpack(structure, classes, init="he_normal"):
    """The network of a structure; `classes` {name: class}, `init` draws its weights.

    Raises CheckpointError for what pack never writes and for a class that is not in the table, or
    is this package's where another was marked; what a class raises for its arguments goes through.
    """
    net = _Unpacking(classes, init).layer(structure, 0)
    _tie(net, structure.get("tied", {}))
    return net


def foreign(net, classes):
    """The classes in net that are not in the table, each once."""
    known = set(classes.values())
    kinds = dict.fromkeys(type(layer) for _, layer in walk(net, frozen=True))
    return [kind for kind in kinds if kind not in known]


def house(kind):
    """Whether it is a class of this package."""
    return kind.__module__.startswith(HOUSE)


class _Packing:
    """Layers and generators get numbers in the order in which they are met."""

    def __init__(self, classes):
        self.classes = classes
        self.numbers = {}  # id -> number
        self.alive = []  # ids are only good while their objects live

    def layer(self, layer):
        if id(layer) in self.numbers:
            return {"same": self.numbers[id(layer)]}
        number = self._number(layer)
        values = layer.config()
        config = {name: self.value(value, layer, name) for name, value in values.items()}
        kind = type(layer)
        packed = {"class": kind.__name__, "config": config}
        if kind.__name__ in self.classes and not house(kind):
            packed["own"] = True
        tied = _tied(layer) if number == 0 else {}
        return {**packed, "tied": tied} if tied else packed

    def value(self, value, layer, name):
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, Layer):
            return self.layer(value)
        if isinstance(value, np.random.Generator):
            return self.generator(value)
        if isinstance(value, (list, tuple)):
            return [self.value(inner, layer, name) for inner in value]
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            inside = {key: self.value(inner, layer, name) for key, inner in value.items()}
            return {"dict": inside}
        if isinstance(value, np.ndarray) and value.dtype.name in ARRAYS:
            return {"array": value.tolist(), "dtype": value.dtype.name}
        raise TypeError(
            f"{type(layer).__name__}'s argument {name} is {type(value).__name__}, which a file "
            "cannot hold; expected numbers, text, arrays, layers, and lists of them"
        )

    def generator(self, generator):
        kind = type(generator.bit_generator).__name__
        if id(generator) in self.numbers:
            return {"same": self.numbers[id(generator)]}
        self._number(generator)
        return {"generator": kind}

    def _number(self, thing):
        self.alive.append(thing)
        return self.numbers.setdefault(id(thing), len(self.numbers))


class _Unpacking:
    """The other direction, for a structure that anybody may have written."""

    def __init__(self, classes, init):
        self.classes, self.init, self.things = classes, init, []

    def layer(self, packed, depth):
        if depth > DEPTH:
            raise CheckpointError(f"the structure has layers inside layers more than {DEPTH} deep")
        if not isinstance(packed, dict) or not isinstance(packed.get("config"), dict):
            raise CheckpointError("the structure is not that of a layer")
        name = packed.get("class")
        kind = self.classes.get(name) if isinstance(name, str) else None
        if kind is None or (packed.get("own") and house(kind)):
            raise unknown_layer(str(name))
        self.things.append(None)
        number = len(self.things) - 1
        config = {key: self.value(value, depth + 1) for key, value in packed["config"].items()}
        made = build(kind, config, self.init)
        self.things[number] = made
        return made

    def value(self, value, depth):
        if isinstance(value, list):
            return tuple(self.value(inner, depth) for inner in value)
        if not isinstance(value, dict):
            return value
        if "class" in value:
            return self.layer(value, depth)
        if "same" in value:
            return self._same(value["same"])
        if "generator" in value:
            return self._generator(value["generator"])
        if "array" in value:
            return _array(value["array"], value.get("dtype"))
        if isinstance(value.get("dict"), dict):
            return {key: self.value(inner, depth) for key, inner in value["dict"].items()}
        raise CheckpointError(f"the structure holds {sorted(value)}, which means nothing")

    def _same(self, number):
        if type(number) is not int or not 0 <= number < len(self.things):
            raise CheckpointError(f"the structure names layer {number!r}, which it does not have")
        if self.things[number] is None:
            raise CheckpointError(f"the structure puts layer {number} inside itself")
        return self.things[number]

    def _generator(self, kind):
        if kind not in BIT_GENERATORS:
            raise CheckpointError(f"the structure draws from {kind!r}; expected {BIT_GENERATORS}")
        self.things.append(np.random.Generator(getattr(np.random, kind)(0)))
        return self.things[-1]


def _array(values, dtype):
    if dtype not in ARRAYS:
        raise CheckpointError(f"the structure holds an array of {dtype!r:.40}")
    return np.array(values, dtype)


def unknown_layer(name):
    """The error for a class that is not in the table."""
    return CheckpointError(
        f"it holds the layer {name!r:.60}, which is not numpycnn's; give your class: "
        f"numpycnn.load(path, layers=[{name:.40}]), or --net FILE.py:BUILD on the command line"
    )


def build(kind, config, init="he_normal"):
    """kind(**config), as config() gave them; a *name argument is spread, `init` draws weights."""
    known = parameters(kind)
    spread = [name for name, p in known.items() if p.kind is p.VAR_POSITIONAL]
    extra = {"init": init} if "init" in known and "init" not in config else {}
    config = dict(config)
    inside = config.pop(spread[0], ()) if spread else ()
    return kind(*inside, **config, **extra)


def _tied(net):
    """{path: path} of parameters that stand in two layers: the second place and the first."""
    first, tied = {}, {}
    for path, layer in {id(layer): (path, layer) for path, layer in walk(net)}.values():
        for name, param in attributes(layer, Param):
            place = f"{path}.{name}".lstrip(".")
            if first.setdefault(id(param), place) != place:
                tied[place] = first[id(param)]
    return tied


def _tie(net, tied):
    """Let the parameters that were one be one again.

    Raises CheckpointError for a place without one.
    """
    found = {
        f"{path}.{name}".lstrip("."): (container, key)
        for path, layer in walk(net)
        for name, container, key in places(layer, Param)
    }

    def place(path):
        if str(path) not in found:
            raise CheckpointError(f"the structure ties {path!r:.60}, where no parameter stands")
        return found[str(path)]

    if not isinstance(tied, dict):
        raise CheckpointError("the structure's tied parameters are not valid")
    for second, first in tied.items():
        container, key = place(second)
        holder, name = place(first)
        if container[key].value.shape != holder[name].value.shape:
            raise CheckpointError(f"the structure ties {second!r:.60} to another shape")
        if isinstance(container, tuple):
            raise CheckpointError(
                f"the structure ties {second!r:.60}, in a tuple: keep it in a list"
            )
        container[key] = holder[name]

"""How a network is made of layers, and what each is called: for every writer."""

import re

from .. import layers as L
from ..errors import NumpyCNNError
from ..layers.traverse import walk


class ExportError(NumpyCNNError, TypeError):
    """A network, or a layer of it, cannot go where it was to go."""


def is_chain(layer):
    """Whether the layer runs its layers one after the other, as Sequential does."""
    return isinstance(layer, L.Sequential) and type(layer).forward is L.Sequential.forward


def exported(layer, path):
    """What a layer of the user's says that it equals. Raises ExportError if it says nothing."""
    if not hasattr(layer, "export"):
        raise ExportError(
            f"layer {path or 0} ({type(layer).__name__}) is none of numpycnn's: give its class a "
            "method export() that returns layers which equal it"
        )
    made = layer.export()
    made = L.Sequential(*made) if isinstance(made, (list, tuple)) else made
    if not isinstance(made, L.Layer) or any(one is layer for _, one in walk(made)):
        raise ExportError(
            f"layer {path or 0} ({type(layer).__name__}): its export() returned {made!r:.60}, "
            "expected other layers that equal it"
        )
    return made


def deeper(path, name):
    """The path of what is called `name` inside the layer at `path`."""
    return f"{path}.{name}" if path else str(name)


def members(chain):
    """[(name, layer)] of a chain's layers."""
    found, counts = [], {}
    for layer in chain.layers:
        name = type(layer).__name__.replace("2D", "").replace("ReLU", "Relu")
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
        counts[name] = counts.get(name, 0) + 1
        found.append((f"{name}{counts[name]}", layer))
    return found


def inside(layer, path=""):
    """[(name, layer)] directly inside a layer that is made of layers; None for others."""
    if is_chain(layer):
        return members(layer)
    if type(layer) in (L.Add, L.Concat):
        return [(f"branches.{i}", branch) for i, branch in enumerate(layer.branches)]
    if type(layer) is L.SqueezeExcite:
        return [("gate", layer.gate)]
    if type(layer) is L.Frozen:
        return [("layer", layer.layer)]
    if type(layer) is L.ConvBNReLU:
        pool = [("pool", L.MaxPool2D(layer.pool))] if layer.pool > 1 else []
        norm = [("norm", layer.norm)] if layer.norm else []
        return [("conv", layer.conv), *norm, ("relu", L.ReLU()), *pool]
    if type(layer) is getattr(L, type(layer).__name__, None):
        return None
    return [("layer", exported(layer, path))]

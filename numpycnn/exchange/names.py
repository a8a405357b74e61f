"""The names of a network's arrays in PyTorch, and their axes there.

A layer is named by its kind and its number among its kind in the chain: conv1, batch_norm1, dense2;
what is inside a branch by the branch's place: add1.branches.0.conv1. Arrays are weight, bias,
running_mean and running_var. Axes: (kh, kw, C, F) is (F, C, kh, kw) there, a transposed
convolution's (kh, kw, F, C) is (C, F, kh, kw), a dense layer's (D, K) is (K, D). With groups, C
stands for the channels of one.
"""

import dataclasses

import numpy as np

from .. import layers as L
from ..errors import CheckpointError
from ..files import shown
from ..layers.traverse import named_buffers
from .flattened import reordered
from .graph import trace
from .structure import deeper, inside

REVERSED = (3, 2, 0, 1)  # also its own way back, by argsort
ARRAYS = {  # {kind: {attribute: (name there, axes there)}}
    L.Conv2D: {"w": ("weight", REVERSED), "b": ("bias", None)},
    L.ConvTranspose2D: {"w": ("weight", REVERSED), "b": ("bias", None)},
    L.Dense: {"w": ("weight", (1, 0)), "b": ("bias", None)},
    L.BatchNorm: {
        "gamma": ("weight", None), "beta": ("bias", None),
        "running_mean": ("running_mean", None), "running_var": ("running_var", None),
    },
    L.LayerNorm: {"gamma": ("weight", None), "beta": ("bias", None)},
    L.GroupNorm: {"gamma": ("weight", None), "beta": ("bias", None)},
    L.PReLU: {"alpha": ("weight", None)},
}  # fmt: skip
ARRAYS |= {L.MirrorConv2D: ARRAYS[L.Conv2D], L.MirrorBatchNorm: ARRAYS[L.BatchNorm]}


@dataclasses.dataclass
class Place:
    """An array of a layer: `name` there, its axes there in terms of ours, or None for the same."""

    name: str
    layer: object
    attribute: str
    axes: tuple | None

    @property
    def value(self):
        """Ours."""
        found = getattr(self.layer, self.attribute)
        return found.value if isinstance(found, L.Param) else found

    def there(self):
        value = self.value if self.axes is None else self.value.transpose(self.axes)
        return np.ascontiguousarray(value)

    def here(self, array):
        """Raises CheckpointError for another shape."""
        array = np.asarray(array)
        expected = self.there().shape
        if array.shape != expected:
            raise CheckpointError(f"{self.name} is {array.shape}, expected {expected}")
        return array if self.axes is None else array.transpose(np.argsort(self.axes))


def places(net):
    """[Place] of every array, in order of the layers."""
    found = []

    def down(layer, path):
        below = inside(layer, path)
        for name, child in below or ():
            down(child, deeper(path, name))
        for attribute, (name, axes) in ARRAYS.get(type(layer), {}).items():
            if getattr(layer, attribute) is not None and below is None:
                found.append(Place(deeper(path, name), layer, attribute, axes))

    down(net, "")
    return found


def copies(net):
    """Those of places(net) whose arrays are none of the network's: export() made them."""
    own = [*(p.value for p in net.params()), *named_buffers(net).values()]
    known = {id(array) for array in own}
    return [place for place in places(net) if id(place.value) not in known]


def state_dict(net):
    """{name in PyTorch: array} of all parameters and running statistics, copied."""
    return {place.name: place.there().copy() for place in places(net)}


def load_state(net, state, flatten=None):
    """Fill net, in place, from a state_dict {name: array or tensor} of to_torch's names or others.

    Other names are matched by the kinds of layers in their order, never by shape. Where an
    image is flattened, or made of features, say how: "nchw" (nn.Flatten, nn.Unflatten) or "nhwc".
    Raises CheckpointError for a state that does not fit; then nothing has changed.
    """
    own, orders = places(net), {}
    if away := copies(net):
        raise CheckpointError(
            f"{away[0].name} is a copy that export() of a layer makes, filled in vain; "
            "let it return layers with the layer's own Params"
        )
    state = {k: _array(v) for k, v in state.items() if not k.endswith("num_batches_tracked")}
    foreign = {place.name for place in own} != state.keys()
    if foreign:
        state = _renamed(own, state)
    if foreign or flatten == "nchw":
        orders = _flattened(net, flatten, own)
    filled = [(place, place.here(state[place.name])) for place in own]
    for place, array in filled:
        for axis in range(array.ndim):
            if (id(place.value), axis) in orders:
                array = array.take(orders[id(place.value), axis], axis)
        place.value[...] = array


def _array(value):
    """Of an array, or of PyTorch's tensor, also one that is trained or of bfloat16."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if value.element_size() < 4 else value
    return np.asarray(value)


def _flattened(net, flatten, own):
    """{(id(array), axis): order} where features are a flattened image, (C, H, W) there."""
    if flatten == "nhwc" or not _reshapes(net):
        return {}
    if flatten != "nchw" or not hasattr(net, "input_shape"):
        raise CheckpointError(
            "its names are not those of to_torch, and the network flattens an image, or makes one "
            "of features: set net.input_shape, and say flatten='nchw' where they use nn.Flatten "
            "and nn.Unflatten, else 'nhwc'"
        )
    return reordered(trace(net, net.input_shape), {id(place.value) for place in own})


def _reshapes(layer):
    """Whether there is a Reshape or Flatten in it."""
    below = inside(layer)
    return isinstance(layer, L.Reshape) or any(_reshapes(child) for _, child in below or ())


def _renamed(own, state):
    """The state by our names. Raises CheckpointError where the kinds of layers differ."""
    ours, theirs = {}, {}
    for place in own:
        ours.setdefault(place.name.rpartition(".")[0], []).append(place)
    for name, array in state.items():
        layer, _, last = name.rpartition(".")
        theirs.setdefault(layer, {})[last] = array
    if len(ours) != len(theirs):
        raise CheckpointError(
            f"it holds {len(theirs)} layers with weights, expected {len(ours)}: "
            f"{shown(', '.join(theirs), 100)} for {', '.join(ours):.100}"
        )
    renamed = {}
    for (path, group), (name, arrays) in zip(ours.items(), theirs.items(), strict=True):
        expected, came = _kind({p.name.rpartition(".")[2]: p.there() for p in group}), _kind(arrays)
        if expected != came:
            raise CheckpointError(
                f"{shown(name, 60)} is {shown(came, 100)}, expected {expected} for {path}"
            )
        renamed |= {p.name: arrays[p.name.rpartition(".")[2]] for p in group}
    return renamed


def _kind(arrays):
    """A layer by its arrays: ("conv", "bias")."""
    rank = np.ndim(arrays.get("weight", 0))
    kind = "norm" if "running_var" in arrays else {4: "convolution", 2: "dense"}.get(rank, "slopes")
    return " with ".join([kind, *sorted(arrays.keys() - {"weight", "running_mean", "running_var"})])

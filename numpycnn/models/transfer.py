"""A trained network for other classes: its body is kept, or frozen, and its head is new.

    net = with_new_head(load("pretrained:accurate"), classes=4, seed=0, mean=d.mean, std=d.std)
    net = freeze(net, 12)                  # layers 0 to 11, as summary counts them
    adam = optim.Adam(net.params(), lr=2e-3)
    adam.scale(body(net), 0.1)             # the body has learnt already: a tenth of the rate

Source: Yosinski et al. 2014, "How transferable are features in deep neural networks?"
"""

import copy

import numpy as np

from ..errors import ShapeError
from ..layers import Conv2D, Dense, Frozen, Sequential, Standardize
from ..layers.base import fact
from ..layers.traverse import generators, named_buffers, walk
from .registry import build


def with_new_head(net, classes, seed=0, mean=None, std=None, input_shape=None, init="he_normal"):
    """A copy of `net` with a new last layer, Dense(D, classes); all other arrays are kept.

    net: a Sequential that ends in a Dense layer, as all classifiers of models do. `mean` and `std`
    are those of the new training pixels, scaled to [0, 1], for its Standardize; `input_shape` the
    (H, W, C) of the new images where it is another. For colours a network of grey images gets a
    third of its first convolution's weights in each channel, so that it sees grey as before. Head
    and dropout draw from `seed`; what freeze froze is trained again. Raises TypeError for a network
    without such a head, ShapeError for images that do not fit, ValueError for fewer than two
    classes.
    """
    if isinstance(classes, bool) or not isinstance(classes, (int, np.integer)) or classes < 2:
        raise ValueError(f"a new head needs a whole number of at least 2 classes, not {classes!r}")
    new = copy.deepcopy(thaw(net)) if isinstance(net, Sequential) else net
    chain = _chain_of_head(new)
    old = chain.layers[-1]
    first, *others = np.random.SeedSequence(seed).spawn(1 + len(generators(new)))
    features, bias = old.w.value.shape[0], old.b is not None
    head = Dense(features, int(classes), bias, init, np.random.default_rng(first))
    for param in head.params():
        param.value = param.value.astype(old.w.value.dtype)
    chain.layers[-1] = head
    for child, generator in zip(others, generators(new).values(), strict=True):
        generator.bit_generator.state = type(generator.bit_generator)(child).state
    changed = {"classes": int(classes)}
    if mean is not None or std is not None:
        if not 0 <= (mean or 0) <= 1 or not 0 <= (std or 0) <= 1:
            raise ValueError(
                f"mean {mean} and std {std} are not those of pixels from 0 to 1: divide by 255"
            )
        layer = _standardize(new)
        mean, std = (layer.mean if mean is None else mean), (layer.std if std is None else std)
        vars(layer).update(vars(Standardize(mean, std)))  # which refuses what is none
        changed |= {"mean": layer.mean, "std": layer.std}
    if input_shape is not None and tuple(input_shape) != fact(new, "input_shape"):
        changed["input_shape"] = tuple(int(n) for n in input_shape)
    for name in ("metadata", "pixel_scale"):  # of the data that net was trained on
        vars(new).pop(name, None)
    spec = fact(net, "spec")
    if spec and spec["model"] is not None:
        new.spec = {**spec, "arguments": {**spec["arguments"], **changed}}
    if "input_shape" in changed:
        _take_images(new, changed["input_shape"])
    return new


def freeze(net, layers):
    """The same network, its first `layers` layers frozen: an int, or "all" for all but the last.

    They stand in layers.Frozen: their parameters are not trained, batch norm keeps its statistics,
    and dropout is off. Layers are counted as in summary; a Standardize in front has nothing to
    freeze. net is unchanged, and shares all arrays. Raises ValueError for other numbers, TypeError
    for what is no Sequential.
    """
    if not isinstance(net, Sequential):
        raise TypeError(f"freeze is for a Sequential, not {type(net).__name__}")
    frozen = thaw(net)
    most = len(frozen.layers) - 1
    count = most if layers == "all" else layers
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or not 0 < count <= most:
        raise ValueError(
            f"freeze is {layers!r}; this network has {most + 1} layers, of which the last is "
            f"trained: expected 1 to {most}, or 'all'"
        )
    for i, layer in enumerate(frozen.layers[:count]):
        if i or not isinstance(layer, Standardize):
            frozen.layers[i] = Frozen(layer)
    return frozen


def thaw(net):
    """The same network, without what freeze did; net is unchanged, and shares all arrays.

    That is a run of Frozen layers at the front which holds weights. Others stay: an imported
    network may have constants in a Frozen batch norm.
    """
    thawed = copy.copy(net)
    if not isinstance(net, Sequential):
        return thawed
    thawed.layers = list(net.layers)
    start = int(bool(net.layers) and isinstance(net.layers[0], Standardize))
    end = start
    while end < len(net.layers) and type(net.layers[end]) is Frozen:
        end += 1
    arrays = [a for layer in net.layers[start:end] for a in named_buffers(layer).values()]
    if any(array.ndim > 1 for array in arrays):
        thawed.layers[start:end] = [layer.layer for layer in net.layers[start:end]]
    return thawed


def body(net):
    """The trained parameters (a list of Param) below the head, the last layer. Raises TypeError."""
    head = {id(param) for param in _chain_of_head(net).layers[-1].params()}
    return [param for param in net.params() if id(param) not in head]


def _chain_of_head(net):
    """The Sequential, net or one at its end, whose last layer is a Dense."""
    chain = net
    while isinstance(chain, Sequential) and chain.layers:
        last = chain.layers[-1]
        if isinstance(last, Dense):
            return chain
        chain = last
    end = type(chain).__name__
    where = f"a Sequential that ends in {end}" if isinstance(net, Sequential) else end
    raise TypeError(
        "a new head takes the place of the Dense layer at the end of a Sequential, not of "
        f"{where}: put a Dense(features, classes) there yourself, then numpycnn.fit(net, ...)"
    )


def _standardize(net):
    found = next((layer for _, layer in walk(net) if isinstance(layer, Standardize)), None)
    if found is None:
        raise ValueError(
            "this network has no Standardize layer for a mean and a deviation: leave them out, and "
            "scale the images as those that it was trained on"
        )
    return found


def _take_images(net, shape):
    """Let net be made for images of this shape (H, W, C). Raises ShapeError where it cannot."""
    made_for = fact(net, "input_shape")
    leaves = (layer for _, layer in walk(net) if not any(layer.children()))
    first = next((layer for layer in leaves if any(layer.params())), None)
    if isinstance(first, Conv2D) and first.w.value.shape[2] == 1 and shape[2] == 3:
        first.w.value = np.repeat(first.w.value / 3, 3, axis=2)  # (kh, kw, 1, F) -> (kh, kw, 3, F)
    try:
        if fact(net, "spec"):
            build(net.spec["model"], **net.spec["arguments"])  # has rules of its own
        net.infer(np.zeros((1, *shape), np.float32))
    except ShapeError as error:
        known = "" if made_for is None else f", which was made for {tuple(made_for)}"
        raise ShapeError(f"images {shape} do not fit this network{known}: {error}") from None
    net.input_shape = shape

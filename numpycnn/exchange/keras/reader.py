"""A .keras file, or a model in memory -> a network.

Keras itself is not asked: a file may name any class of any module to it. Here a layer's class is
looked up in a table of this package, and its arguments are compared with what numpycnn has.
"""

import io
import itertools
import json
import re
import zipfile

import numpy as np

from ... import layers as L
from ...errors import CheckpointError, MissingPackage, ShapeError
from ..assemble import branched, joined, settle
from ..nesting import nest
from ..reading import read
from .convert import LAYERS, MERGES, activation_of, objections

MAX_CONFIG = 1 << 22  # bytes of JSON


def load(path):
    """The network of a .keras file; net.input_shape is set. A softmax at its end is left out.

    Raises CheckpointError, in one line: for a damaged file, and naming all layers that numpycnn has
    not; MissingPackage without h5py.
    """
    return read(path, "a .keras file", _of_file)


def from_keras(model):
    """The network of a keras.Model, its weights copied. Raises CheckpointError as load does."""
    weights = [[np.array(w) for w in layer.get_weights()] for layer in model.layers]
    names = [layer.name for layer in model.layers]
    by_name = dict(zip(names, weights, strict=True))
    return _network(json.loads(model.to_json()), lambda i, kind, name: by_name.get(name, []))


def _of_file(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        config = json.loads(_member(archive, "config.json", MAX_CONFIG))
        weights = _Weights(_member(archive, "model.weights.h5", len(content)))
    with weights:
        return _network(config, weights.of)


def _member(archive, name, most):
    """The bytes of a member that is stored as it is, its checksum compared."""
    found = [info for info in archive.infolist() if info.filename == name]
    if len(found) != 1 or found[0].file_size > most or found[0].compress_size > most:
        raise CheckpointError(f"it is damaged: no {name} of at most {most:,} bytes in it")
    if found[0].compress_type != zipfile.ZIP_STORED:
        raise CheckpointError(f"its {name} is compressed, expected it stored, as Keras does")
    return archive.read(found[0])


class _Weights:
    """model.weights.h5: layers/KIND_NUMBER/vars/0, 1, ...; nothing outside the file is followed."""

    def __init__(self, content):
        try:
            import h5py
        except ImportError:
            raise MissingPackage("h5py", "keras") from None
        self.h5py, self.size, self.counts = h5py, len(content), {}
        self.file = h5py.File(io.BytesIO(content), "r")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def of(self, number, kind, name):
        """The arrays of the next layer of this class, in the order of the file."""
        kind = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", kind)
        kind = re.sub("([a-z])([A-Z])", r"\1_\2", kind).lower()
        count = self.counts[kind] = self.counts.get(kind, -1) + 1
        group = self.file
        for part in ("layers", f"{kind}_{count}" if count else kind, "vars"):
            group = self.inside(group, part)
            if group is None:
                return []
        return [self.array(self.inside(group, str(i))) for i in range(min(len(group), 8))]

    def inside(self, group, name):
        link = group.get(name, getlink=True) if isinstance(group, self.h5py.Group) else None
        return group[name] if isinstance(link, self.h5py.HardLink) else None

    def array(self, found):
        plain = isinstance(found, self.h5py.Dataset) and found.dtype.kind == "f"
        plain = plain and not (found.is_virtual or found.external or found.chunks)
        if not plain or found.size * found.dtype.itemsize > self.size:
            raise CheckpointError("its weights are not plain arrays of floating point numbers")
        return found[()]


# ---- the structure ----------------------------------------------------------------------------


def _network(config, weights_of):
    """The network of config.json's content; weights_of(number, class, name) -> arrays."""
    kind, inside = config["class_name"], config["config"]
    if kind not in ("Sequential", "Functional"):
        raise CheckpointError(f"it is a {kind!r:.60}, expected a Sequential or Functional model")
    layers = inside["layers"]
    unknown = [text for one in layers if (text := objections(one))]
    if unknown:
        raise CheckpointError(f"numpycnn has no layers for {', '.join(unknown)}")
    sources, start, shape = _sources(kind, inside)
    pieces, kinds = {}, {}
    output = layers[-1]["config"]["name"]
    if kind == "Functional":
        output = _output(inside["output_layers"])
    for i, one in enumerate(layers):
        name, settings = one["config"]["name"], one["config"]
        weights = weights_of(i, one["class_name"], name)
        kinds[name] = one["class_name"]
        pieces[name] = (
            [] if name == start else _pieces(one["class_name"], settings, weights, name == output)
        )
    net = L.Sequential(*_layers(nest(sources, output, start), pieces, kinds))
    net.input_shape, net.metadata = shape, {}
    try:
        return settle(net, shape)
    except ShapeError as error:  # a Dense of each pixel, say
        raise CheckpointError(str(error)) from None


def _output(found):
    """The name of the layer that gives the output: of [name, 0, 0], alone in a list or a dict."""
    each = list(found.values()) if isinstance(found, dict) else found
    each = each if all(isinstance(one, list) for one in each) else [each]
    if len(each) != 1:
        raise CheckpointError(f"it has {len(each)} outputs, expected one")
    return each[0][0]


def _pieces(kind, settings, weights, last):
    made = LAYERS[kind](settings, weights) if kind in LAYERS else []
    return [*made, *activation_of(kind, settings, last)]


def _layers(steps, pieces, kinds):
    found = []
    for name, branches in steps:
        if branches:
            kind = MERGES[kinds[name]]
            chains = [_layers(one, pieces, kinds) for one in branches]
            found.append(branched(kind, chains))
        found += pieces[name]
    return joined(found)


def _sources(kind, inside):
    """-> {name: [names that it reads]} in order, the input's name, one image's shape."""
    layers = inside["layers"]
    inputs = [one for one in layers if one["class_name"] == "InputLayer"]
    if len(inputs) != 1:
        raise CheckpointError(f"it has {len(inputs)} inputs, expected one of a known shape")
    shape = inputs[0]["config"].get("batch_shape", [])[1:]
    if not shape or any(type(n) is not int or not 0 < n < 1 << 16 for n in shape):
        raise CheckpointError(f"its input is {shape!s:.60}, expected sizes that are numbers")
    names = [one["config"]["name"] for one in layers]
    if len(set(names)) != len(names) or not all(isinstance(name, str) for name in names):
        raise CheckpointError("two of its layers have one name")
    if kind == "Sequential":
        return {b: [a] for a, b in itertools.pairwise(names)}, names[0], tuple(shape)
    sources = {}
    for one in layers:
        if one["class_name"] != "InputLayer":
            name = one["config"]["name"]
            sources[name] = _read_by(one)
            late = [
                source
                for source in sources[name]
                if source not in {*sources, inputs[0]["config"]["name"]} - {name}
            ]
            if late:
                raise CheckpointError(
                    f"the layer {name!r:.60} reads {late[0]!r:.60}, made after it"
                )
    return sources, inputs[0]["config"]["name"], tuple(shape)


def _read_by(one):
    """The names of the layers that a layer, or an operation, reads."""
    name, calls = one["config"]["name"], one["inbound_nodes"]
    if len(calls) != 1:
        raise CheckpointError(f"the layer {name!r:.60} is used {len(calls)} times, expected once")
    given = {f"argument {i}": value for i, value in enumerate(calls[0]["args"], 1)}
    given |= {k: v for k, v in calls[0]["kwargs"].items() if v is not None and v is not False}
    if len(given) == 1 and isinstance(values := next(iter(given.values())), list):
        given = {f"value {i}": value for i, value in enumerate(values, 1)}
    for key, value in given.items():
        if not isinstance(value, dict) or value.get("class_name") != "__keras_tensor__":
            raise CheckpointError(
                f"the layer {name!r:.60} is called with {value!s:.40} as {key}, expected what "
                "other layers give; layers.Rescaling multiplies by a number, and adds one"
            )
    if (len(given) > 1 and one["class_name"] not in MERGES) or not given:
        raise CheckpointError(f"the layer {name!r:.60} reads {len(given)} values")
    return [tensor["config"]["keras_history"][0] for tensor in given.values()]

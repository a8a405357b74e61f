"""The networks that commands are given: a model's name, a checkpoint, code of the user's own."""

import contextlib
import importlib.util
import os
import pathlib
import sys
import traceback

from ..errors import CheckpointError, DatasetError, UnknownNameError, printable
from ..layers.base import fact
from .output import say

PAINTERS = "autoencoder", "denoiser", "vae", "gan"  # models whose output is an image


def load(checkpoint, code=None):
    """The network of a checkpoint. `code` is --net's: file.py with its layers, or file.py:function
    that builds it. Raises CheckpointError, ValueError.
    """
    import numpycnn as nc

    if os.path.isdir(checkpoint):
        best = os.path.join(checkpoint, "best.npz")
        raise CheckpointError(f"{checkpoint} is a folder; give {best}, the file of a network in it")
    if code is None:
        from ..exchange.int8 import Int8Network, checked

        net = nc.load(checkpoint, layers=[Int8Network])
        return checked(net) if isinstance(net, Int8Network) else net
    build, kinds = own_code(code)
    if build is None:
        return nc.load(checkpoint, layers=kinds)
    net = build()
    net.metadata = nc.restore(checkpoint, net)
    return net


def classifier(checkpoint, code=None):
    """The same, of a network that classifies. Raises ValueError for one that draws images."""
    net = load(checkpoint, code)
    for key, kind in (("classes", list), ("data", str)):
        if not isinstance(net.metadata.get(key, kind()), (kind, type(None))):
            raise CheckpointError(
                f"{checkpoint}: its {key} are no {kind.__name__} but {net.metadata[key]!r}"
            )
    if (fact(net, "spec") or {}).get("model") in PAINTERS:
        raise ValueError(
            f"{checkpoint} holds a network that classifies nothing ({net.spec['model']}); "
            "numpycnn generate draws by a gan, vae or autoencoder"
        )
    return net


def model(args, seed=0):
    """(name, network) of args.model, a model's name or a checkpoint, and args.net, own code.

    Raises ValueError, UnknownNameError, CheckpointError.
    """
    from .. import models

    name = args.model
    if name is None:
        if args.net is None:
            raise ValueError("name a model or a checkpoint, or give --net file.py:function")
        build, _ = own_code(args.net)
        if build is None:
            raise ValueError(f"--net {args.net}: expected file.py:function, which builds a network")
        return args.net, build()
    if name.endswith(".py") or ".py:" in name:
        raise ValueError(f"{name}: your own code is given as --net FILE.py:FUNCTION")
    if name not in models.MODELS and (
        name.startswith("pretrained:") or name.endswith(".npz") or os.path.exists(name)
    ):
        return name, load(name, args.net)
    if args.net is not None:
        raise UnknownNameError(f"{name} is no checkpoint; beside --net only a checkpoint can stand")
    return name, models.build(name, seed=seed)


def input_shape(net, given=None):
    """The shape (H, W, C) of one image: `given` (--shape), or what the network says, or 28x28x1."""
    return given or tuple(fact(net, "input_shape") or (28, 28, 1))


def own_code(text):
    """file.py:function -> the function that builds a network, and []; file.py -> None, and the
    classes of layers in it, imported ones too.

    Raises ValueError, in one line, for what is not there, fails, or returns no network.
    """
    from ..layers import Layer
    from ..layers.structure import house

    path, _, name = text.rpartition(":") if ".py:" in text else (text, "", "")
    path = pathlib.Path(path)
    if not path.is_file():
        raise ValueError(f"--net {text}: there is no file {path}; expected file.py:function")
    spec = importlib.util.spec_from_file_location(f"numpycnn_net_{path.stem}", path)
    if spec is None:
        raise ValueError(f"--net {text}: {path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    with _in_one_line(text, path), _beside(path.parent), _listed(module):
        spec.loader.exec_module(module)
    if not name:
        found = [thing for thing in vars(module).values() if isinstance(thing, type)]
        return None, [kind for kind in found if issubclass(kind, Layer) and not house(kind)]
    function = getattr(module, name, None)
    if not callable(function):
        raise ValueError(f"--net {text}: {path} has no function {name}")

    def build():
        with _in_one_line(text, path), _beside(path.parent):
            net = function()
        if not isinstance(net, Layer):
            raise ValueError(f"--net {text}: {name}() returned {type(net).__name__}, no network")
        return net

    return build, []


@contextlib.contextmanager
def _in_one_line(text, path):
    """Whatever the user's code raises becomes one line, with the place in that file."""
    try:
        with contextlib.redirect_stdout(sys.stderr):  # standard output is the command's
            yield
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f.lineno for f in frames if pathlib.Path(f.filename).resolve() == path.resolve()]
        lines = lines or [getattr(error, "lineno", None)]  # of a syntax error
        where = f", line {lines[-1]}" if lines[-1] else ""
        raise ValueError(f"--net {text}{where}: {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _listed(module):
    """In sys.modules, as dataclasses want it; not after a failure."""
    sys.modules[module.__name__] = module
    try:
        yield
    except BaseException:
        sys.modules.pop(module.__name__, None)
        raise


@contextlib.contextmanager
def _beside(folder):
    """Within it the modules beside the file can be imported, as when the file is run."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def network_and_data(args):
    """The network of args.checkpoint, and the data set args.data, by default its own.

    Raises ValueError.
    """
    import numpy as np

    from ..data.datasets import load_for, present
    from ..data.official import OFFICIAL

    net = classifier(args.checkpoint, args.net)
    name = args.data or net.metadata.get("data", "fashion-mnist")
    if not args.data and name not in OFFICIAL and not present(name):
        raise DatasetError(
            f"{args.checkpoint} was trained on {name}, which is not here: give its path as --data"
        )
    dataset = load_for(net.metadata, name, input_shape(net), **reading(args))
    classes, known = list(dataset.classes), net.metadata.get("classes")
    came = dataset.x_test.shape[1:]
    expected = tuple(fact(net, "input_shape") or came)
    if expected != came:
        raise ValueError(
            f"{args.checkpoint} was made for images {expected}, but those of {dataset.name} are "
            f"{came}"
        )
    outputs = net.infer(np.zeros((1, *expected), dataset.x_test.dtype)).shape[1]
    if outputs != len(classes):
        raise ValueError(
            f"{args.checkpoint} knows {outputs} classes, but {dataset.name} has {len(classes)}; "
            "give the data that it was trained for as --data"
        )
    if known and [printable(one) for one in known] != classes:
        say(f"note: {args.checkpoint} was trained on other classes than those of {dataset.name}")
    return net, dataset


def reading(args):
    """The options about data of a person's own that are given, as data.load takes them."""
    from ..data.options import NAMES

    values = {name: getattr(args, name, None) for name in NAMES}
    return {name: value for name, value in values.items() if value is not None}

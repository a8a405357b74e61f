"""The models by their names."""

import inspect

import numpy as np

from ..errors import unknown
from .alexnet import alexnet
from .autoencoder import autoencoder, denoiser
from .densenet import densenet
from .gan import gan
from .keras_cnn import keras_cnn
from .lenet5 import lenet5
from .mirror_vgg import mirror_vgg
from .resnet import resnet
from .vae import vae
from .vgg import vgg

CLASSIFIERS = alexnet, densenet, keras_cnn, lenet5, mirror_vgg, resnet, vgg
GENERATIVE = autoencoder, denoiser, gan, vae
MODELS = {f.__name__: f for f in (*CLASSIFIERS, *GENERATIVE)}


def build(name, seed=0, **arguments):
    """The model `name` with weights and dropout drawn from `seed`, and its function's arguments.

    Remembers name and arguments as net.spec, which a checkpoint stores. Raises UnknownNameError for
    a name or an argument that does not exist, with the nearest ones.
    """
    if name not in MODELS:
        raise unknown("model", name, MODELS)
    known = [p for p in inspect.signature(MODELS[name]).parameters if p != "rng"]
    for argument in arguments:
        if argument not in known:
            raise unknown(f"argument of {name}", argument, known)
    net = MODELS[name](rng=np.random.default_rng(np.random.SeedSequence(seed)), **arguments)
    net.spec = {"model": name, "arguments": arguments}
    if "input_shape" in known and not hasattr(net, "input_shape"):
        default = inspect.signature(MODELS[name]).parameters["input_shape"].default
        net.input_shape = tuple(arguments.get("input_shape", default))
    return net

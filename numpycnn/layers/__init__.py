"""Layers: parameters, running statistics and the bookkeeping around the ops of the same name.

The protocol is in base.py; your own, a subclass of Layer, needs no more than `forward` and
`backward`.
"""

from .activation import (
    ELU,
    GELU,
    HardSwish,
    LeakyReLU,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Tanh,
    activation,
)
from .base import Layer, Param
from .combine import Add, Concat, Flatten, Frozen, Identity, Reshape, Sequential
from .conv import Conv2D, ConvTranspose2D
from .dense import Dense
from .dropout import Dropout
from .fused import ConvBNReLU, fuse
from .input_gradient import InputGradient
from .mirror import MirrorBatchNorm, MirrorConv2D, MirrorMean
from .norm import BatchNorm, GroupNorm, LayerNorm
from .pool import AvgPool2D, GlobalAvgPool, MaxPool2D
from .sample import Sampling
from .squeeze_excite import SqueezeExcite
from .standardize import Standardize
from .upsample import Upsample2D

__all__ = [
    "ELU", "GELU", "Add", "AvgPool2D", "BatchNorm", "Concat", "Conv2D", "ConvBNReLU",
    "ConvTranspose2D", "Dense", "Dropout", "Flatten", "Frozen", "GlobalAvgPool", "GroupNorm",
    "HardSwish", "Identity", "InputGradient", "Layer", "LayerNorm", "LeakyReLU", "MaxPool2D",
    "MirrorBatchNorm", "MirrorConv2D", "MirrorMean", "PReLU", "Param", "ReLU", "Reshape",
    "Sampling", "Sequential", "SiLU", "Sigmoid", "SqueezeExcite", "Standardize", "Tanh",
    "Upsample2D", "activation", "fuse",
]  # fmt: skip

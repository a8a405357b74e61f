"""Layers: parameters, running statistics and the bookkeeping around the ops of the same name.

The protocol is in base.py; your own, a subclass of Layer, needs no more than `forward` and
`backward`.
"""

from .activation import ELU, LeakyReLU, PReLU, ReLU, Sigmoid, Tanh, activation
from .base import Layer, Param
from .combine import Add, Concat, Flatten, Frozen, Identity, Reshape, Sequential
from .conv import Conv2D, ConvTranspose2D
from .dense import Dense
from .dropout import Dropout
from .fused import ConvBNReLU, fuse
from .input_gradient import InputGradient
from .mirror import MirrorBatchNorm, MirrorConv2D, MirrorMean
from .norm import BatchNorm
from .pool import AvgPool2D, GlobalAvgPool, MaxPool2D
from .sample import Sampling
from .standardize import Standardize
from .upsample import Upsample2D

__all__ = [
    "ELU", "Add", "AvgPool2D", "BatchNorm", "Concat", "Conv2D", "ConvBNReLU", "ConvTranspose2D",
    "Dense", "Dropout", "Flatten", "Frozen", "GlobalAvgPool", "Identity", "InputGradient", "Layer",
    "LeakyReLU", "MaxPool2D", "MirrorBatchNorm", "MirrorConv2D", "MirrorMean", "PReLU", "Param",
    "ReLU", "Reshape", "Sampling", "Sequential", "Sigmoid", "Standardize", "Tanh", "Upsample2D",
    "activation", "fuse",
]  # fmt: skip

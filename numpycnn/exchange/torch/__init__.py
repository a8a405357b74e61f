"""PyTorch: a network as an nn.Module with readable names, and weights both ways.

Images are NHWC here, NCHW there. Features keep our order: Flatten there goes by way of (H, W, C),
so that a dense layer's rows need no permutation. What differs: the batch's variance that a running
variance takes in is biased here and unbiased there, n / (n - 1) times as large for n values.
"""

from ...errors import MissingPackage

try:
    import torch as _  # noqa: F401
except ImportError:
    raise MissingPackage("torch", "torch") from None

from ..names import load_state, state_dict
from ..weights import load, save
from .convert import from_torch, to_torch

__all__ = ["from_torch", "load", "load_state", "save", "state_dict", "to_torch"]

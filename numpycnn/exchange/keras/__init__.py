"""Keras 3: a network as a keras.Model, and .keras files both ways. Reading them needs h5py alone.

Both have images NHWC, weights (kh, kw, C, F), "same" padding with the odd zero behind, and a biased
running variance with the weight of the old value as momentum: weights go over as they are.
"""

from .reader import from_keras, load
from .writer import save, to_keras

__all__ = ["from_keras", "load", "save", "to_keras"]

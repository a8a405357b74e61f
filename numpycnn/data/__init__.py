"""Data sets by name, images of your own in many formats, batches and augmentation."""

from . import augment, idx, synthetic
from .batches import batches
from .dataset import Dataset
from .datasets import load, load_default, present
from .picture import read_for, read_image

__all__ = [
    "Dataset",
    "augment",
    "batches",
    "idx",
    "load",
    "load_default",
    "present",
    "read_for",
    "read_image",
    "synthetic",
]

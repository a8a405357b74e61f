"""ONNX files, written and read without the onnx package."""

from .export import encode, save
from .reader import load

__all__ = ["encode", "load", "save"]

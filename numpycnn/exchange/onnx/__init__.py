"""ONNX files, written and read without the onnx package."""

from .export import encode, save

__all__ = ["encode", "save"]

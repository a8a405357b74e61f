"""Two networks and the chain rule between them: a run of one, its codes, and drawing by it."""

from .. import moved
from .run import Run, arguments, dataset, load, parent, write_result

__all__ = ["Run", "arguments", "dataset", "load", "parent", "write_result"]

__getattr__ = moved("generative")

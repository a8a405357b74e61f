"""One offline page that steps through a network's forward and backward pass, number by number."""

from .write import explain

__all__ = ["explain"]

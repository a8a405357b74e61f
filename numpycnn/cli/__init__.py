"""The command line: these modules only parse and print."""

from .parser import main

__all__ = ["main"]

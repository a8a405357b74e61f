"""What can be typed: for each command of commands.py and data.py a function that gives its parser
the options, in the groups of its help page.

A command that has a module of its own has its grammar there.
"""

from .datasets import data
from .help import Parser, Top
from .networks import evaluate, generate, gradcheck, inspect, predict, summary
from .shared import doctor, every
from .studies import study
from .training import train

__all__ = [
    "Parser", "Top", "data", "doctor", "evaluate", "every", "generate", "gradcheck", "inspect",
    "predict", "study", "summary", "train",
]  # fmt: skip

"""Exercises: pages with a function to write, bugs to hunt, broken runs; and a grader with words.

    numpycnn exercise start batch_norm_backward       # writes batch_norm_backward.py
    numpycnn exercise check batch_norm_backward.py

    from numpycnn.exercises import check              # the same in Python and in notebooks
    check("batch_norm_backward", mine)

README.md is for instructors.
"""

from .catalogue import EXERCISES
from .check import check, check_file
from .files import ExerciseError, start
from .hints import hint, solution
from .verdict import Verdict

__all__ = [
    "EXERCISES",
    "ExerciseError",
    "Verdict",
    "check",
    "check_file",
    "hint",
    "solution",
    "start",
]

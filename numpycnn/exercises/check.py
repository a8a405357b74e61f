"""check("relu_backward", mine), and the same for a file: in a process of its own, with a limit."""

import sys
import types
from pathlib import Path

from .. import backend
from . import catalogue
from .files import ExerciseError, identify
from .grader import grade
from .process import LIMIT, isolated
from .verdict import Verdict


def check(name, function, *, seed="", limit=LIMIT):
    """Grade `function` as the exercise `name` -> Verdict, which prints and shows as a table.

    `seed` draws the probes. Whatever the function does, hanging and crashing included, ends as a
    sentence. Raises UnknownNameError for another name, TypeError for what cannot be called.
    """
    exercise = catalogue.find(name)
    if exercise.examine:
        raise ExerciseError(f"{name} is a question about a file; numpycnn exercise start {name}")
    if not callable(function):
        raise TypeError(f"check({name!r}, function): a {type(function).__name__} cannot be called")
    return _verdict(exercise, lambda: grade(exercise, function, seed).facts(), limit)


def check_file(path, *, limit=LIMIT, quiet=False):
    """Grade a file that start wrote -> Verdict. Raises ExerciseError, UnknownNameError."""
    name, seed = identify(path)
    exercise = catalogue.find(name)
    return _verdict(exercise, lambda: _graded_file(exercise, Path(path), seed), limit, quiet)


def _verdict(exercise, work, limit, quiet=False):
    def on_numpy():
        with backend.using("numpy"):  # after a fork numba's threads are gone
            return work()

    facts, trouble = isolated(on_numpy, limit, quiet)
    if facts and "raised" in facts:
        facts, trouble = None, f"it ends the program: {facts['raised']}"
    if trouble:
        return Verdict(exercise.name).wrong("contract", trouble)
    rows = [(row["what"], row["state"], row["sentence"]) for row in facts["rows"]]
    return Verdict(exercise.name, rows)


def _graded_file(exercise, path, seed):
    verdict = Verdict(exercise.name)
    module = types.ModuleType("student")
    module.__file__ = str(path)
    sys.modules["student"] = module
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
    except Exception as error:
        where = _line(error, path)
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return verdict.wrong("file", f"it cannot be run: {text}{where}").facts()
    if exercise.examine:
        return exercise.examine(path, vars(module), seed).facts()
    name = exercise.place[1]
    function = getattr(module, name, None)
    if not callable(function):
        return verdict.wrong("file", f"there is no function {name} in it").facts()
    return grade(exercise, function, seed).facts()


def _line(error, path):
    """ ", line 12": where in the student's file it happened."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}" if error.filename == str(path) else ""
    found, trace = "", error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == str(path):
            found = f", line {trace.tb_lineno}"
        trace = trace.tb_next
    return found

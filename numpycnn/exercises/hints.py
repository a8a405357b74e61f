"""Three levels of hints: the symptom; the equation and its place; the step that shows it."""

import ast
import json
from pathlib import Path

from .. import files
from . import catalogue, cut
from .check import check_file
from .files import identify

LEDGER = ".numpycnn-hints.json"  # beside the file: which level was given last


def hint(path):
    """(level, text) of the next hint for the file. Raises ExerciseError, UnknownNameError."""
    path = Path(path)
    name, _ = identify(path)
    exercise = catalogue.find(name)
    ledger = path.with_name(LEDGER)
    given = _read(ledger)
    level = min(given.get(path.name, 0) + 1, 3)
    verdict = check_file(path, quiet=True)
    if verdict.passed:
        return 0, f"{name} is right: no hint is needed"
    text = (symptom, equation, step)[level - 1](exercise, verdict)
    files.write(ledger, json.dumps(given | {path.name: level}).encode())
    return level, text


def _read(ledger):
    try:
        found = json.loads(ledger.read_text(encoding="utf-8"))
        return {k: v for k, v in found.items() if isinstance(v, int)}
    except (OSError, ValueError, AttributeError):
        return {}


def symptom(exercise, verdict):
    """Level 1: what can be seen."""
    return verdict.sentences[0]


def equation(exercise, verdict):
    """Level 2: the equation, and where the library states it."""
    said = exercise.equation or _docstring(exercise.place)
    return f"{cut.line(exercise.place)} states:\n{said}"


def _docstring(place):
    doc = ast.get_docstring(cut.source(place)[1]) or ""
    return "\n".join(one for one in doc.splitlines() if "=" in one or "->" in one)


def step(exercise, verdict):
    """Level 3: the step of the explainer's page that shows it, or what else does."""
    if isinstance(exercise.step, str):
        return f"look at {exercise.step}"
    network, kind, way = exercise.step
    page = f"numpycnn explain {network} fashion-mnist:0"
    if not network.startswith("pretrained:"):
        page = f"numpycnn explain, of {network},"
    return f"{page} writes a page with every number: go to {kind}, {way} pass"


def solution(name):
    """Where the library answers the exercise."""
    exercise = catalogue.find(name)
    also = f"; see also {exercise.solution}" if exercise.solution else ""
    return f"{cut.line(exercise.place)}, {exercise.place[1]}{also}"

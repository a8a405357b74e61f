"""The files of a student: written by start, read by check, hint and grade."""

import re
import textwrap
from pathlib import Path

from .. import files
from ..errors import NumpyCNNError
from . import cut

HEADER = re.compile(r"^# numpycnn exercise: (\S+)(?:, drawn for (.+))?$", re.MULTILINE)


class ExerciseError(NumpyCNNError, ValueError):
    """A file is no exercise, or there is one already; the message says what to do."""


def page(exercise, seed=""):
    """The text of NAME.py."""
    function = exercise.place[1]
    given = [cut.function((exercise.place[0], name)) for name in exercise.given]
    stub = cut.stub(exercise.place, exercise.equation)
    example = exercise.example.strip()
    lines = [
        f"# numpycnn exercise: {exercise.name}{f', drawn for {seed}' if seed else ''}",
        f'"""{function}: {exercise.title}.',
        "",
        filled(exercise.page),
        "",
    ]
    answer = "\n".join(cut.parts(exercise.place)[2])
    if re.search(r"return \w+, \w*cache", answer, re.IGNORECASE):
        alone = exercise.outputs[0]
        lines += [f"Return {alone} alone, or a pair: what is behind it is not checked.", ""]
    if example:
        lines += ["Worked numbers:", "", textwrap.indent(example, "    "), ""]
    lines += [
        f"Check it:  numpycnn exercise check {exercise.name}.py",
        f"Stuck?     numpycnn exercise hint {exercise.name}.py",
        '"""',
        "",
        "import numpy as np",
        "",
        "from numpycnn import ops",
    ]
    lines += cut.imports("\n\n".join([*given, stub]), exercise.place)
    if given:
        lines += [
            "",
            f"# ---- given, from numpycnn/{exercise.place[0]} (@op checks the arguments) ----",
            "",
        ]
        lines += ["\n\n\n".join(given)]
    return "\n".join([*lines, "", "# ---- your work ----", "", stub, ""])


def filled(text):
    """The paragraphs of a text in lines of a page's width."""
    return "\n\n".join(textwrap.fill(part, 98) for part in text.split("\n\n"))


def start(exercise, folder=".", seed=""):
    """Writes NAME.py (and what belongs to it) -> its path. Raises ExerciseError, OSError."""
    path = Path(folder) / f"{exercise.name}.py"
    if not seed.isprintable():
        raise ExerciseError(f"the seed must be a name in one line, not {seed!r}")
    beside = exercise.beside(seed) if exercise.beside else {}
    for there in (path, *(path.with_name(name) for name in beside)):
        if there.exists():
            raise ExerciseError(f"{there} exists, and no file is written over; move it away first")
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, content in beside.items():
        files.write(path.with_name(name), content)
    text = exercise.text(seed) if exercise.text else page(exercise, seed)
    files.write(path, text.encode())
    return path


def identify(path):
    """(exercise's name, seed) of a file. Raises ExerciseError."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a mark
    except FileNotFoundError:
        raise ExerciseError(
            f"{path} does not exist; numpycnn exercise start NAME writes NAME.py"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ExerciseError(f"{path} is no text file of an exercise: {error}") from None
    found = HEADER.search(text)
    return (found[1], found[2] or "") if found else (path.stem, "")

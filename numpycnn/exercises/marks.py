"""Grades a folder of submissions, each file in a process of its own -> a table, and marks.csv.

FOLDER/STUDENT/NAME.py, or FOLDER/NAME.py of one student. What cannot be read is a mark of 0 with
a sentence; nothing stops the others.
"""

import csv
import io
from pathlib import Path

from .. import files
from ..errors import NumpyCNNError
from . import catalogue
from .check import check_file
from .files import ExerciseError, identify
from .process import LIMIT

COLUMNS = ("student", "exercise", "passed", "drawn for", "sentences")


def grade_folder(folder, csv=None, limit=LIMIT, seeded=False):
    """-> [{student, exercise, passed, drawn for, sentences}], sorted.

    `seeded`: a file must be drawn for the student whose folder it is in. Raises ExerciseError where
    there is nothing to grade, OSError.
    """
    folder = Path(folder)
    paths = sorted([*folder.glob("*.py"), *folder.glob("*/*.py")])
    if not paths:
        raise ExerciseError(f"{folder}: no submissions; expected {folder}/STUDENT/NAME.py")
    rows = [_row(path, folder, limit, seeded) for path in paths]
    rows.sort(key=lambda row: (row["student"], row["exercise"]))
    if csv:
        files.write(csv, as_csv(rows).encode())
    return rows


def _row(path, folder, limit, seeded):
    student = path.parent.name if path.parent != folder else folder.resolve().name
    name, seed, passed = path.stem, "", False
    try:
        name, seed = identify(path)
        catalogue.find(name)
        if seeded and seed != student:
            sentences = [f"it is drawn for {seed or 'nobody'}, not for {student}"]
        else:
            verdict = check_file(path, limit=limit, quiet=True)
            passed, sentences = verdict.passed, verdict.sentences
    except NumpyCNNError as error:
        sentences = [str(error)]
    return {
        "student": student,
        "exercise": name,
        "passed": int(passed),
        "drawn for": seed,
        "sentences": "; ".join(sentences),
    }


def as_csv(rows):
    """The rows as the text of a .csv file. A cell never begins as a formula of a spreadsheet."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _plain(value) for key, value in row.items()})
    return text.getvalue()


def _plain(value):
    text = str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def table(rows):
    """How many exercises each student solved."""
    students = {row["student"]: [0, 0] for row in rows}
    for row in rows:
        students[row["student"]][0] += row["passed"]
        students[row["student"]][1] += 1
    width = max(len(name) for name in students)
    return "\n".join(f"{name:<{width}}  {a} of {b}" for name, (a, b) in students.items())

"""Grades a folder of submissions, each file in a process of its own -> a table, and marks.csv.

FOLDER/STUDENT/NAME.py, or FOLDER/NAME.py of one student. What cannot be read is a mark of 0 with
a sentence; nothing stops the others. Where something lies elsewhere, or nothing is there, a row
without an exercise says so.
"""

import csv
import io
import re
import unicodedata
from pathlib import Path

from .. import files
from ..errors import NumpyCNNError
from . import catalogue
from .check import check_file
from .files import ExerciseError, identify
from .process import LIMIT

SKIPPED = re.compile(r"\.|__pycache__$")  # folders and files that are nobody's work
NAMED = 5  # files in a sentence
COLUMNS = ("student", "exercise", "passed", "drawn for", "sentences")


def grade_folder(folder, csv=None, limit=LIMIT, seeded=False):
    """-> [{student, exercise, passed, drawn for, sentences}], sorted.

    Of an exercise that a student handed in several times the best counts, and the files are named.

    `seeded`: a file must be drawn for the student whose folder it is in. Raises ExerciseError where
    there is nothing to grade, OSError.
    """
    folder = Path(folder)
    paths = sorted([*folder.glob("*.py"), *folder.glob("*/*.py")])
    if not paths:
        raise ExerciseError(f"{folder}: no submissions; expected {folder}/STUDENT/NAME.py")
    rows = _best([(path.name, _row(path, folder, limit, seeded)) for path in paths])
    rows += _not_graded(folder, paths)
    rows.sort(key=lambda row: (row["student"], row["exercise"]))
    if csv:
        files.write(csv, as_csv(rows).encode())
    return rows


def _best(rows):
    """One row for each student and exercise, of [(file name, row)]."""
    groups, found = {}, []
    for name, row in rows:
        groups.setdefault((row["student"], row["exercise"]), []).append((name, row))
    for group in groups.values():
        best = max((row for _, row in group), key=lambda row: row["passed"])
        if len(group) > 1:
            names = ", ".join(name for name, _ in group)
            said = f"handed in {len(group)} times ({names}), and the best counts"
            best["sentences"] = "; ".join(filter(None, [best["sentences"], said]))
        found.append(best)
    return found


def _student(place, folder):
    return folder.resolve().name if place == folder else place.name


def _not_graded(folder, graded):
    """A row for each student of whom something, or all, is not graded."""
    places = [one for one in folder.iterdir() if one.is_dir() and not SKIPPED.match(one.name)]
    for place in [folder, *places]:
        found = place.iterdir() if place == folder else place.rglob("*")
        found = [one for one in found if one.is_file() and one not in graded]
        inside = [one.relative_to(place) for one in sorted(found)]
        inside = [one for one in inside if not any(map(SKIPPED.match, one.parts))]
        nothing = place != folder and not any(one.parent == place for one in graded)
        if not nothing:  # beside what is graded data may lie
            inside = [one for one in inside if one.suffix.lower() in (".py", ".ipynb")]
        names = ", ".join(one.as_posix() for one in inside[:NAMED])
        names += f" and {len(inside) - NAMED} more" if inside[NAMED:] else ""
        if nothing:
            yield _facts(place, folder, f"no NAME.py{f', but {names}' if names else ''}")
        elif names:
            said = f"only {_student(place, folder)}/NAME.py is graded, not {names}"
            yield _facts(place, folder, said)


def _facts(place, folder, sentences, exercise="", passed=False, seed=""):
    return {
        "student": _student(place, folder),
        "exercise": exercise,
        "passed": int(passed),
        "drawn for": seed,
        "sentences": sentences,
    }


def _row(path, folder, limit, seeded):
    student = _student(path.parent, folder)
    name, seed, passed = path.stem, "", False
    try:
        name, seed = identify(path)
        catalogue.find(name)
        if seeded and _composed(seed) != _composed(student):
            sentences = [f"it is drawn for {seed or 'nobody'}, not for {student}"]
        else:
            verdict = check_file(path, limit=limit, quiet=True)
            passed, sentences = verdict.passed, verdict.sentences
    except NumpyCNNError as error:
        sentences = [str(error)]
    return _facts(path.parent, folder, "; ".join(sentences), name, passed, seed)


def _composed(name):
    """The same letters for the same name: a Mac's folders have u and two dots for one letter."""
    return unicodedata.normalize("NFC", name)


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
    """How many exercises each student solved, and what was not graded."""
    students = {row["student"]: [0, 0, ""] for row in rows}
    for row in rows:
        about = students[row["student"]]
        about[0] += row["passed"]
        about[1] += bool(row["exercise"])
        about[2] += "" if row["exercise"] else f"; {row['sentences']}"
    width = max(len(name) for name in students)
    return "\n".join(
        f"{name:<{width}}  {a} of {b}{more}" for name, (a, b, more) in students.items()
    )

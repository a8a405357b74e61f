"""numpycnn exercise: list, start, check, hint, solution, grade."""

import os
import sys

from .grammar.values import seconds
from .output import check_used

LIMIT = 10.0  # seconds
USED = {"--seed": ("start", "grade"), "--csv": ("grade",), "--limit": ("check", "grade")}


def grammar(sub):
    """The arguments of `numpycnn exercise`."""
    sub.shown(
        "[ACTION] [NAME, FILE or FOLDER]",
        ("", "the exercises, in their order"),
        ("start relu", "write relu.py, with what to know"),
        ("check relu.py", "what is right, what is wrong"),
        ("grade handed_in --csv marks.csv", "the marks of a class"),
    )
    sub.add_argument(
        "action",
        nargs="?",
        default="list",
        metavar="ACTION",
        choices=("list", "start", "check", "hint", "solution", "grade"),
        help="list, start NAME, check FILE, hint FILE, solution NAME, grade FOLDER "
        "(default: %(default)s)",
    )
    sub.add_argument("what", nargs="?", metavar="NAME, FILE or FOLDER", help="see ACTION")
    group = sub.add_argument_group("for courses")
    group.add_argument(
        "--seed",
        default="",
        metavar="STUDENT",
        help="start: draws faults, names and numbers for this student; grade: with --seed folder "
        "a folder's name must be the seed of its files (default: the same for all)",
    )
    group.add_argument(
        "--csv", metavar="FILE", help="grade: the marks, into a new file (default: no file)"
    )
    group.add_argument(
        "--limit",
        type=seconds,
        metavar="SECONDS",
        help=f"check, grade: the longest time for one exercise (default: {LIMIT})",
    )


def exercise(args):
    """Write functions and hunt bugs, with hints and a grader."""
    check_used(args, USED, args.action)
    args.limit = args.limit or LIMIT
    if args.action == "list":
        if args.what:
            raise ValueError(f"unexpected {args.what!r}: list takes no name")
        return _list(args)
    if not args.what:
        kind = {"start": "NAME", "solution": "NAME", "grade": "FOLDER"}.get(args.action, "FILE")
        raise ValueError(f"expected: numpycnn exercise {args.action} {kind}")
    return ACTIONS[args.action](args)


def _list(args):
    from ..exercises import EXERCISES

    lines, unit = [], 0
    for one in EXERCISES.values():
        if one.unit != unit:
            unit = one.unit
            lines.append(f"unit {unit}")
        lines.append(f"  {one.name:<24} {one.title}")
    facts = [{"name": e.name, "unit": e.unit, "title": e.title} for e in EXERCISES.values()]
    return {"exercises": facts}, "\n".join(lines)


def _start(args):
    from .. import exercises

    path = exercises.start(exercises.catalogue.find(args.what), seed=args.seed)
    return {"exercise": args.what, "file": str(path)}, f"{path}: read it, and work in it"


def _check(args):
    from ..exercises import check_file

    verdict = check_file(args.what, limit=args.limit)
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return verdict.facts(), verdict.text(colour), 0 if verdict.passed else 1


def _hint(args):
    from ..exercises import hint

    level, text = hint(args.what)
    return {"level": level, "hint": text}, f"hint {level} of 3: {text}" if level else text


def _solution(args):
    from ..exercises import solution

    return {"exercise": args.what, "solution": solution(args.what)}, solution(args.what)


def _grade(args):
    from ..exercises.marks import grade_folder, table
    from .output import check_new

    if args.csv:
        check_new("--csv", args.csv)
    rows = grade_folder(args.what, csv=args.csv, limit=args.limit, seeded=args.seed == "folder")
    note = "the answers are open in numpycnn/ops/: marks are for learning, not for examinations"
    return {"marks": rows, "note": note}, f"{table(rows)}\nnote: {note}"


ACTIONS = {"start": _start, "check": _check, "hint": _hint, "solution": _solution, "grade": _grade}

"""`numpycnn example NAME`: the scripts of examples/, also where only the package is installed."""

import argparse
import ast
import pathlib
import re
import runpy
import shlex
import sys

from .. import files
from ..errors import unknown

PACKAGE = pathlib.Path(__file__).parents[1]


def folder():
    """Where the scripts lie: in an installed package, or beside it in a clone."""
    inside = PACKAGE / "examples"
    return inside if inside.is_dir() else PACKAGE.parent / "examples"


def scripts():
    """{name: path}; without common.py, which the others import."""
    found = {path.stem: path for path in sorted(folder().glob("*.py"))}
    return {name: path for name, path in found.items() if name != "common"}


def grammar(sub):
    """The command's arguments."""
    sub.shown(
        "NAME [the script's own options]",
        ("--list", "the scripts, a line each"),
        ("one_batch_by_hand", "run one"),
        ("--copy one_batch_by_hand", "write it here, to change it"),
    )
    sub.add_argument("name", nargs="?", metavar="NAME", help="of those that --list shows")
    rest = "the script's own; --quick, which most of them have, takes seconds"
    sub.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help=rest)
    group = sub.add_argument_group("instead of running it")
    group.add_argument("--list", action="store_true", help="the examples, a line each")
    group.add_argument("--copy", action="store_true", help="write NAME.py into the working folder")


def example(args):
    """Run a whole script, or copy it here to change it."""
    known = scripts()
    if args.list:
        titles = {name: _title(path) for name, path in known.items()}
        width = max(map(len, titles))
        lines = [f"{name:<{width}}  {title}" for name, title in titles.items()]
        return {"examples": titles}, "\n".join(lines)
    if args.name is None:
        raise ValueError("name an example; --list shows them")
    if args.name not in known:
        raise unknown("example", args.name, known)
    if args.copy or args.arguments == ["--copy"]:  # what follows the name is the script's
        return _copy(known[args.name])
    _run(known[args.name], args.arguments)
    return {"example": args.name}, None


def _title(path):
    """How a script's docstring begins, up to its first full stop, colon or semicolon."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    return re.split(r"[.:;]\s", " ".join(docstring.split()))[0]


def _copy(path):
    """The script, and common.py where it imports that, in the working folder; nothing is lost."""
    text = path.read_text(encoding="utf-8")
    sources = [path, *([path.with_name("common.py")] if "from common import" in text else [])]
    wanted = [(source, pathlib.Path(source.name)) for source in sources]
    changed = [
        (source, target)
        for source, target in wanted
        if not target.exists() or target.read_bytes() != source.read_bytes()
    ]
    for _, target in changed:
        if target.exists():
            raise ValueError(f"{target} exists here, and no file is written over; move it first")
    for source, target in changed:
        files.write(target, source.read_bytes())
    names = [str(target) for _, target in wanted]
    return {"files": names}, f"{' and '.join(names)}; run it: python {shlex.quote(path.name)}"


def _run(path, arguments):
    """As `python PATH ARGUMENTS` would, here: Ctrl-C and errors end as in any command."""
    before = sys.argv, sys.path[:], sys.excepthook
    sys.argv = [str(path), *arguments]
    sys.path.insert(0, str(path.parent))  # they import common
    try:
        runpy.run_path(str(path), run_name="__main__")
    finally:
        sys.argv, sys.path[:], sys.excepthook = before

"""What the command prints: results to standard output, messages to standard error.

Names of classes and files are other people's: here nothing of them reaches the terminal as a
control sequence, and nothing fails for want of a letter.
"""

import json
import os
import sys

from ..errors import printable
from ..files import plain

LINES = "\n\t"  # control characters that are this program's own


def say(line):
    """A message to people."""
    sys.stderr.write(f"{printable(line, LINES)}\n")
    sys.stderr.flush()


def show(result, text, as_json, coloured=False):
    """The result: one JSON object, or the text for people (nothing where it is empty).

    coloured: the text's own escape sequences pass.
    """
    if as_json:
        print(json.dumps(plain(result)), flush=True)
    elif text:  # a script of examples/ has printed its own
        print(printable(text, LINES + "\x1b" * coloured), flush=True)


def check_new(option, path, ending=""):
    """Raise ValueError for a file that exists already, or whose name ends otherwise."""
    if os.path.lexists(path):
        raise ValueError(
            f"{option} {path}: it exists, and no file is written over; give another name"
        )
    if not path.lower().endswith(ending):
        raise ValueError(f"{option} {path}: expected a new file whose name ends in {ending}")


def check_used(args, uses, chosen, word=""):
    """Raise ValueError for an option that is given and does nothing with what is chosen.

    uses: {option: (choices with which it does something)}; word: what stands before a choice.
    """
    for option, choices in uses.items():
        name = option.removeprefix("--").replace("-", "_")
        if getattr(args, name) and chosen not in choices:
            *others, last = choices
            known = f"{', '.join(others)} and {last}" if others else last
            raise ValueError(f"{option} is for {word}{known}, not for {chosen}")


def forgiving(*streams):
    r"""Let the streams write what their encoding has no letter for as \u6f22, not raise."""
    for stream in streams:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

"""How the help pages look: options in groups, examples below, the commands in groups."""

import argparse
import os
import re
import shutil
from difflib import get_close_matches

from ...errors import unknown

WIDEST = 26  # columns of the options' names
SYNONYMS = {"--learning-rate": "--lr", "--output": "--out"}
WIDTH = 90  # of a page, where the terminal is wider


class Format(argparse.RawDescriptionHelpFormatter):
    """Examples keep their lines; what an option does begins in one column."""

    def __init__(self, prog):
        width = min(shutil.get_terminal_size().columns - 2, WIDTH)
        super().__init__(prog, max_help_position=WIDEST, width=width)


class Parser(argparse.ArgumentParser):
    """The grammar of one command; a mistake gets one line."""

    def __init__(self, **settings):
        super().__init__(add_help=False, formatter_class=Format, **settings)

    stray = None  # the option that a word without one was probably meant for

    def shown(self, arguments, *examples, stray=None):
        """What the help page says of the whole: the arguments, and pairs (typed, what it does)."""
        self.stray = stray
        self.usage = f"{self.prog} [options] {arguments}".rstrip()
        width = max(len(typed) for typed, _ in examples)
        lines = [f"  {self.prog} {typed:<{width}}  # {does}" for typed, does in examples]
        self.epilog = "\n".join(["examples:", *lines])

    def refuse(self, words):
        """End with exit code 2 for words that mean nothing to the command."""
        word = words[0].partition("=")[0]
        if not word.startswith("-"):
            hint = "; several values of one option stand with commas, without blanks"
            if self.stray and os.path.exists(word):
                hint = f"; did you mean {self.stray} {word}?"
            self.error(f"unexpected {word!r}{hint}")
        known = {one: one for one in self._option_string_actions} | SYNONYMS
        near = get_close_matches(word.lower(), known, n=1, cutoff=0.7)
        hint = f"; did you mean {known[near[0]]}?" if near else ""
        self.error(f"there is no option {word}{hint}")

    def error(self, message):
        """End with exit code 2."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


class Top(Parser):
    """The same for `numpycnn` itself. groups: {title: functions of commands}."""

    def __init__(self, groups, **settings):
        super().__init__(**settings)
        self.groups = groups

    def error(self, message):
        """The same; a command that there is not is named with the nearest ones."""
        wrong = re.search(r"COMMAND: invalid choice: '(.*?)'", message)
        if wrong:
            names = [one.__name__ for group in self.groups.values() for one in group]
            message = str(unknown("command", wrong[1], names))
        super().error(message)

    def format_help(self):
        """The page: each command with a line, then the options."""
        functions = [function for group in self.groups.values() for function in group]
        width = max(len(function.__name__) for function in functions)
        lines = [f"usage: {self.prog} COMMAND [options]", "", self.description]
        for title, group in self.groups.items():
            lines += ["", f"{title}:"]
            lines += [f"  {one.__name__:<{width}}  {one.__doc__}" for one in group]
        return "\n".join([*lines, "", self.epilog, ""])

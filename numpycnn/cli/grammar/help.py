"""How the help pages look: options in groups, examples below, the commands in groups."""

import argparse
import shutil

WIDEST = 26  # columns of the options' names
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

    def shown(self, arguments, *examples):
        """What the help page says of the whole: the arguments, and pairs (typed, what it does)."""
        self.usage = f"{self.prog} [options] {arguments}".rstrip()
        width = max(len(typed) for typed, _ in examples)
        lines = [f"  {self.prog} {typed:<{width}}  # {does}" for typed, does in examples]
        self.epilog = "\n".join(["examples:", *lines])

    def error(self, message):
        """End with exit code 2."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


class Top(Parser):
    """The same for `numpycnn` itself. groups: {title: functions of commands}."""

    def __init__(self, groups, **settings):
        super().__init__(**settings)
        self.groups = groups

    def format_help(self):
        """The page: each command with a line, then the options."""
        functions = [function for group in self.groups.values() for function in group]
        width = max(len(function.__name__) for function in functions)
        lines = [f"usage: {self.prog} COMMAND [options]", "", self.description]
        for title, group in self.groups.items():
            lines += ["", f"{title}:"]
            lines += [f"  {one.__name__:<{width}}  {one.__doc__}" for one in group]
        return "\n".join([*lines, "", self.epilog, ""])

"""The command line: results to standard output, progress and messages to standard error, one line
an error.

Exit codes: 0 done, 1 the machine failed (disk, memory) or a check did, 2 usage, 3 bad data or
checkpoint, 4 network, 5 training diverged, 130 interrupted (143 by SIGTERM), 141 nobody reads the
output any more.
"""

import argparse
import contextlib
import io
import os
import sys
import warnings

from .. import __version__, distributed
from ..errors import (
    CheckpointError,
    DatasetError,
    DownloadError,
    NumpyCNNError,
    RankError,
    RunFolderError,
    TrainingDiverged,
)
from ..training.interrupt import terminable
from . import commands, data, example, exchange, exercise, explain, grammar
from .grammar import Parser, Top
from .output import forgiving, say, show

DESCRIPTION = "Convolutional networks in NumPy: train them, use them, read them."
EXAMPLES = """examples:
  numpycnn train                          # the paper's network, Fashion-MNIST: minutes
  numpycnn train --data photos --size 64  # a folder of your own pictures
  numpycnn COMMAND --help                 # a command's options, with examples

numpycnn --version shows the version."""

# As `numpycnn --help` shows them: in groups, each command with its grammar.
COMMANDS = {
    "train and use a network": {
        commands.train: grammar.train,
        commands.predict: grammar.predict,
        commands.evaluate: grammar.evaluate,
        commands.inspect: grammar.inspect,
        explain.explain: explain.grammar,
        commands.generate: grammar.generate,
    },
    "data, networks, files": {
        data.data: grammar.data,
        commands.summary: grammar.summary,
        commands.gradcheck: grammar.gradcheck,
        exchange.export: exchange.export_grammar,
        exchange.import_: exchange.import_grammar,
    },
    "learn, and compare": {
        exercise.exercise: exercise.grammar,
        example.example: example.grammar,
        commands.study: grammar.study,
    },
    "this machine": {commands.doctor: grammar.doctor},
}


def parser():
    """-> the parser of the command line, {command: its own}"""
    top = Top(COMMANDS, prog="numpycnn", description=DESCRIPTION, epilog=EXAMPLES)
    known = top.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=Parser
    )
    for group in COMMANDS.values():
        for function, shape in group.items():
            sub = known.add_parser(function.__name__, description=function.__doc__)
            sub.set_defaults(run=function)
            shape(sub)
            grammar.every(sub)
    top.add_argument("-h", "--help", action="help")
    top.add_argument("--version", action="version", version=f"numpycnn {__version__}")
    return top, known.choices


def main(argv=None):
    """Run one command -> its exit code."""
    forgiving(sys.stdout, sys.stderr)
    top, known = parser()
    argv = sys.argv[1:] if argv is None else argv
    with _silent() if distributed.follows() else contextlib.nullcontext():
        args = _parsed(top, known, argv)
    try:
        with terminable(), warnings.catch_warnings():
            warnings.showwarning = notes(args.command)
            choose(args)
            result, text, *code = args.run(args)
            if result is not None:  # of several ranks one has the result
                show(result, text, args.json, coloured=args.command == "exercise")
            return code[0] if code else 0
    # the reader has gone (`| head`): nothing is left to say, also not at exit
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (KeyboardInterrupt, Exception) as error:
        if args.debug:
            raise
        text = " ".join(str(error).split()) or (
            "stopped" if isinstance(error, KeyboardInterrupt) else ""
        )
        if not isinstance(
            error, (KeyboardInterrupt, NumpyCNNError, ValueError, TypeError, OSError)
        ):
            text = f"{type(error).__name__}: {text}; --debug shows more"
        who = f"{error.rank}: " if hasattr(error, "rank") else ""
        if not getattr(error, "quiet", False):  # another rank says it
            say(f"numpycnn {args.command}: {who}{text}")
        return exit_code(error)


def _parsed(top, known, argv):
    """The arguments; a mistake ends the program. Options may stand between a command's names."""
    args, rest = top.parse_known_args(argv)
    if rest and argv[0] == args.command != "example":
        begun = argparse.Namespace(command=args.command)
        args, rest = known[args.command].parse_known_intermixed_args(argv[1:], begun)
    if rest:
        known[args.command].refuse(rest)
    return args


@contextlib.contextmanager
def _silent():
    """Help, or a mistake, is not printed within it: another rank does that."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def notes(command):
    """What shows a warning: one line, once."""
    said = set()

    def show(message, *_, **__):
        if str(message) not in said:
            said.add(str(message))
            say(f"numpycnn {command}: note: {message}")

    return show


def choose(args):
    """The backend and its threads, where they are given."""
    if args.backend or args.threads:
        from .. import backend

        backend.use(args.backend or backend.backend(), args.threads)


def exit_code(error):
    """Which of the exit codes an error means."""
    if isinstance(error, KeyboardInterrupt):
        return 128 + getattr(error, "signum", 2)
    kinds = (
        (DownloadError, 4),
        ((DatasetError, CheckpointError), 3),
        (TrainingDiverged, 5),
        (RunFolderError, 2),
        (RankError, 1),
    )
    for kind, code in kinds:
        if isinstance(error, kind):
            return code
    return 2 if isinstance(error, (NumpyCNNError, ValueError, TypeError)) else 1

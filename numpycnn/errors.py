"""The errors of this project: each names where, what came, what was expected, what to do."""

import sys


def printable(text, keep=""):
    """The text with every character escaped that a terminal would obey, or that has no form.

    Names and content of files may hold anything: escape sequences, line ends, text that turns its
    direction, bytes that are not UTF-8. `keep`: characters that stay as they are.
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else ascii(c)[1:-1] for c in text)


class NumpyCNNError(Exception):
    """Whatever this project refuses; every error below is one, and its text is safe to print."""

    def __str__(self):
        return printable(super().__str__())


class ShapeError(NumpyCNNError, ValueError):
    """An array does not have the shape that an op or a layer needs."""


class UnknownNameError(NumpyCNNError, ValueError):
    """No model, data set or option has this name; the message gives the nearest ones."""


class DatasetError(NumpyCNNError, ValueError):
    """A data set's file or content is not what it says it is."""


class DownloadError(DatasetError, OSError):
    """A data set could not be fetched from any of its mirrors."""


class CheckpointError(NumpyCNNError, ValueError):
    """A checkpoint is damaged, foreign, or does not fit the network."""


class RunFolderError(NumpyCNNError, OSError):
    """A run's folder exists already, or there is nothing in it to resume."""


class MissingPackage(NumpyCNNError, ImportError):
    """A command needs a package of one of the extras, which is not installed."""

    def __init__(self, package, extra):
        super().__init__(f'{package} is not installed: pip install "numpycnn[{extra}]"')


class CompiledError(NumpyCNNError, RuntimeError):
    """A compiled network is out of date, or asked for what it was not compiled for."""


class RankError(NumpyCNNError, RuntimeError):
    """Processes that work together cannot: one differs from the others, is missing, or silent."""


class TrainingDiverged(NumpyCNNError, ValueError):
    """`what`, the loss or a weight, is no longer finite, or far above any use (`state` says which).

    Attributes: epoch, step, lr (all from that step).
    """

    def __init__(self, epoch, step, lr, what="the loss", state="is not finite"):
        super().__init__(
            f"training diverged: {what} {state} in epoch {epoch}, step {step}, at lr {lr:g}; "
            "try a smaller lr; checkpoints from before are kept"
        )
        self.epoch, self.step, self.lr = epoch, step, lr


def unknown(what, name, known):
    """An UnknownNameError with the names nearest to the one that came; where none is near, all."""
    from difflib import get_close_matches

    near = get_close_matches(str(name).lower(), known, n=3, cutoff=0.4)
    advice = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(sorted(known))}"
    return UnknownNameError(f"unknown {what} {name!r}; {advice}")


def in_one_line(kind, error, trace):
    """A script's sys.excepthook: what this project refuses, and Ctrl-C, get one line.

    The rest keeps its traceback.
    """
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write(
            "stopped; --resume continues\n" if getattr(error, "out", None) else "stopped\n"
        )
        raise SystemExit(128 + getattr(error, "signum", 2))
    elif issubclass(kind, NumpyCNNError):
        sys.stderr.write(f"{error}\n")
    else:
        sys.__excepthook__(kind, error, trace)

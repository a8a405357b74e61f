"""The errors that this project raises: each names where, what came, what was expected, what to do."""

import sys


class NumpyCNNError(Exception):
    """Whatever this project refuses; every error below is one."""


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


class TrainingDiverged(NumpyCNNError, ValueError):
    """`what`, the loss or a weight, stopped being finite. Attributes: epoch, step, lr (all from
    that step).
    """

    def __init__(self, epoch, step, lr, what="the loss"):
        super().__init__(
            f"training diverged: {what} is not finite in epoch {epoch}, step {step}, at lr {lr:g}; "
            "try a smaller lr; checkpoints from before are kept"
        )
        self.epoch, self.step, self.lr = epoch, step, lr


def unknown(what, name, known):
    """An UnknownNameError that lists the names nearest to the one that came."""
    from difflib import get_close_matches

    near = get_close_matches(str(name), known, n=3, cutoff=0.4) or sorted(known)
    return UnknownNameError(f"unknown {what} {name!r}; did you mean {' or '.join(near)}?")


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

"""The command line: results to standard output, progress and messages to standard error, one line
an error.

Exit codes: 0 done, 1 the machine failed (disk, memory) or a check did, 2 usage, 3 bad data or
checkpoint, 4 network, 5 training diverged, 130 interrupted (143 by SIGTERM), 141 nobody reads the
output any more.
"""

import argparse
import math
import os
import sys
import warnings

from .. import __version__
from ..errors import (
    CheckpointError,
    DatasetError,
    DownloadError,
    NumpyCNNError,
    RunFolderError,
    TrainingDiverged,
)
from ..training.interrupt import terminable
from . import commands, data, example, exchange
from . import exercise as exercises
from . import explain as explaining
from .output import forgiving, say, show


class Parser(argparse.ArgumentParser):
    """One line an error."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser():
    """The command line's grammar."""
    top = Parser(prog="numpycnn", description="The convolutional network that a person can read.")
    top.add_argument("--version", action="version", version=f"numpycnn {__version__}")
    known = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(function, **settings):
        sub = known.add_parser(
            function.__name__, help=function.__doc__, description=function.__doc__, **settings
        )
        sub.set_defaults(run=function)
        sub.add_argument("--json", action="store_true", help="one JSON object on standard output")
        sub.add_argument(
            "--threads",
            type=positive,
            help="threads of the kernels and of BLAS (default: all cores)",
        )
        sub.add_argument(
            "--backend",
            choices=("numba", "numpy"),
            help="the fast twins, or the readable definitions",
        )
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
        return sub

    sub = command(commands.train)
    sub.add_argument(
        "--model",
        type=given,
        help="vgg (default), mirror_vgg, alexnet, resnet, densenet, keras_cnn or lenet5",
    )
    sub.add_argument(
        "--data",
        type=given,
        help="fashion-mnist, mnist, ... (numpycnn doctor lists them), a folder, an archive, a file",
    )
    _reading(sub)
    sub.add_argument(
        "--epochs", type=positive, help="default: those of the model's own recipe, 4 for vgg"
    )
    sub.add_argument(
        "--batch-size", type=positive, help="default: that of the model's own recipe, 32 for vgg"
    )
    sub.add_argument("--lr", type=rate, help="the largest learning rate of the schedule")
    sub.add_argument(
        "--schedule",
        type=given,
        help="constant, step, cosine, linear, one_cycle, triangular, warm_up",
    )
    sub.add_argument(
        "--augment",
        type=given,
        help="of flip, crop, rotate, rotate-45, erase, vertical-flip, with commas; or none",
    )
    sub.add_argument("--seed", type=natural)
    sub.add_argument(
        "--val",
        type=natural,
        help="validation images cut from the training set (default: a twelfth, or its own)",
    )
    sub.add_argument(
        "--patience",
        type=positive,
        metavar="N",
        help="stop when validation has not been better for N epochs",
    )
    sub.add_argument("--limit", type=positive, metavar="N", help="use N training images only")
    sub.add_argument(
        "--out", type=given, metavar="DIR", help="the run's folder (default: a new one under runs/)"
    )
    sub = sub.add_mutually_exclusive_group()
    sub.add_argument("--resume", action="store_true", help="continue the run in --out")
    sub.add_argument(
        "--force",
        action="store_true",
        help="start anew in --out; the run there moves to its previous-1",
    )

    sub = command(commands.evaluate)
    sub.add_argument("checkpoint", type=given, help="a file.npz, or pretrained:NAME")
    sub.add_argument("--data", type=given, help="default: the data set it was trained on")
    _reading(sub)
    sub.add_argument(
        "--flip", action="store_true", help="average over each image and its mirror image"
    )
    sub = command(commands.predict)
    sub.add_argument(
        "images", type=given, nargs="*", metavar="IMAGE", help="a photo or drawing of a garment"
    )
    sub.add_argument(
        "--checkpoint",
        type=given,
        default="pretrained:paper",
        help="a file.npz, or pretrained:NAME",
    )
    place = {"nargs": "?", "const": "", "metavar": "FOLDER or FILE.png"}
    sub.add_argument(
        "--show", **place, help="draw what the network saw, into IMAGE-seen.png or where you say"
    )
    sub = command(commands.inspect)
    sub.add_argument("checkpoint", type=given, help="a file.npz, or pretrained:NAME")
    sub.add_argument("--data", type=given, help="default: the data set it was trained on")
    _reading(sub)
    sub.add_argument(
        "--image",
        type=given,
        metavar="FILE",
        help="the picture to look at (default: the first test image)",
    )
    sub.add_argument(
        "--out",
        type=given,
        metavar="DIR",
        help="the folder for page and pictures (default: CHECKPOINT-inspect here)",
    )
    _generate(command(commands.generate))
    own = "your own code: file.py:function builds the network; file.py has its layers"
    for name in ("evaluate", "predict", "inspect"):
        known.choices[name].add_argument(
            "--net", metavar="FILE.py[:FUNCTION]", type=given, help=own
        )
    models = "vgg, mirror_vgg, alexnet, resnet, densenet, keras_cnn, lenet5, "
    models += "autoencoder, denoiser, vae or gan"
    for function in (commands.summary, commands.gradcheck):
        sub = command(function)
        sub.add_argument("model", nargs="?", type=given, help=f"{models}; or a checkpoint")
        sub.add_argument("--net", metavar="FILE.py:FUNCTION", type=given, help=own)
        text = "of an image, where the network does not say it (default: 28x28x1)"
        sub.add_argument("--shape", type=image_shape, metavar="HxWxC", help=text)
    sub.add_argument("--seed", type=natural, default=0)
    _data(command(data.data))
    sub = command(commands.study)
    sub.add_argument(
        "names", type=given, nargs="*", metavar="NAME", help="of those that --list shows, or all"
    )
    sub.add_argument(
        "--list", action="store_true", help="the studies, their claims, and how long they take"
    )
    sub.add_argument(
        "--quick", action="store_true", help="a trial in minutes: its numbers mean nothing"
    )
    sub.add_argument(
        "--full",
        action="store_true",
        help="all training images and 40 epochs: hours a study; each result is kept at once",
    )
    sub.add_argument(
        "--jobs", type=positive, help="networks trained side by side (default: one a core)"
    )
    sub.add_argument("--seeds", type=positive, help="how many runs of each variant (3)")
    sub.add_argument("--epochs", type=positive, help="instead of the study's own")
    sub.add_argument(
        "--limit", type=positive, metavar="N", help="training images, instead of the study's own"
    )
    sub.add_argument("--data", type=given, help="instead of fashion-mnist: as for train")
    sub.add_argument(
        "--out",
        type=given,
        metavar="DIR",
        help="folder of the results (runs/studies); what is done there is kept",
    )
    exchange.options(command)
    exercises.grammar(command(exercises.exercise))
    explaining.grammar(command(explaining.explain), natural, positive)
    example.grammar(command(example.example))
    command(commands.doctor)
    return top


def _reading(sub):
    """How data of one's own are read."""
    group = sub.add_argument_group("your own data")
    group.add_argument(
        "--size", type=sizes, metavar="N", help="pictures become N x N pixels (or HEIGHTxWIDTH)"
    )
    group.add_argument(
        "--fit", choices=("pad", "crop", "stretch"), help="how (default: pad, with borders)"
    )
    colours = group.add_mutually_exclusive_group()
    colours.add_argument(
        "--colour", action="store_true", default=None, help="three channels, also of grey pictures"
    )
    colours.add_argument(
        "--grey", action="store_false", default=None, dest="colour", help="one channel"
    )
    group.add_argument(
        "--classes-at", type=positive, metavar="N", help="folders above a picture's class (1)"
    )
    group.add_argument(
        "--labels",
        type=given,
        metavar="names|TABLE",
        help="classes by the files' names (cat.0.jpg), or by a .csv of files and classes",
    )
    group.add_argument(
        "--shape", type=sizes, metavar="HxWxC", help="of the rows of a table, where not square"
    )
    group.add_argument(
        "--skip-broken", action="store_true", default=None, help="go on without broken pictures"
    )


def _data(sub):
    sub.add_argument(
        "names",
        type=given,
        nargs="+",
        metavar="NAME",
        help="fashion-mnist, mnist, ... or a path: fetch and verify it; pack PHOTOS OUT: write a "
        "folder of pictures for sets larger than the memory; look DATA: a page about any data",
    )
    sub.add_argument("--out", metavar="DIR", help="look: the page's folder (default: NAME-look)")
    _reading(sub)


def _generate(sub):
    checkpoint = "a file.npz of an example, or pretrained:NAME (default: pretrained:gan)"
    sub.add_argument("checkpoint", type=given, nargs="?", default="pretrained:gan", help=checkpoint)
    sub.add_argument(
        "--class",
        type=given,
        dest="class_name",
        metavar="NAME",
        help="draw this class only (conditional networks)",
    )
    count = (
        "default: 8 rows of 8 or of one for each class; 2 rows in a film; "
        "one of each in its still; --map: 5000"
    )
    sub.add_argument("--count", type=positive, help=count)
    sub.add_argument("--seed", type=natural, default=0)
    sub.add_argument(
        "--out",
        type=given,
        metavar="FILE",
        help="a new .png, or a .gif film (default: grid.png, grid-2.png, ...)",
    )
    sub.add_argument(
        "--data",
        type=given,
        help="test images for --reconstruct and --map (default: what it was trained on)",
    )
    kinds = sub.add_mutually_exclusive_group()
    kinds.add_argument(
        "--walk",
        action="store_true",
        help="codes that wander: a .gif, or a .png with a column each",
    )
    kinds.add_argument(
        "--interpolate", action="store_true", help="from one code to another, a row each"
    )
    kinds.add_argument(
        "--reconstruct",
        action="store_true",
        help="test images, and what is read back from their codes",
    )
    kinds.add_argument(
        "--map", action="store_true", help="where test images lie in a code of two dimensions"
    )


def given(text):
    """A name or a path, which is not empty."""
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a name or a path, not an empty text")
    return text


def positive(text):
    """A whole number of at least 1."""
    return _whole(text, 1)


def natural(text):
    """A whole number of at least 0."""
    return _whole(text, 0)


def _whole(text, least):
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise argparse.ArgumentTypeError(
            f"expected a whole number of at least {least}, not {text!r}"
        )
    return int(text)


def sizes(text):
    """64, 48x64 or 32x32x3 as a list of whole numbers; of one number the square."""
    numbers = [positive(part) for part in text.lower().split("x")]
    return numbers * 2 if len(numbers) == 1 else numbers


def image_shape(text):
    """28x28x1 as (28, 28, 1)."""
    numbers = sizes(text)
    if len(numbers) != 3:
        raise argparse.ArgumentTypeError(f"expected HxWxC, as in 28x28x1, not {text!r}")
    return tuple(numbers)


def rate(text):
    """A learning rate: a finite number of at least 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a finite number of at least 0, not {text!r}")
    return value


def main(argv=None):
    """Run one command -> its exit code."""
    forgiving(sys.stdout, sys.stderr)
    args = parser().parse_args(argv)
    if args.threads:  # before NumPy is imported, so that its BLAS hears of it
        for name in ("OPENBLAS_NUM", "OMP_NUM", "MKL_NUM", "VECLIB_MAXIMUM"):
            os.environ[f"{name}_THREADS"] = str(args.threads)
    try:
        with terminable(), warnings.catch_warnings():
            warnings.showwarning = notes(args.command)
            choose(args)
            result, text, *code = args.run(args)
            show(result, text, args.json, coloured=args.command == "exercise")
            return code[0] if code else 0
    except (
        BrokenPipeError
    ):  # the reader has gone (`| head`): nothing is left to say, also not at exit
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
        say(f"numpycnn {args.command}: {text}")
        return exit_code(error)


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
    )
    for kind, code in kinds:
        if isinstance(error, kind):
            return code
    return 2 if isinstance(error, (NumpyCNNError, ValueError, TypeError)) else 1

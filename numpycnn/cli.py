"""The command line: results to standard output, progress and messages to standard error, one line an error.

Exit codes: 0 done, 1 the machine failed (disk, memory), 2 usage, 3 bad data or checkpoint, 4 network,
5 training diverged, 130 interrupted (143 by SIGTERM).
"""

import argparse
import json
import os
import pathlib
import sys

from . import __version__
from .errors import CheckpointError, DatasetError, DownloadError, NumpyCNNError, RunFolderError, TrainingDiverged

RECIPE_KEYS = ("model", "data", "epochs", "batch_size", "lr", "schedule", "augment", "seed", "val", "limit")


def train(args):
    """Train a model, from raw files to the report."""
    from . import data, recipes
    from .errors import unknown

    given = {key: getattr(args, key) for key in RECIPE_KEYS if getattr(args, key) is not None}
    if args.resume:
        if not args.out:
            raise RunFolderError("--resume needs --out, the folder of the run to continue")
        recipe = recipes.stored_recipe(args.out)
        for key, value in given.items():
            if recipe[key] != value:
                raise RunFolderError(f"the run in {args.out} has {key} {recipe[key]}, not {value}; resume it as it was")
        given = recipe
    name = given.get("model", "vgg")
    if name not in recipes.RECIPES:
        raise unknown("model", name, recipes.RECIPES)
    dataset = data.load(given["data"]) if "data" in given else data.load_default()
    if given.get("limit"):
        dataset = dataset.limit(given["limit"])
    recipe = {"model": name, "data": dataset.name, "seed": 0, "val": len(dataset.x_train) // 12, "limit": None}
    recipe |= recipes.RECIPES[name] | given
    out = pathlib.Path(args.out) if args.out else recipes.new_folder(name, recipe["data"])
    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not (args.resume or args.force):
        raise RunFolderError(f"{out} exists and is not empty; choose another --out, or --resume, or --force to overwrite")
    result = recipes.train(recipe, dataset, out, args.resume, say)
    show(args, result, accuracy_table(result["per_class"], result["test_accuracy"], result["out"]))


def accuracy_table(per_class, accuracy, out=None):
    """The test accuracy of each class (its recall) and in all."""
    width = max(len(name) for name in per_class)
    lines = [f"  {name:<{width}}  {share:7.2%}" for name, share in per_class.items()]
    lines.append(f"Test accuracy: {accuracy:.2%}")
    if out:
        lines.append(f"Report: {pathlib.Path(out, 'report.html')}")
    return "\n".join(lines)


def evaluate(args):
    """Accuracy of a checkpoint on a test set."""
    import numpycnn as nc

    net = nc.load(args.checkpoint)
    dataset = nc.data.load(args.data or net.metadata.get("data", "fashion-mnist"))
    measured = nc.evaluate(net, dataset.x_test, dataset.y_test)
    recall = measured["per_class"]["recall"].tolist()
    result = {
        "accuracy": measured["accuracy"], "loss": measured["loss"], "parameters": count(net),
        "per_class": dict(zip(dataset.classes, recall, strict=True)), "confusion": measured["confusion"].tolist(),
    }  # fmt: skip
    show(args, result, accuracy_table(result["per_class"], result["accuracy"]))


def count(net):
    """Parameters, trained and not."""
    from .layers.base import named_buffers

    return sum(p.value.size for p in net.params()) + sum(b.size for b in named_buffers(net).values())


def predict(args):
    """The class of image files."""
    import numpycnn as nc

    net = nc.load(args.checkpoint)
    arguments, classes = net.spec["arguments"], net.metadata["classes"]
    shape = tuple(arguments.get("input_shape", (28, 28, 1)))
    results, lines = [], []
    for path in args.images:
        row = nc.predict(net, nc.data.read_image(path, shape)[None])[0]
        best = row.argsort()[::-1][:3]
        results.append({"image": path, "class": classes[best[0]], "probabilities": dict(zip(classes, row.tolist(), strict=True))})
        lines.append(f"{path}: " + ", ".join(f"{classes[i]} {row[i]:.1%}" for i in best))
    show(args, {"predictions": results}, "\n".join(lines))


def summary(args):
    """The table of a model's layers."""
    from . import models

    table = models.build(args.model).summary((28, 28, 1))
    counts = {k: getattr(table, k) for k in ("total", "trainable", "non_trainable", "multiply_adds", "kept_bytes")}
    show(args, {"model": args.model, **counts}, table)


def gradcheck(args):
    """Check every gradient of a model against finite differences."""
    import numpy as np

    from . import models
    from .gradcheck import check_network

    rng = np.random.default_rng(args.seed)
    result = check_network(models.build(args.model, seed=args.seed), rng.standard_normal((2, 28, 28, 1)), seed=args.seed)
    show(args, {"model": args.model, "ok": result.ok, "max_error": result.max_error}, str(result))


def data(args):
    """Fetch and verify a data set."""
    from . import data as datasets

    d = datasets.load(args.name)
    sizes = {"train": len(d.x_train), "test": len(d.x_test), "image": list(d.x_train.shape[1:])}
    text = f"{d.name}: {len(d.x_train):,} training and {len(d.x_test):,} test images, {len(d.classes)} classes; {d.source}"
    show(args, {"name": d.name, "classes": list(d.classes), "sha256": d.sha256, "source": d.source, **sizes}, text)


def doctor(args):
    """What this machine has, and whether the kernels work."""
    from .doctor import examine

    facts = examine()
    show(args, facts, "\n".join(f"{name:<14} {value}" for name, value in facts.items()))


def say(line):
    """A message to people."""
    print(line, file=sys.stderr, flush=True)


def show(args, result, text):
    """The result, on standard output."""
    print(json.dumps(result) if args.json else text, flush=True)


def parser():
    """The command line's grammar."""
    top = argparse.ArgumentParser(prog="numpycnn", description="The convolutional network that a person can read.")
    top.add_argument("--version", action="version", version=f"numpycnn {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(function, **settings):
        sub = commands.add_parser(function.__name__, help=function.__doc__, description=function.__doc__, **settings)
        sub.set_defaults(run=function)
        sub.add_argument("--json", action="store_true", help="one JSON object on standard output")
        sub.add_argument("--threads", type=positive, help="threads of the kernels and of BLAS (default: all cores)")
        sub.add_argument("--backend", choices=("numba", "numpy"), help="the fast twins, or the readable definitions")
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
        return sub

    sub = command(train)
    sub.add_argument("--model", help="vgg (default) or alexnet")
    sub.add_argument("--data", help="fashion-mnist, mnist, kmnist, emnist, synthetic, a folder or an .npz")
    sub.add_argument("--epochs", type=positive)
    sub.add_argument("--batch-size", type=positive)
    sub.add_argument("--lr", type=float, help="the largest learning rate of the schedule")
    sub.add_argument("--schedule", help="constant, step, cosine, one_cycle, warm_up")
    sub.add_argument("--augment", help="of flip, crop, rotate, erase, vertical-flip, with commas; or none")
    sub.add_argument("--seed", type=int)
    sub.add_argument("--val", type=natural, help="validation images cut from the training set (default: a twelfth)")
    sub.add_argument("--limit", type=positive, metavar="N", help="use N training images only")
    sub.add_argument("--out", metavar="DIR", help="the run's folder (default: a new one under runs/)")
    sub.add_argument("--resume", action="store_true", help="continue the run in --out")
    sub.add_argument("--force", action="store_true", help="overwrite the run in --out")

    sub = command(evaluate)
    sub.add_argument("checkpoint", help="a file.npz, or pretrained:NAME")
    sub.add_argument("--data", help="default: the data set it was trained on")
    sub = command(predict)
    sub.add_argument("images", nargs="+", metavar="IMAGE")
    sub.add_argument("--checkpoint", default="pretrained:vgg", help="a file.npz, or pretrained:NAME")
    command(summary).add_argument("model")
    sub = command(gradcheck)
    sub.add_argument("model")
    sub.add_argument("--seed", type=int, default=0)
    command(data).add_argument("name")
    command(doctor)
    return top


def positive(text):
    """A whole number of at least 1."""
    return _whole(text, 1)


def natural(text):
    """A whole number of at least 0."""
    return _whole(text, 0)


def _whole(text, least):
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, not {text!r}")
    return int(text)


def main(argv=None):
    """Run one command -> its exit code."""
    args = parser().parse_args(argv)
    if args.threads:  # before NumPy is imported, so that its BLAS hears of it
        for name in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM"):
            os.environ[f"{name}_NUM_THREADS" if "VECLIB" not in name else "VECLIB_MAXIMUM_THREADS"] = str(args.threads)
        os.environ["NUMPYCNN_THREADS"] = str(args.threads)
    if args.backend:
        os.environ["NUMPYCNN_BACKEND"] = args.backend
    try:
        args.run(args)
        return 0
    except BrokenPipeError:  # the reader has gone (`| head`): nothing is left to say, also not at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (KeyboardInterrupt, NumpyCNNError, ValueError, TypeError, OSError, MemoryError) as error:
        if args.debug:
            raise
        text = " ".join(str(error).split()) or type(error).__name__
        say(f"numpycnn {args.command}: {text}")
        return exit_code(error)


def exit_code(error):
    """Which of the exit codes an error means."""
    if isinstance(error, KeyboardInterrupt):
        return 128 + getattr(error, "signum", 2)
    kinds = ((DownloadError, 4), ((DatasetError, CheckpointError), 3), (TrainingDiverged, 5), (RunFolderError, 2))
    for kind, code in kinds:
        if isinstance(error, kind):
            return code
    return 1 if isinstance(error, (OSError, MemoryError)) else 2

"""What the recipes share: their arguments, the images, and the figures of a finished run."""

import argparse
import json
import pathlib
import shlex
import sys
import time

import numpycnn as nc
from numpycnn import errors, files
from numpycnn.cli.grammar.values import natural, positive
from numpycnn.inspection import out_of_distribution

START = time.perf_counter()


def arguments(text, out):
    """--seed, --out, --epochs, --val, --threads, --resume, --quick.

    `text` is the recipe's docstring.

    The default folder is runs/OUT, with -quick or -val where these are given, so that a trial moves
    no run away.
    """
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("--seed", type=natural, default=0)
    parser.add_argument(
        "--out", help=f"the run's folder (default: runs/{out}, with -quick or -val where given)"
    )
    parser.add_argument("--epochs", type=positive, help="other than the recipe's")
    parser.add_argument(
        "--val",
        action="store_true",
        help="hold 5,000 training images back, leave the test set alone",
    )
    parser.add_argument("--threads", type=positive, help="default: all cores")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out")
    parser.add_argument(
        "--quick", action="store_true", help="3,000 images and two epochs, to see that it works"
    )
    args = parser.parse_args()
    sys.excepthook = errors.in_one_line
    args.command = _command(args)
    args.out = args.out or "-".join(
        [f"runs/{out}", *(kind for kind in ("quick", "val") if getattr(args, kind))]
    )
    if args.quick and not args.epochs:
        args.epochs = 2
    nc.use(nc.backend.backend(), args.threads)
    return args


def _command(args):
    """What to type to get the same network."""
    given = {"seed": args.seed, "epochs": args.epochs}
    words = [
        word
        for key, value in given.items()
        if value is not None
        for word in (f"--{key}", str(value))
    ]
    words += [f"--{kind}" for kind in ("val", "quick") if getattr(args, kind)]
    return shlex.join(["python", f"examples/{pathlib.Path(sys.argv[0]).name}", *words])


def images(args):
    """Fashion-MNIST: dataset, (x, y) to train on, (x, y) to measure on: the test set, or with --val
    held-out images.

    Where it is not here and cannot be fetched, only --quick goes on, with synthetic garments.
    """
    dataset = nc.data.load_default().limit(3000) if args.quick else nc.data.load("fashion-mnist")
    print(f"{dataset.name}: {dataset.source}")
    if args.val:
        return dataset, *dataset.split(len(dataset.x_train) // 12, seed=0)
    return dataset, (dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test)


def facts(dataset, args):
    """What the run's checkpoints remember of it."""
    return {
        "classes": list(dataset.classes), "data": dataset.name,
        "data_sha256": dataset.sha256, "command": args.command,
    }  # fmt: skip


def report(net, history, held, dataset, args):
    """Measure the network of the last epoch, print its figures.

    It goes to network.npz, they to result.json, last.
    """
    plain, flipped = nc.evaluate(net, *held), nc.evaluate(net, *held, flip=True)
    result = {
        "accuracy": plain["accuracy"], "loss": plain["loss"], "flip_accuracy": flipped["accuracy"],
        "parameters": net.summary(held[0].shape[1:]).total,
        "epochs": history.epochs, "seed": args.seed, "data": dataset.name,
        "measured_on": "held-out training images" if args.val else "test set",
        "training_seconds": sum(history["seconds"]), "quick": args.quick,
        "seconds": None if args.resume else time.perf_counter() - START,
    }  # fmt: skip
    known = out_of_distribution.fit(net, dataset.x_train)
    nc.save(
        pathlib.Path(args.out, "network.npz"),
        net,
        **facts(dataset, args),
        measured=result,
        familiarity=known,
    )
    files.write(pathlib.Path(args.out, "result.json"), json.dumps(result, indent=2).encode())
    print(
        f"{result['parameters']:,} parameters, {history.epochs} epochs, "
        f"{result['training_seconds']:.0f} s of training"
    )
    print(
        f"{result['measured_on']}: accuracy {plain['accuracy']:.2%}, "
        f"with mirror images {flipped['accuracy']:.2%}"
    )

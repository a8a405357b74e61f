"""What the recipes share: their arguments, the images, and the figures of a finished run."""

import argparse
import json
import pathlib
import sys
import time

import numpycnn as nc
from numpycnn import errors, familiar

START = time.perf_counter()


def arguments(text, out):
    """--seed, --out, --epochs, --val, --threads, --resume, --quick; `text` is the recipe's docstring."""
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default=f"runs/{out}", help=f"the run's folder (runs/{out})")
    parser.add_argument("--epochs", type=int, help="other than the recipe's")
    parser.add_argument("--val", action="store_true", help="hold 5,000 training images back, leave the test set alone")
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out")
    parser.add_argument("--quick", action="store_true", help="3,000 images and two epochs, to see that it works")
    args = parser.parse_args()
    sys.excepthook = errors.in_one_line
    args.quick, args.epochs = args.quick, 2 if args.quick else args.epochs
    nc.use(nc.backend.backend(), args.threads)
    return args


def images(args):
    """Fashion-MNIST: clothes, (x, y) to train on, (x, y) to measure on: the test set, or with --val held-out images."""
    clothes = nc.data.load_default()
    if args.quick:
        clothes = clothes.limit(3000)
    if args.val:
        return clothes, *clothes.split(len(clothes.x_train) // 12, seed=0)
    return clothes, (clothes.x_train, clothes.y_train), (clothes.x_test, clothes.y_test)


def facts(clothes, args):
    """What the run's checkpoints remember of it."""
    command = f"python examples/{pathlib.Path(sys.argv[0]).name} --seed {args.seed}"
    return {"classes": list(clothes.classes), "data": clothes.name, "data_sha256": clothes.sha256, "command": command}


def report(net, history, held, clothes, args):
    """Measure the network of the last epoch, print its figures; they go to result.json, it to network.npz."""
    plain, flipped = nc.evaluate(net, *held), nc.evaluate(net, *held, flip=True)
    result = {
        "accuracy": plain["accuracy"], "loss": plain["loss"], "flip_accuracy": flipped["accuracy"],
        "parameters": net.summary(held[0].shape[1:]).total, "epochs": history.epochs, "seed": args.seed,
        "measured_on": "held-out training images" if args.val else "test set",
        "training_seconds": sum(history["seconds"]), "seconds": time.perf_counter() - START,
    }  # fmt: skip
    pathlib.Path(args.out, "result.json").write_text(json.dumps(result, indent=2))
    known = familiar.fit(net, clothes.x_train)
    nc.save(pathlib.Path(args.out, "network.npz"), net, **facts(clothes, args), measured=result, familiarity=known)
    print(f"{result['parameters']:,} parameters, {history.epochs} epochs, {result['seconds']:.0f} s in all")
    print(f"{result['measured_on']}: accuracy {plain['accuracy']:.2%}, with mirror images {flipped['accuracy']:.2%}")

"""What the generative examples share: arguments, the run's folder, its steps, resuming, pictures as they train.

An example's own part is the loop: forward passes, losses, and the chain rule between its networks.

    args = generative.arguments(__doc__, "vae", epochs=20, batch_size=64)
    dataset = generative.dataset(args)
    run = generative.Run(args, net, optimizer, dataset, picture=lambda: images)
    for x, labels, rng in run.steps():
        ...
        run.log(loss=loss)
    run.finish(test_mse=0.01)

A step's batch and its generator depend on (seed, epoch, step) alone, and last.npz holds the networks, their
generators, the optimisers and the running sums: a resumed run has the bits of one that was never interrupted.
"""

import argparse
import csv
import io
import json
import math
import pathlib
import shlex
import sys
import time
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from .. import backend, data, files
from ..errors import CheckpointError, DatasetError, RunFolderError, TrainingDiverged, in_one_line
from ..files import claim
from ..layers.traverse import all_finite
from ..report import grids
from ..training import checkpoint
from ..training.interrupt import StopRequest
from .latent import evenly, spread, unit

SETTINGS = (
    "name",
    "epochs",
    "seed",
    "batch_size",
    "limit",
    "conditional",
    "latent",
    "beta",
    "val",
    "constants",
)
HELD = 5_000  # training images that --val holds back, a fifth where there are fewer than 25,000
NOISE = 3  # keeps a step's random numbers apart from those of data.batches
SPREAD = 0.25  # samples that differ from each other by a smaller share of what real images do have collapsed


OPTIONS = {
    "latent": {"type": int, "help": "dimensions of the code"},
    "beta": {
        "type": float,
        "help": "weight of the divergence (1); a smaller one gives sharper images",
    },
    "conditional": {
        "action": "store_true",
        "help": "the class goes in too: a class in, that garment out",
    },
    "classes": {
        "help": "numbers of the classes that are normal, with commas (default: each in turn)"
    },
}


def arguments(doc, name, epochs, batch_size, options=(), quick=(6000, 2)):
    """The command line of an example: argparse's result, with `name`, `batch_size` and `limit` (None: all images).

    `options`: which of OPTIONS it has. `quick`: how many training images and epochs --quick takes.
    """
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=doc, formatter_class=form, allow_abbrev=False)
    parser.add_argument(
        "--data", default="fashion-mnist", help="fashion-mnist (default), mnist, a folder, an .npz"
    )
    parser.add_argument("--epochs", type=int, help=f"default {epochs}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out",
        help=f"the run's folder (default: runs/{name}-DATA, with the options that were given)",
    )
    parser.add_argument(
        "--val",
        action="store_true",
        help="hold training images back, and measure on these: no test",
    )
    parser.add_argument(
        "--resume", action="store_true", help="continue the run in the folder, to the same bits"
    )
    parser.add_argument("--quick", action="store_true", help="under a minute: to see that it works")
    parser.set_defaults(latent=None, beta=None, classes=None, conditional=False)
    for option in options:
        parser.add_argument(f"--{option}", **OPTIONS[option])
    args = parser.parse_args()
    for option, least in (("epochs", 1), ("latent", 1), ("seed", 0)):
        value = getattr(args, option)
        if value is not None and value < least:
            parser.error(f"--{option} must be at least {least}, not {value}")
    if args.beta is not None and not 0 < args.beta < math.inf:
        parser.error(f"--beta must be a number above 0, not {args.beta}")
    sys.excepthook = in_one_line
    args.name, args.batch_size, args.limit = name, batch_size, quick[0] if args.quick else None
    args.command, args.run, args.constants = _command(args), _title(args), _constants()
    args.epochs = args.epochs or (quick[1] if args.quick else epochs)
    args.out = pathlib.Path(args.out or pathlib.Path("runs", args.run))
    return args


def _constants():
    """{"LEARNING_RATE": 0.0002, ...}: the script's names in capitals, as JSON has them, but for those of SETTINGS."""
    names = (
        (k, v)
        for k, v in vars(sys.modules["__main__"]).items()
        if k.isupper() and k.lower() not in SETTINGS
    )
    return json.loads(json.dumps({k: v for k, v in names if isinstance(v, int | float | tuple)}))


def _command(args):
    """What to type to get the same run, wherever it is written."""
    given = [word for word in sys.argv[1:] if word != "--resume" and not word.startswith("--out=")]
    if "--out" in given:
        at = given.index("--out")
        given = [*given[:at], *given[at + 2 :]]
    return shlex.join(["python", f"examples/{args.name}.py", *given])


def _title(args):
    """gan-fashion-mnist, or vae-mnist-conditional-latent-2-seed-1: runs that differ do not share a folder."""
    parts = [args.name, pathlib.Path(args.data).stem]
    parts += [option for option in ("conditional", "quick", "val") if getattr(args, option)]
    for option in ("latent", "beta", "epochs", "classes", "seed"):
        value = str(getattr(args, option) or "").replace(",", "-")
        parts += [f"{option}-{value}"] if value else []
    return "-".join(parts)


def dataset(args):
    """The data set of the arguments, smaller for --quick."""
    found = load(args.data, args.val)
    return found.limit(args.limit) if args.limit else found


def load(name, val=False):
    """The data set; with `val`, held-out training images in the place of the test images, to choose settings by."""
    found = data.load(name)
    if not val:
        return found
    (x, y), (x_test, y_test) = found.split(min(HELD, len(found.y_train) // 5), seed=0)
    return replace(found, x_train=x, y_train=y, x_test=x_test, y_test=y_test)


class Run:
    """A training run: its folder, its history, its steps. `net` may be several networks, `optimizer` optim.OptimizerGroup.

    picture() gives the images of the grid that is written after each epoch, its first `generated` ones drawn by
    the network: where these are all alike, the run says that it collapsed. With args.conditional the classes come
    in turn, image i of class i % K in column i % K, and it is those of one class that must not be alike.

    `turn`: how many steps an example takes until each of its networks was stepped. Raises DatasetError where an epoch
    has fewer: one of them would never learn.
    """

    def __init__(self, args, net, optimizer, dataset, picture, generated=0, turn=1):
        self.args, self.net, self.optimizer, self.dataset = args, net, optimizer, dataset
        self.picture, self.generated, self.out = picture, generated, args.out
        self.settings = {key: getattr(args, key) for key in SETTINGS} | {
            "data": dataset.name,
            "sha256": dataset.sha256,
        }
        self.history, self.epoch, self.step, self.sums, self.seconds = [], 0, 0, {}, 0.0
        self.begun, self.before = time.perf_counter(), 0.0
        self.per_epoch = -(-len(dataset.x_train) // args.batch_size)
        if self.per_epoch < turn:
            n = len(dataset.x_train)
            raise DatasetError(
                f"{n} images are {self.per_epoch} batches; {args.name} needs at least {turn} an epoch"
            )
        if generated:
            real, labels = (evenly(1000, array) for array in (dataset.x_test, dataset.y_test))
            self.real = spread(real, labels if args.conditional else None)
            if not self.real:
                raise DatasetError(f"{dataset.name}: all test images, or all of a class, are alike")
        self._restore() if args.resume else self._start()

    @property
    def progress(self):
        """The share of training that is done, in [0, 1]: what a schedule asks for."""
        return (self.epoch + self.step / self.per_epoch) / self.args.epochs

    @property
    def elapsed(self):
        """Seconds of the whole run, with what was done before it was resumed: steps, pictures, files, measurements."""
        return self.before + time.perf_counter() - self.begun

    def steps(self):
        """Yields (x float32 in [0, 1], labels, a generator for the step) to the end of the last epoch.

        Ctrl-C finishes the step and saves. Raises TrainingDiverged when a number that was logged, or a weight
        where it is to be saved, is not finite.
        """
        total, done = self.args.epochs * self.per_epoch, self.epoch * self.per_epoch + self.step
        seed, size = self.args.seed, self.args.batch_size
        with (
            StopRequest() as stop,
            tqdm(total=total, initial=done, disable=None, dynamic_ncols=True) as bar,
        ):
            while self.epoch < self.args.epochs:
                images = self.dataset.x_train, self.dataset.y_train
                for x, y in data.batches(*images, size, seed, self.epoch, None, self.step):
                    start = time.perf_counter()
                    yield unit(x), y, np.random.default_rng([seed, NOISE, self.epoch, self.step])
                    self.step += 1
                    self.seconds += time.perf_counter() - start
                    bar.set_postfix(
                        {k: f"{v / n:.4g}" for k, (v, n) in self.sums.items()}, refresh=False
                    )
                    bar.update()
                    if stop.requested:
                        self._save()
                        stop.give_up(self.out)
                self._end_epoch(bar)
                if stop.requested:
                    stop.give_up(self.out)

    def log(self, **numbers):
        """Numbers of this step; the history has their means. Raises TrainingDiverged if one is not finite."""
        for name, value in numbers.items():
            if not np.isfinite(value):
                raise TrainingDiverged(self.epoch + 1, self.step + 1, self._lr())
            total, count = self.sums.get(name, (0.0, 0))
            self.sums[name] = total + float(value), count + 1

    def finish(self, **measured):
        """What was measured at the end, printed and kept in result.json; last.npz gets the network as it is now."""
        self._save()
        if self.generated:
            measured["spread"] = self.history[-1]["spread"]
        facts = {"seconds": round(self.elapsed, 1), "threads": backend.threads()}
        facts |= {key: getattr(self.args, key) for key in ("run", "command")}
        result = {**self.settings, **measured, **facts}
        write_result(self.out, result)
        numbers = "  ".join(f"{name} {value:.5g}" for name, value in measured.items())
        print(f"{numbers}  {self.elapsed:.0f} s  {self.out}")

    def _end_epoch(self, bar):
        self._check()
        row = {
            "epoch": self.epoch + 1,
            **{name: total / count for name, (total, count) in self.sums.items()},
        }
        images = self.picture()
        if self.generated:
            row["spread"] = self._spread(images[: self.generated])
        row["seconds"] = self.seconds
        self.history.append(row)
        self.epoch, self.step, self.sums, self.seconds = self.epoch + 1, 0, {}, 0.0
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in row.items() if name != "epoch")
        bar.write(f"epoch {self.epoch}/{self.args.epochs}  {numbers}", file=sys.stderr)
        if row.get("spread", 1) < SPREAD:
            bar.write(
                f"collapsed: the samples differ by {row['spread']:.0%} of what images do",
                file=sys.stderr,
            )
        columns = len(self.dataset.classes) if self.args.conditional else grids.COLUMNS
        grids.write_png(images, self.out / f"epoch-{self.epoch:03}.png", columns)
        self._write_history()
        self._save()  # last, so that what is resumed after it has its pictures

    def _spread(self, drawn):
        """How much drawn images differ, as a share of what real ones do; of a conditional network within classes."""
        labels = (
            np.arange(len(drawn)) % len(self.dataset.classes) if self.args.conditional else None
        )
        return spread(drawn, labels) / self.real

    def _lr(self):
        return next(
            (one.lr for one in getattr(self.optimizer, "optimizers", {}).values()),
            self.optimizer.lr,
        )

    def _start(self):
        """A new run; what an older one left in the folder moves to previous-1, -2, ... in it.

        Raises RunFolderError, before anything changes, for a folder that holds something else.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        old = [path for path in self.out.iterdir() if not path.name.startswith("previous-")]
        if old and not (self.out / "last.npz").exists():
            raise RunFolderError(
                f"{self.out} is not empty, and no run's folder; choose another --out"
            )
        if old:
            place = claim(self.out, "previous")
            for path in old:
                path.replace(place / path.name)
        self._save()

    def _restore(self):
        path = self.out / "last.npz"
        if not path.exists():
            raise RunFolderError(
                f"there is no last.npz in {self.out} to resume from; train without --resume first"
            )
        state = checkpoint.read(path)[0].get("generative")
        if not isinstance(state, dict):
            raise CheckpointError(
                f"{path} was not written by a generative example, so it cannot be resumed by it"
            )
        for name, value in self.settings.items():
            if state["settings"].get(name) != value:
                raise CheckpointError(
                    f"{path} was trained with {name} {state['settings'].get(name)}, not {value}"
                )
        checkpoint.restore(path, self.net, self.optimizer)
        self.history, self.epoch, self.step, self.seconds = (
            state[k] for k in ("history", "epoch", "step", "seconds")
        )
        self.before = state["elapsed"]
        self.sums = {name: tuple(pair) for name, pair in state["sums"].items()}

    def _check(self):
        """Raise TrainingDiverged where a weight or a running statistic is not finite."""
        if not all_finite(self.net):
            raise TrainingDiverged(self.epoch + 1, self.step, self._lr(), "a weight")

    def _save(self):
        """last.npz. Raises TrainingDiverged rather than replace a good one by weights that are not finite."""
        self._check()
        state = {
            key: getattr(self, key)
            for key in ("settings", "history", "epoch", "step", "sums", "seconds", "elapsed")
        }
        facts = {
            "classes": list(self.dataset.classes),
            "data": self.dataset.name,
            "seed": self.args.seed,
        }
        checkpoint.save(self.out / "last.npz", self.net, self.optimizer, **facts, generative=state)

    def _write_history(self):
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.history[-1]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.history)
        files.write(self.out / "history.csv", text.getvalue().encode())
        grids.curves(self.history, self.out / "curves.png")


def parent(folder, keep=False):
    """Make the folder of several runs, each in one of its own; the result of an older one goes unless `keep`.

    Raises RunFolderError, before anything changes, where the folder itself is a run's, or holds something else.
    """
    parts = (
        [path for path in folder.iterdir() if path.name != "result.json"] if folder.exists() else []
    )
    if not all((path / "last.npz").exists() for path in parts):
        raise RunFolderError(f"{folder} holds something else than runs; choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    if not keep:
        (folder / "result.json").unlink(missing_ok=True)


def write_result(folder, result):
    """result.json of a run's folder."""
    files.write(folder / "result.json", json.dumps(result, indent=2).encode())

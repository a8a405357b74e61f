"""What the generative examples share: arguments, the run's folder and steps, resuming, pictures.

An example's own part is the loop: forward passes, losses, and the chain rule between its networks.

    args = generative.arguments(__doc__, "vae", epochs=20, batch_size=64, constants={"BETA1": 0.5})
    dataset = generative.dataset(args)
    run = generative.Run(args, net, optimizer, dataset, picture=lambda: images)
    for x, labels, rng in run.steps():
        ...
        run.log(loss=loss)
    run.finish(test_mse=0.01)

A step's batch and its generator depend on (seed, epoch, step) alone, and last.npz holds the
networks, their generators, the optimisers and the running sums: a resumed run has the bits of one
that was never interrupted.
"""

import argparse
import contextlib
import json
import math
import pathlib
import shlex
import sys
import time
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from .. import backend, data, files, training
from ..errors import DatasetError, RunFolderError, TrainingDiverged, in_one_line
from ..report import grids
from ..training.history import write_csv
from ..training.interrupt import StopRequest
from .latent import evenly, spread, unit

SETTINGS = ("name", "epochs", "seed", "batch_size", "limit", "conditional", "latent", "beta", "val")
SETTINGS += ("constants",)
VALIDATION = 5_000  # training images that --val sets aside, a fifth of fewer than 25,000
NOISE = 3  # keeps a step's random numbers apart from those of data.batches
COLLAPSED = 0.25  # samples that differ by less, as a share of what real images do, collapsed

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


def arguments(doc, name, epochs, batch_size, options=(), quick=(6000, 2), constants=None):
    """The command line of an example: argparse's result, with `name`, `batch_size` and `limit`.

    `options`: which of OPTIONS it has. `quick`: how many training images and epochs --quick takes;
    without it `limit` is None, all images. `constants`, {"LEARNING_RATE": 0.0002, ...}: what else
    the script fixes, in JSON's kinds or tuples; they go into result.json, and resume compares them.
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
        help="measure on validation images, cut from the training images, instead of the test set",
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
    args.command, args.run = _command(args), _run_name(args)
    args.constants = json.loads(json.dumps(constants or {}))  # as a checkpoint gives them back
    args.epochs = args.epochs or (quick[1] if args.quick else epochs)
    args.out = pathlib.Path(args.out or pathlib.Path("runs", args.run))
    return args


def _command(args):
    """What to type to get the same run, wherever it is written."""
    given = [word for word in sys.argv[1:] if word != "--resume" and not word.startswith("--out=")]
    if "--out" in given:
        at = given.index("--out")
        given = [*given[:at], *given[at + 2 :]]
    return shlex.join(["python", f"examples/{args.name}.py", *given])


def _run_name(args):
    """gan-fashion-mnist, vae-mnist-conditional-latent-2-seed-1: each run has its own folder."""
    parts = [args.name, pathlib.Path(args.data).stem]
    parts += [option for option in ("conditional", "quick", "val") if getattr(args, option)]
    for option in ("latent", "beta", "epochs", "classes", "seed"):
        value = str(getattr(args, option) or "").replace(",", "-")
        parts += [f"{option}-{value}"] if value else []
    return "-".join(parts)


def dataset(args):
    """The data set of the arguments, smaller for --quick."""
    whole = load(args.data, args.val)
    return whole.limit(args.limit) if args.limit else whole


def load(name, val=False):
    """The data set; with `val`, to choose settings by, validation images as its test images."""
    whole = data.load(name)
    if not val:
        return whole
    count = min(VALIDATION, len(whole.y_train) // 5)
    (x, y), (x_val, y_val) = whole.split(count, seed=0)
    return replace(whole, x_train=x, y_train=y, x_test=x_val, y_test=y_val)


class Run(training.run.Run):
    """The run of an example: its steps, its history, and a grid of pictures after each epoch.

    `net` may be several networks, `optimizer` an optim.OptimizerGroup. picture() gives the images
    of the grid, its first `generated` ones drawn by the network: where these are all alike, the run
    says that it collapsed. With args.conditional the classes come in turn, image i of class i % K
    in column i % K, and it is those of one class that must not be alike.

    `turn`: how many steps an example takes until each of its networks was stepped. Raises
    DatasetError where an epoch has fewer: one of them would never learn.
    """

    STATE, WRITER, RESUME = "generative", "a generative example", "--resume"
    STATE_KEYS = frozenset({"settings", "history", "epoch", "step", "sums", "seconds", "elapsed"})

    def __init__(self, args, net, optimizer, dataset, picture, generated=0, turn=1):
        settings = {key: getattr(args, key) for key in SETTINGS}
        settings |= {"data": dataset.name, "sha256": dataset.sha256}
        classes = list(dataset.classes)
        metadata = {"classes": classes, "data": dataset.name, "seed": args.seed}
        super().__init__(net, optimizer, args.out, settings, metadata)
        self.args, self.dataset = args, dataset
        self.picture, self.generated = picture, generated
        self.history, self.epoch, self.step, self.sums, self.seconds = [], 0, 0, {}, 0.0
        self.begun, self.before = time.perf_counter(), 0.0
        self.per_epoch = -(-len(dataset.x_train) // args.batch_size)
        if self.per_epoch < turn:
            n = len(dataset.x_train)
            raise DatasetError(
                f"{n} images are {self.per_epoch} batches; "
                f"{args.name} needs at least {turn} an epoch"
            )
        if generated:
            real, labels = (evenly(1000, array) for array in (dataset.x_test, dataset.y_test))
            self.real_spread = spread(real, labels if args.conditional else None)
            if not self.real_spread:
                raise DatasetError(f"{dataset.name}: all test images, or all of a class, are alike")
        self.lock = contextlib.ExitStack()  # until the run is finished, or its process ends
        self.lock.enter_context(self.locked())
        self.restore() if args.resume else self.start()

    @property
    def progress(self):
        """The share of training that is done, in [0, 1]: what a schedule asks for."""
        return (self.epoch + self.step / self.per_epoch) / self.args.epochs

    @property
    def elapsed(self):
        """Seconds of the whole run, before it was resumed too: steps, pictures, files, tests."""
        return self.before + time.perf_counter() - self.begun

    @property
    def lr(self):
        """The learning rate of the last step; of several optimisers that of the first."""
        several = getattr(self.optimizer, "optimizers", None)
        return next(iter(several.values())).lr if several else self.optimizer.lr

    def steps(self):
        """Yields (x float32 in [0, 1], labels, a generator for the step) to the last epoch's end.

        Ctrl-C finishes the step and saves. Raises TrainingDiverged when a number that was logged,
        or a weight where it is to be saved, is not finite.
        """
        total, done = self.args.epochs * self.per_epoch, self.epoch * self.per_epoch + self.step
        with (
            StopRequest() as stop,
            tqdm(total=total, initial=done, disable=None, dynamic_ncols=True) as bar,
        ):
            while self.epoch < self.args.epochs:
                yield from self._epoch(stop, bar)
                self._end_epoch(bar)
                if stop.requested:
                    stop.give_up(self.out)

    def _epoch(self, stop, bar):
        """The steps of the running epoch, from self.step on."""
        x, y = self.dataset.x_train, self.dataset.y_train
        seed = self.args.seed
        for xb, yb in data.batches(x, y, self.args.batch_size, seed, self.epoch, None, self.step):
            start = time.perf_counter()
            yield unit(xb), yb, np.random.default_rng([seed, NOISE, self.epoch, self.step])
            self.step += 1
            self.seconds += time.perf_counter() - start
            means = {name: f"{mean:.4g}" for name, mean in self._means().items()}
            bar.set_postfix(means, refresh=False)
            bar.update()
            if stop.requested:
                self.save_last()
                stop.give_up(self.out)

    def log(self, **numbers):
        """Numbers of this step, whose means go into the history. Raises TrainingDiverged."""
        for name, value in numbers.items():
            if not np.isfinite(value):
                raise TrainingDiverged(self.epoch + 1, self.step + 1, self.lr)
            total, count = self.sums.get(name, (0.0, 0))
            self.sums[name] = total + float(value), count + 1

    def _means(self):
        return {name: total / count for name, (total, count) in self.sums.items()}

    def finish(self, **measured):
        """Print what was measured, keep it in result.json, and the network as it is in last.npz."""
        self.save_last()
        if self.generated:
            measured["spread"] = self.history[-1]["spread"]
        facts = {"seconds": round(self.elapsed, 1), "threads": backend.threads()}
        facts |= {key: getattr(self.args, key) for key in ("run", "command")}
        write_result(self.out, {**self.settings, **measured, **facts})
        self.lock.close()
        numbers = "  ".join(f"{name} {value:.5g}" for name, value in measured.items())
        print(f"{numbers}  {self.elapsed:.0f} s  {self.out}")

    def _end_epoch(self, bar):
        self.check_finite()
        row = {"epoch": self.epoch + 1, **self._means()}
        images = self.picture()
        if self.generated:
            row["spread"] = self._relative_spread(images[: self.generated])
        row["seconds"] = self.seconds
        self.history.append(row)
        self.epoch, self.step, self.sums, self.seconds = self.epoch + 1, 0, {}, 0.0
        self._report(row, bar)
        columns = len(self.dataset.classes) if self.args.conditional else grids.COLUMNS
        grids.write_png(images, self.out / f"epoch-{self.epoch:03}.png", columns)
        write_csv(self.out / "history.csv", list(row), self.history)
        grids.curves(self.history, self.out / "curves.png")
        self.save_last()  # last, so that what is resumed after it has its pictures

    def _report(self, row, bar):
        """A line on standard error, and a second one where the generator collapsed."""
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in row.items() if name != "epoch")
        bar.write(f"epoch {self.epoch}/{self.args.epochs}  {numbers}", file=sys.stderr)
        if row.get("spread", 1) < COLLAPSED:
            text = f"collapsed: the samples differ by {row['spread']:.0%} of what images do"
            bar.write(text, file=sys.stderr)

    def _relative_spread(self, drawn):
        """How much drawn images differ, as a share of what real ones do.

        Within classes if given.
        """
        conditional = self.args.conditional
        labels = np.arange(len(drawn)) % len(self.dataset.classes) if conditional else None
        return spread(drawn, labels) / self.real_spread

    def state(self):
        """What last.npz holds of the run, in JSON's kinds."""
        keys = ("settings", "history", "epoch", "step", "sums", "seconds", "elapsed")
        return {key: getattr(self, key) for key in keys}

    def load_state(self, state):
        """Take such a state back."""
        self.history, self.seconds = state["history"], state["seconds"]
        self.epoch, self.step = state["epoch"], state["step"]
        self.sums = {name: tuple(pair) for name, pair in state["sums"].items()}
        self.before = state["elapsed"]

    def old_files(self):
        """What an older run left in the folder. Raises RunFolderError for anything else in it."""
        if not self.out.exists():
            return []
        inside = self.out.iterdir()
        old = [p for p in inside if not p.name.startswith("previous-") and p.name != files.LOCK]
        if old and not (self.out / "last.npz").exists():
            raise RunFolderError(
                f"{self.out} is not empty, and no run's folder; choose another --out"
            )
        return old


def parent(folder, keep=False):
    """Make the folder of several runs, each in one of its own; an old result goes unless `keep`.

    Raises RunFolderError, before anything changes, where the folder itself is a run's, or holds
    something else.
    """
    inside = folder.iterdir() if folder.exists() else ()
    parts = [path for path in inside if path.name != "result.json"]
    if not all((path / "last.npz").exists() for path in parts):
        raise RunFolderError(f"{folder} holds something else than runs; choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    if not keep:
        (folder / "result.json").unlink(missing_ok=True)


def write_result(folder, result):
    """result.json of a run's folder."""
    files.write(folder / "result.json", json.dumps(result, indent=2).encode())

"""A run: what was measured, where it stands, and the folder that holds both."""

import csv
import io
import pathlib
import warnings

import numpy as np

from .. import files
from ..errors import CheckpointError, RunFolderError, TrainingDiverged
from ..layers.traverse import all_finite, uncovered
from ..optim import EMA
from . import checkpoint

KEYS = ("loss", "accuracy", "val_loss", "val_accuracy", "lr", "seconds")
PICTURES = ("learning_curves.png", "confusion.png", "mistakes.png", "filters.png")
FILES = (
    "last.npz",
    "best.npz",
    "network.npz",
    "history.csv",
    "result.json",
    "report.html",
    *PICTURES,
)
RUNNING = (
    "step",
    "images",
    "loss_sum",
    "correct",
    "seconds",
    "best",
)  # what last.npz keeps of the running epoch


class History(dict):
    """What fit measured: lists with one value an epoch under loss, accuracy, val_loss, val_accuracy, lr, seconds.

    loss and accuracy are means over the epoch's training batches, as they were seen (augmented, with dropout);
    val_* are nan without validation data; lr is the last step's; seconds are the epoch's steps'.
    """

    def __init__(self, rows=None):
        super().__init__({key: list((rows or {}).get(key, ())) for key in KEYS})

    @property
    def epochs(self):
        """How many epochs are complete."""
        return len(self["loss"])

    def add(self, **row):
        """One more epoch."""
        for key in KEYS:
            self[key].append(float(row[key]))

    def write_csv(self, path):
        """A row an epoch, written beside and renamed, so that the file is always whole."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("epoch", *KEYS))
        writer.writerows((i + 1, *(self[key][i] for key in KEYS)) for i in range(self.epochs))
        files.write(path, text.getvalue().encode())


class Run:
    """The history, the running epoch's sums, and, unless `out` is None, last.npz, best.npz and history.csv in it."""

    def __init__(self, net, optimizer, out, settings, metadata):
        self.net, self.optimizer, self.settings, self.metadata = net, optimizer, settings, metadata
        self.averaged = isinstance(optimizer, EMA)
        self.history, self.best = History(), -np.inf
        self.out = None if out is None else pathlib.Path(out)
        self._new_epoch()

    def _new_epoch(self):
        self.step, self.images, self.loss_sum, self.correct, self.seconds = 0, 0, 0.0, 0, 0.0

    def start(self):
        """A new run. What an older one left in the folder moves to previous-1, -2, ... in it: nothing is lost."""
        if self.out is None:
            for sentence in uncovered(self.net):
                warnings.warn(sentence, stacklevel=4)
            return
        self.check_finite()
        content = self._packed(self.net)  # refuses what cannot be saved before anything is moved
        self.out.mkdir(parents=True, exist_ok=True)
        old = [self.out / name for name in FILES if (self.out / name).exists()]
        if old:
            place = files.claim(self.out, "previous")
            for path in old:
                path.replace(place / path.name)
        files.write(self.out / "last.npz", content)

    def restore(self):
        """Take up the run in the folder. Raises RunFolderError, and CheckpointError if its settings were others."""
        if not self.out:
            raise RunFolderError("resume needs out, the folder of the run to continue")
        path = self.out / "last.npz"
        if not path.exists():
            raise RunFolderError(
                f"there is no last.npz in {self.out} to resume from; train without resume first"
            )
        state = fit_state(path)
        for name, value in self.settings.items():
            stored = state["settings"].get(name, value)  # an older version may not have noted it
            if stored != value:
                raise CheckpointError(
                    f"{path} was trained with {name} {stored}, not {value}; resume with the same"
                )
        checkpoint.restore(path, self.net, self.optimizer)
        self.history = History(state["history"])
        for name in RUNNING:
            setattr(self, name, state["running"][name])
        self.history.write_csv(self.out / "history.csv")

    def end_step(self, loss, correct, images, seconds):
        """Weighted by the batch's size, so that a smaller last batch counts for what it is."""
        self.step += 1
        self.images += images
        self.loss_sum += loss * images
        self.correct += correct
        self.seconds += seconds

    def complete(self):
        """Whether there is nothing left to train."""
        return ended(self.history, self.settings["epochs"], self.settings["patience"])

    def end_epoch(self, validate=None):
        """A row of history, last.npz, and best.npz if it is. `validate(net)` gives (loss, accuracy).

        Where weights are averaged, validate and best.npz get the average, and so does the network in the end.
        """
        self.check_finite()
        shown = self.optimizer.average if self.averaged else self.net
        val_loss, val_accuracy = validate(shown) if validate else (np.nan, np.nan)
        self.history.add(
            loss=self.loss_sum / self.images, accuracy=self.correct / self.images, val_loss=val_loss,
            val_accuracy=val_accuracy, lr=self.optimizer.lr, seconds=self.seconds,
        )  # fmt: skip
        self._new_epoch()
        if self.averaged and self.complete():
            self.optimizer.copy_to(self.net)
        score = val_accuracy if validate else -self.history["loss"][-1]
        better, self.best = score > self.best, max(score, self.best)
        if self.out:
            if better:
                self._save("best.npz", shown)
            self.save_last()
            self.history.write_csv(self.out / "history.csv")

    def save_last(self):
        """last.npz: everything that resume needs. Raises TrainingDiverged rather than replace a good one."""
        if self.out:
            self.check_finite()
            self._save("last.npz", self.net)

    def check_finite(self):
        """The loss is finite one step longer than the weights: raises TrainingDiverged if these are not."""
        if not all_finite(self.net):
            raise TrainingDiverged(
                self.history.epochs + 1, self.step, self.optimizer.lr, "a weight"
            )

    def _save(self, name, net):
        files.write(self.out / name, self._packed(net))

    def _packed(self, net):
        """The bytes of a checkpoint of net."""
        running = {k: getattr(self, k) for k in RUNNING}
        state = {"settings": self.settings, "running": running, "history": self.history}
        optimizer = self.optimizer if net is self.net else None
        return checkpoint.pack(net, optimizer, **self.metadata, fit=state)


def fit_state(path):
    """settings, running and history in a checkpoint that fit wrote. Raises CheckpointError for any other."""
    metadata, _ = checkpoint.read(path)
    state = metadata.get("fit")
    if not isinstance(state, dict) or not {"settings", "running", "history"} <= state.keys():
        raise CheckpointError(f"{path} was not written by fit, so it cannot be resumed")
    return state


def ended(history, epochs, patience):
    """Whether all epochs are done, or the validation accuracy has not risen for `patience` of them."""
    seen = history["val_accuracy"]
    waited = patience is not None and seen and len(seen) - 1 - int(np.argmax(seen)) >= patience
    return len(seen) >= epochs or bool(waited)

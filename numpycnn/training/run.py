"""A run and its folder: what training has reached, saved so that it resumes to the same bits.

Run is what all runs do. FitRun is that of `fit`; generative/run.py has that of the generative
examples.
"""

import contextlib
import pathlib
import tempfile
import warnings

import numpy as np

from .. import files, moved
from ..errors import CheckpointError, RunFolderError, TrainingDiverged
from ..layers.traverse import all_finite, uncovered
from ..optim import EMA
from . import checkpoint
from .history import History, ended, why_not_epochs
from .lock import locked

PICTURES = ("learning_curves.png", "confusion.png", "mistakes.png", "filters.png")
CHECKPOINTS = ("last.npz", "best.npz", "network.npz")
FILES = (*CHECKPOINTS, "history.csv", "result.json", "report.html", *PICTURES)
YOUNGER = ("sampling", "teacher")  # settings that runs of older versions had not
RUNNING = ("step", "images", "loss_sum", "correct", "seconds")  # of the running epoch


class Run:
    """A network, its optimiser, and, unless `out` is None, a folder with last.npz and history.csv.

    `settings` is what resume compares, `metadata` what every checkpoint says beside the state. A
    subclass has the attributes `epoch` and `step` (how many are complete) and `lr`, and the methods
    state, load_state and old_files.
    """

    STATE = ""  # the name of the state in a checkpoint's metadata
    STATE_KEYS = frozenset({"settings"})  # what it holds at least
    WRITER = RESUME = ""  # for messages: who writes such a checkpoint, and how one resumes

    def __init__(self, net, optimizer, out, settings, metadata):
        self.net, self.optimizer = net, optimizer
        self.settings, self.metadata = settings, metadata
        self.out = None if out is None else pathlib.Path(out)

    def locked(self):
        """A context in which no other run may write into the folder. Raises RunFolderError."""
        return contextlib.nullcontext() if self.out is None else locked(self.out)

    def start(self):
        """Begin anew. An older run's files in the folder move to previous-1, previous-2, ... in it.

        Raises TypeError and ValueError for what cannot be saved, and RunFolderError, before any
        file is moved.
        """
        if self.out is None:  # where there is a folder, the checkpoint says it
            for sentence in uncovered(self.net):
                warnings.warn(sentence, stacklevel=3)
            return
        self.check_finite()
        content = self.packed(self.net)
        old = self.old_files()
        self.out.mkdir(parents=True, exist_ok=True)
        if old:
            previous = files.claim(self.out, "previous")
            for path in old:
                path.replace(previous / path.name)
        files.write(self.out / "last.npz", content)

    def restore(self):
        """Take up the run in the folder -> what its checkpoint holds of it.

        Raises RunFolderError, and CheckpointError if its settings were others.
        """
        if not self.out:
            raise RunFolderError("resume needs out, the folder of the run to continue")
        path = self.out / "last.npz"
        if not path.exists():
            raise RunFolderError(
                f"there is no last.npz in {self.out} to resume from; "
                f"train without {self.RESUME} first"
            )
        state = self.read_state(path)
        self.check_settings(path, state)
        checkpoint.restore(path, self.net, self.optimizer)
        self.load_state(state)

    def follow(self, ranks):
        """Take up what the first rank has restored: the others may not see its folder."""
        content = ranks.share(self.packed(self.net) if ranks.leads else None)
        if not ranks.leads:
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder, "last.npz")
                path.write_bytes(content)
                checkpoint.restore(path, self.net, self.optimizer)
                self.load_state(self.read_state(path))

    def check_settings(self, path, state):
        """Raise CheckpointError where the stored state has other settings than this run."""
        for name, value in self.settings.items():
            # an older version may not have noted it, or have had no such setting
            stored = state["settings"].get(name, None if name in YOUNGER else value)
            if stored != value:
                raise CheckpointError(
                    f"{path} was trained with {name} {stored}, not {value}; resume with the same"
                )

    @classmethod
    def read_state(cls, path):
        """The state in a checkpoint of such a run. Raises CheckpointError for any other file."""
        metadata, _ = checkpoint.read(path)
        state = metadata.get(cls.STATE)
        if not isinstance(state, dict) or not cls.STATE_KEYS <= state.keys():
            raise CheckpointError(
                f"{path} was not written by {cls.WRITER}, so it cannot be resumed"
            )
        return state

    def save_last(self):
        """last.npz: all that resume needs.

        Raises TrainingDiverged rather than replace a good one.
        """
        if self.out:
            self.check_finite()
            self.save("last.npz", self.net)

    def save(self, name, net):
        """A checkpoint of net in the folder; of the run's own network with the optimiser."""
        files.write(self.out / name, self.packed(net))

    def packed(self, net):
        """The bytes of such a checkpoint."""
        optimizer = self.optimizer if net is self.net else None
        return checkpoint.pack(net, optimizer, **self.metadata, **{self.STATE: self.state()})

    def check_finite(self):
        """Raise TrainingDiverged if a weight is not finite: the loss shows it one step later."""
        if not all_finite(self.net):
            raise TrainingDiverged(self.epoch + 1, self.step, self.lr, "a weight")


class FitRun(Run):
    """The run of `fit`: its history, the running epoch's sums, and best.npz beside last.npz."""

    STATE, WRITER, RESUME = "fit", "fit", "resume"
    STATE_KEYS = frozenset({"settings", "running", "history"})

    def __init__(self, net, optimizer, out, settings, metadata):
        super().__init__(net, optimizer, out, settings, metadata)
        self.averaged = isinstance(optimizer, EMA)
        self.history, self.first_loss = History(), None
        self._new_epoch()

    def _new_epoch(self):
        self.step, self.images, self.loss_sum, self.correct, self.seconds = 0, 0, 0.0, 0, 0.0

    @property
    def epoch(self):
        """How many epochs are complete."""
        return self.history.epochs

    @property
    def lr(self):
        """The learning rate of the last step."""
        return self.optimizer.lr

    def state(self):
        """What checkpoints hold of the run, in JSON's kinds."""
        running = {name: getattr(self, name) for name in RUNNING}
        kept = {"settings": self.settings, "running": running, "history": self.history}
        return kept | {"first_loss": self.first_loss}

    def load_state(self, state):
        """Take such a state back."""
        self.history = History(state["history"])
        self.first_loss = state.get("first_loss")  # None: an older version did not note it
        for name in RUNNING:
            setattr(self, name, state["running"][name])
        if self.out:
            self.history.write_csv(self.out / "history.csv")

    def check_settings(self, path, state):
        """The same; but the epochs may be others, where the run was on the way to them anyway."""
        asked, stored = self.settings["epochs"], state["settings"]
        if stored.get("epochs") != asked:
            reason = why_not_epochs(asked, state)
            if reason:
                raise CheckpointError(
                    f"{path} cannot go on to epochs={asked}: {reason}; begin a new run from its "
                    "weights: net = numpycnn.load(...), then fit(net, ...) with another out"
                )
            state = {**state, "settings": {**stored, "epochs": asked}}
        super().check_settings(path, state)

    def old_files(self):
        """What a run leaves in its folder, and nothing else that lies there."""
        return [self.out / name for name in FILES if (self.out / name).exists()]

    def end_step(self, loss, correct, images, seconds):
        """Weighted by the batch's size, so that a smaller last batch counts for what it is."""
        if self.epoch == self.step == 0:
            self.first_loss = loss
        self.step += 1
        self.images += images
        self.loss_sum += loss * images
        self.correct += correct
        self.seconds += seconds

    def ruined(self, loss, limit):
        """Whether a loss is above the limit, and above the loss of the first step."""
        return self.first_loss is not None and loss > max(limit, self.first_loss)

    def complete(self):
        """Whether there is nothing left to train."""
        return ended(self.history, self.settings["epochs"], self.settings["patience"])

    def end_epoch(self, validate=None):
        """Add the epoch to the history, write last.npz, and best.npz where it is the best so far
        (History.best). `validate(net)` gives (loss, accuracy).

        Where weights are averaged, the average is validated and goes into best.npz, and in the end
        into the network.
        """
        self.check_finite()
        measured = self.optimizer.average if self.averaged else self.net
        val_loss, val_accuracy = validate(measured) if validate else (np.nan, np.nan)
        self.history.add(
            loss=self.loss_sum / self.images,
            accuracy=self.correct / self.images,
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            lr=self.lr,
            seconds=self.seconds,
        )
        self._new_epoch()
        if self.averaged and self.complete():
            self.optimizer.copy_to(self.net)
        if self.out:
            if self.history.best() == self.epoch - 1:
                self.save("best.npz", measured)
            self.save_last()
            self.history.write_csv(self.out / "history.csv")


__getattr__ = moved("training.run")

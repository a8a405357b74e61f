"""fit, evaluate, predict: the loop around forward, loss, backward and step."""

import csv
import io
import pathlib
import time

import numpy as np

from . import checkpoint, npz, ops, optim
from . import schedule as schedules
from .data.batches import batches
from .errors import CheckpointError, RunFolderError, ShapeError, TrainingDiverged
from .interrupt import StopRequest
from .layers.fused import fuse
from .metrics import confusion_matrix, per_class
from .ops.loss import check_labels
from .progress import Progress, Silence

KEYS = ("loss", "accuracy", "val_loss", "val_accuracy", "lr", "seconds")


class History(dict):
    """What fit measured: lists with one value an epoch under loss, accuracy, val_loss, val_accuracy, lr, seconds.

    loss and accuracy are means over the epoch's training batches, as they were seen (augmented, with dropout);
    val_* are nan without validation data; lr is the last step's; seconds are the epoch's.
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
        npz.write(path, text.getvalue().encode())


def fit(
    net, x, y, *, epochs=10, batch_size=32, optimizer=None, lr=1e-3, schedule="constant", augment=None,
    validation=None, label_smoothing=0.0, class_weight=None, seed=0, out=None, resume=False, progress=True,
    metadata=None,
):  # fmt: skip
    """Train net on images x (N, H, W, C) and integer labels y (N,) by softmax cross-entropy -> History.

    uint8 images go as they are to the network's Standardize layer (which divides by 255); float64 is cast to
    float32. The optimiser is Adam with `lr` unless given. `schedule`: a name or function of schedule.py.
    `augment(x, rng)` changes each batch. `validation` is a pair (x, y), looked at after each epoch. `seed`
    fixes order and augmentation. `out` is the run's folder: last.npz and best.npz (best by validation accuracy,
    without validation by training loss), history.csv; `resume` continues from its last.npz to the same bits as
    a run never interrupted. `progress` writes to standard error.

    Raises ValueError (and ShapeError, TypeError) for bad data or settings before anything changes;
    TrainingDiverged when the loss stops being finite; KeyboardInterrupt after Ctrl-C or SIGTERM, when the step is
    done and last.npz saved; CheckpointError, RunFolderError about `out`.
    """
    x, y = check_data(net, x, y)
    if validation is not None:
        validation = check_data(net, *validation)
    if epochs < 1 or int(epochs) != epochs:
        raise ValueError(f"epochs must be a whole number of at least 1, not {epochs!r}")
    if batch_size < 1 or int(batch_size) != batch_size:
        raise ValueError(f"batch_size must be a whole number of at least 1, not {batch_size!r}")
    optimizer = optimizer or optim.Adam(net.params(), lr)
    settings = {"epochs": epochs, "batch_size": batch_size, "seed": seed, "lr": optimizer.lr, "images": len(x)}
    if isinstance(schedule, str):
        settings["schedule"] = schedule
    run = _Run(net, optimizer, out, settings, metadata or {})
    if resume:
        run.restore()
    factor = schedules.named(schedule)
    loss = _Loss(label_smoothing, class_weight)
    steps = -(-len(x) // batch_size)
    with StopRequest() as stop, _progress(progress, epochs, steps, run) as bar:
        for epoch in range(run.history.epochs, epochs):
            _epoch(net, loss, optimizer, batches(x, y, batch_size, seed, epoch, augment, run.step), run, stop, bar,
                   lambda step, epoch=epoch: settings["lr"] * factor((epoch * steps + step) / (epochs * steps)))
            run.end_epoch(optimizer.lr, validation and evaluate(net, *validation))
            bar.epoch(run.history)
    return run.history


def _epoch(net, loss, optimizer, pairs, run, stop, bar, lr_at):
    """The steps of one epoch, from run.step on."""
    fast, clock = fuse(net), time.perf_counter()
    for xb, yb in pairs:
        optimizer.lr = lr_at(run.step)
        optimizer.zero_grad()
        logits, cache = fast.forward(xb, train=True)
        value, dlogits = loss(logits, yb)
        if not np.isfinite(value):
            raise TrainingDiverged(run.history.epochs + 1, run.step + 1, optimizer.lr)
        fast.backward(dlogits, cache)
        optimizer.step()
        correct = int((logits.argmax(axis=1) == yb).sum())
        clock, before = time.perf_counter(), clock
        run.end_step(value, correct, len(xb), clock - before)
        bar.step(run)
        if stop.requested:
            run.save_last()
            stop.give_up(run.out)


def _progress(wanted, epochs, steps, run):
    return Progress(epochs, steps, run.history.epochs * steps + run.step) if wanted else Silence()


class _Loss:
    """softmax_cross_entropy with its settings."""

    def __init__(self, label_smoothing, class_weight):
        self.settings = {"label_smoothing": label_smoothing, "class_weight": class_weight}

    def __call__(self, logits, labels):
        return ops.softmax_cross_entropy(logits, labels, **self.settings)


class _Run:
    """Where a run stands: the history, the running epoch's sums, and the folder that holds both."""

    def __init__(self, net, optimizer, out, settings, metadata):
        self.net, self.optimizer, self.settings, self.metadata = net, optimizer, settings, metadata
        self.history, self.best, self.out = History(), -np.inf, None
        self._new_epoch()
        if out is not None:
            self.out = pathlib.Path(out)
            self.out.mkdir(parents=True, exist_ok=True)

    def _new_epoch(self):
        self.step, self.images, self.loss_sum, self.correct, self.seconds = 0, 0, 0.0, 0, 0.0

    def end_step(self, loss, correct, images, seconds):
        """Weighted by the batch's size, so that a smaller last batch counts for what it is."""
        self.step += 1
        self.images += images
        self.loss_sum += loss * images
        self.correct += correct
        self.seconds += seconds

    def end_epoch(self, lr, validation):
        """A row of history, last.npz, and best.npz if it is."""
        if not all(np.isfinite(p.value).all() for p in self.net.params()):
            raise TrainingDiverged(self.history.epochs + 1, self.step, lr)
        validation = validation or {"loss": np.nan, "accuracy": np.nan}
        self.history.add(
            loss=self.loss_sum / self.images, accuracy=self.correct / self.images, val_loss=validation["loss"],
            val_accuracy=validation["accuracy"], lr=lr, seconds=self.seconds,
        )  # fmt: skip
        self._new_epoch()
        score = validation["accuracy"] if np.isfinite(validation["accuracy"]) else -self.history["loss"][-1]
        better, self.best = score > self.best, max(score, self.best)
        if self.out:
            if better:
                self._save("best.npz")
            self.save_last()
            self.history.write_csv(self.out / "history.csv")

    def save_last(self):
        """last.npz: everything that resume needs."""
        if self.out:
            self._save("last.npz")

    def _save(self, name):
        running = {k: getattr(self, k) for k in ("step", "images", "loss_sum", "correct", "seconds", "best")}
        state = {"settings": self.settings, "running": running, "history": self.history}
        checkpoint.save(self.out / name, self.net, self.optimizer, **self.metadata, fit=state)

    def restore(self):
        """Take up the run in the folder. Raises RunFolderError, and CheckpointError if its settings were others."""
        path = self.out and self.out / "last.npz"
        if not path or not path.exists():
            raise RunFolderError(f"there is no last.npz in {self.out} to resume from; train without resume first")
        stored, _ = checkpoint.read(path)
        state = stored.get("fit", {})
        if state.get("settings") != self.settings:
            raise CheckpointError(f"{path} was trained with {state.get('settings')}, not {self.settings}; resume with the same")
        checkpoint.restore(path, self.net, self.optimizer)
        self.history = History(state["history"])
        for name, value in state["running"].items():
            setattr(self, name, value)


def check_data(net, x, y):
    """Images and labels fit for net, as (x, y). Raises ShapeError, TypeError, ValueError saying what is wrong."""
    x = np.asarray(x)
    y = np.asarray(y)
    if len(x) != len(y):
        raise ShapeError(f"there are {len(x)} images but {len(y)} labels")
    if len(x) == 0:
        raise ShapeError("there are no images to train or evaluate on")
    x = _as_input(net, x)
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        wrong = ~np.isfinite(x.reshape(len(x), -1)).all(axis=1)
        raise ValueError(f"{int((~np.isfinite(x)).sum())} values are NaN or infinite, first in image {int(wrong.argmax())}")
    return x, check_labels(y, len(y), net.infer(x[:1]).shape[-1])


def _as_input(net, x):
    """uint8 as it is; floating point in the dtype of the network's parameters."""
    x = np.asarray(x)
    if x.dtype == np.uint8:
        return x
    if x.dtype.kind != "f":
        raise TypeError(f"images must be uint8 (0..255) or floating point, not {x.dtype}")
    dtype = next((p.value.dtype for p in net.params()), np.dtype(np.float32))
    return x.astype(dtype, copy=False)


def _logits(net, x, batch_size):
    fast = fuse(net)
    x = _as_input(net, x)
    return np.concatenate([fast.infer(x[i : i + batch_size]) for i in range(0, max(len(x), 1), batch_size)])


def predict(net, x, batch_size=256):
    """Class probabilities (N, K) of images x (N, H, W, C): softmax of the logits. (0, K) for no images.

    Uses running statistics and no dropout, and changes nothing in net. Raises ShapeError, TypeError.
    """
    return ops.softmax(_logits(net, x, batch_size))[0]


def evaluate(net, x, y, batch_size=256):
    """{"loss", "accuracy", "per_class", "confusion"} of net on images x and labels y (N,).

    loss is the mean softmax cross-entropy in nats; per_class and confusion (rows true, columns predicted) as in
    metrics.py. Raises ShapeError, TypeError, ValueError as fit does.
    """
    x, y = check_data(net, x, y)
    logits = _logits(net, x, batch_size)
    loss, _ = ops.softmax_cross_entropy(logits, y)
    confusion = confusion_matrix(y, logits.argmax(axis=1), logits.shape[1])
    accuracy = float(np.trace(confusion) / len(y))
    return {"loss": loss, "accuracy": accuracy, "per_class": per_class(confusion), "confusion": confusion}

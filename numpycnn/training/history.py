"""What fit measured, epoch by epoch; when training has ended, and whether it can go on."""

import csv
import io

import numpy as np

from .. import files
from ..tables import aligned, as_html

KEYS = ("loss", "accuracy", "val_loss", "val_accuracy", "lr", "seconds")


class History(dict):
    """What fit measured: lists with one value an epoch.

    Keys: loss, accuracy, val_loss, val_accuracy, lr, seconds. loss and accuracy are means over the
    epoch's training batches, as the network was given them (augmented, with dropout); val_* are nan
    without validation data; lr is the last step's; seconds are the epoch's steps'.
    """

    def __init__(self, rows=None):
        super().__init__({key: list((rows or {}).get(key, ())) for key in KEYS})

    @property
    def epochs(self):
        """How many epochs are complete."""
        return len(self["loss"])

    def best(self):
        """The index of the best epoch: the highest validation accuracy, of equals the lowest
        validation loss; without validation the lowest training loss.
        """
        validated = np.isfinite(self["val_accuracy"]).all()
        keys = ("val_accuracy", "val_loss") if validated else ("loss",)
        signs = {"val_accuracy": -1}

        def order(i):
            return [signs.get(key, 1) * self[key][i] for key in keys]

        return min(range(self.epochs), key=order)

    def plot(self, path=None):
        """The learning curves: the path, or without one the Figure."""
        from ..report import plots  # matplotlib takes half a second to import

        return plots.learning_curves(self, path)

    def __str__(self):
        return "\n".join(aligned(self._table()))

    def _repr_html_(self):
        return as_html(self._table())

    def _table(self):
        rows = [
            [str(i + 1), *(f"{self[key][i]:.4f}".replace("nan", "-") for key in KEYS[:4])]
            + [f"{self['lr'][i]:.2g}", f"{self['seconds'][i]:.1f}"]
            for i in range(self.epochs)
        ]
        return [("epoch", *KEYS), *rows]

    def add(self, **row):
        """One more epoch."""
        for key in KEYS:
            self[key].append(float(row[key]))

    def write_csv(self, path):
        """A row an epoch."""
        rows = ({"epoch": i + 1, **{k: self[k][i] for k in KEYS}} for i in range(self.epochs))
        write_csv(path, ("epoch", *KEYS), rows)


def write_csv(path, names, rows):
    """Dicts of these names as a .csv with a head, written beside and renamed: always whole."""
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write(path, text.getvalue().encode("utf-8", "backslashreplace"))


def ended(history, epochs, patience):
    """Whether all epochs are done, or validation accuracy has not risen for `patience` of them."""
    accuracies = history["val_accuracy"]
    if len(accuracies) >= epochs:
        return True
    if patience is None or not accuracies:
        return False
    return len(accuracies) - 1 - int(np.argmax(accuracies)) >= patience


def why_not_epochs(asked, state):
    """Why a run, by its stored state, cannot go on to so many epochs in all; None where it can."""
    settings, history = state["settings"], History(state["history"])
    planned, patience = settings["epochs"], settings.get("patience")
    length = f"{planned} epoch{'s' if planned > 1 else ''}"
    if asked < history.epochs + (state["running"]["step"] > 0):
        return (
            f"it has trained {history.epochs} epochs and {state['running']['step']} steps already"
        )
    if len(set(settings.get("schedule from 0 to 1", ()))) > 1:
        return (
            f"its schedule {settings.get('schedule')} was laid out for {length}, and has "
            "other learning rates for more or fewer"
        )
    if isinstance(settings.get("augment"), list) and _is_phased(settings["augment"]):
        return f"the phases of its augmentation were laid out for {length}"
    if history.epochs < planned and ended(history, planned, patience):
        return f"validation accuracy did not rise for patience={patience} epochs, which ended it"
    if history.epochs == planned and settings.get("ema") is not None:
        return "at its end the averaged weights took the place of those that were trained"
    return None


def _is_phased(augment):
    """Whether stored names are those of phases, [[share, names], ...], not of composed steps."""
    return len(augment) > 1 and all(
        isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], (int, float))
        for pair in augment
    )

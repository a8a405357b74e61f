"""How far training is: a tqdm bar on a terminal and in a notebook, one line an epoch elsewhere.

To standard error; in a notebook, which shows that in red, to standard output.
"""

import importlib.util
import sys

from .. import moved


class Progress:
    """A bar over all steps of all epochs: loss, accuracy, images a second and the time left."""

    def __init__(self, epochs, steps, done):
        self.epochs = epochs
        notebook = "ipykernel" in sys.modules
        self.file = sys.stdout if notebook else sys.stderr
        self.plain = not notebook and not sys.stderr.isatty()
        self.bar = _bar(notebook)(
            total=epochs * steps, initial=done,
            desc=f"epoch {min(done // steps + 1, epochs)}/{epochs}",
            # fits into 80 columns
            bar_format="{desc} |{bar}| {n_fmt}/{total_fmt}, {remaining} left{postfix}",
            dynamic_ncols=True, leave=False, disable=self.plain, file=self.file,
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bar.close()

    def step(self, run):
        """One training step is done."""
        if self.plain:
            return
        self.bar.set_description_str(f"epoch {run.history.epochs + 1}/{self.epochs}", refresh=False)
        self.bar.set_postfix_str(
            f"loss {run.loss_sum / run.images:.3f}, accuracy {run.correct / run.images:.1%}, "
            f"{run.images / max(run.seconds, 1e-9):.0f} images/s",
            refresh=False,
        )
        self.bar.update()

    def epoch(self, history):
        """One epoch is done: a line that stays."""
        text = f"epoch {history.epochs:>{len(str(self.epochs))}}/{self.epochs}"
        text += f"  loss {history['loss'][-1]:.4f}  accuracy {history['accuracy'][-1]:.2%}"
        if history["val_accuracy"][-1] == history["val_accuracy"][-1]:
            text += f"  val_loss {history['val_loss'][-1]:.4f}"
            text += f"  val_accuracy {history['val_accuracy'][-1]:.2%}"
        self.bar.write(f"{text}  {history['seconds'][-1]:.1f} s", file=self.file)


def _bar(notebook):
    """tqdm's bar; in a notebook its widget, where ipywidgets are installed to draw it."""
    if notebook and importlib.util.find_spec("ipywidgets"):
        from tqdm.notebook import tqdm
    else:
        from tqdm import tqdm
    return tqdm


class Silence:
    """No progress at all, with the same methods."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def step(self, run):
        """Says nothing."""

    def epoch(self, history):
        """Says nothing."""


__getattr__ = moved("training.progress")

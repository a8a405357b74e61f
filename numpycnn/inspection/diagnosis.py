"""What is wrong with a network, in plain language, from its statistics and its history."""

from dataclasses import dataclass

import numpy as np

# A sound network has units that are never active: 6 % of AlexNet's dense ones before training, 23 % after two epochs on
# 4,000 images of Fashion-MNIST. CS231n warns of "as much as 40 %", where the learning rate was too high.
DEAD = 0.4
# The gradient at the first layer's input over that at the last's, each the norm over one image. Glorot & Bengio 2010
# want it near 1 (their figure 7); a thousand to either side, and plain SGD moves the ends of the network a thousand
# times apart.
VANISHING, EXPLODING = 1e-3, 1e3
# exp(88.7) is float32's largest number: from there on the softmax answers 0 or 1, whatever the image.
LOGITS = 88.0
# CS231n's rule of thumb for ||dw|| / ||w|| is 1e-3. Networks that train well stray from it by ten (a step of Muon
# turns the weights by 0.03), so a hundred to either side is called wrong.
USUAL, TOO_FAST, TOO_SLOW = 1e-3, 1e-1, 1e-5
# A network that is right on so many training images has little left to learn: there, small steps are as it should be.
LEARNT = 0.9
# Over-fitting is a gap between training and test error that is too large (Goodfellow et al. 2016, 5.2). Too large:
# the held-out loss a tenth above its least while the training loss still fell, or ten points of accuracy.
RISE, GAP = 1.1, 0.1


@dataclass
class Finding:
    """kind: dead, vanishing, exploding, too fast, too slow or over-fitting; where: a layer's path, or "" for all."""

    kind: str
    where: str
    text: str

    def __str__(self):
        return f"{self.kind}: {self.text}"


def diagnose(examined, history=None, held_out=None):
    """What is wrong, as a list of Findings, causes before what follows from them; empty when nothing is.

    examined: from `examine`; history: fit's dict of lists, with val_loss; held_out: (accuracy, number of images) on
    images that were not trained on.
    """
    found = _exploding(examined) or [*_dead(examined), *_vanishing(examined)]
    if not any(
        one.kind in ("vanishing", "exploding") for one in found
    ):  # else the ratio says nothing by itself
        found += _speed(examined, dead=bool(found))
    return found + _over_fitting(examined, history or {}, held_out)


def _dead(examined):
    found = []
    for row in examined.layers:
        if row.dead and row.dead >= DEAD * row.units:
            text = (
                f"{row.dead} of {row.units} units of {row.path} {row.kind} were never active in {examined.images:,} "
                "images: they give 0 and learn nothing. Try a smaller learning rate, He initialisation, or LeakyReLU"
            )
            found.append(Finding("dead", row.path, text))
    return found


def _ends(examined):
    """The gradient's size at the inputs of the first and the last layer with weights, and these layers."""
    rows = [row for row in examined.layers if row.signal is not None]
    return (rows[0], rows[-1]) if len(rows) > 1 else (None, None)


def _vanishing(examined):
    first, last = _ends(examined)
    blocked = any(
        row.dead is not None and row.dead == row.units for row in examined.layers
    )  # "dead" says it already
    if first is None or blocked or examined.loss == 0:  # with loss 0 nothing is left to learn
        return []
    if not (first.signal < VANISHING * last.signal or last.signal == 0):
        return []
    text = (
        f"the gradient is {first.signal:.1e} at {first.path} {first.kind} and {last.signal:.1e} at {last.path} "
        f"{last.kind}: the first layers learn next to nothing. Try He initialisation, batch norm, or ReLU instead of "
        "sigmoid"
    )
    return [Finding("vanishing", first.path, text)]


def _exploding(examined):
    values = [(r, r.activation.deviation) for r in examined.layers] + [
        (r, r.signal or 0.0) for r in examined.layers
    ]
    wrong = next((row for row, value in values if not np.isfinite(value)), None)
    advice = "Try a smaller learning rate, He initialisation, batch norm, or clipping (fit's clip)"
    if wrong is not None:
        text = f"{wrong.path} {wrong.kind} gives numbers that are not finite. {advice}"
        return [Finding("exploding", wrong.path, text)]
    first, last = _ends(examined)
    if first is not None and first.signal > EXPLODING * last.signal:
        text = (
            f"the gradient grows from {last.signal:.1e} at {last.path} {last.kind} to {first.signal:.1e} at "
            f"{first.path} {first.kind}. {advice}"
        )
        return [Finding("exploding", first.path, text)]
    out = examined.layers[-1]
    if out.activation.deviation > LOGITS:
        text = (
            f"the logits have a deviation of {out.activation.deviation:.1e}: softmax answers 0 or 1, whatever the "
            f"image. {advice}"
        )
        return [Finding("exploding", out.path, text)]
    return []


def _speed(examined, dead):
    seen = [
        row.update for row in examined.layers if row.update is not None and np.isfinite(row.update)
    ]
    ratio = float(np.median(seen)) if seen else None
    if ratio is None or TOO_SLOW <= ratio <= TOO_FAST:
        return []
    said = f"one step at lr {examined.lr:g} changes the weights by {ratio:.1e} of their size"
    if ratio > TOO_FAST:
        return [
            Finding(
                "too fast",
                "",
                f"{said}; about {USUAL:.0e} is usual. Try lr {_nearer(examined.lr, ratio)}",
            )
        ]
    if dead or examined.accuracy >= LEARNT:
        return []
    text = f"{said}; about {USUAL:.0e} is usual, and {examined.accuracy:.1%} of the training images are right so far. "
    more = f"Try lr {_nearer(examined.lr, ratio)}" if ratio else "Try a larger lr"
    return [Finding("too slow", "", text + more)]


def _nearer(lr, ratio):
    """The learning rate at which the ratio would be usual, if all else stayed as it is."""
    return f"{lr * USUAL / ratio:.0e}"


def _over_fitting(examined, history, held_out):
    advice = (
        "Try augmentation, dropout, weight decay, more images, or to stop earlier (fit's patience)"
    )
    curves = [
        np.array([np.nan if v is None else v for v in history.get(key, ())], float)
        for key in ("loss", "val_loss")
    ]
    loss, val = curves
    if len(val) > 1 and len(val) == len(loss) and np.isfinite(val).all():
        best = int(val.argmin())
        if val[-1] > RISE * val[best] and loss[-1] < loss[best]:
            text = (
                f"since epoch {best + 1} the validation loss rose from {val[best]:.3f} to {val[-1]:.3f} while the "
                f"training loss fell from {loss[best]:.3f} to {loss[-1]:.3f}: it learns the images by heart. {advice}"
            )
            return [Finding("over-fitting", "", text)]
    if held_out is None:
        return []
    accuracy, count = held_out
    counted = [
        ((p * n + 1) / (n + 2), n)
        for p, n in ((accuracy, count), (examined.accuracy, examined.images))
    ]
    errors = [
        p * (1 - p) / n for p, n in counted
    ]  # Laplace's p: one image right of one is no certainty
    chance = 2 * np.sqrt(
        sum(errors)
    )  # two standard errors of the difference: what so few images may be off by
    if examined.accuracy - accuracy <= GAP + chance:
        return []
    text = (
        f"{examined.accuracy:.1%} of {examined.images:,} training images are right, but {accuracy:.1%} of {count:,} "
        f"others. {advice}"
    )
    return [Finding("over-fitting", "", text)]

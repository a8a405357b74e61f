"""What is wrong with a network, in plain language, from its statistics and its history."""

import numpy as np

from .. import moved
from . import learning
from .finding import Diagnosis, Finding

# A sound network has units that are never active: 6 % of AlexNet's dense ones before training, 23 %
# after two epochs on 4,000 images of Fashion-MNIST. CS231n warns of "as much as 40 %", where the
# learning rate was too high.
DEAD = 0.4
# The gradient at the first layer's input over that at the last's, each the norm over one image.
# Glorot & Bengio 2010 want it near 1 (their figure 7). At a thousand, plain SGD moves one end of
# the network a thousand times faster than the other.
VANISHING, EXPLODING = 1e-3, 1e3
# exp(88.7) is float32's largest number: from there on the softmax gives 0 or 1 for any image.
LOGITS = 88.0
# CS231n's rule of thumb for ||dw|| / ||w|| is 1e-3. Networks that train well are off by a factor of
# ten (a step of Muon turns the weights by 0.03), so only a factor of a hundred is called wrong.
USUAL, TOO_FAST, TOO_SLOW = 1e-3, 1e-1, 1e-5


def diagnose(examined, history=None, held_out=None, confusion=None, names=None):
    """What is wrong, as a Diagnosis: Findings, causes before their effects; empty if nothing is.

    examined: from `examine`; history: fit's dict of lists, with val_loss; held_out: (accuracy,
    number of images) on images that were not trained on; confusion: their confusion matrix (K, K),
    rows true; names: of the K classes.
    """
    history = history or {}
    findings = _exploding(examined) or [*_dead(examined), *_vanishing(examined)]
    kinds = {finding.kind for finding in findings}
    # Where the gradient vanishes or explodes, the update ratio follows from that.
    if not kinds & {"vanishing", "exploding"}:
        findings += _speed(examined, dead=bool(findings))
    if history or held_out:  # else it may be a network before training
        findings += learning.under_fitting(examined, history)
    findings += learning.over_fitting(examined, history, held_out)
    findings += [] if confusion is None else learning.missed_classes(confusion, names)
    return Diagnosis(findings)


def _dead(examined):
    findings = []
    for row in examined.layers:
        if row.dead and row.dead >= DEAD * row.units:
            text = (
                f"{row.dead} of {row.units} units of {row.path} {row.kind} were never active in "
                f"{examined.images:,} images: they give 0 and learn nothing. Try a smaller "
                "learning rate, He initialisation, or LeakyReLU"
            )
            findings.append(Finding("dead", row.path, text))
    return findings


def _ends(examined):
    """The rows of the first and the last layer with weights; None, None where there is one."""
    rows = [row for row in examined.layers if row.signal is not None]
    return (rows[0], rows[-1]) if len(rows) > 1 else (None, None)


def _vanishing(examined):
    first, last = _ends(examined)
    # A layer without a living unit lets no gradient through: "dead" tells that already.
    blocked = any(row.dead is not None and row.dead == row.units for row in examined.layers)
    if first is None or blocked or examined.loss == 0:  # with loss 0 nothing is left to learn
        return []
    if not (first.signal < VANISHING * last.signal or last.signal == 0):
        return []
    text = (
        f"the gradient is {first.signal:.1e} at {first.path} {first.kind} and {last.signal:.1e} at "
        f"{last.path} {last.kind}: the first layers learn next to nothing. Try He initialisation, "
        "batch norm, or ReLU instead of sigmoid"
    )
    return [Finding("vanishing", first.path, text)]


def _exploding(examined):
    activations = [(row, row.activation.deviation) for row in examined.layers]
    gradients = [(row, row.signal or 0.0) for row in examined.layers]
    values = activations + gradients
    wrong = next((row for row, value in values if not np.isfinite(value)), None)
    advice = (
        "Try a smaller learning rate, He initialisation, batch norm, or gradient clipping "
        "(fit's clip)"
    )
    if wrong is not None:
        text = f"{wrong.path} {wrong.kind} gives numbers that are not finite. {advice}"
        return [Finding("exploding", wrong.path, text)]
    first, last = _ends(examined)
    if first is not None and first.signal > EXPLODING * last.signal:
        text = (
            f"the gradient grows from {last.signal:.1e} at {last.path} {last.kind} to "
            f"{first.signal:.1e} at {first.path} {first.kind}. {advice}"
        )
        return [Finding("exploding", first.path, text)]
    out = examined.layers[-1]
    if out.activation.deviation > LOGITS:
        text = (
            f"the logits have a standard deviation of {out.activation.deviation:.1e}: softmax "
            f"gives 0 or 1 for any image. {advice}"
        )
        return [Finding("exploding", out.path, text)]
    return []


def _speed(examined, dead):
    updates = [row.update for row in examined.layers if row.update is not None]
    updates = [update for update in updates if np.isfinite(update)]
    ratio = float(np.median(updates)) if updates else None
    if ratio is None or TOO_SLOW <= ratio <= TOO_FAST:
        return []
    measured = (
        f"one step at lr {examined.lr:g} changes the weights by {ratio:.1e} of their size; "
        f"about {USUAL:.0e} is usual"
    )
    if ratio > TOO_FAST:
        text = f"{measured}. Try lr {_nearer(examined.lr, ratio)}"
        return [Finding("too fast", "", text)]
    if dead or examined.accuracy >= learning.LEARNT:
        return []
    advice = f"Try lr {_nearer(examined.lr, ratio)}" if ratio else "Try a larger lr"
    text = f"{measured}, and the training accuracy is only {examined.accuracy:.1%} so far. {advice}"
    return [Finding("too slow", "", text)]


def _nearer(lr, ratio):
    """The learning rate at which the ratio would be usual, if all else stayed as it is."""
    return f"{lr * USUAL / ratio:.0e}"


__getattr__ = moved("inspection.diagnosis")

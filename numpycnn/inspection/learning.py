"""What accuracies and losses tell: under-fitting, over-fitting, classes that are missed."""

import numpy as np

from .finding import Finding

# Where the training accuracy is this high little is left to learn, and small steps are right.
LEARNT = 0.9
# Under-fitting is a training error that is not low (Goodfellow et al. 2016, 5.2): fewer training
# images correct than this; or fewer than LEARNT while the last epoch still took a tenth off the
# loss.
UNDER, STILL = 0.7, 0.9
# Over-fitting is too large a gap between training and test error (the same): a validation loss a
# tenth above its least while the training loss still fell, or ten points of accuracy.
RISE, GAP = 1.1, 0.1
# A class is missed if it is never predicted, or its recall is below half of the median recall.
MISSED = 0.5
MOST = 5  # classes that are named


def under_fitting(examined, history):
    """The finding, or none: too few of the training images are correct."""
    falling = _falling(history)
    if examined.accuracy >= (LEARNT if falling else UNDER):
        return []
    classes = examined.layers[-1].shape[-1]
    text = (
        f"only {examined.accuracy:.1%} of {examined.images:,} training images are correct "
        f"(guessing: {1 / classes:.0%}). "
    )
    if falling:
        text += "The training loss was still falling in the last epoch: train longer"
    else:
        text += "Try more epochs, another learning rate, a larger network, or less dropout"
    return [Finding("under-fitting", "", text)]


def _falling(history):
    loss = _curve(history.get("loss", ()))
    return len(loss) > 1 and bool(loss[-1] < STILL * loss[-2])


def over_fitting(examined, history, held_out):
    """The finding, or none: the network does better on its training images than on others."""
    advice = (
        "Try augmentation, dropout, weight decay, more images, or to stop earlier (fit's patience)"
    )
    loss = _curve(history.get("loss", ()))
    val = _curve(history.get("val_loss", ()))
    if len(val) > 1 and len(val) == len(loss) and np.isfinite(val).all():
        best = int(val.argmin())
        if val[-1] > RISE * val[best] and loss[-1] < loss[best]:
            text = (
                f"since epoch {best + 1} the validation loss rose from {val[best]:.3f} to "
                f"{val[-1]:.3f} while the training loss fell from {loss[best]:.3f} to "
                f"{loss[-1]:.3f}: the network memorises the training images. {advice}"
            )
            return [Finding("over-fitting", "", text)]
    if held_out is None:
        return []
    accuracy, count = held_out
    variance = _variance(accuracy, count) + _variance(examined.accuracy, examined.images)
    chance = 2 * np.sqrt(variance)  # two standard errors of the difference of the accuracies
    if examined.accuracy - accuracy <= GAP + chance:
        return []
    text = (
        f"{examined.accuracy:.1%} of {examined.images:,} training images are correct, but "
        f"{accuracy:.1%} of {count:,} others. {advice}"
    )
    return [Finding("over-fitting", "", text)]


def _curve(values):
    return np.array([np.nan if value is None else value for value in values], float)


def _variance(accuracy, n):
    """p (1 - p) / n of an accuracy over n images, with Laplace's p: 1 of 1 is no certainty."""
    p = (accuracy * n + 1) / (n + 2)
    return p * (1 - p) / n


def missed_classes(confusion, names=None):
    """The finding, or none, on classes that the network does not recognise.

    confusion (K, K): rows true, columns predicted; names: K of them.
    """
    support, predicted = confusion.sum(axis=1), confusion.sum(axis=0)  # (K,), (K,)
    present = np.flatnonzero(support)
    if len(present) < 2:
        return []
    right = np.diag(confusion)
    recall = right[present] / support[present]
    error = np.array(
        [np.sqrt(_variance(r, n)) for r, n in zip(recall, support[present], strict=True)]
    )
    low = recall + 2 * error < MISSED * np.median(recall)
    missed = present[low | (predicted[present] == 0)]
    if not len(missed):
        return []
    names = range(len(confusion)) if names is None else names
    parts = [_missed(confusion, k, names) for k in missed[:MOST]]
    more = f"; and {len(missed) - MOST} more classes" if len(missed) > MOST else ""
    text = (
        f"{'; '.join(parts)}{more}. Look at their images and labels; try class weights or balanced "
        "sampling (fit's class_weight), more images of them, or more epochs"
    )
    return [Finding("missed class", "", text)]


def _missed(confusion, k, names):
    wrong = confusion[k].copy()
    wrong[k] = 0
    taken = (
        f", most often taken for {names[wrong.argmax()]} ({wrong.max():,})" if wrong.any() else ""
    )
    never = " (it is never predicted)" if not confusion[:, k].any() else ""
    return f"{names[k]}: {confusion[k, k]:,} of {confusion[k].sum():,} are recognised{never}{taken}"

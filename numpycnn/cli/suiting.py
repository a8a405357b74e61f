"""What suits a data set, where the person leaves it open: augmentation, length, validation images,
and what is said of too few images.
"""

import numpy as np

from ..data.official import OFFICIAL

STEPS = 800  # at least, an epoch of 100 images is no length; but in no more than LONGEST epochs
LONGEST = 100
BATCHES = 8  # in an epoch at least, where half a batch has no fewer than SMALLEST images
SMALLEST = 8
HELD = 5  # validation images of a class, where there are enough
FEW = 50  # training images of a class
UNEQUAL = 5  # times the images of the rarest class
MIRRORED = "fashion-mnist", "cifar10", "synthetic"  # a mirror image is of the same class


def known(dataset):
    """Whether it is a data set known by name, whose nature is known too."""
    return dataset.name in (*OFFICIAL, "synthetic")


def augmentation(dataset):
    """-> the steps that suit, and why, in words.

    A digit's mirror image is no digit, a photograph's shows the same thing. What is grey may be
    writing, so it is not mirrored.
    """
    if known(dataset):
        if dataset.name in MIRRORED:
            return "flip,crop", f"{dataset.name}'s mirror images are of the same class"
        return "crop", f"a mirror image is no {dataset.name}"
    if dataset.x_train.shape[3] == 3:
        return "flip,crop", (
            "colour pictures are taken for photographs, whose mirror image is of the same class; "
            "for signs, letters or hands: --augment crop"
        )
    return "crop", (
        "grey pictures may be writing, whose mirror image is another; where it is of the same "
        "class: --augment flip,crop"
    )


def length(recipe, images, given=()):
    """The recipe's epochs, batch size and patience for so many images: at least STEPS steps.

    recipe: {"epochs", "batch_size", perhaps "patience"}; given: the names that are not changed.
    """
    images = max(images, 1)  # what is impossible is refused later
    epochs, batch, patience = (recipe.get(key) for key in ("epochs", "batch_size", "patience"))
    if "batch_size" not in given:
        while images < BATCHES * batch and batch >= 2 * SMALLEST:
            batch //= 2
    if "epochs" not in given:
        longer = max(epochs, min(LONGEST, -(-STEPS // -(-images // batch))))
        if patience and "patience" not in given:
            patience = -(-patience * longer // epochs)
        epochs = longer
    found = {"epochs": epochs, "batch_size": batch}
    return found if patience is None else {**found, "patience": patience}


def validation(labels):
    """How many of the training images to hold back: a twelfth, or HELD a class where these are no
    more than a fifth.
    """
    images, classes = len(labels), len(np.unique(labels))
    return max(images // 12, min(HELD * classes, images // 5))


def few(labels, classes):
    """A sentence on classes with fewer than FEW training images, or None."""
    counts = np.bincount(labels, minlength=len(classes))
    small = [k for k in np.argsort(counts, kind="stable") if 0 < counts[k] < FEW]
    if not small:
        return None
    names = ", ".join(f"{classes[k]} {counts[k]}" for k in small[:3])
    more = f" and {len(small) - 3} more" if len(small) > 3 else ""
    return (
        f"few training images for {len(small)} of {len(classes)} classes ({names}{more}); below "
        f"{FEW} a class accuracy is a matter of luck: add images"
    )


def unequal(labels, classes):
    """A sentence where the largest class has UNEQUAL times the images of the rarest, or None."""
    counts = np.bincount(labels, minlength=len(classes))
    present = np.flatnonzero(counts)
    least, most = present[counts[present].argmin()], counts.argmax()
    if counts[most] < UNEQUAL * counts[least]:
        return None
    return (
        f"classes of unequal size, {classes[most]} {counts[most]:,} and {classes[least]} "
        f"{counts[least]:,} images: the network will rather answer {classes[most]}; --sampling "
        "balanced draws each class equally often"
    )


def one_class(predicted, labels, classes):
    """A sentence where one class is the answer for every image, though there are more; or None."""
    answers = np.unique(predicted)
    if len(answers) > 1 or len(np.unique(labels)) == 1:
        return None
    return (
        f"the network answers {classes[answers[0]]} for all {len(labels):,} test images, so it has "
        "learnt nothing: try more images of the other classes, --sampling balanced, a lower --lr, "
        "or more --epochs"
    )

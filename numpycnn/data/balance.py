"""What to do about classes of unequal size: make them unequal, weigh them, or draw the rare ones
more often.
"""

import numpy as np


def thin(labels, label, share, seed):
    """Sorted indices of labels (N,) that leave the given share of one class, at least one of it,
    and all others.

    Raises ValueError for a share outside (0, 1] and for a class that is not there.
    """
    members = np.flatnonzero(labels == label)
    if not 0 < share <= 1:
        raise ValueError(f"thin: the share is {share!r}; expected more than 0, at most 1")
    if not len(members):
        raise ValueError(f"thin: no label is {label!r}")
    kept = np.random.default_rng(seed).permutation(members)[: max(1, round(share * len(members)))]
    return np.sort(np.concatenate([np.flatnonzero(labels != label), kept]))


def class_weights(labels, classes):
    """v_k = N / (K n_k), so that sum_k v_k n_k = N and each class has the same part in it: (K,)
    float64.

    K counts the classes that occur; one that does not has the weight 0. Source: King & Zeng 2001;
    scikit-learn's class_weight="balanced".
    """
    counts = np.bincount(labels, minlength=classes)
    return np.divide(
        len(labels), (counts > 0).sum() * counts, out=np.zeros(len(counts)), where=counts > 0
    )


def oversample(labels, seed):
    """Sorted indices in which every class is as frequent as the largest: all images, and repeats of
    rarer classes.

    A class of n images is repeated whole as often as fits; the rest are drawn without replacement.
    """
    rng, counts = np.random.default_rng(seed), np.bincount(labels)
    most, chosen = counts.max(), []
    for label in np.flatnonzero(counts):
        members = np.flatnonzero(labels == label)
        whole, rest = divmod(most, len(members))
        chosen += [np.repeat(members, whole), rng.permutation(members)[:rest]]
    return np.sort(np.concatenate(chosen))


def draw(labels, rng):
    """N indices of labels (N,), in random order, in which each class that occurs is as frequent as
    the others, to one.

    A class of n images is repeated whole as often as fits; the rest are drawn without replacement.
    """
    present = np.unique(labels)
    least, more = divmod(len(labels), len(present))
    chosen = []
    for place, label in enumerate(rng.permutation(present)):  # who gets one more changes
        members = np.flatnonzero(labels == label)
        whole, rest = divmod(least + (place < more), len(members))
        chosen += [np.tile(members, whole), rng.permutation(members)[:rest]]
    return rng.permutation(np.concatenate(chosen))

"""Cuts a training set into shuffled, augmented batches whose bits depend on (seed, epoch, step)
alone. Of images in a file (rows.py) one batch is read ahead.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .balance import draw
from .rows import in_file

SHUFFLE, AUGMENT = 1, 2  # keep the two streams of random numbers apart


def batches(x, y, batch_size, seed=None, epoch=0, augment=None, start=0, sampling=None):
    """Yields (x[i], y[i]) for the ceil(N / batch_size) index sets i of one epoch; the last may be
    smaller.

    seed None: in order, not shuffled (augmenting needs a seed). Otherwise the order comes from the
    generator [seed, SHUFFLE, epoch], and augment(xb, rng) of step s gets [seed, AUGMENT, epoch, s]:
    an epoch resumed at step `start` sees the same bits. sampling "balanced": N images in which each
    class is equally frequent (balance.draw), from the same generator. Raises ValueError, at once,
    for impossible arguments.
    """
    n = len(x)
    if n == 0 or n != len(y):
        raise ValueError(
            f"batches: {n} images and {len(y)} labels; expected equal numbers, at least one"
        )
    if int(batch_size) != batch_size or batch_size < 1:
        raise ValueError(
            f"batches: batch_size is {batch_size}; expected a whole number of at least 1"
        )
    steps = -(-n // int(batch_size))
    if not 0 <= start <= steps:
        raise ValueError(
            f"batches: start is {start}; expected 0 to {steps}, the number of steps in an epoch"
        )
    if augment is not None and seed is None:
        raise ValueError("batches: augment needs a seed")
    if sampling is not None and (sampling != "balanced" or seed is None):
        raise ValueError(f"batches: sampling {sampling!r}; expected None, or 'balanced' and a seed")
    order = None
    if seed is not None:
        rng = np.random.default_rng([seed, SHUFFLE, epoch])
        order = rng.permutation(n) if sampling is None else draw(y, rng)
    return _batches(x, y, int(batch_size), order, seed, epoch, augment, range(start, steps))


def _batches(x, y, batch_size, order, seed, epoch, augment, steps):
    def read(step):
        chosen = slice(step * batch_size, (step + 1) * batch_size)
        if order is not None:
            chosen = order[chosen]
        return x[chosen], y[chosen]

    for step, (xb, yb) in zip(steps, (_ahead if in_file(x) else map)(read, steps), strict=True):
        if augment is not None:
            xb = augment(xb, np.random.default_rng([seed, AUGMENT, epoch, step]))
        yield xb, yb


def _ahead(read, steps):
    """map(read, steps), of which the next one is read in another thread meanwhile."""
    with ThreadPoolExecutor(1, thread_name_prefix="numpycnn-read-ahead") as pool:
        coming = None
        for step in steps:
            current, coming = coming, pool.submit(read, step)
            if current is not None:
                yield current.result()
        if coming is not None:
            yield coming.result()

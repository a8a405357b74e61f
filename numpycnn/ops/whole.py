"""The whole batch, of which this process may hold a part (numpycnn/distributed/).

Most passes treat every image for itself. Three kinds of them do not, and ask here:

- Batch norm needs the means over all images, forward and backward: `gather`, `total`.
- A gradient of a parameter is a sum over all images. Floating point sums depend on their order, so
  it is fixed: the batch has eight shards, each is added up for itself, and their sums go into a
  tree, ((s0 + s1) + (s2 + s3)) + ..: `edges`, `tree`, `by_shards`. Four processes with two shards
  each, two with four and one with all eight make the same additions, and get the same bits.
- Dropout draws for all images, so that an image's numbers do not depend on who holds it: `draw`.

Where no part is set, the process has the whole batch, and nothing is exchanged. `alone` says then
how many images that is: of a layer that makes several rows of each the shards are the same images.
"""

import contextlib
import threading

import numpy as np

from ..errors import ShapeError

SHARDS = 8
part = None  # a distributed.Part, while a batch is shared between processes
_of_this_thread = threading.local()  # within alone()


@contextlib.contextmanager
def alone(n):
    """A context for the passes of a batch of n images, all of which are here."""
    before = getattr(_of_this_thread, "images", None)
    _of_this_thread.images = n
    try:
        yield
    finally:
        _of_this_thread.images = before


def images(n):
    """How many images the whole batch has, of which n are here."""
    return n if part is None else part.images * _times(n)


def edges(n):
    """Where the shards of the n images here begin, and n: [0, .., n]; some may be empty.

    n may be the rows that a layer made of them, equally many of each.
    """
    if part is None:
        held = getattr(_of_this_thread, "images", None) or n
        times = n // held if n and n % held == 0 else 1
        return [n // times * i // SHARDS * times for i in range(SHARDS + 1)]
    return [edge * _times(n) for edge in part.edges]


def tree(parts):
    """(p0 + p1) + (p2 + p3) of arrays, or of the first axis of one, which may be changed."""
    parts = list(parts)
    while len(parts) > 1:
        for i in range(0, len(parts) - 1, 2):
            parts[i] += parts[i + 1]
        parts = parts[::2]
    return parts[0]


def by_shards(function, *arrays):
    """The tree of function(*arrays), a sum over images, of each shard of arrays (N, ..)."""
    ends = edges(len(arrays[0]))
    shards = [slice(*ends[i : i + 2]) for i in range(len(ends) - 1) if ends[i] < ends[i + 1]]
    shards = shards or [slice(0, 0)]  # of no images
    return tree(function(*(array[shard] for array in arrays)) for shard in shards)


def gather(values):
    """values (n, ..), one for each image here -> those of all images of the batch, in order."""
    return values if part is None else part.gather(values, _times(len(values)))


def total(summed):
    """A sum over the images here -> the sum over all images, on every process."""
    return summed if part is None else tree(part.stack(summed))


def moments(mean, var):
    """Mean and biased variance of the values here -> those of the whole batch's values.

    var = sum_r n_r (var_r + (mean_r - mean)^2) / sum_r n_r, process r having n_r images.
    """
    if part is None:
        return mean, var
    means, variances = part.stack(mean), part.stack(var)  # (R, C)
    weights = part.counts / part.images
    mean = np.tensordot(weights, means, 1)
    return mean, np.tensordot(weights, variances + (means - mean) ** 2, 1)


def once(summed):
    """A sum over all images, which every process knows: for gradients, which are added up later."""
    return summed if part is None or part.first else 0 * summed


def draw(numbers, shape):
    """numbers(shape), random ones, of the n images here; all processes draw those of all images."""
    if part is None:
        return numbers(shape)
    n, *rest = shape
    times = _times(n)
    return numbers((part.images * times, *rest))[part.start * times :][:n]


def _times(n):
    """How many rows each image has, where a layer made several of one. Raises ShapeError."""
    times, rest = divmod(n, part.held)
    if rest:
        raise ShapeError(f"{n} rows of {part.held} images: ranks cannot share such a batch")
    return times

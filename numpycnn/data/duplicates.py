"""Images that occur more than once in a data set: exactly, or nearly the same."""

import collections
import csv
import hashlib
import io
import itertools

import numpy as np

from .. import files
from .rows import pieces

SIDE = 8  # of the means that are compared
FLAT = 4  # grey levels: images whose cells differ by less look alike without being the same
NEAR = 3  # grey levels: root mean square of the differences of two images' cells


def exact(dataset):
    """Groups [(part, index), ...] of images with the same bytes, each of two or more."""
    groups = collections.defaultdict(list)
    for part in dataset.parts:
        for i, x in pieces(getattr(dataset, f"x_{part}")):
            for k, image in enumerate(np.ascontiguousarray(x)):
                key = hashlib.blake2b(image.data, digest_size=16).digest()
                groups[key].append((part, i + k))
    return [group for group in groups.values() if len(group) > 1]


def near(dataset):
    """The same of images that look alike: with equal bits b (64,), and cells m - mean(m) that
    differ by less than NEAR.

        b_ij = [m_ij > mean(m)]     m_ij the mean grey of cell i, j of 8 x 8

    Images without contrast are left out. This finds copies that were scaled, saved again or made
    lighter. Source: the average hash (N. Krawetz 2011); the second test leaves out most images
    that only have an outline in common.
    """
    groups = collections.defaultdict(list)
    for part in dataset.parts:
        for i, x in pieces(getattr(dataset, f"x_{part}")):
            means = cell_means(x)
            keys = np.packbits(means > 0, axis=1).view(">u8")[:, 0]
            for k in np.flatnonzero(np.ptp(means, axis=1) >= FLAT):
                groups[int(keys[k])].append((part, i + int(k)))
    found = []
    for group in groups.values():
        if len(group) > 1:
            found += _alike(dataset, group)
    return found


def place(dataset, part, i):
    """The file of an image; where there are no files, its place in the arrays: "x_train[3]"."""
    return dataset.files[part][i] if dataset.files else f"x_{part}[{i}]"


def write_table(path, dataset, **kinds):
    """A .csv of groups, by kind: kind, the group's number, part, index, file or place, class."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["kind", "group", "part", "index", "image", "class"])
    for kind, groups in kinds.items():
        for number, group in enumerate(groups, 1):
            for part, i in group:
                label = dataset.classes[getattr(dataset, f"y_{part}")[i]]
                table.writerow([kind, number, part, i, place(dataset, part, i), label])
    files.write(path, text.getvalue().encode("utf-8", "backslashreplace"))


def _alike(dataset, group):
    """The groups in a group of equal bits: each with an image that none before it is like."""
    images = [getattr(dataset, f"x_{part}")[i : i + 1] for part, i in group]
    x = np.concatenate(images)
    means = np.concatenate([cell_means(x[..., [c]]) for c in range(x.shape[3])], axis=1)
    found, left = [], list(range(len(group)))
    while left:
        first = left[0]
        distance = np.sqrt(((means[left] - means[first]) ** 2).mean(axis=1))
        like = [i for i, d in zip(left, distance, strict=True) if d <= NEAR]
        left = [i for i in left if i not in set(like)]
        if len(like) > 1:
            found.append([group[i] for i in like])
    return found


def cell_means(x):
    """m - mean(m), in grey levels: (N, 64) of images x (N, H, W, C)"""
    grey = x.mean(axis=3, dtype=np.float32)  # (N, H, W)
    means = _cells(_cells(grey, 1), 2).reshape(len(x), -1)
    means *= 1 if x.dtype == np.uint8 else 255
    return means - means.mean(axis=1, keepdims=True)


def _cells(x, axis):
    """The means of 8 cells along an axis; of a shorter one its entries, some of them twice."""
    n = x.shape[axis]
    edges = np.linspace(0, n, SIDE + 1).astype(int)
    ends = [(min(a, n - 1), max(a + 1, b)) for a, b in itertools.pairwise(edges)]
    return np.stack([np.take(x, range(a, b), axis).mean(axis=axis) for a, b in ends], axis)

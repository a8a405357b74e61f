"""Names that say which part of a data set they are: train/, Validation/, test1/, x_train.npy."""

import re

from ..errors import DatasetError
from ..files import shown

WORDS = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "dev", "develop", "eval", "evaluation"),
    "test": ("test", "testing", "tst", "t10k"),
}
PARTS = {word: part for part, words in WORDS.items() for word in words}
FILLING = {"set", "data", "dataset", "images", "image", "imgs", "img", "pictures", "photos",
           "split", "folder", "dir", "part"}  # fmt: skip
PUBLIC = {"publictest": "val", "privatetest": "test"}  # FER2013's: both are for testing


def part_of(name):
    """ "train", "val" or "test" for a name that says this and nothing else; otherwise None.

    In any letter case, with numbers (test1) and words such as set or images (TrainSet, img_val).
    """
    part, others = part_and_rest(name)
    return None if others else part


def part_and_rest(name):
    """The part that a name mentions, or None; its other words: dogs_train -> "train", ("dogs",)."""
    words = [_stripped(word) for word in re.findall(r"t10k|[^\W\d_]+", separated(name).lower())]
    words = [word for word in words if word and word not in FILLING]
    found = {PARTS[word] for word in words if word in PARTS}
    part = found.pop() if len(found) == 1 else None
    return part, tuple(word for word in words if word not in PARTS)


def part_in(cell, where, column):
    """The part that a cell of a table's column names. Raises DatasetError where it names none."""
    plain = cell.strip().lower()
    part = PUBLIC.get(plain) or part_and_rest(plain)[0]
    if part is None:
        raise DatasetError(
            f"{where}: {shown(column, 30)} {shown(cell, 40)!r}; expected train, val or test, or "
            "PublicTest or PrivateTest; a column of anything else needs another name"
        )
    return part


def separated(name):
    """TrainSet -> Train Set"""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)


def _stripped(word):
    """trainset, testdata -> train, test"""
    for ending in FILLING:
        if word.endswith(ending) and word.removesuffix(ending) in PARTS:
            return word.removesuffix(ending)
    return word

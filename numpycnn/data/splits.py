"""Names that say which part of a data set they are: train/, Validation/, test1/, x_train.npy."""

import re

WORDS = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "dev", "develop", "eval", "evaluation"),
    "test": ("test", "testing", "tst", "t10k"),
}
PARTS = {word: part for part, words in WORDS.items() for word in words}
FILLING = {"set", "data", "dataset", "images", "image", "imgs", "img", "pictures", "photos",
           "split", "folder", "dir", "part"}  # fmt: skip


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


def separated(name):
    """TrainSet -> Train Set"""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)


def _stripped(word):
    """trainset, testdata -> train, test"""
    for ending in FILLING:
        if word.endswith(ending) and word.removesuffix(ending) in PARTS:
            return word.removesuffix(ending)
    return word

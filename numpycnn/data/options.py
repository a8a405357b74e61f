"""How a person's own data are read: what load's keywords and the command line's options say."""

import warnings
from dataclasses import dataclass, fields

from ..errors import DatasetError
from .decode import Treatment


@dataclass(frozen=True)
class Options:
    """size, fit, colour: how pictures become arrays (decode.Treatment). classes_at: how many
    folders down the classes stand. labels: "names" or a table, where folders do not say the class.
    shape: (H, W, C) of a table's rows. skip_broken: go on without pictures that cannot be read.
    like: a Treatment as checkpoints hold it (Dataset.pictures), for pictures
    where nothing else is given; data of other kinds ignore it.
    """

    size: tuple = None
    fit: str = None
    colour: bool = None
    classes_at: int = None
    labels: str = None
    shape: tuple = None
    skip_broken: bool = None
    like: dict = None

    def __post_init__(self):
        # which refuses what is impossible, before any file is read
        if self.treatment.size is None and self.fit:
            warnings.warn(
                f"fit={self.fit!r} does nothing, as no size is given to which pictures are fitted",
                stacklevel=4,
            )
        if self.classes_at is not None and not 1 <= self.classes_at <= 8:
            raise DatasetError(f"classes_at is {self.classes_at}; expected 1 to 8 folders")

    @property
    def treatment(self):
        """Of pictures."""
        like = self.like or {}
        size = like.get("size") if self.size is None else self.size
        colour = like.get("colour") if self.colour is None else self.colour
        return Treatment(size, self.fit or like.get("fit") or "pad", colour)

    def given(self):
        """{name: value} of those that are, as JSON holds them."""
        values = {name: getattr(self, name) for name in NAMES}
        return {name: _plain(value) for name, value in values.items() if value is not None}

    def refuse(self, name, what, known=()):
        """Raise DatasetError for options that data of another kind have no use for."""
        others = [option for option in self.given() if option not in known]
        if others:
            raise DatasetError(
                f"{name}: {' and '.join(others)} cannot be used with {what}; leave it out"
            )


def typed(given):
    """Such options as the command line takes them: a list of words."""
    words = {
        "colour": {True: ["--colour"], False: ["--grey"]},
        "skip_broken": {True: ["--skip-broken"]},
    }
    found = []
    for name, value in given.items():
        text = "x".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        own = [f"--{name.replace('_', '-')}", text]
        found += words[name].get(value, []) if name in words else own
    return found


NAMES = tuple(field.name for field in fields(Options) if field.name != "like")
PICTURES = ("size", "fit", "colour", "classes_at", "labels", "skip_broken")


def _plain(value):
    return list(value) if isinstance(value, tuple) else value

"""One thing that is wrong with a network."""

from dataclasses import dataclass

KINDS = (
    "dead", "vanishing", "exploding", "too fast", "too slow", "under-fitting", "over-fitting",
    "missed class",
)  # fmt: skip


@dataclass
class Finding:
    """One thing that is wrong.

    kind: one of KINDS; where: a layer's path, or "" for the whole network.
    """

    kind: str
    where: str
    text: str

    def __str__(self):
        return f"{self.kind}: {self.text}"

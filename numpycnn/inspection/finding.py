"""One thing that is wrong with a network, and the list of all."""

from dataclasses import dataclass

from ..tables import GREEN, RED, as_html

KINDS = (
    "dead", "vanishing", "exploding", "too fast", "too slow", "under-fitting", "over-fitting",
    "missed class",
)  # fmt: skip
SOUND = f"Nothing wrong was found: no sign of {', '.join(KINDS[:-1])} or {KINDS[-1]}."


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


class Diagnosis(list):
    """A list of Findings that prints one a line, and is a table in a notebook."""

    def __str__(self):
        return "\n".join(str(finding) for finding in self) or SOUND

    def _repr_html_(self):
        if not self:
            return as_html([("sound", SOUND)], left=2, badges={"sound": GREEN})
        rows = [(finding.kind, finding.where or "the network", finding.text) for finding in self]
        head = ("finding", "where", "what it means")
        return as_html([head, *rows], left=3, badges={finding.kind: RED for finding in self})

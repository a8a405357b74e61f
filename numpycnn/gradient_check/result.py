"""What a gradient check found: rows of numbers, problems in words, and what was not looked at."""

from dataclasses import dataclass, field

from ..errors import NumpyCNNError, printable
from ..tables import GREEN, RED, aligned, as_html

HEAD = ("array", "elements", "checked", "at kinks", "left out", "largest error", "verdict")


class GradCheckError(NumpyCNNError, ValueError):
    """A backward pass is not the derivative of its forward pass.

    The message is the table of `result`.
    """

    def __init__(self, result):
        super().__init__(f"\n{result}")
        self.result = result

    def __str__(self):
        return printable(*self.args, keep="\n")


@dataclass
class Row:
    """One array: how many samples were compared, met a kink, were left out; the largest relative
    error.

    `tolerance` is a row's own, where it is not that of the whole check: float32 has 7 digits.
    """

    name: str
    elements: int
    checked: int = 0
    kinks: int = 0
    left_out: int = 0
    error: float = 0.0
    gap: float = -1.0  # the largest difference that is an error: the one that `worst` tells of
    worst: str = ""
    verdict: str = "ok"
    tolerance: float | None = None


@dataclass
class GradCheckResult:
    """`rows`, one an array; `problems`, sentences on what is no matter of numbers; `notes`, on what
    was not looked at.
    """

    title: str
    tolerance: float
    rows: list = field(default_factory=list)
    problems: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    @property
    def ok(self):
        """Nothing is wrong, and everything could be checked."""
        return not self.problems and all(row.verdict == "ok" for row in self.rows)

    @property
    def max_error(self):
        """The largest relative error in float64; CS231n's reading: 1e-7 is fine, 1e-2 is wrong."""
        errors = (row.error for row in self.rows if row.tolerance is None)
        return max(errors, default=0.0)

    def __bool__(self):
        return self.ok

    def __str__(self):
        return "\n".join([self.title, *aligned(self._table()), *self._sentences()])

    def _repr_html_(self):
        badges = {"ok": GREEN, "passed": GREEN, "FAILED": RED}
        badges |= {row.verdict: RED for row in self.rows if row.verdict != "ok"}
        return as_html(self._table(), title=self.title, lines=self._sentences(), badges=badges)

    def _table(self):
        table = [HEAD]
        for row in self.rows:
            counts = (row.elements, row.checked, row.kinks, row.left_out)
            error = f"{row.error:.1e}" if row.checked else "-"
            table.append((row.name, *(f"{n:,}" for n in counts), error, row.verdict))
        return table

    def _sentences(self):
        lines = [f"{row.verdict}: {row.worst}" for row in self.rows if row.verdict != "ok"]
        verdict = "passed" if self.ok else "FAILED"
        end = f"largest relative error {self.max_error:.1e}, allowed {self.tolerance:.0e}"
        return [*lines, *self.problems, *self.notes, f"{verdict}: {end}"]

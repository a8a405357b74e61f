"""What the grader says: a table for a terminal, a notebook, or a program."""

import html
from dataclasses import dataclass, field


@dataclass
class Verdict:
    """passed; rows: (what, "right" or "wrong", sentence)."""

    exercise: str
    rows: list = field(default_factory=list)

    @property
    def passed(self):
        return bool(self.rows) and all(state == "right" for _, state, _ in self.rows)

    @property
    def sentences(self):
        """The sentences of what is wrong."""
        return [sentence for _, state, sentence in self.rows if state == "wrong"]

    def wrong(self, what, sentence):
        """Add a sentence, once."""
        if (what, "wrong", sentence) not in self.rows:
            self.rows.append((what, "wrong", sentence))
        return self

    def facts(self):
        """The verdict as JSON values."""
        rows = [dict(zip(("what", "state", "sentence"), row, strict=True)) for row in self.rows]
        return {"exercise": self.exercise, "passed": self.passed, "rows": rows}

    def __str__(self):
        return self.text()

    def __repr__(self):
        return self.text()

    def text(self, colour=False):
        """The table, with terminal colours where they are wanted."""
        green, red, grey, end = ("\033[32m", "\033[31m", "\033[90m", "\033[0m")
        width = max((len(row[0]) for row in self.rows), default=0)
        lines = [f"{self.exercise}: {'passed' if self.passed else 'not yet right'}"]
        for what, state, sentence in self.rows:
            paint = {"right": green, "wrong": red}.get(state, grey)
            shown = f"{paint}{state:<8}{end}" if colour else f"{state:<8}"
            lines.append(f"  {what:<{width}}  {shown}  {sentence}".rstrip())
        return "\n".join(lines)

    def _repr_html_(self):
        paint = {"right": "#2e9d5b", "wrong": "#d64545"}  # both are readable on white and on black
        lines = [f"<b>{html.escape(str(self).splitlines()[0])}</b><table>"]
        for what, state, sentence in self.rows:
            cell = f'<td style="color:{paint.get(state, "#888")};text-align:left">{state}</td>'
            text = f'<td style="text-align:left">{html.escape(sentence)}</td>'
            lines.append(f'<tr><td style="text-align:left">{html.escape(what)}</td>{cell}{text}')
        return "".join([*lines, "</table>"])

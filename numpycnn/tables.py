"""Tables as aligned text, for a terminal, and as HTML, for a notebook.

The HTML takes font and colours from the page around it, so that it is readable in light and dark
themes; only verdicts have colours of their own, with their own background.
"""

import base64
import html

GREEN, RED = "#1b6e3c", "#b3282d"  # under white text: at least 4.5 : 1
LONG = 60  # characters, from which on the text of a cell is wrapped
CELL = "padding:.15em .8em;border:0;"
LINE = "border-bottom:1px solid rgba(128,128,128,.35);"


def aligned(rows, left=1):
    """Rows of cells (text) in columns -> lines: the first `left` columns to the left."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def as_html(rows, left=1, title="", lines=(), badges=()):
    """A table of text cells, its first row the head, as HTML.

    `title` stands above, `lines` below; `badges` {text: colour} are cells and lines with a verdict:
    what begins with the text gets the colour. All text is escaped.
    """
    badges = dict(badges)
    head, *body = [[_cell(c, i < left, badges) for i, c in enumerate(row)] for row in rows]
    table = "".join(f"<tr>{''.join(row)}</tr>" for row in body)
    caption = f"<div><b>{html.escape(title)}</b></div>" if title else ""
    below = "".join(f"<div>{_marked(line, badges)}</div>" for line in lines)
    return (
        f'<div style="overflow-x:auto">{caption}<table style="border-collapse:collapse">'
        f"<thead><tr>{''.join(head).replace('<td', '<th').replace('</td', '</th')}</tr></thead>"
        f"<tbody>{table}</tbody></table>{below}</div>"
    )


def _cell(text, left, badges):
    side = "left" if left else "right"
    wrap = "normal;min-width:min(30em,40vw)" if len(text) > LONG else "nowrap"
    style = f"{CELL}{LINE}text-align:{side};white-space:{wrap}"
    return f'<td style="{style}">{_marked(text, badges)}</td>'


def _marked(text, badges):
    """The text, escaped; the badge that it begins with in white on its colour."""
    for word, colour in badges.items():
        if text.startswith(word):
            style = f"background:{colour};color:#fff;border-radius:.3em;padding:0 .4em"
            rest = html.escape(text[len(word) :])
            return f'<span style="{style}">{html.escape(word)}</span>{rest}'
    return html.escape(text)


def as_data_url(png):
    """The bytes of a PNG as an address that holds them."""
    return "data:image/png;base64," + base64.b64encode(png).decode()

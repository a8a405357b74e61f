"""The frame of the pages that are written: one style, no script, nothing fetched from a network."""

import re
from html import escape, unescape
from pathlib import Path

import numpy as np

from .. import files
from ..tables import as_data_url

STYLE = """
:root { color-scheme: light dark; --ink: #1f2933; --soft: #5b6875; --line: #dfe4e9;
  --page: #fff; --card: #f6f8fa; --accent: #0b6bb0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaee; --soft: #9aa7b4; --line: #333c46;
  --page: #14181d; --card: #1d232a; --accent: #6db5ea; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 2.5rem 1.25rem 4rem; background: var(--page);
  color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 1.5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 3rem 0 .25rem; }
p { margin: .25rem 0 1rem; max-width: 46rem; }
.soft { color: var(--soft); }
.top { display: flex; flex-wrap: wrap; gap: 1.5rem 3rem; padding: 1.5rem; background: var(--card);
  border-radius: 12px; }
.score { flex: 1 1 15rem; }
.score b { display: block; font-size: 3.6rem; line-height: 1.1; color: var(--accent); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.facts { flex: 2 1 22rem; font-size: .92rem; align-self: center; }
.facts th { text-align: left; font-weight: normal; color: var(--soft);
  padding: .12rem 1rem .12rem 0; vertical-align: top; white-space: nowrap; }
.facts td { padding: .12rem 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
.classes { width: 100%; }
.classes th, .classes td { padding: .38rem .75rem; text-align: right;
  border-bottom: 1px solid var(--line); white-space: nowrap; }
.classes thead th { color: var(--soft); font-weight: 600; font-size: .85rem; }
.classes :is(th, td):is(:first-child, :last-child) { text-align: left; }
.classes tbody th { font-weight: 600; }
.classes .low td, .classes .low th { background: color-mix(in srgb, #d9710a 14%, transparent); }
.classes.numbers, .classes.numbers thead th { font-size: .8rem; }
.classes.numbers :is(th, td) { padding: .22rem .45rem; }
.classes:is(.numbers, .counts) :is(th, td):last-child { text-align: right; }
.finding { padding: .8rem 1rem; max-width: none; background: var(--card);
  border-left: 4px solid #d9710a; border-radius: 4px; }
.finding.sound { border-color: var(--accent); }
figure { margin: 1rem 0 0; }
img { display: block; max-width: 100%; height: auto; padding: 14px; background: #fff;
  border: 1px solid var(--line); border-radius: 12px; }
img.narrow { max-width: min(100%, 46rem); }
code, pre { font: .88rem/1.5 ui-monospace, "SFMono-Regular", Menlo, Consolas, "DejaVu Sans Mono",
  monospace; }
pre { margin: .25rem 0 1rem; padding: .8rem 1rem; background: var(--card); border-radius: 8px;
  overflow-x: auto; }
@media print { body { max-width: none; padding: 0; } figure, tr { break-inside: avoid; } }
"""

HEIGHT = 640  # CSS pixels of a page in a notebook
FRAME = 30  # CSS pixels that STYLE puts around a picture: padding and border, both sides

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
<section class="top">
<div class="score">{heading} <b>{score}</b> <span class="soft">{detail}</span></div>
<table class="facts">
{facts}
</table>
</section>
{sections}
</body>
</html>
"""


def write(path, *, title, heading, score, detail, facts, sections):
    """Write the page: the score large, facts (a dict) beside it, sections (HTML) below -> path.

    title, heading, score and detail (below the score) are text; facts' values are shown in order,
    floats to four digits, everything else as str() has it. Raises OSError.
    """
    heading, score, detail = (escape(str(text)) for text in (heading, score, detail))
    facts = "\n".join(_fact(label, value) for label, value in facts.items())
    filled = {"title": escape(str(title)), "style": STYLE, "sections": "\n".join(sections)}
    page = PAGE.format(heading=heading, score=score, detail=detail, facts=facts, **filled)
    files.write(path, page.encode("utf-8", "backslashreplace"))  # names may be of other bytes
    return PagePath(path)


class PagePath(type(Path())):
    """The path of a page; a notebook shows the page itself, in a frame that holds all of it."""

    def _repr_html_(self):
        if not self.is_file():
            return None
        page = escape(_with_pictures(self.read_text(encoding="utf-8"), self.parent))
        return (
            f'<iframe srcdoc="{page}" title="{escape(self.name)}" '
            f'style="width:100%;height:{HEIGHT}px;border:0"></iframe>'
        )


def _with_pictures(page, folder):
    """The page with the pictures beside it inside: a frame in a notebook would not find the files.

    Addresses that are no file of the folder stay as they are.
    """

    def held(match):
        path = folder / unescape(match[1])
        if path.suffix != ".png" or not path.is_file():
            return match[0]
        address = as_data_url(path.read_bytes())
        return f'srcset="{address} 1.6x"' if match[2] else f'src="{address}"'

    return re.sub(r'\bsrc="([^"/: ]+)"( srcset="\1 1\.6x")?', held, page)  # as figure writes them


class PageFacts(dict):
    """Facts about a page that was written, at `path`; a notebook shows the page itself."""

    def __init__(self, facts, path):
        super().__init__(facts)
        self.path = PagePath(path)

    def _repr_html_(self):
        return self.path._repr_html_()


def figure(heading, caption, source, narrow=False, width=None):
    """A heading, a sentence (HTML), and the picture at the address `source`.

    width: in CSS pixels; by default the picture's own, at 1.6 pixels each.
    """
    kind = ' class="narrow"' if narrow else ""
    size = f'width="{width}"' if width else f'srcset="{source} 1.6x"'
    return (
        f'<h2>{escape(heading)}</h2>\n<p class="soft">{caption}</p>\n'
        f'<figure><img{kind} src="{source}" {size} alt="{escape(heading)}"></figure>'
    )


def embedded(path):
    """{"source", "width"} of a PNG file for `figure`, its content in the address.

    A page of such pictures is one whole file.
    """
    content = Path(path).read_bytes()
    pixels = int.from_bytes(content[16:20], "big")  # the first number of a PNG's IHDR
    return {
        "source": as_data_url(content),
        "width": round(pixels / 1.6) + FRAME,
    }


def table(heads, rows, name="classes"):
    """A table: heads are text, rows (class of the row, cells).

    Cells are HTML; the first of a row is its head.
    """
    lines = []
    for mark, (first, *cells) in rows:
        kind = f' class="{mark}"' if mark else ""
        lines.append(
            f'<tr{kind}><th scope="row">{first}</th>'
            + "".join(f"<td>{c}</td>" for c in cells)
            + "</tr>"
        )
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    return (
        f'<div class="scroll"><table class="{name}">\n<thead><tr>{top}</tr></thead>\n<tbody>\n'
        + "\n".join(lines) + "\n</tbody>\n</table></div>"
    )  # fmt: skip


def commands(lines):
    """What to do next: pairs of a sentence and a command to paste."""
    return "<h2>What to do next</h2>\n" + "\n".join(
        f'<p class="soft">{escape(sentence)}</p>\n<pre><code>{escape(command)}</code></pre>'
        for sentence, command in lines
    )


def percent(share):
    """A share with two decimals, its sign on the same line (a no-break space); a dash for nan."""
    return "–" if np.isnan(share) else f"{100 * share:.2f}\u00a0%"


def _fact(label, value):
    text = escape(f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value))
    text = f"<code>{text}</code>" if str(label).lower() == "command" else text
    return f'<tr><th scope="row">{escape(str(label))}</th><td>{text}</td></tr>'

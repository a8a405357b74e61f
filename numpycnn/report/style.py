"""What every picture is drawn on: one style, no pyplot, no display, and no half-written file."""

import io
import os
import threading
from contextlib import contextmanager
from pathlib import Path

from matplotlib import font_manager, style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .. import files

INK, GREY, LINE = "#1f2933", "#616e7c", "#d5dbe1"
BLUE, ORANGE = "#0b6bb0", "#d9710a"  # apart for every kind of colour vision, and in print
STYLE = {
    "font.family": "DejaVu Sans", "font.size": 10, "text.color": INK, "text.parse_math": False,
    "axes.titlesize": 11, "axes.titlelocation": "left", "axes.titleweight": "bold",
    "axes.titlepad": 10, "axes.labelcolor": GREY, "axes.edgecolor": LINE,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": False,
    "axes.axisbelow": True, "axes.unicode_minus": True, "grid.color": "#e8ecef",
    "grid.linewidth": 0.8, "xtick.color": LINE, "ytick.color": LINE, "xtick.labelcolor": GREY,
    "ytick.labelcolor": GREY, "lines.linewidth": 2, "lines.markersize": 4,
    "legend.frameon": False, "figure.facecolor": "white",
    "figure.constrained_layout.use": True, "savefig.dpi": 160,
    "svg.hashsalt": "numpycnn",
}  # fmt: skip
_style_lock = threading.Lock()  # matplotlib's settings are one global dictionary


class Picture(Figure):
    """A matplotlib Figure that a notebook shows by itself; pyplot does not know it.

    So it is shown once, where it is a cell's value, and nothing has to be closed.
    """

    def _repr_png_(self):
        return self.content("png", dpi=90)

    def content(self, kind, **options):
        """The bytes of a file of this kind: "png", "svg", "pdf"."""
        content = io.BytesIO()
        with style.context(["default", STYLE]):
            # without its date an SVG has the same bytes every time
            metadata = {"Date": None} if kind == "svg" else None
            self.savefig(content, format=kind, metadata=metadata, **options)
        return content.getvalue()


@contextmanager
def figure(path, size):
    """A Picture in this module's style, whatever the user's settings; written to path at the end.

    path: a name, an open binary file (PNG), or None: nothing is written.
    """
    with _style_lock, style.context(["default", STYLE]):
        fig = Picture(figsize=size)
        FigureCanvasAgg(fig)
        yield fig
        if path is None:
            return
        named = isinstance(path, (str, os.PathLike))
        content = fig.content((Path(path).suffix[1:].lower() if named else "") or "png")
    if named:
        files.write(path, content)
    else:
        path.write(content)


def finished(fig, path):
    """What a function that draws returns: its path, or without one the Picture."""
    return fig if path is None else Path(path) if isinstance(path, (str, os.PathLike)) else path


def notice(message, path=None):
    """A picture of a sentence, where there is nothing to draw."""
    with figure(path, (7, 1.6)) as fig:
        fig.text(0.5, 0.5, message, ha="center", va="center", size=12, color=GREY)
    return finished(fig, path)


def drawable(classes):
    """The names as text; what matplotlib's own font cannot draw (kana, say) becomes "class i"."""
    font = font_manager.get_font(font_manager.findfont("DejaVu Sans"))
    texts = [str(name) for name in classes]
    known = [all(font.get_char_index(ord(c)) for c in text) for text in texts]
    return [text if known[i] else f"class {i}" for i, text in enumerate(texts)]


def short(name, most=16):
    """The name, cut where it is longer than `most` letters."""
    return name if len(name) <= most else name[: most - 1].rstrip() + "…"


def percent(share):
    """A share in per cent, one decimal; never 100.0 %: no prediction is certain."""
    return ">99.9 %" if share > 0.9995 else f"{100 * share:.1f} %"

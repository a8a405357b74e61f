"""The picture of a prediction: what was given, what the network saw, and what it said."""

from pathlib import Path

import numpy as np

from .canvas import BLUE, GREY, INK, LINE, ORANGE, drawable, figure, percent, short

MOST = 10  # classes


def draw(given, image, probabilities, path, note=""):
    """Write the picture. given: a Pillow image; image: the uint8 (H, W, C) made of it; probabilities: {class: p}."""
    with figure(path, (9.6, 3.5)) as fig:
        left, middle, right = fig.subplots(1, 3, width_ratios=(3, 3, 3.2))
        left.imshow(np.asarray(given))
        left.set_title("What was given")
        middle.imshow(image.squeeze(-1) if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255)
        middle.set_title(f"What the network saw, {image.shape[0]} × {image.shape[1]}")
        for axes in (left, middle):
            axes.set(xticks=[], yticks=[], anchor="N")
            axes.spines[:].set(visible=True, color=LINE)
        _bars(right, drawable(probabilities), np.array([*probabilities.values()]), ORANGE if note else BLUE)
        if note:
            fig.supxlabel(note, color="#a85200", size=10)
    return Path(path)


def _bars(axes, names, probabilities, color):
    """The likeliest classes, the first on top."""
    best = np.argsort(-probabilities, kind="stable")[:MOST]
    y = np.arange(len(best))
    axes.barh(y, 100 * probabilities[best], 0.62, color=color)
    for i, k in enumerate(best):
        axes.text(100 * probabilities[k] + 2, i, percent(probabilities[k]), va="center", size=9, color=GREY)
    axes.set(yticks=y, yticklabels=[short(names[k]) for k in best], xticks=[], xlim=(0, 122))
    axes.set_ylim(max(len(best), 3) - 0.5, -0.6)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["bottom"].set_visible(False)
    axes.set_title("What it said")

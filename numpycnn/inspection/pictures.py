"""The pictures of an inspection: the layers' numbers, feature maps, where the network looks, what it confuses."""

from pathlib import Path

import numpy as np

from ..canvas import BLUE, GREY, INK, ORANGE, drawable, figure, percent, short
from ..layers.base import watch
from ..saliency import grad_cam, saliency
from .diagnosis import DEAD, TOO_FAST, TOO_SLOW, USUAL

MOST_STAGES, MOST_MAPS = 12, 16  # rows and columns of the feature maps; a deeper network shows every n-th stage


def layers(rows, path):
    """Deviation of activations and gradients, share of zeros, and update ratio, a line of each for every layer."""
    places, names = np.arange(len(rows)), [f"{row.path} {row.kind}" for row in rows]
    gradients = [row.gradient and row.gradient.deviation for row in rows]
    panels = (
        ("Activations", "standard deviation", [row.activation.deviation for row in rows], BLUE),
        ("Gradients", "standard deviation, of each image's loss", gradients, BLUE),
        ("Zeros", "share of the outputs; ×: of units never active", [row.activation.zeros for row in rows], GREY),
        ("Update to weight", "size of one step / size of the weights", [row.update for row in rows], BLUE),
    )  # fmt: skip
    with figure(path, (11.5, float(np.clip(0.21 * len(rows) + 1.3, 2.6, 30)))) as fig:
        for axes, (title, label, values, color) in zip(fig.subplots(1, 4, sharey=True), panels, strict=True):
            values = np.array([np.nan if v is None else v for v in values], float)
            axes.plot(values, places, "o-" if np.isfinite(values).all() else "o", color=color, lw=1, ms=4)
            axes.set_title(title)
            axes.set_xlabel(label, size=8.5)
            axes.grid(axis="both")
            if title == "Zeros":
                _dead(axes, rows)
            elif (values[np.isfinite(values)] > 0).any():
                axes.set_xscale("log")
        _band(axes)
        step = max(1, len(rows) // 100)
        axes.set_yticks(places[::step], names[::step])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        for axes in fig.axes:
            axes.tick_params(labelsize=8)
    return Path(path)


def _dead(axes, rows):
    dead = [(row.dead / row.units, i) for i, row in enumerate(rows) if row.units]
    if dead:
        axes.plot(*zip(*dead, strict=True), "x", color=ORANGE, ms=6)
        axes.axvline(DEAD, color=ORANGE, lw=0.8, ls=":")
    axes.set_xlim(-0.04, 1.04)


def _band(axes):
    """Where the update ratio is as it should be."""
    axes.axvspan(TOO_SLOW, TOO_FAST, color=BLUE, alpha=0.07, lw=0)
    axes.axvline(USUAL, color=BLUE, lw=0.8, ls=":")
    low, high = axes.get_xlim()
    axes.set(xscale="log", xlim=(min(low, TOO_SLOW / 3) if low > 0 else TOO_SLOW / 3, max(high, TOO_FAST * 3)))


def feature_maps(net, image, paths, path):
    """What the layers `paths` (saliency.stages) make of one image (H, W, C): their strongest channels, by the mean.

    One row a layer, on one scale from 0 (or its least) to its greatest value.
    """
    paths, maps = paths[:: -(-len(paths) // MOST_STAGES)], {}
    with watch(net, lambda path, layer, x, y, cache: maps.update({path: (type(layer).__name__, y[0])})):
        net.forward(image[None], train=False)
    columns = min(MOST_MAPS, max(maps[one][1].shape[2] for one in paths))
    with figure(path, (0.68 * (columns + 1.9), 0.9 * len(paths) + 0.35)) as fig:
        cells = fig.subplots(len(paths), columns + 1, squeeze=False, gridspec_kw={"wspace": 0.04, "hspace": 0.08})
        for axes in cells.ravel():
            axes.set_axis_off()
        fig.suptitle("Feature maps, the strongest channels of each stage", x=0.01, ha="left", size=11, weight="bold")
        draw(cells[0, 0], image)
        for row, one in zip(cells, paths, strict=True):
            kind, y = maps[one]
            strongest = np.argsort(-y.mean(axis=(0, 1)), kind="stable")[:columns]
            low, high = min(0.0, float(y[..., strongest].min())), float(y[..., strongest].max())
            for axes, channel in zip(row[1:], strongest, strict=False):
                axes.imshow(y[..., channel], cmap="magma", vmin=low, vmax=high or 1.0)
                axes.set_title(f"{channel}", size=6.5, color=GREY, pad=2, loc="center", weight="normal")
            size = f"{y.shape[0]} × {y.shape[1]}, {len(strongest)} of {y.shape[2]}"
            row[1].text(
                -0.12, 0.5, f"{one} {kind}\n{size}", transform=row[1].transAxes, ha="right", va="center", size=7
            )
    return Path(path)


def look(net, image, probabilities, classes, path, layer=None):
    """One image (H, W, C), its saliency, and Grad-CAM of its three likeliest classes; without `layer` no Grad-CAM."""
    names, best = drawable(classes), np.argsort(-probabilities, kind="stable")[:3]
    batch = np.repeat(image[None], len(best), axis=0)
    heats = [] if layer is None else list(grad_cam(net, batch, best, layer))
    panels = [("the image", None), (f"saliency of {short(names[best[0]])}", saliency(net, batch[:1], best[:1])[0])]
    panels += [(f"Grad-CAM of {short(names[k])}", heat) for k, heat in zip(best, heats, strict=False)]
    with figure(path, (2.15 * len(panels), 2.6)) as fig:
        for i, (axes, (title, heat)) in enumerate(zip(fig.subplots(1, len(panels)), panels, strict=True)):
            axes.set_axis_off()
            if i == 1:
                axes.imshow(heat, cmap="magma", vmin=0)
            else:
                draw(axes, image, heat)
            axes.set_title(title, size=9, loc="left", weight="normal", color=INK)
            share = percent(probabilities[best[max(i - 2, 0)]])
            axes.text(0, -0.04, share if i else "", transform=axes.transAxes, size=8.5, color=GREY, va="top")
    return Path(path)


def confusions(net, images, labels, probabilities, classes, group, path, heat):
    """For each pair of the classes `group`: the surest image of the row's class that was taken for the column's.

    Beside each image heat(net, images, predicted classes), drawn over it: what spoke for the predicted class.
    """
    names, guesses = [short(name) for name in drawable(classes)], probabilities.argmax(axis=1)
    found = {}
    for i, true in enumerate(group):
        for j, guess in enumerate(group):
            members = np.flatnonzero((labels == true) & (guesses == guess))
            if len(members):
                found[i, j] = members[probabilities[members, guess].argmax()], len(members)
    chosen = [index for index, _ in found.values()]
    heats = heat(net, images[chosen], guesses[chosen]) if chosen else []
    width, height = 2.2 * len(group) + 1.15, 1.42 * len(group) + 0.85
    with figure(path, (width, height)) as fig:
        fig.set_layout_engine("none")

        def place(i, j, right):
            left, bottom = 1.15 + 2.2 * j + 1.02 * right, height - 0.85 - 1.42 * (i + 1) + 0.3
            axes = fig.add_axes((left / width, bottom / height, 1 / width, 1 / height))
            axes.set_axis_off()
            return axes

        for k, true in enumerate(group):
            fig.text((1.15 + 2.2 * k) / width, 1 - 0.6 / height, f"said: {names[true]}", size=10, color="#a85200")
            middle = 1 - (0.85 + 1.42 * k + 0.6) / height
            fig.text(0.1 / width, middle, f"true:\n{names[true]}", size=10, color=BLUE, va="center")
        title = "The surest image of each kind, and beside it what spoke for the class that was said"
        fig.text(0.1 / width, 1 - 0.12 / height, title, va="top", size=11, weight="bold")
        for ((i, j), (index, count)), one in zip(found.items(), heats, strict=True):
            axes = place(i, j, 0)
            draw(axes, images[index])
            draw(place(i, j, 1), images[index], one)
            what = "right" if i == j else "so mistaken"
            text = f"{percent(probabilities[index, guesses[index]])} sure; {count:,} {what}"
            axes.text(0, -0.05, text, transform=axes.transAxes, size=7.5, color=GREY, va="top")
    return Path(path)


def draw(axes, image, heat=None):
    """One image (H, W, C), with a heat map (H, W) over it: where it is 0 only the image shows."""
    scale = 255 if image.dtype == np.uint8 else 1
    shown = image if image.shape[2] == 3 else image.mean(axis=2)
    axes.imshow(shown / scale if heat is None else 0.75 * shown / scale, cmap="gray", vmin=0, vmax=1)
    if heat is not None:
        strength = heat / (heat.max() or 1)
        axes.imshow(strength, cmap="inferno", vmin=0, vmax=1, alpha=0.8 * np.clip(1.5 * strength, 0, 1))

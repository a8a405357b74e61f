"""The pictures of an inspection: the layers' numbers, feature maps, where the network looks, what it confuses."""

from contextlib import contextmanager
from pathlib import Path

import numpy as np
from matplotlib import ticker

from ..layers.traverse import watch
from ..report.grids import as_uint8
from ..report.style import BLUE, GREY, INK, ORANGE, drawable, figure, percent, short
from .diagnosis import DEAD, TOO_FAST, TOO_SLOW, USUAL
from .saliency import grad_cam, saliency

MOST_STAGES, MOST_MAPS = (
    12,
    16,
)  # rows and columns of the feature maps; a deeper network shows every n-th stage

BRIGHTEST = 0.995  # the share of the values below the brightest colour: one glaring pixel does not darken the rest


def layers(rows, path):
    """Deviation of activations and gradients, share of zeros, and update ratio, a line of each for every layer."""
    places, names = np.arange(len(rows)), [f"{row.path} {row.kind}" for row in rows]
    gradients = [row.gradient and row.gradient.deviation for row in rows]
    panels = (
        ("Activations", "standard deviation", [row.activation.deviation for row in rows]),
        ("Gradients", "standard deviation,\nof each image's loss", gradients),
        (
            "Zeros",
            "share of the outputs; ×: of channels\nnever active (dotted: too many)",
            [r.activation.zeros for r in rows],
        ),
        (
            "Update/weight",
            "one step / the weights\n(shaded: networks that train)",
            [row.update for row in rows],
        ),
    )
    with figure(path, (11, float(np.clip(0.2 * len(rows) + 1.4, 2.6, 30)))) as fig:
        for axes, (title, label, values) in zip(
            fig.subplots(1, 4, sharey=True), panels, strict=True
        ):
            values = np.array([np.nan if v is None else v for v in values], float)
            axes.plot(values, places, "o-", color=GREY if title == "Zeros" else BLUE, lw=1, ms=4)
            axes.set_title(title)
            axes.set_xlabel(label, size=8.5)
            axes.grid(axis="both")
            if title == "Zeros":
                _dead(axes, rows)
            elif (values[np.isfinite(values)] > 0).any():
                _logarithmic(axes, *((TOO_SLOW, TOO_FAST) if title == "Update/weight" else ()))
            axes.tick_params(labelsize=8)
        axes.axvspan(TOO_SLOW, TOO_FAST, color=BLUE, alpha=0.07, lw=0)
        axes.axvline(USUAL, color=BLUE, lw=0.8, ls=":")
        step = max(1, len(rows) // 100)
        axes.set_yticks(places[::step], names[::step])
        axes.set_ylim(len(rows) - 0.4, -0.6)
    return Path(path)


def _dead(axes, rows):
    dead = [(row.dead / row.units, i) for i, row in enumerate(rows) if row.units]
    if dead:
        axes.plot(*zip(*dead, strict=True), "x", color=ORANGE, ms=6)
        axes.axvline(DEAD, color=ORANGE, lw=0.8, ls=":")
    axes.set_xlim(-0.04, 1.04)


def _logarithmic(axes, *shown):
    """A logarithmic scale over the points, at least two decades wide, and over what else is to be shown."""
    values = np.concatenate([line.get_xdata() for line in axes.lines] + [shown])
    values = values[np.isfinite(values) & (values > 0)]
    low, high = values.min() / 2, values.max() * 2
    widen = max(1.0, np.sqrt(100 * low / high))
    axes.set(xscale="log", xlim=(low / widen, high * widen))
    axes.xaxis.set_major_locator(ticker.LogLocator(numticks=5))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_locator(ticker.NullLocator())


def feature_maps(net, image, paths, path):
    """What the layers `paths` (saliency.stages) make of one image (H, W, C): their strongest channels, by the mean.

    One row a layer, on one scale, from 0 (or its least value) to one that few are above.
    """
    paths, maps = paths[:: -(-len(paths) // MOST_STAGES)], {}
    with watch(
        net, lambda path, layer, x, y, cache: maps.update({path: (type(layer).__name__, y[0])})
    ):
        net.forward(image[None], train=False)
    columns = min(MOST_MAPS, max(maps[one][1].shape[2] for one in paths))
    width, height = max(0.66 * columns + 2.2, 4.8), 0.8 * len(paths) + 0.45
    with _placed(
        path, width, height, "Feature maps, the strongest channels of each stage"
    ) as square:
        draw(square(0.1, height - 1.15, 0.6), image)
        for i, one in enumerate(paths):
            kind, y = maps[one]
            strongest = np.argsort(-y.mean(axis=(0, 1)), kind="stable")[:columns]
            low, high = (
                min(0.0, float(y[..., strongest].min())),
                float(np.quantile(y[..., strongest], BRIGHTEST)),
            )
            bottom = height - 1.15 - 0.8 * i
            for j, channel in enumerate(strongest):
                axes = square(2.15 + 0.66 * j, bottom, 0.6)
                axes.imshow(
                    y[..., channel], cmap="magma", vmin=low, vmax=high if high > low else low + 1
                )
                axes.set_title(
                    f"{channel}", size=6.5, color=GREY, pad=2, loc="center", weight="normal"
                )
            size = f"{y.shape[0]} × {y.shape[1]}, {len(strongest)} of {y.shape[2]}"
            label = square(1.4, bottom, 0.6)
            label.text(1.05, 0.5, f"{one} {kind}\n{size}", ha="right", va="center", size=7)
    return Path(path)


def look(net, image, title, probabilities, classes, path, layer=None):
    """One image (H, W, C), its saliency, and Grad-CAM of its three likeliest classes; without `layer` no Grad-CAM."""
    names, best = drawable(classes), np.argsort(-probabilities, kind="stable")[:3]
    batch = np.repeat(image[None], len(best), axis=0)
    heats = [] if layer is None else list(grad_cam(net, batch, best, layer))
    panels = [
        (short(title, 28), None),
        (f"saliency of {short(names[best[0]])}", saliency(net, batch[:1], best[:1])[0]),
    ]
    panels += [
        (f"Grad-CAM of {short(names[k])}", heat) for k, heat in zip(best, heats, strict=False)
    ]
    with figure(path, (2.15 * len(panels), 2.6)) as fig:
        for i, (axes, (title, heat)) in enumerate(
            zip(fig.subplots(1, len(panels)), panels, strict=True)
        ):
            axes.set_axis_off()
            if i == 1:
                axes.imshow(heat, cmap="magma", vmin=0)
            else:
                draw(axes, image, heat)
            axes.set_title(title, size=9, loc="left", weight="normal", color=INK)
            share = percent(probabilities[best[max(i - 2, 0)]])
            axes.text(
                0,
                -0.04,
                share if i else "",
                transform=axes.transAxes,
                size=8.5,
                color=GREY,
                va="top",
            )
    return Path(path)


def confusions(net, images, labels, probabilities, classes, group, path, heat):
    """For each pair of the classes `group`: the surest image of the row's class that was taken for the column's.

    Beside each image heat(net, images, predicted classes), drawn over it: what spoke for the predicted class.
    """
    names, guesses = [short(name) for name in drawable(classes)], probabilities.argmax(axis=1)
    found = {}
    for place in np.ndindex(len(group), len(group)):
        true, guess = (group[k] for k in place)
        members = np.flatnonzero((labels == true) & (guesses == guess))
        if len(members):
            found[place] = members[probabilities[members, guess].argmax()], len(members)
    chosen = [index for index, _ in found.values()]
    heats = (
        dict(zip(found, heat(net, images[chosen], guesses[chosen]), strict=True)) if chosen else {}
    )
    with _grid(path, [names[k] for k in group]) as cell:
        for i, j in np.ndindex(len(group), len(group)):
            left, right = cell(i, j)
            if (i, j) not in found:
                left.text(0, 0.5, "never", transform=left.transAxes, size=8.5, color=GREY)
                continue
            index, count = found[i, j]
            draw(left, images[index])
            draw(right, images[index], heats[i, j])
            text = f"{percent(probabilities[index].max())} sure; {count:,} {'right' if i == j else 'so mistaken'}"
            left.text(0, -0.05, text, transform=left.transAxes, size=7.5, color=GREY, va="top")
    return Path(path)


@contextmanager
def _grid(path, names):
    """A figure with a row and a column for each name; gives a function (row, column) -> two axes of an inch."""
    width, height = 2.2 * len(names) + 1.15, 1.38 * len(names) + 0.75
    title = "The surest image of each kind, and beside it what spoke for the class that was said"
    with _placed(path, width, height, title) as square:
        for k, name in enumerate(names):
            square(1.15 + 2.2 * k, height - 0.58, 0.1).text(
                0, 0, f"said: {name}", size=10, color="#a85200"
            )
            row = square(0.1, height - 1.15 - 1.38 * k, 0.1)
            row.text(0, 0, f"true:\n{name}", size=10, color=BLUE, va="center")
        yield lambda i, j: [
            square(1.15 + 2.2 * j + x, height - 1.65 - 1.38 * i, 1) for x in (0, 1.02)
        ]


@contextmanager
def _placed(path, width, height, title):
    """A figure of so many inches with a title; gives a function (left, bottom, side) -> empty axes, a square there."""
    with figure(path, (width, height)) as fig:
        fig.set_layout_engine("none")
        fig.text(0.1 / width, 1 - 0.1 / height, title, va="top", size=11, weight="bold")

        def square(left, bottom, side):
            axes = fig.add_axes((left / width, bottom / height, side / width, side / height))
            axes.set_axis_off()
            return axes

        yield square


def draw(axes, image, heat=None):
    """One image (H, W, C), with a heat map (H, W) over it: where it is 0 only the image shows."""
    shown = as_uint8(image) / 255
    axes.imshow(shown if heat is None else 0.75 * shown, cmap="gray", vmin=0, vmax=1)
    if heat is not None:
        strength = heat / (heat.max() or 1)
        axes.imshow(
            strength, cmap="inferno", vmin=0, vmax=1, alpha=0.8 * np.clip(1.5 * strength, 0, 1)
        )

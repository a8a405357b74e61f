"""The plots of an inspection: layer statistics, feature maps, saliency, confused classes.

Each returns its path, or without one the matplotlib Figure, which a notebook shows.
"""

from contextlib import contextmanager

import numpy as np
from matplotlib import ticker

from ..layers.traverse import watch
from ..ops import softmax
from ..report.grids import as_uint8
from ..report.style import BLUE, GREY, INK, ORANGE, drawable, figure, finished, percent, short
from .diagnosis import DEAD, TOO_FAST, TOO_SLOW, USUAL
from .saliency import grad_cam, saliency, stages, unfused

MOST_STAGES = 12  # rows of the feature maps; of a deeper network every n-th stage
MOST_MAPS = 16  # columns of the feature maps
# The share of the values below the brightest colour: one outlier does not darken all others.
BRIGHTEST = 0.995


def layers(rows, path=None):
    """Four panels: deviations of activations and gradients, zeros, and update ratios, by layer."""
    y = np.arange(len(rows))
    names = [f"{row.path} {row.kind}" for row in rows]
    gradients = [row.gradient and row.gradient.deviation for row in rows]
    zeros = "share of the outputs; ×: of channels\nnever active (dotted: too many)"
    update = "one step / the weights\n(shaded: networks that train)"
    panels = (
        ("Activations", "standard deviation", [row.activation.deviation for row in rows]),
        ("Gradients", "standard deviation,\nof each image's loss", gradients),
        ("Zeros", zeros, [row.activation.zeros for row in rows]),
        ("Update/weight", update, [row.update for row in rows]),
    )
    with figure(path, (11, float(np.clip(0.2 * len(rows) + 1.4, 2.6, 30)))) as fig:
        all_axes = fig.subplots(1, 4, sharey=True)
        for axes, (title, label, values) in zip(all_axes, panels, strict=True):
            values = np.array([np.nan if v is None else v for v in values], float)
            axes.plot(values, y, "o-", color=GREY if title == "Zeros" else BLUE, lw=1, ms=4)
            axes.set_title(title)
            axes.set_xlabel(label, size=8.5)
            axes.grid(axis="both")
            if title == "Zeros":
                _mark_dead(axes, rows)
            elif (values[np.isfinite(values)] > 0).any():
                _set_log_scale(axes, *((TOO_SLOW, TOO_FAST) if title == "Update/weight" else ()))
            axes.tick_params(labelsize=8)
        axes.axvspan(TOO_SLOW, TOO_FAST, color=BLUE, alpha=0.07, lw=0)
        axes.axvline(USUAL, color=BLUE, lw=0.8, ls=":")
        step = max(1, len(rows) // 100)
        axes.set_yticks(y[::step], names[::step])
        axes.set_ylim(len(rows) - 0.4, -0.6)
    return finished(fig, path)


def _mark_dead(axes, rows):
    """A cross at the share of dead channels of each layer that has any to count."""
    dead = [(row.dead / row.units, i) for i, row in enumerate(rows) if row.units]
    if dead:
        axes.plot(*zip(*dead, strict=True), "x", color=ORANGE, ms=6)
        axes.axvline(DEAD, color=ORANGE, lw=0.8, ls=":")
    axes.set_xlim(-0.04, 1.04)


def _set_log_scale(axes, *included):
    """A logarithmic x axis over the points and `included`, at least two decades wide."""
    values = np.concatenate([line.get_xdata() for line in axes.lines] + [included])
    values = values[np.isfinite(values) & (values > 0)]
    low, high = values.min() / 2, values.max() * 2
    widen = max(1.0, np.sqrt(100 * low / high))
    axes.set(xscale="log", xlim=(low / widen, high * widen))
    axes.xaxis.set_major_locator(ticker.LogLocator(numticks=5))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_locator(ticker.NullLocator())


def feature_maps(net, image, paths=None, path=None):
    """The outputs of the layers `paths` for one image (H, W, C); None: every stage of the network.

    A row a layer: the channels with the largest mean, on one scale, from 0 (or the least value) to
    the BRIGHTEST quantile. Returns the path, or without one the Figure. Raises ShapeError where no
    layer has feature maps, ValueError for a fused network.
    """
    image = np.asarray(image)
    unfused(net)
    if paths is None:
        paths = stages(net, image[None])
    paths = paths[:: -(-len(paths) // MOST_STAGES)]
    outputs = {}  # {path: (kind of layer, (h, w, C))}

    def on_forward(path, layer, x, y, cache):
        outputs[path] = type(layer).__name__, y[0]

    with watch(net, on_forward):
        net.forward(image[None], train=False)
    columns = min(MOST_MAPS, max(outputs[stage][1].shape[2] for stage in paths))
    width, height = max(0.66 * columns + 2.2, 4.8), 0.8 * len(paths) + 0.45
    title = "Feature maps: the strongest channels of each stage"
    with _free_figure(path, width, height, title) as (fig, add_square):
        show_image(add_square(0.1, height - 1.15, 0.6), image)
        for i, stage in enumerate(paths):
            _feature_row(add_square, height - 1.15 - 0.8 * i, stage, *outputs[stage], columns)
    return finished(fig, path)


def _feature_row(add_square, bottom, stage, kind, y, columns):
    """One layer's output y (h, w, C): its strongest channels, side by side."""
    strongest = np.argsort(-y.mean(axis=(0, 1)), kind="stable")[:columns]
    low = min(0.0, float(y[..., strongest].min()))
    high = float(np.quantile(y[..., strongest], BRIGHTEST))
    high = high if high > low else low + 1
    for j, channel in enumerate(strongest):
        axes = add_square(2.15 + 0.66 * j, bottom, 0.6)
        axes.imshow(y[..., channel], cmap="magma", vmin=low, vmax=high)
        axes.set_title(f"{channel}", size=6.5, color=GREY, pad=2, loc="center", weight="normal")
    text = f"{stage} {kind}\n{y.shape[0]} × {y.shape[1]}, {len(strongest)} of {y.shape[2]}"
    add_square(1.4, bottom, 0.6).text(1.05, 0.5, text, ha="right", va="center", size=7)


def look(net, image, title="", probabilities=None, classes=None, path=None, layer=None):
    """One image (H, W, C), its saliency, and Grad-CAM of its three likeliest classes.

    Without `layer`, the path of one with feature maps, there is no Grad-CAM. `probabilities` (K,)
    are net's own unless given.
    """
    image = np.asarray(image)
    if probabilities is None:
        probabilities = softmax(net.infer(image[None]))[0][0]
    classes = range(len(probabilities)) if classes is None else classes
    names = drawable(classes)
    best = np.argsort(-probabilities, kind="stable")[:3]
    batch = np.repeat(image[None], len(best), axis=0)  # (3, H, W, C)
    # (title, heat map, probability) of each panel
    panels = [
        (short(title, 28), None, None),
        (
            f"saliency of {short(names[best[0]])}",
            saliency(net, batch[:1], best[:1])[0],
            probabilities[best[0]],
        ),
    ]
    if layer is not None:
        for k, heat in zip(best, grad_cam(net, batch, best, layer), strict=True):
            panels.append((f"Grad-CAM of {short(names[k])}", heat, probabilities[k]))
    with figure(path, (2.15 * len(panels), 2.6)) as fig:
        all_axes = fig.subplots(1, len(panels))
        for i, (axes, (title, heat, probability)) in enumerate(zip(all_axes, panels, strict=True)):
            axes.set_axis_off()
            if i == 1:
                axes.imshow(heat, cmap="magma", vmin=0)
            else:
                show_image(axes, image, heat)
            axes.set_title(title, size=9, loc="left", weight="normal", color=INK)
            if probability is not None:
                _write_below(axes, percent(probability), 8.5)
    return finished(fig, path)


def confusions(net, images, labels, probabilities, classes, group, path=None, heat=grad_cam):
    """For each pair of the classes `group` the most confident prediction, and what led to it.

    Rows are true classes, columns predicted ones. Beside each image stands heat(net, images,
    predicted classes), drawn over it: the evidence for the predicted class.
    """
    names = [short(name) for name in drawable(classes)]
    predicted = probabilities.argmax(axis=1)  # (N,)
    examples = {}  # {(row, column): (index of the image, how many such images)}
    for i, j in np.ndindex(len(group), len(group)):
        members = np.flatnonzero((labels == group[i]) & (predicted == group[j]))
        if len(members):
            most_confident = probabilities[members, group[j]].argmax()
            examples[i, j] = members[most_confident], len(members)
    chosen = [index for index, _ in examples.values()]
    heats = {}
    if chosen:
        heats = dict(zip(examples, heat(net, images[chosen], predicted[chosen]), strict=True))
    with _pair_grid(path, [names[k] for k in group]) as (fig, cell):
        for i, j in np.ndindex(len(group), len(group)):
            left, right = cell(i, j)
            if (i, j) not in examples:
                left.text(0, 0.5, "never", transform=left.transAxes, size=8.5, color=GREY)
                continue
            index, count = examples[i, j]
            show_image(left, images[index])
            show_image(right, images[index], heats[i, j])
            errors = "such error" if count == 1 else "such errors"
            text = f"{percent(probabilities[index].max())}; {count:,} "
            _write_below(left, text + ("correct" if i == j else errors), 7.5)
    return finished(fig, path)


def _write_below(axes, text, size):
    axes.text(0, -0.04, text, transform=axes.transAxes, size=size, color=GREY, va="top")


@contextmanager
def _pair_grid(path, names):
    """A figure with a row and a column for each name.

    Gives it, and a function (row, column) -> two axes of one inch.
    """
    width, height = 2.2 * len(names) + 1.15, 1.38 * len(names) + 0.75
    title = "The most confident image of each kind, and the evidence for the predicted class"
    with _free_figure(path, width, height, title) as (fig, add_square):
        for k, name in enumerate(names):
            column = add_square(1.15 + 2.2 * k, height - 0.58, 0.1)
            column.text(0, 0, f"predicted: {name}", size=10, color="#a85200")
            row = add_square(0.1, height - 1.15 - 1.38 * k, 0.1)
            row.text(0, 0, f"true:\n{name}", size=10, color=BLUE, va="center")

        def cell(i, j):
            left, bottom = 1.15 + 2.2 * j, height - 1.65 - 1.38 * i
            return add_square(left, bottom, 1), add_square(left + 1.02, bottom, 1)

        yield fig, cell


@contextmanager
def _free_figure(path, width, height, title):
    """A figure of so many inches with a title and no layout.

    Gives it, and a function (left, bottom, size) -> empty square axes there, in inches.
    """
    with figure(path, (width, height)) as fig:
        fig.set_layout_engine("none")
        fig.text(0.1 / width, 1 - 0.1 / height, title, va="top", size=11, weight="bold")

        def add_square(left, bottom, size):
            axes = fig.add_axes((left / width, bottom / height, size / width, size / height))
            axes.set_axis_off()
            return axes

        yield fig, add_square


def show_image(axes, image, heat=None):
    """One image (H, W, C), with a heat map (H, W) over it: where it is 0 only the image shows."""
    pixels = as_uint8(image) / 255
    axes.imshow(pixels if heat is None else 0.75 * pixels, cmap="gray", vmin=0, vmax=1)
    if heat is not None:
        strength = heat / (heat.max() or 1)
        opacity = 0.8 * np.clip(1.5 * strength, 0, 1)
        axes.imshow(strength, cmap="inferno", vmin=0, vmax=1, alpha=opacity)

"""The plots of a run: learning curves, confusion matrix, most confident errors, filters.

Every function takes data and a path (.png; .svg and .pdf work too) and returns the path; without a
path it returns the matplotlib Figure, which a notebook shows. An open file takes a PNG. Nothing
here uses pyplot or a display. A plot is drawn in memory, written beside its path, then renamed.
"""

import numpy as np
from matplotlib import colors

from .. import metrics
from ..errors import ShapeError
from .style import BLUE, GREY, INK, LINE, ORANGE, drawable, figure, finished, notice, percent, short

RIGHT = colors.LinearSegmentedColormap.from_list("right", ["#ffffff", "#b9d7ee", BLUE])
MOST_BARS = 10  # classes in the picture of a prediction
WRONG = colors.LinearSegmentedColormap.from_list("wrong", ["#ffffff", "#fbd3a4", ORANGE, "#9c4500"])


def learning_curves(history, path=None):
    """Loss, accuracy and learning rate against the epoch.

    history: a dict of lists: loss, accuracy, val_loss, val_accuracy, lr. Any may be missing;
    None, nan and infinity leave gaps.
    """
    curves = {key: _series(history.get(key, ())) for key in ("loss", "accuracy", "lr")}
    checks = {key: _series(history.get("val_" + key, ())) for key in ("loss", "accuracy")}
    keys = [key for key in curves if np.isfinite(np.r_[curves[key], checks.get(key, [])]).any()]
    if not keys:
        return notice("No epoch has been finished yet.", path)
    with figure(path, (3.7 * len(keys) + 0.4, 3.6)) as fig:
        for axes, key in zip(fig.subplots(1, len(keys), squeeze=False)[0], keys, strict=True):
            scale = 100 if key == "accuracy" else 1
            _curve(axes, scale * curves[key], "training", BLUE, "-")
            if key in checks:
                _validation(axes, scale * checks[key], key)
            _finish_curve(axes, key, max(map(len, (*curves.values(), *checks.values()))))
    return finished(fig, path)


def confusion(matrix, classes, path=None):
    """Counts of (true, predicted): the diagonal blue, errors orange, darker for a larger share."""
    matrix, names = metrics.check_confusion(matrix), drawable(classes)
    k = _same_classes(len(matrix), names)
    share = row_shares(matrix)  # (K, K)
    diagonal = np.eye(k, dtype=bool)
    inches = float(np.clip(0.62 * k + 1.6, 4.5, 13))
    with figure(path, (inches + 0.9, inches)) as fig:
        axes = fig.subplots()
        worst = max(0.05, share[~diagonal].max(initial=0))
        scale = colors.PowerNorm(0.7, 0, worst)
        axes.imshow(np.ma.array(share, mask=~diagonal), cmap=RIGHT, vmin=0, vmax=1)
        drawn = axes.imshow(np.ma.array(share, mask=diagonal), cmap=WRONG, norm=scale)
        if k <= 20:
            _counts(axes, matrix, share, worst)
        bar = fig.colorbar(
            drawn, ax=axes, shrink=0.5, aspect=25, format=lambda v, _: f"{100 * v:.0f} %"
        )
        bar.set_label("errors: share of the true class")
        bar.outline.set_visible(False)
        axes.set(xlabel="predicted class", ylabel="true class")
        axes.set_title(f"Confusion matrix: {np.trace(matrix):,} of {matrix.sum():,} correct")
        _class_ticks(axes, names)
    return finished(fig, path)


def mistakes(images, labels, probabilities, classes, path=None, count=24):
    """A grid of the `count` most confident errors, each with true class -> predicted class.

    images: uint8 (N, H, W, 1) or (N, H, W, 3); labels (N,); probabilities (N, K); classes: K names.
    """
    images, names = _checked_images(images, labels), drawable(classes)
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    worst = worst_mistakes(labels, probabilities, count)
    _same_classes(probabilities.shape[1], names)
    if not len(worst):
        return notice("No errors: every image was classified correctly.", path)
    columns = min(8, len(worst))
    rows = -(-len(worst) // columns)
    width, height = max(1.35 * columns, 6.6), 1.85 * rows + 0.35  # inches
    with figure(path, (width, height)) as fig:
        fig.set_layout_engine("none")
        title = "Most confident errors: true → predicted class, and its probability"
        fig.text(0.1 / width, 1 - 0.1 / height, title, va="top", size=11, weight="bold")
        for position, i in enumerate(worst):
            row, column = divmod(position, columns)
            left = 0.1 + 1.35 * column
            bottom = 1.85 * (rows - row - 1) + 0.2
            axes = fig.add_axes((left / width, bottom / height, 1.2 / width, 1.2 / height))
            guess = probabilities[i].argmax()
            _mistake(axes, images[i], names[labels[i]], names[guess], probabilities[i, guess])
    return finished(fig, path)


def filters(weights, path=None):
    """The filters (kh, kw, C, F) of a first convolution, on one scale with 0 in the middle.

    C = 1: blue below 0, red above. C = 3: as colours, mid grey is 0. Other C: the channels' mean.
    """
    weights = np.asarray(weights, dtype=np.float64)
    if weights.ndim != 4 or not weights.size:
        raise ShapeError(f"filters: weights have shape {weights.shape}; expected (kh, kw, C, F)")
    channels, total = weights.shape[2:]
    weights = np.nan_to_num(weights[..., :64])  # (kh, kw, C, F), F at most 64
    colour = channels == 3
    tiles = weights if colour else weights.mean(axis=2, keepdims=True)  # (kh, kw, 3 or 1, F)
    count = tiles.shape[-1]
    limit = np.abs(tiles).max() or 1.0
    columns = min(8 if total <= 32 else 16, count)
    rows = -(-count // columns)
    with figure(path, (max(0.8 * columns + 1.3, 4.4), max(0.8 * rows + 0.6, 1.8))) as fig:
        title = _filters_title(weights.shape, total)
        fig.suptitle(title, x=0.01, ha="left", size=11, weight="bold")
        cells = fig.subplots(rows, columns, squeeze=False)
        for i, axes in enumerate(cells.ravel()):
            axes.set_axis_off()
            if colour and i < count:
                axes.imshow(0.5 + 0.5 * tiles[..., i] / limit)
            elif i < count:
                drawn = axes.imshow(tiles[:, :, 0, i], cmap="RdBu_r", vmin=-limit, vmax=limit)
        if not colour:
            bar = fig.colorbar(drawn, ax=cells, aspect=25, pad=0.02)
            bar.set_label("weight")
            bar.outline.set_visible(False)
    return finished(fig, path)


def worst_mistakes(labels, probabilities, count=24):
    """Indices of the `count` wrong predictions of the highest probability, highest first.

    Ties stay in order. Raises ShapeError, and ValueError for what is no probability.
    """
    metrics.top_k_accuracy(labels, probabilities, 1)  # refuses what does not fit
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    if probabilities.min() < 0 or probabilities.max() > 1.001:
        raise ValueError(
            "these are no probabilities (some below 0 or above 1); logits: apply softmax first"
        )
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][: max(count, 0)]


def row_shares(matrix):
    """Each row of counts divided by its sum; a row without counts stays 0."""
    return matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)


def _series(values):
    values = np.array(list(values), dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _curve(axes, values, label, color, dashes):
    if np.isfinite(values).any():
        epochs = np.arange(1, len(values) + 1)
        marker = "o" if len(values) <= 12 else None
        axes.plot(epochs, values, dashes, color=color, label=label, marker=marker)


def _validation(axes, values, key):
    """The curve, a ring around its best value, and that value in the legend."""
    if np.isfinite(values).any():
        best = int(np.nanargmax(values) if key == "accuracy" else np.nanargmin(values))
        text = f"{values[best]:.2f} %" if key == "accuracy" else f"{values[best]:.3f}"
        _curve(axes, values, f"validation, best {text}", ORANGE, "--")
        axes.plot(best + 1, values[best], "o", ms=8, mfc="none", mec=ORANGE, mew=1.8)


def _finish_curve(axes, key, epochs):
    axes.set_title({"loss": "Loss", "accuracy": "Accuracy", "lr": "Learning rate"}[key])
    labels = {"loss": "cross-entropy", "accuracy": "% correct", "lr": "step size"}
    axes.set(xlabel="epoch", ylabel=labels[key])
    axes.set_xlim(1 - 0.04 * epochs, 1.04 * epochs)
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.margins(y=0.08)
    axes.grid(axis="y")
    if key != "accuracy":
        axes.set_ylim(bottom=0)
    if key != "lr":
        axes.legend(loc="lower right" if key == "accuracy" else "upper right")


def _mistake(axes, image, truth, guess, confidence):
    axes.set_axis_off()
    axes.imshow(image.squeeze(-1) if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255)
    lines = ((1.19, short(truth), BLUE), (1.045, "→ " + short(guess), "#a85200"))
    for y, text, color in lines:
        axes.text(0, y, text, transform=axes.transAxes, size=8.5, color=color)
    axes.text(0, -0.04, percent(confidence), transform=axes.transAxes, size=8, color=GREY, va="top")


def _counts(axes, matrix, share, worst):
    """Write each count that is not 0 into its cell, white where the cell is dark."""
    for (i, j), count in np.ndenumerate(matrix):
        if count:
            dark = share[i, j] > (0.75 if i == j else 0.45 * worst)
            color = "white" if dark else INK
            axes.text(j, i, f"{count}", ha="center", va="center", size=9, color=color)


def _class_ticks(axes, names):
    k = len(names)
    size = float(np.clip(160 / k, 5, 10))
    labels = [short(name) for name in names]
    axes.set_xticks(range(k), labels, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(k), labels)
    axes.tick_params(length=0, labelcolor=INK, labelsize=size)
    axes.set_xticks(np.arange(k + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(k + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#eef1f4", linewidth=0.8)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)


def _filters_title(shape, total):
    height, width, channels, drawn = shape
    which = f"All {total} filters" if drawn == total else f"The first {drawn} of {total} filters"
    mean = f", mean over {channels} channels"
    how = {1: "", 3: ", as colours (mid grey: weight 0)"}.get(channels, mean)
    return f"{which} of the first convolution, {height} × {width}{how}"


def _checked_images(images, labels):
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ShapeError(f"images have shape {images.shape}; expected (N, H, W, 1) or (N, H, W, 3)")
    if images.dtype != np.uint8:
        raise ValueError(f"images are {images.dtype}; expected the raw uint8 images, 0 to 255")
    if len(images) != len(labels):
        raise ShapeError(f"{len(images)} images but {len(labels)} labels; expected as many of each")
    return images


def _same_classes(k, names):
    if k != len(names):
        raise ShapeError(f"{len(names)} class names for {k} classes; expected one name a class")
    return k


def prediction(given, image, probabilities, path=None, note=""):
    """A picture that was given, what the network gets of it, and the likeliest classes.

    given: a Pillow image; image: the uint8 (H, W, C) made of it; probabilities: {class: p}.
    """
    with figure(path, (9.6, 3.5)) as fig:
        left, middle, right = fig.subplots(1, 3, width_ratios=(3, 3, 3.2))
        left.imshow(np.asarray(given))
        left.set_title("Image")
        pixels = image.squeeze(-1) if image.shape[-1] == 1 else image
        middle.imshow(pixels, cmap="gray", vmin=0, vmax=255)
        middle.set_title(f"Network input, {image.shape[0]} × {image.shape[1]}")
        for axes in (left, middle):
            axes.set(xticks=[], yticks=[], anchor="N")
            axes.spines[:].set_visible(True)
            axes.spines[:].set_color(LINE)
        color = ORANGE if note else BLUE
        _bars(right, drawable(probabilities), np.array([*probabilities.values()]), color)
        if note:
            fig.supxlabel(note, color="#a85200", size=10)
    return finished(fig, path)


def _bars(axes, names, probabilities, color):
    """The likeliest classes, the first on top."""
    best = np.argsort(-probabilities, kind="stable")[:MOST_BARS]
    y = np.arange(len(best))
    axes.barh(y, 100 * probabilities[best], 0.62, color=color)
    for i, k in enumerate(best):
        x = 100 * probabilities[k] + 2
        axes.text(x, i, percent(probabilities[k]), va="center", size=9, color=GREY)
    axes.set(yticks=y, yticklabels=[short(names[k]) for k in best], xticks=[], xlim=(0, 122))
    axes.set_ylim(max(len(best), 3) - 0.5, -0.6)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["bottom"].set_visible(False)
    axes.set_title("Predicted class")

"""VGG-like, of mirror convolutions: an image and its mirror image get the same answer."""

from ..errors import ShapeError
from ..layers import (
    Dense,
    Dropout,
    GlobalAvgPool,
    MaxPool2D,
    MirrorBatchNorm,
    MirrorConv2D,
    MirrorMean,
    Sequential,
    Standardize,
)
from ..layers import activation as activation_layer
from ..layers.dropout import rates


def mirror_vgg(
    filters=(24, 44, 64), depth=2, kernel_size=3, dropout=0, activation="relu", classes=10,
    input_shape=(28, 28, 1), init="he_normal", mean=0.0, std=1.0, rng=None,
):  # fmt: skip
    """`depth` times mirror convolution, batch norm, ReLU a level, a pool between levels, dropout
    after each; then GAP, the mean over each filter and its mirror image, and dense.

    `filters` pairs a level, so twice as many maps; no biases, which batch norm makes idle. By
    default 190,562 parameters, 190,034 trained. Input (N, H, W, C), output logits (N, classes).
    `dropout`: a rate for each level, or one for all. `activation`: as in vgg; "prelu" has one slope
    a layer. Raises ShapeError, here and for images, for a width that a pool does not halve: what it
    leaves out at the right edge would break the symmetry; UnknownNameError, ValueError.
    Source: Cohen & Welling 2016, with the reflection group.
    """
    dropout = rates(dropout, len(filters))
    _, width, channels = input_shape
    if width % 2 ** (len(filters) - 1):
        raise ShapeError(
            f"mirror_vgg halves the width at each of {len(filters) - 1} pools; {width} columns are "
            "no multiple of that: pad the images, or give fewer levels"
        )
    layers, first = [Standardize(mean, std)], True
    for level, count in enumerate(filters):
        for _ in range(depth):
            conv = MirrorConv2D(channels, count, kernel_size, first=first, init=init, rng=rng)
            layers += [conv, MirrorBatchNorm(count), activation_layer(activation, 1)]
            channels, first = count, False
        if level < len(filters) - 1:
            layers.append(MaxPool2D(2, symmetric=True))
        if dropout[level]:
            layers.append(Dropout(dropout[level], rng=rng.spawn(1)[0] if rng else None))
    last = Dense(channels, classes, init=init, rng=rng)
    return Sequential(*layers, GlobalAvgPool(), MirrorMean(), last)

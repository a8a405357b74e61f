"""The paper's final network: 3x3 convolutions with batch norm, at most 198,351 parameters."""

from ..errors import unknown
from ..layers import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    MaxPool2D,
    Sequential,
    Standardize,
)
from ..layers import activation as activation_layer
from ..layers.dropout import rates


def vgg(
    filters=(32, 64, 92), depth=2, kernel_size=3, dropout=(0.1, 0.2, 0.3), activation="relu",
    batch_norm=True, head="gap", hidden=128, classes=10, input_shape=(28, 28, 1),
    init="he_normal", mean=0.0, std=1.0, rng=None,
):  # fmt: skip
    """A level is `depth` times conv, batch norm, ReLU; a pool between levels; then GAP and dense.

    The convolutions keep the bias that Keras gives them, though batch norm makes it idle, as in the
    paper's count. By default 196,778 parameters, 196,026 trained. The head "dense" is instead all
    pixels, one layer of `hidden` units, the classes (VGG itself has two). Input (N, H, W, C),
    output logits (N, classes). `dropout`, after each level: a rate for each, or one for all. Raises
    UnknownNameError, ValueError. Source: the paper's section on the VGG-like network (94.05 %
    there).
    """
    if head not in ("gap", "dense"):
        raise unknown("head of vgg", head, ["gap", "dense"])
    dropout = rates(dropout, len(filters))
    height, width, channels = input_shape
    layers = [Standardize(mean, std)]
    for level, count in enumerate(filters):
        for _ in range(depth):
            conv = Conv2D(channels, count, kernel_size, init=init, rng=rng)
            norm = [BatchNorm(count)] if batch_norm else []
            layers += [conv, *norm, activation_layer(activation, count)]
            channels = count
        if level < len(filters) - 1:
            layers.append(MaxPool2D(2))
            height, width = height // 2, width // 2
        if dropout[level]:
            layers.append(Dropout(dropout[level], rng=rng.spawn(1)[0] if rng else None))
    if head == "gap":
        return Sequential(*layers, GlobalAvgPool(), Dense(channels, classes, init=init, rng=rng))
    units = Dense(height * width * channels, hidden, init=init, rng=rng)
    last = Dense(hidden, classes, init=init, rng=rng)
    return Sequential(*layers, Flatten(), units, activation_layer(activation, hidden), last)

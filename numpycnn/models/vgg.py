"""The paper's final network: stacked 3x3 convolutions with batch norm, at most 198,351 parameters."""

from ..layers import BatchNorm, Conv2D, Dense, Dropout, GlobalAvgPool, MaxPool2D, ReLU, Sequential, Standardize


def vgg(
    filters=(32, 64, 92), depth=2, kernel_size=3, dropout=(0.1, 0.2, 0.3), classes=10, input_shape=(28, 28, 1),
    init="he_normal", mean=0.0, std=1.0, rng=None,
):  # fmt: skip
    """`depth` times conv, batch norm, ReLU a level, a pool between levels, dropout after each; then GAP and dense.

    The convolutions keep the bias that Keras gives them, though batch norm makes it idle, as in the paper's
    count. By default 196,778 parameters, 196,026 trained. Input (N, H, W, C), output logits (N, classes).
    Source: the paper's section on the VGG-like network (94.05 % there).
    """
    channels = input_shape[2]
    layers = [Standardize(mean, std)]
    for level, count in enumerate(filters):
        for _ in range(depth):
            conv = Conv2D(channels, count, kernel_size, init=init, rng=rng)
            layers += [conv, BatchNorm(count), ReLU()]
            channels = count
        if level < len(filters) - 1:
            layers.append(MaxPool2D(2))
        if dropout[level]:
            layers.append(Dropout(dropout[level], rng=rng.spawn(1)[0] if rng else None))
    return Sequential(*layers, GlobalAvgPool(), Dense(channels, classes, init=init, rng=rng))

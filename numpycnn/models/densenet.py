"""DenseNet for small images: every layer of a block sees the outputs of all layers before it."""

from ..layers import (
    AvgPool2D,
    BatchNorm,
    Concat,
    Conv2D,
    Dense,
    Dropout,
    GlobalAvgPool,
    Identity,
    ReLU,
    Sequential,
    Standardize,
)


def densenet(
    depth=22, growth=12, filters=16, compression=1.0, dropout=0.0, blocks=3, classes=10,
    input_shape=(28, 28, 1), init="he_normal", mean=0.0, std=1.0, rng=None,
):  # fmt: skip
    """One convolution of `filters`, then dense blocks of n layers with transitions between.

    depth = blocks * (n + 1) + 1.
    A layer is x -> (x, conv3x3(relu(bn(x)))), `growth` channels more; a transition bn, relu, a 1x1
    convolution that keeps the share `compression` of the channels, and average pooling. By default
    270,418 trained parameters (depth 40, growth 12 is the source's smallest). Input (N, H, W, C),
    output logits (N, classes). Raises ValueError for another depth. Source: Huang et al. 2017,
    section 3.
    """
    if blocks < 1:
        raise ValueError(f"densenet needs at least one block, not {blocks!r}")
    count, rest = divmod(depth - blocks - 1, blocks)
    if rest or count < 1:
        raise ValueError(
            f"densenet's depth is {blocks} n + {blocks + 1} for {blocks} blocks, not {depth!r}"
        )

    def conv(channels, filters, size):
        layers = [
            BatchNorm(channels),
            ReLU(),
            Conv2D(channels, filters, size, bias=False, init=init, rng=rng),
        ]
        return (
            [*layers, Dropout(dropout, rng=rng.spawn(1)[0] if rng else None)] if dropout else layers
        )

    channels = filters
    layers = [
        Standardize(mean, std),
        Conv2D(input_shape[2], channels, 3, bias=False, init=init, rng=rng),
    ]
    for block in range(blocks):
        if block:
            kept = int(compression * channels)
            layers += [*conv(channels, kept, 1), AvgPool2D(2)]
            channels = kept  # height and width are halved
        for _ in range(count):
            layers.append(Concat(Identity(), Sequential(*conv(channels, growth, 3))))
            channels += growth
    layers += [BatchNorm(channels), ReLU(), GlobalAvgPool()]
    return Sequential(*layers, Dense(channels, classes, init=init, rng=rng))

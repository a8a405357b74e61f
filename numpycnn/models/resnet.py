"""ResNet for small images: three stages of residual blocks, as He et al. made it for CIFAR-10."""

from ..layers import (
    Add,
    BatchNorm,
    Conv2D,
    Dense,
    GlobalAvgPool,
    Identity,
    ReLU,
    Sequential,
    Standardize,
)


def resnet(
    depth=20, filters=(16, 32, 64), classes=10, input_shape=(28, 28, 1), init="he_normal",
    mean=0.0, std=1.0, rng=None,
):  # fmt: skip
    """One convolution, s = len(filters) stages of n blocks, GAP, dense: depth = 2 s n + 2.

    So 20, 32, 56, ... with three stages.
    A block is y = relu(x + f(x)), f two convolutions with batch norm. The first convolution of a
    later stage has stride 2; there x passes a 1x1 convolution of stride 2 with batch norm. That
    projection (the source's option B) is made of layers with passes to read above; its zero-padding
    (A) would save 2,752 parameters, 1 % of ResNet-20, for a layer that nothing else uses. By
    default 272,186 trained parameters. Input (N, H, W, C), output logits (N, classes). Raises
    ValueError for another depth. Source: He et al. 2016, section 4.2.
    """
    if not filters:
        raise ValueError("resnet needs the filters of at least one stage")
    blocks, rest = divmod(depth - 2, 2 * len(filters))
    if rest or blocks < 1:
        step = 2 * len(filters)
        raise ValueError(
            f"resnet's depth is {step} n + 2 for {len(filters)} stages ({step + 2}, ...), "
            f"not {depth!r}"
        )

    def conv(channels, count, size, stride):
        convolution = Conv2D(channels, count, size, stride, bias=False, init=init, rng=rng)
        return [convolution, BatchNorm(count)]

    channels = filters[0]
    layers = [Standardize(mean, std), *conv(input_shape[2], channels, 3, 1), ReLU()]
    for stage, count in enumerate(filters):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            shortcut = Identity()
            if (stride, channels) != (1, count):  # x must get the shape of f(x)
                shortcut = Sequential(*conv(channels, count, 1, stride))
            body = Sequential(*conv(channels, count, 3, stride), ReLU(), *conv(count, count, 3, 1))
            layers += [Add(shortcut, body), ReLU()]
            channels = count
    return Sequential(*layers, GlobalAvgPool(), Dense(channels, classes, init=init, rng=rng))

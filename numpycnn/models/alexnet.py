"""The paper's AlexNet for 28x28 images: two convolutions, two pools, two hidden dense layers."""

from ..layers import Conv2D, Dense, Dropout, Flatten, MaxPool2D, ReLU, Sequential, Standardize


def alexnet(
    filters=(32, 64), kernel_size=5, hidden=(256, 128), dropout=0.7, classes=10,
    input_shape=(28, 28, 1), init="he_normal", mean=0.0, std=1.0, rng=None,
):  # fmt: skip
    """The tuned AlexNet; untuned: filters=(16, 32), kernel_size=3, hidden=(128, 64), dropout=0.

    `dropout` follows each hidden layer. Input (N, H, W, C), output logits (N, classes): the softmax
    is in the loss. Source: the paper's section on AlexNet (74.46 % there).
    """
    height, width, channels = input_shape
    layers = [Standardize(mean, std)]
    for count in filters:
        layers += [Conv2D(channels, count, kernel_size, init=init, rng=rng), ReLU(), MaxPool2D(2)]
        height, width, channels = height // 2, width // 2, count  # after the pool
    layers.append(Flatten())  # (N, H, W, C) -> (N, H*W*C)
    features = height * width * channels
    for count in hidden:
        layers += [Dense(features, count, init=init, rng=rng), ReLU()]
        if dropout:
            layers.append(Dropout(dropout, rng=rng.spawn(1)[0] if rng else None))
        features = count
    return Sequential(*layers, Dense(features, classes, init=init, rng=rng))

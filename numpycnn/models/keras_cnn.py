"""The network of Keras's tutorials, which the paper's Kaggle reference trains."""

from ..errors import ShapeError
from ..layers import Conv2D, Dense, Dropout, Flatten, MaxPool2D, ReLU, Sequential, Standardize
from ..layers.dropout import rates


def keras_cnn(
    filters=(32, 64), hidden=128, dropout=(0.25, 0.5), classes=10, input_shape=(28, 28, 1),
    init="glorot_uniform", mean=0.0, std=1.0, rng=None,
):  # fmt: skip
    """Twice 3x3 convolution (no padding), ReLU, pool; then dropout, dense, dropout, dense.

    With fit(patience=...) for its early stopping. By default 225,034 parameters. Input (N, H, W,
    C), at least 10 x 10, output logits (N, classes). Raises ShapeError for smaller images. Source:
    the Keras examples' mnist_cnn with a second pool (about 91 % on Kaggle).
    """
    dropout = rates(dropout, 2)
    height, width, channels = input_shape
    layers = [Standardize(mean, std)]
    for count in filters:
        conv = Conv2D(channels, count, 3, padding="valid", init=init, rng=rng)
        layers += [conv, ReLU(), MaxPool2D(2)]
        height, width, channels = (height - 2) // 2, (width - 2) // 2, count  # "valid"
    if min(height, width) < 1:
        small = " x ".join(map(str, input_shape[:2]))
        raise ShapeError(
            f"keras_cnn has {len(filters)} levels, each of which halves the image and takes its "
            f"edge; of {small} pixels nothing is left: larger images, or fewer filters"
        )
    head = [Flatten(), Dense(height * width * channels, hidden, init=init, rng=rng), ReLU()]
    for rate, part in zip(dropout, ([], head), strict=True):
        layers += part
        if rate:
            layers.append(Dropout(rate, rng=rng.spawn(1)[0] if rng else None))
    return Sequential(*layers, Dense(hidden, classes, init=init, rng=rng))

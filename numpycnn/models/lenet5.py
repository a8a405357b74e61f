"""LeNet-5, in the form that is usual today: tanh, average pooling, softmax, not radial units."""

from ..errors import ShapeError
from ..layers import AvgPool2D, Conv2D, Dense, Flatten, Sequential, Standardize, Tanh


def lenet5(classes=10, input_shape=(28, 28, 1), init="lecun_normal", mean=0.0, std=1.0, rng=None):
    """Twice 5x5 convolution, tanh, average pool; then 120 and 84 units with tanh.

    The first convolution keeps the size, where the source pads 28x28 to 32x32; the second does not
    pad, and sees all maps. By default 61,706 parameters. Input (N, H, W, C), at least 12 x 12,
    output logits (N, classes). Raises ShapeError for smaller images. Source: LeCun et al. 1998,
    II.B.
    """
    height, width, channels = input_shape
    if min(height, width) < 12:
        raise ShapeError(f"lenet5 needs images of at least 12 x 12 pixels, not {height} x {width}")
    layers = [
        Standardize(mean, std),
        Conv2D(channels, 6, 5, init=init, rng=rng), Tanh(), AvgPool2D(2),
        Conv2D(6, 16, 5, padding="valid", init=init, rng=rng), Tanh(), AvgPool2D(2), Flatten(),
    ]  # fmt: skip
    features = ((height // 2 - 4) // 2) * ((width // 2 - 4) // 2) * 16
    for count in (120, 84):
        layers += [Dense(features, count, init=init, rng=rng), Tanh()]
        features = count
    return Sequential(*layers, Dense(features, classes, init=init, rng=rng))

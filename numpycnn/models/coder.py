"""What autoencoders and generators are made of: from an image down to a code, and up from one."""

import numpy as np

from ..errors import ShapeError
from ..layers import (
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    MaxPool2D,
    ReLU,
    Reshape,
    Sequential,
    Standardize,
    Upsample2D,
)
from ..ops.loss import check_labels

PIXELS = 0.5, 0.5  # mean and deviation that bring pixels in [0, 1] to [-1, 1]


def smallest(filters, input_shape):
    """(height, width) of an image that is halved between the levels.

    Raises ShapeError where it cannot be.
    """
    halvings = 2 ** (len(filters) - 1)
    if any(n % halvings for n in input_shape[:2]):
        raise ShapeError(
            f"{len(filters)} levels halve the image to 1/{halvings}; {input_shape[:2]} cannot be"
        )
    return tuple(n // halvings for n in input_shape[:2])


def block(channels, count, init, rng):
    """A 3x3 convolution, batch norm, ReLU."""
    return [Conv2D(channels, count, 3, bias=False, init=init, rng=rng), BatchNorm(count), ReLU()]


def down(filters, depth, channels, init, rng):
    """`depth` blocks a level, each level at half the size of the one before."""
    layers = []
    for level, count in enumerate(filters):
        layers += [MaxPool2D(2)] if level else []
        for _ in range(depth):
            layers += block(channels, count, init, rng)
            channels = count
    return layers


def up(filters, depth, channels, init, rng):
    """The way back: blocks, then twice the size, from the last of `filters` to the first.

    At its end an image.
    """
    layers, count = [], filters[-1]
    for level, following in reversed(list(enumerate((filters[0], *filters[:-1])))):
        for i in range(depth):
            inside = filters[level] if i < depth - 1 else following
            layers += block(count, inside, init, rng)
            count = inside
        layers += [Upsample2D(2)] if level else []
    return [*layers, Conv2D(count, channels, 3, init=init, rng=rng)]


def encoder(outputs, filters, depth, input_shape, classes, init, rng):
    """Images (N, H, W, C + classes) -> (N, outputs)"""
    h, w = smallest(filters, input_shape)  # of the last level
    body = down(filters, depth, input_shape[2] + classes, init, rng)
    return Sequential(
        Standardize(*PIXELS),
        *body,
        Flatten(),
        Dense(h * w * filters[-1], outputs, init=init, rng=rng),
    )


def decoder(inputs, filters, depth, input_shape, init, rng):
    """(N, inputs) -> (N, H, W, C), before any sigmoid"""
    shape = (*smallest(filters, input_shape), filters[-1])
    first = Dense(inputs, int(np.prod(shape)), bias=False, init=init, rng=rng)
    return Sequential(
        first,
        Reshape(*shape),
        BatchNorm(filters[-1]),
        ReLU(),
        *up(filters, depth, input_shape[2], init, rng),
    )


def with_classes(x, one_hot):
    """x with the class beside it: (N, D) -> (N, D + K), images (N, H, W, C) -> (N, H, W, C + K).

    one_hot (N, K); of an image every pixel gets it: K planes, of which one is 1 and the others 0. K
    may be 0. uint8 images are brought to [0, 1] first, so that both are in one unit.
    """
    if one_hot is None or one_hot.shape[1] == 0:
        return x
    if x.dtype == np.uint8:
        x = x.astype(np.float32) / 255
    planes = one_hot.reshape(len(x), *(1,) * (x.ndim - 2), -1)  # (N, K) or (N, 1, 1, K)
    planes = np.broadcast_to(planes.astype(x.dtype), (*x.shape[:-1], one_hot.shape[1]))
    return np.concatenate([x, planes], axis=-1)


def one_hot(labels, classes):
    """(N,) integers -> (N, classes) float32, a 1 in each row; None where there are no classes.

    Raises ValueError for labels out of range, and where they are missing; ShapeError, TypeError as
    check_labels does.
    """
    if not classes:
        return None
    if labels is None:
        raise ValueError(
            f"this network was trained with {classes} classes: give labels, (N,) integers"
        )
    return np.eye(classes, dtype=np.float32)[check_labels(labels, len(labels), classes)]

"""Generative adversarial networks: a generator draws images, a critic tells them from real ones."""

import numpy as np

from ..layers import (
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    Layer,
    LeakyReLU,
    Sequential,
    Sigmoid,
    Standardize,
)
from .coder import PIXELS, decoder, one_hot, smallest, with_classes


class GAN(Layer):
    """Noise (N, D [+ K]) -> generator -> image (N, H, W, C) -> critic -> score (N, 1)

    Two networks that are saved together. With K classes the noise has the class beside it, and the
    critic sees it beside the image.
    """

    def __init__(self, generator, critic, latent, classes):
        self.generator, self.critic, self.latent, self.classes = generator, critic, latent, classes
        self.input_shape = (latent + classes,)

    def forward(self, x, train=False):
        """Raises ValueError where the GAN was saved without its critic."""
        if self.critic is None:
            raise ValueError("this GAN has no critic, it can only draw: use decode")
        image, first = self.generator.forward(x, train)
        score, second = self.critic.forward(with_classes(image, x[:, self.latent :]), train)
        return score, (first, second)

    def backward(self, dy, cache):
        """The score's gradient passes through the critic into the image, then the generator."""
        first, second = cache
        dimage = self.critic.backward(dy, second)  # (N, H, W, C + K)
        channels = dimage.shape[3] - self.classes
        dx = self.generator.backward(np.ascontiguousarray(dimage[..., :channels]), first)
        dx[:, self.latent :] += dimage[..., channels:].sum(axis=(1, 2))
        return dx

    def decode(self, z, labels=None):
        """Noise (N, latent), with classes labels (N,) -> images in [0, 1].

        Raises as one_hot does.
        """
        return self.generator.infer(with_classes(z, one_hot(labels, self.classes)))


def gan(
    latent=64, classes=0, filters=(32, 64, 96), depth=1, critic=True, batch_norm=False,
    input_shape=(28, 28, 1), init="he_normal", rng=None,
):  # fmt: skip
    """Generator and critic (discriminator in the first GAN); without the critic, only what draws.

    The critic pools by the mean, so that its slope has no holes. With `batch_norm` it has that from
    its second convolution on; a gradient penalty needs it without, so that each example has a slope
    of its own (layers.InputGradient). Source: Goodfellow et al. 2014; Radford et al. 2016 (batch
    norm); Gulrajani et al. 2017 (none); Mirza & Osindero 2014 (conditional).
    """
    up = decoder(latent + classes, filters, depth, input_shape, init, rng)
    generator = Sequential(*up.layers, Sigmoid())
    judge = _critic(filters, batch_norm, input_shape, classes, init, rng) if critic else None
    return GAN(generator, judge, latent, classes)


def _critic(filters, batch_norm, input_shape, classes, init, rng):
    layers, channels = [Standardize(*PIXELS)], input_shape[2] + classes
    for level, count in enumerate(filters):
        layers += [AvgPool2D(2)] if level else []
        norm = [BatchNorm(count)] if batch_norm and level else []
        layers += [
            Conv2D(channels, count, 3, init=init, rng=rng, bias=not norm),
            *norm,
            LeakyReLU(0.2),
        ]
        channels = count
    h, w = smallest(filters, input_shape)
    return Sequential(*layers, Flatten(), Dense(h * w * channels, 1, init=init, rng=rng))

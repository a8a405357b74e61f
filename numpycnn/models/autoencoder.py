"""Autoencoders: an image is written as a code, and read back from it."""

from ..layers import (
    Concat,
    Conv2D,
    Identity,
    Layer,
    MaxPool2D,
    Sequential,
    Sigmoid,
    Standardize,
    Upsample2D,
)
from .coder import PIXELS, block, decoder, encoder, smallest


class Autoencoder(Layer):
    """y = decoder(encoder(x))      x, y: images (N, H, W, C), x uint8 or in [0, 1], y in [0, 1]"""

    def __init__(self, encoder, decoder, latent):
        self.encoder, self.decoder, self.latent, self.classes = encoder, decoder, latent, 0

    def forward(self, x, train=False):
        code, first = self.encoder.forward(x, train)  # (N, latent)
        y, second = self.decoder.forward(code, train)  # (N, H, W, C)
        return y, (first, second)

    def backward(self, dy, cache):
        first, second = cache
        dcode = self.decoder.backward(dy, second)
        return self.encoder.backward(dcode, first)

    def encode(self, x, labels=None):
        """Images -> codes (N, latent)"""
        return self.encoder.infer(x)

    def decode(self, z, labels=None):
        """Codes (N, latent) -> images in [0, 1]"""
        return self.decoder.infer(z)


def autoencoder(
    latent=32, filters=(32, 64, 128), depth=2, input_shape=(28, 28, 1), init="he_normal", rng=None
):
    """Undercomplete: `latent` numbers for 784 pixels.

    Convolutions and pools down, convolutions and upsampling up.
    Output: pixels in [0, 1]. Source: Hinton & Salakhutdinov 2006, with convolutions.
    """
    down = encoder(latent, filters, depth, input_shape, 0, init, rng)
    up = decoder(latent, filters, depth, input_shape, init, rng)
    return Autoencoder(down, Sequential(*up.layers, Sigmoid()), latent)


def denoiser(filters=(32, 64, 128), depth=2, input_shape=(28, 28, 1), init="he_normal", rng=None):
    """Overcomplete: its code, `filters` maps at full, half and quarter size, has 56 numbers a
    pixel, not less than one.

    It cannot learn by leaving out, so it is trained to take noise away. Each level is a dense block
    around the next smaller one, Concat(Identity(), body): detail goes across, context goes round.
    Output: pixels in [0, 1]. Raises ShapeError for an image that cannot be halved between the
    levels. Source: Vincent et al. 2008 (denoising); Ronneberger et al. 2015 (the shape).
    """

    smallest(filters, input_shape)

    def blocks(channels, count):
        return [
            layer
            for i in range(depth)
            for layer in block(count if i else channels, count, init, rng)
        ]

    def level(channels, counts):
        count, *smaller = counts
        layers = blocks(channels, count)
        if smaller:
            around = Sequential(MaxPool2D(2), *level(count, smaller), Upsample2D(2))
            layers += [Concat(Identity(), around), *blocks(count + smaller[0], count)]
        return layers

    body = level(input_shape[2], list(filters))
    last = Conv2D(filters[0], input_shape[2], 3, init=init, rng=rng)
    return Sequential(Standardize(*PIXELS), *body, last, Sigmoid())

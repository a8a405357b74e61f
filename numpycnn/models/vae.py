"""The variational autoencoder: a code that is a distribution, so that new codes can be drawn."""

import numpy as np

from .. import ops
from ..layers import Layer, Sampling
from ..ops.checks import images
from .coder import decoder, encoder, one_hot, with_classes


class VAE(Layer):
    """logits = decoder(z)      z ~ N(mean, exp(log_var))      (mean, log_var) = encoder(x)

    Images (N, H, W, C), or with their class beside them (N, H, W, C + K): then the decoder gets it
    too.
    """

    def __init__(self, encoder, sampling, decoder, latent, classes):
        self.encoder, self.sampling, self.decoder = encoder, sampling, decoder
        self.latent, self.classes = latent, classes

    def forward(self, x, train=False):
        x = images(x)
        channels = x.shape[3] - self.classes
        stats, first = self.encoder.forward(x, train)  # (N, 2 * latent): means, log variances
        z, second = self.sampling.forward(stats, train)  # (N, latent)
        logits, third = self.decoder.forward(with_classes(z, x[:, 0, 0, channels:]), train)
        return logits, (first, second, third)

    def backward(self, dy, cache):
        first, second, third = cache
        dz = self.decoder.backward(dy, third)  # (N, latent + K)
        dstats = self.sampling.backward(np.ascontiguousarray(dz[:, : self.latent]), second)
        dx = self.encoder.backward(dstats, first)
        if self.classes:
            dx[:, 0, 0, -self.classes :] += dz[:, self.latent :]
        return dx

    def encode(self, x, labels=None):
        """Images (N, H, W, C), uint8 or in [0, 1] -> means of their codes (N, latent)

        With classes, labels (N,) are needed. Raises as one_hot does.
        """
        stats = self.encoder.infer(with_classes(x, one_hot(labels, self.classes)))
        return self.sampling.infer(stats)

    def decode(self, z, labels=None):
        """Codes (N, latent), with classes labels (N,) -> images: probabilities of white."""
        return ops.sigmoid(self.decoder.infer(with_classes(z, one_hot(labels, self.classes))))[0]


def vae(
    latent=20, classes=0, filters=(32, 64, 48), depth=2, input_shape=(28, 28, 1),
    init="he_normal", rng=None,
):  # fmt: skip
    """`latent` dimensions (2 can be drawn as a map); `classes` > 0 is the conditional form.

    Source: Kingma & Welling 2013; Sohn et al. 2015 (conditional).
    """
    down = encoder(2 * latent, filters, depth, input_shape, classes, init, rng)
    up = decoder(latent + classes, filters, depth, input_shape, init, rng)
    return VAE(down, Sampling(rng.spawn(1)[0] if rng else None), up, latent, classes)

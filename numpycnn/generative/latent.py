"""Images through autoencoders and generators, batch by batch: outputs, codes, samples, and a VAE's
bound.
"""

import numpy as np

from .. import ops
from ..models.coder import one_hot, with_classes


def unit(images):
    """uint8 images -> float32 in [0, 1]"""
    return images.astype(np.float32) / 255 if images.dtype == np.uint8 else images


def evenly(count, array):
    """`count` of the array's items, or all, from its start to its end: data sets may be sorted by
    class.
    """
    return array[np.arange(min(count, len(array))) * len(array) // max(min(count, len(array)), 1)]


def spread(images, labels=None):
    """How much images (N, H, W, C) differ from each other: the root mean variance over the batch,
    of all pixels.

    With labels (N,): how much those of one class do, in the mean over the classes.
    """
    images, labels = (
        unit(np.asarray(images)),
        np.zeros(len(images)) if labels is None else np.asarray(labels),
    )
    parts = [images[labels == k].var(axis=0, dtype=np.float64).mean() for k in np.unique(labels)]
    return float(np.sqrt(np.mean(parts)))


def add_noise(x, deviation, rng):
    """x + deviation * e, e ~ N(0, 1), clipped to [0, 1]"""
    return np.clip(x + np.float32(deviation) * rng.standard_normal(x.shape, np.float32), 0, 1)


def outputs(net, x, batch_size=250):
    """What net gives for images x, batch by batch."""
    parts = (np.array(x[i : i + batch_size]) for i in range(0, len(x), batch_size))
    return np.concatenate([net.infer(part) for part in parts])


def encode(net, x, labels=None, batch_size=250):
    """Codes of images, batch by batch; labels where the network is conditional."""
    parts = [slice(i, i + batch_size) for i in range(0, len(x), batch_size)]
    return np.concatenate(
        [net.encode(x[part], None if labels is None else labels[part]) for part in parts]
    )


def draw(net, count, rng, labels=None, batch_size=500):
    """`count` images in [0, 1] of codes z ~ N(0, 1).

    Labels (count,) where the network is conditional.
    """
    labels = None if labels is None or not net.classes else np.asarray(labels)
    return decode(net, rng.standard_normal((count, net.latent), np.float32), labels, batch_size)


def decode(net, z, labels=None, batch_size=500):
    """Images of codes, batch by batch; labels where the network is conditional."""
    parts = [slice(i, i + batch_size) for i in range(0, len(z), batch_size)]
    return np.concatenate(
        [net.decode(z[part], None if labels is None else labels[part]) for part in parts]
    )


def elbo(net, dataset, rng, batch_size=500):
    """{"negative_elbo", "reconstruction", "kl"} of a VAE on the test images, in nats an image, one
    z drawn for each.
    """
    total = np.zeros(2)
    for i in range(0, len(dataset.x_test), batch_size):
        x, labels = unit(dataset.x_test[i : i + batch_size]), dataset.y_test[i : i + batch_size]
        hot = one_hot(labels, net.classes)
        mean, log_var = np.split(net.encoder.infer(with_classes(x, hot)), 2, axis=1)
        z, _ = ops.gaussian_sample(mean, log_var, rng)
        logits = net.decoder.infer(with_classes(z, hot))
        total += len(x) * np.array(
            [ops.bce_with_logits(logits, x)[0] * x[0].size, ops.gaussian_kl(mean, log_var)[0]]
        )
    reconstruction, kl = (total / len(dataset.x_test)).tolist()
    return {"negative_elbo": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}

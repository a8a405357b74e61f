"""Negative ELBO of finished VAE runs on the test images, in nats, and the floor that grey pixels
set.

python -m benchmarks.generative.elbo runs/vae-fashion-mnist ...

A Bernoulli is never sure of a grey pixel: even the image itself as its own prediction costs -x log
x - (1-x) log(1-x).
"""

import numpy as np

from numpycnn.generative import latent

from .common import arguments, finished, header, write

COLUMNS = ("data", "seed", "latent", "negative_elbo", "reconstruction", "kl", "floor", "minutes")
DRAWS = 5  # codes drawn for each image


def floor(x):
    """Nats an image that no Bernoulli can go below: the entropy of pixels x (N, H, W, C), taken as
    probabilities.
    """
    x = x.astype(np.float64)
    inside = np.where((x > 0) & (x < 1), x, 0.5)
    entropy = -inside * np.log(inside) - (1 - inside) * np.log(1 - inside)
    return float(np.where((x > 0) & (x < 1), entropy, 0).sum() / len(x))


def measure(folder):
    """Name and numbers of one run: means over DRAWS evaluations."""
    result, net, images = finished(folder, "vae")
    drawn = [latent.elbo(net, images, np.random.default_rng([1, i])) for i in range(DRAWS)]
    parts = [
        float(np.mean([one[key] for one in drawn]))
        for key in ("negative_elbo", "reconstruction", "kl")
    ]
    lowest = floor(latent.unit(images.x_test))
    numbers = (images.name, result["seed"], net.latent, *parts, lowest, result["seconds"] / 60)
    return f"elbo-{result['run']}", dict(zip(COLUMNS, numbers, strict=True))


if __name__ == "__main__":
    args = arguments(__doc__)
    header(COLUMNS)
    for folder in args.runs:
        write(args.out, *measure(folder))

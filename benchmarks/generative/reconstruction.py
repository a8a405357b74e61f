"""Test MSE of finished autoencoder runs on [0, 1] pixels, beside that of as many principal
components.

python -m benchmarks.generative.reconstruction runs/autoencoder-fashion-mnist ...
"""

from numpycnn import ops
from numpycnn.generative import latent

from .baselines import pca_error, principal
from .common import arguments, finished, header, write

COLUMNS = ("data", "seed", "latent", "mse", "pca_mse", "minutes")


def measure(folder):
    """Name and numbers of one run."""
    result, net, images = finished(folder, "autoencoder")
    train, test = latent.unit(images.x_train), latent.unit(images.x_test)
    mse, _ = ops.mse(latent.outputs(net, test), test)
    pca = float(pca_error(principal(train), test, net.latent).mean())
    numbers = (images.name, result["seed"], net.latent, mse, pca, result["seconds"] / 60)
    return f"mse-{result['run']}", dict(zip(COLUMNS, numbers, strict=True))


if __name__ == "__main__":
    args = arguments(__doc__)
    header(COLUMNS)
    for folder in args.runs:
        write(args.out, *measure(folder))

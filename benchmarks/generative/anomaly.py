"""Mean AUROC of finished anomaly runs over their normal classes, beside the error of 32 principal
components.

Those are fitted to pixels, and to their square roots, which the network and its distances are
given.

python -m benchmarks.generative.anomaly runs/anomaly-fashion-mnist ...
"""

import numpy as np

from numpycnn import generative, metrics
from numpycnn.generative import latent

from .baselines import pca_error, principal
from .common import arguments, header, result_of, write

COLUMNS = (
    "data",
    "seed",
    "classes",
    "all",
    "error",
    "code",
    "pixels",
    "pca_32",
    "pca_32_roots",
    "minutes",
)
COMPONENTS = 32


def pca_auroc(images, k, power):
    """AUROC of the error of principal components fitted to the training images of class k, pixels
    to that power.
    """
    normal, test = (
        latent.unit(x) ** power for x in (images.x_train[images.y_train == k], images.x_test)
    )
    return metrics.auroc(images.y_test != k, pca_error(principal(normal), test, COMPONENTS))


def measure(folder):
    """Name and numbers of one run, AUROC in per cent."""
    result = result_of(folder, "anomaly")
    images = generative.load(result["data"], result["val"])
    pca = [
        100 * float(np.mean([pca_auroc(images, int(k), p) for k in result["classes"]]))
        for p in (1, 0.5)
    ]
    mean = [100 * result["auroc"][name] for name in ("all", "error", "code", "pixels")]
    numbers = (
        images.name,
        result["seed"],
        len(result["classes"]),
        *mean,
        *pca,
        result["seconds"] / 60,
    )
    return f"auroc-{result['run']}", dict(zip(COLUMNS, numbers, strict=True))


if __name__ == "__main__":
    args = arguments(__doc__)
    header(COLUMNS)
    for folder in args.runs:
        write(args.out, *measure(folder))

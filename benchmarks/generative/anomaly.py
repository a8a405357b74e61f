"""Mean AUROC of finished anomaly runs over their normal classes, beside the error of 32 principal components.

python -m benchmarks.generative.anomaly runs/anomaly-fashion-mnist ...
"""

import json

import numpy as np

from numpycnn import coding, data, metrics
from numpycnn.errors import RunFolderError

from .baselines import pca_error, principal
from .common import arguments, header, write

COLUMNS = ("data", "seed", "classes", "all", "error", "code", "pixels", "pca_32", "minutes")
COMPONENTS = 32


def pca_auroc(images, k):
    """AUROC of the error of principal components fitted to the training images of class k."""
    normal = coding.unit(images.x_train[images.y_train == k])
    return metrics.auroc(images.y_test != k, pca_error(principal(normal), coding.unit(images.x_test), COMPONENTS))


def measure(folder):
    """Name and numbers of one run, AUROC in per cent."""
    path = folder / "result.json"
    if not path.exists():
        raise RunFolderError(f"there is no result.json in {folder}: the run is not finished; continue it with --resume")
    result = json.loads(path.read_text())
    images = data.load(result["data"])
    pca = 100 * float(np.mean([pca_auroc(images, int(k)) for k in result["classes"]]))
    mean = [100 * result["auroc"][name] for name in ("all", "error", "code", "pixels")]
    numbers = (images.name, result["seed"], len(result["classes"]), *mean, pca, result["seconds"] / 60)
    return f"anomaly-{images.name}-seed-{result['seed']}", dict(zip(COLUMNS, numbers, strict=True))


if __name__ == "__main__":
    args = arguments(__doc__)
    header(COLUMNS)
    for folder in args.runs:
        write(args.out, *measure(folder))

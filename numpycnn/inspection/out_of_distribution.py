"""Whether an image is out of distribution: unlike the images that a network was trained on.

A network names a class for anything, often with a high probability.

    add("run/best.npz", x)                      # once: class means and limit, into the metadata
    in_distribution(load("run/best.npz"), x)    # -> True or False for each image

f is the input of the last dense layer, divided by its length; m_k and v are the class means and
the variances of f:

    d(x) = min over k of sum_i (f_i - m_ki)^2 / v_i

An image is out of distribution if d is larger than for 99 % of the images kept for this. Of few
images, which the network was trained on too, d is smaller than of others like them: for N below
1,000 the limit is raised by 1 + 100 / N. For N = 160 and 400 (four classes of MNIST, of
Fashion-MNIST) some 7 % and 3 % of test images are then called strange; for N >= 1,000 1 to 2 %.

Source: Lee et al. 2018 (Mahalanobis distance), with Mueller and Hein 2025 (features of length 1);
here the covariance is diagonal. benchmarks/README.md compares it with the softmax's maximum and
the energy.
"""

import numpy as np

from .. import files, moved
from ..errors import CheckpointError
from ..layers import Dense, Sequential
from ..layers.base import fact
from ..training import checkpoint, loop, npz

SHARE = 0.99  # of the images it is fitted to are in distribution
LEAST, MOST = 100, 5000  # images it is fitted to
ENOUGH = 1000  # of fewer the limit is raised
KEY = "familiarity"  # in a checkpoint's metadata, where files keep the word of version 0.1

__getattr__ = moved("inspection.out_of_distribution")


def fit(net, x):
    """{"means" (K, D), "variances" (D,), "limit"} as JSON values, of images x in distribution.

    Better images that the network was not trained on: on training images it is more confident. The
    class of an image is the predicted one. Raises ValueError for fewer than LEAST images, TypeError
    for a network that does not end in a dense layer.
    """
    if len(x) < LEAST:
        raise ValueError(
            f"to know what is in distribution takes at least {LEAST} images, not {len(x)}"
        )
    features = _features(net, x[:: -(-len(x) // MOST)])  # (N, D)
    f = _unit_rows(features)  # (N, D)
    predicted = net.layers[-1].infer(features).argmax(axis=1)  # (N,)
    classes = np.unique(predicted)
    means = np.stack([f[predicted == k].mean(axis=0) for k in classes])  # (K, D)
    squares = (f - means[np.searchsorted(classes, predicted)]) ** 2  # (N, D)
    variances = squares.mean(axis=0) + 1e-6  # (D,); a feature may be 0 for all images
    stored = {"means": _rounded(means), "variances": _rounded(variances)}
    raised = 1 + 100 / len(x) if len(x) < ENOUGH else 1
    return {**stored, "limit": raised * float(np.quantile(_distance(f, **stored), SHARE))}


def add(path, x):
    """Fit to images x, and store it in the checkpoint at `path`; all else in the file stays.

    Raises what fit and checkpoint.save raise (ValueError for a thousand classes: they are too much
    metadata).
    """
    fitted = fit(checkpoint.load(path), x)
    metadata, arrays = checkpoint.read(path)
    files.write(path, npz.pack(arrays, {**metadata, KEY: fitted}))


def in_distribution(net, x):
    """A list of True or False for each image; of None, where the checkpoint does not tell.

    Raises CheckpointError if what it holds is not valid, TypeError for a network that does not end
    in a dense layer.
    """
    stored = (fact(net, "metadata") or {}).get(KEY)
    if stored is None:
        return [None] * len(x)
    f = _unit_rows(_features(net, x))  # (N, D)
    try:
        means = np.array(stored["means"], np.float64)  # (K, D)
        variances = np.array(stored["variances"], np.float64)  # (D,)
        if means.shape[1:] != f.shape[1:] or variances.shape != f.shape[1:]:
            raise ValueError(
                f"the means are {means.shape}, the variances {variances.shape}, "
                f"the features {f.shape}"
            )
        return (_distance(f, means, variances) <= float(stored["limit"])).tolist()
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"the checkpoint's {KEY} is not valid: {files.shown(error)}"
        ) from None


def _features(net, x):
    """The input of the last layer: (N, D)"""
    if not isinstance(net, Sequential) or not isinstance(net.layers[-1], Dense):
        raise TypeError(
            "out-of-distribution detection is for a Sequential that ends in a Dense layer, "
            f"not {type(net).__name__}"
        )
    return loop.logits(Sequential(*net.layers[:-1]), x)


def _unit_rows(features):
    """f: (N, D), rows of length 1 (or 0)"""
    f = features.astype(np.float64)
    return f / np.maximum(np.linalg.norm(f, axis=1, keepdims=True), 1e-12)


def _distance(f, means, variances):
    """d: (N,)"""
    return np.min([((f - np.asarray(mean)) ** 2 / variances).sum(axis=1) for mean in means], axis=0)


def _rounded(array):
    """Nested lists of 4 digits, so that the metadata stays small."""
    return [_rounded(row) for row in array] if array.ndim else float(f"{array:.4g}")

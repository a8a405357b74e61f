"""Whether an image is like those that a network was trained on. A network names a class for anything, surely too.

    familiar.add("run/best.npz", x)              # once: the class means and the limit, into the metadata
    familiar.familiar(load("run/best.npz"), x)   # -> True or False for each image

f is what the last dense layer gets, divided by its length; m_k and v its class means and its variances:

    d(x) = min over k of sum_i (f_i - m_ki)^2 / v_i

An image is unfamiliar if d is larger than for 99 % of the images that were kept for this. Source: Lee et al. 2018
(Mahalanobis distance), with Mueller and Hein 2025 (features of length 1); here the covariance is diagonal.
benchmarks/README.md has the comparison with the softmax's maximum and the energy.
"""

import numpy as np

from .. import files
from ..errors import CheckpointError
from ..layers import Dense, Sequential
from ..training import checkpoint, loop, npz

SHARE = 0.99  # of the images it is fitted to are familiar
LEAST, MOST = 1000, 5000  # images it is fitted to


def fit(net, x):
    """{"means" (K, D), "variances" (D,), "limit"} as JSON values, of images x that are familiar.

    Better images that the network was not trained on: of those that it was, it is surer. The class of an image is
    the one that the network names. Raises ValueError for fewer than LEAST images, TypeError for a network that does
    not end in a dense layer.
    """
    if len(x) < LEAST:
        raise ValueError(f"what is familiar takes at least {LEAST} images to know, not {len(x)}")
    features = _features(net, x[:: -(-len(x) // MOST)])
    f, k = _unit(features), net.layers[-1].infer(features).argmax(axis=1)
    classes = np.unique(k)
    means = np.stack([f[k == one].mean(axis=0) for one in classes])
    variances = ((f - means[np.searchsorted(classes, k)]) ** 2).mean(
        axis=0
    ) + 1e-6  # a feature may be always 0
    known = {"means": _rounded(means), "variances": _rounded(variances)}
    return {**known, "limit": float(np.quantile(_distance(f, **known), SHARE))}


def add(path, x):
    """Fit to images x, and note it in the checkpoint, a file at `path`, of which all else stays as it was.

    Raises what fit and checkpoint.save raise (ValueError for a thousand classes: they are too much metadata).
    """
    known = fit(checkpoint.load(path), x)
    metadata, arrays = checkpoint.read(path)
    files.write(path, npz.pack(arrays, {**metadata, "familiarity": known}))


def familiar(net, x):
    """A list of True or False, one of each image; of None, where the checkpoint does not know.

    Raises CheckpointError if what it says is not valid, TypeError for a network that does not end in a dense layer.
    """
    known = getattr(net, "metadata", {}).get("familiarity")
    if known is None:
        return [None] * len(x)
    f = _unit(_features(net, x))
    try:
        means, variances = (np.array(known[name], np.float64) for name in ("means", "variances"))
        if means.shape[1:] != f.shape[1:] or variances.shape != f.shape[1:]:
            raise ValueError(
                f"the means are {means.shape}, the variances {variances.shape}, the features {f.shape}"
            )
        return (_distance(f, means, variances) <= float(known["limit"])).tolist()
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"the checkpoint's familiarity is not valid: {files.shown(error)}"
        ) from None


def _features(net, x):
    """What the last layer gets: (N, D)"""
    if not isinstance(net, Sequential) or not isinstance(net.layers[-1], Dense):
        raise TypeError(
            f"familiarity is for a Sequential that ends in a Dense layer, not {type(net).__name__}"
        )
    return loop.logits(Sequential(*net.layers[:-1]), x)


def _unit(features):
    """f: (N, D), rows of length 1 (or 0)"""
    f = features.astype(np.float64)
    return f / np.maximum(np.linalg.norm(f, axis=1, keepdims=True), 1e-12)


def _distance(f, means, variances):
    """d: (N,)"""
    return np.min([((f - np.asarray(mean)) ** 2 / variances).sum(axis=1) for mean in means], axis=0)


def _rounded(array):
    """Nested lists of 4 digits, so that the metadata stays small."""
    return [_rounded(one) for one in array] if array.ndim else float(f"{array:.4g}")

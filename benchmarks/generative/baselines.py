"""What the networks are compared with: principal components, a Gaussian in their space, and two
classical filters.
"""

import numpy as np


def principal(x):
    """(mean, variances, axes) of images x (N, ...) in [0, 1], the largest variance first.

    Axes are columns.
    """
    flat = x.reshape(len(x), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    values, axes = np.linalg.eigh(np.cov(flat - mean, rowvar=False))
    return mean, np.maximum(values[::-1], 0), axes[:, ::-1]


def pca_error(parts, x, k):
    """(N,) mean squared errors of images x read back from their first k principal components."""
    mean, _, axes = parts
    rest = (x.reshape(len(x), -1) - mean) @ axes[:, k:]
    return (rest**2).sum(axis=1) / axes.shape[0]


def pca_gaussian(parts, shape, k, count, rng):
    """Images (count, *shape) drawn from the Gaussian of the first k principal components, clipped
    to [0, 1].
    """
    mean, variances, axes = parts
    codes = rng.standard_normal((count, k)) * np.sqrt(variances[:k])
    return np.clip(mean + codes @ axes[:, :k].T, 0, 1).reshape(count, *shape).astype(np.float32)


def median(noisy, size):
    """scipy.ndimage's median over size x size pixels, image by image."""
    from scipy.ndimage import median_filter

    return median_filter(noisy, size=(1, size, size, 1))


def wiener(noisy, size, noise=None):
    """scipy.signal's Wiener filter over size x size pixels, image by image.

    Without the noise's variance it guesses.
    """
    from scipy.signal import wiener as filtered

    with np.errstate(divide="ignore", invalid="ignore"):
        cleaned = np.stack([filtered(image[..., 0], size, noise)[..., None] for image in noisy])
    return np.clip(np.nan_to_num(cleaned), 0, 1)

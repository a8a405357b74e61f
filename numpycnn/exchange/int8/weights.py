"""Weights as whole numbers."""

import numpy as np

from ..graph import ExportError

DAMPING = 0.01  # of the moments' mean, so that they have an inverse


def weights(node, x, moments=None, pixels=1):
    """(w int8, b int32, scales (F,)) of a convolution or dense layer behind the step x.

    b_k = round(bias_k / (scale_x scale_k) - zero_x * sum w_k), where x may be a sum of `pixels`
    codes that stands for their mean: scale_x / pixels, zero_x * pixels. A filter of almost no
    weight would make its bias larger than any int32: its scale is raised until the bias fits into
    30 bits. Without moments, as for the last layer, all filters have one scale. Raises ExportError
    where the sums could leave 32 bits all the same.
    """
    scale, zero, w = x.scale / pixels, x.zero * pixels, node.weights["w"].astype(np.float64)
    bias = np.zeros(w.shape[-1]) if node.weights["b"] is None else node.weights["b"].astype(float)
    axes = tuple(range(w.ndim - 1))
    largest = np.abs(w).max(axis=axes)
    scales = np.maximum(largest / 127, np.abs(bias) / (scale * 2**30))
    scales = np.maximum(scales if moments is not None else scales.max(), 1e-30)
    scales = scales + np.zeros(w.shape[-1])
    w = rounded(w.reshape(-1, len(scales)), scales, moments).reshape(w.shape)
    b = np.rint(bias / (scale * scales) - w.sum(axis=axes, dtype=np.int64) * zero)
    if (np.abs(b) + 255 * pixels * np.abs(w.astype(np.int64)).sum(axis=axes)).max() >= 2**31:
        raise ExportError(
            f"layer {node.path} ({node.op}): sums of {w[..., 0].size:,} products can leave 32 bits"
        )
    return w, b.astype(np.int32), scales


def rounded(w, scales, moments=None):
    """W (K, F) int8 near w / scales; with moments H (K, K) such that E[((w - scales W)^T x)^2] =
    (w - scales W)^T H (w - scales W) is small.

    One weight after the other is rounded, and the ones behind it make up for its error d: they
    move by d U[i, j] / U[i, i], U^T U = H^-1.   Steps: ../INT8.md. Source: Frantar et al. 2022.
    """
    w = w / scales
    if moments is None:
        return np.clip(np.rint(w), -127, 127).astype(np.int8)
    damped = moments + (DAMPING * np.trace(moments) / len(w) + 1e-9) * np.eye(len(w))
    upper = np.linalg.cholesky(np.linalg.inv(damped)).T  # U
    whole = np.zeros(w.shape, np.int8)
    for i in range(len(w)):
        whole[i] = np.clip(np.rint(w[i]), -127, 127)
        w[i + 1 :] -= np.outer(upper[i, i + 1 :] / upper[i, i], w[i] - whole[i])
    return whole

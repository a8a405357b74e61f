"""Losses: each returns the number and its gradient, `(loss, dinput)`. The loss is a Python float.

They are computed in float64 inside (a batch of logits is small), so that logits of 1e4, or of float32's
largest number, give finite values; the gradient comes back in the input's dtype.
"""

import numpy as np

from ..errors import ShapeError
from .checks import floats


def check_labels(labels, n, classes):
    """`labels` as int64 (N,), each in 0 .. classes-1.

    Raises ShapeError for another shape (one-hot: take argmax), TypeError for floating labels,
    ValueError that names the first label out of range.
    """
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == classes:
        raise ShapeError(
            f"labels must be integers (N,), not one-hot {labels.shape}; convert with labels.argmax(axis=1)"
        )
    if labels.shape != (n,):
        raise ShapeError(f"labels must have the shape ({n},), one an example, not {labels.shape}")
    if labels.dtype.kind not in "iu":
        raise TypeError(
            f"labels must be integers, not {labels.dtype}; convert with labels.astype(int)"
        )
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        first = int(np.argmax(wrong))
        raise ValueError(f"label {labels[first]} at index {first} is outside 0..{classes - 1}")
    return labels.astype(np.int64, copy=False)


def softmax_cross_entropy(logits, labels, label_smoothing=0.0, class_weight=None):
    """The paper's C = - sum_k y_k log a_k with a = softmax(s), averaged over the batch.

    dC/ds = a - y, hence by the chain rule dC/dw = (a - y) a_pre and dC/db = a - y in the dense layer before.
    Smoothing e makes y = (1 - e) onehot + e/K; class weights v turn the mean into
    sum_n sum_k v_k y_nk (-log a_nk) / sum_n v_label(n), PyTorch's definition.

    logits s (N, K), labels (N,) integers, class_weight (K,) -> loss, dlogits (N, K).
    Raises ShapeError, TypeError, ValueError (check_labels). A row of nothing but -inf gives NaN.
    """
    logits = floats("logits", logits, 2)
    n, k = logits.shape
    labels = check_labels(labels, n, k)
    if n == 0:
        raise ShapeError("softmax_cross_entropy: the batch is empty")
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"label_smoothing must be at least 0 and below 1, not {label_smoothing!r}")
    weight = (
        np.ones(k)
        if class_weight is None
        else floats("class_weight", np.asarray(class_weight, float), 1)
    )
    if (
        weight.shape != (k,)
        or not (np.isfinite(weight) & (weight >= 0)).all()
        or weight[labels].sum() <= 0
    ):
        raise ValueError(
            f"class_weight must hold {k} numbers >= 0, not all 0 for the batch's labels"
        )

    s = logits.astype(np.float64)
    with np.errstate(invalid="ignore"):
        s = s - s.max(axis=1, keepdims=True)
    log_a = s - np.log(np.exp(s).sum(axis=1, keepdims=True))
    y = np.full((n, k), label_smoothing / k)
    y[np.arange(n), labels] += 1 - label_smoothing
    y *= weight
    total = weight[labels].sum()
    loss = -(y * np.where(y > 0, log_a, 0)).sum() / total
    dlogits = (np.exp(log_a) * y.sum(axis=1, keepdims=True) - y) / total
    return float(loss), dlogits.astype(logits.dtype)


def bce_with_logits(logits, targets):
    """Binary cross-entropy of sigmoid(s), averaged over all elements, in the form that cannot overflow:

    C = max(s, 0) - s*t + log(1 + exp(-|s|))      dC/ds = sigmoid(s) - t

    logits and targets of one shape, targets in [0, 1] -> loss, dlogits. Raises ShapeError, ValueError.
    """
    logits, targets = _same_shape(logits, targets)
    if targets.size and not (targets.min() >= 0 and targets.max() <= 1):
        raise ValueError("bce_with_logits: targets must lie in [0, 1]")
    s, t = logits.astype(np.float64), targets.astype(np.float64)
    e = np.exp(-np.abs(s))
    loss = (np.maximum(s, 0) - s * t + np.log1p(e)).mean()
    sigmoid = np.where(s >= 0, 1 / (1 + e), e / (1 + e))
    return float(loss), ((sigmoid - t) / s.size).astype(logits.dtype)


def mse(y, targets):
    """C = mean((y - t)^2) over all elements      dC/dy = 2 (y - t) / size      Raises ShapeError."""
    y, targets = _same_shape(y, targets)
    difference = y.astype(np.float64) - targets
    return float((difference**2).mean()), (2 / y.size * difference).astype(y.dtype)


def gaussian_kl(mean, log_var):
    """KL(N(mean, exp(log_var)) || N(0, 1)), summed over the latent dimensions, averaged over the batch:

    C = 1/N sum 1/2 (exp(v) + m^2 - 1 - v)      dC/dm = m / N      dC/dv = 1/2 (exp(v) - 1) / N

    mean m, log_var v (N, D) -> loss, (dmean, dlog_var). Raises ShapeError. Source: Kingma & Welling 2013, B.
    """
    mean, log_var = _same_shape(mean, log_var)
    m, v, n = mean.astype(np.float64), log_var.astype(np.float64), len(mean)
    loss = 0.5 * (np.exp(v) + m * m - 1 - v).sum() / n
    return float(loss), ((m / n).astype(mean.dtype), (0.5 * (np.exp(v) - 1) / n).astype(mean.dtype))


def gradient_penalty(g, weight=10.0):
    """C = weight/N sum_n (|g_n| - 1)^2      dC/dg_n = 2 weight/N (1 - 1/|g_n|) g_n, and 0 where g_n is 0

    g (N, ...): the critic's gradient with respect to each of its inputs (layers.InputGradient), |g_n| its
    Euclidean length, which a 1-Lipschitz critic keeps at 1 -> loss, dg. Raises ShapeError.
    Source: Gulrajani et al. 2017, (3).
    """
    g = floats("g", g)
    if g.ndim < 2 or g.size == 0:
        raise ShapeError(f"gradient_penalty: expected gradients (N, ...), not the shape {g.shape}")
    flat = g.reshape(len(g), -1).astype(np.float64)
    length = np.sqrt((flat * flat).sum(axis=1, keepdims=True))
    loss = weight * ((length - 1) ** 2).mean()
    dg = 2 * weight / len(g) * np.where(length > 0, 1 - 1 / np.maximum(length, 1e-300), 0) * flat
    return float(loss), dg.reshape(g.shape).astype(g.dtype)


def _same_shape(a, b):
    a = floats("input", a)
    b = np.asarray(b)
    if a.shape != b.shape or a.size == 0:
        raise ShapeError(
            f"the loss compares arrays of one shape that are not empty, not {a.shape} and {b.shape}"
        )
    return a, floats("target", b.astype(a.dtype) if b.dtype.kind in "iub" else b)

"""Losses: each returns the number and its gradient, `(loss, dinput)`. The loss is a Python float.

They are computed in float64 inside (a batch of logits is small), so that logits of 1e4, or of
float32's largest number, give finite values; the gradient comes back in the input's dtype.
"""

import numpy as np

from ..errors import ShapeError
from .checks import floats


def check_labels(labels, n, classes):
    """`labels` as int64 (N,), each in 0 .. classes-1.

    Raises ShapeError for another shape (see describe_rows), TypeError for floating labels,
    ValueError that names the first label out of range.
    """
    labels = np.asarray(labels)
    if labels.ndim == 2:
        raise ShapeError(f"labels must be integers (N,), not {describe_rows(labels)}")
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


def describe_rows(labels):
    """What labels (N, K) are, and what to do: a column, one-hot, several labels a row, shares."""
    if labels.shape[1] == 1:
        return f"a column {labels.shape}; use labels.ravel()"
    if not labels.size or labels.dtype.kind not in "biuf":
        return f"an array {labels.shape}"
    zero_or_one = ((labels == 0) | (labels == 1)).all()
    sums = labels.sum(axis=1, dtype=np.float64)  # (N,)
    if zero_or_one and (sums == 1).all():
        return f"one-hot {labels.shape}; convert with labels.argmax(axis=1)"
    if zero_or_one:
        row = int(np.argmax(sums != 1))
        return (
            f"multi-label {labels.shape}: row {row} names {sums[row]:.0f} classes, and softmax "
            "cross-entropy needs exactly one; train on one column, labels[:, k], at a time"
        )
    if labels.min() >= 0 and np.allclose(sums, 1, atol=1e-3):
        return f"shares of classes {labels.shape}; labels.argmax(axis=1) keeps each row's largest"
    return f"an array {labels.shape}"


def _check_class_weight(class_weight, labels, classes):
    """The weight of each class (K,) in float64: 1 unless given. Raises ValueError."""
    if class_weight is None:
        return np.ones(classes)
    weight = floats("class_weight", np.asarray(class_weight, float), ndim=1)
    if (
        weight.shape != (classes,)
        or not (np.isfinite(weight) & (weight >= 0)).all()
        or weight[labels].sum() <= 0
    ):
        raise ValueError(
            f"class_weight must hold {classes} numbers >= 0, not all 0 for the batch's labels"
        )
    return weight


def softmax_cross_entropy(logits, labels, label_smoothing=0.0, class_weight=None):
    """The paper's C = - sum_k y_k log a_k with a = softmax(s), averaged over the batch.

    dC/ds = a - y, hence dC/dw = (a - y) a_pre and dC/db = a - y in the dense layer before.
    Smoothing e makes y = (1 - e) onehot + e/K; class weights v turn the mean into
    sum_n sum_k v_k y_nk (-log a_nk) / sum_n v_label(n), PyTorch's definition.

    logits s (N, K), labels (N,) integers, class_weight (K,) -> loss, dlogits (N, K).
    Raises ShapeError, also for an empty batch; TypeError; ValueError for a label out of range or
    improper weights or smoothing. A row of nothing but -inf gives NaN. Source: the paper, 2.
    Steps: DERIVATIONS.md, "Softmax cross-entropy".
    """
    logits = floats("logits", logits, ndim=2)
    n, k = logits.shape
    labels = check_labels(labels, n, k)
    if n == 0:
        raise ShapeError("softmax_cross_entropy: the batch is empty")
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"label_smoothing must be at least 0 and below 1, not {label_smoothing!r}")
    weight = _check_class_weight(class_weight, labels, k)

    # log a from the logits themselves: the log of a softmax that came out as 0 would be -inf
    s = logits.astype(np.float64)
    with np.errstate(invalid="ignore"):
        s = s - s.max(axis=1, keepdims=True)  # (N, K)
    log_a = s - np.log(np.exp(s).sum(axis=1, keepdims=True))  # (N, K)

    y = np.full((n, k), label_smoothing / k)
    y[np.arange(n), labels] += 1 - label_smoothing
    y *= weight  # (N, K); a row no longer sums to 1
    total = weight[labels].sum()

    log_a_where_counted = np.where(y > 0, log_a, 0)  # 0 * -inf would be NaN
    loss = -(y * log_a_where_counted).sum() / total
    a = np.exp(log_a)
    dlogits = (a * y.sum(axis=1, keepdims=True) - y) / total  # (N, K)
    return float(loss), dlogits.astype(logits.dtype)


def distillation(logits, teacher_logits, temperature=2.0):
    """C = T^2 sum_k q_k log(q_k / p_k), averaged over the batch: how far a student's p is from its
    teacher's q, with p = softmax(s / T), q = softmax(t / T). T^2 keeps gradients at one size.

    dC/ds = T (p - q)

    logits s, teacher_logits t (N, K), T in (0, 1e6] -> loss, dlogits (N, K). Raises ShapeError,
    also for an empty batch; TypeError; ValueError for another temperature.
    Source: Hinton, Vinyals & Dean 2015. Steps: DERIVATIONS.md, "Distillation".
    """
    logits, teacher_logits = _same_shape(logits, teacher_logits)
    logits = floats("logits", logits, ndim=2)
    if not 0 < temperature <= 1e6:  # its square is a factor
        raise ValueError(f"temperature must be above 0 and at most 1e6, not {temperature!r}")

    def log_softmax(s):
        s = s.astype(np.float64) / temperature
        s = s - s.max(axis=1, keepdims=True)
        return s - np.log(np.exp(s).sum(axis=1, keepdims=True))

    log_p, log_q = log_softmax(logits), log_softmax(teacher_logits)  # (N, K)
    p, q = np.exp(log_p), np.exp(log_q)
    with np.errstate(invalid="ignore"):
        apart = np.where(q > 0, log_q - log_p, 0)  # 0 log 0 is 0
    loss = temperature**2 * (q * apart).sum() / len(q)
    dlogits = temperature * (p - q) / len(q)
    return float(loss), dlogits.astype(logits.dtype)


def bce_with_logits(logits, targets):
    """Binary cross-entropy of sigmoid(s), averaged over all elements, so that nothing overflows:

    C = max(s, 0) - s*t + log(1 + exp(-|s|))      dC/ds = sigmoid(s) - t

    logits s, targets t in [0, 1], of one shape -> loss, dlogits. Raises ShapeError, TypeError,
    ValueError for a target outside [0, 1].
    """
    logits, targets = _same_shape(logits, targets)
    if not (targets.min() >= 0 and targets.max() <= 1):
        raise ValueError("bce_with_logits: targets must lie in [0, 1]")
    s = logits.astype(np.float64)
    t = targets.astype(np.float64)
    e = np.exp(-np.abs(s))  # at most 1
    loss = (np.maximum(s, 0) - s * t + np.log1p(e)).mean()
    sigmoid = np.where(s >= 0, 1 / (1 + e), e / (1 + e))
    dlogits = (sigmoid - t) / s.size
    return float(loss), dlogits.astype(logits.dtype)


def mse(y, targets):
    """C = mean((y - t)^2) over all elements      dC/dy = 2 (y - t) / size

    y, targets t of one shape -> loss, dy. Raises ShapeError, TypeError.
    """
    y, targets = _same_shape(y, targets)
    difference = y.astype(np.float64) - targets
    loss = (difference**2).mean()
    dy = 2 / y.size * difference
    return float(loss), dy.astype(y.dtype)


def gaussian_kl(mean, log_var):
    """KL(N(mean, exp(log_var)) || N(0, 1)), summed over the latent dimensions, mean of the batch:

    C = 1/N sum 1/2 (exp(v) + m^2 - 1 - v)      dC/dm = m / N      dC/dv = 1/2 (exp(v) - 1) / N

    mean m, log_var v (N, D) -> loss, (dmean, dlog_var). Raises ShapeError, TypeError.
    Source: Kingma & Welling 2013, B.
    Steps: DERIVATIONS.md, "The sampling layer".
    """
    mean, log_var = _same_shape(mean, log_var)
    n = len(mean)
    m = mean.astype(np.float64)
    v = log_var.astype(np.float64)
    loss = 0.5 * (np.exp(v) + m * m - 1 - v).sum() / n
    dmean = m / n
    dlog_var = 0.5 * (np.exp(v) - 1) / n
    return float(loss), (dmean.astype(mean.dtype), dlog_var.astype(mean.dtype))


def gradient_penalty(g, weight=10.0):
    """C = weight/N sum_n (|g_n| - 1)^2      dC/dg_n = 2 weight/N (1 - 1/|g_n|) g_n

    g (N, ...): the critic's gradient with respect to each of its inputs (layers.InputGradient),
    |g_n| its Euclidean length, which a 1-Lipschitz critic keeps at 1
    -> loss, dg (N, ...), 0 where g_n is 0. Raises ShapeError, TypeError.
    Source: Gulrajani et al. 2017, (3).
    Steps: DERIVATIONS.md, "The gradient penalty".
    """
    g = floats("g", g)
    if g.ndim < 2 or g.size == 0:
        raise ShapeError(f"gradient_penalty: expected gradients (N, ...), not the shape {g.shape}")
    n = len(g)
    flat = g.reshape(n, -1).astype(np.float64)  # (N, all the rest)
    length = np.sqrt((flat * flat).sum(axis=1, keepdims=True))  # (N, 1)
    loss = weight * ((length - 1) ** 2).mean()
    # At length 0 there is no direction to go: the gradient is 0, and nothing is divided by 0.
    factor = np.where(length > 0, 1 - 1 / np.maximum(length, 1e-300), 0)
    dg = 2 * weight / n * factor * flat
    return float(loss), dg.reshape(g.shape).astype(g.dtype)


def _same_shape(a, b):
    """Both in floating point; integer targets, as labels of 0 and 1, are converted to a's dtype.

    Raises ShapeError, also for empty arrays, and TypeError.
    """
    a = floats("input", a)
    b = np.asarray(b)
    if a.shape != b.shape or a.size == 0:
        raise ShapeError(
            f"the loss compares arrays of one shape that are not empty, not {a.shape} and {b.shape}"
        )
    if b.dtype.kind in "iub":
        b = b.astype(a.dtype)
    return a, floats("target", b)

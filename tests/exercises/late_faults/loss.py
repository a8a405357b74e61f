"""Wrong answers: softmax_cross_entropy, dropout, dropout_backward."""

import numpy as np

from numpycnn import ops

from . import late


@late(
    "softmax_cross_entropy",
    "the loss is a sum",
    "loss is too large by the factor N, the batch size",
)
def _(logits, labels):
    loss, d = ops.softmax_cross_entropy(logits, labels)
    return loss * len(labels), d


@late("softmax_cross_entropy", "the loss has the wrong sign", "loss is of the wrong sign")
def _(logits, labels):
    loss, d = ops.softmax_cross_entropy(logits, labels)
    return -loss, d


@late(
    "softmax_cross_entropy",
    "the one-hot rows are shifted by one class",
    "loss: the labels are taken one class too high",
)
def _(logits, labels):
    return ops.softmax_cross_entropy(logits, (labels + 1) % logits.shape[1])


@late(
    "softmax_cross_entropy",
    "log of a clipped softmax",
    "loss: it comes out as if a in log a had 1e-07 added to it",
)
def _(logits, labels):
    a = ops.softmax(logits)[0]
    picked = a[np.arange(len(labels)), labels]
    return -np.log(picked + 1e-7).mean(), ops.softmax_cross_entropy(logits, labels)[1]


@late(
    "softmax_cross_entropy",
    "the gradient of the sum of squares",
    "dlogits is 2 times what it should be",
)
def _(logits, labels):
    a, y = ops.softmax(logits)[0], np.eye(logits.shape[1])[labels]
    return ops.softmax_cross_entropy(logits, labels)[0], 2 * (a - y) / len(labels)


@late(
    "softmax_cross_entropy",
    "binary cross-entropy over all classes",
    "loss: it is the binary cross-entropy of each class",
)
def _(logits, labels):
    y = np.eye(logits.shape[1])[labels]
    return ops.bce_with_logits(logits, y)


@late(
    "softmax_cross_entropy", "log softmax by the wrong axis, the gradient too", "loss is not finite"
)
def _(logits, labels):
    e = np.exp(logits - logits.max(0))
    a = e / e.sum(0)
    n = len(labels)
    picked = a[np.arange(n), labels]
    y = np.eye(logits.shape[1])[labels]
    return -np.log(picked).mean(), (a - y) / n


@late(
    "softmax_cross_entropy",
    "1 is subtracted from the whole column of each label",
    "dlogits: 1 is taken off the whole column of each label, not",
)
def _(logits, labels):
    loss, _ = ops.softmax_cross_entropy(logits, labels)
    a = ops.softmax(logits)[0]
    a[:, labels] -= 1
    return loss, a / len(labels)


@late("softmax_cross_entropy", "the largest score is not taken off", "loss is not finite")
def _(logits, labels):
    e = np.exp(logits)
    a = e / e.sum(1, keepdims=True)
    n = len(labels)
    y = np.eye(logits.shape[1])[labels]
    return -np.log(a[np.arange(n), labels]).mean(), (a - y) / n


@late(
    "softmax_cross_entropy",
    "only dlogits is divided by N squared",
    "dlogits is too small by the factor N, the batch size",
)
def _(logits, labels):
    loss, d = ops.softmax_cross_entropy(logits, labels)
    return loss, d / len(labels)


@late(
    "softmax_cross_entropy",
    "the mean squared error of the softmax",
    "loss: it is the mean squared error of a and y",
)
def _(logits, labels):
    a, y = ops.softmax(logits)[0], np.eye(logits.shape[1])[labels]
    return ((a - y) ** 2).mean(), ops.softmax_cross_entropy(logits, labels)[1]


@late("softmax_cross_entropy", "label smoothing is built in")
def _(logits, labels):
    return ops.softmax_cross_entropy(logits, labels, 0.1)


@late(
    "softmax_cross_entropy",
    "two at once: loss a sum, gradient not divided",
    "loss is too large by the factor N, the batch size",
)
def _(logits, labels):
    loss, d = ops.softmax_cross_entropy(logits, labels)
    return loss * len(labels), d * len(labels)


@late(
    "softmax_cross_entropy",
    "softmax without exp",
    "dlogits: the exponential is missing: a is |s| / sum |s|",
)
def _(logits, labels):
    loss, _ = ops.softmax_cross_entropy(logits, labels)
    s = np.abs(logits)
    a = s / s.sum(1, keepdims=True)
    return loss, (a - np.eye(logits.shape[1])[labels]) / len(labels)


@late(
    "softmax_cross_entropy",
    "the softmax is the gradient: the label is not taken off",
    "dlogits: the term y is missing",
)
def _(logits, labels):
    loss, _ = ops.softmax_cross_entropy(logits, labels)
    return loss, ops.softmax(logits)[0] / len(labels)


@late("softmax_cross_entropy", "log base 10", "loss is 0.434294 times what it should be")
def _(logits, labels):
    loss, d = ops.softmax_cross_entropy(logits, labels)
    return loss / np.log(10), d


@late(
    "softmax_cross_entropy",
    "returns the gradient first",
    "it is dlogits: the two are in each other's place, or the",
)
def _(logits, labels):
    loss, d = ops.softmax_cross_entropy(logits, labels)
    return d, loss


@late(
    "softmax_cross_entropy",
    "works in the logits",
    "it changes its argument logits: the array belongs to the",
)
def _(logits, labels):
    logits -= logits.max(1, keepdims=True)
    return ops.softmax_cross_entropy(logits, labels)


@late(
    "dropout",
    "keeps with the probability rate",
    "share that is dropped: it comes out as if rate were 1 -",
)
def _(x, rate, rng=None, train=True):
    return x * (rng.random(x.shape) < rate) / (1 - rate) if train else x


@late("dropout", "scales by 1/rate", "scale of what is kept is too large by the factor (1-rate) /")
def _(x, rate, rng=None, train=True):
    return x * (rng.random(x.shape) >= rate) / rate if train else x


@late(
    "dropout",
    "drops when not training too",
    "scale of what is kept is too large by the factor 1/(1-rate)",
)
def _(x, rate, rng=None, train=True):
    return x * (rng.random(x.shape) >= rate) / (1 - rate)


@late(
    "dropout",
    "scales at test time, not in training",
    "scale of what is kept is too small by the factor 1/(1-rate)",
)
def _(x, rate, rng=None, train=True):
    return x * (rng.random(x.shape) >= rate) if train else x * (1 - rate)


@late(
    "dropout",
    "NumPy's global random numbers",
    "the same call gives another answer the second time: random",
)
def _(x, rate, rng=None, train=True):
    return x * (np.random.random(x.shape) >= rate) / (1 - rate) if train else x  # noqa: NPY002


@late(
    "dropout", "one mask for all examples", "whole rows or columns are dropped at once: every value"
)
def _(x, rate, rng=None, train=True):
    return x * (rng.random(x.shape[1:]) >= rate) / (1 - rate) if train else x


@late("dropout", "not scaled", "scale of what is kept is too small by the factor 1/(1-rate)")
def _(x, rate, rng=None, train=True):
    return x * (rng.random(x.shape) >= rate) if train else x


@late("dropout", "never drops", "scale of what is kept is too small by the factor 1/(1-rate)")
def _(x, rate, rng=None, train=True):
    return x


@late(
    "dropout",
    "train is read the wrong way round",
    "scale of what is kept: it comes out as if train were the",
)
def _(x, rate, rng=None, train=True):
    return x if train else x * (rng.random(x.shape) >= rate) / (1 - rate)


@late(
    "dropout",
    "half of the cells are dropped, whatever the rate",
    "scale of what is kept: it comes out as if rate were 0.5",
)
def _(x, rate, rng=None, train=True):
    return x * (rng.random(x.shape) >= 0.5) / 0.5 if train else x


@late("dropout", "noise is added", "y is not x times one number wherever it is kept")
def _(x, rate, rng=None, train=True):
    return x * rng.normal(1, rate, x.shape) if train else x


@late("dropout_backward", "draws a new mask")
def _(dy, cache):
    return dy if cache.mask is None else dy * np.roll(cache.mask, 1)


@late(
    "dropout_backward",
    "fails where there is no mask",
    "it raises TypeError: unsupported operand type(s) for *:",
)
def _(dy, cache):
    return dy * cache.mask


@late("dropout_backward", "0 when not training", "dx is 0 everywhere")
def _(dy, cache):
    return np.zeros_like(dy) if cache.mask is None else dy * cache.mask


@late(
    "dropout_backward",
    "the inverse mask",
    "dx: dy passes where x was dropped, and is 0 where it was",
)
def _(dy, cache):
    return dy if cache.mask is None else dy * (cache.mask == 0)


@late("dropout_backward", "scaled twice", "dx is too large by the factor 1/(1-rate)")
def _(dy, cache):
    return dy if cache.mask is None else dy * cache.mask**2

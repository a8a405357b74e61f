"""The losses at a network's end: a node each, and the gradient that backward begins with."""

import numpy as np

from .. import ops
from ..errors import ShapeError, unknown
from .kinds import number

LOSSES = "softmax_cross_entropy", "bce_with_logits", "mse", "elbo"
NAMES = {
    "softmax_cross_entropy": "softmax cross-entropy",
    "bce_with_logits": "binary cross-entropy",
    "mse": "mean squared error",
    "elbo": "binary cross-entropy",
}


def finish(trace, came, output, loss, labels, targets, label_smoothing, class_weight):
    """Add the node of the loss (and of a VAE's KL term) -> dL/d(output) of the batch.

    labels (N,) are softmax_cross_entropy's, targets (of the output's shape) the others'. Raises
    UnknownNameError, ShapeError, and what the losses raise.
    """
    if loss not in LOSSES:
        raise unknown("loss", loss, LOSSES)
    if loss == "softmax_cross_entropy":
        return _softmax(trace, came, output, labels, label_smoothing, class_weight)
    if np.shape(targets) != output.shape:
        raise ShapeError(
            f"explain: the target of {loss} must have the output's shape {output.shape[1:]}, not "
            f"{np.shape(targets)[1:]}"
        )
    factor = output[0].size if loss == "elbo" else 1  # of a mean over pixels: nats an image
    function = ops.mse if loss == "mse" else ops.bce_with_logits
    _, gradient = function(output, targets)
    alone = function(output[:1], targets[:1])[0] * factor
    shown = (output[0] - targets[0]) ** 2 if loss == "mse" else ops.sigmoid(output[:1])[0][0]
    kind = "MSE" if loss == "mse" else "BCE"
    node = {
        "dxs": [trace.store.put(gradient[0] * np.float32(factor))],
        "params": {"target": trace.store.put(targets[0])},
        "attrs": {"n": len(output), "mean": factor / output[0].size, "loss": number(alone)},
    }
    _kl(trace, loss)
    trace.node(kind, NAMES[loss], "", [came], trace.store.put(shown), **node)
    return gradient * np.float32(factor)


def _softmax(trace, came, logits, labels, label_smoothing, class_weight):
    given = {"label_smoothing": label_smoothing, "class_weight": class_weight}
    _, gradient = ops.softmax_cross_entropy(logits, labels, **given)
    alone, _ = ops.softmax_cross_entropy(logits[:1], labels[:1], **given)
    k = logits.shape[1]
    weight = np.ones(k) if class_weight is None else np.asarray(class_weight, float)
    y = np.full(k, label_smoothing / k)
    y[labels[0]] += 1 - label_smoothing
    attrs = {"label": int(labels[0]), "smoothing": label_smoothing, "n": len(logits)}
    attrs["weighted"] = class_weight is not None
    attrs.update(total=float(weight[labels].sum()), own=float(weight[labels[0]]))
    node = {
        "dxs": [trace.store.put(gradient[0])],
        "params": {"target": trace.store.put(y), "weight": trace.store.put(weight)},
        "attrs": {**attrs, "loss": number(alone)},
    }
    a = trace.store.put(ops.softmax(logits)[0][0])
    trace.node("SoftmaxCE", NAMES["softmax_cross_entropy"], "", [came], a, **node)
    return gradient


def _kl(trace, loss):
    if trace.kl is None or loss != "elbo":
        return
    fork, stats, take = trace.kl
    mean, log_var = np.split(stats, 2, axis=1)
    gradient = np.concatenate(ops.gaussian_kl(mean, log_var)[1], axis=1)
    alone = ops.gaussian_kl(mean[:1], log_var[:1])[0]
    shown = (np.exp(log_var[0]) + mean[0] ** 2 - 1 - log_var[0]) / 2
    node = {
        "dxs": [trace.store.put(gradient[0])],
        "attrs": {"n": len(stats), "loss": number(alone)},
    }
    trace.node("KL", "KL divergence", "", [fork], trace.store.put(shown), **node)
    take(gradient)

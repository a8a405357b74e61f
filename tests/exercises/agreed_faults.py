"""The 29 agreed faults: (what is wrong, exercise, the wrong function, words that must be said)."""

import numpy as np

from numpycnn import ops

KEPT = []


def relu_keeps(dy, cache):
    KEPT.append(1)
    return np.where(cache.positive, dy, 0) * (1 if len(KEPT) % 2 else 2)


def relu_in_place(dy, cache):
    dy[~cache.positive] = 0
    return dy


def entropy(fault):
    def wrong(logits, labels):
        loss, right = ops.softmax_cross_entropy(logits, labels)
        if fault == "overflow":
            with np.errstate(all="ignore"):
                e = np.exp(logits)
                a = e / e.sum(1, keepdims=True)
            return loss, (a - np.eye(logits.shape[1])[labels]) / len(labels)
        z = np.exp(logits - logits.max(1, keepdims=True))
        a = z / z.sum(1, keepdims=True)
        factor = {"N": len(labels), "sign": -1, "softmax": a * (1 - a)}[fault]
        return loss, right * factor

    return wrong


def pool(fault):
    def wrong(dy, cache):
        c = cache
        (size, _), (s, _) = c.size, c.stride
        dx = np.zeros(c.x_shape)
        for n, i, j, k in np.ndindex(dy.shape):
            window = dx[n, i * s : i * s + size, j * s : j * s + size, k]
            if fault == "not divided":
                window += dy[n, i, j, k]
            elif fault == "assign":
                window[np.unravel_index(c.winner[n, i, j, k], (size, size))] = dy[n, i, j, k]
        return dx

    return wrong


def norm(fault):
    def wrong(dy, cache):
        xhat, gamma, inv_std, train = cache
        axes = tuple(range(dy.ndim - 1))
        m = len(dy) if fault == "N" else dy.size // dy.shape[-1]
        dbeta, dgamma, dx = dy.sum(axes), (dy * xhat).sum(axes), dy
        if train or fault == "always":
            dx = dy - (fault != "second") * dbeta / m
            dx = dx - {"third": 0, "sign": -1}.get(fault, 1) * xhat * dgamma / m
        return (inv_std if fault == "gamma" else gamma * inv_std) * dx, dgamma, dbeta

    return wrong


def conv(fault):
    def wrong(dy, cache):
        x, w, has_bias, (sh, sw), ((top, bottom), (left, right)), *_ = cache
        n, h, wd, c = x.shape
        kh, kw = w.shape[:2]
        xp = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
        dxp, dw = np.zeros((n, 3 * h, 3 * wd, c)), np.zeros_like(w)
        for i, j in np.ndindex(dy.shape[1:3]):
            a, b = (i, j) if fault == "stride" else (i * sh, j * sw)
            wt = w[::-1, ::-1] if fault == "turn" else w
            part = np.einsum("nf,abcf->nabc", dy[:, i, j], wt)
            if fault == "assign":
                dxp[:, a : a + kh, b : b + kw] = part
            else:
                dxp[:, a : a + kh, b : b + kw] += part
            patch = xp[:, i * sh : i * sh + kh, j * sw : j * sw + kw]
            these = np.s_[:1] if fault == "first" else np.s_[:]
            dw += np.einsum("nf,nabc->abcf", dy[these, i, j], patch[these])
        top, left = (0, 0) if fault == "crop" else (top, left)
        db = dy.sum((1, 2)) if fault == "db" else dy.sum((0, 1, 2))
        return (
            dxp[:, top : top + h, left : left + wd],
            dw / (n if fault == "mean" else 1),
            db if has_bias else None,
        )

    return wrong


def dense(dx=None, dw=None, db=None):
    def wrong(dy, cache):
        x, w, has_bias = cache
        found = {"dx": dy @ w.T, "dw": x.T @ dy, "db": dy.sum(0)}
        changed = {"dx": dx, "dw": dw, "db": db}
        found = {k: changed[k](dy, x, w) if changed[k] else v for k, v in found.items()}
        return found["dx"], found["dw"], found["db"] if has_bias else None

    return wrong


def ties(x, size, stride):
    return None


def gap(dy, cache):
    return np.broadcast_to(dy[:, None, None] / cache.x_shape[1], cache.x_shape).copy()


def no_scale(dy, cache):
    return dy if cache.mask is None else dy * (cache.mask > 0)


FAULTS = [
    ("dw = dy.T @ x", "dense_backward", dense(dw=lambda dy, x, w: dy.T @ x), ["dw", "transposed"]),
    (
        "db keeps the batch",
        "dense_backward",
        dense(db=lambda dy, x, w: dy),
        ["db", "shape", "summed"],
    ),
    (
        "dw is a mean",
        "dense_backward",
        dense(dw=lambda dy, x, w: x.T @ dy / len(x)),
        ["dw", "small", "N"],
    ),
    (
        "the gate reads dy",
        "relu_backward",
        lambda dy, c: np.where(dy > 0, dy, 0),
        ["dx", "every probe"],
    ),
    ("works in dy", "relu_backward", relu_in_place, ["changes its argument dy"]),
    ("keeps something", "relu_backward", relu_keeps, ["second time"]),
    ("not divided by N", "softmax_cross_entropy", entropy("N"), ["large", "N"]),
    ("y - a", "softmax_cross_entropy", entropy("sign"), ["sign"]),
    (
        "exp of large scores",
        "softmax_cross_entropy",
        entropy("overflow"),
        ["not finite", "thousands"],
    ),
    (
        "softmax's slope twice",
        "softmax_cross_entropy",
        entropy("softmax"),
        ["dlogits", "every probe", "slope"],
    ),
    ("divided by H alone", "global_avg_pool_backward", gap, ["large", "W"]),
    ("no scale", "dropout_backward", no_scale, ["1/(1-rate)"]),
    ("= for +=", "max_pool2d_backward", pool("assign"), ["overlap", "="]),
    ("not divided", "avg_pool2d_backward", pool("not divided"), ["large", "size^2"]),
    ("third term missing", "batch_norm_backward", norm("third"), ["third", "missing"]),
    ("second term missing", "batch_norm_backward", norm("second"), ["second", "missing"]),
    ("third term's sign", "batch_norm_backward", norm("sign"), ["third", "wrong sign"]),
    ("gamma forgotten", "batch_norm_backward", norm("gamma"), ["gamma is 1", "gamma is missing"]),
    ("M is N", "batch_norm_backward", norm("N"), ["images", "H*W"]),
    (
        "three terms in use too",
        "batch_norm_backward",
        norm("always"),
        ["train is True", "not training"],
    ),
    ("filter turned", "conv2d_backward", conv("turn"), ["dx", "every probe", "180"]),
    ("stride forgotten", "conv2d_backward", conv("stride"), ["dx", "stride is 1", "taken as 1"]),
    ("padding not cut off", "conv2d_backward", conv("crop"), ["dx", "padding", "not cut off"]),
    ("= for += in dx", "conv2d_backward", conv("assign"), ["dx", "overlap", "="]),
    ("db keeps the batch", "conv2d_backward", conv("db"), ["db", "shape", "summed"]),
    (
        "dw of the first image",
        "conv2d_backward",
        conv("first"),
        ["dw", "first image", "batch is 1"],
    ),
    ("dw is a mean", "conv2d_backward", conv("mean"), ["dw", "small", "N"]),
]

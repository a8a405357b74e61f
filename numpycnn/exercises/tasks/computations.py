"""The right answers value by value, for steps.py: each line yields (its name, its value).

A value that is used twice is yielded twice, by the name of its use: a mistake may be in one alone.
"""

import numpy as np

from ... import ops


def dense(a):
    x = yield "x in the product", a["x"]
    w = yield "w in the product", a["w"]
    product = yield "the product x @ w", x @ w
    b = np.zeros(w.shape[1]) if a["b"] is None else a["b"]
    b = yield "the bias b", np.broadcast_to(b, product.shape)
    y = yield "y", product + b
    return {"y": y}


def dense_backward(a):
    x, w, has_bias = a["cache"]
    dy = a["dy"]
    above = yield "dy in dx", dy
    weights = yield "w in dx", w
    dx = yield "dx", above @ weights.T
    above = yield "dy in dw", dy
    inputs = yield "x in dw", x
    dw = yield "dw", inputs.T @ above
    db = None
    if has_bias:
        above = yield "dy in db", dy
        db = yield "db", above.sum(0)
    return {"dx": dx, "dw": dw, "db": db}


def softmax_cross_entropy(a):
    s, labels = a["logits"], a["labels"]
    n, k = s.shape
    largest = yield "the maximum of a row", s.max(axis=1, keepdims=True)
    s = yield "the shifted scores", s - largest
    e = yield "exp(s)", np.exp(s)
    total = yield "the sum of exp(s)", e.sum(axis=1, keepdims=True)
    log_total = yield "the log of the sum", np.log(total)
    log_a = yield "log a", s - log_total
    share = yield "a in log a", np.exp(log_a)
    log_a = np.where(share == np.exp(log_a), log_a, np.log(share))
    y = yield "y in the loss", np.eye(k)[labels]
    cells = yield "-y log a", np.where(y == 0, 0, -y * log_a)
    each = yield "the loss of each example", cells.sum(axis=1)
    loss = yield "the loss", each.sum() / n
    share = yield "a in the gradient", e / total
    y = yield "y in the gradient", np.eye(k)[labels]
    slope = yield "a - y", share - y
    return {"loss": loss, "dlogits": slope / n}


def batch_norm(a):
    x, train = a["x"], a["train"]
    axes = tuple(range(x.ndim - 1))
    mean, var = a["running_mean"], a["running_var"]
    new = {"running_mean": mean, "running_var": var}
    if train:
        mean = yield "the batch's mean", x.mean(axes)
        centred = yield "x - mean under the variance", x - mean
        var = yield "the batch's variance", (centred * centred).mean(axes)
        for name, batch in (("running_mean", mean), ("running_var", var)):
            keep = yield f"momentum in {name}", a["momentum"]
            take = yield f"1 - momentum in {name}", 1 - a["momentum"]
            value = yield f"the batch's value in {name}", batch
            new[name] = keep * a[name] + take * value
    mean = yield "the mean that is taken off", np.asarray(mean)
    var = yield "the variance that is divided by", np.asarray(var)
    eps = yield "eps", a["eps"]
    under = yield "var + eps", var + eps
    std = yield "the standard deviation", np.sqrt(under)
    xhat = yield "xhat", (x - mean) / std
    scaled = yield "gamma * xhat", a["gamma"] * xhat
    y = yield "y", scaled + a["beta"]
    return {"y": y} | new


def batch_norm_backward(a):
    xhat, gamma, inv_std, train = a["cache"]
    dy = a["dy"]
    axes = tuple(range(dy.ndim - 1))
    above = yield "dy in dbeta", dy
    dbeta = yield "dbeta", above.sum(axes)
    product = yield "dy * xhat in dgamma", dy * xhat
    dgamma = yield "dgamma", product.sum(axes)
    scale = yield "gamma * inv_std", gamma * inv_std
    inner = yield "the first term", dy
    if train:
        above = yield "dy in the second term", dy
        mean = yield "the mean of dy in the second term", above.mean(axes)
        product = yield "dy * xhat in the third term", dy * xhat
        share = yield "the mean of dy * xhat in the third term", product.mean(axes)
        outer = yield "xhat before the third term's mean", xhat
        third = yield "the third term", outer * share
        inner = yield "the bracket of three terms", inner - mean - third
    dx = yield "dx", scale * inner
    return {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}


def sgd(a):
    grad = yield "grad", a["grad"]
    decayed = yield "the value that decay multiplies", a["value"]
    decay = yield "decay in the gradient", a["decay"]
    g = yield "g = grad + decay * value", grad + decay * decayed
    old = yield "the old velocity", a["velocity"]
    momentum = yield "momentum in the velocity", a["momentum"]
    into = yield "g in the velocity", g
    u = yield "the new velocity", momentum * old + into
    step = yield "the velocity in the step", u
    if a["nesterov"]:
        g = yield "g in nesterov's step", g
        momentum = yield "momentum in nesterov's step", a["momentum"]
        step = yield "nesterov's step", g + momentum * step
    step = yield "the step without lr", step
    rate = yield "lr", a["lr"]
    move = yield "lr times the step", rate * step
    return {"value": a["value"] - move, "velocity": u}


def adam(a):
    value = a["value"]
    g = yield "grad", a["grad"]
    if a["decay"] and a["decoupled"]:
        share = yield "the decoupled lr * decay", a["lr"] * a["decay"]
        value = yield "the value after the decoupled decay", value * (1 - share)
    elif a["decay"]:
        decayed = yield "the value that decay multiplies", value
        g = yield "g = grad + decay * value", g + a["decay"] * decayed
    into = yield "g in m", g
    keep = yield "beta1 in m", a["beta1"]
    take = yield "1 - beta1 in m", 1 - a["beta1"]
    m = yield "the new m", keep * a["m"] + take * into
    squared = yield "g^2 in v", g * g
    keep = yield "beta2 in v", a["beta2"]
    take = yield "1 - beta2 in v", 1 - a["beta2"]
    v = yield "the new v", keep * a["v"] + take * squared
    second = yield "beta2^t", a["beta2"] ** a["t"]
    first = yield "beta1^t", a["beta1"] ** a["t"]
    correction = yield "1 - beta1^t", 1 - first
    m_hat = yield "the corrected m", m / correction
    correction = yield "1 - beta2^t", 1 - second
    v_hat = yield "the corrected v", v / correction
    root = yield "the root of the corrected v", np.sqrt(v_hat)
    eps = yield "eps", a["eps"]
    below = yield "the root plus eps", root + eps
    step = yield "the step without lr", m_hat / below
    return {"value": value - a["lr"] * step, "m": m, "v": v}


def gaussian_sample(a):
    e = a.get("_e", np.ones_like(a["mean"]))
    if not a["train"]:
        mean = yield "the mean in use", a["mean"]
        return {"z": mean}
    half = yield "v/2", a["log_var"] / 2
    deviation = yield "the deviation exp(v/2)", np.exp(half)
    e = yield "e", e
    noise = yield "exp(v/2) e", deviation * e
    mean = yield "the mean", a["mean"]
    return {"z": mean + noise}


def gaussian_sample_backward(a):
    noise, dz = a["cache"].noise, a["dz"]
    dmean = yield "dz in dmean", dz
    above = yield "dz in dlog_var", dz
    noise = yield "the noise exp(v/2) e", noise
    return {"dmean": dmean, "dlog_var": above * noise / 2}


def gaussian_kl(a):
    m, v = a["mean"], a["log_var"]
    n = len(m)
    exp = yield "exp(v) in the loss", np.exp(v)
    square = yield "m^2", m * m
    one = yield "the 1", np.ones_like(m)
    log = yield "v in the loss", v
    cells = yield "exp(v) + m^2 - 1 - v", exp + square - one - log
    loss = yield "the loss", cells.sum() / 2 / n
    mean = yield "m in dmean", m
    exp = yield "exp(v) in dlog_var", np.exp(v)
    slope = yield "exp(v) - 1", exp - 1
    return {"loss": loss, "dmean": mean / n, "dlog_var": slope / 2 / n}


def residual_block(a):
    inputs = yield "x before the first convolution", a["x"]
    w1 = yield "w1", a["w1"]
    first = yield "what comes out of the first convolution", ops.conv2d(inputs, w1)[0]
    h = yield "what comes out of the ReLU", np.maximum(first, 0)
    w2 = yield "w2", a["w2"]
    body = yield "the body", ops.conv2d(h, w2)[0]
    skip = yield "x around the body", a["x"]
    y = yield "the sum", skip + body
    return {"y": y}


def residual_block_backward(a):
    conv1, gate, conv2 = a["cache"]
    positive = np.asarray(gate.positive, float)
    above = yield "dy before the second convolution", a["dy"]
    dh, dw2, _ = ops.conv2d_backward(above, conv2)
    dh = yield "what the second convolution hands back", dh
    opened = yield "the gate", positive
    gated = yield "what comes through the gate", dh * opened
    dbody, dw1, _ = ops.conv2d_backward(gated, conv1)
    dbody = yield "what the first convolution hands back", dbody
    around = yield "dy around the body", a["dy"]
    return {"dx": dbody + around, "dw1": dw1, "dw2": dw2}


def avg_pool(a):
    (kh, kw), (sh, sw), x = a["size"], a["stride"], a["x"]
    oh, ow = (x.shape[1] - kh) // sh + 1, (x.shape[2] - kw) // sw + 1
    windows = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(1, 2))
    windows = windows[:, ::sh, ::sw][:, :oh, :ow]  # (N, OH, OW, C, kh, kw)
    windows = yield "the window (rows: axis 4, columns: axis 5)", windows
    return {"y": windows.mean(axis=(4, 5))}


def max_pool(a):
    walk = avg_pool(a)
    words, windows = next(walk)
    windows = yield words, windows
    return {"y": windows.max(axis=(4, 5))}


def global_avg_pool(a):
    x = yield "x", a["x"]
    rows = yield "the mean over the rows", x.mean(1)
    y = yield "the mean", rows.mean(1)
    return {"y": y}


def relu(a):
    x = yield "x before the comparison with 0", a["x"]
    y = yield "the larger of x and 0", np.maximum(x, 0)
    return {"y": y}


def gated(gate):
    """The backward pass of dy * gate(args)."""

    def walk(a):
        opened = yield "the gate", np.asarray(gate(a), float)
        above = yield "dy", a["dy"]
        dx = yield "dx", above * opened
        return {"dx": dx}

    return walk


def conv2d_backward(a):
    x, w, has_bias, stride, padding, *_ = a["cache"]
    dy = a["dy"]
    above = yield "dy in dx", dy
    weights = yield "w in dx", w
    dcols = yield "the gradient of the patches, dy @ w", above @ weights.reshape(-1, w.shape[3]).T
    dx = yield "dx", ops.col2im(dcols, x.shape, w.shape[:2], stride, padding)
    pixels = yield "x in dw", x
    cols = ops.im2col(pixels, w.shape[:2], stride, padding)
    cols = yield "the patches of x in dw", cols
    above = yield "dy in dw", dy
    dw = np.tensordot(cols, above, ((0, 1, 2), (0, 1, 2))).reshape(w.shape)
    dw = yield "dw", dw
    above = yield "dy in db", dy
    db = yield "db", above.sum((0, 1, 2))
    return {"dx": dx, "dw": dw, "db": db if has_bias else None}


def conv2d_loops(a):
    x = yield "x", a["x"]
    w = yield "w", a["w"]
    product = yield "the sums over the patches", ops.conv2d(x, w, None, a["stride"], a["pad"])[0]
    b = yield "the bias b", np.broadcast_to(a["b"], product.shape)
    y = yield "y", product + b
    return {"y": y}

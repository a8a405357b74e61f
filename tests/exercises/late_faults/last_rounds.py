"""More wrong answers, of the last three rounds."""

import numpy as np

from numpycnn import ops

from . import late


def softmax(l):
    e = np.exp(l - l.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def log_softmax(l):
    s = l - l.max(1, keepdims=True)
    return s - np.log(np.exp(s).sum(1, keepdims=True))


def parts_of_loss(l, lab):
    n, k = l.shape
    y = np.eye(k)[lab]
    return (n, k, y, softmax(l), log_softmax(l))


def norm_with(x, g, b, rm, rv, train, mo, eps, stat=None, run=None, out=None):
    ax = tuple(range(x.ndim - 1))
    if train:
        m, v = (x.mean(ax), x.var(ax))
        (
            run
            or (
                lambda m, v: (
                    rm.__imul__(mo),
                    rm.__iadd__((1 - mo) * m),
                    rv.__imul__(mo),
                    rv.__iadd__((1 - mo) * v),
                )
            )
        )(m, v)
        if stat:
            m, v = stat(m, v)
    else:
        m, v = (rm, rv)
    return g * (x - m) / np.sqrt(v + eps) + b if out is None else out(m, v)


def parts(dy, c):
    xhat, g, i, tr = c
    ax = tuple(range(dy.ndim - 1))
    m = dy.size // dy.shape[-1]
    return (xhat, g, i, tr, ax, m, (dy * xhat).sum(ax), dy.sum(ax))


@late(
    "dense",
    "w divided by D as init scale: x@w/sqrt(D)+b/sqrt(D)",
    "y is too small by the root of D",
)
def _(x, w, b=None):
    return (x @ w + (0 if b is None else b)) / np.sqrt(len(w))


@late("dense", "skips last feature", "y: it comes out as if x lacked its last entry along axis 1")
def _(x, w, b=None):
    return x[:, :-1] @ w[:-1] + (0 if b is None else b)


@late(
    "dense_backward",
    "dw = (dy.T @ x).T / N ; db fine; dx *N",
    "dx is too large by the factor N, the batch size",
)
def _(dy, c):
    x, w, hb = c
    return (dy @ w.T * len(x), x.T @ dy / len(x), (dy.sum(0) if hb else None))


@late(
    "dense_backward",
    "db uses mean over units",
    "db: it comes out as if dy were replaced by its mean over axis 1",
)
def _(dy, c):
    x, w, hb = c
    return (dy @ w.T, x.T @ dy, np.full(dy.shape[1], dy.sum(0).mean()) if hb else None)


@late("relu_backward", "scaled 0.5", "dx is 0.5 times what it should be")
def _(dy, c):
    return 0.5 * dy * c.positive


@late(
    "relu_backward", "dy - dy*mask", "dx: the gate is closed where x is positive and open elsewhere"
)
def _(dy, c):
    return dy - dy * c.positive


@late(
    "softmax_cross_entropy",
    "forgets minus and divides by K: mean over all cells",
    "loss is of the wrong sign, and too small by the factor K",
)
def _(l, lab):
    n, _k, y, a, la = parts_of_loss(l, lab)
    return ((y * la).mean(), (a - y) / n)


@late(
    "softmax_cross_entropy",
    "dlogits normalised by sum of labels per class",
    "dlogits is N / K times what it should be",
)
def _(l, lab):
    n, k, y, a, la = parts_of_loss(l, lab)
    return (-(y * la).sum() / n, (a - y) / k)


@late("global_avg_pool", "mean over channel", "y has the shape (1, 9), not (1, 1)")
def _(x):
    return x.mean(3).reshape(len(x), -1)


@late("global_avg_pool", "mean of abs", "y: it comes out as if x were |x|")
def _(x):
    return np.abs(x).mean((1, 2))


@late("global_avg_pool_backward", "divides by N", "dx is too large by the factor H*W / N")
def _(dy, c):
    s = c.x_shape
    return np.broadcast_to(dy[:, None, None] / s[0], s).copy()


@late("dropout", "seeded fixed mask", "nothing is drawn from rng: another generator gives the same")
def _(x, rate, rng, train=True):
    return x * (np.random.default_rng(1).random(x.shape) >= rate) / (1 - rate) if train else x


@late(
    "dropout",
    "scales by sqrt(1/(1-rate))",
    "scale of what is kept is too small by the root of 1/(1-rate)",
)
def _(x, rate, rng, train=True):
    return x * (rng.random(x.shape) >= rate) / np.sqrt(1 - rate) if train else x


@late(
    "dropout_backward",
    "mask missing scale in reverse: multiplies twice by 1/(1-r) for kept",
    "dx is too large by the factor 1/(1-rate)",
)
def _(dy, c):
    return dy if c.mask is None else dy * c.mask * c.mask.max()


@late("dropout_backward", "sign", "dx is of the wrong sign")
def _(dy, c):
    return -dy if c.mask is None else -dy * c.mask


@late("batch_norm", "mean subtracted twice", "y: - gamma * mean / std is there twice")
def _(x, g, b, rm, rv, train, momentum=0.9, eps=1e-05):
    return norm_with(
        x,
        g,
        b,
        rm,
        rv,
        train,
        momentum,
        eps,
        out=lambda m, v: g * (x - 2 * m) / np.sqrt(v + eps) + b,
    )


@late("batch_norm", "running stats updated twice", "running_mean: training updates it twice")
def _(x, g, b, rm, rv, train, momentum=0.9, eps=1e-05):

    def run(m, v):
        for _ in range(2):
            rm[...] = momentum * rm + (1 - momentum) * m
            rv[...] = momentum * rv + (1 - momentum) * v

    return norm_with(x, g, b, rm, rv, train, momentum, eps, run=run)


@late(
    "batch_norm",
    "running var with first example only",
    "running_mean: the first value of each channel stands in the place of the",
)
def _(x, g, b, rm, rv, train, momentum=0.9, eps=1e-05):

    def run(m, v):
        rm[...] = momentum * rm + (1 - momentum) * x.reshape(-1, 3)[0]
        rv[...] = momentum * rv + (1 - momentum) * v

    return norm_with(x, g, b, rm, rv, train, momentum, eps, run=run)


@late(
    "batch_norm_backward",
    "third term uses dbeta rather than dgamma",
    "dx: the third term sums dy, not dy * xhat",
)
def _(dy, c):
    xhat, g, i, tr, _ax, m, dg, db = parts(dy, c)
    return (g * i * (dy - db / m - xhat * db / m) if tr else g * i * dy, dg, db)


@late("batch_norm_backward", "gamma^2", "dx: gamma is there twice")
def _(dy, c):
    xhat, g, i, tr, _ax, m, dg, db = parts(dy, c)
    return (g * g * i * (dy - db / m - xhat * dg / m) if tr else g * g * i * dy, dg, db)


@late(
    "batch_norm_backward",
    "m off by one: m-1 for both",
    "dx: the second term, x moves the mean, is too large by the factor M/(M-1) and",
)
def _(dy, c):
    xhat, g, i, tr, _ax, m, dg, db = parts(dy, c)
    return (g * i * (dy - db / (m - 1) - xhat * dg / (m - 1)) if tr else g * i * dy, dg, db)


@late(
    "sgd_update",
    "velocity uses momentum twice",
    "value: it follows from what is wrong in the velocity",
)
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    g = grad + decay * value
    velocity[...] = momentum**2 * velocity + g
    value -= lr * (g + momentum * velocity if nesterov else velocity)


@late("sgd_update", "step half", "value: it comes out as if lr were lr / 2")
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    g = grad + decay * value
    velocity[...] = momentum * velocity + g
    value -= lr / 2 * (g + momentum * velocity if nesterov else velocity)


@late(
    "residual_block",
    "leaky relu",
    "y: a leaky ReLU, of slope 0.01, stands in the place of the ReLU",
)
def _(x, w1, w2):
    a = ops.conv2d(x, w1)[0]
    return ops.conv2d(np.where(a > 0, a, 0.01 * a), w2)[0] + x


@late("residual_block_backward", "dw1 negative", "dw1 is of the wrong sign")
def _(dy, c):
    c1, g, c2 = c
    dh, dw2, _ = ops.conv2d_backward(dy, c2)
    d1, dw1, _ = ops.conv2d_backward(ops.relu_backward(dh, g), c1)
    return (d1 + dy, -dw1, dw2)


@late("numerical_gradient", "divides by h", "dx: it is divided by h, not by 2h")
def _(f_, x, dy, h):
    dx = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        dx[i] = (dy * (f_(x + e) - f_(x - e))).sum() / h
    return dx


@late("numerical_gradient", "dy squared", "dx: it comes out as if dy were its square")
def _(f_, x, dy, h):
    dx = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        dx[i] = (dy**2 * (f_(x + e) - f_(x - e))).sum() / (2 * h)
    return dx


@late(
    "gaussian_sample",
    "noise shared across units",
    "one e stands for a whole row or column: every cell needs its own draw",
)
def _(m, v, rng=None, train=True):
    return m + np.exp(v / 2) * rng.standard_normal(m.shape[1]) if train else m


@late("gaussian_sample_backward", "dlog_var times 2", "dlog_var is 4 times what it should be")
def _(dz, c):
    return (dz, dz * c.noise * 2)


@late(
    "gaussian_sample_backward",
    "exchanged",
    "dmean: it is dlog_var: the two are in each other's place, or the same",
)
def _(dz, c):
    return (dz * c.noise / 2, dz)


@late("gaussian_kl", "sum of m^2 not halved but rest", "loss: the term m^2 is there twice")
def _(m, v):
    n = len(m)
    return (np.sum(0.5 * (np.exp(v) - 1 - v) + m * m) / n, (2 * m / n, 0.5 * (np.exp(v) - 1) / n))


@late("gaussian_kl", "dlog_var exp(v)+1", "dlog_var: the term -1 has the wrong sign")
def _(m, v):
    n = len(m)
    return (0.5 * np.sum(np.exp(v) + m * m - 1 - v) / n, (m / n, 0.5 * (np.exp(v) + 1) / n))


@late("lsuv", "first layer skipped", "w of layer 1: the first layer is not scaled")
def _(layers, x):
    for k, l in enumerate(layers):
        y, _ = l.forward(x)
        if hasattr(l, "w") and k > 0:
            l.w.value /= y.std()
            y, _ = l.forward(x)
        x = y


@late(
    "dense",
    "dot with w normalised columns",
    "y: it comes out as if w were divided by its norm along axis 0",
)
def _(x, w, b=None):
    return x @ (w / np.linalg.norm(w, axis=0)) + (0 if b is None else b)


@late(
    "dense_backward",
    "dw = x.T @ dy summed then divided by N*K",
    "dw is too small by the factor N * K",
)
def _(dy, c):
    x, w, hb = c
    return (dy @ w.T, x.T @ dy / dy.size, (dy.sum(0) if hb else None))


@late("relu", "abs", "y: it comes out as if x were |x|")
def _(x):
    return np.abs(x)


@late("relu", "relu of -x negative => min(x,0)", "y: it is the smaller of x and 0, not the larger")
def _(x):
    return -np.maximum(-x, 0)


@late("relu", "clip at 10", "y: values above 10 are cut off")
def _(x):
    return np.clip(x, 0, 10)


@late(
    "relu_backward",
    "mask applied with >=: passes where dy is zero.. dy * (dy>0)",
    "dx: the gate reads dy, not x",
)
def _(dy, c):
    return dy * (dy > 0)


@late(
    "softmax_cross_entropy",
    "mean over classes in gradient too (N*K)",
    "dlogits is too small by the factor K",
)
def _(l, lab):
    n, k, y, a, la = parts_of_loss(l, lab)
    return (-(y * la).sum() / n, (a - y) / (n * k))


@late("max_pool2d_backward", "bottom right gets it", "dx: the last value of each window gets dy")
def _(dy, c):
    (k, _), (s, _2) = (c.size, c.stride)
    dx = np.zeros(c.x_shape)
    for n, i, j, q in np.ndindex(dy.shape):
        dx[n, i * s + k - 1, j * s + k - 1, q] += dy[n, i, j, q]
    return dx


@late("avg_pool2d", "max", "y: it is the maximum, not the mean")
def _(x, size=2, stride=None):
    return ops.max_pool2d(x, size, stride)[0]


@late("avg_pool2d", "divides by number of channels", "y is too small by the factor C")
def _(x, size=2, stride=None):
    return ops.avg_pool2d(x, size, stride)[0] / x.shape[3]


@late(
    "avg_pool2d_backward",
    "dy summed over channels",
    "dx: it comes out as if dy were replaced by its sum over axis 3",
)
def _(dy, c):
    return ops.avg_pool2d_backward(np.broadcast_to(dy.sum(3, keepdims=True), dy.shape).copy(), c)


@late(
    "global_avg_pool",
    "max over rows then mean",
    "y: it comes out as if x were replaced by the largest along axis 1",
)
def _(x):
    return x.max(1).mean(1)


@late("global_avg_pool_backward", "dy/H", "dx is too large by the factor W")
def _(dy, c):
    s = c.x_shape
    return np.broadcast_to(dy[:, None, None] / s[1], s).copy()


@late(
    "global_avg_pool_backward",
    "transposed reshape: repeats in wrong shape",
    "dx has the shape (1, 1, 3, 3), not (1, 3, 3, 1)",
)
def _(dy, c):
    s = c.x_shape
    return np.broadcast_to((dy / (s[1] * s[2]))[:, :, None, None], (s[0], s[3], s[1], s[2])).copy()


@late(
    "dropout",
    "keeps rate in train without scale",
    "scale of what is kept is too small by the factor 1/(1-rate)",
)
def _(x, rate, rng, train=True):
    return x * (rng.random(x.shape) < rate) if train else x


@late(
    "dropout_backward",
    "mask reused as bool and divided by 1-rate twice",
    "dx is too large by the factor 1/(1-rate)^2",
)
def _(dy, c):
    return dy if c.mask is None else dy * c.mask / (1 - 0.0) * c.mask.max() ** 2


@late(
    "sgd_update",
    "nesterov reversed condition",
    "value: it comes out as if nesterov were the other way round",
)
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    g = grad + decay * value
    velocity[...] = momentum * velocity + g
    value -= lr * (velocity if nesterov else g + momentum * velocity)


@late("residual_block", "no second conv", "y: the second convolution is missing")
def _(x, w1, w2):
    return np.maximum(ops.conv2d(x, w1)[0], 0) + x


@late(
    "numerical_gradient", "backward difference", "dx: the difference is taken to one side, backward"
)
def _(f_, x, dy, h):
    dx = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        dx[i] = (dy * (f_(x) - f_(x - e))).sum() / h
    return dx


@late("gaussian_sample_backward", "dmean zero", "dmean is 0 everywhere")
def _(dz, c):
    return (0 * dz, dz * c.noise / 2)


@late(
    "gaussian_kl",
    "mean over batch missing in gradients of mean",
    "dmean is too large by the factor N, the batch size",
)
def _(m, v):
    n = len(m)
    return (0.5 * np.sum(np.exp(v) + m * m - 1 - v) / n, (m, 0.5 * (np.exp(v) - 1) / n))


@late("gaussian_sample", "mean scaled by sigma", "z: the mean is scaled by exp(v/2) too")
def _(m, v, rng=None, train=True):
    return np.exp(v / 2) * (m + rng.standard_normal(m.shape)) if train else m


@late("gaussian_sample", "abs log_var", "z: it comes out as if log_var were |log_var|")
def _(m, v, rng=None, train=True):
    return m + np.exp(np.abs(v) / 2) * rng.standard_normal(m.shape) if train else m

"""More wrong answers, of five rounds: forward and backward passes."""

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


def db_(dy, hb):
    return dy.sum(0) if hb else None


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
    "missing bias in square/None branch: uses b only when batch>1",
    "y: the bias b is missing",
)
def _(x, w, b=None):
    return x @ w + (0 if b is None or len(x) == 1 else b)


@late("dense", "scaled by 1/sqrt(D)", "y: the product x @ w is too small by the root of D")
def _(x, w, b=None):
    return x @ w / np.sqrt(x.shape[1]) + (0 if b is None else b)


@late("dense", "uses x - mean over batch", "y: it comes out as if x were less its mean over axis 0")
def _(x, w, b=None):
    return (x - x.mean(0)) @ w + (0 if b is None else b)


@late(
    "dense_backward",
    "db = sum of dy times x mean? uses sum over batch of dx",
    "db: it comes out as if dy were divided by its sum over axis 0",
)
def _(dy, c):
    x, w, hb = c
    return (dy @ w.T, x.T @ dy, dy.sum(0) * 0 + 1 if hb else None)


@late(
    "dense_backward",
    "dw averaged, dx averaged, db averaged",
    "dx is too small by the factor N, the batch size",
)
def _(dy, c):
    x, w, hb = c
    n = len(x)
    return (dy @ w.T / n, x.T @ dy / n, dy.sum(0) / n if hb else None)


@late("relu", "clips at 1", "y: values above 1 are cut off")
def _(x):
    return np.clip(x, 0, 1)


@late("relu", "sign flip: negative of relu", "y is of the wrong sign")
def _(x):
    return -np.maximum(x, 0)


@late(
    "relu_backward",
    "gate >= : passes at zeros as well (uses ~(x<0)) all ones times",
    "dx: dy passes unchanged: the gate is missing",
)
def _(dy, c):
    return dy


@late("relu_backward", "multiplies by 2 for mean square", "dx is 2 times what it should be")
def _(dy, c):
    return 2 * dy * c.positive


@late(
    "softmax_cross_entropy",
    "forgot to divide loss",
    "loss is too large by the factor N, the batch size",
)
def _(l, lab):
    n, _k, y, a, la = parts_of_loss(l, lab)
    return (-(y * la).sum(), (a - y) / n)


@late(
    "softmax_cross_entropy",
    "axis 0 sums for softmax",
    "loss: a is normalised over the batch, not over the classes",
)
def _(l, lab):
    n, k = l.shape
    y = np.eye(k)[lab]
    s = l - l.max(0)
    la = s - np.log(np.exp(s).sum(0))
    return (-(y * la).sum() / n, (np.exp(la) - y) / n)


@late(
    "softmax_cross_entropy",
    "loss right, gradient a*(1-y)/n",
    "dlogits: negative values are cut off",
)
def _(l, lab):
    n, _k, y, a, la = parts_of_loss(l, lab)
    return (-(y * la).sum() / n, a * (1 - y) / n)


@late("global_avg_pool", "divide by H only", "y is too large by the factor W")
def _(x):
    return x.sum((1, 2)) / x.shape[1]


@late("global_avg_pool", "max", "y: it is the maximum, not the mean")
def _(x):
    return x.max((1, 2))


@late("global_avg_pool_backward", "divide by H*W twice", "dx is too small by the factor H*W")
def _(dy, c):
    s = c.x_shape
    return np.broadcast_to(dy[:, None, None] / (s[1] * s[2]) ** 2, s).copy()


@late(
    "dropout",
    "scale by 1/(1-rate) at test too",
    "scale of what is kept is too large by the factor 1/(1-rate)",
)
def _(x, rate, rng, train=True):
    return x * (rng.random(x.shape) >= rate) / (1 - rate) if train else x / (1 - rate)


@late(
    "dropout",
    "drops whole examples",
    "whole rows or columns are dropped at once: every value needs its own draw",
)
def _(x, rate, rng, train=True):
    return x * (rng.random((len(x), 1)) >= rate) / (1 - rate) if train else x


@late("dropout", "gaussian noise multiplied", "y is not x times one number wherever it is kept")
def _(x, rate, rng, train=True):
    return x * (1 + rate * rng.standard_normal(x.shape)) if train else x


@late(
    "dropout_backward",
    "passes dy where mask is 0 only",
    "dx: dy passes where x was dropped, and is 0 where it was kept",
)
def _(dy, c):
    return dy if c.mask is None else np.where(c.mask == 0, dy, 0)


@late("dropout_backward", "divided by mask sum", "dx is 0.5 times what it should be")
def _(dy, c):
    return dy if c.mask is None else dy * c.mask * (1 - 0.5)


@late("batch_norm", "ddof=1 in all", "y: the variance is divided by M - 1, not by M")
def _(x, g, b, rm, rv, train, momentum=0.9, eps=1e-05):
    ax = tuple(range(x.ndim - 1))
    v1 = x.var(ax, ddof=1)

    def run(m, v):
        rm[...] = momentum * rm + (1 - momentum) * m
        rv[...] = momentum * rv + (1 - momentum) * v1

    return norm_with(x, g, b, rm, rv, train, momentum, eps, stat=lambda m, v: (m, v1), run=run)


@late(
    "batch_norm",
    "running std stored",
    "running_var: the standard deviation is averaged, not the variance",
)
def _(x, g, b, rm, rv, train, momentum=0.9, eps=1e-05):

    def run(m, v):
        rm[...] = momentum * rm + (1 - momentum) * m
        rv[...] = momentum * rv + (1 - momentum) * np.sqrt(v)

    return norm_with(x, g, b, rm, rv, train, momentum, eps, run=run)


@late(
    "batch_norm_backward",
    "dgamma, dbeta averaged, dx uses the averaged without dividing",
    "dgamma is too small by the factor M",
)
def _(dy, c):
    xhat, g, i, tr, _ax, m, dg, db = parts(dy, c)
    return (g * i * (dy - db / m - xhat * dg / m) if tr else g * i * dy, dg / m, db / m)


@late("residual_block", "skip forgotten", "y: the skip connection, x, is missing")
def _(x, w1, w2):
    h = np.maximum(ops.conv2d(x, w1)[0], 0)
    return ops.conv2d(h, w2)[0]


@late(
    "dense",
    "bias repeated for each example: adds N*b",
    "y: the bias b is too large by the factor N, the batch size",
)
def _(x, w, b=None):
    return x @ w + (0 if b is None else len(x) * b)


@late(
    "dense",
    "returns sum over batch",
    "y has the shape (3,), not (1, 3): it is summed over the examples, which are",
)
def _(x, w, b=None):
    return (x @ w + (0 if b is None else b)).sum(0)


@late("dense_backward", "dw divided by D", "dw is too small by the factor D")
def _(dy, c):
    x, w, hb = c
    return (dy @ w.T, x.T @ dy / x.shape[1], db_(dy, hb))


@late("relu", "upper limit 6", "y: values above 6 are cut off")
def _(x):
    return np.minimum(np.maximum(x, 0), 6)


@late(
    "relu_backward",
    "x passed rather than mask: returns positive float times sign dy",
    "dx: |dy| passes where x is positive",
)
def _(dy, c):
    return np.abs(dy) * c.positive


@late(
    "softmax_cross_entropy",
    "gradient missing -1 at labels, only softmax/n (y forgotten)",
    "dlogits: the term y is missing",
)
def _(l, lab):
    n, _k, y, a, la = parts_of_loss(l, lab)
    return (-(y * la).sum() / n, a / n)


@late("softmax_cross_entropy", "divides by K not N both", "loss is N / K times what it should be")
def _(l, lab):
    _n, k, y, a, la = parts_of_loss(l, lab)
    return (-(y * la).sum() / k, (a - y) / k)


@late(
    "softmax_cross_entropy",
    "gradient of the log: la - y sign; exp not normalised loss",
    "dlogits: it is a (1 - a) / N, softmax's slope: the labels are not used",
)
def _(l, lab):
    n, _k, y, _a, la = parts_of_loss(l, lab)
    return (-(y * la).sum() / n, np.exp(la) * (1 - np.exp(la)) / n)


@late("global_avg_pool", "median", "y: it is the median of x over axis 1 and 2")
def _(x):
    return np.median(x, axis=(1, 2))


@late("global_avg_pool", "divides by H*W*C", "y is too small by the factor C")
def _(x):
    return x.mean((1, 2)) / x.shape[3]


@late(
    "global_avg_pool_backward",
    "dy summed over batch",
    "dx: it comes out as if dy were replaced by its sum over axis 0",
)
def _(dy, c):
    s = c.x_shape
    return np.broadcast_to(dy.sum(0)[None, None, None] / (s[1] * s[2]), s).copy()


@late("global_avg_pool_backward", "divide by W only", "dx is too large by the factor H")
def _(dy, c):
    s = c.x_shape
    return np.broadcast_to(dy[:, None, None] / s[2], s).copy()


@late("dropout", "scale (1-rate)", "scale of what is kept is too small by the factor 1/(1-rate)^2")
def _(x, rate, rng, train=True):
    return x * (rng.random(x.shape) >= rate) * (1 - rate) if train else x


@late(
    "dropout",
    "bernoulli with rate: keeps rate, scales 1/rate",
    "scale of what is kept is too large by the factor (1-rate) / rate",
)
def _(x, rate, rng, train=True):
    return x * (rng.random(x.shape) < rate) / rate if train else x


@late(
    "dropout_backward",
    "mask > 0 times dy times (1-rate)",
    "dx is too small by the factor 1/(1-rate)^2",
)
def _(dy, c):
    return dy if c.mask is None else dy * (c.mask > 0) / np.maximum(c.mask.max(), 1)


@late(
    "batch_norm",
    "divides by var+eps (no sqrt)",
    "y: it is divided by the variance, not by its root",
)
def _(x, g, b, rm, rv, train, momentum=0.9, eps=1e-05):
    return norm_with(
        x, g, b, rm, rv, train, momentum, eps, out=lambda m, v: g * (x - m) / (v + eps) + b
    )


@late("batch_norm", "adds eps outside sqrt in use only", "y: eps is added outside the root")
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
        out=lambda m, v: g * (x - m) / (np.sqrt(v + eps) if train else np.sqrt(v) + eps) + b,
    )


@late(
    "batch_norm",
    "always updates running (also in eval)",
    "running_mean: it is updated when not training too",
)
def _(x, g, b, rm, rv, train, momentum=0.9, eps=1e-05):
    ax = tuple(range(x.ndim - 1))
    y = norm_with(x, g, b, rm, rv, train, momentum, eps)
    if not train:
        rm[...] = momentum * rm + (1 - momentum) * x.mean(ax)
        rv[...] = momentum * rv + (1 - momentum) * x.var(ax)
    return y


@late(
    "batch_norm",
    "running mean uses sum not mean",
    "running_mean: the batch's value, (1 - momentum) * mean, is too large by the",
)
def _(x, g, b, rm, rv, train, momentum=0.9, eps=1e-05):
    ax = tuple(range(x.ndim - 1))

    def run(m, v):
        rm[...] = momentum * rm + (1 - momentum) * x.sum(ax)
        rv[...] = momentum * rv + (1 - momentum) * v

    return norm_with(x, g, b, rm, rv, train, momentum, eps, run=run)


@late(
    "batch_norm_backward",
    "plus signs at both terms",
    "dx: the second term, x moves the mean, has the wrong sign and the third term,",
)
def _(dy, c):
    xhat, g, i, tr, _ax, m, dg, db = parts(dy, c)
    return (g * i * (dy + db / m + xhat * dg / m) if tr else g * i * dy, dg, db)


@late("batch_norm_backward", "third term without xhat outside", "dx: the third term has no xhat")
def _(dy, c):
    _xhat, g, i, tr, _ax, m, dg, db = parts(dy, c)
    return (g * i * (dy - db / m - dg / m) if tr else g * i * dy, dg, db)


@late(
    "batch_norm_backward",
    "m-1 in third",
    "dx: the third term, x moves the variance, is too large by the factor M/(M-1)",
)
def _(dy, c):
    xhat, g, i, tr, _ax, m, dg, db = parts(dy, c)
    return (g * i * (dy - db / m - xhat * dg / (m - 1)) if tr else g * i * dy, dg, db)


@late(
    "batch_norm_backward",
    "dbeta sums axis 0 only for images -> shape",
    "dbeta has the shape (4, 3, 3), not (3,): it is right once it is summed over",
)
def _(dy, c):
    xhat, g, i, tr, _ax, m, dg, db = parts(dy, c)
    return (g * i * (dy - db / m - xhat * dg / m) if tr else g * i * dy, dg, dy.sum(0))


@late(
    "batch_norm_backward",
    "uses train branch inverted",
    "dx: it comes out as if train were the other way round",
)
def _(dy, c):
    xhat, g, i, tr, _ax, m, dg, db = parts(dy, c)
    return (g * i * (dy - db / m - xhat * dg / m) if not tr else g * i * dy, dg, db)


@late("dense", "bias divided by N", "y: the bias b is too small by the factor N, the batch size")
def _(x, w, b=None):
    return x @ w + (0 if b is None else b / len(x))


@late(
    "dense",
    "x transposed if square... uses x*w elementwise sum over wrong: x @ |w|",
    "y: it comes out as if w were |w|",
)
def _(x, w, b=None):
    return x @ np.abs(w) + (0 if b is None else b)


@late("dense_backward", "dx: dy @ w (shape) when K==D else fine; dw neg", "dw is of the wrong sign")
def _(dy, c):
    x, w, hb = c
    return (dy @ w.T, -(x.T @ dy), db_(dy, hb))


@late(
    "dense_backward",
    "db = dy[0]",
    "db: it comes out as if dy had nothing but its first entry along axis 0",
)
def _(dy, c):
    x, w, hb = c
    return (dy @ w.T, x.T @ dy, dy[0] if hb else None)


@late("dense_backward", "db is sum of squares", "db: it comes out as if dy were its square")
def _(dy, c):
    x, w, hb = c
    return (dy @ w.T, x.T @ dy, (dy**2).sum(0) if hb else None)


@late("dense_backward", "dx/sqrt(N)", "dx is too small by the root of N")
def _(dy, c):
    x, w, hb = c
    return (dy @ w.T / np.sqrt(len(x)), x.T @ dy, db_(dy, hb))


@late(
    "relu", "in place", "it changes its argument x: the array belongs to the caller, work on a copy"
)
def _(x):
    x[x < 0] = 0
    return x


@late(
    "relu_backward",
    "mask inverted",
    "dx: the gate is closed where x is positive and open elsewhere",
)
def _(dy, c):
    return dy * ~c.positive


@late(
    "softmax_cross_entropy",
    "y - a sign and not divided",
    "dlogits is of the wrong sign, and too large by the factor N, the batch size",
)
def _(l, lab):
    n, _k, y, a, la = parts_of_loss(l, lab)
    return (-(y * la).sum() / n, y - a)


@late("im2col", "divides by patch size", "cols is too small by the factor kh*kw * C")
def _(x, kernel_size, stride=1, padding="same"):
    c = ops.im2col(x, kernel_size, stride, padding)
    return c / c.shape[-1]


@late("col2im", "scales by number of channels", "x is too large by the factor C")
def _(cols, shape, kernel_size, stride=1, padding="same"):
    return ops.col2im(cols, shape, kernel_size, stride, padding) * shape[3]


@late(
    "global_avg_pool",
    "over channels too",
    "y: it comes out as if x were replaced by its mean over axis 3",
)
def _(x):
    return np.broadcast_to(x.mean((1, 2, 3))[:, None], (len(x), x.shape[3])).copy()


@late(
    "global_avg_pool_backward",
    "only divides by H*W-1",
    "dx is too large by the factor H*W / (H*W - 1)",
)
def _(dy, c):
    s = c.x_shape
    return np.broadcast_to(dy[:, None, None] / (s[1] * s[2] - 1), s).copy()


@late(
    "dropout", "no scaling at train", "scale of what is kept is too small by the factor 1/(1-rate)"
)
def _(x, rate, rng, train=True):
    return x * (rng.random(x.shape) >= rate) if train else x


@late("dropout_backward", "no mask at all", "dx: dy passes unchanged: the mask is not used")
def _(dy, c):
    return dy


@late(
    "batch_norm",
    "mean over all axes incl. channels",
    "y: mean and variance are over all channels together",
)
def _(x, g, b, rm, rv, train, momentum=0.9, eps=1e-05):
    return norm_with(x, g, b, rm, rv, train, momentum, eps, stat=lambda m, v: (x.mean(), x.var()))


@late("batch_norm_backward", "no inv_std", "dx: inv_std is missing")
def _(dy, c):
    xhat, g, _i, tr, _ax, m, dg, db = parts(dy, c)
    return (g * (dy - db / m - xhat * dg / m) if tr else g * dy, dg, db)


@late("residual_block", "no relu", "y: the ReLU between the convolutions is missing")
def _(x, w1, w2):
    return ops.conv2d(ops.conv2d(x, w1)[0], w2)[0] + x


@late("residual_block", "relu after sum", "y: there is a ReLU after the sum")
def _(x, w1, w2):
    h = np.maximum(ops.conv2d(x, w1)[0], 0)
    return np.maximum(ops.conv2d(h, w2)[0] + x, 0)


@late(
    "residual_block",
    "adds h not x",
    "y: the skip connection goes around the second convolution only",
)
def _(x, w1, w2):
    h = np.maximum(ops.conv2d(x, w1)[0], 0)
    return ops.conv2d(h, w2)[0] + h


@late(
    "residual_block_backward",
    "dw1, dw2 swapped",
    "dw1: it is dw2: the two are in each other's place, or the same",
)
def _(dy, c):
    c1, g, c2 = c
    dh, dw2, _ = ops.conv2d_backward(dy, c2)
    d1, dw1, _ = ops.conv2d_backward(ops.relu_backward(dh, g), c1)
    return (d1 + dy, dw2, dw1)


@late("relu", "threshold 0.5", "y: only values above 0.5 pass")
def _(x):
    return np.where(x > 0.5, x, 0)


@late("relu", "x squared for positive", "y: it is squared")
def _(x):
    return np.maximum(x, 0) ** 2


@late("relu", "returns mask times... x*(x<0)", "y: it is the smaller of x and 0, not the larger")
def _(x):
    return x * (x < 0)


@late("relu_backward", "zero where dy<0", "dx: the gate reads dy as well as x")
def _(dy, c):
    return np.where(c.positive & (dy > 0), dy, 0)


@late("col2im", "negative", "x is of the wrong sign")
def _(cols, shape, kernel_size, stride=1, padding="same"):
    return -ops.col2im(cols, shape, kernel_size, stride, padding)


@late("global_avg_pool", "sum", "y is too large by the factor H*W")
def _(x):
    return x.sum((1, 2))


@late(
    "global_avg_pool_backward",
    "first pixel only",
    "dx: only the first pixel gets its share, not all of them",
)
def _(dy, c):
    dx = np.zeros(c.x_shape)
    dx[:, 0, 0] = dy / (c.x_shape[1] * c.x_shape[2])
    return dx


@late("global_avg_pool_backward", "divide by C", "dx is too large by the factor H*W / C")
def _(dy, c):
    s = c.x_shape
    return np.broadcast_to(dy[:, None, None] / s[3], s).copy()


@late(
    "dropout",
    "scaling by rate",
    "scale of what is kept is too small by the factor 1 / (1-rate) * rate",
)
def _(x, rate, rng, train=True):
    return x * (rng.random(x.shape) >= rate) * rate if train else x


@late("dropout_backward", "scale missing", "dx is too small by the factor 1/(1-rate)")
def _(dy, c):
    return dy if c.mask is None else dy * (c.mask > 0)


@late("dropout_backward", "mask squared", "dx is too large by the factor 1/(1-rate)")
def _(dy, c):
    return dy if c.mask is None else dy * c.mask**2


@late("residual_block", "extra relu on body", "y: there is a ReLU after the second convolution")
def _(x, w1, w2):
    h = np.maximum(ops.conv2d(x, w1)[0], 0)
    return np.maximum(ops.conv2d(h, w2)[0], 0) + x


@late(
    "relu_backward",
    "in place dy",
    "it changes its argument dy: the array belongs to the caller, work on a copy",
)
def _(dy, cache):
    dy *= cache.positive
    return dy


@late(
    "global_avg_pool",
    "keepdims",
    "y has the shape (1, 1, 1, 1), not (1, 1): it is right in another shape",
)
def _(x):
    return x.mean((1, 2), keepdims=True)


@late(
    "global_avg_pool_backward",
    "divides by H*W*N",
    "dx is too small by the factor N, the batch size",
)
def _(dy, cache):
    s = cache.x_shape
    return np.broadcast_to(dy[:, None, None] / (s[0] * s[1] * s[2]), s).copy()


@late(
    "dropout_backward",
    "divides by mask scale (mask squared root)",
    "dx is too small by the root of 1/(1-rate)",
)
def _(dy, cache):
    if cache.mask is None:
        return dy
    return dy * np.sqrt(cache.mask)


@late("residual_block", "x subtracted", "y: the skip connection, x, has the wrong sign")
def _(x, w1, w2):
    h = np.maximum(ops.conv2d(x, w1)[0], 0)
    return ops.conv2d(h, w2)[0] - x


@late(
    "relu_backward",
    "returns dy for first half only / uses >= 0 gate: dy positive or x posi",
    "dx: dy passes where x or dy is positive",
)
def _(dy, c):
    return np.where(c.positive | (dy > 0), dy, 0)


@late(
    "max_pool2d_backward", "dx scaled by 1/size^2 at winner", "dx is too small by the factor size^2"
)
def _(dy, c):
    return ops.max_pool2d_backward(dy, c) / c.size[0] ** 2


@late("avg_pool2d", "divides by H*W", "y is too small by the factor H*W / size^2")
def _(x, size=2, stride=None):
    return ops.avg_pool2d(x, size, stride)[0] * size[0] ** 2 / (x.shape[1] * x.shape[2])


@late("residual_block", "average of skip and body", "y is 0.5 times what it should be")
def _(x, w1, w2):
    h = np.maximum(ops.conv2d(x, w1)[0], 0)
    return (ops.conv2d(h, w2)[0] + x) / 2

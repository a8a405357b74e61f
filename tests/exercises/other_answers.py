"""Right answers, written in two other ways: loops, and einsum or other functions of NumPy."""

import numpy as np

from numpycnn import ops

# ---- dense, ReLU, loss ------------------------------------------------------------------------


def dense_loops(x, w, b=None):
    y = np.zeros((len(x), w.shape[1]), x.dtype)
    for n, k in np.ndindex(y.shape):
        y[n, k] = sum(x[n, d] * w[d, k] for d in range(len(w))) + (0 if b is None else b[k])
    return y


def dense_einsum(x, w, b=None):
    y = np.einsum("nd,dk->nk", x, w)
    return (y if b is None else y + b), None


def dense_backward_loops(dy, cache):
    x, w, has_bias = cache
    dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros(w.shape[1], w.dtype)
    for n, k in np.ndindex(dy.shape):
        dx[n] += dy[n, k] * w[:, k]
        dw[:, k] += dy[n, k] * x[n]
        db[k] += dy[n, k]
    return dx, dw, db if has_bias else None


def dense_backward_einsum(dy, cache):
    x, w, has_bias = cache
    db = np.einsum("nk->k", dy) if has_bias else None
    return [np.einsum("nk,dk->nd", dy, w), np.einsum("nd,nk->dk", x, dy), db]


def relu_loops(x):
    y = x.copy()
    for i in np.ndindex(x.shape):
        if y[i] < 0:
            y[i] = 0
    return y


def relu_where(x):
    return np.where(x > 0, x, np.zeros_like(x)), x > 0


def relu_backward_loops(dy, cache):
    dx = np.zeros_like(dy)
    for i in np.ndindex(dy.shape):
        if cache.positive[i]:
            dx[i] = dy[i]
    return dx


def relu_backward_where(dy, cache):
    (positive,) = cache
    dx = dy.copy()
    dx[~positive] = 0
    return dx


def entropy_loops(logits, labels):
    n, k = logits.shape
    loss, d = 0.0, np.zeros_like(logits)
    for i in range(n):
        top = max(logits[i])
        log_sum = np.log(sum(np.exp(s - top) for s in logits[i]))
        loss -= (logits[i, labels[i]] - top - log_sum) / n
        for j in range(k):
            d[i, j] = (np.exp(logits[i, j] - top - log_sum) - (j == labels[i])) / n
    return loss, d


def entropy_logaddexp(logits, labels):
    n = len(labels)
    log_a = logits - np.logaddexp.reduce(logits, axis=1)[:, None]
    d = np.exp(log_a)
    d[np.arange(n), labels] -= 1
    return -log_a[np.arange(n), labels].mean(), d / logits.dtype.type(n)


# ---- dropout ----------------------------------------------------------------------------------


def dropout_loops(x, rate, rng=None, train=True):
    if not train:
        return x
    y = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        if rng.random() >= rate:
            y[i] = x[i] / (1 - rate)
    return y


def dropout_binomial(x, rate, rng=None, train=True):
    if not train:
        return x.copy(), None
    mask = rng.binomial(1, 1 - rate, x.shape) / (1 - rate)
    return x * mask, mask


def dropout_backward_loops(dy, cache):
    dx = dy.copy()
    if cache.mask is not None:
        for i in np.ndindex(dy.shape):
            dx[i] = dy[i] * cache.mask[i]
    return dx


def dropout_backward_einsum(dy, cache):
    return dy if cache[0] is None else np.einsum("nd,nd->nd", dy, cache[0])


# ---- convolution ------------------------------------------------------------------------------


def conv_loops(x, w, b, stride, pad):
    n, h, width, _ = x.shape
    kh, kw, _c, f = w.shape
    oh, ow = (h + 2 * pad - kh) // stride + 1, (width + 2 * pad - kw) // stride + 1
    y = np.zeros((n, oh, ow, f), x.dtype)
    for i, j, di, dj in np.ndindex(oh, ow, kh, kw):
        r, s = i * stride + di - pad, j * stride + dj - pad
        if 0 <= r < h and 0 <= s < width:
            y[:, i, j] += x[:, r, s] @ w[di, dj]
    return y + b


def conv_einsum(x, w, b, stride, pad):
    xp = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(xp, w.shape[:2], axis=(1, 2))
    return np.einsum("nijcab,abcf->nijf", windows[:, ::stride, ::stride], w) + b, None


def im2col_loops(x, kernel_size, stride=1, padding="same"):
    (kh, kw), (sh, sw), ((t, b), (left, r)) = kernel_size, stride, padding
    xp = np.pad(x, ((0, 0), (t, b), (left, r), (0, 0)))
    oh, ow = (xp.shape[1] - kh) // sh + 1, (xp.shape[2] - kw) // sw + 1
    cols = np.zeros((len(x), oh, ow, kh * kw * x.shape[3]), x.dtype)
    for n, i, j in np.ndindex(cols.shape[:3]):
        cols[n, i, j] = xp[n, i * sh : i * sh + kh, j * sw : j * sw + kw].ravel()
    return cols


def im2col_index(x, kernel_size, stride=1, padding="same"):
    (kh, kw), (sh, sw), pads = kernel_size, stride, padding
    xp = np.pad(x, ((0, 0), *pads, (0, 0)))
    oh, ow = (xp.shape[1] - kh) // sh + 1, (xp.shape[2] - kw) // sw + 1
    r = (np.arange(oh) * sh)[:, None, None, None] + np.arange(kh)[:, None]
    s = (np.arange(ow) * sw)[:, None, None] + np.arange(kw)
    return xp[:, r, s].reshape(len(x), oh, ow, -1)


def col2im_loops(cols, shape, kernel_size, stride=1, padding="same"):
    (kh, kw), (sh, sw), ((top, _), (left, _)) = kernel_size, stride, padding
    n, h, w, c = shape
    x = np.zeros((n, h, w, c), cols.dtype)
    for i, j, di, dj in np.ndindex(*cols.shape[1:3], kh, kw):
        r, s = i * sh + di - top, j * sw + dj - left
        if 0 <= r < h and 0 <= s < w:
            first = (di * kw + dj) * c
            x[:, r, s] += cols[:, i, j, first : first + c]
    return x


def col2im_add_at(cols, shape, kernel_size, stride=1, padding="same"):
    numbers = np.arange(1, np.prod(shape) + 1, dtype=float).reshape(shape)
    places = ops.im2col(numbers, kernel_size, stride, padding).astype(int)
    flat = np.zeros(np.prod(shape) + 1, cols.dtype)
    np.add.at(flat, places, cols)
    return flat[1:].reshape(shape)


def conv_backward_loops(dy, cache, *, input_gradient=True):
    x, w, has_bias, (sh, sw), ((top, _), (left, _)), *_ = cache
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i, j, di, dj in np.ndindex(*dy.shape[1:3], *w.shape[:2]):
        r, s = i * sh + di - top, j * sw + dj - left
        if 0 <= r < x.shape[1] and 0 <= s < x.shape[2]:
            dx[:, r, s] += dy[:, i, j] @ w[di, dj].T
            dw[di, dj] += x[:, r, s].T @ dy[:, i, j]
    return dx, dw, dy.sum((0, 1, 2)) if has_bias else None


def conv_backward_einsum(dy, cache):
    x, w, has_bias, stride, padding, *_ = cache
    cols = ops.im2col(x, w.shape[:2], stride, padding)
    cols = cols.reshape(*cols.shape[:3], *w.shape[:3])
    dcols = np.einsum("nijf,abcf->nijabc", dy, w).reshape(*dy.shape[:3], -1)
    dx = ops.col2im(dcols, x.shape, w.shape[:2], stride, padding)
    db = np.einsum("nijf->f", dy) if has_bias else None
    return dx, np.einsum("nijabc,nijf->abcf", cols, dy), db


# ---- pooling ----------------------------------------------------------------------------------


def _pool_loops(f):
    def pool(x, size, stride=None):
        (kh, kw), (sh, sw) = size, stride
        oh, ow = (x.shape[1] - kh) // sh + 1, (x.shape[2] - kw) // sw + 1
        y = np.zeros((len(x), oh, ow, x.shape[3]), x.dtype)
        for i, j in np.ndindex(oh, ow):
            y[:, i, j] = f(x[:, i * sh : i * sh + kh, j * sw : j * sw + kw], axis=(1, 2))
        return y

    return pool


def _pool_windows(f):
    def pool(x, size, stride=None):
        windows = np.lib.stride_tricks.sliding_window_view(x, size, axis=(1, 2))
        return f(windows[:, :: stride[0], :: stride[1]], axis=(4, 5)), None

    return pool


def max_backward_loops(dy, cache):
    dx = np.zeros(cache.x_shape, dy.dtype)
    for n, i, j, c in np.ndindex(dy.shape):
        di, dj = divmod(int(cache.winner[n, i, j, c]), cache.size[1])
        dx[n, i * cache.stride[0] + di, j * cache.stride[1] + dj, c] += dy[n, i, j, c]
    return dx


def max_backward_add_at(dy, cache):
    dx = np.zeros(cache.x_shape, dy.dtype)
    n, i, j, c = np.indices(dy.shape)
    di, dj = np.divmod(cache.winner.astype(int), cache.size[1])
    np.add.at(dx, (n, i * cache.stride[0] + di, j * cache.stride[1] + dj, c), dy)
    return dx


def avg_backward_loops(dy, cache):
    (kh, kw), (sh, sw) = cache.size, cache.stride
    dx = np.zeros(cache.x_shape, dy.dtype)
    for i, j in np.ndindex(dy.shape[1:3]):
        dx[:, i * sh : i * sh + kh, j * sw : j * sw + kw] += dy[:, i, None, j, None] / (kh * kw)
    return dx


def avg_backward_col2im(dy, cache):
    (kh, kw), (n, h, w, c) = cache.size, cache.x_shape
    cols = np.repeat(dy[..., None, :], kh * kw, axis=3).reshape(*dy.shape[:3], -1) / (kh * kw)
    return ops.col2im(cols, (n, h, w, c), cache.size, cache.stride, 0)


def global_loops(x):
    y = np.zeros((len(x), x.shape[3]), x.dtype)
    for i, j in np.ndindex(x.shape[1:3]):
        y += x[:, i, j]
    return y / (x.shape[1] * x.shape[2])


def global_einsum(x):
    return np.einsum("nijc->nc", x) / (x.shape[1] * x.shape[2]), x.shape


def global_backward_loops(dy, cache):
    dx = np.zeros(cache.x_shape, dy.dtype)
    for n, i, j, c in np.ndindex(dx.shape):
        dx[n, i, j, c] = dy[n, c] / (dx.shape[1] * dx.shape[2])
    return dx


def global_backward_einsum(dy, cache):
    _, h, w, _ = cache.x_shape
    return np.einsum("nc,ij->nijc", dy, np.full((h, w), 1 / (h * w), dy.dtype))


# ---- batch norm -------------------------------------------------------------------------------


def norm_loops(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    y = np.empty_like(x)
    for c in range(x.shape[-1]):
        mean, var = running_mean[c], running_var[c]
        if train:
            values = [float(v) for v in x[..., c].ravel()]
            mean = sum(values) / len(values)
            var = sum((v - mean) ** 2 for v in values) / len(values)
            running_mean[c] = momentum * running_mean[c] + (1 - momentum) * mean
            running_var[c] = momentum * running_var[c] + (1 - momentum) * var
        y[..., c] = gamma[c] * (x[..., c] - mean) / np.sqrt(var + eps) + beta[c]
    return y


def norm_einsum(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    rows = x.reshape(-1, x.shape[-1])
    mean, var = running_mean.copy(), running_var.copy()
    if train:
        mean = np.einsum("mc->c", rows) / len(rows)
        var = np.einsum("mc,mc->c", rows - mean, rows - mean) / len(rows)
        running_mean[...] = momentum * running_mean + (1 - momentum) * mean
        running_var[...] = momentum * running_var + (1 - momentum) * var
    scale = (gamma / np.sqrt(var + eps)).astype(x.dtype)
    return x * scale + (beta - mean * scale).astype(x.dtype), None


def norm_backward_loops(dy, cache):
    xhat, gamma, inv_std, train = cache
    c = dy.shape[-1]
    dx, dgamma, dbeta = np.empty_like(dy), np.zeros(c, dy.dtype), np.zeros(c, dy.dtype)
    for k in range(c):
        g, h = dy[..., k], xhat[..., k]
        dgamma[k], dbeta[k] = (g * h).sum(), g.sum()
        inner = g - g.mean() - h * (g * h).mean() if train else g
        dx[..., k] = gamma[k] * inv_std[k] * inner
    return dx, dgamma, dbeta


def norm_backward_matrix(dy, cache):
    """By the Jacobian of one channel, (M, M): I - 1/M - xhat xhat^T / M."""
    xhat, gamma, inv_std, train = cache
    rows, h = dy.reshape(-1, dy.shape[-1]), xhat.reshape(-1, dy.shape[-1])
    m = len(rows)
    dx = rows.copy()
    if train:
        jacobian = np.eye(m)[None] - (1 + np.einsum("ic,jc->cij", h, h)) / m
        dx = np.einsum("cij,jc->ic", jacobian, rows).astype(dy.dtype)
    dgamma, dbeta = np.einsum("mc,mc->c", rows, h), np.einsum("mc->c", rows)
    return (dx * (gamma * inv_std)).reshape(dy.shape), dgamma, dbeta


ANSWERS = {
    "dense": (dense_loops, dense_einsum),
    "dense_backward": (dense_backward_loops, dense_backward_einsum),
    "relu": (relu_loops, relu_where),
    "relu_backward": (relu_backward_loops, relu_backward_where),
    "softmax_cross_entropy": (entropy_loops, entropy_logaddexp),
    "dropout": (dropout_loops, dropout_binomial),
    "dropout_backward": (dropout_backward_loops, dropout_backward_einsum),
    "conv2d_loops": (conv_loops, conv_einsum),
    "im2col": (im2col_loops, im2col_index),
    "col2im": (col2im_loops, col2im_add_at),
    "conv2d_backward": (conv_backward_loops, conv_backward_einsum),
    "max_pool2d": (_pool_loops(np.max), _pool_windows(np.max)),
    "max_pool2d_backward": (max_backward_loops, max_backward_add_at),
    "avg_pool2d": (_pool_loops(np.mean), _pool_windows(np.mean)),
    "avg_pool2d_backward": (avg_backward_loops, avg_backward_col2im),
    "global_avg_pool": (global_loops, global_einsum),
    "global_avg_pool_backward": (global_backward_loops, global_backward_einsum),
    "batch_norm": (norm_loops, norm_einsum),
    "batch_norm_backward": (norm_backward_loops, norm_backward_matrix),
}

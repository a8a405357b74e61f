"""The definitions: convolution, pooling and batch norm as loops over Python floats, both passes.

Slow, and hard to get wrong: an index is written as in the equation above it, and a gradient is one
line beside the line of the forward pass whose derivative it is. The ops are compared with these.
All take arrays of any layout and return float64.
"""

import math

import numpy as np

# ---- convolution ------------------------------------------------------------------------------


def before(size, kernel, stride, padding):
    """How many zeros stand before an axis, and how long the output is: (top, OH)."""
    if padding == "same":  # OH = ceil(H / s); the odd zero stands at the end, as in Keras
        out = math.ceil(size / stride)
        return max((out - 1) * stride + kernel - size, 0) // 2, out
    p = 0 if padding == "valid" else padding
    return p, math.floor((size + 2 * p - kernel) / stride) + 1


def transposed_before(size, kernel, stride, padding):
    """How many of the output's first values are cut away, and how long the output is: (top, OH)."""
    if padding == "same":  # OH = H * s
        return max(kernel - stride, 0) // 2, size * stride
    p = 0 if padding == "valid" else padding
    return p, (size - 1) * stride + kernel - 2 * p


def both(padding):
    return padding if isinstance(padding, tuple) else (padding, padding)


def conv_terms(x_shape, w_shape, stride, padding, dilation=(1, 1)):
    """Yields (n, i, j, r, s, di, dj): output pixel (i, j) meets input pixel (r, s) at w[di, dj].

    r = i*stride + di*dilation - top, s likewise; outside the image are zeros, left out.
    """
    (batch, height, width, _), (kh, kw) = x_shape, w_shape[:2]
    top, oh = before(height, (kh - 1) * dilation[0] + 1, stride[0], both(padding)[0])
    left, ow = before(width, (kw - 1) * dilation[1] + 1, stride[1], both(padding)[1])
    for n in range(batch):
        for i in range(oh):
            for j in range(ow):
                for di in range(kh):
                    for dj in range(kw):
                        r = i * stride[0] + di * dilation[0] - top
                        s = j * stride[1] + dj * dilation[1] - left
                        if 0 <= r < height and 0 <= s < width:
                            yield n, i, j, r, s, di, dj


def channel_pairs(w_shape, groups):
    """Yields (k, c, f): filter f meets channel k of x, which is channel c of the filter's group."""
    c, f = w_shape[2:]
    for filter in range(f):
        group = filter * groups // f
        for channel in range(c):
            yield group * c + channel, channel, filter


def conv2d(x, w, b, stride, padding, dilation=(1, 1), groups=1):
    """y[n,i,j,f] = b[f] + sum_{di,dj,c} x[n,r,s,k] * w[di,dj,c,f], k: channel c of f's group"""
    span = [(w.shape[a] - 1) * dilation[a] + 1 for a in (0, 1)]
    oh, ow = (before(x.shape[a + 1], span[a], stride[a], both(padding)[a])[1] for a in (0, 1))
    y = np.zeros((x.shape[0], oh, ow, w.shape[3])).tolist()
    X, W = x.tolist(), w.tolist()
    pairs = list(channel_pairs(w.shape, groups))
    for n, i, j, r, s, di, dj in conv_terms(x.shape, w.shape, stride, padding, dilation):
        for k, c, f in pairs:
            y[n][i][j][f] += X[n][r][s][k] * W[di][dj][c][f]
    return np.array(y).reshape(x.shape[0], oh, ow, w.shape[3]) + (
        0 if b is None else b.astype(float)
    )


def conv2d_backward(dy, x, w, stride, padding, dilation=(1, 1), groups=1):
    """dx[n,r,s,k]    += dy[n,i,j,f] * w[di,dj,c,f]
    dw[di,dj,c,f] += dy[n,i,j,f] * x[n,r,s,k]
    db[f]         += dy[n,i,j,f]
    """
    dx, dw = np.zeros(x.shape).tolist(), np.zeros(w.shape).tolist()
    X, W, G = x.tolist(), w.tolist(), dy.tolist()
    pairs = list(channel_pairs(w.shape, groups))
    for n, i, j, r, s, di, dj in conv_terms(x.shape, w.shape, stride, padding, dilation):
        for k, c, f in pairs:
            dx[n][r][s][k] += G[n][i][j][f] * W[di][dj][c][f]
            dw[di][dj][c][f] += G[n][i][j][f] * X[n][r][s][k]
    return np.array(dx), np.array(dw), sum_to_channels(dy)


def conv_transpose_terms(x_shape, w_shape, stride, padding):
    """Yields (n, i, j, r, s, di, dj): w[di, dj] paints input pixel (i, j) on output (r, s)."""
    (batch, height, width, _), (kh, kw) = x_shape, w_shape[:2]
    top, oh = transposed_before(height, kh, stride[0], both(padding)[0])
    left, ow = transposed_before(width, kw, stride[1], both(padding)[1])
    for n in range(batch):
        for i in range(height):
            for j in range(width):
                for di in range(kh):
                    for dj in range(kw):
                        r, s = i * stride[0] + di - top, j * stride[1] + dj - left
                        if 0 <= r < oh and 0 <= s < ow:
                            yield n, i, j, r, s, di, dj


def conv_transpose2d(x, w, b, stride, padding):
    """y[n,r,s,f] = b[f] + sum of x[n,i,j,c] * w[di,dj,f,c] over c and all (i,j,di,dj) -> (r,s)"""
    oh, ow = (
        transposed_before(x.shape[a + 1], w.shape[a], stride[a], both(padding)[a])[1]
        for a in (0, 1)
    )
    y = np.zeros((x.shape[0], oh, ow, w.shape[2])).tolist()
    X, W = x.tolist(), w.tolist()
    for n, i, j, r, s, di, dj in conv_transpose_terms(x.shape, w.shape, stride, padding):
        for f in range(w.shape[2]):
            for c in range(w.shape[3]):
                y[n][r][s][f] += X[n][i][j][c] * W[di][dj][f][c]
    return np.array(y).reshape(x.shape[0], oh, ow, w.shape[2]) + (
        0 if b is None else b.astype(float)
    )


def conv_transpose2d_backward(dy, x, w, stride, padding):
    """dx[n,i,j,c]    += dy[n,r,s,f] * w[di,dj,f,c]
    dw[di,dj,f,c] += dy[n,r,s,f] * x[n,i,j,c]
    db[f]         += dy[n,r,s,f]
    """
    dx, dw = np.zeros(x.shape).tolist(), np.zeros(w.shape).tolist()
    X, W, G = x.tolist(), w.tolist(), dy.tolist()
    for n, i, j, r, s, di, dj in conv_transpose_terms(x.shape, w.shape, stride, padding):
        for f in range(w.shape[2]):
            for c in range(w.shape[3]):
                dx[n][i][j][c] += G[n][r][s][f] * W[di][dj][f][c]
                dw[di][dj][f][c] += G[n][r][s][f] * X[n][i][j][c]
    return np.array(dx), np.array(dw), sum_to_channels(dy)


def sum_to_channels(dy):
    """db[f] = sum over all but the last axis of dy[..., f]"""
    return np.array([math.fsum(dy[..., f].astype(float).ravel()) for f in range(dy.shape[-1])])


# ---- pooling ----------------------------------------------------------------------------------


def pool_windows(shape, size, stride):
    """Yields (n, i, j, c, places): the output's index, and its window's (r, s) in reading order."""
    batch, height, width, channels = shape
    for n in range(batch):
        for i in range((height - size[0]) // stride[0] + 1):
            for j in range((width - size[1]) // stride[1] + 1):
                rows = range(i * stride[0], i * stride[0] + size[0])
                columns = range(j * stride[1], j * stride[1] + size[1])
                for c in range(channels):
                    yield n, i, j, c, [(r, s) for r in rows for s in columns]


def pool_shape(shape, size, stride):
    return (
        shape[0],
        (shape[1] - size[0]) // stride[0] + 1,
        (shape[2] - size[1]) // stride[1] + 1,
        shape[3],
    )


def winner(x, n, c, places):
    """The first place of the largest value; a NaN is larger than all."""
    best = places[0]
    for place in places:
        value, largest = x[(n, *place, c)], x[(n, *best, c)]
        if value > largest or (math.isnan(value) and not math.isnan(largest)):
            best = place
    return best


def max_pool2d(x, size, stride):
    """y[n,i,j,c] = max over the window of x[n,r,s,c]"""
    y = np.zeros(pool_shape(x.shape, size, stride))
    for n, i, j, c, places in pool_windows(x.shape, size, stride):
        y[n, i, j, c] = x[(n, *winner(x, n, c, places), c)]
    return y


def max_pool2d_backward(dy, x, size, stride):
    """dx[n,r,s,c] += dy[n,i,j,c] at the winner alone"""
    dx = np.zeros(x.shape)
    for n, i, j, c, places in pool_windows(x.shape, size, stride):
        dx[(n, *winner(x, n, c, places), c)] += dy[n, i, j, c]
    return dx


def avg_pool2d(x, size, stride):
    """y[n,i,j,c] = sum over the window of x[n,r,s,c] / (number of places)"""
    y = np.zeros(pool_shape(x.shape, size, stride))
    for n, i, j, c, places in pool_windows(x.shape, size, stride):
        y[n, i, j, c] = math.fsum(x[n, r, s, c] for r, s in places) / len(places)
    return y


def avg_pool2d_backward(dy, x, size, stride):
    """dx[n,r,s,c] += dy[n,i,j,c] / (number of places)"""
    dx = np.zeros(x.shape)
    for n, i, j, c, places in pool_windows(x.shape, size, stride):
        for r, s in places:
            dx[n, r, s, c] += float(dy[n, i, j, c]) / len(places)
    return dx


def global_avg_pool(x):
    """y[n,c] = sum_{i,j} x[n,i,j,c] / (H*W): average pooling with one window"""
    return avg_pool2d(x, x.shape[1:3], (1, 1))[:, 0, 0]


def global_avg_pool_backward(dy, x):
    """dx[n,i,j,c] = dy[n,c] / (H*W)"""
    return avg_pool2d_backward(dy[:, None, None], x, x.shape[1:3], (1, 1))


# ---- batch normalisation ----------------------------------------------------------------------


def batch_norm(x, gamma, beta, mean, var, train, eps):
    """y = gamma * (x - mean) / sqrt(var + eps) + beta -> y, mean, var

    mean and var are the batch's own when training, var biased, else those given.
    """
    flat = x.reshape(-1, x.shape[-1]).astype(float)
    y, mean, var = np.zeros(flat.shape), [float(v) for v in mean], [float(v) for v in var]
    for c in range(flat.shape[1]):
        values = flat[:, c].tolist()
        if train:
            mean[c] = math.fsum(values) / len(values)
            var[c] = math.fsum((v - mean[c]) ** 2 for v in values) / len(values)
        for m, v in enumerate(values):
            y[m, c] = float(gamma[c]) * (v - mean[c]) / math.sqrt(var[c] + eps) + float(beta[c])
    return y.reshape(x.shape), np.array(mean), np.array(var)


def batch_norm_backward(dy, x, gamma, mean, var, train, eps):
    """The whole Jacobian, one pair (m, k) of values of a channel after the other:

    d xhat_k / d x_m = inv_std * ((1 if m is k) - 1/M - xhat_m * xhat_k / M)
    dx_m = sum_k dy_k * gamma * d xhat_k / d x_m
    dgamma = sum_k dy_k * xhat_k      dbeta = sum_k dy_k

    With running statistics, only the 1 of the first line remains.
    """
    flat, g = x.reshape(-1, x.shape[-1]).astype(float), dy.reshape(-1, x.shape[-1]).astype(float)
    M, C = flat.shape
    dx, dgamma, dbeta = np.zeros((M, C)), np.zeros(C), np.zeros(C)
    for c in range(C):
        inv_std = 1 / math.sqrt(float(var[c]) + eps)
        xhat = [(v - float(mean[c])) * inv_std for v in flat[:, c].tolist()]
        for k in range(M):
            dgamma[c] += g[k, c] * xhat[k]
            dbeta[c] += g[k, c]
            for m in range(M):
                moved = (1.0 if m == k else 0.0) - ((1 + xhat[m] * xhat[k]) / M if train else 0.0)
                dx[m, c] += g[k, c] * float(gamma[c]) * inv_std * moved
    return dx.reshape(x.shape), dgamma, dbeta


# ---- layer and group normalisation ------------------------------------------------------------


def row_members(shape):
    """The groups of a layer norm, each a list of indices: the last axis of every row."""
    return [[(*row, c) for c in range(shape[-1])] for row in np.ndindex(shape[:-1])]


def group_members(shape, groups):
    """The groups of a group norm: of an image n, all pixels of the channels of group g."""
    size = shape[-1] // groups
    return [
        [(n, *at, g * size + k) for at in np.ndindex(shape[1:-1]) for k in range(size)]
        for n in range(shape[0])
        for g in range(groups)
    ]


def normalised(x, indices, eps):
    """xhat = (x - mean) / sqrt(var + eps) of the values here -> [xhat], 1 / sqrt(...)"""
    values = [float(x[i]) for i in indices]
    mean = math.fsum(values) / len(values)
    var = math.fsum((v - mean) ** 2 for v in values) / len(values)
    inv_std = 1 / math.sqrt(var + eps)
    return [(v - mean) * inv_std for v in values], inv_std


def normalise(x, gamma, beta, members, eps):
    """y = gamma * xhat + beta, group by group"""
    y = np.zeros(x.shape)
    for indices in members:
        for i, xhat in zip(indices, normalised(x, indices, eps)[0], strict=True):
            y[i] = float(gamma[i[-1]]) * xhat + float(beta[i[-1]])
    return y


def normalise_backward(dy, x, gamma, members, eps):
    """The whole Jacobian of a group, as in batch_norm_backward -> dx, dgamma, dbeta

    d xhat_k / d x_m = inv_std * ((1 if m is k) - 1/M - xhat_m * xhat_k / M)
    """
    dx, dgamma, dbeta = np.zeros(x.shape), np.zeros(x.shape[-1]), np.zeros(x.shape[-1])
    for indices in members:
        xhat, inv_std = normalised(x, indices, eps)
        M = len(indices)
        for k, at in enumerate(indices):
            g, c = float(dy[at]), at[-1]
            dgamma[c] += g * xhat[k]
            dbeta[c] += g
            for m, to in enumerate(indices):
                moved = (1.0 if m == k else 0.0) - (1 + xhat[m] * xhat[k]) / M
                dx[to] += g * float(gamma[c]) * inv_std * moved
    return dx, dgamma, dbeta


# ---- what the tests share ---------------------------------------------------------------------

LAYOUTS = ("contiguous", "fortran", "reversed", "strided", "read-only")


def lay_out(array, layout):
    """The same values in Fortran order, with negative or double strides, or read-only."""
    array = np.array(array)
    if layout == "fortran":
        array = np.asfortranarray(array)
    elif layout == "reversed":
        array = np.flip(np.flip(array).copy())
    elif layout == "strided":
        wide = np.full((*array.shape[:-1], 2 * array.shape[-1] + 1), np.nan, array.dtype)
        wide[..., 1::2] = array
        array = wide[..., 1::2]
    array.flags.writeable = layout != "read-only"
    return array


def agree(got, wanted):
    """Equal shapes, and values within 1e-4 (float32) or 1e-10 (float64) of the largest.

    Where that is below 1, the size of what the tests draw, then of 1: a sum may cancel, its terms
    do not.
    """
    wanted = np.asarray(wanted)
    assert got.shape == wanted.shape
    tolerance = {np.dtype(np.float32): 1e-4, np.dtype(np.float64): 1e-10}[got.dtype]
    np.testing.assert_allclose(
        got, wanted, rtol=0, atol=tolerance * max(np.abs(wanted).max(initial=0.0), 1.0)
    )

"""A second round of wrong answers, after the first had changed the grader: as in late_faults.py."""

import numpy as np

from numpycnn import ops
from numpycnn.ops.update import adam_update, sgd_update

FAULTS = []


def fault(exercise, what, *words):
    """Decorate a wrong function of that exercise."""

    def add(function):
        FAULTS.append((what, exercise, function, words))
        return function

    return add


# ---- loops that end too early, indices that are off --------------------------------------------


@fault("dense", "the first feature is skipped: range(1, D)")
def _(x, w, b=None):
    return x[:, 1:] @ w[1:] + (0 if b is None else b)


@fault("dense", "= for += in the loop over features")
def _(x, w, b=None):
    return x[:, -1:] * w[-1] + (0 if b is None else b)


@fault("dense", "the bias is added once for each feature")
def _(x, w, b=None):
    return x @ w + (0 if b is None else len(w) * b)


@fault("dense_backward", "dx is divided by the batch size")
def _(dy, cache):
    x, w, has_bias = cache
    return dy @ w.T / len(x), x.T @ dy, dy.sum(0) if has_bias else None


@fault("dense_backward", "dw is built from |x|")
def _(dy, cache):
    x, w, has_bias = cache
    return dy @ w.T, np.abs(x).T @ dy, dy.sum(0) if has_bias else None


@fault("dense_backward", "db is given back as ones times N")
def _(dy, cache):
    x, w, has_bias = cache
    db = np.full(w.shape[1], float(len(x))) if has_bias else None
    return dy @ w.T, x.T @ dy, db


@fault("relu_backward", "threshold at 1")
def _(dy, cache):
    return np.where(np.abs(dy) > 1, dy, 0) * cache.positive


@fault("relu_backward", "the first example only")
def _(dy, cache):
    dx = np.zeros_like(dy)
    dx[0] = (dy * cache.positive)[0]
    return dx


@fault("relu", "adds a small number")
def _(x):
    return np.maximum(x, 0) + 1e-3


@fault("relu", "the whole row is 0 where one value is negative")
def _(x):
    axes = tuple(range(1, x.ndim))
    return x * (x.min(axes, keepdims=True) > 0)


# ---- loss -------------------------------------------------------------------------------------


@fault("softmax_cross_entropy", "log softmax by the wrong axis, the gradient too")
def _(logits, labels):
    e = np.exp(logits - logits.max(0))
    a = e / e.sum(0)
    n = len(labels)
    picked = a[np.arange(n), labels]
    y = np.eye(logits.shape[1])[labels]
    return -np.log(picked).mean(), (a - y) / n


@fault("softmax_cross_entropy", "1 is subtracted from the whole column of each label")
def _(logits, labels):
    loss, _ = ops.softmax_cross_entropy(logits, labels)
    a = ops.softmax(logits)[0]
    a[:, labels] -= 1
    return loss, a / len(labels)


@fault("softmax_cross_entropy", "the largest score is not taken off")
def _(logits, labels):
    e = np.exp(logits)
    a = e / e.sum(1, keepdims=True)
    n = len(labels)
    y = np.eye(logits.shape[1])[labels]
    return -np.log(a[np.arange(n), labels]).mean(), (a - y) / n


@fault("softmax_cross_entropy", "only dlogits is divided by N squared")
def _(logits, labels):
    loss, d = ops.softmax_cross_entropy(logits, labels)
    return loss, d / len(labels)


@fault("softmax_cross_entropy", "the mean squared error of the softmax")
def _(logits, labels):
    a, y = ops.softmax(logits)[0], np.eye(logits.shape[1])[labels]
    return ((a - y) ** 2).mean(), ops.softmax_cross_entropy(logits, labels)[1]


@fault("softmax_cross_entropy", "label smoothing is built in")
def _(logits, labels):
    return ops.softmax_cross_entropy(logits, labels, 0.1)


# ---- convolution ------------------------------------------------------------------------------


@fault("conv2d_loops", "the product with the patch is turned into a maximum")
def _(x, w, b, stride, pad):
    return ops.conv2d(x, np.abs(w), b, stride, pad)[0]


@fault("conv2d_loops", "the channels are averaged")
def _(x, w, b, stride, pad):
    return ops.conv2d(x, w / x.shape[3], b, stride, pad)[0]


@fault("conv2d_loops", "padding at the end only")
def _(x, w, b, stride, pad):
    return ops.conv2d(x, w, b, stride, ((0, 2 * pad), (0, 2 * pad)))[0]


@fault("conv2d_loops", "the image is padded with ones")
def _(x, w, b, stride, pad):
    p = ((0, 0), (pad, pad), (pad, pad), (0, 0))
    return ops.conv2d(np.pad(x, p, constant_values=1), w, b, stride, 0)[0]


@fault("conv2d_loops", "the output has one row and column too few")
def _(x, w, b, stride, pad):
    return ops.conv2d(x, w, b, stride, pad)[0][:, :-1, :-1]


@fault("conv2d_loops", "only the last kernel row is used")
def _(x, w, b, stride, pad):
    last = np.zeros_like(w)
    last[-1] = w[-1]
    return ops.conv2d(x, last, b, stride, pad)[0]


@fault("im2col", "the padding is forgotten")
def _(x, kernel_size, stride=1, padding="same"):
    return ops.im2col(x, kernel_size, stride, 0)


@fault("im2col", "the patches are given back as a matrix")
def _(x, kernel_size, stride=1, padding="same"):
    cols = ops.im2col(x, kernel_size, stride, padding)
    return cols.reshape(-1, cols.shape[-1])


@fault("im2col", "the padding of rows and columns exchanged")
def _(x, kernel_size, stride=1, padding="same"):
    return ops.im2col(x, kernel_size, stride, padding[::-1])


@fault("col2im", "the last patch column is forgotten")
def _(cols, shape, kernel_size, stride=1, padding="same"):
    cols = cols.copy()
    cols[:, :, -1] = 0
    return ops.col2im(cols, shape, kernel_size, stride, padding)


@fault("conv2d_backward", "dy is not spread by the stride for dw")
def _(dy, cache):
    dx, _, db = ops.conv2d_backward(dy, cache)
    x, w, _, _stride, padding = cache
    cols = ops.im2col(x, w.shape[:2], 1, padding)[:, : dy.shape[1], : dy.shape[2]]
    dw = cols.reshape(-1, cols.shape[-1]).T @ dy.reshape(-1, dy.shape[-1])
    return dx, dw.reshape(w.shape), db


@fault("conv2d_backward", "dx has x in it, not w: dx = x * sum dy")
def _(dy, cache):
    _dx, dw, db = ops.conv2d_backward(dy, cache)
    return cache.x * dy.sum(), dw, db


@fault("conv2d_backward", "dw has the channels and filters exchanged")
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return dx, dw.swapaxes(2, 3), db


@fault("conv2d_backward", "db sums over the images only")
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return dx, dw, None if db is None else dy.sum(0)[0, 0]


@fault("conv2d_backward", "dx is scaled by N too")
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return dx * len(dy), dw, db


@fault("conv2d_backward", "dx of the padding is folded back to the other side")
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return np.roll(dx, 1, axis=1), dw, db


@fault("conv2d_backward", "the bias's gradient is counted in dw")
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return dx, dw + (0 if db is None else db), db


@fault("conv2d_backward", "right, but for strides larger than 1 dx is 0")
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return dx * (cache.stride == (1, 1)), dw, db


# ---- pooling ----------------------------------------------------------------------------------


@fault("max_pool2d", "the last window is left out")
def _(x, size, stride):
    y = ops.max_pool2d(x, size, stride)[0]
    return y[:, : max(y.shape[1] - 1, 1)]


@fault("max_pool2d", "size and stride exchanged")
def _(x, size, stride):
    if stride[0] > min(x.shape[1:3]):
        return ops.max_pool2d(x, size, stride)[0]
    return ops.max_pool2d(x, stride, size)[0]


@fault("max_pool2d_backward", "the winner's value, not dy")
def _(dy, cache):
    return ops.max_pool2d_backward(np.ones_like(dy), cache)


@fault("max_pool2d_backward", "the last of the window gets it")
def _(dy, cache):
    dx = np.zeros(cache.x_shape)
    for i, j in np.ndindex(dy.shape[1:3]):
        r, s = i * cache.stride[0] + cache.size[0] - 1, j * cache.stride[1] + cache.size[1] - 1
        dx[:, r, s] += dy[:, i, j]
    return dx


@fault("avg_pool2d", "not divided: the sum")
def _(x, size, stride):
    return ops.avg_pool2d(x, size, stride)[0] * size[0] * size[1]


@fault("avg_pool2d_backward", "= for +=")
def _(dy, cache):
    dx = np.zeros(cache.x_shape)
    (a, b), (s, t) = cache.size, cache.stride
    for i, j in np.ndindex(dy.shape[1:3]):
        dx[:, i * s : i * s + a, j * t : j * t + b] = dy[:, i, None, j, None] / (a * b)
    return dx


@fault("avg_pool2d_backward", "divided by the size, not its square")
def _(dy, cache):
    return ops.avg_pool2d_backward(dy, cache) * cache.size[0]


@fault("global_avg_pool_backward", "gives (N, C)")
def _(dy, cache):
    return dy / (cache.x_shape[1] * cache.x_shape[2])


@fault("global_avg_pool", "divides by H squared")
def _(x):
    return x.sum((1, 2)) / x.shape[1] ** 2


# ---- dropout and batch norm --------------------------------------------------------------------


@fault("dropout", "not scaled")
def _(x, rate, rng=None, train=True):
    return x * (rng.random(x.shape) >= rate) if train else x


@fault("dropout", "never drops")
def _(x, rate, rng=None, train=True):
    return x


@fault("dropout", "train is read the wrong way round")
def _(x, rate, rng=None, train=True):
    return x if train else x * (rng.random(x.shape) >= rate) / (1 - rate)


@fault("dropout", "half of the cells are dropped, whatever the rate")
def _(x, rate, rng=None, train=True):
    return x * (rng.random(x.shape) >= 0.5) / 0.5 if train else x


@fault("dropout", "noise is added")
def _(x, rate, rng=None, train=True):
    return x * rng.normal(1, rate, x.shape) if train else x


@fault("dropout_backward", "fails where there is no mask")
def _(dy, cache):
    return dy * cache.mask


@fault("dropout_backward", "0 when not training")
def _(dy, cache):
    return np.zeros_like(dy) if cache.mask is None else dy * cache.mask


@fault("batch_norm", "the variance is E[x]^2 - E[x^2], its sign forgotten by abs, without the root")
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    old = running_mean.copy(), running_var.copy()
    ops.batch_norm(x, gamma, beta, running_mean, running_var, train, momentum, eps)
    axes = tuple(range(x.ndim - 1))
    mean, var = (x.mean(axes), x.var(axes)) if train else old
    return gamma * (x - mean) / (var + eps) + beta


@fault("batch_norm", "running_var gets the deviation")
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    old = running_var.copy()
    y, _ = ops.batch_norm(x, gamma, beta, running_mean, running_var, train, momentum, eps)
    if train:
        running_var[...] = momentum * old + (1 - momentum) * x.std(tuple(range(x.ndim - 1)))
    return y


@fault("batch_norm", "the statistics of the first image only")
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    axes = tuple(range(x.ndim - 1))
    old = running_mean.copy(), running_var.copy()
    ops.batch_norm(x, gamma, beta, running_mean, running_var, train, momentum, eps)
    half = x[: len(x) // 2 + 1]
    mean, var = (half.mean(axes), half.var(axes)) if train else old
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


@fault("batch_norm", "uses batch statistics in use too")
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    axes = tuple(range(x.ndim - 1))
    if train:
        return ops.batch_norm(x, gamma, beta, running_mean, running_var, True, momentum, eps)
    return gamma * (x - x.mean(axes)) / np.sqrt(x.var(axes) + eps) + beta


@fault("batch_norm", "the running mean is added up, not averaged")
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    old = running_mean.copy()
    y, _ = ops.batch_norm(x, gamma, beta, running_mean, running_var, train, momentum, eps)
    if train:
        running_mean[...] = old + (1 - momentum) * x.mean(tuple(range(x.ndim - 1)))
    return y


@fault("batch_norm_backward", "dgamma without the sum over the batch")
def _(dy, cache):
    dx, _dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    return dx, dy * cache.xhat, dbeta


@fault("batch_norm_backward", "the second term twice")
def _(dy, cache):
    _xhat, gamma, inv_std, train = cache
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    return dx - train * gamma * inv_std * dbeta / (dy.size // dy.shape[-1]), dgamma, dbeta


@fault("batch_norm_backward", "terms are not divided by M")
def _(dy, cache):
    xhat, gamma, inv_std, train = cache
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    if train:
        dx = gamma * inv_std * (dy - dbeta - xhat * dgamma)
    return dx, dgamma, dbeta


@fault("batch_norm_backward", "dgamma is multiplied by gamma")
def _(dy, cache):
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    return dx, dgamma * cache.gamma, dbeta


@fault("batch_norm_backward", "xhat is divided by inv_std in the third term")
def _(dy, cache):
    xhat, gamma, inv_std, train = cache
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    if train:
        m = dy.size // dy.shape[-1]
        dx = gamma * inv_std * (dy - dbeta / m - xhat / inv_std * dgamma / m)
    return dx, dgamma, dbeta


# ---- optimisers, initialisation, training -------------------------------------------------------


@fault("sgd_update", "the sign of the decay")
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    sgd_update(value, grad, velocity, lr, momentum, nesterov, -decay)


@fault("sgd_update", "momentum is ignored")
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    sgd_update(value, grad, velocity, lr, 0.0, nesterov, decay)


@fault("sgd_update", "gradient ascent")
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    sgd_update(value, grad, velocity, -lr, momentum, nesterov, decay)


@fault("sgd_update", "the decay is applied to the value apart")
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    value *= 1 - lr * decay
    sgd_update(value, grad, velocity, lr, momentum, nesterov, 0.0)


@fault("adam_update", "the epsilon is 1e-8, whatever is given")
def _(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    adam_update(value, grad, m, v, t, lr, beta1, beta2, 1e-8, decay, decoupled)


@fault("adam_update", "t is always 1")
def _(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    adam_update(value, grad, m, v, 1, lr, beta1, beta2, eps, decay, decoupled)


@fault("adam_update", "weight decay is ignored")
def _(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    adam_update(value, grad, m, v, t, lr, beta1, beta2, eps, 0.0, decoupled)


@fault("adam_update", "AdaMax: the maximum stands for v")
def _(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    g = grad if decoupled else grad + decay * value
    value *= 1 - lr * decay * decoupled
    m += (1 - beta1) * (g - m)
    v[...] = np.maximum(beta2 * v, np.abs(g))
    value -= lr * m / (1 - beta1**t) / (v + eps)


@fault("he_normal", "fan out")
def _(shape, rng):
    fan = np.prod(shape) / shape[-2]
    return rng.standard_normal(shape) * np.sqrt(2 / fan)


@fault("he_normal", "all positive")
def _(shape, rng):
    return np.abs(rng.standard_normal(shape)) * np.sqrt(2 / np.prod(shape[:-1]))


@fault("he_normal", "the same filter for all")
def _(shape, rng):
    w = rng.standard_normal((*shape[:-1], 1)) * np.sqrt(2 / np.prod(shape[:-1]))
    return np.repeat(w, shape[-1], -1)


@fault("he_normal", "a seed of its own")
def _(shape, rng):
    return np.random.default_rng(0).standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1]))


@fault("lsuv", "divides by the variance")
def _(layers, x):
    for layer in layers:
        if hasattr(layer, "w"):
            layer.w.value /= layer.forward(x)[0].var()
        x = layer.forward(x)[0]


@fault("lsuv", "only the first layer")
def _(layers, x):
    layers[0].w.value /= layers[0].forward(x)[0].std()


@fault("train_epoch", "train=True is missing")
def _(net, optimizer, batches):
    losses = []
    for x, labels in batches:
        optimizer.zero_grad()
        logits, cache = net.forward(x)
        loss, d = ops.softmax_cross_entropy(logits, labels)
        net.backward(d, cache)
        optimizer.step()
        losses.append(loss)
    return losses


@fault("train_epoch", "the mean of the losses")
def _(net, optimizer, batches):
    losses = []
    for x, labels in batches:
        optimizer.zero_grad()
        logits, cache = net.forward(x, train=True)
        loss, d = ops.softmax_cross_entropy(logits, labels)
        net.backward(d, cache)
        optimizer.step()
        losses.append(loss)
    return [np.mean(losses)] * len(losses)


@fault("train_epoch", "two passes over the batches")
def _(net, optimizer, batches):
    for _ in range(2):
        losses = []
        for x, labels in batches:
            optimizer.zero_grad()
            logits, cache = net.forward(x, train=True)
            loss, d = ops.softmax_cross_entropy(logits, labels)
            net.backward(d, cache)
            optimizer.step()
            losses.append(loss)
    return losses


# ---- blocks, checks, generative ----------------------------------------------------------------


@fault("residual_block", "ReLU at the end")
def _(x, w1, w2):
    return np.maximum(x + ops.conv2d(ops.relu(ops.conv2d(x, w1)[0])[0], w2)[0], 0)


@fault("residual_block", "x is subtracted")
def _(x, w1, w2):
    return ops.conv2d(ops.relu(ops.conv2d(x, w1)[0])[0], w2)[0] - x


@fault("residual_block", "w1 twice")
def _(x, w1, w2):
    return x + ops.conv2d(ops.relu(ops.conv2d(x, w1)[0])[0], w1)[0]


@fault("residual_block_backward", "no gate")
def _(dy, cache):
    dh, dw2, _ = ops.conv2d_backward(dy, cache.conv2)
    dx, dw1, _ = ops.conv2d_backward(dh, cache.conv1)
    return dx + dy, dw1, dw2


@fault("residual_block_backward", "dy twice")
def _(dy, cache):
    conv1, gate, conv2 = cache
    dh, dw2, _ = ops.conv2d_backward(dy, conv2)
    dx, dw1, _ = ops.conv2d_backward(ops.relu_backward(dh, gate), conv1)
    return dx + 2 * dy, dw1, dw2


@fault("numerical_gradient", "forward differences")
def _(f, x, dy, h):
    dx = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        dx[i] = (dy * (f(x + e) - f(x))).sum() / h
    return dx


@fault("numerical_gradient", "dy is forgotten")
def _(f, x, dy, h):
    dx = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        dx[i] = (f(x + e) - f(x - e)).sum() / (2 * h)
    return dx


@fault("numerical_gradient", "the last element is skipped")
def _(f, x, dy, h):
    dx = np.zeros_like(x)
    for i in range(x.size - 1):
        e = np.zeros_like(x)
        e.flat[i] = h
        dx.flat[i] = (dy * (f(x + e) - f(x - e))).sum() / (2 * h)
    return dx


@fault("gaussian_sample", "log_var taken as the variance: sqrt")
def _(mean, log_var, rng=None, train=True):
    e = rng.standard_normal(mean.shape) if train else 0
    return mean + np.sqrt(np.abs(log_var)) * e


@fault("gaussian_sample", "the sign of v")
def _(mean, log_var, rng=None, train=True):
    return mean + np.exp(-log_var / 2) * rng.standard_normal(mean.shape) if train else mean


@fault("gaussian_sample", "one e for the whole batch")
def _(mean, log_var, rng=None, train=True):
    return mean + np.exp(log_var / 2) * rng.standard_normal(mean.shape[1]) if train else mean


@fault("gaussian_sample_backward", "dv twice too large and dm scaled")
def _(dz, cache):
    return dz / 2, dz * cache.noise


@fault("gaussian_kl", "not averaged over the batch")
def _(mean, log_var):
    loss, (dm, dv) = ops.gaussian_kl(mean, log_var)
    n = len(mean)
    return loss * n, (dm * n, dv * n)


@fault("gaussian_kl", "+ v in the place of - v")
def _(mean, log_var):
    _, grads = ops.gaussian_kl(mean, log_var)
    return 0.5 * (np.exp(log_var) + mean**2 - 1 + log_var).sum() / len(mean), grads


@fault("gaussian_kl", "the -1 is forgotten")
def _(mean, log_var):
    _, grads = ops.gaussian_kl(mean, log_var)
    return 0.5 * (np.exp(log_var) + mean**2 - log_var).sum() / len(mean), grads


@fault("gaussian_kl", "dmean is 1")
def _(mean, log_var):
    loss, (dm, dv) = ops.gaussian_kl(mean, log_var)
    return loss, (np.ones_like(dm), dv)


def step(critic, optimizer, real, fake, clip, signs=(-1, 1), sums=False, cut=np.clip):
    r, seen_r = critic.forward(real, train=True)
    f, seen_f = critic.forward(fake, train=True)
    optimizer.zero_grad()
    n = 1 if sums else len(real)
    critic.backward(np.full_like(r, signs[0] / n), seen_r)
    critic.backward(np.full_like(f, signs[1] / n), seen_f)
    optimizer.step()
    for p in critic.params():
        p.value[...] = cut(p.value, -clip, clip)
    return float(r.mean() - f.mean())


@fault("critic_step", "the signs exchanged")
def _(*args):
    return step(*args, signs=(1, -1))


@fault("critic_step", "sums, not means")
def _(*args):
    return step(*args, sums=True)


@fault("critic_step", "the weights are clipped from above only")
def _(*args):
    return step(*args, cut=lambda v, low, high: np.minimum(v, high))


@fault("critic_step", "real and fake exchanged by the caller")
def _(critic, optimizer, real, fake, clip):
    return step(critic, optimizer, fake, real, clip)


@fault("critic_step", "the scores themselves are the gradients")
def _(critic, optimizer, real, fake, clip):
    r, seen_r = critic.forward(real, train=True)
    f, seen_f = critic.forward(fake, train=True)
    optimizer.zero_grad()
    critic.backward(-r / len(real), seen_r)
    critic.backward(f / len(fake), seen_f)
    optimizer.step()
    for p in critic.params():
        p.value[...] = np.clip(p.value, -clip, clip)
    return float(r.mean() - f.mean())

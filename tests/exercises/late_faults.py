"""Wrong answers that were written after the grader, by nobody who looked at its twins.

(what is wrong, exercise, the wrong function, words that say it rightly; () where it is found only).
"""

import numpy as np

from numpycnn import ops

FAULTS = []


def fault(exercise, what, *words):
    """Decorate a wrong function of that exercise."""

    def add(function):
        FAULTS.append((what, exercise, function, words))
        return function

    return add


# ---- dense ------------------------------------------------------------------------------------


@fault("dense", "the bias is subtracted")
def _(x, w, b=None):
    return x @ w - (0 if b is None else b), None


@fault("dense", "the output goes through a ReLU")
def _(x, w, b=None):
    return np.maximum(x @ w + (0 if b is None else b), 0)


@fault("dense", "the bias is forgotten")
def _(x, w, b=None):
    return x @ w


@fault("dense", "adds the bias in place to x")
def _(x, w, b=None):
    x += 1
    return (x - 1) @ w + (0 if b is None else b)


@fault("dense", "examples and units exchanged")
def _(x, w, b=None):
    return (x @ w + (0 if b is None else b)).T


@fault("dense_backward", "dx with w, not w.T, where it fits")
def _(dy, cache):
    x, w, has_bias = cache
    dx = dy @ w if w.shape[0] == w.shape[1] else dy @ w.T
    return dx, x.T @ dy, dy.sum(0) if has_bias else None


@fault("dense_backward", "db is the mean over the batch")
def _(dy, cache):
    x, w, has_bias = cache
    return dy @ w.T, x.T @ dy, dy.mean(0) if has_bias else None


@fault("dense_backward", "dx and dw given back in the wrong order")
def _(dy, cache):
    x, w, has_bias = cache
    return x.T @ dy, dy @ w.T, dy.sum(0) if has_bias else None


@fault("dense_backward", "db is summed over the wrong axis")
def _(dy, cache):
    x, w, has_bias = cache
    return dy @ w.T, x.T @ dy, dy.sum(1) if has_bias else None


@fault("dense_backward", "db always given back")
def _(dy, cache):
    x, w, _has_bias = cache
    return dy @ w.T, x.T @ dy, dy.sum(0)


@fault("dense_backward", "only dx and dw")
def _(dy, cache):
    x, w, _has_bias = cache
    return dy @ w.T, x.T @ dy


@fault("dense_backward", "dw of one example only: the last")
def _(dy, cache):
    x, w, has_bias = cache
    return dy @ w.T, np.outer(x[-1], dy[-1]), dy.sum(0) if has_bias else None


# ---- ReLU -------------------------------------------------------------------------------------


@fault("relu", "the absolute value")
def _(x):
    return np.abs(x)


@fault("relu", "min for max")
def _(x):
    return np.minimum(x, 0)


@fault("relu", "works in place")
def _(x):
    x[x < 0] = 0
    return x


@fault("relu_backward", "gives a boolean")
def _(dy, cache):
    return cache.positive


@fault("relu_backward", "gives float64 always")
def _(dy, cache):
    return (
        np.array([[float(v) for v in row] for row in dy.reshape(len(dy), -1)]).reshape(dy.shape)
        * cache.positive
    )


@fault("relu_backward", "scaled by the share of active units")
def _(dy, cache):
    return dy * cache.positive * cache.positive.mean()


# ---- softmax cross-entropy --------------------------------------------------------------------


@fault("softmax_cross_entropy", "the loss is a sum")
def _(logits, labels):
    loss, d = ops.softmax_cross_entropy(logits, labels)
    return loss * len(labels), d


@fault("softmax_cross_entropy", "the loss has the wrong sign")
def _(logits, labels):
    loss, d = ops.softmax_cross_entropy(logits, labels)
    return -loss, d


@fault("softmax_cross_entropy", "the one-hot rows are shifted by one class")
def _(logits, labels):
    return ops.softmax_cross_entropy(logits, (labels + 1) % logits.shape[1])


@fault("softmax_cross_entropy", "log of a clipped softmax")
def _(logits, labels):
    a = ops.softmax(logits)[0]
    picked = a[np.arange(len(labels)), labels]
    return -np.log(picked + 1e-7).mean(), ops.softmax_cross_entropy(logits, labels)[1]


@fault("softmax_cross_entropy", "the gradient of the sum of squares")
def _(logits, labels):
    a, y = ops.softmax(logits)[0], np.eye(logits.shape[1])[labels]
    return ops.softmax_cross_entropy(logits, labels)[0], 2 * (a - y) / len(labels)


@fault("softmax_cross_entropy", "binary cross-entropy over all classes")
def _(logits, labels):
    y = np.eye(logits.shape[1])[labels]
    return ops.bce_with_logits(logits, y)


# ---- convolution ------------------------------------------------------------------------------


@fault("conv2d_loops", "the bias is forgotten")
def _(x, w, b, stride, pad):
    return ops.conv2d(x, w, None, stride, pad)[0]


@fault("conv2d_loops", "the padding is forgotten")
def _(x, w, b, stride, pad):
    return ops.conv2d(x, w, b, stride, 0)[0]


@fault("conv2d_loops", "the stride is forgotten in the columns")
def _(x, w, b, stride, pad):
    return ops.conv2d(x, w, b, (stride, 1), pad)[0]


@fault("conv2d_loops", "the stride is forgotten where the patch is cut, not in the size")
def _(x, w, b, stride, pad):
    y = ops.conv2d(x, w, b, stride, pad)[0]
    return ops.conv2d(x, w, b, 1, pad)[0][:, : y.shape[1], : y.shape[2]]


@fault("conv2d_loops", "only the first image")
def _(x, w, b, stride, pad):
    y = ops.conv2d(x, w, b, stride, pad)[0]
    y[1:] = 0
    return y


@fault("conv2d_loops", "the last row and column are left out of the loop")
def _(x, w, b, stride, pad):
    y = ops.conv2d(x, w, b, stride, pad)[0]
    y[:, -1] = 0
    return y


@fault("conv2d_loops", "followed by a ReLU")
def _(x, w, b, stride, pad):
    return np.maximum(ops.conv2d(x, w, b, stride, pad)[0], 0)


@fault("im2col", "rows and columns of the output exchanged")
def _(x, kernel_size, stride=1, padding="same"):
    return ops.im2col(x, kernel_size, stride, padding).swapaxes(1, 2)


@fault("im2col", "the padding is 1 everywhere")
def _(x, kernel_size, stride=1, padding="same"):
    return ops.im2col(x, kernel_size, stride, 1)


@fault("im2col", "the row stride is used for the columns")
def _(x, kernel_size, stride=1, padding="same"):
    return ops.im2col(x, kernel_size, stride[0], padding)


@fault("col2im", "only the first image")
def _(cols, shape, kernel_size, stride=1, padding="same"):
    x = ops.col2im(cols, shape, kernel_size, stride, padding).copy()
    x[1:] = 0
    return x


@fault("col2im", "the padding is given back too")
def _(cols, shape, kernel_size, stride=1, padding="same"):
    n, h, w, c = shape
    (t, b), (left, r) = padding
    return ops.col2im(cols, (n, h + t + b, w + left + r, c), kernel_size, stride, 0)


@fault("conv2d_backward", "dx is not computed at the border")
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    inner = np.zeros_like(dx)
    inner[:, 1:-1, 1:-1] = dx[:, 1:-1, 1:-1]
    return inner, dw, db


@fault("conv2d_backward", "db is averaged over everything")
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return dx, dw, None if db is None else dy.mean((0, 1, 2))


@fault("conv2d_backward", "db has axes kept")
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return dx, dw, None if db is None else dy.sum((0, 1, 2), keepdims=True)


@fault("conv2d_backward", "dw is averaged over the output pixels")
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return dx, dw / (dy.shape[1] * dy.shape[2]), db


@fault("conv2d_backward", "dw with filter rows and columns exchanged where it fits")
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    square = dw.shape[0] == dw.shape[1]
    return dx, dw.swapaxes(0, 1) if square else dw, db


@fault("conv2d_backward", "dx of the first filter only")
def _(dy, cache):
    _dx, dw, db = ops.conv2d_backward(dy, cache)
    first = np.zeros_like(dy)
    first[..., 0] = dy[..., 0]
    return ops.conv2d_backward(first, cache)[0], dw, db


@fault("conv2d_backward", "dx and dw of the wrong sign")
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    return -dx, -dw, db


@fault("conv2d_backward", "gradient descent inside: w is changed")
def _(dy, cache):
    dx, dw, db = ops.conv2d_backward(dy, cache)
    cache.w[...] -= 0.1 * dw
    return dx, dw, db


# ---- pooling ----------------------------------------------------------------------------------


@fault("max_pool2d", "the stride is forgotten: windows side by side")
def _(x, size, stride):
    return ops.max_pool2d(x, size, size)[0]


@fault("max_pool2d", "the maximum over all channels")
def _(x, size, stride):
    y = ops.max_pool2d(x, size, stride)[0]
    return np.broadcast_to(y.max(3, keepdims=True), y.shape).copy()


@fault("max_pool2d_backward", "dy is divided by the window")
def _(dy, cache):
    return ops.max_pool2d_backward(dy, cache) / np.prod(cache.size)


@fault("max_pool2d_backward", "only the first channel")
def _(dy, cache):
    dx = ops.max_pool2d_backward(dy, cache)
    dx[..., 1:] = 0
    return dx


@fault("avg_pool2d", "divided by the size, not its square")
def _(x, size, stride):
    return ops.avg_pool2d(x, size, stride)[0] * size[0]


@fault("avg_pool2d_backward", "divided by the output's size")
def _(dy, cache):
    share = np.prod(cache.size) / (dy.shape[1] * dy.shape[2])
    return ops.avg_pool2d_backward(dy, cache) * share


@fault("global_avg_pool", "keeps the axes")
def _(x):
    return x.mean((1, 2), keepdims=True)


@fault("global_avg_pool", "sum for mean")
def _(x):
    return x.sum((1, 2))


@fault("global_avg_pool_backward", "not divided")
def _(dy, cache):
    return np.broadcast_to(dy[:, None, None], cache.x_shape).copy()


@fault("global_avg_pool_backward", "divided by the channels too")
def _(dy, cache):
    return ops.global_avg_pool_backward(dy, cache) / dy.shape[1]


# ---- dropout ----------------------------------------------------------------------------------


@fault("dropout", "keeps with the probability rate")
def _(x, rate, rng=None, train=True):
    return x * (rng.random(x.shape) < rate) / (1 - rate) if train else x


@fault("dropout", "scales by 1/rate")
def _(x, rate, rng=None, train=True):
    return x * (rng.random(x.shape) >= rate) / rate if train else x


@fault("dropout", "drops when not training too")
def _(x, rate, rng=None, train=True):
    return x * (rng.random(x.shape) >= rate) / (1 - rate)


@fault("dropout", "scales at test time, not in training")
def _(x, rate, rng=None, train=True):
    return x * (rng.random(x.shape) >= rate) if train else x * (1 - rate)


@fault("dropout", "NumPy's global random numbers")
def _(x, rate, rng=None, train=True):
    return x * (np.random.random(x.shape) >= rate) / (1 - rate) if train else x  # noqa: NPY002


@fault("dropout", "one mask for all examples")
def _(x, rate, rng=None, train=True):
    return x * (rng.random(x.shape[1:]) >= rate) / (1 - rate) if train else x


@fault("dropout_backward", "draws a new mask")
def _(dy, cache):
    return dy if cache.mask is None else dy * np.roll(cache.mask, 1)


# ---- batch norm -------------------------------------------------------------------------------


def norm(mean, var, x, gamma, beta, eps):
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


@fault("batch_norm", "running statistics are never updated")
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    return ops.batch_norm(
        x, gamma, beta, running_mean.copy(), running_var.copy(), train, momentum, eps
    )


@fault("batch_norm", "gamma is forgotten")
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    one = np.ones_like(gamma)
    return ops.batch_norm(x, one, beta, running_mean, running_var, train, momentum, eps)


@fault("batch_norm", "PyTorch's momentum")
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    return ops.batch_norm(x, gamma, beta, running_mean, running_var, train, 1 - momentum, eps)


@fault("batch_norm", "the running variance is unbiased, as in PyTorch")
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    old = running_var.copy()
    y, _ = ops.batch_norm(x, gamma, beta, running_mean, running_var, train, momentum, eps)
    if train:
        axes = tuple(range(x.ndim - 1))
        running_var[...] = momentum * old + (1 - momentum) * x.var(axes, ddof=1)
    return y


@fault("batch_norm", "the default eps, whatever is given")
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    return ops.batch_norm(x, gamma, beta, running_mean, running_var, train, momentum, 1e-5)


@fault("batch_norm", "beta is multiplied by gamma")
def _(x, gamma, beta, running_mean, running_var, train, momentum=0.9, eps=1e-5):
    b = beta * gamma
    return ops.batch_norm(x, gamma, b, running_mean, running_var, train, momentum, eps)


@fault("batch_norm_backward", "only the first term")
def _(dy, cache):
    _, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    return cache.gamma * cache.inv_std * dy, dgamma, dbeta


@fault("batch_norm_backward", "dgamma and dbeta exchanged")
def _(dy, cache):
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    return dx, dbeta, dgamma


@fault("batch_norm_backward", "the parameters' gradients are means")
def _(dy, cache):
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    m = dy.size // dy.shape[-1]
    return dx, dgamma / m, dbeta / m


@fault("batch_norm_backward", "divides by M - 1")
def _(dy, cache):
    xhat, gamma, inv_std, train = cache
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    m = dy.size // dy.shape[-1]
    if train:
        dx = gamma * inv_std * (dy - dbeta / (m - 1) - xhat * dgamma / (m - 1))
    return dx, dgamma, dbeta


@fault("batch_norm_backward", "the third term has xhat squared")
def _(dy, cache):
    xhat, gamma, inv_std, train = cache
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    m = dy.size // dy.shape[-1]
    if train:
        dx = gamma * inv_std * (dy - dbeta / m - xhat**2 * dgamma / m)
    return dx, dgamma, dbeta


@fault("batch_norm_backward", "CS231n's formula, var + eps inverted once too often")
def _(dy, cache):
    _xhat, _gamma, inv_std, _train = cache
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, cache)
    return dx * inv_std, dgamma, dbeta


# ---- optimisers, initialisation ---------------------------------------------------------------


@fault("sgd_update", "dampened, as momentum is an average")
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    g = grad + decay * value
    velocity *= momentum
    velocity += (1 - momentum) * g
    value -= lr * (g + momentum * velocity if nesterov else velocity)


@fault("sgd_update", "a new array is made")
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    g = grad + decay * value
    velocity = momentum * velocity + g
    value = value - lr * velocity
    return value, velocity


@fault("sgd_update", "the weight decay is forgotten")
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    velocity *= momentum
    velocity += grad
    value -= lr * (grad + momentum * velocity if nesterov else velocity)


@fault("sgd_update", "the learning rate is forgotten")
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    g = grad + decay * value
    velocity *= momentum
    velocity += g
    value -= g + momentum * velocity if nesterov else velocity


@fault("adam_update", "t counts from 0")
def _(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    ops.update.adam_update(value, grad, m, v, t + 1, lr, beta1, beta2, eps, decay, decoupled)


@fault("adam_update", "beta1 and beta2 exchanged")
def _(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    ops.update.adam_update(value, grad, m, v, t, lr, beta2, beta1, eps, decay, decoupled)


@fault("adam_update", "the decay is never decoupled")
def _(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    ops.update.adam_update(value, grad, m, v, t, lr, beta1, beta2, eps, decay, False)


@fault("adam_update", "v has no average: it adds up, as Adagrad's")
def _(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    g = grad if decoupled else grad + decay * value
    value *= 1 - lr * decay * decoupled
    m += (1 - beta1) * (g - m)
    v += g * g
    value -= lr * m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps)


@fault("he_normal", "the square root is forgotten")
def _(shape, rng):
    return rng.standard_normal(shape) * 2 / np.prod(shape[:-1])


@fault("he_normal", "uniform between -1 and 1, scaled")
def _(shape, rng):
    return rng.uniform(-1, 1, shape) * np.sqrt(6 / np.prod(shape[:-1]))


@fault("he_normal", "half of it")
def _(shape, rng):
    return rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1])) / 2


@fault("lsuv", "the next layer gets the old output")
def _(layers, x):
    for layer in layers:
        y, _ = layer.forward(x)
        if hasattr(layer, "w"):
            layer.w.value /= y.std()
        x = y


@fault("lsuv", "the mean square")
def _(layers, x):
    for layer in layers:
        if hasattr(layer, "w"):
            layer.w.value /= np.sqrt(np.mean(layer.forward(x)[0] ** 2))
        x = layer.forward(x)[0]


# ---- training, blocks, checks -----------------------------------------------------------------


@fault("train_epoch", "zero_grad forgotten")
def _(net, optimizer, batches):
    losses = []
    for x, labels in batches:
        logits, cache = net.forward(x, train=True)
        loss, d = ops.softmax_cross_entropy(logits, labels)
        net.backward(d, cache)
        optimizer.step()
        losses.append(loss)
    return losses


@fault("train_epoch", "only the last loss")
def _(net, optimizer, batches):
    for x, labels in batches:
        optimizer.zero_grad()
        logits, cache = net.forward(x, train=True)
        loss, d = ops.softmax_cross_entropy(logits, labels)
        net.backward(d, cache)
        optimizer.step()
    return loss


@fault("train_epoch", "one step after all batches")
def _(net, optimizer, batches):
    losses = []
    optimizer.zero_grad()
    for x, labels in batches:
        logits, cache = net.forward(x, train=True)
        loss, d = ops.softmax_cross_entropy(logits, labels)
        net.backward(d, cache)
        losses.append(loss)
    optimizer.step()
    return losses


@fault("train_epoch", "the labels are one place off")
def _(net, optimizer, batches):
    losses = []
    for x, labels in batches:
        optimizer.zero_grad()
        logits, cache = net.forward(x, train=True)
        loss, d = ops.softmax_cross_entropy(logits, np.roll(labels, 1))
        net.backward(d, cache)
        optimizer.step()
        losses.append(loss)
    return losses


@fault("residual_block", "the skip connection is forgotten")
def _(x, w1, w2):
    return ops.conv2d(ops.relu(ops.conv2d(x, w1)[0])[0], w2)[0]


@fault("residual_block", "w1 and w2 exchanged")
def _(x, w1, w2):
    return x + ops.conv2d(ops.relu(ops.conv2d(x, w2)[0])[0], w1)[0]


@fault("residual_block_backward", "the skip connection is forgotten")
def _(dy, cache):
    conv1, gate, conv2 = cache
    dh, dw2, _ = ops.conv2d_backward(dy, conv2)
    dx, dw1, _ = ops.conv2d_backward(ops.relu_backward(dh, gate), conv1)
    return dx, dw1, dw2


@fault("residual_block_backward", "dw1 and dw2 exchanged")
def _(dy, cache):
    conv1, gate, conv2 = cache
    dh, dw2, _ = ops.conv2d_backward(dy, conv2)
    dx, dw1, _ = ops.conv2d_backward(ops.relu_backward(dh, gate), conv1)
    return dx + dy, dw2, dw1


@fault("numerical_gradient", "moves x itself and forgets to put it back")
def _(f, x, dy, h):
    dx = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        x[i] += h
        up = f(x)
        x[i] -= 2 * h
        dx[i] = (dy * (up - f(x))).sum() / (2 * h)
    return dx


@fault("numerical_gradient", "wrong sign")
def _(f, x, dy, h):
    dx = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        dx[i] = (dy * (f(x - e) - f(x + e))).sum() / (2 * h)
    return dx


@fault("numerical_gradient", "a step of its own")
def _(f, x, dy, h):
    dx, h = np.zeros_like(x), 1e-2
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        dx[i] = (dy * (f(x + e) - f(x - e))).sum() / (2 * h)
    return dx


# ---- generative -------------------------------------------------------------------------------


@fault("gaussian_sample", "the variance as deviation")
def _(mean, log_var, rng=None, train=True):
    return mean + np.exp(log_var) * rng.standard_normal(mean.shape) if train else mean


@fault("gaussian_sample", "uniform noise")
def _(mean, log_var, rng=None, train=True):
    return mean + np.exp(log_var / 2) * rng.uniform(-1, 1, mean.shape) if train else mean


@fault("gaussian_sample", "draws when not training")
def _(mean, log_var, rng=None, train=True):
    return mean + np.exp(log_var / 2) * rng.standard_normal(mean.shape)


@fault("gaussian_sample", "the mean is added to the noise before it is scaled")
def _(mean, log_var, rng=None, train=True):
    return (mean + rng.standard_normal(mean.shape)) * np.exp(log_var / 2) if train else mean


@fault("gaussian_sample_backward", "1/2 forgotten")
def _(dz, cache):
    return dz, dz * cache.noise


@fault("gaussian_sample_backward", "the gradients exchanged")
def _(dz, cache):
    return dz * cache.noise / 2, dz


@fault("gaussian_kl", "1/2 forgotten")
def _(mean, log_var):
    loss, (dm, dv) = ops.gaussian_kl(mean, log_var)
    return 2 * loss, (2 * dm, 2 * dv)


@fault("gaussian_kl", "a mean over the units as well")
def _(mean, log_var):
    loss, (dm, dv) = ops.gaussian_kl(mean, log_var)
    return loss / mean.shape[1], (dm, dv)


@fault("gaussian_kl", "m is not squared")
def _(mean, log_var):
    _, grads = ops.gaussian_kl(mean, log_var)
    return (0.5 * (np.exp(log_var) + mean - 1 - log_var)).sum() / len(mean), grads


@fault("gaussian_kl", "the sign of the loss")
def _(mean, log_var):
    loss, grads = ops.gaussian_kl(mean, log_var)
    return -loss, grads


@fault("gaussian_kl", "dlog_var lacks -1")
def _(mean, log_var):
    loss, (dm, _dv) = ops.gaussian_kl(mean, log_var)
    return loss, (dm, np.exp(log_var) / 2 / len(mean))


def critic(order, factor=1):
    def step(critic, optimizer, real, fake, clip):
        real_score, seen_real = critic.forward(real, train=True)
        fake_score, seen_fake = critic.forward(fake, train=True)
        for action in order.split():
            if action == "zero":
                optimizer.zero_grad()
            if action == "real":
                critic.backward(-np.ones_like(real_score) / len(real), seen_real)
            if action == "fake":
                critic.backward(factor * np.ones_like(fake_score) / len(fake), seen_fake)
            if action == "step":
                optimizer.step()
            if action == "clip":
                for p in critic.params():
                    p.value[...] = np.clip(p.value, -clip, clip)
        return float(real_score.mean() - fake_score.mean())

    return step


fault("critic_step", "the weights are not clipped")(critic("zero real fake step"))
fault("critic_step", "the fake half counts twice")(critic("zero real fake fake step clip"))
fault("critic_step", "zero_grad comes last")(critic("real fake step clip zero"))


@fault("critic_step", "the distance is that of the loss")
def _(critic_, optimizer, real, fake, clip):
    return -critic("zero real fake step clip")(critic_, optimizer, real, fake, clip)


@fault("critic_step", "the clip is 0.01, whatever is asked")
def _(critic_, optimizer, real, fake, clip):
    return critic("zero real fake step clip")(critic_, optimizer, real, fake, 0.01)


# ---- a second round ---------------------------------------------------------------------------

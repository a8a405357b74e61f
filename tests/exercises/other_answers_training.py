"""Right answers, written in two other ways: optimisers, training, blocks, generative steps."""

import numpy as np

from numpycnn import ops

from .other_answers import conv_backward_einsum, conv_backward_loops, conv_loops


def sgd_loops(value, grad, velocity, lr, momentum, nesterov, decay):
    for i in np.ndindex(value.shape):
        g = grad[i] + decay * value[i]
        velocity[i] = momentum * velocity[i] + g
        value[i] -= lr * (g + momentum * velocity[i] if nesterov else velocity[i])


def sgd_whole(value, grad, velocity, lr, momentum, nesterov, decay):
    g = grad + decay * value
    velocity[...] = momentum * velocity + g
    value[...] = value - lr * (g + momentum * velocity if nesterov else velocity)
    return value, velocity


def adam_loops(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    for i in np.ndindex(value.shape):
        g = grad[i]
        if decoupled:
            value[i] -= lr * decay * value[i]
        else:
            g = g + decay * value[i]
        m[i] = beta1 * m[i] + (1 - beta1) * g
        v[i] = beta2 * v[i] + (1 - beta2) * g**2
        value[i] -= lr * (m[i] / (1 - beta1**t)) / ((v[i] / (1 - beta2**t)) ** 0.5 + eps)


def adam_whole(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    g = grad if decoupled else grad + decay * value
    if decoupled:
        value *= 1 - lr * decay
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * np.square(g)
    value -= (
        lr * np.sqrt(1 - beta2**t) / (1 - beta1**t) * m / (np.sqrt(v) + eps * np.sqrt(1 - beta2**t))
    )


def he_loops(shape, rng):
    fan_in = 1
    for n in shape[:-1]:
        fan_in *= n
    w = np.array([rng.normal() for _ in range(int(np.prod(shape)))]).reshape(shape)
    return w * (2 / fan_in) ** 0.5


def he_scale(shape, rng):
    return rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape)


def lsuv_twice(layers, x):
    for layer in layers:
        for _ in range(2 * hasattr(layer, "w")):
            layer.w.value = layer.w.value / layer.forward(x)[0].std()
        x = layer.forward(x)[0]


def lsuv_from_the_front(layers, x):
    for i, layer in enumerate(layers):
        if not hasattr(layer, "w"):
            continue
        y = x
        for before in layers[: i + 1]:
            y, _ = before.forward(y)
        layer.w.value *= y.var() ** -0.5


def train_plain(net, optimizer, batches):
    losses = []
    for x, labels in batches:
        logits, cache = net.forward(x, train=True)
        loss, dlogits = ops.softmax_cross_entropy(logits, labels)
        for param in net.params():
            param.grad = None
        net.backward(dlogits, cache)
        optimizer.step()
        losses += [loss]
    return losses


def train_zero_last(net, optimizer, batches):
    optimizer.zero_grad()

    def step(pair):
        y, cache = net.forward(pair[0], train=True)
        loss, d = ops.softmax_cross_entropy(y, pair[1])
        net.backward(d, cache)
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return np.array([step(pair) for pair in batches])


# ---- blocks and checks ------------------------------------------------------------------------


def block_loops(x, w1, w2):
    h = np.maximum(conv_loops(x, w1, 0, 1, 1), 0)
    return conv_loops(h, w2, 0, 1, 1) + x


def block_layers(x, w1, w2):
    h, _ = ops.relu(ops.conv2d(x, w1)[0])
    y, _ = ops.conv2d(h, w2)
    y += x
    return y, None


def block_backward_loops(dy, cache):
    conv1, gate, conv2 = cache
    dh, dw2, _ = conv_backward_loops(dy, conv2)
    dx, dw1, _ = conv_backward_loops(np.where(gate.positive, dh, 0), conv1)
    dx += dy
    return dx, dw1, dw2


def block_backward_einsum(dy, cache):
    dh, dw2, _ = conv_backward_einsum(dy, cache.conv2)
    dx, dw1, _ = conv_backward_einsum(dh * cache.gate[0], cache.conv1)
    return dy + dx, dw1, dw2


def numerical_flat(f, x, dy, h):
    moved, dx = x.copy(), np.zeros(x.size)
    for i in range(x.size):
        old = moved.flat[i]
        moved.flat[i] = old + h
        up = np.vdot(dy, f(moved))
        moved.flat[i] = old - h
        dx[i] = (up - np.vdot(dy, f(moved))) / h / 2
        moved.flat[i] = old
    return dx.reshape(x.shape)


def numerical_list(f, x, dy, h):
    steps = h * np.eye(x.size).reshape(-1, *x.shape)
    return np.array([(dy * (f(x + s) - f(x - s))).sum() for s in steps]).reshape(x.shape) / (2 * h)


# ---- generative -------------------------------------------------------------------------------


def sample_loops(mean, log_var, rng=None, train=True):
    z = mean.copy()
    for i in np.ndindex(mean.shape if train else (0,)):
        z[i] = mean[i] + np.exp(log_var[i] / 2) * rng.standard_normal()
    return z


def sample_root(mean, log_var, rng=None, train=True):
    e = rng.normal(size=mean.shape) if train else 0
    return mean + np.sqrt(np.exp(log_var)) * e, None


def sample_backward_loops(dz, cache):
    dv = np.zeros_like(dz)
    for i in np.ndindex(dz.shape):
        dv[i] = dz[i] * cache.noise[i] / 2
    return dz.copy(), dv


def sample_backward_einsum(dz, cache):
    return dz, np.einsum("nd,nd->nd", dz, cache.noise) / 2


def kl_loops(mean, log_var):
    n, loss = len(mean), 0.0
    dm, dv = np.zeros_like(mean), np.zeros_like(mean)
    for i in np.ndindex(mean.shape):
        loss += (np.exp(log_var[i]) + mean[i] ** 2 - 1 - log_var[i]) / 2 / n
        dm[i], dv[i] = mean[i] / n, (np.exp(log_var[i]) - 1) / 2 / n
    return loss, (dm, dv)


def kl_mean(mean, log_var):
    cells = np.expm1(log_var) - log_var + np.square(mean)
    return cells.sum(axis=1).mean() / 2, mean / len(mean), np.expm1(log_var) / (2 * len(mean))


def critic_one_after_the_other(critic, optimizer, real, fake, clip):
    optimizer.zero_grad()
    score, seen = critic.forward(real, train=True)
    critic.backward(-np.ones_like(score) / len(real), seen)
    other, seen = critic.forward(fake, train=True)
    critic.backward(np.ones_like(other) / len(fake), seen)
    optimizer.step()
    for param in critic.params():
        param.value[...] = np.maximum(np.minimum(param.value, clip), -clip)
    return score.mean() - other.mean()


def critic_by_scores(critic, optimizer, real, fake, clip):
    means, caches = [], []
    for x in (real, fake):
        score, seen = critic.forward(x, train=True)
        means.append(float(np.einsum("nk->", score) / len(x)))
        caches.append((seen, score))
    for param in critic.params():
        param.grad = None
    for sign, (seen, score) in zip((1, -1), reversed(caches), strict=True):
        critic.backward(sign * np.ones_like(score) / score.size, seen)
    optimizer.step()
    for param in critic.params():
        param.value = np.clip(param.value, -clip, clip)
    return means[0] - means[1]


ANSWERS = {
    "sgd_update": (sgd_loops, sgd_whole),
    "adam_update": (adam_loops, adam_whole),
    "he_normal": (he_loops, he_scale),
    "lsuv": (lsuv_twice, lsuv_from_the_front),
    "train_epoch": (train_plain, train_zero_last),
    "residual_block": (block_loops, block_layers),
    "residual_block_backward": (block_backward_loops, block_backward_einsum),
    "numerical_gradient": (numerical_flat, numerical_list),
    "gaussian_sample": (sample_loops, sample_root),
    "gaussian_sample_backward": (sample_backward_loops, sample_backward_einsum),
    "gaussian_kl": (kl_loops, kl_mean),
    "critic_step": (critic_one_after_the_other, critic_by_scores),
}

"""More wrong answers, of five rounds: initialisation, optimisers, training, generative."""

import numpy as np

from . import late


def adam_with(value, grad, m, v, t, lr, b1, b2, eps, decay, dec, mf=None, vf=None, up=None):
    g = grad
    if decay and dec:
        value *= 1 - lr * decay
    elif decay:
        g = grad + decay * value
    m[...] = b1 * m + (1 - b1) * g if mf is None else mf(g)
    v[...] = b2 * v + (1 - b2) * g * g if vf is None else vf(g)
    value -= lr * (m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps) if up is None else up(g))


@late(
    "sgd_update",
    "momentum multiplies gradient not velocity",
    "value: it follows from what is wrong in the velocity",
)
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    g = grad + decay * value
    velocity[...] = velocity + momentum * g
    value -= lr * (g + momentum * velocity if nesterov else velocity)


@late(
    "sgd_update",
    "value -= lr*velocity - no nesterov handling, plus",
    "value: nesterov's form is not used, or looks ahead with the old velocity",
)
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    g = grad + decay * value
    velocity[...] = momentum * velocity + g
    value -= lr * velocity


@late("adam_update", "eps inside root", "value: eps is inside the root")
def _(value, grad, m, v, t, lr, b1, b2, eps, decay, dec):
    adam_with(
        value,
        grad,
        m,
        v,
        t,
        lr,
        b1,
        b2,
        eps,
        decay,
        dec,
        up=lambda g: m / (1 - b1**t) / np.sqrt(v / (1 - b2**t) + eps),
    )


@late(
    "numerical_gradient",
    "forgets resetting x",
    "dx: x is not put back: each element stays moved by -h",
)
def _(f_, x, dy, h):
    dx = np.zeros_like(x)
    x = x.copy()
    for i in np.ndindex(x.shape):
        x[i] += h
        a = f_(x)
        x[i] -= 2 * h
        b = f_(x)
        dx[i] = (dy * (a - b)).sum() / (2 * h)
    return dx


@late(
    "gaussian_sample",
    "std = exp(v)",
    "z: exp(v) stands in the place of exp(v/2): the variance is used as deviation",
)
def _(m, v, rng=None, train=True):
    return m + np.exp(v) * rng.standard_normal(m.shape) if train else m


@late("gaussian_sample_backward", "sign of dlog_var", "dlog_var is of the wrong sign")
def _(dz, c):
    return (dz, -dz * c.noise / 2)


@late("gaussian_kl", "mean over N*D everywhere", "loss is too small by the factor D")
def _(m, v):
    q = m.size
    return (0.5 * np.sum(np.exp(v) + m * m - 1 - v) / q, (m / q, 0.5 * (np.exp(v) - 1) / q))


@late("gaussian_kl", "dlog_var (exp(v) - 1) without half", "dlog_var is 2 times what it should be")
def _(m, v):
    n = len(m)
    return (0.5 * np.sum(np.exp(v) + m * m - 1 - v) / n, (m / n, (np.exp(v) - 1) / n))


@late("gaussian_kl", "+v rather than -v", "loss: the term -v has the wrong sign")
def _(m, v):
    n = len(m)
    return (0.5 * np.sum(np.exp(v) + m * m - 1 + v) / n, (m / n, 0.5 * (np.exp(v) + 1) / n))


@late(
    "sgd_update",
    "nesterov: g + velocity",
    "value: nesterov's step has u, where g + momentum * u is wanted, once more",
)
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    g = grad + decay * value
    velocity[...] = momentum * velocity + g
    value -= lr * (g + velocity if nesterov else velocity)


@late("adam_update", "no v correction", "value: the bias correction of v is missing")
def _(value, grad, m, v, t, lr, b1, b2, eps, decay, dec):
    adam_with(
        value,
        grad,
        m,
        v,
        t,
        lr,
        b1,
        b2,
        eps,
        decay,
        dec,
        up=lambda g: m / (1 - b1**t) / (np.sqrt(v) + eps),
    )


@late(
    "adam_update",
    "lr*decay decoupled without lr",
    "value: the decoupled decay is not multiplied by lr",
)
def _(value, grad, m, v, t, lr, b1, b2, eps, decay, dec):
    if dec:
        value *= 1 - decay
    adam_with(value, grad, m, v, t, lr, b1, b2, eps, 0 if dec else decay, dec)


@late("he_normal", "transposed shape", "the weights have the shape (300, 60), not (60, 300)")
def _(shape, rng):
    return (rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1]))).T


@late("numerical_gradient", "missing dy; sums", "dx: dy is not used")
def _(f_, x, dy, h):
    dx = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        dx[i] = (f_(x + e) - f_(x - e)).sum() / (2 * h)
    return dx


@late(
    "numerical_gradient",
    "mean in place of sum",
    "dx: dy is averaged, where the products must be summed",
)
def _(f_, x, dy, h):
    dx = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        dx[i] = (dy * (f_(x + e) - f_(x - e))).mean() / (2 * h)
    return dx


@late("gaussian_sample", "mean dropped at test -> zeros", "z is 0 everywhere")
def _(m, v, rng=None, train=True):
    return m + np.exp(v / 2) * rng.standard_normal(m.shape) if train else np.zeros_like(m)


@late(
    "gaussian_sample",
    "one e per example",
    "one e stands for a whole row or column: every cell needs its own draw",
)
def _(m, v, rng=None, train=True):
    return m + np.exp(v / 2) * rng.standard_normal((len(m), 1)) if train else m


@late("gaussian_sample_backward", "dmean scaled by half", "dmean is 0.5 times what it should be")
def _(dz, c):
    return (dz / 2, dz * c.noise / 2)


@late(
    "gaussian_sample_backward",
    "dlog_var averaged over batch",
    "dlog_var is too small by the factor N, the batch size",
)
def _(dz, c):
    return (dz, dz * c.noise / 2 / len(dz))


@late(
    "gaussian_kl",
    "no division by N in gradient",
    "dmean is too large by the factor N, the batch size",
)
def _(m, v):
    n = len(m)
    return (0.5 * np.sum(np.exp(v) + m * m - 1 - v) / n, (m, 0.5 * (np.exp(v) - 1)))


@late(
    "gaussian_kl",
    "half on the exp only",
    "loss: the term m^2 is there twice and the term -1 is there twice and the term",
)
def _(m, v):
    n = len(m)
    return (np.sum(0.5 * np.exp(v) + m * m - 1 - v) / n, (m / n, 0.5 * (np.exp(v) - 1) / n))


@late(
    "gaussian_kl",
    "gradients swapped",
    "dmean: it is dlog_var: the two are in each other's place, or the same",
)
def _(m, v):
    n = len(m)
    return (0.5 * np.sum(np.exp(v) + m * m - 1 - v) / n, (0.5 * (np.exp(v) - 1) / n, m / n))


@late(
    "sgd_update", "value -= lr * grad only", "value: the velocity is not used: the step is lr * g"
)
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    g = grad + decay * value
    velocity[...] = momentum * velocity + g
    value -= lr * g


@late("adam_update", "uses g in step for m", "value: g stands in the place of the average m")
def _(value, grad, m, v, t, lr, b1, b2, eps, decay, dec):
    adam_with(
        value,
        grad,
        m,
        v,
        t,
        lr,
        b1,
        b2,
        eps,
        decay,
        dec,
        up=lambda g: g / (np.sqrt(v / (1 - b2**t)) + eps),
    )


@late("adam_update", "no bias correction", "value: the bias correction is missing")
def _(value, grad, m, v, t, lr, b1, b2, eps, decay, dec):
    adam_with(
        value, grad, m, v, t, lr, b1, b2, eps, decay, dec, up=lambda g: m / (np.sqrt(v) + eps)
    )


@late(
    "adam_update",
    "decay coupled in both forms (decoupled plus)",
    "value: it follows from what is wrong in m or v",
)
def _(value, grad, m, v, t, lr, b1, b2, eps, decay, dec):
    if dec:
        value *= 1 - lr * decay
    adam_with(value, grad, m, v, t, lr, b1, b2, eps, decay, False)


@late("adam_update", "square root missing", "value: the root of v is missing")
def _(value, grad, m, v, t, lr, b1, b2, eps, decay, dec):
    adam_with(
        value,
        grad,
        m,
        v,
        t,
        lr,
        b1,
        b2,
        eps,
        decay,
        dec,
        up=lambda g: m / (1 - b1**t) / (v / (1 - b2**t) + eps),
    )


@late(
    "he_normal",
    "np.random global",
    "the weights do not come from rng: another generator gives the same ones",
)
def _(shape, rng):
    return np.random.default_rng(0).standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1]))


@late("numerical_gradient", "one-sided", "dx: the difference is taken to one side, forward")
def _(f_, x, dy, h):
    dx = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        dx[i] = (dy * (f_(x + e) - f_(x))).sum() / h
    return dx


@late(
    "numerical_gradient", "fixed h 1e-3", "dx: it comes out as if h were 0.001, whatever is given"
)
def _(f_, x, dy, h):
    dx = np.zeros_like(x)
    h = 0.001
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        dx[i] = (dy * (f_(x + e) - f_(x - e))).sum() / (2 * h)
    return dx


@late(
    "gaussian_sample_backward",
    "both dz",
    "dlog_var: it is dmean: the two are in each other's place, or the same",
)
def _(dz, c):
    return (dz, dz)


@late(
    "gaussian_kl",
    "mean over batch missing in loss",
    "loss is too large by the factor N, the batch size",
)
def _(m, v):
    n = len(m)
    return (0.5 * np.sum(np.exp(v) + m * m - 1 - v), (m / n, 0.5 * (np.exp(v) - 1) / n))


@late(
    "lsuv",
    "uses input std",
    "w of layer 1: the deviation of the layer's input is used, not that of its",
)
def _(layers, x):
    for l in layers:
        if hasattr(l, "w"):
            l.w.value /= x.std()
        x, _ = l.forward(x)


@late("sgd_update", "velocity reset to lr*velocity", "value: it comes out as if lr were its square")
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    g = grad + decay * value
    velocity[...] = momentum * velocity + g
    value -= lr * lr * (g + momentum * velocity if nesterov else velocity)


@late("sgd_update", "nesterov always", "value: nesterov's form is always used")
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    g = grad + decay * value
    velocity[...] = momentum * velocity + g
    value -= lr * (g + momentum * velocity)


@late("sgd_update", "decay minus", "value: the weight decay has the wrong sign")
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    g = grad - decay * value
    velocity[...] = momentum * velocity + g
    value -= lr * (g + momentum * velocity if nesterov else velocity)


@late("numerical_gradient", "not divided", "dx: it is not divided by 2h")
def _(f_, x, dy, h):
    dx = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        dx[i] = (dy * (f_(x + e) - f_(x - e))).sum()
    return dx


@late("numerical_gradient", "sign reversed", "dx is of the wrong sign")
def _(f_, x, dy, h):
    dx = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = h
        dx[i] = (dy * (f_(x - e) - f_(x + e))).sum() / (2 * h)
    return dx


@late(
    "gaussian_sample",
    "no exp/2: exp(v)*e + mean squared",
    "z: the deviation is not used: it is mean + e",
)
def _(m, v, rng=None, train=True):
    return m + rng.standard_normal(m.shape) if train else m


@late("gaussian_sample", "mean missing in train", "z: the mean is missing")
def _(m, v, rng=None, train=True):
    return np.exp(v / 2) * rng.standard_normal(m.shape) if train else m


@late(
    "gaussian_sample_backward",
    "dmean times noise",
    "dmean: it is multiplied by the noise: that belongs to dlog_var",
)
def _(dz, c):
    return (dz * c.noise, dz * c.noise / 2)


@late("gaussian_sample_backward", "dlog_var zero", "dlog_var is 0 everywhere")
def _(dz, c):
    return (dz, np.zeros_like(dz))


@late("critic_step", "returns fake - real and ok else", "distance is of the wrong sign")
def _(critic, o, real, fake, clip):
    r, c1 = critic.forward(real, train=True)
    q, c2 = critic.forward(fake, train=True)
    o.zero_grad()
    critic.backward(np.full_like(r, -1 / len(r)), c1)
    critic.backward(np.full_like(q, 1 / len(q)), c2)
    o.step()
    for p in critic.params():
        np.clip(p.value, -clip, clip, out=p.value)
    return float(q.mean() - r.mean())


@late(
    "gaussian_sample_backward",
    "dlog_var lacks dz chain, uses dz**2",
    "dlog_var: it comes out as if dz were its square",
)
def _(dz, cache):
    return (dz, dz**2 * cache.noise / 2)


@late(
    "critic_step",
    "log losses: sigmoid BCE",
    "weights: the slopes are those of the binary cross-entropy: that is a GAN's loss",
)
def _(critic, o, real, fake, clip):
    r, c1 = critic.forward(real, train=True)
    q, c2 = critic.forward(fake, train=True)

    def s(z):
        return 1 / (1 + np.exp(-z))

    o.zero_grad()
    critic.backward((s(r) - 1) / len(real), c1)
    critic.backward(s(q) / len(fake), c2)
    o.step()
    for p in critic.params():
        np.clip(p.value, -clip, clip, out=p.value)
    return float(r.mean() - q.mean())


@late(
    "critic_step",
    "returns abs distance sum",
    "distance is too large by the factor N, the batch size",
)
def _(critic, o, real, fake, clip):
    r, c1 = critic.forward(real, train=True)
    q, c2 = critic.forward(fake, train=True)
    o.zero_grad()
    critic.backward(np.full_like(r, -1 / len(real)), c1)
    critic.backward(np.full_like(q, 1 / len(fake)), c2)
    o.step()
    for p in critic.params():
        np.clip(p.value, -clip, clip, out=p.value)
    return float(r.sum() - q.sum())

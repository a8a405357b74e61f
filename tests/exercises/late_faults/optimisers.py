"""Wrong answers: sgd_update, adam_update, he_normal."""

import numpy as np

from numpycnn import ops
from numpycnn.ops.update import adam_update, sgd_update

from . import late


@late(
    "sgd_update",
    "dampened, as momentum is an average",
    "value: it follows from what is wrong in the velocity",
)
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    g = grad + decay * value
    velocity *= momentum
    velocity += (1 - momentum) * g
    value -= lr * (g + momentum * velocity if nesterov else velocity)


@late(
    "sgd_update",
    "a new array is made",
    "value is as it was: the array itself must change (value +=",
)
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    g = grad + decay * value
    velocity = momentum * velocity + g
    value = value - lr * velocity
    return value, velocity


@late("sgd_update", "the weight decay is forgotten", "value: it comes out as if decay were 0")
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    velocity *= momentum
    velocity += grad
    value -= lr * (grad + momentum * velocity if nesterov else velocity)


@late("sgd_update", "the learning rate is forgotten", "value: it comes out as if lr were 1")
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    g = grad + decay * value
    velocity *= momentum
    velocity += g
    value -= g + momentum * velocity if nesterov else velocity


@late("sgd_update", "the sign of the decay", "value: the weight decay has the wrong sign")
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    sgd_update(value, grad, velocity, lr, momentum, nesterov, -decay)


@late("sgd_update", "momentum is ignored", "value: it comes out as if momentum were 0")
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    sgd_update(value, grad, velocity, lr, 0.0, nesterov, decay)


@late("sgd_update", "gradient ascent", "value: it comes out as if lr were -lr")
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    sgd_update(value, grad, velocity, -lr, momentum, nesterov, decay)


@late(
    "sgd_update",
    "the decay is applied to the value apart",
    "the weight decay is taken off the value itself, not added to the gradient",
)
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    value *= 1 - lr * decay
    sgd_update(value, grad, velocity, lr, momentum, nesterov, 0.0)


@late("sgd_update", "two steps at once", "value: it comes out as if lr were 2 * lr")
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    ops.update.sgd_update(value, grad, velocity, 2 * lr, momentum, nesterov, decay)


@late("sgd_update", "nesterov always", "value: nesterov's form is always used")
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    ops.update.sgd_update(value, grad, velocity, lr, momentum, True, decay)


@late(
    "sgd_update",
    "velocity starts anew each time",
    "value: it follows from what is wrong in the velocity",
)
def _(value, grad, velocity, lr, momentum, nesterov, decay):
    velocity[...] = 0
    ops.update.sgd_update(value, grad, velocity, lr, momentum, nesterov, decay)


@late("adam_update", "t counts from 0", "value: it comes out as if t were t + 1")
def _(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    ops.update.adam_update(value, grad, m, v, t + 1, lr, beta1, beta2, eps, decay, decoupled)


@late(
    "adam_update",
    "beta1 and beta2 exchanged",
    "value: it comes out as if beta1 and beta2 were exchanged",
)
def _(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    ops.update.adam_update(value, grad, m, v, t, lr, beta2, beta1, eps, decay, decoupled)


@late(
    "adam_update",
    "the decay is never decoupled",
    "value: it comes out as if decoupled were always False",
)
def _(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    ops.update.adam_update(value, grad, m, v, t, lr, beta1, beta2, eps, decay, False)


@late(
    "adam_update",
    "v has no average: it adds up, as Adagrad's",
    "value: it follows from what is wrong in m or v",
)
def _(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    g = grad if decoupled else grad + decay * value
    value *= 1 - lr * decay * decoupled
    m += (1 - beta1) * (g - m)
    v += g * g
    value -= lr * m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps)


@late(
    "adam_update",
    "the epsilon is 1e-8, whatever is given",
    "value: eps is missing, or far too small",
)
def _(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    adam_update(value, grad, m, v, t, lr, beta1, beta2, 1e-8, decay, decoupled)


@late("adam_update", "t is always 1", "value: the bias correction divides by 1 - beta, without t")
def _(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    adam_update(value, grad, m, v, 1, lr, beta1, beta2, eps, decay, decoupled)


@late("adam_update", "weight decay is ignored", "value: it comes out as if decay were 0")
def _(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    adam_update(value, grad, m, v, t, lr, beta1, beta2, eps, 0.0, decoupled)


@late("adam_update", "AdaMax: the maximum stands for v")
def _(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    g = grad if decoupled else grad + decay * value
    value *= 1 - lr * decay * decoupled
    m += (1 - beta1) * (g - m)
    v[...] = np.maximum(beta2 * v, np.abs(g))
    value -= lr * m / (1 - beta1**t) / (v + eps)


@late("adam_update", "no correction for m", "value: the bias correction of m is missing")
def _(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    g = grad if decoupled else grad + decay * value
    value *= 1 - lr * decay * decoupled
    m += (1 - beta1) * (g - m)
    v += (1 - beta2) * (g * g - v)
    value -= lr * m / (np.sqrt(v / (1 - beta2**t)) + eps)


@late("adam_update", "beta1 for both averages", "value: it comes out as if beta2 were beta1")
def _(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    ops.update.adam_update(value, grad, m, v, t, lr, beta1, beta1, eps, decay, decoupled)


@late("adam_update", "the sign of the step", "m: it comes out as if decay were 0")
def _(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    ops.update.adam_update(value, grad, m, v, t, -lr, beta1, beta2, eps, 0.0, decoupled)


@late(
    "he_normal",
    "the square root is forgotten",
    "deviation: the root is missing: the variance is used as",
)
def _(shape, rng):
    return rng.standard_normal(shape) * 2 / np.prod(shape[:-1])


@late("he_normal", "uniform between -1 and 1, scaled", "form: the draw is uniform, not normal")
def _(shape, rng):
    return rng.uniform(-1, 1, shape) * np.sqrt(6 / np.prod(shape[:-1]))


@late("he_normal", "half of it", "deviation is 0.5 times what it should be")
def _(shape, rng):
    return rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1])) / 2


@late("he_normal", "fan out", "deviation: fan_out stands in the place of fan_in")
def _(shape, rng):
    fan = np.prod(shape) / shape[-2]
    return rng.standard_normal(shape) * np.sqrt(2 / fan)


@late("he_normal", "all positive", "no weight is negative")
def _(shape, rng):
    return np.abs(rng.standard_normal(shape)) * np.sqrt(2 / np.prod(shape[:-1]))


@late(
    "he_normal",
    "the same filter for all",
    "all filters are the same: units that start alike stay alike",
)
def _(shape, rng):
    w = rng.standard_normal((*shape[:-1], 1)) * np.sqrt(2 / np.prod(shape[:-1]))
    return np.repeat(w, shape[-1], -1)


@late("he_normal", "a seed of its own", "the weights do not come from rng: another generator gives")
def _(shape, rng):
    return np.random.default_rng(0).standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1]))


@late("he_normal", "LeCun", "deviation: 1 stands in the place of 2: that is LeCun's, for")
def _(shape, rng):
    return rng.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))


@late("he_normal", "the kernel's size is forgotten", "deviation: fan_in lacks kh*kw: it is C alone")
def _(shape, rng):
    return rng.standard_normal(shape) * np.sqrt(2 / shape[-2])


@late("he_normal", "transposed shape")
def _(shape, rng):
    return (rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1]))).T

"""Adam in one pass over value, gradient and both moments."""

import numpy as np

from .runtime.threads import kernel, parallel

# Shares are cut at multiples of it: a value in a vector might be rounded differently than alone.
BLOCK = 256


def adam_update(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    """value, grad, m, v of one shape; all but grad are changed in place"""
    if value.dtype != np.float32 or not value.flags.c_contiguous:
        return NotImplemented
    lost, mix = (lr * decay, 0) if decoupled else (0, decay)
    size, correct = lr / (1 - beta1**t), 1 / (1 - beta2**t)
    numbers = size, correct, 1 - beta1, 1 - beta2, eps, lost, mix
    flat = [a.reshape(-1) for a in (value, grad, m, v)]
    step = tuple(map(np.float32, numbers))  # not a named one: that takes 1 us more
    parallel(_adam, -(-value.size // BLOCK), *flat, step)
    return None


@kernel
def _adam(value, grad, m, v, step, lo, hi):
    """Reads grad (n,) and step, changes value, m and v (n,); lo and hi count blocks."""
    size, correct, rate_m, rate_v, eps, lost, mix = step
    lo, hi = lo * BLOCK, hi * BLOCK
    value, grad, m, v = value[lo:hi], grad[lo:hi], m[lo:hi], v[lo:hi]
    for i in range(len(value)):
        g = grad[i] + mix * value[i]
        m[i] += rate_m * (g - m[i])
        v[i] += rate_v * (g * g - v[i])
        value[i] -= size * m[i] / (np.sqrt(v[i] * correct) + eps) + lost * value[i]

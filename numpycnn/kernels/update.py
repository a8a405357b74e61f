"""Adam in one pass over value, gradient and both moments."""

import numpy as np

from .runtime.threads import kernel, parallel

# Shares are cut at multiples of it: a value in a vector might be rounded differently than alone.
BLOCK = 256


def adam_update(value, grad, m, v, t, lr, beta1, beta2, eps, decay, decoupled):
    """value, grad, m, v of one shape; all but grad are changed in place"""
    if value.dtype != np.float32 or not value.flags.c_contiguous:
        return NotImplemented
    lost = np.float32(lr * decay if decoupled else 0)
    mix = np.float32(0 if decoupled else decay)
    size, correct = np.float32(lr / (1 - beta1**t)), np.float32(1 / (1 - beta2**t))
    rates = np.float32(1 - beta1), np.float32(1 - beta2)
    flat = [a.reshape(-1) for a in (value, grad, m, v)]
    numbers = size, correct, *rates, np.float32(eps), lost, mix
    parallel(_adam, -(-value.size // BLOCK), *flat, *numbers, least=(1 << 15) // BLOCK)
    return None


@kernel
def _adam(value, grad, m, v, size, correct, rate_m, rate_v, eps, lost, mix, lo, hi):
    """Reads grad (n,), changes value, m and v (n,); lo and hi count blocks."""
    lo, hi = lo * BLOCK, hi * BLOCK
    value, grad, m, v = value[lo:hi], grad[lo:hi], m[lo:hi], v[lo:hi]
    for i in range(len(value)):
        g = grad[i] + mix * value[i]
        m[i] += rate_m * (g - m[i])
        v[i] += rate_v * (g * g - v[i])
        value[i] -= size * m[i] / (np.sqrt(v[i] * correct) + eps) + lost * value[i]

"""Right answers of the exercises that are no single function of ops/: written to be read.

Comments mark the student's part, which the stubs leave out: to the function's end unless said.
"""

import numpy as np

from .. import ops
from ..backend import Cache


def conv2d_loops(x, w, b, stride, pad):
    """y[n,i,j,f] = b[f] + sum_{di,dj,c} xpad[n, i*s+di, j*s+dj, c] * w[di,dj,c,f]

    x (N, H, W, C), w (kh, kw, C, F), b (F,), stride s and pad whole numbers -> y (N, OH, OW, F),
    OH = floor((H + 2 pad - kh) / s) + 1. xpad is x with `pad` zeros on each side.
    """
    n, h, width, _ = x.shape
    kh, kw, _, f = w.shape
    oh, ow = (h + 2 * pad - kh) // stride + 1, (width + 2 * pad - kw) // stride + 1
    # student:
    xpad = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    y = np.zeros((n, oh, ow, f), x.dtype)
    for i in range(oh):
        for j in range(ow):
            patch = xpad[:, i * stride : i * stride + kh, j * stride : j * stride + kw]
            for k in range(f):
                y[:, i, j, k] = (patch * w[..., k]).sum(axis=(1, 2, 3)) + b[k]
    return y


def residual_block(x, w1, w2):
    """h = relu(conv2d(x, w1))      y = x + conv2d(h, w2)

    x (N, H, W, C), w1 and w2 (3, 3, C, C), padding "same" -> y like x.
    ops.conv2d and ops.relu return (y, cache); keep the caches for the backward pass.
    Source: He et al. 2016.
    """
    # student:
    a, conv1 = ops.conv2d(x, w1)
    h, gate = ops.relu(a)
    body, conv2 = ops.conv2d(h, w2)
    y = x + body
    return y, Cache("residual_block", y, conv1=conv1, gate=gate, conv2=conv2)


def residual_block_backward(dy, cache):
    """dx = dy + the gradient through the body      dw1, dw2 as in conv2d_backward

    dy (N, H, W, C) -> dx like dy, dw1, dw2 (3, 3, C, C). x goes into y twice: dx is a sum.
    """
    conv1, gate, conv2 = cache  # for ops.conv2d_backward and ops.relu_backward
    # student:
    dh, dw2, _ = ops.conv2d_backward(dy, conv2)
    dbody, dw1, _ = ops.conv2d_backward(ops.relu_backward(dh, gate), conv1)
    return dbody + dy, dw1, dw2


def numerical_gradient(f, x, dy, h):
    """dx[i] = sum of dy * (f(x + h e_i) - f(x - h e_i)) / 2h      e_i: 1 at i, 0 elsewhere

    f takes an array like x and returns one like dy. x stays as it was. -> dx like x.
    """
    # student:
    dx = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = h
        dx[i] = (dy * (f(x + step) - f(x - step))).sum() / (2 * h)
    return dx


def train_epoch(net, optimizer, batches):
    """For each batch: forget the gradients, forward, loss, backward, step. -> the losses, a list

    net.forward(x, train=True) -> logits, cache      net.backward(dlogits, cache)
    ops.softmax_cross_entropy(logits, labels) -> loss, dlogits
    optimizer.zero_grad()      optimizer.step()      batches: pairs of x (N, D), labels (N,)
    """
    losses = []
    # student:
    for x, labels in batches:
        optimizer.zero_grad()
        logits, cache = net.forward(x, train=True)
        loss, dlogits = ops.softmax_cross_entropy(logits, labels)
        net.backward(dlogits, cache)
        optimizer.step()
        losses.append(loss)
    # end of the student's part
    return losses


def lsuv(layers, x):
    """w <- w / sqrt(Var[y]), layer by layer in forward order, y the layer's output for the batch.

    layers: a list; those with weights have them in layer.w.value, an array that is changed in
    place, the others (activations) have no attribute w. layer.forward(x) -> y, cache. The biases
    are 0. x (N, D). Each layer gets its input from the layers before, as they are scaled already.
    Source: Mishkin & Matas 2015, algorithm 1, without its orthonormal start.
    """
    for layer in layers:
        # student:
        y, _ = layer.forward(x)
        if hasattr(layer, "w"):
            layer.w.value /= np.sqrt(y.var())
            y, _ = layer.forward(x)
        x = y
        # end of the student's part


def critic_step(critic, optimizer, real, fake, clip):
    """C = mean f(fake) - mean f(real), one step down, then every weight is cut to [-clip, clip].

    critic.forward(x, train=True) -> scores f (N, 1), cache; critic.backward(dscores, cache) adds to
    the gradients. optimizer.zero_grad(), optimizer.step(); critic.params() yields them, each with
    its array `value`, cut in place. real, fake (N, D)
    -> mean f(real) - mean f(fake), before the step. Source: Arjovsky et al. 2017, algorithm 1.
    """
    # student:
    real_score, seen_real = critic.forward(real, train=True)
    fake_score, seen_fake = critic.forward(fake, train=True)
    optimizer.zero_grad()
    critic.backward(np.full_like(real_score, -1 / len(real)), seen_real)
    critic.backward(np.full_like(fake_score, 1 / len(fake)), seen_fake)
    optimizer.step()
    for param in critic.params():
        np.clip(param.value, -clip, clip, out=param.value)
    return float(real_score.mean() - fake_score.mean())

"""Write a layer, check its gradient, train with it: Swish with a learned slope for each channel.

    python examples/your_own_layer.py          # under a minute, without network or data

The derivation, with s = 1 / (1 + exp(-beta x)), whose derivative is s (1 - s):

    y        = x s
    dy/dx    = s + beta x s (1 - s)       the product rule: x moves itself (1), and its gate (2)
    dy/dbeta =      x^2   s (1 - s)

Source: Ramachandran, Zoph & Le 2017, "Searching for activation functions".
"""

import time

import numpy as np

import numpycnn
from numpycnn import data, ops, optim
from numpycnn.gradient_check import GradCheckError
from numpycnn.layers import Conv2D, Dense, Flatten, Layer, MaxPool2D, Param, Sequential, Standardize

EPOCHS = 4
BATCH_SIZE = 64
LEARNING_RATE = 3e-3
FILTERS = (16, 32)
SEED = 0


# ---- 1. write it ------------------------------------------------------------------------------


class Swish(Layer):
    """y = x / (1 + exp(-beta x))      x (..., C), beta (C,)

    beta is 1 at first; with 0 y is linear in x, with a large one nearly ReLU.
    """

    def __init__(self, channels):
        self.beta = Param(
            "beta", np.ones(channels, np.float32)
        )  # found by params(), saved, trained

    def forward(self, x, train=False):
        s, _ = ops.sigmoid(
            self.beta.value * x
        )  # 1 / (1 + exp(-beta x)), so written that nothing overflows
        y = x * s  # y = x s
        return y, (x, s)  # the cache: what backward needs

    def backward(self, dy, cache):
        x, s = cache
        channels = tuple(range(x.ndim - 1))  # every axis but the last: beta is shared along them
        slope = s * (1 - s)
        self.beta.add_grad((dy * x * x * slope).sum(axis=channels))  # dbeta = sum dy x^2 s (1 - s)
        return dy * (s + self.beta.value * x * slope)  # dx = dy (s + beta x s (1 - s))


# ---- 2. check it ------------------------------------------------------------------------------

rng = np.random.default_rng(SEED)
x = rng.standard_normal((2, 4, 4, 3))
print("Swish, as above:\n")
print(numpycnn.gradcheck(Swish(3), x))


class Forgetful(Swish):
    """The mistake that everybody makes once: the gate s is treated as a constant, term (2) is
    missing.
    """

    def backward(self, dy, cache):
        super().backward(dy, cache)
        return dy * cache[1]


print("\nThe same without the second term of dy/dx, which is what a mistake looks like:")
try:
    numpycnn.gradcheck(Forgetful(3), x)
except GradCheckError as error:
    print(error)

# ---- 3. train with it -------------------------------------------------------------------------

dataset = data.load("synthetic")
net = Sequential(
    Standardize(dataset.mean, dataset.std),  # (N, 28, 28, 1) pixels 0..255 -> mean 0, deviation 1
    Conv2D(1, FILTERS[0], 3, stride=2, rng=rng),  # -> (N, 14, 14, 16)
    Swish(FILTERS[0]),
    MaxPool2D(2),  # -> (N, 7, 7, 16)
    Conv2D(FILTERS[0], FILTERS[1], 3, rng=rng),  # -> (N, 7, 7, 32)
    Swish(FILTERS[1]),
    Flatten(),  # -> (N, 1568)
    Dense(7 * 7 * FILTERS[1], len(dataset.classes), rng=rng),  # -> (N, 10) logits
)
optimizer = optim.Adam(net.params(), LEARNING_RATE)

print(
    f"\nA small network with two of them, on {len(dataset.x_train):,} images ({dataset.source}):\n"
)
for epoch in range(EPOCHS):
    start, total = time.perf_counter(), 0.0
    for images, labels in data.batches(
        dataset.x_train, dataset.y_train, BATCH_SIZE, seed=SEED, epoch=epoch
    ):
        logits, cache = net.forward(images, train=True)
        loss, dlogits = ops.softmax_cross_entropy(logits, labels)
        optimizer.zero_grad()
        net.backward(dlogits, cache)
        optimizer.step()
        total += loss * len(images)
    seconds = time.perf_counter() - start
    print(
        f"epoch {epoch + 1}/{EPOCHS}: loss {total / len(dataset.x_train):.4f}, {seconds:.0f} s",
        flush=True,
    )

correct = net.infer(dataset.x_test).argmax(axis=1) == dataset.y_test
print(f"\ntest accuracy {correct.mean():.2%} on {len(correct):,} images")
for layer in (2, 5):
    beta = net.layers[layer].beta.value
    print(
        f"beta of layer {layer}, 1 at first: "
        f"learned {beta.min():.2f} to {beta.max():.2f}, mean {beta.mean():.2f}"
    )

"""The paper's tuned AlexNet from its layers up: the plain loop, without schedule or anything fused.

python examples/alexnet.py             # about 2 minutes on 2 cores
python examples/alexnet.py --quick     # 3,000 images, half a minute: to see that it works
"""

import sys
import time

import numpy as np

from numpycnn import data, evaluate, ops, optim
from numpycnn.layers import (
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPool2D,
    ReLU,
    Sequential,
    Standardize,
)

EPOCHS = 6
BATCH_SIZE = 64
LEARNING_RATE = 5e-4
DROPOUT = 0.7  # the share dropped; the paper's best
SEED = 0

dataset = data.load_default()
if "--quick" in sys.argv:
    dataset, EPOCHS = dataset.limit(3000), 2
print(f"{dataset.name}: {dataset.source}")

weights, first_drop, second_drop = (
    np.random.default_rng(s) for s in np.random.SeedSequence(SEED).spawn(3)
)
net = Sequential(
    Standardize(dataset.mean, dataset.std),  # (N, 28, 28, 1) pixels 0..255 -> mean 0, deviation 1
    Conv2D(1, 32, 5, rng=weights),  # -> (N, 28, 28, 32)
    ReLU(),
    MaxPool2D(2),  # -> (N, 14, 14, 32)
    Conv2D(32, 64, 5, rng=weights),  # -> (N, 14, 14, 64)
    ReLU(),
    MaxPool2D(2),  # -> (N, 7, 7, 64)
    Flatten(),  # -> (N, 3136)
    Dense(7 * 7 * 64, 256, rng=weights),
    ReLU(),
    Dropout(DROPOUT, first_drop),
    Dense(256, 128, rng=weights),
    ReLU(),
    Dropout(DROPOUT, second_drop),
    Dense(
        128, len(dataset.classes), rng=weights
    ),  # -> (N, 10) logits; their softmax is in the loss
)
print(net.summary((28, 28, 1)))

optimizer = optim.Adam(net.params(), LEARNING_RATE)
for epoch in range(EPOCHS):
    start, total, correct = time.perf_counter(), 0.0, 0
    for x, y in data.batches(dataset.x_train, dataset.y_train, BATCH_SIZE, seed=SEED, epoch=epoch):
        optimizer.zero_grad()
        logits, cache = net.forward(x, train=True)
        loss, dlogits = ops.softmax_cross_entropy(logits, y)
        net.backward(dlogits, cache)
        optimizer.step()
        total += loss * len(x)
        correct += int((logits.argmax(axis=1) == y).sum())
    count, seconds = len(dataset.x_train), time.perf_counter() - start
    print(
        f"epoch {epoch + 1}/{EPOCHS}: loss {total / count:.4f}, "
        f"accuracy {correct / count:.2%}, {seconds:.0f} s",
        flush=True,
    )

measured = evaluate(net, dataset.x_test, dataset.y_test)
print(f"test loss {measured['loss']:.4f}, test accuracy {measured['accuracy']:.2%}")

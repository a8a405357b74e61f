"""Train the paper's VGG-like network on Fashion-MNIST, with the loop in sight.

    python examples/vgg.py             # about 3 minutes on 2 cores
    python examples/vgg.py --quick     # 3,000 images, half a minute: to see that it works

The training of `numpycnn train` in the open: batches, forward, loss, backward, step. What that does
beside it is left out: validation, checkpoints, the report.
"""

import sys

from tqdm import tqdm

import numpycnn as nc
from numpycnn import data, layers, models, ops, optim, schedule

EPOCHS = 4
BATCH_SIZE = 32
LEARNING_RATE = 2e-3  # the top of the one-cycle schedule
SEED = 0
QUICK = "--quick" in sys.argv

dataset = data.load_default()
if QUICK:
    dataset, EPOCHS = dataset.limit(3000), 2
print(f"{dataset.name}: {dataset.source}")

# The network: three levels of two 3x3 convolutions, each with batch norm and ReLU.
net = models.build("vgg", seed=SEED, mean=dataset.mean, std=dataset.std)
print(net.summary((28, 28, 1)))

# The same network with conv + batch norm + ReLU + pool computed in one go: equal, and faster.
fast = layers.fuse(net, input_gradient=False)
optimizer = optim.Adam(net.params(), LEARNING_RATE)
factor = schedule.one_cycle()


def augment(x, rng):
    """A T-shirt stays a T-shirt in the mirror, and two pixels to the side."""
    return data.augment.random_crop(data.augment.horizontal_flip(x, rng), rng, pad=2)


steps = -(-len(dataset.x_train) // BATCH_SIZE)
for epoch in range(EPOCHS):
    total, correct = 0.0, 0
    batches = data.batches(
        dataset.x_train, dataset.y_train, BATCH_SIZE, seed=SEED, epoch=epoch, augment=augment
    )
    bar = tqdm(batches, total=steps, desc=f"epoch {epoch + 1}/{EPOCHS}", leave=False, disable=None)
    for step, (x, y) in enumerate(bar):
        optimizer.lr = LEARNING_RATE * factor((epoch * steps + step) / (EPOCHS * steps))
        optimizer.zero_grad()
        logits, cache = fast.forward(x, train=True)  # images -> logits, and what backward needs
        loss, dlogits = ops.softmax_cross_entropy(logits, y)  # C = -sum y log a, dC/ds = a - y
        fast.backward(dlogits, cache)  # the chain rule, layer by layer, from the last to the first
        optimizer.step()
        total += loss * len(x)  # the last batch may be smaller
        correct += (logits.argmax(axis=1) == y).sum()
    n = len(dataset.x_train)
    print(f"epoch {epoch + 1}: loss {total / n:.4f}, training accuracy {correct / n:.2%}")

measured = nc.evaluate(net, dataset.x_test, dataset.y_test)
print(f"test loss {measured['loss']:.4f}, test accuracy {measured['accuracy']:.2%}")

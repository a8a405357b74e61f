"""Train an overcomplete autoencoder to take noise away: Gaussian, deviation 0.3, clipped to [0, 1].

    python examples/denoising.py             # about 25 minutes of one core
    python examples/denoising.py --quick     # under a minute: to see that it works

Its code has more numbers than the image has pixels, so it could copy; since it sees noise and is
asked for the clean image, copying is wrong. The pictures: clean test images, noisy, and what the
network makes of them.
"""

import numpy as np

from numpycnn import generative, layers, metrics, models, ops, optim, schedule
from numpycnn.generative import latent

EPOCHS = 12
BATCH_SIZE = 64
LEARNING_RATE = 2e-3  # the top of the one-cycle schedule
DEVIATION = 0.3

args = generative.arguments(
    __doc__,
    "denoising",
    EPOCHS,
    BATCH_SIZE,
    constants={"LEARNING_RATE": LEARNING_RATE, "DEVIATION": DEVIATION},
)
dataset = generative.dataset(args)
print(f"{dataset.name}: {dataset.source}")

net = models.build("denoiser", seed=args.seed, input_shape=dataset.x_train.shape[1:])
fast = layers.fuse(net, input_gradient=False)
optimizer = optim.Adam(net.params(), LEARNING_RATE)
factor = schedule.one_cycle()

test = latent.unit(dataset.x_test)
noisy_test = latent.add_noise(test, DEVIATION, np.random.default_rng(args.seed))


def picture():
    """Ten clean images a row, under them noisy, under those cleaned; twice."""
    cleaned = net.infer(noisy_test[:20])
    rows = [part[i : i + 10] for i in (0, 10) for part in (test, noisy_test, cleaned)]
    return np.concatenate(rows)


run = generative.Run(args, net, optimizer, dataset, picture)
for x, _, rng in run.steps():
    optimizer.lr = LEARNING_RATE * factor(run.progress)
    optimizer.zero_grad()
    y, cache = fast.forward(latent.add_noise(x, DEVIATION, rng), train=True)  # new noise each time
    loss, dy = ops.mse(y, x)  # C = mean (y - x)^2: the target is the clean image
    fast.backward(dy, cache)
    optimizer.step()
    run.log(mse=loss)

cleaned = latent.outputs(net, noisy_test)
before, after = metrics.psnr(noisy_test, test), metrics.psnr(cleaned, test)
run.finish(psnr_noisy=before, psnr_cleaned=after, gain=after - before)

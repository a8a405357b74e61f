"""Train an autoencoder: 784 pixels through a code of 32 or 64 numbers, and back.

    python examples/autoencoder.py                # 32 dimensions, about 28 minutes of one core
    python examples/autoencoder.py --latent 64
    python examples/autoencoder.py --quick        # under a minute: to see that it works

The folder gets a picture an epoch: test images, and under each row what came back of them.
"""

from numpycnn import generative, layers, models, ops, optim, schedule
from numpycnn.generative import latent
from numpycnn.report import grids

EPOCHS = 16
BATCH_SIZE = 64
LEARNING_RATE = 2e-3  # the top of the one-cycle schedule
LATENT = 32

args = generative.arguments(
    __doc__,
    "autoencoder",
    EPOCHS,
    BATCH_SIZE,
    ["latent"],
    constants={"LEARNING_RATE": LEARNING_RATE},
)
args.latent = args.latent or LATENT
dataset = generative.dataset(args)
print(f"{dataset.name}: {dataset.source}")

net = models.build(
    "autoencoder", seed=args.seed, latent=args.latent, input_shape=dataset.x_train.shape[1:]
)
encoder, decoder = layers.fuse(net.encoder, input_gradient=False), layers.fuse(net.decoder)
optimizer = optim.Adam(net.params(), LEARNING_RATE)
factor = schedule.one_cycle()


def picture():
    """Fifty test images, and what is read back from their codes."""
    return grids.beside(latent.unit(dataset.x_test[:50]), net.infer(dataset.x_test[:50]))


run = generative.Run(args, net, optimizer, dataset, picture)
for x, _, _ in run.steps():
    optimizer.lr = LEARNING_RATE * factor(run.progress)
    optimizer.zero_grad()
    code, first = encoder.forward(x, train=True)  # (N, 28, 28, 1) -> (N, latent)
    y, second = decoder.forward(code, train=True)  # -> (N, 28, 28, 1)
    loss, dy = ops.mse(y, x)  # C = mean (y - x)^2: the image is its own target
    dcode = decoder.backward(dy, second)  # the chain rule, through one network ...
    encoder.backward(dcode, first)  # ... into the other
    optimizer.step()
    run.log(mse=loss)

test = latent.unit(dataset.x_test)
run.finish(test_mse=ops.mse(latent.outputs(net, test), test)[0])

"""Train a variational autoencoder: a code of 20 numbers that can be drawn, and read back as a garment.

    python examples/vae.py                  # about half an hour of one core
    python examples/vae.py --conditional    # a class in, that garment out
    python examples/vae.py --latent 2       # a code that can be drawn as a map
    python examples/vae.py --quick          # under a minute: to see that it works

The loss is the negative evidence lower bound, in nats an image:

    -ELBO = E_z [ -log p(x|z) ] + KL( q(z|x) || N(0, 1) )      q(z|x) = N(mean, exp(log_var)), from the encoder
                                                              p(x|z): a Bernoulli for each pixel, from the decoder
"""

import numpy as np

from numpycnn import coding, generative, layers, models, ops, optim, schedule
from numpycnn.models.coder import one_hot, with_classes

EPOCHS = 24
BATCH_SIZE = 64
LEARNING_RATE = 2e-3  # the top of the one-cycle schedule
LATENT = 20

args = generative.arguments(__doc__, "vae", EPOCHS, BATCH_SIZE, ["latent", "conditional"])
args.latent = args.latent or LATENT
clothes = generative.dataset(args)
print(f"{clothes.name}: {clothes.source}")

classes = len(clothes.classes) if args.conditional else 0
net = models.build("vae", seed=args.seed, latent=args.latent, classes=classes)
encoder, sampling, decoder = layers.fuse(net.encoder, input_gradient=False), net.sampling, layers.fuse(net.decoder)
optimizer = optim.Adam(net.params(), LEARNING_RATE)
factor = schedule.one_cycle()


def reconstruction(logits, x):
    """E[-log p(x|z)] in nats an image: bce_with_logits is a mean over pixels too, so times their number."""
    pixels = x[0].size
    loss, dlogits = ops.bce_with_logits(logits, x)
    return loss * pixels, dlogits * np.float32(pixels)


def picture():
    """Drawn from the prior, always the same codes; with classes, a column each."""
    return coding.draw(net, 80, np.random.default_rng(args.seed), np.arange(80) % max(classes, 1))


run = generative.Run(args, net, optimizer, clothes, picture, generated=80)
for x, labels, _ in run.steps():
    optimizer.lr = LEARNING_RATE * factor(run.progress)
    optimizer.zero_grad()
    hot = one_hot(labels, classes)  # (N, K), None where there are no classes
    stats, first = encoder.forward(with_classes(x, hot), train=True)  # -> (N, 2 latent): mean, log_var
    z, second = sampling.forward(stats, train=True)  # z = mean + exp(log_var / 2) e
    logits, third = decoder.forward(with_classes(z, hot), train=True)
    loss, dlogits = reconstruction(logits, x)
    kl, dkl = ops.gaussian_kl(*np.split(stats, 2, axis=1))

    dz = decoder.backward(dlogits, third)[:, : args.latent]  # what is left of it is the class's, which is given
    dstats = sampling.backward(dz, second)  # (1) the loss moves mean and log_var through z
    dstats += np.concatenate(dkl, axis=1)  # (2) the divergence moves them itself
    encoder.backward(dstats, first)
    optimizer.step()
    run.log(loss=loss + kl, reconstruction=loss, kl=kl)

run.finish(**coding.elbo(net, clothes, np.random.default_rng(args.seed)))

"""Train a variational autoencoder: a code of 20 numbers that can be drawn, and read back as a
garment.

    python examples/vae.py                  # about half an hour of one core
    python examples/vae.py --conditional    # a class in, that garment out
    python examples/vae.py --latent 2       # a code that can be drawn as a map
    # sharper: the code may say more than the bound allows
    python examples/vae.py --latent 128 --beta 0.003
    python examples/vae.py --quick          # under a minute: to see that it works

The loss is the negative evidence lower bound, in nats an image:

    -ELBO = E_z [ -log p(x|z) ] + KL( q(z|x) || N(0, 1) )     q(z|x) = N(mean, exp(log_var)),
                                                              from the encoder
                                                              p(x|z): a Bernoulli for each pixel,
                                                              from the decoder

--beta weighs the divergence (Higgins et al. 2017). Below 1 the codes of images are no longer
spread like N(0, 1), so that new ones are better drawn from a mixture of Gaussians that is fitted
to them: benchmarks/generative/README.md.
"""

import numpy as np

from numpycnn import generative, layers, models, ops, optim, schedule
from numpycnn.generative import latent
from numpycnn.models.coder import one_hot, with_classes

EPOCHS = 24
BATCH_SIZE = 64
LEARNING_RATE = 2e-3  # the top of the one-cycle schedule
LATENT = 20

args = generative.arguments(
    __doc__,
    "vae",
    EPOCHS,
    BATCH_SIZE,
    ["latent", "beta", "conditional"],
    constants={"LEARNING_RATE": LEARNING_RATE},
)
args.latent, args.beta = args.latent or LATENT, 1.0 if args.beta is None else args.beta
dataset = generative.dataset(args)
print(f"{dataset.name}: {dataset.source}")

classes = len(dataset.classes) if args.conditional else 0
DRAWN = 8 * (classes or 10)
net = models.build(
    "vae",
    seed=args.seed,
    latent=args.latent,
    classes=classes,
    input_shape=dataset.x_train.shape[1:],
)
encoder, sampling, decoder = (
    layers.fuse(net.encoder, input_gradient=False),
    net.sampling,
    layers.fuse(net.decoder),
)
optimizer = optim.Adam(net.params(), LEARNING_RATE)
factor = schedule.one_cycle()


def reconstruction(logits, x):
    """E[-log p(x|z)] in nats an image: bce_with_logits is a mean over pixels too, so times their
    number.
    """
    pixels = x[0].size
    loss, dlogits = ops.bce_with_logits(logits, x)
    return loss * pixels, dlogits * np.float32(pixels)


def picture():
    """Drawn from the prior, with --beta from a Gaussian fitted to the images' codes.

    With classes, a column each.
    """
    rng, columns = np.random.default_rng(args.seed), np.arange(DRAWN) % max(classes, 1)
    if args.beta == 1:
        return latent.draw(net, DRAWN, rng, columns)
    codes = latent.encode(
        net, *(latent.evenly(2000, array) for array in (dataset.x_train, dataset.y_train))
    )
    drawn = rng.multivariate_normal(
        codes.mean(axis=0), np.atleast_2d(np.cov(codes, rowvar=False)), DRAWN
    )
    return latent.decode(net, drawn.astype(np.float32), columns)


run = generative.Run(args, net, optimizer, dataset, picture, generated=DRAWN)
for x, labels, _ in run.steps():
    optimizer.lr = LEARNING_RATE * factor(run.progress)
    optimizer.zero_grad()
    hot = one_hot(labels, classes)  # (N, K), None where there are no classes
    stats, first = encoder.forward(
        with_classes(x, hot), train=True
    )  # -> (N, 2 latent): mean, log_var
    z, second = sampling.forward(stats, train=True)  # z = mean + exp(log_var / 2) e
    logits, third = decoder.forward(with_classes(z, hot), train=True)
    loss, dlogits = reconstruction(logits, x)
    kl, dkl = ops.gaussian_kl(*np.split(stats, 2, axis=1))

    dz = decoder.backward(dlogits, third)[
        :, : args.latent
    ]  # what is left of it is the class's, which is given
    dstats = sampling.backward(dz, second)  # (1) the loss moves mean and log_var through z
    dstats += np.float32(args.beta) * np.concatenate(
        dkl, axis=1
    )  # (2) the divergence moves them itself
    encoder.backward(dstats, first)
    optimizer.step()
    run.log(loss=loss + args.beta * kl, reconstruction=loss, kl=kl)

run.finish(**latent.elbo(net, dataset, np.random.default_rng(args.seed)))

"""Train a Wasserstein GAN with weight clipping.

    python examples/wgan.py                  # about 26 minutes of one core
    python examples/wgan.py --conditional    # a class in, that garment out
    python examples/wgan.py --quick          # under a minute: to see that it works

The critic's score f is a number without a bound. Were f 1-Lipschitz, the largest difference of its
means would be the earth mover's distance between real and drawn images. `distance` is what this
critic finds of it: it falls as the samples get better, but rises again once the learning rate
begins to fall, though they go on getting better.

    critic       C = mean f(G(z)) - mean f(x)    weights are clipped to [-c, c] to bound f's slope
    generator    C = -mean f(G(z))

The bound is a loose one: the critic has batch norm, as published ones have (Radford et al. 2016),
which scales what comes between. Source: Arjovsky, Chintala & Bottou 2017, algorithm 1. Other than
there: c is five times as wide, and the learning rate ten times as large, which falls in the second
half; the generator learns from the images that the critic has just seen; an average of it is kept.
"""

import copy

import numpy as np

from numpycnn import generative, layers, models, optim, schedule
from numpycnn.generative import latent
from numpycnn.models.coder import one_hot, with_classes

EPOCHS = 36
BATCH_SIZE = 64
LEARNING_RATE = 5e-4  # ten times the published one, for a training of half an hour
CLIP = 0.05  # five times the published one
CRITIC_STEPS = 5  # of the critic for each of the generator
LATENT = 64
AVERAGE = 0.999  # what is kept of the generator: its mean over the last thousand steps or so

CONSTANTS = {
    "LEARNING_RATE": LEARNING_RATE,
    "CLIP": CLIP,
    "CRITIC_STEPS": CRITIC_STEPS,
    "AVERAGE": AVERAGE,
}
args = generative.arguments(
    __doc__,
    "wgan",
    EPOCHS,
    BATCH_SIZE,
    ["latent", "conditional"],
    quick=(10000, 4),
    constants=CONSTANTS,
)
args.latent = args.latent or LATENT
dataset = generative.dataset(args)
print(f"{dataset.name}: {dataset.source}")

classes = len(dataset.classes) if args.conditional else 0
DRAWN = 8 * (classes or 10)
form = {"latent": args.latent, "classes": classes, "input_shape": dataset.x_train.shape[1:]}
net = models.build("gan", seed=args.seed, **form, batch_norm=True)
generator, critic = layers.fuse(net.generator), net.critic
both = optim.OptimizerGroup(
    generator=optim.EMA(optim.RMSProp(generator.params(), LEARNING_RATE), net.generator, AVERAGE),
    critic=optim.RMSProp(critic.params(), LEARNING_RATE),
)
factor = schedule.linear()

shown = copy.copy(net)
shown.generator = both.generator.average  # it draws, and is kept in the end


def picture():
    """Always the same noise; with classes, a column each."""
    return latent.draw(
        shown, DRAWN, np.random.default_rng(args.seed), np.arange(DRAWN) % max(classes, 1)
    )


run = generative.Run(args, net, both, dataset, picture, generated=DRAWN, turn=CRITIC_STEPS)
for x, labels, rng in run.steps():
    both.generator.lr = both.critic.lr = LEARNING_RATE * factor(run.progress)
    hot = one_hot(labels, classes)  # (N, K), None where there are no classes
    noise = with_classes(rng.standard_normal((len(x), args.latent), np.float32), hot)
    fake, drawn = generator.forward(noise, train=True)  # (N, 28, 28, 1), in [0, 1]
    share = np.full((len(x), 1), 1 / len(x), np.float32)  # d mean / d score

    # The critic learns: C = mean f(fake) - mean f(real), so dC/df is 1/N of fakes and -1/N of real
    # ones.
    real_score, seen_real = critic.forward(with_classes(x, hot), train=True)
    fake_score, seen_fake = critic.forward(with_classes(fake, hot), train=True)
    both.critic.zero_grad()
    critic.backward(-share, seen_real)
    critic.backward(share, seen_fake)
    both.critic.step()
    optim.clip_weights(critic.params(), CLIP)
    run.log(distance=float(real_score.mean() - fake_score.mean()))

    # The generator learns, less often: through the critic, into the image, and on.
    if run.step % CRITIC_STEPS == CRITIC_STEPS - 1:
        score, seen = critic.forward(with_classes(fake, hot), train=True)
        dfake = critic.backward(-share, seen)[
            ..., : x.shape[3]
        ]  # the rest is the class's, which is given
        both.generator.zero_grad()
        generator.backward(dfake, drawn)
        both.generator.step()
        run.log(generator=-float(score.mean()))

both.generator.copy_to(net.generator)
run.finish()

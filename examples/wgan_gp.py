"""Train a Wasserstein GAN whose critic is kept 1-Lipschitz by a penalty on its gradient.

    python examples/wgan_gp.py                  # about 26 minutes of one core
    python examples/wgan_gp.py --conditional    # a class in, that garment out
    python examples/wgan_gp.py --quick          # under a minute: to see that it works

    critic       C = mean f(G(z)) - mean f(x) + 10 mean (|df/dx| - 1)^2
                 df/dx between real and drawn images
    generator    C = -mean f(G(z))

The penalty's gradient is one of second order: how df/dx depends on the weights.
numpycnn/layers/input_gradient.py writes that pass out, layer by layer, and says why it is a forward
pass. Source: Gulrajani et al. 2017, algorithm 1. Other than there: twice the learning rate, which
falls in the second half, three steps of the critic instead of five; the generator learns from the
images that the critic has just seen; an average of it is kept.
"""

import copy

import numpy as np

from numpycnn import generative, layers, models, ops, optim, schedule
from numpycnn.generative import latent
from numpycnn.models.coder import one_hot, with_classes

EPOCHS = 24
BATCH_SIZE = 64
LEARNING_RATE = 2e-4
BETAS = 0.0, 0.9
PENALTY = 10.0
CRITIC_STEPS = 3  # of the critic for each of the generator
LATENT = 64
AVERAGE = 0.999  # what is kept of the generator: its mean over the last thousand steps or so

CONSTANTS = {
    "LEARNING_RATE": LEARNING_RATE,
    "BETAS": BETAS,
    "PENALTY": PENALTY,
    "CRITIC_STEPS": CRITIC_STEPS,
    "AVERAGE": AVERAGE,
}
args = generative.arguments(
    __doc__,
    "wgan_gp",
    EPOCHS,
    BATCH_SIZE,
    ["latent", "conditional"],
    quick=(10000, 3),
    constants=CONSTANTS,
)
args.latent = args.latent or LATENT
dataset = generative.dataset(args)
print(f"{dataset.name}: {dataset.source}")

classes = len(dataset.classes) if args.conditional else 0
DRAWN = 8 * (classes or 10)
form = {"latent": args.latent, "classes": classes, "input_shape": dataset.x_train.shape[1:]}
net = models.build("gan", seed=args.seed, **form)
generator, critic = layers.fuse(net.generator), net.critic
slope = layers.InputGradient(critic)  # x -> df/dx: the critic's backward pass, as a network
both = optim.OptimizerGroup(
    generator=optim.EMA(
        optim.Adam(generator.params(), LEARNING_RATE, *BETAS), net.generator, AVERAGE
    ),
    critic=optim.Adam(critic.params(), LEARNING_RATE, *BETAS),
)
factor = schedule.linear()

shown = copy.copy(net)
shown.generator = both.generator.average  # it draws, and is kept in the end


def picture():
    """Always the same noise; with classes, a column each."""
    return latent.draw(
        shown, DRAWN, np.random.default_rng(args.seed), np.arange(DRAWN) % max(classes, 1)
    )


def penalty_pass(x, fake, hot, rng):
    """Adds the penalty's part to the critic's gradients -> the penalty."""
    t = rng.random((len(x), 1, 1, 1), np.float32)
    between = with_classes(
        t * x + (1 - t) * fake, hot
    )  # a place on the line from each real image to a drawn one
    g, cache = slope.forward(between, train=True)
    penalty, dg = ops.gradient_penalty(
        g[..., : x.shape[3]], PENALTY
    )  # of the pixels, not of the class
    slope.backward(
        with_classes(dg, None if hot is None else 0 * hot), cache
    )  # the second-order pass
    return penalty


run = generative.Run(args, net, both, dataset, picture, generated=DRAWN, turn=CRITIC_STEPS)
for x, labels, rng in run.steps():
    both.generator.lr = both.critic.lr = LEARNING_RATE * factor(run.progress)
    hot = one_hot(labels, classes)  # (N, K), None where there are no classes
    noise = with_classes(rng.standard_normal((len(x), args.latent), np.float32), hot)
    fake, drawn = generator.forward(noise, train=True)  # (N, 28, 28, 1), in [0, 1]
    share = np.full((len(x), 1), 1 / len(x), np.float32)  # d mean / d score

    # The critic learns: three terms of C, three backward passes that add up.
    real_score, seen_real = critic.forward(with_classes(x, hot), train=True)
    fake_score, seen_fake = critic.forward(with_classes(fake, hot), train=True)
    both.critic.zero_grad()
    critic.backward(-share, seen_real)  # (1) - mean f(x)
    critic.backward(share, seen_fake)  # (2) + mean f(G(z))
    penalty = penalty_pass(x, fake, hot, rng)  # (3) + 10 mean (|df/dx| - 1)^2
    both.critic.step()
    run.log(distance=float(real_score.mean() - fake_score.mean()), penalty=penalty)

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

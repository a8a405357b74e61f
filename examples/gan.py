"""Train a generative adversarial network: a generator draws garments, a critic learns to tell them
from real ones.

    python examples/gan.py                  # about 23 minutes of one core
    python examples/gan.py --conditional    # a class in, that garment out
    python examples/gan.py --quick          # under a minute: to see that it works

Two networks, two optimisers. The critic's score s is a logit, "this is real"; the generator wants
it high:

    critic       C = -log sigmoid(s(x)) - log(1 - sigmoid(s(G(z))))
    generator    C = -log sigmoid(s(G(z)))      the form that does not saturate

Source: Goodfellow et al. 2014; Radford et al. 2016 (the settings); Salimans et al. 2016 (one-sided
smoothing).
"""

import copy

import numpy as np

from numpycnn import generative, layers, models, ops, optim, schedule
from numpycnn.generative import latent
from numpycnn.models.coder import one_hot, with_classes

EPOCHS = 20
BATCH_SIZE = 64
LEARNING_RATE = 2e-4
BETA1 = 0.5
REAL = 0.9  # what the critic is to say of real images; 1 makes it too sure
LATENT = 64
AVERAGE = 0.999  # what is kept of the generator: its mean over the last thousand steps or so

CONSTANTS = {"LEARNING_RATE": LEARNING_RATE, "BETA1": BETA1, "REAL": REAL, "AVERAGE": AVERAGE}
args = generative.arguments(
    __doc__,
    "gan",
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
net = models.build("gan", seed=args.seed, **form, batch_norm=True)
generator, critic = layers.fuse(net.generator), net.critic
both = optim.OptimizerGroup(
    generator=optim.EMA(
        optim.Adam(generator.params(), LEARNING_RATE, BETA1), net.generator, AVERAGE
    ),
    critic=optim.Adam(critic.params(), LEARNING_RATE, BETA1),
)
factor = schedule.linear()

shown = copy.copy(net)
shown.generator = both.generator.average  # it draws, and is kept in the end


def picture():
    """Always the same noise; with classes, a column each."""
    return latent.draw(
        shown, DRAWN, np.random.default_rng(args.seed), np.arange(DRAWN) % max(classes, 1)
    )


run = generative.Run(args, net, both, dataset, picture, generated=DRAWN)
for x, labels, rng in run.steps():
    both.generator.lr = both.critic.lr = LEARNING_RATE * factor(run.progress)
    hot = one_hot(labels, classes)  # (N, K), None where there are no classes
    noise = with_classes(rng.standard_normal((len(x), args.latent), np.float32), hot)
    fake, drawn = generator.forward(noise, train=True)  # (N, 28, 28, 1), in [0, 1]

    # The critic learns: real images up, fakes down. The gradient stops at the images.
    real_score, seen_real = critic.forward(with_classes(x, hot), train=True)
    fake_score, seen_fake = critic.forward(with_classes(fake, hot), train=True)
    real_loss, dreal = ops.bce_with_logits(real_score, np.full_like(real_score, REAL))
    fake_loss, dfake = ops.bce_with_logits(fake_score, np.zeros_like(fake_score))
    both.critic.zero_grad()
    critic.backward(dreal, seen_real)
    critic.backward(dfake, seen_fake)  # adds to the gradients of the real ones
    both.critic.step()

    # The generator learns: the gradient of the score goes through the critic, into the image, and
    # on.
    score, seen = critic.forward(with_classes(fake, hot), train=True)
    loss, dscore = ops.bce_with_logits(score, np.ones_like(score))
    dfake = critic.backward(dscore, seen)[
        ..., : x.shape[3]
    ]  # what is left of it is the class's, which is given
    both.generator.zero_grad()
    generator.backward(dfake, drawn)
    both.generator.step()
    run.log(critic=real_loss + fake_loss, generator=loss)

both.generator.copy_to(net.generator)
run.finish()

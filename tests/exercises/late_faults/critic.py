"""Wrong answers: critic_step."""

import numpy as np

from . import late


def critic(order, factor=1):
    def step(critic, optimizer, real, fake, clip):
        real_score, seen_real = critic.forward(real, train=True)
        fake_score, seen_fake = critic.forward(fake, train=True)
        for action in order.split():
            if action == "zero":
                optimizer.zero_grad()
            if action == "real":
                critic.backward(-np.ones_like(real_score) / len(real), seen_real)
            if action == "fake":
                critic.backward(factor * np.ones_like(fake_score) / len(fake), seen_fake)
            if action == "step":
                optimizer.step()
            if action == "clip":
                for p in critic.params():
                    p.value[...] = np.clip(p.value, -clip, clip)
        return float(real_score.mean() - fake_score.mean())

    return step


def step(critic, optimizer, real, fake, clip, signs=(-1, 1), sums=False, cut=np.clip):
    r, seen_r = critic.forward(real, train=True)
    f, seen_f = critic.forward(fake, train=True)
    optimizer.zero_grad()
    n = 1 if sums else len(real)
    critic.backward(np.full_like(r, signs[0] / n), seen_r)
    critic.backward(np.full_like(f, signs[1] / n), seen_f)
    optimizer.step()
    for p in critic.params():
        p.value[...] = cut(p.value, -clip, clip)
    return float(r.mean() - f.mean())


late("critic_step", "the weights are not clipped", "weights: the weights are not cut")(
    critic("zero real fake step")
)


late("critic_step", "the fake half counts twice", "weights: the drawn images count twice")(
    critic("zero real fake fake step clip")
)


late("critic_step", "zero_grad comes last", "weights: old gradients are not forgotten")(
    critic("real fake step clip zero")
)


@late("critic_step", "the distance is that of the loss", "distance is of the wrong sign")
def _(critic_, optimizer, real, fake, clip):
    return -critic("zero real fake step clip")(critic_, optimizer, real, fake, clip)


@late(
    "critic_step",
    "the clip is 0.01, whatever is asked",
    "weights: the weights are cut to 0.01, whatever is asked",
)
def _(critic_, optimizer, real, fake, clip):
    return critic("zero real fake step clip")(critic_, optimizer, real, fake, 0.01)


@late(
    "critic_step", "the signs exchanged", "weights: the signs are exchanged: the critic learns to"
)
def _(*args):
    return step(*args, signs=(1, -1))


@late("critic_step", "sums, not means", "weights: the gradient is that of a sum, not of a mean")
def _(*args):
    return step(*args, sums=True)


@late(
    "critic_step",
    "the weights are clipped from above only",
    "weights: the weights are cut from above only",
)
def _(*args):
    return step(*args, cut=lambda v, low, high: np.minimum(v, high))


@late("critic_step", "real and fake exchanged by the caller", "distance is of the wrong sign")
def _(critic, optimizer, real, fake, clip):
    return step(critic, optimizer, fake, real, clip)


@late(
    "critic_step",
    "the scores themselves are the gradients",
    "weights: the scores are passed back, not the slopes of",
)
def _(critic, optimizer, real, fake, clip):
    r, seen_r = critic.forward(real, train=True)
    f, seen_f = critic.forward(fake, train=True)
    optimizer.zero_grad()
    critic.backward(-r / len(real), seen_r)
    critic.backward(f / len(fake), seen_f)
    optimizer.step()
    for p in critic.params():
        p.value[...] = np.clip(p.value, -clip, clip)
    return float(r.mean() - f.mean())


@late(
    "critic_step",
    "one step for each half",
    "weights: two steps are made, one after each backward pass",
)
def _(critic, optimizer, real, fake, clip):
    r, seen = critic.forward(real, train=True)
    f, seen_f = critic.forward(fake, train=True)
    for sign, one, score in ((-1, seen, r), (1, seen_f, f)):
        optimizer.zero_grad()
        critic.backward(np.full_like(score, sign / len(score)), one)
        optimizer.step()
    for p in critic.params():
        p.value[...] = np.clip(p.value, -clip, clip)
    return float(r.mean() - f.mean())


@late(
    "critic_step",
    "only the weights, not the biases, are clipped",
    "weights: only the weights are cut, not the biases",
)
def _(critic, optimizer, real, fake, clip):
    r, seen = critic.forward(real, train=True)
    f, seen_f = critic.forward(fake, train=True)
    optimizer.zero_grad()
    critic.backward(np.full_like(r, -1 / len(r)), seen)
    critic.backward(np.full_like(f, 1 / len(f)), seen_f)
    optimizer.step()
    for p in critic.params():
        if p.value.ndim > 1:
            p.value[...] = np.clip(p.value, -clip, clip)
    return float(r.mean() - f.mean())

"""A step of a Wasserstein critic."""

import copy
import itertools

import numpy as np

from ... import layers, optim
from .. import reference
from ..exercise import Exercise, Probe, named
from .common import noise


def _critic(rng):
    net = layers.Sequential(
        layers.Dense(3, 4, rng=rng),
        layers.BatchNorm(4),
        layers.LeakyReLU(0.2),
        layers.Dense(4, 1, rng=rng),
    )
    for param in net.params():
        param.value = param.value.astype(np.float64) * 0.5
        if param.value.ndim == 1:
            param.value += noise(rng, *param.value.shape)  # biases that a clip would cut
    return net


def _critic_probes(rng):
    for n, clip, left in itertools.product((4, 7), (0.2, 10.0), ("none", "left over")):
        critic = _critic(rng)
        optimizer = optim.SGD(critic.params(), 0.5)
        real, fake = noise(rng, n, 3) + 1, noise(rng, n, 3)
        if left != "none":
            critic.backward(np.ones((n, 1)), critic.forward(real, train=True)[1])
        args = {"critic": critic, "optimizer": optimizer, "real": real, "fake": fake, "clip": clip}
        about = {
            "batch": n,
            "clip": "small" if clip < 1 else "so large that nothing is cut",
            "gradients before": left,
        }
        yield Probe(args, about, {"N": n, "2 N": 2 * n})


def _critic_run(function, args):
    distance = named(function(*args.values()), ("distance",))["distance"]
    params = list(args["critic"].params())
    return {"distance": distance, "weights": np.concatenate([p.value.ravel() for p in params])}


def _step(
    order="zero real fake step cut", signs=(-1, 1), scale=None, cut=None, after=False, train=True
):
    """A twin: the step with its parts in another order."""

    def function(critic, optimizer, real, fake, clip):
        scale_ = scale or (lambda n: 1 / n)
        scores = {}
        for name, x in (("real", real), ("fake", fake)):
            scores[name] = critic.forward(x, train=train)
        for action in order.split():
            if action == "zero":
                optimizer.zero_grad()
            elif action in ("real", "fake"):
                sign = signs[action == "fake"]
                score, seen = scores[action]
                critic.backward(np.full_like(score, sign * scale_(len(score))), seen)
            elif action == "step":
                optimizer.step()
            elif action == "cut":
                for param in critic.params():
                    param.value[...] = (cut or _cut)(param.value, clip)
            elif action == "cut-gradient":
                for param in critic.params():
                    param.grad = np.clip(param.grad, -clip, clip)
        if after:
            scores = {"real": critic.forward(real), "fake": critic.forward(fake)}
        return scores["real"][0].mean() - scores["fake"][0].mean()

    own = ("critic", "optimizer", "real", "fake", "clip")
    return lambda a: _critic_run(function, copy.deepcopy({name: a[name] for name in own}))


def _scores_back(a):
    return _with_slopes(a, lambda real, fake: (-real, fake))


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _with_slopes(a, slopes):
    """The step with other slopes(real scores, drawn scores), each divided by N."""

    def function(critic, optimizer, real, fake, clip):
        (r, seen_real), (f, seen_fake) = (critic.forward(x, train=True) for x in (real, fake))
        optimizer.zero_grad()
        for slope, seen in zip(slopes(r, f), (seen_real, seen_fake), strict=True):
            critic.backward(slope / len(slope), seen)
        optimizer.step()
        for param in critic.params():
            param.value[...] = _cut(param.value, clip)
        return r.mean() - f.mean()

    own = ("critic", "optimizer", "real", "fake", "clip")
    return _critic_run(function, copy.deepcopy({name: a[name] for name in own}))


def _cut(value, clip):
    return np.clip(value, -clip, clip)


CRITIC = Exercise(
    "critic_step",
    "a step of a WGAN's critic",
    6,
    ("exercises/reference.py", "critic_step"),
    (),
    _critic_probes,
    reference.critic_step,
    "The critic learns to score real images high and drawn ones low. The gradient of a mean is 1/N "
    "for each score. Two forward passes before the two backward passes are right: the caches are "
    "values.",
    ">>> from numpycnn import layers, optim\n"
    ">>> critic = layers.Dense(1, 1, rng=np.random.default_rng(0))\n"
    ">>> critic.w.value[...] = 1\n"
    ">>> sgd = optim.SGD(critic.params(), 0.25)\n"
    ">>> real, fake = np.full((1, 1), 3, np.float32), np.full((1, 1), 1, np.float32)\n"
    ">>> critic_step(critic, sgd, real, fake, 10.0), critic.w.value  # 1 + 0.25 * (3 - 1)\n"
    "(2.0, array([[1.5]], dtype=float32))",
    run=_critic_run,
    float32=False,
    twins={
        "weights": [
            (
                "the signs are exchanged: the critic learns to score drawn images high",
                _step(signs=(1, -1)),
            ),
            ("real and drawn images are scored with one sign", _step(signs=(1, 1))),
            ("both scores are pushed up", _step(signs=(-1, -1))),
            ("the scores are passed back, not the slopes of their means", _scores_back),
            (
                "the slopes are those of the binary cross-entropy: that is a GAN's loss",
                lambda a: _with_slopes(a, lambda r, f: (_sigmoid(r) - 1, _sigmoid(f))),
            ),
            (
                "the slopes are those of squares, (f - 1)^2 and f^2: that is LSGAN's loss",
                lambda a: _with_slopes(a, lambda r, f: (2 * (r - 1), 2 * f)),
            ),
            ("the drawn images count twice", _step("zero real fake fake step cut")),
            ("the real images count twice", _step("zero real real fake step cut")),
            (
                "the weights are cut to 0.01, whatever is asked",
                _step(cut=lambda v, c: _cut(v, 0.01)),
            ),
            ("the critic is not told that it trains: train=True is missing", _step(train=False)),
            ("only the real images teach", _step("zero real step cut")),
            (
                "only the drawn images teach: what the real ones gave is missing or forgotten",
                _step("zero fake step cut"),
            ),
            ("the weights are not cut", _step("zero real fake step")),
            ("the weights are cut before the step, not after it", _step("cut zero real fake step")),
            (
                "the weights are cut between the backward passes and the step, not after it",
                _step("zero real fake cut step"),
            ),
            ("the gradients are cut, not the weights", _step("zero real fake cut-gradient step")),
            ("old gradients are not forgotten", _step("real fake step cut")),
            ("no step is made, or one whose gradients are 0", _step("zero real fake cut")),
            ("the gradient is that of a sum, not of a mean", _step(scale=lambda n: 1)),
            ("the gradient is divided by 2 N", _step(scale=lambda n: 1 / (2 * n))),
            (
                "two steps are made, one after each backward pass",
                _step("zero real step zero fake step cut"),
            ),
            (
                "only the weights are cut, not the biases",
                _step(cut=lambda v, c: _cut(v, c) if v.ndim > 1 else v),
            ),
            ("the weights are cut from above only", _step(cut=lambda v, c: np.minimum(v, c))),
            (
                "the weights are scaled into the bound, not cut",
                _step(cut=lambda v, c: v * min(1, c / np.abs(v).max())),
            ),
            (
                "each array is scaled to the norm clip, not cut",
                _step(cut=lambda v, c: v * min(1, c / np.linalg.norm(v))),
            ),
            ("the weights are cut from below only", _step(cut=lambda v, c: np.maximum(v, -c))),
            ("the weights are cut to [0, clip]", _step(cut=lambda v, c: np.clip(v, 0, c))),
            ("the weights are cut to half of clip", _step(cut=lambda v, c: _cut(v, c / 2))),
            ("the weights are cut to 1, whatever is asked", _step(cut=lambda v, c: _cut(v, 1))),
            ("the weights become -clip or clip", _step(cut=lambda v, c: c * np.sign(v))),
        ],
        "distance": [("it is measured after the step", _step(after=True))],
    },
    solution="examples/wgan.py",
    step="examples/wgan.py, where it says: The critic learns",
)

EXERCISES = (CRITIC,)

"""What the tests of exchange share: networks of every kind of layer, none at its first values."""

import numpy as np

from numpycnn import layers as L
from numpycnn import models
from numpycnn.layers.traverse import walk

CLASSIFIERS = [f.__name__ for f in models.CLASSIFIERS]


def randomized(net, seed=3):
    """net, with random running statistics, biases and slopes."""
    rng = np.random.default_rng(seed)
    for _, layer in {id(layer): (path, layer) for path, layer in walk(net)}.values():
        if isinstance(layer, L.BatchNorm):
            n = len(layer.running_mean)
            layer.running_mean[...] = rng.normal(size=n) * 0.3
            layer.running_var[...] = rng.uniform(0.3, 2, n)
            layer.gamma.value[...] = rng.uniform(0.5, 1.5, n)
            layer.beta.value[...] = rng.normal(size=n) * 0.3
        if isinstance(layer, (L.LayerNorm, L.GroupNorm)):
            layer.gamma.value[...] = rng.uniform(0.5, 1.5, layer.gamma.value.shape)
            layer.beta.value[...] = rng.normal(size=layer.beta.value.shape) * 0.3
        if isinstance(layer, L.PReLU):
            layer.alpha.value[...] = rng.uniform(0, 0.5, layer.alpha.value.shape)
        if getattr(layer, "b", None) is not None:
            layer.b.value[...] = rng.normal(size=layer.b.value.shape) * 0.1
    return net


def classifier(name, **arguments):
    return randomized(models.build(name, 0, **{"mean": 0.29, "std": 0.35, **arguments}))


class Doubled(L.Layer):
    """A layer of a user's own that says what it equals: y = 2 x."""

    def forward(self, x, train=False):
        return 2 * x, None

    def backward(self, dy, cache):
        return 2 * dy

    def export(self):
        return [L.Standardize(0.0, 0.5)]


class Silent(L.Layer):
    """One that does not."""

    def forward(self, x, train=False):
        return x, None

    def backward(self, dy, cache):
        return dy


class _Make:
    """The layers that draw, with one generator."""

    def __init__(self, seed=5):
        self.rng = np.random.default_rng(seed)

    def conv(self, *arguments, **settings):
        return L.Conv2D(*arguments, **settings, rng=self.rng)

    def mirror(self, *arguments, **settings):
        return L.MirrorConv2D(*arguments, **settings, rng=self.rng)

    def up(self, *arguments, **settings):
        return L.ConvTranspose2D(*arguments, **settings, rng=self.rng)

    def dense(self, d, k):
        return L.Dense(d, k, rng=self.rng)


def odd():
    """{name: (network, input shape)}: geometry, orders and branches that exporters get wrong."""
    m = _Make()
    chains = {
        "even kernel, odd stride": ((9, 12, 3), m.conv(3, 5, (2, 4), (2, 1)), L.PReLU(5)),
        "asymmetric same": ((10, 13, 2), m.conv(2, 4, 3, 2), L.LeakyReLU(0.2), m.conv(4, 3, 4, 3)),
        "overlapping pools": (
            *((11, 14, 2), L.MaxPool2D(3, 2), m.conv(2, 4, 3), L.ELU(0.7)),
            *(L.AvgPool2D((3, 2), (1, 2)), L.GlobalAvgPool()),
        ),
        "numbers as padding": (
            *((6, 7, 2), m.conv(2, 4, 3, 1, (2, 1)), L.Tanh(), m.conv(4, 2, 3, 1, "valid")),
        ),
        "batch norm first": (
            *((4, 5, 2), L.BatchNorm(2), m.conv(2, 3, 3), L.BatchNorm(3), L.Flatten()),
            *(L.BatchNorm(60), m.dense(60, 4)),
        ),
        "features alone": (
            *((6,), m.dense(6, 8), L.BatchNorm(8), L.PReLU(8), m.dense(8, 3), L.Sigmoid()),
        ),
        "image to features to image": (
            *((3, 4, 2), L.Flatten(), L.PReLU(24), m.dense(24, 30), L.BatchNorm(30), L.ReLU()),
            *(L.Reshape(2, 5, 3), m.conv(3, 2, 3)),
        ),
        "features out": ((3, 4, 2), m.conv(2, 3, 3), L.Flatten(), L.Tanh()),
        "features added": (
            *((3, 4, 2), L.Flatten(), L.Add(L.Identity(), m.dense(24, 24))),
            *(L.Concat(L.Identity(), m.dense(24, 3)), m.dense(27, 4)),
        ),
        "reshapes": (
            *((3, 4, 2), L.Reshape(6, 2, 2), m.conv(2, 2, 3), L.Reshape(24)),
            *(L.Reshape(4, 3, 2), L.ReLU()),
        ),
        "wide branches": (
            *((5, 6, 2), m.conv(2, 4, 3), _sum_of_three(m), L.ReLU()),
            L.Concat(m.conv(4, 2, 1), L.Identity(), L.MaxPool2D(1)),
            *(L.GlobalAvgPool(), m.dense(10, 3)),
        ),
        "a convolution with two readers": (
            *((5, 6, 2), m.conv(2, 4, 3), L.Add(L.Identity(), L.BatchNorm(4)), L.ReLU()),
        ),
        "mirrored, even and strided": (
            *((8, 9, 1), m.mirror(1, 3, 3, (2, 1), first=True), m.mirror(3, 2, (2, 3))),
            *(m.mirror(2, 2, (4, 3), padding="valid"), L.ReLU(), m.mirror(2, 3, 3, padding=(1, 2))),
        ),
        "upsampling": ((4, 5, 2), L.Upsample2D((2, 3)), m.conv(2, 3, 3)),
        "frozen, fused, dropout": (
            *((6, 8, 2), L.Frozen(m.conv(2, 3, 3))),
            *(L.ConvBNReLU(m.conv(3, 4, 3), L.BatchNorm(4), 2), L.Dropout(0.5)),
        ),
        "mirror": (
            *((4, 6, 2), m.mirror(2, 3, 3, first=True), L.MirrorBatchNorm(3), L.ReLU()),
            *(m.mirror(3, 2, 3, bias=True), L.GlobalAvgPool(), L.MirrorMean(), m.dense(2, 3)),
        ),
        "a layer used twice": (
            *((4, 5, 2), m.conv(2, 3, 3), shared := m.conv(3, 3, 3), L.ReLU()),
            *(L.Add(L.Identity(), shared), L.Flatten(), L.Concat(L.Identity(), m.dense(60, 2))),
        ),
        "groups and dilation": (
            *((9, 11, 4), m.conv(4, 8, 3, groups=2), L.BatchNorm(8), L.SiLU()),
            *(m.conv(8, 8, 3, dilation=(2, 3)), L.ReLU(), m.conv(8, 6, (3, 2), 1, 1, dilation=2)),
        ),
        "depthwise": (
            *((10, 9, 3), m.conv(3, 3, 3, 2, groups=3), L.BatchNorm(3), L.HardSwish()),
            *(m.conv(3, 6, (2, 3), groups=3, bias=False), L.BatchNorm(6), L.GELU()),
            m.conv(6, 6, 3, 1, "valid", groups=6, dilation=2),
        ),
        "squeeze-and-excite": (
            *((5, 6, 8), m.conv(8, 8, 3), L.SqueezeExcite(8, 3, rng=m.rng), L.ReLU()),
            *(L.Add(L.Identity(), L.SqueezeExcite(8, 4, rng=m.rng)), L.GlobalAvgPool()),
        ),
        "norms of an example": (
            *((4, 5, 6), L.LayerNorm(6, 1e-4), L.GELU(), m.conv(6, 6, 3), L.GroupNorm(2, 6, 1e-3)),
            *(L.SiLU(), L.Flatten(), m.dense(120, 8), L.LayerNorm(8), L.HardSwish()),
            *(L.GroupNorm(2, 8, 0.01), m.dense(8, 3)),
        ),
        "features between images, gated": (
            *((3, 4, 2), L.Flatten(), L.LayerNorm(24), L.GELU(), m.dense(24, 30), L.SiLU()),
            *(L.Reshape(2, 5, 3), L.GroupNorm(3, 3), m.conv(3, 2, 3)),
        ),
        "a layer of one's own": ((4, 5, 2), m.conv(2, 3, 3), Doubled()),
    }
    chains |= {f"transposed {k} {s} {p}": _transposed(m, k, s, p) for k, s, p in TRANSPOSED}
    return {k: (randomized(L.Sequential(*chain)), shape) for k, (shape, *chain) in chains.items()}


TRANSPOSED = (
    *((4, 2, "same"), (3, 2, "same"), ((2, 3), 3, "same")),
    *((3, 2, "valid"), ((4, 5), (3, 2), 1), (5, 1, "same")),
)  # kernel, stride, padding


def _transposed(m, kernel, stride, padding):
    return (4, 5, 3), m.up(3, 4, kernel, stride, padding), L.BatchNorm(4), L.ReLU()


def _sum_of_three(m):
    body = L.Sequential(m.conv(4, 4, 3), L.BatchNorm(4))
    return L.Add(L.Identity(), m.conv(4, 4, 1), body)


def painters():
    """{name: (network, part)}"""
    small = {"filters": (6, 8), "depth": 1, "input_shape": (8, 8, 1)}
    build = {n: randomized(models.build(n, 0, **small)) for n in ("autoencoder", "denoiser")}
    for name in ("gan", "vae"):
        for k in (0, 3):
            built = models.build(name, 0, classes=k, latent=5, **small)
            build[f"{name}{k}"] = randomized(built)
    parts = {
        "autoencoder": (None, "encoder", "decoder"),
        "denoiser": (None,),
        "gan0": ("generator", "critic"),
        "gan3": ("decoder", "critic"),
        "vae0": (None, "encoder", "decoder"),
        "vae3": ("encoder", "decoder"),
    }
    return {f"{name} {part}": (build[name], part) for name in parts for part in parts[name]}

"""Which measure detects images that are nothing like Fashion-MNIST? For the shipped network:

    python -m benchmarks.familiar [CHECKPOINT]

Each cell: the area under the ROC curve against the test images, and the share detected at the
limit that marks 1 % of the validation images. The first column is the share of test images that is
marked wrongly, near 1 % when it is right.
"""

import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

import numpycnn as nc
from numpycnn import metrics
from numpycnn.inspection import out_of_distribution
from numpycnn.training.loop import logits

N = 1000  # images of each strange kind


def main(checkpoint="pretrained:paper"):
    fashion, net = nc.data.load("fashion-mnist"), nc.load(checkpoint)
    seed = net.metadata.get("recipe", {}).get("seed", 0)
    (x, y), (x_val, _) = fashion.split(len(fashion.x_train) // 12, seed)  # as `numpycnn train` does
    strange = strangers(np.random.default_rng(0))
    print(f"{'':24}{'wrongly':>9}" + "".join(f"{name:>16}" for name in strange))
    for name, score in scores(net, x[:5000], y[:5000], x_val).items():
        limit = np.quantile(score(x_val), 0.99)
        test = score(fashion.x_test)
        foreign = [score(images) for images in strange.values()]
        cells = [f"{auroc(test, s):.3f} {(s > limit).mean():7.1%}" for s in foreign]
        print(f"{name:24}{(test > limit).mean():9.2%}" + "".join(f"{cell:>16}" for cell in cells))


def scores(net, x, y, x_val):
    """{name: function of images -> (N,), larger for stranger}"""

    def energy(images):  # Liu et al. 2020
        s = logits(net, images).astype(np.float64)
        return -np.log(np.exp(s).sum(axis=1))

    def mahalanobis(length_1):  # Lee et al. 2018; one covariance of all classes
        def features(images):
            f = out_of_distribution._features(net, images)
            return out_of_distribution._unit_rows(f) if length_1 else f.astype(np.float64)

        f = features(x)
        means = np.stack([f[y == k].mean(axis=0) for k in range(y.max() + 1)])
        precision = np.linalg.pinv(np.cov((f - means[y]).T), rcond=1e-6)

        def distance(images):
            away = features(images) - means[:, None]  # (K, N, D)
            return np.min([np.einsum("nd,de,ne->n", d, precision, d) for d in away], axis=0)

        return distance

    fitted = out_of_distribution.fit(net, x_val)

    def diagonal(images):  # numpycnn.inspection.out_of_distribution
        f = out_of_distribution._unit_rows(out_of_distribution._features(net, images))
        return out_of_distribution._distance(f, fitted["means"], fitted["variances"])

    return {
        "softmax's maximum": lambda images: -nc.predict(net, images).max(axis=1),
        "energy": energy,
        "Mahalanobis": mahalanobis(False),
        "the same, length 1": mahalanobis(True),
        "the same, diagonal": diagonal,
    }


def strangers(rng):
    """{kind: (N, 28, 28, 1) uint8}"""
    drawn = {
        "shapes": [shapes(rng, False) for _ in range(N)],
        "scenes": [shapes(rng, True) for _ in range(N)],
        "gradients": [gradient(rng, 28) for _ in range(N)],
    }
    return {
        "MNIST": nc.data.load("mnist").x_test[:N],
        "noise": rng.integers(0, 256, (N, 28, 28, 1), dtype=np.uint8),
        "blank": np.repeat(np.arange(256, dtype=np.uint8), 28 * 28).reshape(-1, 28, 28, 1),
        **{kind: np.stack(images)[..., None] for kind, images in drawn.items()},
    }


def gradient(rng, size):
    """Light that changes from one edge to the other: (size, size) uint8."""
    angle, waves = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 1.5)
    across, down = np.meshgrid(np.linspace(0, 1, size), np.linspace(0, 1, size))
    phase = 2 * np.pi * (waves * (np.cos(angle) * across + np.sin(angle) * down) + rng.random())
    return np.uint8(127.5 + 127.5 * np.sin(phase))


def shapes(rng, scene):
    """A few grey ellipses, boxes and lines: on black, or over a gradient as in a blurred photo."""
    image = Image.fromarray(gradient(rng, 112) if scene else np.zeros((112, 112), np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(2, 7)):
        left, top, width, height = (
            int(v) for v in rng.integers((-10, -10, 10, 10), (90, 90, 80, 80))
        )
        box, grey = (left, top, left + width, top + height), int(rng.integers(60, 256))
        kind = rng.integers(3)
        if kind == 2:
            draw.line(box, grey, width=int(rng.integers(3, 15)))
        else:
            (draw.ellipse, draw.rectangle)[kind](box, grey)
    return np.asarray(image.filter(ImageFilter.GaussianBlur(1)).resize((28, 28)))


def auroc(familiar_scores, strange_scores):
    """The chance that a strange image scores higher than a familiar one."""
    strange = np.repeat([False, True], [len(familiar_scores), len(strange_scores)])
    return metrics.auroc(strange, np.concatenate([familiar_scores, strange_scores]))


if __name__ == "__main__":
    main(*sys.argv[1:])

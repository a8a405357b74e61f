"""How good 10,000 samples of finished VAE, GAN, WGAN and WGAN-GP runs are, in the features of a classifier.

python -m benchmarks.generative.samples runs/gan-fashion-mnist runs/wgan_gp-fashion-mnist ...

The features are what goes into the last layer of the network that this project ships (pretrained:paper, 92 numbers an
image). All is measured against the 10,000 test images. Rows that come first: `pca-gaussian-K`, Gaussians in the space
of K principal components, whose smallest distance is what shares are of, and `floor`, 10,000 training images in the
place of samples. class_right: the share of a conditional network's samples that the classifier takes for the class that
was asked for.
"""

import pathlib

import numpy as np

import numpycnn as nc
from numpycnn import coding, layers, metrics, ops

from .baselines import pca_gaussian, principal
from .common import arguments, finished, header, write

COLUMNS = (
    "frechet", "share_of_gaussian", "precision", "recall", "classifier_score", "rarest_class", "class_right",
    "class_shares",
)  # fmt: skip
COMPONENTS = 32, 64, 128, 256
COUNT, CLASSIFIER = 10_000, "pretrained:paper"
FEW = 0.04  # of the samples: a class that has fewer is called collapsed


class Judge:
    """A classifier, and its features of the test images."""

    def __init__(self, checkpoint, images):
        net = nc.load(checkpoint)
        if net.metadata.get("data") != images.name:
            raise ValueError(f"{checkpoint} was trained on {net.metadata.get('data')}, not on {images.name}; "
                             "give a classifier of the same data as --classifier")  # fmt: skip
        self.body, self.head = layers.fuse(layers.Sequential(*net.layers[:-1])), net.layers[-1]
        self.images, self.test, self.gaussian = images, self.features(images.x_test), None

    def features(self, x):
        """(N, 92) of images, rounded to the 256 greys that real ones have."""
        x = x if x.dtype == np.uint8 else np.round(255 * np.clip(x, 0, 1)).astype(np.uint8)
        return coding.outputs(self.body, x)

    def measure(self, x, labels=None):
        """The columns, for images x, and the labels that they were asked for."""
        found = self.features(x)
        logits = self.head.infer(found)
        frechet = metrics.frechet_distance(self.test, found)
        guesses = logits.argmax(axis=1)
        shares = metrics.class_shares(guesses, logits.shape[1])
        numbers = (
            frechet, frechet / (self.gaussian or frechet), *metrics.precision_recall(self.test, found),
            metrics.classifier_score(ops.softmax(logits)[0]), float(shares.min()),
            None if labels is None else float((guesses == labels).mean()), shares.round(4).tolist(),
        )  # fmt: skip
        return dict(zip(COLUMNS, numbers, strict=True))


def drawn(net, count):
    """(samples, their labels): of a network with classes as many of each, else None."""
    labels = np.arange(count) % net.classes if net.classes else None
    return coding.draw(net, count, np.random.default_rng(1234), labels), labels


def title(name, args):
    """The name of a measurement; one of other numbers of samples, or by another classifier, has a name of its own."""
    parts = ["samples", name, *([str(args.count)] if args.count != COUNT else [])]
    return "-".join(parts + ([pathlib.Path(args.classifier).stem] if args.classifier != CLASSIFIER else []))


def rivals(judge, count):
    """PCA-Gaussians and the floor: (name, images)."""
    rng, x = np.random.default_rng(1234), judge.images.x_train
    parts = principal(coding.unit(x))
    for k in COMPONENTS:
        yield f"pca-gaussian-{k}", pca_gaussian(parts, x.shape[1:], k, count, rng)
    yield "floor", x[rng.permutation(len(x))[:count]]


if __name__ == "__main__":
    more = {"type": int, "default": COUNT, "help": f"samples ({COUNT:,})"}
    args = arguments(__doc__, count=more, classifier={"default": CLASSIFIER, "help": f"a checkpoint ({CLASSIFIER})"})
    runs = [finished(folder) for folder in args.runs]
    header(COLUMNS)
    images = runs[0][2] if runs else nc.data.load("fashion-mnist")
    if any(not np.array_equal(one[2].x_test, images.x_test) for one in runs):
        raise SystemExit("these runs are not measured on the same images; give them apart")
    judge = Judge(args.classifier, images)
    measured = {name: judge.measure(x) for name, x in rivals(judge, args.count)}
    judge.gaussian = min(one["frechet"] for name, one in measured.items() if name.startswith("pca-gaussian"))
    facts = {"count": args.count, "classifier": args.classifier}
    held = "-val" if runs and runs[0][0]["val"] else ""
    for name, numbers in measured.items():
        share = numbers["frechet"] / judge.gaussian
        write(args.out, title(f"{name}-{images.name}{held}", args), {**numbers, "share_of_gaussian": share}, **facts)
    for result, net, _ in runs:
        numbers, name = judge.measure(*drawn(net, args.count)), title(result["run"], args)
        own = {key: result[key] for key in ("command", "seed", "epochs", "seconds", "threads")}
        write(args.out, name, numbers, **facts, **own)
        for k, share in zip(images.classes, numbers["class_shares"], strict=True):
            if share < FEW:
                print(f"collapsed: {k} is {share:.1%} of {name}")

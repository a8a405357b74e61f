"""How good 10,000 samples of finished VAE, GAN, WGAN and WGAN-GP runs are, in the features of a
classifier.

python -m benchmarks.generative.samples runs/gan-fashion-mnist runs/wgan_gp-fashion-mnist ...

The features are what goes into the last layer of the network that this project ships
(pretrained:paper, 92 numbers an image). All is measured against the 10,000 test images. Rows that
come first: `pca-gaussian-K`, Gaussians in the space of K principal components, whose smallest
distance is what shares are of, and `floor`, 10,000 training images in the place of samples.
class_right: the share of a conditional network's samples that the classifier takes for the class
that was asked for. --mixture K: a VAE's codes are drawn from a mixture of K Gaussians, fitted to
the codes of the training images, not from N(0, 1), which they need not follow, least of all where
--beta of vae.py was small; a grid of them is written beside the JSON. Needs scikit-learn (pip
install -e ".[study]"). Source: Ghosh et al. 2020, "From variational to deterministic autoencoders",
section 4.
"""

import pathlib

import numpy as np

import numpycnn as nc
from numpycnn import layers, metrics, ops
from numpycnn.generative import latent
from numpycnn.report import grids
from numpycnn.studies.baselines import require as require_scikit_learn

from .baselines import pca_gaussian, principal
from .common import arguments, finished, header, write

COLUMNS = (
    "frechet", "share_of_gaussian", "precision", "recall", "classifier_score", "rarest_class",
    "class_right", "class_shares",
)  # fmt: skip
COMPONENTS = 32, 64, 128, 256
COUNT, CLASSIFIER = 10_000, "pretrained:paper"
EXAMPLES = "vae", "gan", "wgan", "wgan_gp"
FEW = 0.04  # of the samples: a class that has fewer is called collapsed


class Judge:
    """A classifier, and its features of the test images."""

    def __init__(self, checkpoint, images):
        net = nc.load(checkpoint)
        if net.metadata.get("data") != images.name:
            raise ValueError(
                f"{checkpoint} was trained on {net.metadata.get('data')}, not on {images.name}; "
                "give a classifier of the same data as --classifier"
            )
        self.body, self.head = layers.fuse(layers.Sequential(*net.layers[:-1])), net.layers[-1]
        self.images, self.test, self.gaussian = images, self.features(images.x_test), None

    def features(self, x):
        """(N, 92) of images, rounded to the 256 greys that real ones have."""
        x = x if x.dtype == np.uint8 else np.round(255 * np.clip(x, 0, 1)).astype(np.uint8)
        return latent.outputs(self.body, x)

    def measure(self, x, labels=None):
        """The columns, for images x, and the labels that they were asked for."""
        found = self.features(x)
        logits = self.head.infer(found)
        frechet = metrics.frechet_distance(self.test, found)
        guesses = logits.argmax(axis=1)
        shares = metrics.class_shares(guesses, logits.shape[1])
        numbers = (
            frechet, frechet / (self.gaussian or frechet),
            *metrics.precision_recall(self.test, found),
            metrics.classifier_score(ops.softmax(logits)[0]), float(shares.min()),
            None if labels is None else float((guesses == labels).mean()), shares.round(4).tolist(),
        )  # fmt: skip
        return dict(zip(COLUMNS, numbers, strict=True))


def drawn(net, count):
    """(samples, their labels): of a network with classes as many of each, else None."""
    labels = np.arange(count) % net.classes if net.classes else None
    return latent.draw(net, count, np.random.default_rng(1234), labels), labels


def mixed(net, x, components, count, seed=1234):
    """`count` images of codes from a mixture of Gaussians with full covariances, fitted to the
    codes of images x.
    """
    from sklearn.mixture import GaussianMixture

    codes = latent.encode(net, x).astype(np.float64)
    drawn, _ = GaussianMixture(components, random_state=seed).fit(codes).sample(count)
    drawn = np.random.default_rng(seed).permutation(drawn)  # they come sorted by their Gaussian
    return latent.decode(net, drawn.astype(np.float32))


def title(name, args, mixture=None):
    """The name of a measurement.

    One of other numbers of samples, by another classifier, of a mixture has its own.
    """
    parts = ["samples", name, *([f"mixture-{mixture}"] if mixture else [])]
    parts += [str(args.count)] if args.count != COUNT else []
    return "-".join(
        parts + ([pathlib.Path(args.classifier).stem] if args.classifier != CLASSIFIER else [])
    )


def rivals(judge, count):
    """PCA-Gaussians and the floor: (name, images)."""
    rng, x = np.random.default_rng(1234), judge.images.x_train
    parts = principal(latent.unit(x))
    for k in COMPONENTS:
        yield f"pca-gaussian-{k}", pca_gaussian(parts, x.shape[1:], k, count, rng)
    yield "floor", x[rng.permutation(len(x))[:count]]


if __name__ == "__main__":
    more = {"type": int, "default": COUNT, "help": f"samples ({COUNT:,})"}
    judged = {"default": CLASSIFIER, "help": f"a checkpoint ({CLASSIFIER})"}
    mixture = {
        "type": int,
        "help": "draw a VAE's codes from so many Gaussians, fitted to its codes (scikit-learn)",
    }
    args = arguments(__doc__, runs="*", count=more, classifier=judged, mixture=mixture)
    runs = [finished(folder, *EXAMPLES) for folder in args.runs]
    if args.mixture is not None:
        require_scikit_learn()
        if args.mixture < 1 or any(not hasattr(net, "encode") or net.classes for _, net, _ in runs):
            raise SystemExit(
                "--mixture K, of at least one Gaussian, is for VAEs without classes; "
                "measure others apart"
            )
    header(COLUMNS)
    images = runs[0][2] if runs else nc.data.load("fashion-mnist")
    if any(not np.array_equal(one[2].x_test, images.x_test) for one in runs):
        raise SystemExit("these runs are not measured on the same images; give them apart")
    judge = Judge(args.classifier, images)
    measured = {name: judge.measure(x) for name, x in rivals(judge, args.count)}
    judge.gaussian = min(
        one["frechet"] for name, one in measured.items() if name.startswith("pca-gaussian")
    )
    facts = {"count": args.count, "classifier": args.classifier}
    held = "-val" if runs and runs[0][0]["val"] else ""
    for name, numbers in measured.items():
        share = numbers["frechet"] / judge.gaussian
        write(
            args.out,
            title(f"{name}-{images.name}{held}", args),
            {**numbers, "share_of_gaussian": share},
            **facts,
        )
    for result, net, _ in runs:
        both = (
            (mixed(net, images.x_train, args.mixture, args.count), None)
            if args.mixture
            else drawn(net, args.count)
        )
        numbers, name = judge.measure(*both), title(result["run"], args, args.mixture)
        own = {key: result[key] for key in ("command", "seed", "epochs", "seconds", "threads")}
        write(args.out, name, numbers, **facts, **own)
        if args.mixture:
            grids.write_png(both[0][:80], args.out / f"{name}.png")
        for k, share in zip(images.classes, numbers["class_shares"], strict=True):
            if share < FEW:
                print(f"collapsed: {k} is {share:.1%} of {name}")

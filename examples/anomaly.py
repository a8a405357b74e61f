"""Find what does not belong: an autoencoder that has seen one class only cannot read the others
back.

    # each of ten classes as the normal one, about 17 minutes of one core
    python examples/anomaly.py
    python examples/anomaly.py --classes 6     # shirts only
    python examples/anomaly.py --quick         # under a minute: to see that it works

Both the training and the scores are of square roots of pixels: dark garments then count as much as
bright ones. Three distances make an image strange, and the score adds their logarithms, so that no
scale has to be chosen:

    error     |x - decoder(encoder(x))|^2                       it is not on the learned surface
    code      |z - c|^2, the mean over the 5 nearest codes c    its code z is far from known ones
    pixels    |x - t|^2, the mean over the 5 nearest images t   it is far from all training images

Measured by the area under the ROC curve (AUROC): how often an image of another class scores higher
than a normal one.
"""

import copy
from dataclasses import replace

import numpy as np

from numpycnn import errors, generative, layers, metrics, models, ops, optim, schedule
from numpycnn.generative import latent
from numpycnn.report import grids

EPOCHS = 40
BATCH_SIZE = 64
LEARNING_RATE = 2e-3  # the top of the one-cycle schedule
LATENT = 16
NEIGHBOURS = 5

args = generative.arguments(
    __doc__,
    "anomaly",
    EPOCHS,
    BATCH_SIZE,
    ["latent", "classes"],
    quick=(10000, 5),
    constants={"LEARNING_RATE": LEARNING_RATE, "NEIGHBOURS": NEIGHBOURS},
)
args.latent = args.latent or LATENT
dataset = generative.dataset(args)
print(f"{dataset.name}: {dataset.source}")
test = np.sqrt(latent.unit(dataset.x_test))
factor = schedule.one_cycle()


def train(normal, args):
    """An autoencoder of the training images of one class."""
    form = {
        "latent": args.latent,
        "filters": (16, 32, 64),
        "depth": 1,
        "input_shape": normal.x_train.shape[1:],
    }
    net = models.build("autoencoder", seed=args.seed, **form)
    encoder, decoder = layers.fuse(net.encoder, input_gradient=False), layers.fuse(net.decoder)
    optimizer = optim.Adam(net.params(), LEARNING_RATE)
    run = generative.Run(
        args, net, optimizer, normal, lambda: grids.beside(test[:50], net.infer(test[:50]))
    )
    for x, _, _ in run.steps():
        x = np.sqrt(x)
        optimizer.lr = LEARNING_RATE * factor(run.progress)
        optimizer.zero_grad()
        code, first = encoder.forward(x, train=True)
        y, second = decoder.forward(code, train=True)
        loss, dy = ops.mse(y, x)
        encoder.backward(decoder.backward(dy, second), first)
        optimizer.step()
        run.log(mse=loss)
    return net, run


def flat(x):
    """(N, H, W, C) -> (N, H*W*C)"""
    return x.reshape(len(x), -1)


def scores(net, normal):
    """The distances of every test image, and the sum of their logarithms: {"error", "code",
    "pixels", "all"}.
    """
    images = np.sqrt(latent.unit(normal.x_train))
    known, codes = latent.encode(net, images), latent.encode(net, test)
    scale = known.std(axis=0)
    found = {
        "error": ((test - latent.outputs(net, test)) ** 2).mean(axis=(1, 2, 3)),
        "code": metrics.neighbour_distance(codes / scale, known / scale, NEIGHBOURS),
        "pixels": metrics.neighbour_distance(flat(test), flat(images), NEIGHBOURS),
    }
    return found | {"all": sum(np.log(distance + 1e-9) for distance in found.values())}


def chosen():
    """The classes that are normal in turn. Raises UnknownNameError, DatasetError, RunFolderError:
    before training.
    """
    numbers = [str(k) for k in range(len(dataset.classes))]
    given = list(dict.fromkeys(args.classes.split(","))) if args.classes else numbers
    for number in given:
        if number not in numbers:
            raise errors.unknown("class", number, numbers)
        k = int(number)
        if (dataset.y_train == k).sum() < NEIGHBOURS or not 0 < (dataset.y_test == k).sum() < len(
            dataset.y_test
        ):
            raise errors.DatasetError(
                f"{dataset.name}: class {k} needs {NEIGHBOURS} training images, "
                "one to be tested, and one of another"
            )
    generative.parent(args.out, keep=args.resume)
    return [int(number) for number in given]


table, seconds = {}, 0.0
for k in chosen():
    own = dataset.y_train == k
    normal = replace(dataset, x_train=dataset.x_train[own], y_train=dataset.y_train[own])
    part = copy.copy(args)
    part.out = args.out / f"class-{k}"
    part.resume = args.resume and (part.out / "last.npz").exists()
    net, run = train(normal, part)
    table[k] = {
        name: metrics.auroc(dataset.y_test != k, s) for name, s in scores(net, normal).items()
    }
    run.finish(**table[k])
    seconds += run.elapsed

mean = {name: float(np.mean([row[name] for row in table.values()])) for name in table[k]}
facts = {key: getattr(args, key) for key in ("run", "command", "seed", "epochs", "latent", "val")}
facts |= {"data": dataset.name, "seconds": seconds}
generative.write_result(args.out, {**facts, "auroc": mean, "classes": table})
print(
    f"mean AUROC over {len(table)} classes: "
    + ", ".join(f"{name} {value:.2%}" for name, value in mean.items())
)

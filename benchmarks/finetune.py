"""Is it better to begin with a trained network? From scratch against fine-tuned, on few images:

    python -m benchmarks.finetune [--quick] [--json] [--out FOLDER]

MNIST (and KMNIST, where it is here) with the body of pretrained:small-1, which has seen
Fashion-MNIST alone; and three of Fashion-MNIST's classes with a body of the same form that this
command trains on the other seven. For 50, 100 and 500 images a class and three seeds, all with the
same steps. Each result is written at once, and the same command goes on where it was stopped.
"""

import argparse
import json
import pathlib

import numpy as np

import numpycnn as nc
from numpycnn import files, models, optim
from numpycnn.cli.recipes import BODY, FINE
from numpycnn.data.augment import augmentation
from numpycnn.data.dataset import Dataset

from .common import machine, table

FORM = {"filters": (24, 40, 56), "dropout": (0, 0, 0)}  # of pretrained:small-1
ALIKE = "Pullover", "Coat", "Shirt"  # held out: each is mostly taken for one of the others
WAYS = "from scratch", "fine-tuned"
IMAGES, SEEDS = (50, 100, 500), (0, 1, 2)
STEPS, BODY_STEPS = 300, 2000
BATCH, LR = FINE["batch_size"], FINE["lr"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object, no table")
    parser.add_argument("--quick", action="store_true", help="a trial: its numbers mean nothing")
    parser.add_argument("--out", default="benchmarks/results", help="folder of the JSON")
    args = parser.parse_args()
    path = pathlib.Path(args.out, f"finetune{'-quick' * args.quick}.json")
    settings = {"steps": 8 if args.quick else STEPS, "batch": BATCH, "lr": LR, "body": BODY}
    found = json.loads(path.read_text()) if path.exists() else {}
    if found.get("settings") != settings:
        found = {"settings": settings, "machine": machine(1), "runs": {}}
    run_all(found, path, args.quick)
    if args.json:
        print(json.dumps(found))
    else:
        print(table(columns(), rows(found)))


def run_all(found, path, quick):
    """Every run that is not in `found` yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    known = cases(quick)
    for seed in SEEDS:
        for name, (dataset, body, augment) in known.items():
            for images in IMAGES:
                few = dataset.limit(images * len(dataset.classes), seed)
                for way in WAYS:
                    key = f"{name}, {images} a class, {way}, seed {seed}"
                    if key not in found["runs"]:
                        steps = found["settings"]["steps"]
                        found["runs"][key] = accuracy(few, body, augment, way, seed, steps)
                        files.write(path, json.dumps(found, indent=1).encode())
                        print(f"{key}: {found['runs'][key]:.2%}", flush=True)


def cases(quick):
    """{name: (data set, body, augmentation)}"""
    small, fashion = nc.load("pretrained:small-1"), nc.data.load("fashion-mnist")
    digits = [name for name in ("mnist", "kmnist") if nc.data.datasets.present(name)]
    found = {name: (nc.data.load(name), small, "crop") for name in digits}
    others = [name for name in fashion.classes if name not in ALIKE]
    file = pathlib.Path("runs", f"seven-classes{'-quick' * quick}.npz")
    body = trained(part(fashion, others), file, quick)
    return {**found, "three garments": (part(fashion, ALIKE), body, "flip,crop")}


def part(dataset, names):
    """The data set of these classes alone."""
    labels = [dataset.classes.index(name) for name in names]

    def of(x, y):
        chosen = np.isin(y, labels)
        return x[chosen], np.searchsorted(sorted(labels), y[chosen])

    train, test = of(dataset.x_train, dataset.y_train), of(dataset.x_test, dataset.y_test)
    classes = [dataset.classes[label] for label in sorted(labels)]
    return Dataset(", ".join(classes), *train, *test, classes)


def trained(dataset, path, quick):
    """The body of the held-out case: a network of seven classes, from its file if it is there."""
    if not path.exists():
        net = fresh(dataset, seed=0)
        adam = optim.Adam(net.params(), lr=LR)
        fit(net, dataset, adam, "flip,crop", seed=0, steps=8 if quick else BODY_STEPS)
        path.parent.mkdir(exist_ok=True)
        nc.save(path, net, classes=list(dataset.classes), data="fashion-mnist")
    return nc.load(path)


def accuracy(dataset, body, augment, way, seed, steps):
    """On all test images, of a network that is trained in that way."""
    if way == "from scratch":
        net = fresh(dataset, seed)
    else:
        net = models.with_new_head(body, len(dataset.classes), seed, dataset.mean, dataset.std)
    adam = optim.Adam(net.params(), lr=LR)
    if way == "fine-tuned":
        adam.scale(models.body(net), BODY)
    fit(net, dataset, adam, augment, seed, steps)
    return nc.evaluate(net, dataset.x_test, dataset.y_test)["accuracy"]


def fresh(dataset, seed):
    classes, mean, std = len(dataset.classes), dataset.mean, dataset.std
    return models.build("vgg", seed, **FORM, classes=classes, mean=mean, std=std)


def fit(net, dataset, optimizer, augment, seed, steps):
    """About so many steps, in whole epochs."""
    epochs = max(1, round(steps / -(-len(dataset.y_train) // BATCH)))
    nc.fit(
        net, dataset.x_train, dataset.y_train, epochs=epochs, batch_size=BATCH, seed=seed,
        optimizer=optimizer, schedule="one_cycle", augment=augmentation(augment), progress=False,
    )  # fmt: skip


def rows(found):
    """A row for each case and number of images, with the mean and deviation of each way."""
    result = {}
    for key, value in found["runs"].items():
        name, images, way, _ = key.rsplit(", ", 3)
        result.setdefault((name, images), {}).setdefault(way, []).append(value)
    return [{"data": name, "images": images, **ways} for (name, images), ways in result.items()]


def columns():
    """{heading: function of a row} for the table."""

    def of(way):
        def cell(row):
            values = 100 * np.array(row.get(way, [np.nan]))
            return f"{values.mean():.2f} ± {values.std(ddof=len(values) > 1):.2f} %"

        return cell

    heads = {"data": lambda row: row["data"], "training images": lambda row: row["images"]}
    return heads | {way: of(way) for way in WAYS}


if __name__ == "__main__":
    main()

"""The recipes of `numpycnn train`: settings for each model, and the run from raw data to report."""

import copy
import functools
import json
import pathlib
import time

import numpy as np

from . import checkpoint, models, npz, report, training
from .data import augment
from .errors import CheckpointError, RunFolderError, unknown
from .layers.base import named_buffers

# What a model is trained with unless told otherwise; chosen on a validation split of the training set.
RECIPES = {
    "vgg": {"epochs": 6, "batch_size": 64, "lr": 4e-3, "schedule": "one_cycle", "augment": "flip,crop"},
    "alexnet": {"epochs": 12, "batch_size": 64, "lr": 1e-3, "schedule": "one_cycle", "augment": "flip"},
}

AUGMENTATIONS = {
    "flip": augment.horizontal_flip,
    "vertical-flip": augment.vertical_flip,
    "crop": functools.partial(augment.random_crop, pad=2),
    "rotate": functools.partial(augment.rotate, degrees=10),
    "erase": augment.random_erasing,
}


def augmentation(names):
    """The steps named in "flip,crop" as one function of (x, rng); None for "none". Raises UnknownNameError."""
    steps = [name for name in names.split(",") if name not in ("", "none")]
    for name in steps:
        if name not in AUGMENTATIONS:
            raise unknown("augmentation", name, [*AUGMENTATIONS, "none"])
    return augment.compose(*(AUGMENTATIONS[name] for name in steps)) if steps else None


def new_folder(model, data):
    """The next free runs/MODEL-DATA-NUMBER."""
    name = f"{model}-{pathlib.Path(data).name}"
    taken = {p.name for p in pathlib.Path("runs").glob(f"{name}-*")}
    number = next(i for i in range(1, len(taken) + 2) if f"{name}-{i}" not in taken)
    return pathlib.Path("runs", f"{name}-{number}")


def stored_recipe(out):
    """The recipe that the run in `out` was started with. Raises RunFolderError, CheckpointError."""
    path = pathlib.Path(out, "last.npz")
    if not path.exists():
        raise RunFolderError(f"there is no last.npz in {out} to resume from; train without --resume first")
    metadata, _ = checkpoint.read(path)
    if "recipe" not in metadata:
        raise CheckpointError(f"{path} was not written by `numpycnn train`, so it cannot be resumed by it")
    return metadata["recipe"]


def network(recipe, dataset):
    """The recipe's model for the data set's image size, classes and the training images' mean and deviation."""
    return models.build(
        recipe["model"], seed=recipe["seed"], classes=len(dataset.classes), input_shape=dataset.x_train.shape[1:],
        mean=dataset.mean, std=dataset.std,
    )  # fmt: skip


def train(recipe, dataset, out, resume=False, say=lambda line: None):
    """Train by the recipe, evaluate the last epoch on the test set, write the run's folder -> result dict.

    result: model, data, parameters, epochs, test_accuracy, test_loss, seconds, out, per_class, train_seconds.
    `say` gets the lines for people. Raises what training.fit raises.
    """
    start = time.perf_counter()
    net = network(recipe, dataset)
    (x, y), validation = (dataset.x_train, dataset.y_train), None
    if recipe["val"]:
        (x, y), validation = dataset.split(recipe["val"], recipe["seed"])
    facts = {
        "recipe": recipe, "classes": list(dataset.classes), "data": dataset.name, "data_sha256": dataset.sha256,
        "seed": recipe["seed"],
    }  # fmt: skip
    settings = {key: recipe[key] for key in ("epochs", "batch_size", "lr", "schedule", "seed")}
    settings |= {"augment": augmentation(recipe["augment"]), "validation": validation}
    say(f"{recipe['model']}: {net.summary(x.shape[1:]).total:,} parameters; {dataset.name}: {dataset.source}")
    estimate = seconds_left(net, x, y, recipe)
    steps = recipe["epochs"] * -(-len(x) // recipe["batch_size"])
    say(f"{len(x):,} training images, {recipe['epochs']} epochs, {steps:,} steps: about {duration(estimate)}; into {out}")
    history = training.fit(net, x, y, **settings, out=out, resume=resume, metadata=facts)

    probabilities = training.predict(net, dataset.x_test)
    measured = training.evaluate(net, dataset.x_test, dataset.y_test)
    parameters = sum(p.value.size for p in net.params()) + sum(b.size for b in named_buffers(net).values())
    result = {
        "model": recipe["model"], "data": dataset.name, "parameters": parameters, "epochs": history.epochs,
        "test_accuracy": measured["accuracy"], "test_loss": measured["loss"],
        "seconds": time.perf_counter() - start, "train_seconds": sum(history["seconds"]), "out": str(out),
        "per_class": dict(zip(dataset.classes, measured["per_class"]["recall"].tolist(), strict=True)),
    }  # fmt: skip
    npz.write(pathlib.Path(out, "result.json"), json.dumps(result, indent=2).encode())
    write_report(out, net, recipe, dataset, history, result, probabilities)
    return result


def seconds_left(net, x, y, recipe):
    """How long training will take: a few steps on a copy, timed once the kernels are compiled."""
    trial, size = copy.deepcopy(net), recipe["batch_size"]
    few = np.resize(np.arange(len(x)), 4 * size)
    settings = {"epochs": 1, "batch_size": size, "progress": False, "augment": augmentation(recipe["augment"])}
    training.fit(trial, x[few[: 2 * size]], y[few[: 2 * size]], **settings)
    seconds = training.fit(trial, x[few], y[few], **settings)["seconds"][0]
    return seconds / 4 * recipe["epochs"] * -(-len(x) // size)


def duration(seconds):
    """For people: "40 seconds", "5 minutes", "2.5 hours"."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} seconds"
    return f"{round(seconds / 60)} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def write_report(out, net, recipe, dataset, history, result, probabilities):
    """report.html and its pictures."""
    command = " ".join(f"--{k.replace('_', '-')} {v}" for k, v in recipe.items() if v is not None)
    filters = next((p.value for p in net.params() if p.value.ndim == 4), None)
    report.write(
        out,
        title=f"{recipe['model']} on {dataset.name}",
        facts={
            "Model": recipe["model"],
            "Data": f"{dataset.name} ({dataset.source})",
            "Parameters": f"{result['parameters']:,}",
            "Epochs": result["epochs"],
            "Training time": duration(result["train_seconds"]),
            "Test loss": f"{result['test_loss']:.4f}",
            "Seed": recipe["seed"],
            "Command": f"numpycnn train {command}",
        },
        history=history,
        labels=dataset.y_test,
        probabilities=probabilities,
        images=dataset.x_test,
        classes=dataset.classes,
        first_filters=filters,
    )

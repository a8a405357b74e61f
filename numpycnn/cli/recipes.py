"""The recipes of `numpycnn train`: settings for each model, and the run from raw data to report."""

import copy
import json
import pathlib
import shlex
import time

import numpy as np

from .. import files, models, ops, schedule
from ..data.augment import augmentation
from ..errors import CheckpointError, RunFolderError
from ..files import check_writable, claim, duration, plain
from ..inspection import out_of_distribution
from ..layers.traverse import named_buffers
from ..report import grids, training_page
from ..training import checkpoint, loop
from ..training.run import ended, fit_state

# What a model is trained with unless told otherwise: short recipes, a few tried, none tuned.
RECIPES = {
    "vgg": {
        "epochs": 4,
        "batch_size": 32,
        "lr": 2e-3,
        "schedule": "one_cycle",
        "augment": "flip,crop",
    },
    "alexnet": {
        "epochs": 16,
        "batch_size": 64,
        "lr": 1e-3,
        "schedule": "one_cycle",
        "augment": "none",
    },
    "lenet5": {
        "epochs": 12,
        "batch_size": 32,
        "lr": 2e-3,
        "schedule": "one_cycle",
        "augment": "none",
    },
    "keras_cnn": {
        "epochs": 12,
        "batch_size": 64,
        "lr": 1e-3,
        "schedule": "constant",
        "augment": "none",
        "patience": 3,
    },
    "resnet": {
        "epochs": 4,
        "batch_size": 32,
        "lr": 2e-3,
        "schedule": "one_cycle",
        "augment": "flip,crop",
    },
    "densenet": {
        "epochs": 4,
        "batch_size": 32,
        "lr": 2e-3,
        "schedule": "one_cycle",
        "augment": "flip,crop",
    },
}
KEYS = {
    "model",
    "data",
    "epochs",
    "batch_size",
    "lr",
    "schedule",
    "augment",
    "seed",
    "val",
    "limit",
}
TRIAL = 6  # steps that are timed to say how long training will take


def check(recipe, dataset):
    """Refuse, before anything else happens, what would be refused later. Raises ValueError, UnknownNameError."""
    schedule.named(recipe["schedule"])
    augmentation(recipe["augment"])
    if not 0 <= recipe["val"] < len(dataset.x_train):
        raise ValueError(
            f"--val {recipe['val']} must be less than the {len(dataset.x_train)} training images"
        )
    if recipe.get("patience") and not recipe["val"]:
        raise ValueError(
            "--patience watches the accuracy on validation images: give --val more than 0"
        )


def new_folder(model, data):
    """A new folder runs/MODEL-DATA-NUMBER, the next one that is free. Raises OSError."""
    check_writable(runs := pathlib.Path("runs"))
    return claim(runs, f"{model}-{pathlib.Path(data).resolve().name}")


def stored_recipe(out):
    """The recipe that the run in `out` was started with. Raises RunFolderError, CheckpointError."""
    path = pathlib.Path(out, "last.npz")
    if not path.exists():
        raise RunFolderError(
            f"there is no last.npz in {out} to resume from; train without --resume first"
        )
    metadata, _ = checkpoint.read(path)
    recipe = metadata.get("recipe")
    if not isinstance(recipe, dict) or not KEYS <= recipe.keys():
        raise CheckpointError(
            f"{path} was not written by `numpycnn train`, so it cannot be resumed by it"
        )
    return recipe


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
        "seed": recipe["seed"], "light": dataset.light,
    }  # fmt: skip
    settings = {key: recipe[key] for key in ("epochs", "batch_size", "lr", "schedule", "seed")}
    settings |= {"augment": augmentation(recipe["augment"]), "validation": validation}
    settings["patience"] = recipe.get("patience")
    say(
        f"{recipe['model']}: {net.summary(x.shape[1:]).total:,} parameters; {dataset.name}: {dataset.source}"
    )
    announce(net, x, y, recipe, out, resume, say)
    history = loop.fit(net, x, y, **settings, out=out, resume=resume, metadata=facts)
    note_familiar(out, validation[0] if recipe["val"] >= out_of_distribution.LEAST else x, say)

    logits = loop.logits(net, dataset.x_test)
    measured = loop.measure(logits, dataset.y_test)
    parameters = sum(p.value.size for p in net.params()) + sum(
        b.size for b in named_buffers(net).values()
    )
    result = {
        "model": recipe["model"], "data": dataset.name, "parameters": parameters, "epochs": history.epochs,
        "test_accuracy": measured["accuracy"], "test_loss": measured["loss"],
        "seconds": time.perf_counter() - start, "train_seconds": sum(history["seconds"]), "out": str(out),
        "per_class": dict(zip(dataset.classes, measured["per_class"]["recall"].tolist(), strict=True)),
    }  # fmt: skip
    files.write(pathlib.Path(out, "result.json"), json.dumps(plain(result), indent=2).encode())
    write_report(out, net, recipe, dataset, history, result, ops.softmax(logits)[0])
    return result


def note_familiar(out, x, say):
    """What images like x are to the network, into the run's checkpoints, for `numpycnn predict`; few cannot tell."""
    if len(x) < out_of_distribution.LEAST:
        return
    try:
        for name in ("last.npz", "best.npz"):
            out_of_distribution.add(pathlib.Path(out, name), x)
    except ValueError as error:
        say(f"predict will not tell when an image is nothing like this data: {error}")


def announce(net, x, y, recipe, out, resume, say):
    """Says how much there is to do, and how long it will take."""
    per_epoch = -(-len(x) // recipe["batch_size"])
    steps = recipe["epochs"] * per_epoch
    if resume:
        state = fit_state(pathlib.Path(out, "last.npz"))
        if ended(state["history"], recipe["epochs"], recipe.get("patience")):
            say(f"the run in {out} is complete; measuring it again")
            return
        steps -= len(state["history"]["loss"]) * per_epoch + state["running"]["step"]
    estimate = duration(steps * seconds_a_step(net, x, y, recipe))
    left = " left" if resume else ""
    say(
        f"{len(x):,} training images, {recipe['epochs']} epochs, {steps:,} steps{left}: about {estimate}; into {out}"
    )


def seconds_a_step(net, x, y, recipe):
    """How long a training step takes: a few on a copy, timed once the kernels are compiled."""
    trial, size = copy.deepcopy(net), min(recipe["batch_size"], len(x))
    few = np.resize(np.arange(len(x)), TRIAL * size)
    settings = {
        "epochs": 1,
        "batch_size": size,
        "progress": False,
        "augment": augmentation(recipe["augment"]),
    }
    loop.fit(trial, x[few[: 2 * size]], y[few[: 2 * size]], **settings)
    return loop.fit(trial, x[few], y[few], **settings)["seconds"][0] / TRIAL


def write_report(out, net, recipe, dataset, history, result, probabilities):
    """report.html and its pictures."""
    command = " ".join(
        f"--{k.replace('_', '-')} {shlex.quote(str(v))}" for k, v in recipe.items() if v is not None
    )
    filters = next((p.value for p in net.params() if p.value.ndim == 4), None)
    training_page.write(
        out,
        title=f"{recipe['model']} on {dataset.name}",
        facts={
            "Model": recipe["model"],
            "Data": f"{dataset.name}, {len(dataset.x_train):,} training and {len(dataset.x_test):,} test images",
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
        images=grids.as_uint8(dataset.x_test),
        classes=dataset.classes,
        first_filters=filters,
    )

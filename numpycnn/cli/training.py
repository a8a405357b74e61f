"""`numpycnn train` from a recipe and a data set to the folder with checkpoints and report."""

import copy
import functools
import json
import pathlib
import time
import warnings

import numpy as np

from .. import distributed, files, models, ops
from ..data.augment import augmentation
from ..errors import ShapeError
from ..files import check_writable, claim, duration, plain
from ..inspection import out_of_distribution
from ..inspection.report import first_filters
from ..optim import OPTIMIZERS
from ..report import grids, training_page
from ..training import loop
from ..training.history import ended
from ..training.lock import locked
from ..training.pixels import standardizes
from ..training.run import FitRun
from . import architecture, suiting
from .networks import input_shape
from .recipes import BODY

TRIAL = 6  # steps that are timed to say how long training will take


def new_folder(recipe):
    """A new folder runs/MODEL-DATA-NUMBER, the next one that is free. Raises OSError."""
    runs = pathlib.Path("runs")
    check_writable(runs)
    return claim(runs, f"{recipe.model}-{pathlib.Path(recipe.data).resolve().name}")


def train(recipe, dataset, out, resume=False, say=lambda line: None, start=None):
    """Train by the recipe, evaluate the last epoch on the test set, fill the run's folder -> dict.

    start: the trained network that --from names; with `resume` that of the run.

    Its keys: model, data, parameters, epochs, test_accuracy, test_loss, seconds, out, per_class,
    train_seconds, files (what last.npz and best.npz reached), report (None where it could not be
    written; then `say` has told why). `say` gets the lines for people. Raises what training.fit
    raises, and RunFolderError for a folder in use. Of several ranks the first evaluates, writes and
    talks; the others return None.
    """
    if not distributed.current().leads:
        return _train(recipe, dataset, out, resume, lambda line: None, start)
    with locked(out):
        return _train(recipe, dataset, out, resume, say, start)


def _train(recipe, dataset, out, resume, say, start):
    began = time.perf_counter()
    net = start if resume and start else network(recipe, dataset, start)
    (x, y), validation = _parts(recipe, dataset)
    _introduce(net, recipe, dataset, say)
    if not resume:
        _note_data(recipe, dataset, y, say)
    _announce(net, x, y, validation, recipe, out, resume, say)
    history = loop.fit(
        net,
        x,
        y,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        optimizer=optimizer(recipe, net),
        schedule=recipe.schedule,
        augment=augmentation(recipe.augment, x.shape[1]),
        validation=validation,
        label_smoothing=recipe.label_smoothing or 0.0,
        class_weight=recipe.class_weight,
        sampling=recipe.sampling,
        ema=recipe.ema,
        patience=recipe.patience,
        seed=recipe.seed,
        out=out,
        resume=resume,
        metadata=_metadata(recipe, dataset),
    )
    if not distributed.current().leads:
        return None
    enough = validation is not None and len(validation[0]) >= out_of_distribution.ENOUGH
    _note_familiarity(out, validation[0] if enough else dataset.x_train, say)
    logits = loop.logits(net, dataset.x_test)
    result = _result(net, recipe, dataset, validation, history, logits)
    result |= {"seconds": time.perf_counter() - began, "out": str(out)}
    if sentence := suiting.one_class(logits.argmax(axis=1), dataset.y_test, dataset.classes):
        say(f"note: {sentence}")
    result["report"] = str(pathlib.Path(out, "report.html"))
    try:
        files.write(pathlib.Path(out, "result.json"), json.dumps(plain(result), indent=2).encode())
        _write_report(out, net, recipe, dataset, history, result, ops.softmax(logits)[0])
    except Exception as error:  # the network is there, and its accuracy must be told all the same
        result["report"] = None
        say(
            f"the report could not be written: {' '.join(str(error).split())}; once that is "
            f"mended, numpycnn train --resume --out {files.quoted(out)} writes it without training"
        )
    return result


def _parts(recipe, dataset):
    """(x, y) to train on, and those for validation, or None."""
    if dataset.x_val is not None:
        return (dataset.x_train, dataset.y_train), (dataset.x_val, dataset.y_val)
    if recipe.val:
        return dataset.split(recipe.val, recipe.seed)
    return (dataset.x_train, dataset.y_train), None


def _result(net, recipe, dataset, validation, history, logits):
    """What result.json and --json say of the trained network; logits: of the test images."""
    measured = loop.measure(logits, dataset.y_test, list(dataset.classes))
    recall = measured["per_class"]["recall"].tolist()
    return {
        "model": recipe.model,
        "data": dataset.name,
        "parameters": net.summary(dataset.x_train.shape[1:]).total,
        "epochs": history.epochs,
        "test_accuracy": measured["accuracy"],
        "test_loss": measured["loss"],
        "train_seconds": sum(history["seconds"]),
        "files": _reached(history, measured["accuracy"], validation, len(dataset.y_test)),
        "per_class": dict(zip(dataset.classes, recall, strict=True)),
    }


def _reached(history, test_accuracy, validation, test):
    """{file: {"epoch", its accuracies or loss, and on how many images}}"""
    best, last = history.best(), history.epochs - 1
    val = 0 if validation is None else len(validation[1])

    def epoch(i):
        facts = {"epoch": i + 1, "train_loss": history["loss"][i]}
        return facts | ({"val_accuracy": history["val_accuracy"][i], "val": val} if val else {})

    tested = {"test_accuracy": test_accuracy, "test": test}
    found = {"last.npz": epoch(last) | tested}
    found["best.npz"] = found["last.npz"] if best == last else epoch(best)
    return found


def closing_lines(result):
    """The last lines for people: the report, and which file has which accuracy."""
    lines = [f"Report: {result['report']}"] if result["report"] else []
    last, best = result["files"].values()
    files_of = {"last.npz": last, "best.npz": best}
    if last == best:
        files_of = {"last.npz and best.npz": last}
    parts = []
    for name, facts in files_of.items():
        shares = [
            f"{facts[f'{kind}_accuracy']:.2%} of {facts[kind]:,} {title} images"
            for kind, title in (("test", "test"), ("val", "validation"))
            if kind in facts
        ]
        shares = shares or [f"the lowest training loss, {facts['train_loss']:.4f}"]
        parts.append(f"{name} (epoch {facts['epoch']}): {', '.join(shares)}")
    return [*lines, f"In {result['out']}: {'; '.join(parts)}"]


def _introduce(net, recipe, dataset, say):
    """Says what is trained, on what."""
    counts = net.summary(dataset.x_train.shape[1:])
    parameters = f"{counts.total:,} parameters"
    if recipe.start:
        parameters += f", {counts.trainable:,} of them trained, begun with {recipe.start}"
    say(f"{recipe.model}: {parameters}; {dataset.name}: {dataset.source}")


def _note_data(recipe, dataset, y, say):
    """Says how the data were taken, and what they are too few for."""
    height, width, channels = dataset.x_train.shape[1:]
    if recipe.start and dataset.pictures:
        colour = "in colour" if channels == 3 else "grey"
        say(
            f"the pictures become {height} x {width} pixels, {colour}; --size, --colour change that"
        )
    steps, why = suiting.augmentation(dataset)
    if recipe.augment == steps and not suiting.known(dataset):
        say(f"augmentation: {steps}; {why}")
    notes = []
    if recipe.limit is None:
        notes.append(suiting.few(y, dataset.classes))
    if recipe.sampling is None and recipe.class_weight is None:
        notes.append(suiting.unequal(y, dataset.classes))
    for sentence in filter(None, notes):
        say(f"note: {sentence}")


def model_of(net):
    """The name of a trained network's model; "network" for one that is not in models."""
    return (getattr(net, "spec", None) or {}).get("model") or "network"


def network(recipe, dataset, start=None):
    """The recipe's model for the data set's image size, classes, and pixels' mean and deviation.

    With `start`, a trained network, that one with a new head, frozen as the recipe says. Raises
    ShapeError for images that it cannot take, TypeError, ValueError.
    """
    if start is not None:
        return _with_new_head(recipe, dataset, start)
    return models.build(
        recipe.model,
        seed=recipe.seed,
        classes=len(dataset.classes),
        input_shape=dataset.x_train.shape[1:],
        mean=dataset.mean,
        std=dataset.std,
        **architecture.arguments(recipe.model, vars(recipe)),
    )


def _with_new_head(recipe, dataset, start):
    classes, shape = len(dataset.classes), dataset.x_train.shape[1:]
    pixels = {"mean": dataset.mean, "std": dataset.std} if standardizes(start) else {}
    try:
        net = models.with_new_head(start, classes, recipe.seed, **pixels, input_shape=shape)
    except ShapeError as error:
        height, width, channels = input_shape(start)
        way_out = f"; leave out --size, or give --size {height}x{width}"
        if channels != shape[2]:
            way_out = "; leave out --grey" if (recipe.reading or {}).get("colour") is False else ""
        raise ShapeError(f"--from {recipe.start}: {error}{way_out}") from None
    except TypeError as error:
        raise TypeError(f"--from {recipe.start}: {error}") from None
    return net if recipe.freeze is None else models.freeze(net, recipe.freeze)


def optimizer(recipe, net):
    """The recipe's optimiser of the network; a body that has learnt already has a lower rate."""
    kind = OPTIMIZERS[recipe.optimizer or "adam"]
    decay = {} if recipe.weight_decay is None else {"weight_decay": recipe.weight_decay}
    found = kind(net.params(), lr=recipe.lr, **decay)
    if recipe.start:
        found.scale(models.body(net), BODY)
    return found


def _metadata(recipe, dataset):
    return {
        "recipe": recipe.stored(),
        "classes": list(dataset.classes),
        "data": dataset.name,
        "data_sha256": dataset.sha256,
        "seed": recipe.seed,
        "light": dataset.light,
        "pictures": dataset.pictures,
    }


def _note_familiarity(out, x, say):
    """What images like x are to the network, into the run's checkpoints, for `numpycnn predict`."""
    if len(x) < out_of_distribution.LEAST:
        return
    try:
        for name in ("last.npz", "best.npz"):
            out_of_distribution.add(pathlib.Path(out, name), x)
    except (ValueError, TypeError, OSError) as error:
        say(f"predict will not tell when an image is nothing like this data: {error}")


def _announce(net, x, y, validation, recipe, out, resume, say):
    """Says how much there is to do, and how long it will take."""
    per_epoch = -(-len(x) // recipe.batch_size)
    steps = recipe.epochs * per_epoch
    if resume:
        read = functools.partial(FitRun.read_state, pathlib.Path(out, "last.npz"))
        state = distributed.current().first(read)
        if ended(state["history"], recipe.epochs, recipe.patience):
            say(f"the run in {out} is complete; evaluating it again")
            return
        steps -= len(state["history"]["loss"]) * per_epoch + state["running"]["step"]
    estimate = duration(steps * _seconds_per_step(net, x, y, recipe))
    left = " left" if resume else ""
    checked = f" and {len(validation[0]):,} validation images" if validation else " images"
    say(
        f"{len(x):,} training{checked}, {recipe.epochs} epochs, {steps:,} steps{left}: "
        f"about {estimate}; into {out}"
    )


def _seconds_per_step(net, x, y, recipe):
    """How long a training step takes: a few on a copy, timed once the kernels are compiled."""
    trial, size = copy.deepcopy(net), min(recipe.batch_size, len(x))
    few = np.resize(np.arange(len(x)), TRIAL * size)
    settings = {"epochs": 1, "batch_size": size, "progress": False}
    settings |= {"augment": augmentation(recipe.augment, x.shape[1]), "optimizer": recipe.optimizer}
    with warnings.catch_warnings():  # what there is to say of the data is said of all of it
        warnings.simplefilter("ignore")
        loop.fit(trial, x[few[: 2 * size]], y[few[: 2 * size]], **settings)
        history = loop.fit(trial, x[few], y[few], **settings)
    return history["seconds"][0] / TRIAL


def _write_report(out, net, recipe, dataset, history, result, probabilities):
    """report.html and its pictures."""
    train, test = len(dataset.x_train), len(dataset.x_test)
    facts = {
        "Model": recipe.model,
        "Data": f"{dataset.name}, {train:,} training and {test:,} test images",
        "Parameters": f"{result['parameters']:,}",
        "Epochs": result["epochs"],
        "Training time": duration(result["train_seconds"]),
        "Test loss": f"{result['test_loss']:.4f}",
        "Seed": recipe.seed,
        "Command": f"numpycnn train {' '.join(recipe.typed())}",
    }
    training_page.write(
        out,
        title=f"{recipe.model} on {dataset.name}",
        facts=facts,
        history=history,
        labels=dataset.y_test,
        probabilities=probabilities,
        images=grids.as_uint8(dataset.x_test),
        classes=dataset.classes,
        first_filters=first_filters(net),
    )

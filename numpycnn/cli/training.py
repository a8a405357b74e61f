"""`numpycnn train` from a recipe and a data set to the folder with checkpoints and report."""

import json
import pathlib
import time

from .. import distributed, files, models, ops
from ..data.augment import augmentation
from ..errors import ShapeError
from ..files import check_writable, claim, duration, plain
from ..inspection import out_of_distribution
from ..inspection.report import first_filters
from ..optim import OPTIMIZERS
from ..report import grids, training_page
from ..training import loop
from ..training import teacher as teaching
from ..training.lock import locked
from ..training.pixels import standardizes
from . import announcement, architecture, outcome, suiting
from .networks import classifier, input_shape
from .recipes import BODY


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
    taught = teacher(recipe, dataset)
    (x, y), validation = _parts(recipe, dataset)
    announcement.introduce(net, recipe, dataset, say)
    if not resume:
        announcement.note_data(recipe, dataset, y, say)
    announcement.announce(net, x, y, validation, recipe, taught, out, resume, say)
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
        **taught,
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
    result = outcome.result(net, recipe, dataset, validation, history, logits)
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


def teacher(recipe, dataset):
    """fit's arguments about the teacher that --teacher names; none without.

    Raises ValueError, TypeError, ShapeError for one that cannot teach these images.
    """
    if recipe.teacher is None:
        return {}
    found, classes = classifier(recipe.teacher), list(dataset.classes)
    try:
        labels = recipe.label_smoothing, recipe.class_weight
        teaching.check(found, dataset.x_train, len(classes), classes, *labels)
    except (ValueError, TypeError) as error:
        raise type(error)(f"--teacher {recipe.teacher}: {error}") from None
    soft = {} if recipe.temperature is None else {"temperature": recipe.temperature}
    return {"teacher": found, **soft}


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

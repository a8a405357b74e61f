"""One job of a study: a variant and a seed, trained and measured in a folder of its own."""

import functools
import json
import pathlib
import time

import numpy as np

from .. import backend, data, files, models, optim
from ..data.augment import augmentation
from ..data.balance import class_weights, oversample, thin
from ..data.dataset import stratified
from ..errors import DatasetError, RunFolderError, TrainingDiverged, unknown
from ..layers import init
from ..metrics import confusion_matrix
from ..training import loop
from . import baselines
from .definitions import DEFAULTS
from .full import slope

# Validation images, of the training set; a fifth where there are fewer than 25,000.
HELD = 5_000  # the same ones in every job
BATCH = 256


@functools.lru_cache(maxsize=2)
def dataset(name, sha256):
    """The data set of that name, read once a process. Raises DatasetError for another hash."""
    loaded = data.load(name)
    if loaded.sha256 != sha256:
        raise DatasetError(f"{name} is not what it was when the study began; start it again")
    return loaded


def perform(job):
    """Train and measure what `job` says, or read its result where it is done -> its row.

    job: {"facts": {"settings", "test", "data_sha256", "seed"}, "data", "folder", "threads",
    "backend", "progress", "code"}, all of JSON's kinds. Raises what fit raises, but for
    TrainingDiverged: a variant that diverges is a result.
    """
    folder, facts = pathlib.Path(job["folder"]), job["facts"]
    if (folder / "result.json").exists():
        return finished(folder / "result.json")
    backend.use(job["backend"], job["threads"])
    settings, loaded = facts["settings"], dataset(job["data"], facts["data_sha256"])
    train, validation = images(settings, loaded)
    x, y = (loaded.x_test, loaded.y_test) if facts["test"] else validation
    x, y = x[: settings["measure_most"]], y[: settings["measure_most"]]
    if settings["model"] in baselines.BASELINES:
        guesses, measured = baselines.fit_and_predict(settings["model"], train, x, facts["seed"])
    else:
        guesses, measured = network(job, loaded, train, validation, (x, y))
    row = {"seed": facts["seed"], "status": "done", **measured}
    row |= {
        "images": len(train[1]),
        "measured_images": len(y),
        "threads": job["threads"],
        "code": job["code"],
    }
    row |= {"measured_on": "test images" if facts["test"] else "validation images"}
    if guesses is not None:
        row |= shares(y, guesses, loaded.classes, settings["rare"])
    return keep(folder, facts, files.plain(row))


def finished(path):
    """The row that keep left. Raises RunFolderError for a damaged file."""
    try:
        return json.loads(path.read_bytes())["row"]
    except (ValueError, KeyError, TypeError) as error:
        raise RunFolderError(
            f"{path} is damaged; delete it and give the same command again"
        ) from error


def keep(folder, facts, row):
    """Write result.json; the checkpoints go, for there are hundreds of jobs -> the row."""
    folder.mkdir(parents=True, exist_ok=True)
    files.write(folder / "result.json", json.dumps({"job": facts, "row": row}, indent=1).encode())
    for name in ("last.npz", "best.npz"):
        (folder / name).unlink(missing_ok=True)
    return row


def images(settings, loaded):
    """(x, y) to train on, and (x, y) for validation; both of the training set, for all seeds."""
    train, validation = loaded.split(min(HELD, len(loaded.y_train) // 5), seed=0)
    x, y = train
    if settings["limit"] and settings["limit"] < len(y):
        chosen = stratified(y, settings["limit"], seed=0, balanced=True)
        x, y = x[chosen], y[chosen]
    if settings["rare"]:
        chosen = thin(y, settings["rare"]["class"], settings["rare"]["share"], seed=0)
        x, y = x[chosen], y[chosen]
    if settings["balance"] == "sampling":
        chosen = oversample(y, seed=0)
        x, y = x[chosen], y[chosen]
    return (x, y), validation


def build(settings, loaded, seed, x):
    """The variant's network; what is no setting of a job is an argument of its model."""
    arguments = {key: value for key, value in settings.items() if key not in DEFAULTS}
    layer_by_layer = arguments.get("init") == "lsuv"
    if layer_by_layer:
        arguments["init"] = "orthonormal"
    shape = {"classes": len(loaded.classes), "input_shape": loaded.x_train.shape[1:]}
    moments = {"mean": loaded.mean, "std": loaded.std}
    net = models.build(settings["model"], seed, **{**shape, **moments, **arguments})
    if layer_by_layer:
        init.lsuv(net, x[:BATCH], np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0]))
    return net


def network(job, loaded, train, validation, measure_on):
    """Train and measure a network -> guesses (None where training diverged), what was measured."""
    settings = job["facts"]["settings"]
    x, y = measure_on
    net = build(settings, loaded, job["facts"]["seed"], train[0])
    table = net.summary(train[0].shape[1:])
    measured = {"parameters": table.total, "multiply_adds": table.multiply_adds, "epochs": 0}
    try:
        history = fit(net, job, train, validation, len(loaded.classes))
        if job["facts"].get("last"):
            measured["slope"] = slope(history["val_accuracy"])
    except TrainingDiverged:
        return None, measured | {"status": "diverged"}
    start = time.perf_counter()
    s = noisy_logits(net, x) if settings["dropout_when_measured"] else loop.logits(net, x)  # (N, K)
    measured |= {"predict_seconds": time.perf_counter() - start, "loss": loop.score(s, y)[0]}
    measured |= {"seconds": sum(history["seconds"]), "epochs": history.epochs}
    return s.argmax(axis=1), measured | {"train_accuracy": history["accuracy"][-1]}


def fit(net, job, train, validation, classes):
    """training.fit by the job's settings; goes on where the same job was stopped."""
    facts, settings = job["facts"], job["facts"]["settings"]
    if settings["optimizer"] not in optim.OPTIMIZERS:
        raise unknown("optimiser", settings["optimizer"], optim.OPTIMIZERS)
    make = optim.OPTIMIZERS[settings["optimizer"]]
    return loop.fit(
        net, *train, epochs=settings["epochs"], batch_size=settings["batch_size"],
        optimizer=make(net.params(), settings["lr"], **settings["optimizer_arguments"]),
        schedule=settings["schedule"], augment=augmentation(settings["augment"]),
        validation=validation if settings["patience"] or facts.get("last") else None,
        patience=settings["patience"],
        class_weight=class_weights(train[1], classes) if settings["balance"] == "weights" else None,
        seed=facts["seed"], out=job["folder"], progress=job["progress"], metadata={"job": facts},
        resume=pathlib.Path(job["folder"], "last.npz").exists(),
    )  # fmt: skip


def noisy_logits(net, x):
    """What a network gives whose dropout was left on by mistake."""
    return np.concatenate(
        [net.forward(x[i : i + BATCH], train=True)[0] for i in range(0, len(x), BATCH)]
    )


def shares(labels, guesses, classes, rare):
    """Accuracy, mean recall of the classes, recall of the rare class, and of each by its name."""
    confusion = confusion_matrix(labels, guesses, len(classes))
    recall = confusion.diagonal() / np.maximum(confusion.sum(axis=1), 1)
    return {
        "accuracy": float((labels == guesses).mean()),
        "balanced_accuracy": float(recall.mean()),
        "rare_recall": None if rare is None else float(recall[rare["class"]]),
        "recall": "; ".join(
            f"{name} {share:.4f}" for name, share in zip(classes, recall, strict=True)
        ),
    }

"""What `numpycnn train` says before it trains: what, on what, how long, and what the data lack."""

import copy
import functools
import pathlib
import warnings

import numpy as np

from .. import distributed
from ..data.augment import augmentation
from ..files import duration
from ..training import loop
from ..training.history import ended
from ..training.run import FitRun
from . import suiting

TRIAL = 6  # steps that are timed to say how long training will take


def introduce(net, recipe, dataset, say):
    """Says what is trained, on what."""
    counts = net.summary(dataset.x_train.shape[1:])
    parameters = f"{counts.total:,} parameters"
    if recipe.start:
        parameters += f", {counts.trainable:,} of them trained, begun with {recipe.start}"
    if recipe.teacher:
        parameters += f", taught by {recipe.teacher}"
    say(f"{recipe.model}: {parameters}; {dataset.name}: {dataset.source}")


def note_data(recipe, dataset, y, say):
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


def announce(net, x, y, validation, recipe, taught, out, resume, say):
    """Says how much there is to do, and how long it will take.

    taught: fit's arguments about a teacher.
    """
    per_epoch = -(-len(x) // recipe.batch_size)
    steps = recipe.epochs * per_epoch
    if resume:
        read = functools.partial(FitRun.read_state, pathlib.Path(out, "last.npz"))
        state = distributed.current().first(read)
        if ended(state["history"], recipe.epochs, recipe.patience):
            say(f"the run in {out} is complete; evaluating it again")
            return
        steps -= len(state["history"]["loss"]) * per_epoch + state["running"]["step"]
    estimate = duration(steps * _seconds_per_step(net, x, y, recipe, taught))
    left = " left" if resume else ""
    checked = f" and {len(validation[0]):,} validation images" if validation else " images"
    say(
        f"{len(x):,} training{checked}, {recipe.epochs} epoch{'s' * (recipe.epochs > 1)}, "
        f"{steps:,} steps{left}: "
        f"about {estimate}; into {out}"
    )


def _seconds_per_step(net, x, y, recipe, taught):
    """How long a training step takes: a few on a copy, timed once the kernels are compiled."""
    trial, size = copy.deepcopy(net), min(recipe.batch_size, len(x))
    few = np.resize(np.arange(len(x)), TRIAL * size)
    settings = {"epochs": 1, "batch_size": size, "progress": False, **taught}
    settings |= {"augment": augmentation(recipe.augment, x.shape[1]), "optimizer": recipe.optimizer}
    with warnings.catch_warnings():  # what there is to say of the data is said of all of it
        warnings.simplefilter("ignore")
        loop.fit(trial, x[few[: 2 * size]], y[few[: 2 * size]], **settings)
        history = loop.fit(trial, x[few], y[few], **settings)
    return history["seconds"][0] / TRIAL

"""What a checkpoint tells an inspection: training images, history, optimiser, learning rate."""

import itertools
import json
from pathlib import Path

import numpy as np

from .. import files
from ..errors import CheckpointError, RunFolderError
from ..training import checkpoint
from .updates import Steps

RESULT = "inspection.json"


def known(path, dataset):
    """-> {"trained_on", "history", "steps", "lr"} for report.write. Raises CheckpointError."""
    metadata, arrays = checkpoint.read(path)
    fit = _dict(metadata.get("fit"))
    settings = _dict(fit.get("settings"))
    recipe = _dict(metadata.get("recipe"))
    steps = Steps.stored(metadata, arrays)
    # The schedule's largest where it is known, otherwise that of the last step.
    rates = [settings.get("lr"), recipe.get("lr"), steps and steps.lr]
    numbers = [rate for rate in rates if type(rate) in (int, float) and np.isfinite(rate)]
    lr = float(numbers[0]) if numbers else None
    history = _history(path, fit.get("history", metadata.get("history")))
    trained_on = _training(recipe, metadata.get("data"), dataset)
    return {"trained_on": trained_on, "history": history, "steps": steps, "lr": lr}


def _dict(value):
    """The value where it is a dict: a file may hold anything."""
    return value if isinstance(value, dict) else {}


def _history(path, history):
    """Lists of numbers under the keys of a history; {} where the file has none."""
    columns = {key: values for key, values in _dict(history).items() if isinstance(values, list)}
    for values in columns.values():
        if not all(value is None or type(value) in (int, float) for value in values):
            raise CheckpointError(
                f"{files.shown(path)}: its history holds something else than numbers"
            )
    return columns


def _training(recipe, data, dataset):
    """The training images that `numpycnn train` used: without what --limit and --val left out."""
    limit, val, seed = (recipe.get(key) for key in ("limit", "val", "seed"))
    if data != dataset.name:
        return dataset.x_train, dataset.y_train
    dataset = dataset.limit(limit) if type(limit) is int and limit > 0 else dataset
    if type(val) is type(seed) is int and 0 < val < len(dataset.y_train) and seed >= 0:
        return dataset.split(val, seed)[0]
    return dataset.x_train, dataset.y_train


def folder(out, path):
    """The folder for an inspection of `path`: `out`, or NAME-inspect in the working folder, or
    NAME-inspect-2, ... where that holds something else.

    Raises RunFolderError for an `out` that does.
    """
    stem = f"{Path(path.removeprefix('pretrained:')).stem}-inspect"
    numbered = (Path(f"{stem}-{n}") for n in itertools.count(2))
    places = [Path(out)] if out else itertools.chain([Path(stem)], numbered)
    target = next((place for place in places if _free(place, path)), None)
    if target is None:
        raise RunFolderError(f"{out} exists and is no inspection of {path}; choose another --out")
    files.check_folder(target, force=True)
    return target


def _free(place, path):
    """Whether an inspection of `path` may go there: nothing is, or an earlier one of it."""
    return not (place.is_dir() and any(place.iterdir())) or _subject(place) == path


def _subject(inspected):
    """The checkpoint that the inspection in the folder is of, or None."""
    try:
        return json.loads((inspected / RESULT).read_text(encoding="utf-8")).get("checkpoint")
    except (FileNotFoundError, ValueError, AttributeError):
        return None

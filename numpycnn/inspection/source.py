"""What a checkpoint tells an inspection: what it was trained on, its history, optimiser and learning rate."""

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
    fit = metadata.get("fit") if isinstance(metadata.get("fit"), dict) else {}
    settings, recipe = (
        part if isinstance(part, dict) else {}
        for part in (fit.get("settings"), metadata.get("recipe"))
    )
    steps = Steps.stored(metadata, arrays)
    given = [
        settings.get("lr"),
        recipe.get("lr"),
        steps and steps.lr,
    ]  # the schedule's largest, then the last
    lr = next(
        (float(value) for value in given if type(value) in (int, float) and np.isfinite(value)),
        None,
    )
    history = _history(path, fit.get("history", metadata.get("history")))
    trained_on = _training(recipe, metadata.get("data"), dataset)
    return {"trained_on": trained_on, "history": history, "steps": steps, "lr": lr}


def _history(path, history):
    """Lists of numbers under the keys of a history; {} where the file has none."""
    history = history if isinstance(history, dict) else {}
    columns = {key: values for key, values in history.items() if isinstance(values, list)}
    if any(
        not (value is None or type(value) in (int, float))
        for values in columns.values()
        for value in values
    ):
        raise CheckpointError(f"{files.shown(path)}: its history holds something else than numbers")
    return columns


def _training(recipe, data, dataset):
    """The training images that `numpycnn train` used: without those that --limit and --val left out."""
    limit, val, seed = (recipe.get(key) for key in ("limit", "val", "seed"))
    if data != dataset.name:
        return dataset.x_train, dataset.y_train
    dataset = dataset.limit(limit) if type(limit) is int and limit > 0 else dataset
    if type(val) is type(seed) is int and 0 < val < len(dataset.y_train) and seed >= 0:
        return dataset.split(val, seed)[0]
    return dataset.x_train, dataset.y_train


def folder(out, path):
    """The folder for an inspection of `path`: `out`, or NAME-inspect here. Raises RunFolderError for a foreign one."""
    title = path.removeprefix("pretrained:")
    place = Path(out) if out else Path(f"{Path(title).stem}-inspect")
    if place.is_dir() and any(place.iterdir()) and _subject(place) != path:
        raise RunFolderError(f"{place} exists and is no inspection of {path}; choose another --out")
    files.check_folder(place, force=True)
    return place


def _subject(place):
    """The checkpoint that the inspection in the folder is of, or None."""
    try:
        return json.loads((place / RESULT).read_text(encoding="utf-8")).get("checkpoint")
    except (FileNotFoundError, ValueError, AttributeError):
        return None

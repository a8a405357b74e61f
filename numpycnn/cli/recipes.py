"""The recipes of `numpycnn train`: what a model is trained with unless told otherwise."""

import dataclasses
import pathlib

from .. import schedule
from ..data.augment import augmentation
from ..errors import CheckpointError, RunFolderError, unknown
from ..training import checkpoint

# Short recipes: a few were tried, none is tuned.
RECIPES = {
    "vgg": dict(epochs=4, batch_size=32, lr=2e-3, schedule="one_cycle", augment="flip,crop"),
    "alexnet": dict(epochs=16, batch_size=64, lr=1e-3, schedule="one_cycle", augment="none"),
    "lenet5": dict(epochs=12, batch_size=32, lr=2e-3, schedule="one_cycle", augment="none"),
    "keras_cnn": dict(
        epochs=12, batch_size=64, lr=1e-3, schedule="constant", augment="none", patience=3
    ),
    "resnet": dict(epochs=4, batch_size=32, lr=2e-3, schedule="one_cycle", augment="flip,crop"),
    "densenet": dict(epochs=4, batch_size=32, lr=2e-3, schedule="one_cycle", augment="flip,crop"),
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """All that decides what `numpycnn train` trains; it is stored in the run's checkpoints."""

    model: str
    data: str
    seed: int
    val: int  # validation images, cut from the training images
    limit: int | None  # training images in use; None: all
    epochs: int
    batch_size: int
    lr: float
    schedule: str
    augment: str
    patience: int | None = None  # epochs without a better validation accuracy, then training ends

    def stored(self):
        """The recipe as checkpoints hold it: a dict, without a patience that there is not."""
        fields = dataclasses.asdict(self)
        if self.patience is None:
            del fields["patience"]
        return fields


NAMES = tuple(field.name for field in dataclasses.fields(Recipe))


def check_model(name):
    """Raise UnknownNameError for a model without a recipe."""
    if name not in RECIPES:
        raise unknown("model", name, RECIPES)


def complete(given, dataset):
    """-> the Recipe of the settings that are given, and for the rest of the model's own.

    Raises ValueError and UnknownNameError for what training would refuse later.
    """
    model = given.get("model", "vgg")
    check_model(model)
    defaults = {"data": dataset.name, "seed": 0, "val": len(dataset.x_train) // 12, "limit": None}
    recipe = Recipe(**{"model": model, **defaults, **RECIPES[model], **given})
    if not recipe.val and "patience" not in given:
        recipe = dataclasses.replace(recipe, patience=None)
    _check(recipe, dataset)
    return recipe


def _check(recipe, dataset):
    schedule.named(recipe.schedule)
    augmentation(recipe.augment)
    images = len(dataset.x_train)
    if not 0 <= recipe.val < images:
        raise ValueError(f"--val {recipe.val} must be less than the {images} training images")
    if recipe.patience and not recipe.val:
        raise ValueError(
            "--patience watches the accuracy on validation images: give --val more than 0"
        )


def resumed(out, given):
    """The settings that the run in `out` was started with; those that are given must be the same.

    Raises RunFolderError, CheckpointError.
    """
    if not out:
        raise RunFolderError("--resume needs --out, the folder of the run to continue")
    path = pathlib.Path(out, "last.npz")
    if not path.exists():
        raise RunFolderError(
            f"there is no last.npz in {out} to resume from; train without --resume first"
        )
    metadata, _ = checkpoint.read(path)
    stored = metadata.get("recipe")
    if not isinstance(stored, dict) or not set(NAMES) - {"patience"} <= stored.keys():
        raise CheckpointError(
            f"{path} was not written by `numpycnn train`, so it cannot be resumed by it"
        )
    for name, value in given.items():
        if stored.get(name) != value:
            raise RunFolderError(
                f"the run in {out} has {name} {stored.get(name)}, not {value}; resume it as it was"
            )
    return {name: stored.get(name) for name in NAMES}

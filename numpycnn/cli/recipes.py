"""The recipes of `numpycnn train`: what a model is trained with unless told otherwise."""

import dataclasses
import pathlib

from .. import files, schedule
from ..data import options
from ..data.augment import augmentation
from ..errors import CheckpointError, RunFolderError, unknown
from ..optim import OPTIMIZERS
from ..training import checkpoint
from ..training.arguments import check_sampling
from ..training.history import why_not_epochs
from . import architecture, suiting

# Short recipes: a few were tried, none is tuned.
RECIPES = {
    "vgg": dict(epochs=4, batch_size=32, lr=2e-3, schedule="one_cycle", augment="flip,crop"),
    "alexnet": dict(epochs=16, batch_size=64, lr=1e-3, schedule="one_cycle", augment="none"),
    "lenet5": dict(epochs=12, batch_size=32, lr=2e-3, schedule="one_cycle", augment="none"),
    "keras_cnn": dict(
        epochs=12, batch_size=64, lr=1e-3, schedule="constant", augment="none", patience=3
    ),
    "mirror_vgg": dict(epochs=4, batch_size=32, lr=2e-3, schedule="one_cycle", augment="crop"),
    "resnet": dict(epochs=4, batch_size=32, lr=2e-3, schedule="one_cycle", augment="flip,crop"),
    "densenet": dict(epochs=4, batch_size=32, lr=2e-3, schedule="one_cycle", augment="flip,crop"),
}
# Fine-tuning, --from: lr and BODY were chosen on MNIST's training images that were not in use.
FINE = dict(epochs=2, batch_size=32, lr=5e-3, schedule="one_cycle", augment="crop")
BODY = 0.3  # of the learning rate, for what is trained below the new head


@dataclasses.dataclass(frozen=True)
class Recipe:
    """All that decides what `numpycnn train` trains; it is stored in the run's checkpoints."""

    model: str
    data: str
    seed: int
    val: int  # validation images, cut from the training images; 0 where the data have their own
    limit: int | None  # training images in use; None: all
    epochs: int
    batch_size: int
    lr: float
    schedule: str
    augment: str
    patience: int | None = None  # epochs without a better validation accuracy, then training ends
    reading: dict | None = None  # how the person's own data are read: data.options.Options
    start: str | None = None  # --from: the trained network that it begins with
    freeze: int | str | None = None  # its first layers that are not trained, or "all" but the head
    # None: as the model, the optimiser or fit has it
    filters: list | None = None
    dropout: list | None = None
    activation: str | None = None
    init: str | float | None = None
    optimizer: str | None = None
    weight_decay: float | None = None
    ema: float | None = None
    sampling: str | None = None
    class_weight: str | None = None
    label_smoothing: float | None = None
    teacher: str | None = None  # the trained network whose answers take the place of labels
    temperature: float | None = None

    def stored(self):
        """The recipe as checkpoints hold it: a dict, without what is None and may be."""
        fields = dataclasses.asdict(self)
        return {n: v for n, v in fields.items() if n not in OPTIONAL or v is not None}

    def typed(self):
        """The same as options of `numpycnn train`: a list of words."""
        fields = self.stored()
        reading = options.typed(fields.pop("reading", {}))
        return [*typed(fields), *reading]


WITHOUT_NORM = ("alexnet", "lenet5", "keras_cnn")  # which muon's own rate ruins

OPTIONAL = {field.name for field in dataclasses.fields(Recipe) if field.default is None}
NAMES = tuple(field.name for field in dataclasses.fields(Recipe))
RATES = {"sgd": 0.1, "rmsprop": 1e-3, "muon": 0.015}  # where --lr is not given; the others: as Adam


def typed(fields):
    """{name: value} as options: a list of words."""
    words = []
    for name, value in fields.items():
        if value is not None:
            text = ",".join(map(str, value)) if isinstance(value, list) else files.quoted(value)
            words += [f"--{option(name)}", text]
    return words


def option(name):
    """A setting's name on the command line."""
    return "from" if name == "start" else name.replace("_", "-")


def check(given):
    """Refuse names, and settings that the model has not, before any data are read.

    Raises UnknownNameError, ValueError.
    """
    model = given.get("model", "vgg")
    if "start" not in given:
        if model not in RECIPES:
            raise unknown("model", model, RECIPES)
        if "freeze" in given:
            raise ValueError("--freeze keeps layers of a trained network as they are: give --from")
        architecture.arguments(model, given)
    if given.get("optimizer") not in (None, *OPTIMIZERS):
        raise unknown("optimizer", given["optimizer"], OPTIMIZERS)
    if given.get("optimizer") == "muon" and model in WITHOUT_NORM and given.get("lr") is None:
        raise ValueError(
            f"--optimizer muon is made for networks with batch norm; {model} has none: give --lr, "
            "or another optimizer"
        )
    check_sampling(given.get("sampling"), given.get("class_weight"))
    if "temperature" in given and "teacher" not in given:
        raise ValueError("--temperature softens a teacher's answers: give --teacher")


def check_start(given):
    """Refuse, beside --from, what the trained network brings. Raises ValueError."""
    others = [f"--{name}" for name in ("model", *architecture.NAMES) if name in given]
    if others:
        raise ValueError(f"--from brings a network that is made already: leave out {others[0]}")
    if "data" not in given:
        raise ValueError("--from needs the data that the network shall learn now: give --data")


def complete(given, dataset):
    """-> the Recipe of the settings that are given, and for the rest of the model's own, as they
    suit the data.

    Raises ValueError and UnknownNameError for what training would refuse later.
    """
    model = given.get("model", "vgg")
    check(given)
    val = suiting.validation(dataset.y_train) if dataset.x_val is None else 0
    defaults = {"data": dataset.name, "seed": 0, "val": val, "limit": None}
    rate = {"lr": RATES[given["optimizer"]]} if given.get("optimizer") in RATES else {}
    own = FINE if "start" in given else RECIPES[model]
    own = own | suiting.length(own, len(dataset.y_train) - given.get("val", val), given)
    given = {**given, "augment": _augment(given, own, dataset)}
    recipe = Recipe(**{"model": model, **defaults, **own, **rate, **given})
    if not recipe.val and dataset.x_val is None and "patience" not in given:
        recipe = dataclasses.replace(recipe, patience=None)
    _check(recipe, dataset)
    return recipe


def _augment(given, own, dataset):
    """The steps of augmentation: as given, or by the data, or the model's own that suit them."""
    if given.get("augment", "auto") != "auto":
        return given["augment"]
    steps, _ = suiting.augmentation(dataset)
    if "augment" not in given and "start" not in given and suiting.known(dataset):
        suitable = [step for step in own["augment"].split(",") if step in steps]
        return ",".join(suitable) or "none"
    return steps


def _check(recipe, dataset):
    schedule.named(recipe.schedule)
    augmentation(recipe.augment)
    images = len(dataset.x_train)
    own = 0 if dataset.x_val is None else len(dataset.x_val)
    if own and recipe.val:
        raise ValueError(
            f"--val {recipe.val}: {dataset.name} has {own} validation images of its own; "
            "leave out --val"
        )
    if not 0 <= recipe.val < images:
        raise ValueError(f"--val {recipe.val} must be less than the {images} training images")
    if recipe.patience and not recipe.val and not own:
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
    if not isinstance(stored, dict) or not set(NAMES) - OPTIONAL <= stored.keys():
        raise CheckpointError(
            f"{path} was not written by `numpycnn train`, so it cannot be resumed by it"
        )
    if "epochs" in given and given["epochs"] != stored["epochs"]:
        _check_epochs(out, given["epochs"], metadata.get("fit"))
        stored = {**stored, "epochs": given["epochs"]}
    for name, value in given.items():
        if stored.get(name) != value and (name, value) != ("augment", "auto"):
            was, now = (_words(name, v) for v in (stored.get(name), value))
            raise RunFolderError(
                f"the run in {out} has {option(name)} {was}, not {now}; resume it as it was"
            )
    return {name: stored[name] for name in NAMES if stored.get(name) is not None}


def _words(name, value):
    """A setting of the recipe as a person reads it."""
    words = options.typed(value or {}) if name == "reading" else typed({name: value})[1:]
    return " ".join(words) or "none"


def _check_epochs(out, asked, state):
    """Refuse a number of epochs to which the run cannot go on, with what does. RunFolderError."""
    reason = why_not_epochs(asked, state)
    if reason:
        raise RunFolderError(
            f"the run in {out} cannot go on to {asked} epochs: {reason}; train anew with --epochs "
            f"{asked}, or go on from its weights in Python: numpycnn.load and numpycnn.fit"
        )

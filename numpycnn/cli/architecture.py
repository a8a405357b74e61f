"""The settings of a model that `numpycnn train` takes: filters, dropout, activation, init."""

import inspect

from .. import models
from ..errors import unknown
from ..layers.activation import ACTIVATIONS
from ..layers.init import INITIALISERS

NAMES = "filters", "dropout", "activation", "init"
KNOWN = {"activation": ACTIVATIONS, "init": INITIALISERS}
LEVELS = "vgg", "mirror_vgg"  # models with a rate of dropout for each level of filters


def arguments(model, given):
    """{name: value} as the model's function takes them, of those settings that `given` has.

    Raises ValueError for a setting that the model has not, and for more or fewer numbers than it
    takes; UnknownNameError.
    """
    defaults = {n: p.default for n, p in inspect.signature(models.MODELS[model]).parameters.items()}
    found = {name: given[name] for name in NAMES if given.get(name) is not None}
    for name, value in found.items():
        if name not in defaults:
            known = " and ".join(f"--{other}" for other in NAMES if other in defaults)
            raise ValueError(f"--{name}: {model} has none; of these settings it has {known}")
        if isinstance(value, str) and value not in KNOWN[name]:
            raise unknown(name, value, KNOWN[name])
    if "filters" in found and isinstance(defaults["filters"], int):
        (found["filters"],) = _numbers(model, "filters", found["filters"], 1)
    rates = {"keras_cnn": 2}.get(model, 1)
    if model in LEVELS:
        rates = len(found.get("filters", defaults["filters"]))
    if "dropout" in found:
        found["dropout"] = _numbers(model, "dropout", found["dropout"], rates)
        if len(found["dropout"]) == 1:
            (found["dropout"],) = found["dropout"]
    elif model == "vgg" and rates > len(defaults["dropout"]):
        raise ValueError(f"--filters: {rates} levels need --dropout too, one rate or {rates}")
    return found


def _numbers(model, name, values, count):
    """The values, of which there must be one or `count`."""
    if len(values) not in (1, count):
        some = f"one number or {count}" if count > 1 else "one number"
        text = ",".join(map(str, values))
        raise ValueError(f"--{name} {text}: {model} takes {some} here")
    return values

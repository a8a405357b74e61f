"""fit's arguments: what each may be, and what resume compares of them."""

import functools
import warnings
import zlib

import numpy as np

from .. import backend, distributed, optim
from ..data.balance import class_weights
from ..data.rows import pieces
from ..errors import unknown
from ..layers.traverse import named_params


def whole(name, value, least):
    """The value as an int. Raises ValueError unless it is a whole number of at least `least`."""
    number = isinstance(value, (int, float, np.integer)) and not isinstance(value, bool)
    if not number or not value >= least or value % 1:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")
    return int(value)


def check_loss(loss, x, y, classes, class_weight):
    """Raise for settings of the loss that it refuses, or with which a batch may have no weight."""
    if class_weight is not None and not np.all(class_weight[np.unique(y)]):
        raise ValueError(
            "class_weight is 0 for a class that occurs: a batch may have no other; "
            "leave its images out"
        )
    loss(np.zeros((1, classes)), y[:1], x[:1])


def weights_of(class_weight, y, classes, names=None):
    """class_weight as (K,) float64, or None. Raises ValueError, TypeError.

    It may be K numbers, {class: weight} as in Keras and scikit-learn (a class that is not named has
    the weight 1; a class is a label, or one of `names`), or "balanced".
    """
    if class_weight is None:
        return None
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ValueError(f"class_weight is {class_weight!r}; the only name is 'balanced'")
        return class_weights(y, classes)
    if isinstance(class_weight, dict):
        names = list(names) if isinstance(names, (list, tuple)) else []
        weights = np.ones(classes)
        for key, weight in class_weight.items():
            k = names.index(key) if key in names else key
            if not isinstance(k, (int, np.integer)) or not 0 <= k < classes:
                raise ValueError(f"class_weight names class {key!r}; labels are 0 to {classes - 1}")
            weights[k] = weight
        return weights
    weights = np.asarray(class_weight)
    if weights.dtype.kind not in "iuf" or weights.shape != (classes,):
        raise ValueError(
            f"class_weight must be {classes} numbers, one a class, or {{class: weight}}, or "
            f"'balanced', not {class_weight!r}"
        )
    return weights.astype(float)


def check_sampling(sampling, class_weight):
    """Raise ValueError for a name that is none, and beside class weights."""
    if sampling not in (None, "balanced"):
        raise ValueError(f"sampling is {sampling!r}; the only name is 'balanced'")
    if sampling and class_weight is not None:
        raise ValueError(
            "sampling='balanced' and class_weight both make rare classes count more, together too "
            "much: choose one"
        )


def check_patience(patience, validation):
    """patience as an int, or None. Raises ValueError."""
    if patience is None:
        return None
    patience = whole("patience", patience, 1)
    if validation is None:
        raise ValueError("patience needs validation data, whose accuracy it watches")
    return patience


def make_optimizer(optimizer, net, lr):
    """The optimiser of net: Adam by default; a name, a class, or one that is made already.

    Raises ValueError, also for lr beside one that has its own, and for a net without parameters;
    TypeError. Warns of parameters that it does not step.
    """
    if not any(True for _ in net.params()):
        raise ValueError(
            f"{type(net).__name__} has no parameters to train: its layers are frozen, or it is a "
            "network of whole numbers, which is made of a trained one"
        )
    rate = {} if lr is None else {"lr": lr}
    if optimizer is None:
        return optim.Adam(net.params(), **rate)
    if isinstance(optimizer, str):
        if optimizer.lower() not in optim.OPTIMIZERS:
            raise unknown("optimizer", optimizer, optim.OPTIMIZERS)
        optimizer = optim.OPTIMIZERS[optimizer.lower()]
    if isinstance(optimizer, type) and issubclass(optimizer, optim.Optimizer):
        return optimizer(net.params(), **rate)
    if not all(hasattr(optimizer, name) for name in ("params", "step", "zero_grad", "lr")):
        raise TypeError(
            f"optimizer must be one of numpycnn.optim, or its name, not {optimizer!r}: "
            "optim.Adam(net.params(), lr=0.001), or 'adam'"
        )
    if lr is not None:
        raise ValueError(
            f"lr={lr!r} beside an optimizer, whose own is {optimizer.lr:g}: "
            "give it to the optimizer alone"
        )
    stepped, own = {id(param) for param in optimizer.params}, named_params(net)
    if stepped - {id(param) for param in own.values()}:
        raise ValueError(
            "the optimizer steps parameters that are not net's: make it of net.params()"
        )
    if left := [name for name, param in own.items() if id(param) not in stepped]:
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        warnings.warn(
            f"not stepped by the optimizer: {', '.join(left[:3])}{more}; make it of net.params(), "
            "after the last change of net, or put what is to stay in layers.Frozen",
            stacklevel=3,
        )
    return optimizer


def check_schedule(schedule, factor):
    """Raise ValueError where a schedule's function gives no factor of lr: finite, at least 0."""
    for t in np.linspace(0, 1, 11).tolist():
        value = factor(t)
        number = isinstance(value, (int, float, np.integer, np.floating))
        if not number or not 0 <= round(value, 9) < np.inf:
            raise ValueError(
                f"schedule {_name(schedule)} gives {value!r} after {t:.0%} of training; expected "
                "a factor of lr, finite and at least 0"
            )


def check_clip(clip):
    """Raise ValueError for what is no norm to clip gradients to."""
    if clip is not None:
        optim.clip_gradients((), clip)


def phases(augment):
    """share of the epochs that are done -> the augmentation in force. Raises ValueError.

    `augment` is None, a function of (x, rng), or pairs [(0.6, first), (1.0, second)].
    """
    if augment is None or callable(augment):
        return lambda t: augment
    pairs = list(augment) if isinstance(augment, (list, tuple)) else [augment]
    if not all(_is_phase(pair) for pair in pairs):
        raise ValueError(
            f"augment must be a function of (x, rng), or pairs (share, function), not {augment!r}"
        )
    ends = [end for end, _ in pairs]
    if not ends or sorted(ends) != ends or not ends[-1] >= 1:
        raise ValueError(
            f"augment's phases end at {ends}; "
            "expected rising shares of the epochs, the last of them 1"
        )
    return lambda t: next(step for end, step in pairs if t < end)


def _is_phase(pair):
    if not isinstance(pair, (list, tuple)) or len(pair) != 2:
        return False
    return pair[1] is None or callable(pair[1])


# ---- what resume compares -----------------------------------------------------------------------


def settings(
    x, y, validation, out, *, epochs, batch_size, seed, optimizer, schedule, factor, augment,
    label_smoothing, class_weight, teacher, temperature, sampling, ema, clip, patience,
):  # fmt: skip
    """fit's settings and fingerprints of its data, in JSON's kinds: the names are those on disk."""
    return {
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
        "lr": optimizer.lr,
        "schedule": _name(schedule),
        "augment": _name(augment),
        "label_smoothing": label_smoothing,
        "teacher": None if teacher is None else [distributed.weights(teacher), temperature],
        "sampling": sampling,
        "ema": ema,
        "clip": clip,
        "patience": patience,
        "class_weight": None if class_weight is None else class_weight.tolist(),
        "images": len(x),
        "crc32 of the data": _crc32(x, y) if out else None,
        "crc32 of the validation data": _crc32(*validation) if out and validation else None,
        "optimizer": _numbers(optimizer),
        "schedule from 0 to 1": [round(factor(t), 9) for t in np.linspace(0, 1, 11)],
    }


def _numbers(optimizer):
    """An optimiser's settings, momentum and the like; its lr and steps are compared elsewhere."""
    inner = getattr(optimizer, "optimizer", optimizer)  # of an average (optim.EMA) that of weights
    numbers = {
        name: value
        for name, value in vars(inner).items()
        if isinstance(value, (bool, int, float)) and name not in ("lr", "steps")
    }
    factors = getattr(inner, "factors", [])
    return numbers if set(factors) <= {1.0} else {**numbers, "factors": list(factors)}


def _crc32(x, y):
    found = 0
    for array in (x, y):
        for _, piece in pieces(array):
            found = zlib.crc32(np.ascontiguousarray(piece), found)
    return found


def _name(function):
    """A function's name; of what was made of others, theirs."""
    if function is None or isinstance(function, str):
        return function
    if isinstance(function, (list, tuple)):
        return [[end, _name(step)] for end, step in function]
    if isinstance(function, functools.partial):
        return [_name(function.func), repr(function.args), repr(sorted(function.keywords.items()))]
    if hasattr(function, "steps"):  # of augment.compose
        return [_name(step) for step in function.steps]
    return getattr(function, "__qualname__", type(function).__name__)


def compare(ranks, net, settings):
    """Raise RankError, on all ranks, where one has another code, data, settings or weights."""
    if ranks.size == 1:
        return
    data = {key: settings[key] for key in settings if key == "images" or key.startswith("crc32")}
    rest = {key: value for key, value in settings.items() if key not in data}
    ranks.compare(  # settings before data, as the command's trial (cli/announcement.py) takes a few
        code=distributed.code(),
        settings={**rest, "backend": backend.backend()},
        data=data,
        weights=distributed.weights(net),  # and random states
    )

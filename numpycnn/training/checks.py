"""What fit, evaluate and predict check before they begin, and what resume compares."""

import functools
import zlib

import numpy as np

from .. import optim
from ..errors import ShapeError
from ..ops.loss import check_labels

# ---- data ---------------------------------------------------------------------------------------


def check_data(net, x, y):
    """Images and labels fit for net, as (x, y). Raises ShapeError, TypeError, ValueError."""
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        raise ShapeError(
            f"there are images of the shape {x.shape} but labels of the shape {y.shape}"
        )
    if len(x) == 0:
        raise ShapeError("there are no images to train or evaluate on")
    x = as_input(net, x)
    if x.dtype.kind == "f":
        wrong = ~np.isfinite(x)
        if wrong.any():
            first = [int(i) for i in np.unravel_index(wrong.argmax(), x.shape)]
            raise ValueError(
                f"{wrong.sum()} values of the images are NaN or infinite, the first is x{first}"
            )
    return x, check_labels(y, len(y), count_classes(net, x))


def check_validation(net, validation):
    """The pair (x, y) fit for net, or None. The same errors, which name it."""
    if validation is None:
        return None
    try:
        return check_data(net, *validation)
    except (ValueError, TypeError) as error:
        raise type(error)(f"validation: {error}") from None


def count_classes(net, x):
    """How many logits net gives for images like x.

    Raises ShapeError when these do not fit net, or when it gives no logits.
    """
    shape = net.infer(x[:1]).shape
    if len(shape) != 2:
        raise ShapeError(
            f"net gives {shape} for one image; expected logits (1, K): "
            "end in Flatten or a pool, and Dense"
        )
    return shape[1]


def as_input(net, x):
    """uint8 as it is; floating point in the dtype of the network's parameters. Raises TypeError."""
    x = np.asarray(x)
    if x.dtype == np.uint8:
        return x
    if x.dtype.kind != "f":
        raise TypeError(f"images must be uint8 (0..255) or floating point, not {x.dtype}")
    dtype = next((p.value.dtype for p in net.params()), np.dtype(np.float32))
    with np.errstate(over="ignore"):  # becomes infinite, which check_data refuses
        return x.astype(dtype, copy=False)


# ---- settings -----------------------------------------------------------------------------------


def whole(name, value, least):
    """The value as an int. Raises ValueError unless it is a whole number of at least `least`."""
    number = isinstance(value, (int, float, np.integer)) and not isinstance(value, bool)
    if not number or not value >= least or value % 1:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")
    return int(value)


def check_loss(loss, net, x, y, class_weight):
    """Raise for settings of the loss that it refuses, or with which a batch may have no weight."""
    zeros = np.zeros((len(y), count_classes(net, x)))
    loss(zeros, y)
    if class_weight is not None and not np.all(np.asarray(class_weight)[np.unique(y)]):
        raise ValueError(
            "class_weight is 0 for a class that occurs: a batch may have no other; "
            "leave its images out"
        )


def check_patience(patience, validation):
    """patience as an int, or None. Raises ValueError."""
    if patience is None:
        return None
    patience = whole("patience", patience, 1)
    if validation is None:
        raise ValueError("patience needs validation data, whose accuracy it watches")
    return patience


def check_optimizer(optimizer, net):
    """Raise ValueError where the optimiser steps parameters of another network."""
    foreign = {id(param) for param in optimizer.params} - {id(param) for param in net.params()}
    if foreign:
        raise ValueError(
            "the optimizer steps parameters that are not net's: make it of net.params()"
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
    label_smoothing, class_weight, ema, clip, patience,
):  # fmt: skip
    """fit's settings and fingerprints of its data, in JSON's kinds: the names are those on disk."""
    weights = None if class_weight is None else np.asarray(class_weight, float).tolist()
    return {
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
        "lr": optimizer.lr,
        "schedule": _name(schedule),
        "augment": _name(augment),
        "label_smoothing": label_smoothing,
        "ema": ema,
        "clip": clip,
        "patience": patience,
        "class_weight": weights,
        "images": len(x),
        "crc32 of the data": _crc32(x, y) if out else None,
        "crc32 of the validation data": _crc32(*validation) if out and validation else None,
        "optimizer": _numbers(optimizer),
        "schedule from 0 to 1": [round(factor(t), 9) for t in np.linspace(0, 1, 11)],
    }


def _numbers(optimizer):
    """An optimiser's settings, momentum and the like; its lr and steps are compared elsewhere."""
    inner = getattr(optimizer, "optimizer", optimizer)  # of an average (optim.EMA) that of weights
    return {
        name: value
        for name, value in vars(inner).items()
        if isinstance(value, (bool, int, float)) and name not in ("lr", "steps")
    }


def _crc32(x, y):
    return zlib.crc32(np.ascontiguousarray(y), zlib.crc32(np.ascontiguousarray(x)))


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

"""What fit, evaluate and predict check of images and labels before they begin."""

import copy
import warnings

import numpy as np

from ..data.arrays import missing_classes
from ..data.rows import lazy
from ..errors import ShapeError
from ..ops.loss import check_labels
from . import pixels


def check_data(net, x, y, seen=None):
    """Images and labels fit for net, as (x, y). Raises ShapeError, TypeError, ValueError.

    seen: a pixels.Scale that x must have, by default the one that net was trained on.
    """
    x, y = lazy(x), np.asarray(y)
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        raise ShapeError(
            f"there are images of the shape {x.shape} but labels of the shape {y.shape}"
        )
    if len(x) == 0:
        raise ShapeError("there are no images to train or evaluate on")
    x = check_images(net, x, seen)
    y = y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y  # Keras's form, (N, 1)
    return x, check_labels(y, len(y), count_classes(net, x))


def check_images(net, x, seen=None, finite=True):
    """Images fit for net, in its dtype and on its scale. Raises TypeError, ValueError."""
    x = as_input(net, x)
    if x.size:
        pixels.check(net, x, seen=seen, finite=finite)
    return x


def check_validation(net, validation, scale):
    """The pair (x, y) fit for net, or None. The same errors, which name it.

    `scale` is that of the training images (a pixels.Scale).
    """
    if validation is None:
        return None
    try:
        return check_data(net, *validation, seen=scale)
    except (ValueError, TypeError) as error:
        raise type(error)(f"validation: {error}") from None


def checked_augment(augment, net, scale):
    """`augment`, whose batches are checked: of the images' kind, and on the scale of training."""
    if augment is None:
        return None

    def augmented(x, rng):
        batch = augment(x, rng)
        if not isinstance(batch, np.ndarray) or batch.ndim != x.ndim or len(batch) != len(x):
            came = getattr(batch, "shape", type(batch).__name__)
            raise ShapeError(f"augment made {came} of a batch {x.shape}; expected as many images")
        if batch.dtype != x.dtype:
            try:
                batch = as_input(net, batch)
            except TypeError as error:
                raise TypeError(f"augment: {error}; return batch.astype(x.dtype)") from None
        pixels.check(net, batch, "the augmented images", scale, pixels.MARGIN)
        return batch

    return augmented


def count_classes(net, x):
    """How many logits net gives for images like x.

    Raises ShapeError when these do not fit net, or when it gives no logits.
    """
    shape = net.infer(np.array(x[:1])).shape  # a layer of one's own may write into a copy
    if len(shape) != 2:
        raise ShapeError(
            f"net gives {shape} for one image; expected logits (1, K): "
            "end in Flatten or a pool, and Dense"
        )
    check_outputs(shape)
    return shape[1]


def check_outputs(shape):
    """Raise ShapeError for logits (N, 1): their softmax is 1 for any image."""
    if shape[1:] == (1,):
        raise ShapeError(
            "net has one output; softmax cross-entropy needs one output a class, "
            "2 outputs for two classes: Dense(features, 2)"
        )


def as_input(net, x):
    """uint8 as it is; floating point in the dtype of the network's parameters. Raises TypeError."""
    x = lazy(x)
    if x.dtype == np.uint8:
        return x
    if x.dtype.kind != "f":
        raise TypeError(f"images must be uint8 (0..255) or floating point, not {x.dtype}")
    dtype = next((p.value.dtype for p in net.params()), np.dtype(np.float32))
    with np.errstate(over="ignore"):  # becomes infinite, which pixels.measure refuses
        return x.astype(dtype, copy=False)


def note_missing_classes(net, x, y, names):
    """Warn of classes that the network has and no label in y (N,). names: K of them, or None."""
    classes = count_classes(net, x)
    if not isinstance(names, (list, tuple)) or len(names) != classes:
        names = range(classes)
    if sentence := missing_classes(y, names):
        warnings.warn(sentence, stacklevel=3)


def check_last_batch(net, x, batch_size):
    """Refuse an epoch that ends in a batch of one image, where net cannot train on one.

    Batch norm of one value a channel has no variance. Raises ValueError, before the first step.
    """
    if len(x) % batch_size != 1 and batch_size != 1:
        return
    try:
        copy.deepcopy(net).forward(np.array(x[:1]), train=True)
    except ValueError as error:
        cause = str(error).partition(";")[0]  # its advice is about any batch
        sizes = (*range(batch_size - 1, 1, -1), *range(2, len(x) + 1))
        better = next((size for size in sizes if len(x) % size != 1), None)
        advice = (
            f"use batch_size={better}, or leave one image out" if better else "give more images"
        )
        raise ValueError(
            f"{len(x)} images in batches of batch_size={batch_size} leave a last batch of one "
            f"image, on which this network cannot train ({cause}); {advice}"
        ) from None

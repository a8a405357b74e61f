"""What the command line's CHECKPOINT and IMAGE mean: the arguments of `explain`."""

import warnings
from pathlib import Path

import numpy as np

from .. import data
from ..data.datasets import load_for
from ..errors import printable
from ..layers.base import fact
from ..models.coder import one_hot, with_classes
from ..models.gan import GAN

BATCH = 32  # images in the run in training


def arguments(net, where, label=None, train=BATCH, name=None):
    """-> {argument of explain: value} for a network of a checkpoint and an image.

    where: a picture file, or NAME:INDEX, a test image; `train` images in the batch (0: no run in
    training) are training images of the data set `name`, by default the image's own or the
    network's. Data that are not here, and nobody asked for by name, are left out. Raises
    ValueError, DatasetError, UnknownNameError.
    """
    if train == 1:
        raise ValueError("--train 1: a batch of one has no variance; expected 0, or at least 2")
    image, own, dataset = image_of(net, where)
    label = own if label is None else label
    classes = getattr(net, "classes", 0)  # of a conditional network: they stand beside the image
    judge, given = net, {"classes": net.metadata.get("classes"), "label": label}
    if isinstance(net, GAN):
        if net.critic is None:
            raise ValueError("this GAN was saved without its critic, so no image goes into it")
        judge = net.critic
    batch = None
    if train:
        dataset = _dataset(net, name, dataset)
    if train and dataset is not None:
        batch = dataset.x_train[: train - 1], dataset.y_train[: train - 1]
        if batch[0].shape[1:] != image.shape:
            raise ValueError(
                f"--data {dataset.name}: its images are {batch[0].shape[1:]}, "
                f"expected {image.shape} as this one"
            )
    if classes or _draws(net):
        del given["label"]
        given["target"], plain = image, batch
        labels = [0 if label is None else label]
        image = with_classes(image[None], one_hot(labels, classes))[0]
        if batch:
            batch = with_classes(batch[0], one_hot(batch[1], classes)), batch[0]
        if isinstance(net, GAN):
            given["target"] = None
            batch = batch and (batch[0], np.ones((len(plain[0]), 1), np.float32))
    return {"net": judge, "image": image, "batch": batch, **given}


def _draws(net):
    return (fact(net, "spec") or {}).get("model") in ("autoencoder", "denoiser", "vae", "gan")


def image_of(net, where):
    """-> image uint8 (H, W, C), its label or None, its data set or None."""
    name, _, index = where.rpartition(":")
    if not (name and index.isdecimal()) or Path(where).exists():
        return data.read_for(net.metadata, where, _shape(net)), None, None
    # without Fashion-MNIST a drawn garment serves
    dataset = data.load_default() if name == "fashion-mnist" else _load(net, name)
    known = net.metadata.get("classes")
    dataset = dataset.in_order(known)
    if dataset.name != name:
        warnings.warn(f"{where}: {dataset.source}", stacklevel=2)
    elif known and [printable(one) for one in known] != [*dataset.classes]:
        warnings.warn(f"{where}: its label counts other classes than the network's", stacklevel=2)
    if int(index) >= len(dataset.x_test):
        raise ValueError(f"{where}: {name} has the test images 0 to {len(dataset.x_test) - 1}")
    return dataset.x_test[int(index)], int(dataset.y_test[int(index)]), dataset


def _dataset(net, name, dataset):
    if name is not None:
        return _load(net, name)
    usual = net.metadata.get("data", "fashion-mnist")
    if dataset is None and isinstance(usual, str) and data.present(usual):
        return _load(net, usual)
    return dataset


def _load(net, name):
    return load_for(net.metadata, name, _shape(net))


def _shape(net):
    shape = fact(net, "input_shape") or ()
    return shape if len(shape) == 3 else (28, 28, 1)  # a GAN's is that of its codes

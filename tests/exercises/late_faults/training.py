"""Wrong answers: lsuv, train_epoch."""

import numpy as np

from numpycnn import ops

from . import late


@late(
    "lsuv",
    "the next layer gets the old output",
    "w of layer 2: the next layer gets the output from before",
)
def _(layers, x):
    for layer in layers:
        y, _ = layer.forward(x)
        if hasattr(layer, "w"):
            layer.w.value /= y.std()
        x = y


@late("lsuv", "the mean square", "w of layer 1: the root of the mean square is used: the mean")
def _(layers, x):
    for layer in layers:
        if hasattr(layer, "w"):
            layer.w.value /= np.sqrt(np.mean(layer.forward(x)[0] ** 2))
        x = layer.forward(x)[0]


@late("lsuv", "divides by the variance", "w of layer 1: it is divided by the variance, not by its")
def _(layers, x):
    for layer in layers:
        if hasattr(layer, "w"):
            layer.w.value /= layer.forward(x)[0].var()
        x = layer.forward(x)[0]


@late("lsuv", "only the first layer", "w of layer 2: only the first layer is scaled")
def _(layers, x):
    layers[0].w.value /= layers[0].forward(x)[0].std()


@late("lsuv", "nothing is changed: works on copies", "w of layer 1: nothing is scaled")
def _(layers, x):
    for layer in layers:
        y, _ = layer.forward(x)
        if hasattr(layer, "w"):
            w = layer.w.value / y.std()
            assert w.shape
        x = y


@late(
    "lsuv",
    "the deviation of the input",
    "w of layer 1: the deviation of the layer's input is used,",
)
def _(layers, x):
    for layer in layers:
        if hasattr(layer, "w"):
            layer.w.value /= x.std()
        x, _ = layer.forward(x)


@late(
    "train_epoch", "zero_grad forgotten", "losses: the gradients are never forgotten: they add up"
)
def _(net, optimizer, batches):
    losses = []
    for x, labels in batches:
        logits, cache = net.forward(x, train=True)
        loss, d = ops.softmax_cross_entropy(logits, labels)
        net.backward(d, cache)
        optimizer.step()
        losses.append(loss)
    return losses


@late("train_epoch", "only the last loss")
def _(net, optimizer, batches):
    for x, labels in batches:
        optimizer.zero_grad()
        logits, cache = net.forward(x, train=True)
        loss, d = ops.softmax_cross_entropy(logits, labels)
        net.backward(d, cache)
        optimizer.step()
    return loss


@late(
    "train_epoch",
    "one step after all batches",
    "losses: one step is made after all batches, not one for",
)
def _(net, optimizer, batches):
    losses = []
    optimizer.zero_grad()
    for x, labels in batches:
        logits, cache = net.forward(x, train=True)
        loss, d = ops.softmax_cross_entropy(logits, labels)
        net.backward(d, cache)
        losses.append(loss)
    optimizer.step()
    return losses


@late("train_epoch", "the labels are one place off")
def _(net, optimizer, batches):
    losses = []
    for x, labels in batches:
        optimizer.zero_grad()
        logits, cache = net.forward(x, train=True)
        loss, d = ops.softmax_cross_entropy(logits, np.roll(labels, 1))
        net.backward(d, cache)
        optimizer.step()
        losses.append(loss)
    return losses


@late(
    "train_epoch",
    "train=True is missing",
    "losses: the network is not told that it trains: train=True",
)
def _(net, optimizer, batches):
    losses = []
    for x, labels in batches:
        optimizer.zero_grad()
        logits, cache = net.forward(x)
        loss, d = ops.softmax_cross_entropy(logits, labels)
        net.backward(d, cache)
        optimizer.step()
        losses.append(loss)
    return losses


@late("train_epoch", "the mean of the losses", "losses: all steps have their mean")
def _(net, optimizer, batches):
    losses = []
    for x, labels in batches:
        optimizer.zero_grad()
        logits, cache = net.forward(x, train=True)
        loss, d = ops.softmax_cross_entropy(logits, labels)
        net.backward(d, cache)
        optimizer.step()
        losses.append(loss)
    return [np.mean(losses)] * len(losses)


@late("train_epoch", "two passes over the batches", "losses: two passes are made over the batches")
def _(net, optimizer, batches):
    for _ in range(2):
        losses = []
        for x, labels in batches:
            optimizer.zero_grad()
            logits, cache = net.forward(x, train=True)
            loss, d = ops.softmax_cross_entropy(logits, labels)
            net.backward(d, cache)
            optimizer.step()
            losses.append(loss)
    return losses


@late(
    "train_epoch",
    "step before backward",
    "losses: the step is made before the backward pass: it uses",
)
def _(net, optimizer, batches):
    losses = []
    for x, labels in batches:
        logits, cache = net.forward(x, train=True)
        loss, d = ops.softmax_cross_entropy(logits, labels)
        optimizer.step()
        optimizer.zero_grad()
        net.backward(d, cache)
        losses.append(loss)
    return losses


@late(
    "train_epoch",
    "gradient of the loss multiplied by the loss",
    "exactly the cells of all steps but the first",
)
def _(net, optimizer, batches):
    losses = []
    for x, labels in batches:
        optimizer.zero_grad()
        logits, cache = net.forward(x, train=True)
        loss, d = ops.softmax_cross_entropy(logits, labels)
        net.backward(d * loss, cache)
        optimizer.step()
        losses.append(loss)
    return losses

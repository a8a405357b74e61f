"""The training loop."""

import copy
import itertools

import numpy as np

from ... import layers, ops, optim
from .. import reference
from ..exercise import Exercise, Probe, Trouble
from .common import noise


def _net(rng):
    return layers.Sequential(
        layers.Dense(4, 5, rng=rng), layers.BatchNorm(5), layers.ReLU(), layers.Dense(5, 3, rng=rng)
    )


def _train_probes(rng):
    for steps, left, momentum in itertools.product((1, 3), ("none", "left over"), (0.0, 0.9)):
        net = _net(rng)
        optimizer = optim.SGD(net.params(), 0.1, momentum=momentum)
        batches = [
            (noise(rng, 6, 4).astype(np.float32), rng.integers(0, 3, 6)) for _ in range(steps)
        ]
        if left != "none":
            net.backward(np.ones((6, 3), np.float32), net.forward(batches[0][0], train=True)[1])
        about = {"batches": steps, "gradients before": left, "momentum": momentum}
        args = {"net": net, "optimizer": optimizer, "batches": batches}
        yield Probe(args, about, {"steps": steps})


def _train_run(function, args):
    losses = function(*args.values())
    if losses is None:
        raise Trouble("it returns nothing: expected the losses, a list")
    return {"losses": np.asarray(losses)} | _state(args["net"])


def _state(net):
    first, norm, _, last = net.layers
    return {
        "first weights": first.w.value,
        "last weights": last.w.value,
        "running mean": norm.running_mean,
    }


def _own(a):
    """The student's arguments, without what came out of them."""
    return {name: a[name] for name in ("net", "optimizer", "batches")}


def _loop(order="zero forward loss backward step", train=True, same=False, target=None, each=None):
    """A twin: the loop with its steps in another order."""

    def function(net, optimizer, batches):
        losses = []
        for x, labels in batches:
            x, labels = batches[0] if same else (x, labels)
            for action in order.split():
                if action == "zero":
                    optimizer.zero_grad()
                elif action == "forward":
                    logits, cache = net.forward(x, train=train)
                elif action == "loss":
                    loss, dlogits = ops.softmax_cross_entropy(logits, labels)
                    dlogits = target(dlogits) if target else dlogits
                elif action == "backward":
                    net.backward(dlogits, cache)
                else:
                    optimizer.step()
            losses.append(each(loss, x) if each else loss)
        return losses

    return lambda a: _train_run(function, copy.deepcopy(_own(a)))


def _at_the_end(a):
    """One step, with the gradients of all batches."""

    def function(net, optimizer, batches):
        losses = []
        optimizer.zero_grad()
        for x, labels in batches:
            logits, cache = net.forward(x, train=True)
            loss, dlogits = ops.softmax_cross_entropy(logits, labels)
            net.backward(dlogits, cache)
            losses.append(loss)
        optimizer.step()
        return losses

    return _train_run(function, copy.deepcopy(_own(a)))


def _part(chosen):
    """A twin: some of the batches."""

    def twin(a):
        a = copy.deepcopy(_own(a))
        return _train_run(reference.train_epoch, a | {"batches": a["batches"][chosen]})

    return twin


def _measured_after(a):
    def function(net, optimizer, batches):
        losses = []
        for x, labels in batches:
            optimizer.zero_grad()
            logits, cache = net.forward(x, train=True)
            net.backward(ops.softmax_cross_entropy(logits, labels)[1], cache)
            optimizer.step()
            losses.append(ops.softmax_cross_entropy(net.forward(x)[0], labels)[0])
        return losses

    return _train_run(function, copy.deepcopy(_own(a)))


def _smoothed(a):
    def function(net, optimizer, batches):
        losses = []
        for x, labels in batches:
            optimizer.zero_grad()
            logits, cache = net.forward(x, train=True)
            loss, dlogits = ops.softmax_cross_entropy(logits, labels, 0.1)
            net.backward(dlogits, cache)
            optimizer.step()
            losses.append(loss)
        return losses

    return _train_run(function, copy.deepcopy(_own(a)))


def _twice(a):
    a = copy.deepcopy(_own(a))
    reference.train_epoch(**a)
    return _train_run(reference.train_epoch, a)


def _once(a):
    a = copy.deepcopy(_own(a))
    a["optimizer"].zero_grad()
    return _loop("forward loss backward step")(a)


TRAIN = Exercise(
    "train_epoch",
    "the training loop",
    4,
    ("exercises/reference.py", "train_epoch"),
    (),
    _train_probes,
    reference.train_epoch,
    "One pass over the batches. Gradients add up until they are forgotten, and layers such "
    "as batch "
    "norm must be told that they train.",
    ">>> from numpycnn import layers, optim\n"
    ">>> net = layers.Dense(1, 2, rng=np.random.default_rng(0))\n"
    ">>> net.w.value[...] = 0\n"
    ">>> batches = [(np.ones((1, 1), np.float32), np.array([0]))]\n"
    ">>> [loss] = train_epoch(net, optim.SGD(net.params(), 0.1), batches)\n"
    ">>> round(loss, 4)  # log 2: both classes are as likely\n"
    "0.6931",
    run=_train_run,
    axes={"losses": ("step",)},
    float32=False,
    tolerance=1e-5,
    twins={
        "": [
            ("the gradients are never forgotten: they add up", _loop("forward loss backward step")),
            ("the gradients are forgotten once, before the first batch only", _once),
            (
                "no step is made, or one without gradients: they come after it or are "
                "forgotten before it",
                _loop("zero forward loss backward"),
            ),
            (
                "the step is made before the backward pass: it uses old gradients",
                _loop("forward loss step zero backward"),
            ),
            ("the network is not told that it trains: train=True is missing", _loop(train=False)),
            ("one step is made after all batches, not one for each", _at_the_end),
            ("two passes are made over the batches", _twice),
            ("every step uses the first batch", _loop(same=True)),
            ("the backward pass is made twice", _loop("zero forward loss backward backward step")),
            ("the step is made twice", _loop("zero forward loss backward step step")),
            (
                "the loss is measured again after the step",
                _loop("zero forward loss backward step forward loss"),
            ),
            ("it goes uphill: dlogits has the wrong sign", _loop(target=lambda d: -d)),
            ("dlogits is multiplied by the batch size", _loop(target=lambda d: d * len(d))),
            ("dlogits is divided by the batch size once more", _loop(target=lambda d: d / len(d))),
            ("the labels are smoothed by 0.1, which is not asked for", _smoothed),
            ("the last batch is left out", _part(slice(None, -1))),
            ("the first batch is left out", _part(slice(1, None))),
            ("only the first batch is used", _part(slice(1))),
            ("the loss is measured after the step, without train=True", _measured_after),
            ("the batches are used in reverse order", _part(slice(None, None, -1))),
            ("the loss is multiplied by the batch size", _loop(each=lambda loss, x: loss * len(x))),
            (
                "the loss is divided by the batch size once more",
                _loop(each=lambda loss, x: loss / len(x)),
            ),
        ]
    },
    solution="numpycnn/training/loop.py, _epoch",
    step="examples/one_batch_by_hand.py, from top to bottom",
)

EXERCISES = (TRAIN,)

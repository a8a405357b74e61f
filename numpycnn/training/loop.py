"""fit, evaluate, predict: the loop around forward, loss, backward and step."""

import functools
import time
import zlib

import numpy as np

from .. import ops, optim
from .. import schedule as schedules
from ..data.batches import batches
from ..errors import ShapeError, TrainingDiverged
from ..layers.fused import fuse
from ..metrics import confusion_matrix, per_class
from ..ops.loss import check_labels
from .interrupt import StopRequest
from .progress import Progress, Silence
from .run import History, Run

__all__ = ["History", "evaluate", "fit", "predict"]


def fit(
    net, x, y, *, epochs=10, batch_size=32, optimizer=None, lr=1e-3, schedule="constant", augment=None,
    validation=None, label_smoothing=0.0, class_weight=None, ema=None, clip=None, patience=None, seed=0, out=None,
    resume=False, progress=True, metadata=None,
):  # fmt: skip
    """Train net on images x (N, H, W, C) and integer labels y (N,) by softmax cross-entropy -> History.

    uint8 images go as they are to the network's Standardize layer (which divides by 255); float64 is cast to
    float32. The optimiser is Adam with `lr` unless given. `schedule`: a name or function of schedule.py.
    `augment(x, rng)` changes each batch; of pairs [(0.6, first), (1.0, second)] each is used up to its share of the
    epochs. `validation` is a pair (x, y), looked at after each epoch; with `patience` training ends when its accuracy
    has not risen for so many: net holds the last weights, best.npz the best. `ema` is the decay of an average of the
    weights (optim.EMA), which validation sees and net holds in the end; `clip` the largest norm of a gradient.
    `seed` fixes order and augmentation.

    `out` is the run's folder: last.npz, best.npz (by validation accuracy, without validation by training
    loss), history.csv; an older run's files in it move to previous-1, previous-2, ... `resume` continues from its
    last.npz, with the same data and settings, to the same bits as a run never interrupted.

    Raises ValueError (and ShapeError, TypeError) for bad data or settings before anything changes;
    TrainingDiverged when the loss stops being finite; KeyboardInterrupt after Ctrl-C or SIGTERM, when the step is
    done and last.npz saved; CheckpointError, RunFolderError about `out`.
    """
    epochs, batch_size, seed = (
        _whole("epochs", epochs, 1),
        _whole("batch_size", batch_size, 1),
        _whole("seed", seed, 0),
    )
    factor, phases = schedules.named(schedule), _phases(augment)
    x, y = check_data(net, x, y)
    if validation is not None:
        try:
            validation = check_data(net, *validation)
        except (ValueError, TypeError) as error:
            raise type(error)(f"validation: {error}") from None
    loss = functools.partial(
        ops.softmax_cross_entropy, label_smoothing=label_smoothing, class_weight=class_weight
    )
    loss(
        np.zeros((len(y), _classes(net, x))), y
    )  # refuses wrong settings before anything is written
    if class_weight is not None and not np.all(np.asarray(class_weight)[np.unique(y)]):
        raise ValueError(
            "class_weight is 0 for a class that occurs: a batch may have no other; leave its images out"
        )
    if clip is not None:
        optim.clip_gradients((), clip)  # refuses what is no norm
    if patience is not None:
        patience = _whole("patience", patience, 1)
        if validation is None:
            raise ValueError("patience needs validation data, whose accuracy it watches")
    optimizer = optimizer or optim.Adam(net.params(), lr)
    if {id(param) for param in optimizer.params} - {id(param) for param in net.params()}:
        raise ValueError(
            "the optimizer steps parameters that are not net's: make it of net.params()"
        )
    if ema is not None:
        optimizer = optim.EMA(optimizer, net, ema)
    settings = {
        "epochs": epochs, "batch_size": batch_size, "seed": seed, "lr": optimizer.lr, "schedule": _title(schedule),
        "augment": _title(augment), "label_smoothing": label_smoothing, "ema": ema, "clip": clip, "patience": patience,
        "class_weight": None if class_weight is None else np.asarray(class_weight, float).tolist(),
        "images": len(x), "crc32 of the data": _crc32(x, y) if out else None,
        "crc32 of the validation data": _crc32(*validation) if out and validation else None,
        "optimizer": _numbers(optimizer), "schedule from 0 to 1": [round(factor(t), 9) for t in np.linspace(0, 1, 11)],
    }  # fmt: skip
    run = Run(net, optimizer, out, settings, metadata or {})
    if resume:
        run.restore()
    try:
        return _train(run, loss, x, y, factor, phases, validation, progress, resume)
    finally:
        optimizer.lr = settings["lr"]  # where the next fit with it starts


def _train(run, loss, x, y, factor, augment, validation, progress, resume):
    """The epochs from run.history.epochs on, and the orders to stop between them."""
    epochs, size, seed, top = (run.settings[key] for key in ("epochs", "batch_size", "seed", "lr"))
    steps = -(-len(x) // size)
    done = run.history.epochs * steps + run.step
    with StopRequest() as stop, Progress(epochs, steps, done) if progress else Silence() as bar:
        if not resume:
            run.start()
        while not run.complete():
            epoch = run.history.epochs
            pairs = batches(x, y, size, seed, epoch, augment(epoch / epochs), run.step)
            _epoch(
                run,
                loss,
                pairs,
                lambda step, epoch=epoch: top * factor((epoch + step / steps) / epochs),
                stop,
                bar,
            )
            run.end_epoch(
                validation and (lambda net: score(logits(net, validation[0]), validation[1]))
            )
            bar.epoch(run.history)
            if stop.requested:
                stop.give_up(run.out)
    return run.history


def _epoch(run, loss, pairs, lr_at, stop, bar):
    """The steps of one epoch, from run.step on."""
    optimizer, fast, clock = run.optimizer, fuse(run.net, input_gradient=False), time.perf_counter()
    for xb, yb in pairs:
        optimizer.lr = lr_at(run.step)
        optimizer.zero_grad()
        s, cache = fast.forward(xb, train=True)
        value, ds = loss(s, yb)
        if not np.isfinite(value):
            raise TrainingDiverged(run.history.epochs + 1, run.step + 1, optimizer.lr)
        fast.backward(ds, cache)
        if run.settings["clip"] is not None:
            optim.clip_gradients(optimizer.params, run.settings["clip"])
        optimizer.step()
        correct = int((s.argmax(axis=1) == yb).sum())
        clock, before = time.perf_counter(), clock
        run.end_step(value, correct, len(xb), clock - before)
        bar.step(run)
        if stop.requested:
            run.save_last()
            stop.give_up(run.out)


def _phases(augment):
    """A function of the share of the epochs that are done: which augmentation is in force."""
    if augment is None or callable(augment):
        return lambda t: augment
    pairs = list(augment) if isinstance(augment, (list, tuple)) else [augment]
    if not all(
        isinstance(p, (list, tuple)) and len(p) == 2 and (p[1] is None or callable(p[1]))
        for p in pairs
    ):
        raise ValueError(
            f"augment must be a function of (x, rng), or pairs (share, function), not {augment!r}"
        )
    ends = [end for end, _ in pairs]
    if not ends or sorted(ends) != ends or not ends[-1] >= 1:
        raise ValueError(
            f"augment's phases end at {ends}; expected rising shares of the epochs, the last of them 1"
        )
    return lambda t: next(step for end, step in augment if t < end)


def _whole(name, value, least):
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float, np.integer))
        or not value >= least
        or value % 1
    ):
        raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")
    return int(value)


def _numbers(optimizer):
    """The settings of an optimiser, momentum and the like; lr and steps are looked at by themselves."""
    own = vars(getattr(optimizer, "optimizer", optimizer))  # not those of an average of it
    return {
        k: v
        for k, v in own.items()
        if isinstance(v, (bool, int, float)) and k not in ("lr", "steps")
    }


def _crc32(x, y):
    return zlib.crc32(np.ascontiguousarray(y), zlib.crc32(np.ascontiguousarray(x)))


def _title(function):
    """What resume compares of a function: its name; of what it was made of, theirs."""
    if isinstance(function, (list, tuple)):
        return [[end, _title(step)] for end, step in function]
    if isinstance(function, functools.partial):
        return [_title(function.func), repr(function.args), repr(sorted(function.keywords.items()))]
    if hasattr(function, "steps"):  # of augment.compose
        return [_title(step) for step in function.steps]
    return function if function is None or isinstance(function, str) else getattr(
        function, "__qualname__", type(function).__name__)  # fmt: skip


def check_data(net, x, y):
    """Images and labels fit for net, as (x, y). Raises ShapeError, TypeError, ValueError saying what is wrong."""
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        raise ShapeError(
            f"there are images of the shape {x.shape} but labels of the shape {y.shape}"
        )
    if len(x) == 0:
        raise ShapeError("there are no images to train or evaluate on")
    x = _as_input(net, x)
    if x.dtype.kind == "f":
        wrong = ~np.isfinite(x)
        if wrong.any():
            first = [int(i) for i in np.unravel_index(wrong.argmax(), x.shape)]
            raise ValueError(
                f"{wrong.sum()} values of the images are NaN or infinite, the first is x{first}"
            )
    return x, check_labels(y, len(y), _classes(net, x))


def _classes(net, x):
    """How many logits net has for images like x. Raises ShapeError when these do not fit net, or it gives no logits."""
    shape = net.infer(x[:1]).shape
    if len(shape) != 2:
        raise ShapeError(
            f"net gives {shape} for one image; expected logits (1, K): end in Flatten or a pool, and Dense"
        )
    return shape[1]


def _as_input(net, x):
    """uint8 as it is; floating point in the dtype of the network's parameters."""
    x = np.asarray(x)
    if x.dtype == np.uint8:
        return x
    if x.dtype.kind != "f":
        raise TypeError(f"images must be uint8 (0..255) or floating point, not {x.dtype}")
    dtype = next((p.value.dtype for p in net.params()), np.dtype(np.float32))
    with np.errstate(over="ignore"):  # becomes infinite, which check_data refuses
        return x.astype(dtype, copy=False)


def logits(net, x, batch_size=256, flip=False):
    """(N, K): what net gives before the softmax, with running statistics and without dropout.

    With `flip` the mean of what it gives for each image and for its mirror image.
    """
    fast, x, size = fuse(net), _as_input(net, x), _whole("batch_size", batch_size, 1)
    parts = [x[i : i + size] for i in range(0, max(len(x), 1), size)]
    if flip:
        return np.concatenate(
            [(fast.infer(part) + fast.infer(part[:, :, ::-1])) / 2 for part in parts]
        )
    return np.concatenate([fast.infer(part) for part in parts])


def predict(net, x, batch_size=256, flip=False):
    """Class probabilities (N, K) of images x (N, H, W, C): softmax of the logits. (0, K) for no images.

    Uses running statistics and no dropout, and changes nothing in net. `flip` averages the logits of an image and
    its mirror image (test-time augmentation). Raises ShapeError, TypeError.
    """
    return ops.softmax(logits(net, x, batch_size, flip))[0]


def evaluate(net, x, y, batch_size=256, flip=False):
    """{"loss", "accuracy", "per_class", "confusion"} of net on images x and labels y (N,).

    loss is the mean softmax cross-entropy in nats; per_class and confusion (rows true, columns predicted) as in
    metrics.py; `flip` as in predict. Raises ShapeError, TypeError, ValueError as fit does.
    """
    x, y = check_data(net, x, y)
    return measure(logits(net, x, batch_size, flip), y)


def measure(s, y):
    """What evaluate returns, of logits s (N, K)."""
    loss, accuracy = score(s, y)
    confusion = confusion_matrix(y, s.argmax(axis=1), s.shape[1])
    return {
        "loss": loss,
        "accuracy": accuracy,
        "per_class": per_class(confusion),
        "confusion": confusion,
    }


def score(s, y):
    """(loss, accuracy) of logits s (N, K)."""
    return ops.softmax_cross_entropy(s, y)[0], float((s.argmax(axis=1) == y).mean())

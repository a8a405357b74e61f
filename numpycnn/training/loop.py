"""fit, evaluate, predict: the loop around forward, loss, backward and step."""

import time

import numpy as np

from .. import distributed, ops, optim
from .. import schedule as schedules
from ..data.batches import batches
from ..data.rows import span
from ..errors import TrainingDiverged
from ..layers.base import fact
from ..layers.compiled import Compiled, prepared
from ..layers.fused import fuse
from ..metrics import confusion_matrix, per_class
from ..tables import as_html
from . import arguments, checks, pixels
from . import teacher as teaching
from .history import History
from .interrupt import StopRequest
from .progress import Progress, Silence
from .run import FitRun

LARGEST = 1e6  # a batch's loss: no network comes back from there
MOST = 1 << 24  # logits that validation holds at a time
DRAWN = "a layer draws for its own images only: use ops.whole.draw"
RUINED = 100  # times the loss of guessing, after the last epoch

__all__ = ["History", "evaluate", "fit", "predict"]


def _epoch(run, loss, pairs, lr_at, stop, bar, ranks):
    """The steps of one epoch, from run.step on."""
    net = fuse(run.net, input_gradient=False)
    optimizer, clip = run.optimizer, run.settings["clip"]
    start = time.perf_counter()
    for xb, yb in pairs:  # (N, H, W, C), (N,)
        optimizer.lr = lr_at(run.step)
        optimizer.zero_grad()
        with ranks.batch(len(xb)) as here:  # a slice: of several ranks each has its own images
            logits, cache = net.forward(xb[here], train=True)
            logits = ranks.gather(logits)  # (N, K)
            value, dlogits = loss(logits, yb, xb[here])  # a number, (N, K)
            if not np.isfinite(value) or run.ruined(value, LARGEST):
                state = f"is {value:.1e}" if np.isfinite(value) else "is not finite"
                raise TrainingDiverged(run.epoch + 1, run.step + 1, run.lr, state=state)
            net.backward(dlogits[here], cache)
            ranks.add_up(optimizer.params, stop.requested)
        if clip is not None:
            optim.clip_gradients(optimizer.params, clip)
        optimizer.step()
        correct = int((logits.argmax(axis=1) == yb).sum())
        end = time.perf_counter()
        run.end_step(value, correct, len(xb), end - start)
        start = end
        bar.step(run)
        if signum := ranks.asked(stop.requested):
            ranks.first(run.save_last)
            stop.give_up(run.out, signum)


def _epochs(run, loss, x, y, factor, phases, validate, bar, stop, ranks):
    """The epochs from run.epoch on, and the requests to stop between them."""
    epochs, size = run.settings["epochs"], run.settings["batch_size"]
    seed, top = run.settings["seed"], run.settings["lr"]
    sampling = run.settings["sampling"]
    steps = -(-len(x) // size)

    def lr_at(step):
        return top * factor((run.epoch + step / steps) / epochs)

    while not run.complete():
        augment = phases(run.epoch / epochs)
        pairs = batches(x, y, size, seed, run.epoch, augment, run.step, sampling)
        _epoch(run, loss, pairs, lr_at, stop, bar, ranks)
        ranks.compare(DRAWN, **{"random states": distributed.random_states(run.net)})
        ranks.compare(weights=distributed.weights(run.net))
        run.end_epoch(validate)
        bar.epoch(run.history)
        if signum := ranks.largest(stop.requested or 0):
            stop.give_up(run.out, signum)


def fit(
    net, x, y, *, epochs=10, batch_size=32, optimizer=None, lr=None, schedule="constant",
    augment=None, validation=None, label_smoothing=0.0, class_weight=None, teacher=None,
    temperature=2.0, ema=None, clip=None, sampling=None, patience=None, seed=0, out=None,
    resume=False, progress=True, metadata=None,
):  # fmt: skip
    """Train net on images x (N, H, W, C) and integer labels y (N,) by cross-entropy -> History.

    `epochs` passes over the images, `batch_size` at a time, with a bar unless `progress` is False.
    uint8 images go as they are to the network's Standardize layer (which divides by 255); float64
    is cast to float32. Without Standardize, images, validation and augmented batches must have one
    scale. `label_smoothing` e trains on (1 - e) one-hot + e / K. With a `teacher`, a trained
    network, the loss is ops.distillation at `temperature`: net learns what the teacher says of each
    augmented image, and no label (so label_smoothing and class_weight are refused); `val_loss`
    stays that of labels. `optimizer`: Adam, or another one by name or class, which take `lr` (by
    default their own), or one that is made of net.params(). `class_weight`: K numbers, {class:
    weight}, or "balanced". `sampling` "balanced" draws each class equally often: an epoch still has
    N images, in which those of rare classes repeat (data.balance.draw). `schedule`: a name or
    function of schedule.py. `augment(x, rng)` changes each batch; of pairs [(0.6, first), (1.0,
    second)] each is used up to its share of the epochs. `validation` is a pair (x, y), evaluated
    after each epoch; with `patience` training ends when its accuracy has not risen for so many: net
    holds the last weights, best.npz the best. `ema` is the decay of an average of the weights
    (optim.EMA), which is validated and which net holds in the end; `clip` the largest norm of the
    gradient. `seed` fixes order and augmentation.

    `out` is the run's folder: last.npz, best.npz (by validation accuracy, of equals by validation
    loss; without validation by training loss), history.csv; an older run's files in it move to
    previous-1, previous-2, ... It is locked: another run in it is refused. `resume` continues from
    its last.npz, with the same data and settings, to the same bits as a run never interrupted;
    `epochs` may be others where the learning rate is constant, unless phases of `augment`,
    `patience` or a finished `ema` have ended it. `metadata` goes into the checkpoints: {"classes":
    names, "data": ...}.

    Raises ValueError (and ShapeError, TypeError) for bad data or settings before anything changes;
    TrainingDiverged when the loss is not finite, above 1e6, or in the end far above that of
    guessing; KeyboardInterrupt after Ctrl-C or SIGTERM, when the step is done and last.npz saved;
    CheckpointError, RunFolderError about `out`.
    """
    epochs = arguments.whole("epochs", epochs, 1)
    batch_size = arguments.whole("batch_size", batch_size, 1)
    seed = arguments.whole("seed", seed, 0)
    factor, phases = schedules.named(schedule), arguments.phases(augment)
    arguments.check_schedule(schedule, factor)
    x, y = checks.check_data(net, x, y)
    scale = pixels.measure(x)
    validation = checks.check_validation(net, validation, scale)
    classes, names = checks.count_classes(net, x), (metadata or {}).get("classes")
    class_weight = arguments.weights_of(class_weight, y, classes, names)
    ranks = distributed.current()
    if teacher is not None:
        teaching.check(teacher, x, classes, names, label_smoothing, class_weight)
        teaching.check_apart(teacher, net)
    elif temperature != 2.0:
        raise ValueError(f"temperature={temperature!r} softens a teacher's answers: give a teacher")

    def loss(s, y, x):  # s (N, K) and y (N,) of the whole batch; x: of the images here
        if teacher is None:
            return ops.softmax_cross_entropy(s, y, label_smoothing, class_weight)
        t = ranks.gather(logits(teacher, x, len(x) or 1))  # (N, K)
        return ops.distillation(s, t, temperature)

    arguments.check_loss(loss, x, y, classes, class_weight)
    arguments.check_clip(clip)
    arguments.check_sampling(sampling, class_weight)
    patience = arguments.check_patience(patience, validation)
    optimizer = arguments.make_optimizer(optimizer, net, lr)
    out = out if ranks.leads else None  # the first rank writes, and validates, for all
    checks.check_last_batch(net, x, batch_size)
    checks.note_missing_classes(net, x, y, names)
    net.pixel_scale = scale
    if ema is not None:
        optimizer = optim.EMA(optimizer, net, ema)
    settings = arguments.settings(
        x, y, validation, out or ranks.size > 1, epochs=epochs, batch_size=batch_size, seed=seed,
        optimizer=optimizer, schedule=schedule, factor=factor, augment=augment, clip=clip, ema=ema,
        label_smoothing=label_smoothing, class_weight=class_weight, teacher=teacher,
        temperature=temperature, sampling=sampling, patience=patience,
    )  # fmt: skip
    run = FitRun(net, optimizer, out, settings, metadata or {})

    def checked(share):
        return checks.checked_augment(phases(share), net, scale)

    def validate(net):
        return ranks.first(lambda: score_of(net, *validation))

    try:
        with run.locked(), StopRequest() as stop:
            arguments.compare(ranks, net, settings)
            ranks.first(run.restore if resume else run.start)
            if ranks.size > 1 and resume:
                run.follow(ranks)
            steps = -(-len(x) // batch_size)
            done = run.epoch * steps + run.step
            with Progress(epochs, steps, done) if progress and ranks.leads else Silence() as bar:
                validate = validation and validate
                _epochs(run, loss, x, y, factor, checked, validate, bar, stop, ranks)
        _check_outcome(run, steps, np.log(classes))
        return run.history
    finally:
        optimizer.lr = settings["lr"]  # where the next fit with it starts


def _check_outcome(run, steps, guessing):
    """Raise TrainingDiverged where the last epoch's loss rose far above that of guessing, log K."""
    loss = run.history["loss"][-1]
    if run.ruined(loss, RUINED * guessing):
        state = f"is {loss:.1e}, where guessing gives {guessing:.1f},"
        raise TrainingDiverged(run.epoch, steps, run.lr, state=state)


def evaluate(net, x, y, batch_size=256, flip=False, classes=None):
    """{"loss", "accuracy", "per_class", "confusion"} of net on images x and labels y (N,).

    loss is the mean softmax cross-entropy in nats; per_class and confusion (rows true, columns
    predicted) as in metrics.py; `batch_size` and `flip` as in predict. `classes` are the names that
    the table shows, a data set's `classes`; by default those of net's checkpoint. Raises
    ShapeError, TypeError, ValueError, also for another number of names.
    """
    x, y = checks.check_data(net, x, y)
    s = logits(net, x, batch_size, flip)  # (N, K)
    return measure(s, y, class_names(net, s.shape[1], classes))


def predict(net, x, batch_size=256, flip=False):
    """Class probabilities (N, K) of images x (N, H, W, C): softmax of the logits. (0, K) for none.

    Uses running statistics and no dropout, and changes nothing in net. batch_size images at a time
    go through the network: fewer take less memory. `flip` averages the logits
    of an image and its mirror image (test-time augmentation). Raises ShapeError, TypeError, and
    ValueError for pixels of another scale than the network's, or a batch_size below 1.
    """
    x = checks.check_images(net, x, finite=False)  # what is not finite shows in its image alone
    s = _logits(net, x, batch_size, flip)  # (N, K)
    checks.check_outputs(s.shape)
    return ops.softmax(s)[0]


def logits(net, x, batch_size=256, flip=False):
    """(N, K): what net gives before the softmax, with running statistics and without dropout.

    x (N, H, W, C); with `flip` the mean of the logits of each image and of its mirror image. Raises
    ShapeError, TypeError, ValueError.
    """
    return _logits(net, checks.as_input(net, x), batch_size, flip)


def _logits(net, x, batch_size, flip):
    """logits of images x in net's dtype."""
    fast = net if isinstance(net, Compiled) else prepared(net)
    size = arguments.whole("batch_size", batch_size, 1)

    def of(i):
        part = x[i : i + size]  # (size, H, W, C); copied, as a layer of one's own may write into it
        if not flip:
            return fast.infer(np.array(part))
        return (fast.infer(np.array(part)) + fast.infer(np.array(part[:, :, ::-1]))) / 2

    return np.concatenate([of(i) for i in range(0, max(len(x), 1), size)])


def class_names(net, classes, given=None):
    """The names given, or those that net's checkpoint holds; None where it has none for so many.

    Raises ValueError for another number of names given.
    """
    if given is not None:
        if len(given) != classes:
            raise ValueError(f"{len(given)} names of classes for {classes} outputs")
        return list(map(str, given))
    names = (fact(net, "metadata") or {}).get("classes")
    return names if isinstance(names, list) and len(names) == classes else None


class Evaluation(dict):
    """What evaluate returns. In a notebook: loss, accuracy, and a row for each class."""

    names = None  # of the classes, where they are known

    def _repr_html_(self):
        columns = self["per_class"]
        rows = [
            (name, *(f"{columns[key][k]:.3f}" for key in ("precision", "recall", "f1")))
            + (f"{columns['support'][k]:,}",)
            for k, name in enumerate(self.names or map(str, range(len(self["confusion"]))))
        ]
        title = f"accuracy {self['accuracy']:.2%}, loss {self['loss']:.4f}"
        return as_html([("class", *columns), *rows], title=title)


def measure(logits, y, names=None):
    """What evaluate returns, of logits (N, K) and labels (N,); warnings name classes by `names`."""
    loss, accuracy = score(logits, y)
    confusion = confusion_matrix(y, logits.argmax(axis=1), logits.shape[1])
    result = Evaluation(
        loss=loss, accuracy=accuracy, per_class=per_class(confusion, names), confusion=confusion
    )
    result.names = names
    return result


def score_of(net, x, y):
    """(loss, accuracy) of net on images x, labels y (N,); at most MOST logits stand in memory."""
    rows = max(256, MOST // checks.count_classes(net, x) // 256 * 256)
    starts = range(0, len(x), rows)
    parts = [score(logits(net, span(x, i, i + rows)), y[i : i + rows]) for i in starts]
    if len(parts) == 1:
        return parts[0]
    sizes = [min(rows, len(x) - i) for i in starts]
    return tuple(float(np.average(values, weights=sizes)) for values in zip(*parts, strict=True))


def score(logits, y):
    """(loss, accuracy) of logits (N, K) and labels (N,)."""
    loss, _ = ops.softmax_cross_entropy(logits, y)
    return loss, float((logits.argmax(axis=1) == y).mean())

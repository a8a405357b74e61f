"""The statistics of a network's layers: activations as in use, gradients as in training."""

import copy
from dataclasses import asdict, dataclass

import numpy as np

from .. import ops, optim
from ..errors import ShapeError
from ..layers import ReLU
from ..layers.traverse import named_params, watch
from ..tables import aligned, as_html
from ..training.checks import check_data
from ..training.loop import score
from .saliency import unfused
from .table import HEADS, cells
from .updates import Steps, ratios


@dataclass
class Statistics:
    """Mean, standard deviation and share of zeros of all values."""

    mean: float
    deviation: float
    zeros: float


@dataclass
class Row:
    """One layer: statistics of its output and of dL/d(output), L the loss of one image.

    units, dead: its channels, and how many of them were 0 everywhere (ReLU only). signal: root mean
    square over the images of ||dL_n/dx_n||, x its input, and update: ||dw|| / ||w|| of one step
    (layers with weights only).
    """

    path: str
    kind: str
    shape: tuple
    activation: Statistics
    gradient: Statistics = None
    units: int = None
    dead: int = None
    signal: float = None
    update: float = None


@dataclass(repr=False)
class Examination:
    """The rows, and what they were measured with.

    images: in the forward pass; gradient_images: in the backward pass, in batches of batch_size;
    lr, rule: of the update ratio; loss, accuracy: over the images.
    """

    layers: list
    images: int
    gradient_images: int
    batch_size: int
    lr: float
    rule: str
    loss: float
    accuracy: float

    def __repr__(self):
        return f"Examination: {len(self.layers)} layers, {self._facts()}"

    def __str__(self):
        return "\n".join([*aligned(self._table(), left=2), self._facts()])

    def _repr_html_(self):
        return as_html(self._table(), left=2, lines=[self._facts()])

    def _table(self):
        return [HEADS, *(cells(asdict(row)) for row in self.layers)]

    def _facts(self):
        return f"{self.images:,} images: loss {self.loss:.4f}, accuracy {self.accuracy:.2%}"


def examine(net, x, y, *, steps=None, lr=None, gradient_images=512, batch_size=32):
    """The statistics of net, unfused, with shuffled training images x (N, H, W, C), labels y (N,).

    Activations and dead units over all N with train=False; gradients over the first
    `gradient_images`, in whole batches, with train=True (batch statistics, dropout), on a copy:
    nothing in net changes. The update ratio is that of the optimiser's last step (`steps`: a
    Steps), or of Adam's after these batches, at `lr` (default: the optimiser's, or 1e-3). Raises
    ShapeError, TypeError, ValueError for what is no classifier or does not fit it.
    """
    unfused(net)
    x, y = check_data(net, x, y)
    net = copy.deepcopy(net)
    rows, loss, accuracy = _forward(net, x, y, max(batch_size, 64))
    batch_size = min(batch_size, len(x))
    used = max(min(gradient_images, len(x)) // batch_size, 1) * batch_size
    adam = _backward(net, x[:used], y[:used], batch_size, rows)
    if steps is None or not steps.usable:
        rule = (
            f"Adam's step after {used // batch_size} batches of {batch_size}, "
            "without an earlier state"
        )
        steps = Steps.of(net, adam, rule, 1e-3 if steps is None else steps.lr)
    lr = steps.lr if lr is None else lr
    for path, ratio in ratios(net, steps, lr).items():
        rows[path].update = ratio
    return Examination([*rows.values()], len(x), used, batch_size, lr, steps.rule, loss, accuracy)


class _Moments:
    """Sums over arrays, from which their joint Statistics follow."""

    def __init__(self):
        self.count = self.total = self.squares = self.zero = 0

    def add(self, array):
        a = array.astype(np.float64)
        self.count += a.size
        self.zero += a.size - np.count_nonzero(a)
        self.total += a.sum()
        self.squares += np.square(a).sum()

    def statistics(self):
        mean = self.total / self.count
        variance = self.squares / self.count - mean * mean
        deviation = np.sqrt(variance) if not variance <= 0 else 0.0  # nan stays nan
        return Statistics(float(mean), float(deviation), self.zero / self.count)


def _forward(net, x, y, size):
    """-> {path: Row} in the order of the calls, loss, accuracy."""
    rows, moments, alive, logits = {}, {}, {}, []

    def on_forward(path, layer, _, y, __):
        if path not in rows:
            rows[path] = Row(path, type(layer).__name__, y.shape[1:], None)
            moments[path] = _Moments()
        moments[path].add(y)
        if isinstance(layer, ReLU):
            active = (y > 0).any(axis=tuple(range(y.ndim - 1)))  # (C,)
            alive[path] = alive.get(path, False) | active

    with watch(net, on_forward), np.errstate(over="ignore", invalid="ignore"):
        for i in range(0, len(x), size):
            logits.append(net.forward(np.array(x[i : i + size]), train=False)[0])
        for path, row in rows.items():
            row.activation = moments[path].statistics()
        s = np.concatenate(logits)  # (N, K)
        if s.ndim != 2:
            raise ShapeError(f"a classifier gives logits (N, K); this network gives {s.shape}")
        loss, accuracy = score(s, y)
    for path, active in alive.items():
        rows[path].units, rows[path].dead = active.size, int((~active).sum())
    return rows, loss, accuracy


def _backward(net, x, y, size, rows):
    """Fills in the rows' gradient and signal -> Adam, whose state has each batch's gradient.

    The weights stay as they are.
    """
    moments = {path: _Moments() for path in rows}
    squares = {}
    weighted = {
        name.rpartition(".")[0] for name, param in named_params(net).items() if param.value.ndim > 1
    }

    def on_backward(path, _, dy, dx, __):
        # The loss is a batch's mean; times its size, the gradient is that of each image's own loss.
        moments[path].add(dy * size)
        if path in weighted and dx is not None:
            squares[path] = squares.get(path, 0) + np.square(dx.astype(np.float64) * size).sum()

    adam = optim.Adam(net.params(), lr=0.0)
    with watch(net, on_backward=on_backward), np.errstate(over="ignore", invalid="ignore"):
        for i in range(0, len(x), size):
            adam.zero_grad()
            s, cache = net.forward(np.array(x[i : i + size]), train=True)
            net.backward(ops.softmax_cross_entropy(s, y[i : i + size])[1], cache)
            adam.step()
        for path, row in rows.items():
            row.gradient = moments[path].statistics() if moments[path].count else None
            row.signal = float(np.sqrt(squares[path] / len(x))) if path in squares else None
    return adam

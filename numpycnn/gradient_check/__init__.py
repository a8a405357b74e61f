"""Gradient checking: is a backward pass the derivative of its forward pass?

    numpycnn.gradcheck(layer, x)              # a layer, yours too; raises a table if it is wrong
    numpycnn.gradcheck(layer, a, b)           # forward(a, b, train); backward -> (da, db)
    numpycnn.gradcheck.loss(f, s, labels)     # f(s, labels) -> (loss, ds)
    check_network(net, x)                     # a real network: each layer on the input that it gets

In float64 and for a random upstream gradient dy, every array v (inputs, parameters) is moved along
single elements and random directions d, and two answers are compared:

    backward:      <dv, d>
    differences:   <dy, y(v + h d) - y(v - h d)> / 2h

An all-ones dy would be blind: the outputs of a batch norm add up to the same number whatever its
input. A last row compares the backend in use, in float32, with the float64 result: the kernels that
train are not those that the differences reach.
"""

import copy
import inspect
from dataclasses import replace

import numpy as np

from ..layers import Layer
from ..layers.traverse import uncovered, watch
from .differences import Compared, check
from .float32 import float32_row
from .point import LayerError, Loss, Point, double, floating, generator
from .protocol import wrong_backward, wrong_forward, wrong_infer
from .result import GradCheckError, GradCheckResult, Row

__all__ = ["GradCheckError", "GradCheckResult", "Row", "check_network", "double", "gradcheck"]


def gradcheck(
    layer, *inputs, train=True, seed=0, tolerance=1e-5, directions=4, elements=200, raise_error=True
):
    """Compare layer.backward with central differences of layer.forward -> GradCheckResult.

    A layer is whatever has forward(x, train) -> (y, cache) and backward(dy, cache) -> dx; with
    several inputs forward(a, b, train) and (da, db), or one tuple of arrays. It stays as it is:
    every run is on a fresh float64 copy, in the same random state. uint8 images are read as 0..1;
    of other integers the gradient is not checked. Arrays of up to `elements` numbers are tried one
    by one, of larger ones 20; then come `directions` random directions. `seed` is a number or a
    Generator.

    |a - n| / max(|a|, |n|, what rounding hides) must stay below `tolerance`. A kink within the step
    (a ReLU's zero, a max pool's tie) is recognised by the differences alone, and counted: the
    sample is compared at a smaller step, or over the outputs that do not bend, or left out; where
    most are left out, or forward has no derivative, 1 % beside x. Also checked: shapes and dtypes,
    that gradients add up, that arguments stay as they were, that backward uses its cache alone;
    train=False where y or a gradient is another then; that infer gives forward's y; and float32 on
    the backend in use: what comes out in another dtype is noted. When anything fails,
    GradCheckError with the table is raised, or with raise_error=False the result returned. Raises
    TypeError for what has no two passes, ValueError for a check of nothing.
    """
    _amounts(directions, elements)
    if not (hasattr(layer, "forward") and hasattr(layer, "backward")):
        raise TypeError(
            f"gradcheck(layer, x) needs forward and backward, not a {type(layer).__name__}; "
            "a loss f(s, labels) -> (loss, ds) is checked by gradcheck.loss(f, s, labels)"
        )
    if not inputs:
        raise TypeError("gradcheck(layer, x) needs an input x; of several, gradcheck(layer, a, b)")
    inputs = [tuple(one) if isinstance(one, (list, tuple)) else one for one in inputs]
    if len(inputs) == 1 and isinstance(inputs[0], tuple) and _takes(layer) == len(inputs[0]):
        inputs = inputs[0]  # forward(a, b, train), given (a, b)
    if len(inputs) < _takes(layer):
        raise TypeError(
            f"{type(layer).__name__}.forward takes {_takes(layer)} inputs, {len(inputs)} came; "
            "expected gradcheck(layer, a, b)"
        )
    point = Point(layer, inputs, train, generator(seed))
    shapes = ", ".join(str(array.shape) for array in point.arrays(point.inputs))
    notes = [f"not looked at: {sentence}" for sentence in uncovered(point.layer)]
    result = GradCheckResult(f"gradcheck {point.title}: x {shapes}", tolerance, notes=notes)
    try:
        _check_layer(point, result, tolerance, directions, elements)
    except LayerError as error:
        result.problems.append(str(error))
        if raise_error:
            raise GradCheckError(result) from error
    if raise_error and not result.ok:
        raise GradCheckError(result)
    return result


def _takes(layer):
    """How many inputs forward must be given, beside train."""
    parameters = inspect.signature(layer.forward).parameters.values()
    open_ended = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    required = [p for p in parameters if p.default is p.empty and p.kind not in open_ended]
    return len([p for p in required if p.name != "train"])


def loss(f, s, *rest, **options):
    """gradcheck of a loss f(s, *rest) -> (loss, ds): is ds the derivative of the number? ->
    GradCheckResult

    s (N, ...) floating point, rest whatever f takes besides, such as labels; options as in
    gradcheck. f itself may be a partial. Raises as gradcheck does.
    """
    if not callable(f):
        raise TypeError(f"gradcheck.loss(f, s, labels) needs a function, not {type(f).__name__}")
    return gradcheck(_LossAsLayer(f, rest), s, **options)


class _LossAsLayer(Layer):
    """y = [loss], and the loss's own gradient as cache."""

    def __init__(self, f, rest):
        self.f, self.rest = f, rest

    def forward(self, s, train=False):
        returned = self.f(s, *self.rest)
        if not isinstance(returned, tuple) or len(returned) != 2 or np.ndim(returned[0]):
            raise TypeError(
                f"a loss must return (loss, ds), the first a number, not {type(returned).__name__}"
            )
        return np.array([returned[0]], s.dtype), returned[1]

    def backward(self, dy, ds):
        return dy * ds if np.ndim(ds) else ds


gradcheck.loss = loss


def _check_layer(point, result, tolerance, directions, elements):
    """The rows and problems of one layer: as asked, in the other mode, and in float32."""
    result.problems += wrong_forward(point)
    if result.problems:
        return
    y = point.y()
    result.title += f" -> y {y.shape}, train={bool(point.train)}"
    dy = point.rng.standard_normal(y.shape)
    result.problems += wrong_backward(point, dy)
    here = Compared(point, dy)
    for name, v in point.v.items():
        row = Row(name, v.size)
        result.rows.append(check(here, row, [name], tolerance, directions, elements))
    if point.train and not result.problems:
        _check_in_use(here, result, tolerance, directions, elements)
    result.problems += [] if result.problems else wrong_infer(point)
    if not result.problems and all(row.verdict != "WRONG" for row in result.rows):
        row, notes = float32_row(here)
        result.rows.append(row)
        result.notes += notes


def _check_in_use(trained, result, tolerance, directions, elements):
    """The same for train=False, where the layer is another function then, or goes back otherwise.

    trained: what was compared for train=True.
    """
    point = trained.point
    layer = getattr(point.layer, "guest", point.layer)
    other = Point(layer, point.inputs, False, point.rng)
    if np.array_equal(other.y(), trained.y):
        dv = other.backward(trained.dy)
        if all(np.array_equal(dv[name], trained.dv[name]) for name in dv):
            return
    for sentence in wrong_forward(other):
        result.problems.append(f"{sentence} (train=False)")
        return
    here = Compared(other)
    result.problems += [f"{one} (train=False)" for one in wrong_backward(other, here.dy)]
    for name in other.v:
        row = Row(f"{name}, train=False", other.v[name].size)
        result.rows.append(check(here, row, [name], tolerance, directions, elements))


def check_network(
    net, x, seed=0, *, labels=None, train=True, tolerance=1e-5, directions=2, elements=4
):
    """gradcheck of a real network by samples, layer by layer, then as a whole -> GradCheckResult.

    A forward pass of x (N, H, W, C; two images are enough) shows each innermost layer the input
    that it gets in the network; there its input and its parameters are checked on a few elements
    and directions. The last row moves everything at once, through softmax_cross_entropy with
    `labels` (drawn unless given), or of a network without logits with a random dy: it covers what
    joins the layers. net stays as it is. A wrong gradient raises nothing: look at the result's
    `ok`. Raises ValueError for fewer than one direction.
    """
    _amounts(directions, elements)
    if directions < 1:
        raise ValueError(
            f"check_network needs at least one direction, for its last row, not {directions}"
        )
    rng = generator(seed)
    net, calls = double(copy.deepcopy(net)), []
    with watch(net, lambda path, layer, x, y, cache: calls.append((path, layer, x))):
        logits, _ = net.forward(floating(x), train)
    title = f"gradcheck: x {np.shape(x)} -> logits {logits.shape}, train={bool(train)}"
    notes = [f"not looked at: {sentence}" for sentence in uncovered(net)]
    result = GradCheckResult(title, tolerance, notes=notes)
    for path, layer, layer_input in calls:
        of_layer = gradcheck(
            layer, layer_input, train=train, seed=rng, tolerance=tolerance,
            directions=directions, elements=elements, raise_error=False,
        )  # fmt: skip
        where = f"{path} {type(layer).__name__}".lstrip()
        result.rows += [
            replace(row, name=f"{where}.{row.name}", worst=f"{where}: {row.worst}")
            for row in of_layer.rows
        ]
        result.problems += [f"{where}: {problem}" for problem in of_layer.problems]
    labels = rng.integers(0, logits.shape[-1], len(logits)) if labels is None else labels
    classifies = logits.ndim == 2 and logits.shape[1] > 1  # images and scores: a random dy
    point = Point(Loss(net, labels) if classifies else net, [x], train, rng)
    problems = wrong_forward(point) + wrong_infer(Point(net, [x], train, rng))
    if not problems:
        here = Compared(point)
        problems = wrong_backward(point, here.dy)
        row = Row("whole network and loss", sum(v.size for v in point.v.values()))
        result.rows.append(check(here, row, list(point.v), tolerance, directions))
    result.problems += problems
    return result


for name in __all__:  # `from numpycnn.gradcheck import check_network` until 1.0
    setattr(gradcheck, name, globals()[name])


def _amounts(directions, elements):
    """Refuse a check of nothing, and what is no number of samples. Raises ValueError."""
    both = directions, elements
    if not all(isinstance(n, (int, np.integer)) and n >= 0 for n in both) or not any(both):
        raise ValueError(
            f"directions and elements must be whole numbers, of which one is above 0, not {both}"
        )

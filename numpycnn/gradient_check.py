"""Gradient checking: is a backward pass the derivative of its forward pass?

    numpycnn.gradcheck(layer, x)   # a layer, yours too, or a small network; raises a table if it is wrong
    check_network(net, x)          # a real network: each layer on the input that it really gets, in seconds

In float64 and for a random upstream gradient dy, every array v (the input, each parameter) is moved along
single elements and random directions d, and two answers are compared:

    backward:      <dv, d>
    differences:   <dy, y(v + h d) - y(v - h d)> / 2h

An all-ones dy would be blind: the outputs of a batch norm add up to the same number whatever its input.
"""

import copy
import math
from dataclasses import dataclass, field, replace

import numpy as np

from .errors import NumpyCNNError
from .layers import Layer, Param
from .layers.traverse import attributes, named_params, uncovered, walk, watch
from .ops import softmax_cross_entropy

STEPS = (1e-5, 1e-5 / 8, 1e-5 / 64)  # h, times the root mean square of the array that moves
BEND = 1e-6  # slopes that disagree by more than this share of the largest slope have met a kink
ROUNDING = np.finfo(np.float64).eps  # of y; divided by h it is what rounding does to a slope
SAMPLED = 20  # elements drawn of an array that is too large to try all


class GradCheckError(NumpyCNNError, ValueError):
    """A backward pass is not the derivative of its forward pass. The message is the table of `result`."""

    def __init__(self, result):
        super().__init__(f"\n{result}")
        self.result = result


@dataclass
class Row:
    """One array: how many samples were compared, met a kink, were left out; the largest relative error."""

    name: str
    elements: int
    checked: int = 0
    kinks: int = 0
    left_out: int = 0
    error: float = 0.0
    gap: float = -1.0  # the largest difference that is an error, which `worst` tells of
    worst: str = ""
    verdict: str = "ok"


@dataclass
class GradCheckResult:
    """What was found: `rows`, one an array; `problems`, sentences on what is no matter of numbers;
    `notes`, on what was not looked at.
    """

    title: str
    tolerance: float
    rows: list = field(default_factory=list)
    problems: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    @property
    def ok(self):
        """Nothing is wrong, and everything could be checked."""
        return not self.problems and all(row.verdict == "ok" for row in self.rows)

    @property
    def max_error(self):
        """The largest relative error of all rows; CS231n's reading: 1e-7 is fine, 1e-2 is wrong."""
        return max((row.error for row in self.rows), default=0.0)

    def __bool__(self):
        return self.ok

    def __str__(self):
        table = [
            ("array", "elements", "checked", "at kinks", "left out", "largest error", "verdict")
        ]
        for r in self.rows:
            counts = (f"{n:,}" for n in (r.elements, r.checked, r.kinks, r.left_out))
            table.append((r.name, *counts, f"{r.error:.1e}" if r.checked else "-", r.verdict))
        widths = [max(len(row[i]) for row in table) for i in range(7)]
        align = (str.ljust, *(str.rjust,) * 5, str.ljust)
        lines = [
            "  ".join(a(c, w) for a, c, w in zip(align, r, widths, strict=True)).rstrip()
            for r in table
        ]
        lines += [f"{r.verdict}: {r.worst}" for r in self.rows if r.verdict != "ok"]
        end = f"largest relative error {self.max_error:.1e}, allowed {self.tolerance:.0e}"
        return "\n".join(
            [
                self.title,
                *lines,
                *self.problems,
                *self.notes,
                f"{'passed' if self.ok else 'FAILED'}: {end}",
            ]
        )


def gradcheck(
    layer, x, *, train=True, seed=0, tolerance=1e-5, directions=4, elements=200, raise_error=True
):
    """Compare layer.backward with central differences of layer.forward, at x -> GradCheckResult.

    A layer is whatever has forward(x, train) -> (y, cache) and backward(dy, cache) -> dx. It stays as it is:
    every run is on a fresh float64 copy, in the same random state. uint8 images are read as 0..1; of other
    integers the gradient is not checked. Arrays of up to `elements` numbers are tried one by one, of larger
    ones 20; then come `directions` random directions. `seed` is a number or a Generator.

    |a - n| / max(|a|, |n|, what rounding hides) must stay below `tolerance`. A kink within the step (a ReLU's
    zero, a max pool's tie) is recognised by the differences alone, and counted: the sample is compared at a
    smaller step, or over the outputs that do not bend, or left out; where most are left out, 1 % beside x.
    Also checked: shapes and dtypes, that gradients add up, that arguments stay as they were. When anything
    fails, GradCheckError with the table is raised, or with raise_error=False the result returned. Raises ValueError
    for what is no number of samples, and where both are 0: a check of nothing.
    """
    _amounts(directions, elements)
    point = Point(layer, x, train, generator(seed))
    title = f"gradcheck {type(layer).__name__}: x {np.shape(x)}"
    notes = [f"not looked at: {sentence}" for sentence in uncovered(point.layer)]
    result = GradCheckResult(title, tolerance, problems=point.problems, notes=notes)
    if point.y is not None:
        result.title += f" -> y {point.y.shape}, train={bool(train)}"
        rows = [(name, Row(name, v.size)) for name, v in point.v.items()]
        result.rows = [
            _check(point, row, [name], tolerance, directions, elements) for name, row in rows
        ]
    if raise_error and not result.ok:
        raise GradCheckError(result)
    return result


def check_network(
    net, x, seed=0, *, labels=None, train=True, tolerance=1e-5, directions=2, elements=4
):
    """gradcheck of a real network by samples, layer by layer, then as a whole -> GradCheckResult.

    A forward pass of x (N, H, W, C; two images are enough) shows each innermost layer the input that it gets
    in the network; there its input and its parameters are checked on a few elements and directions. The last
    row moves everything at once, through softmax_cross_entropy with `labels` (drawn unless given), or of a
    network without logits with a random dy: it covers what joins the layers. net stays as it is. A wrong
    gradient raises nothing: look at the result's `ok`. Raises ValueError for fewer than one direction.
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
    result = GradCheckResult(title, tolerance)
    for path, layer, seen in calls:
        one = gradcheck(
            layer, seen, train=train, seed=rng, tolerance=tolerance,
            directions=directions, elements=elements, raise_error=False,
        )  # fmt: skip
        where = f"{path} {type(layer).__name__}".lstrip()
        result.rows += [
            replace(r, name=f"{where}.{r.name}", worst=f"{where}: {r.worst}") for r in one.rows
        ]
        result.problems += [f"{where}: {problem}" for problem in one.problems]
    labels = rng.integers(0, logits.shape[-1], len(logits)) if labels is None else labels
    end = (
        Loss(net, labels) if logits.ndim == 2 and logits.shape[1] > 1 else net
    )  # images and scores: a random dy
    point = Point(end, x, train, rng)
    result.problems += point.problems
    if point.y is not None:
        row = Row("whole network and loss", sum(v.size for v in point.v.values()))
        result.rows.append(_check(point, row, list(point.v), tolerance, directions))
    return result


gradcheck.check_network = check_network  # `from numpycnn.gradcheck import check_network` until 1.0


# ---- the comparison ---------------------------------------------------------------------------


def _amounts(directions, elements):
    """Refuse a check of nothing, and what is no number of samples. Raises ValueError."""
    both = directions, elements
    if not all(isinstance(n, (int, np.integer)) and n >= 0 for n in both) or not any(both):
        raise ValueError(
            f"directions and elements must be whole numbers, of which one is above 0, not {both}"
        )


def _check(point, row, names, tolerance, directions, elements=0):
    """Fills the row of the arrays `names`; goes on beside the point where most samples lie on ties."""
    for exactly in (True, False):
        here = point if exactly else point.beside()
        if here.y is None or not set(names) <= set(here.v):
            break
        checked, left_out = row.checked, row.left_out
        if elements:
            _compare_elements(here, row, tolerance, elements)
        for _ in range(directions):
            d = {name: here.direction(here.v[name]) for name in names}
            _compare(here, row, d, tolerance, f"along a random direction of {row.name}")
        row.verdict = "ok" if row.left_out - left_out <= row.checked - checked else "not checked"
        if row.verdict == "ok":
            break
    if row.verdict != "ok" and not row.worst:
        row.worst = (
            f"most samples of {row.name} lie on kinks, where there is no gradient; try another x"
        )
    if not row.error <= tolerance:
        row.verdict = "WRONG"
    return row


def _compare_elements(point, row, tolerance, elements):
    """All elements of a small array, or 20 of a large one: others are drawn for those that are left out."""
    v = point.v[row.name]
    wanted = v.size if v.size <= elements else min(elements, SAMPLED)
    enough = row.checked + wanted
    for i in point.rng.permutation(v.size)[: wanted if wanted == v.size else 3 * wanted]:
        place = np.unravel_index(i, v.shape)
        d = np.zeros(v.shape)
        d[place] = unit(v)
        where = f"{row.name}[{', '.join(map(str, place))}]"
        _compare(point, row, {row.name: d}, tolerance, where, unit(v))
        if row.checked == enough:
            break


def _compare(point, row, d, tolerance, where, unit=None):
    """One sample: backward against differences along d {name: array}, over the outputs that do not bend."""
    for h in STEPS:
        slope, doubt, moved, bent = _differences(point, d, h)
        row.kinks += bool(bent.any() and h == STEPS[0])
        if bent.sum() <= moved.sum() / 2:
            break
    if bent.any() and bent.sum() == moved.sum():
        row.left_out += 1
        return
    dy = np.where(bent, 0, point.dy)
    dv = point.backward(dy) if bent.any() else point.dv
    analytic = sum(float((dv[name] * d[name]).sum()) for name in d)
    numeric = float((dy * slope).sum())
    hidden = np.linalg.norm(dy * doubt) / tolerance
    error = abs(analytic - numeric) / (max(abs(analytic), abs(numeric), hidden) or 1.0)
    error = error if error == error else math.inf
    row.checked += 1
    row.error = max(row.error, error)
    if error > tolerance and not row.gap >= abs(analytic - numeric) and (unit or not row.worst):
        row.gap, unit = abs(analytic - numeric), unit or 1.0
        ratio = f", ratio {analytic / numeric:.6g}" if numeric else ""
        row.worst = f"{where}: backward gives {analytic / unit:.6g}, differences {numeric / unit:.6g}{ratio}"


def _differences(point, d, h):
    """Of each output along d: its slope, the doubt left of it, whether it moves, whether it bends (a kink).

    Where y is smooth the central slopes C(h) and C(h/2) agree to O(h^2), and the second difference
    B(h) = (y(h) - 2y + y(-h)) / h = h y'' + O(h^3) is twice B(h/2). A kink at t within (-h, h) breaks one of
    the two, wherever t lies: B at 0, C at h/3. The slope is Richardson's, (4 C(h/2) - C(h)) / 3.
    """
    y = point.y
    up, down, up2, down2 = (
        point.forward({name: t * one for name, one in d.items()})[2] for t in (h, -h, h / 2, -h / 2)
    )
    wide, near = (up - down) / (2 * h), (up2 - down2) / h
    bends = (up - 2 * y + down) / h - 2 * (up2 - 2 * y + down2) / (h / 2)
    doubt = np.maximum(np.abs(wide - near), np.abs(bends))
    rounding = ROUNDING * np.abs(y).max() / h
    moved = (up != y) | (down != y)
    bent = moved & ~(doubt <= BEND * np.abs(near).max() + 1000 * rounding)
    return (4 * near - wide) / 3, doubt + 16 * rounding, moved, bent


# ---- the point at which a layer is checked ----------------------------------------------------


class Point:
    """A layer and its input in float64. Every run is on a fresh copy: nothing of it can reach the next.

    v {name: array} is what can be moved, y = f(v), dy the upstream gradient, dv {name: gradient} what
    backward says. y is None when the layer breaks the protocol so far that nothing can be compared.
    """

    def __init__(self, layer, x, train, rng):
        layer = copy.deepcopy(layer)
        self.layer = double(layer if isinstance(layer, Layer) else _Guest(layer))
        self.x, self.train, self.rng = floating(x), train, rng
        params = named_params(self.layer)
        self.input = "x" if "x" not in params else "(input)"
        self.v = {self.input: self.x} if self.x.dtype.kind == "f" else {}
        self.v |= {name: p.value for name, p in params.items() if p.value.size}
        self.y, self.problems = None, []
        wrong = _wrong_forward(self)
        if not wrong:
            self.y = self.forward()[2]
            self.dy = rng.standard_normal(self.y.shape)
            wrong = _wrong_backward(self)
            self.dv = self.backward(self.dy)
        self.problems += wrong

    def forward(self, offsets=None):
        """Runs forward with offsets {name: array} added to v -> layer, x, y, cache."""
        layer, x, offsets = copy.deepcopy(self.layer), self.x.copy(), offsets or {}
        for name, param in named_params(layer).items():
            if name in offsets:
                param.value = param.value + offsets[name]
        if self.input in offsets:
            x += offsets[self.input]
        result = layer.forward(x, self.train)
        return (
            layer,
            x,
            *(result if isinstance(result, tuple) and len(result) == 2 else (None, None)),
        )

    def backward(self, dy):
        """-> dv"""
        layer, _, _, cache = self.forward()
        return self.gradients(layer, layer.backward(dy.copy(), cache))

    def gradients(self, layer, dx):
        """Copies of dx and of the parameters' gradients, under the names of v."""
        found = {self.input: dx, **{name: p.grad for name, p in named_params(layer).items()}}
        return {name: copy.copy(found[name]) for name in self.v}

    def beside(self):
        """The point shaken by 1 %, away from exact ties."""
        layer = copy.deepcopy(self.layer)
        for param in named_params(layer).values():
            param.value = param.value + 1e-2 * self.direction(param.value)
        x = self.x + 1e-2 * self.direction(self.x) if self.input in self.v else self.x
        return Point(layer, x, self.train, self.rng)

    def direction(self, v):
        """A random direction, in v's own unit."""
        return unit(v) * self.rng.standard_normal(v.shape)


class _Guest(Layer):
    """Lends the walk over layers to one that does not inherit from Layer."""

    def __init__(self, guest):
        self.guest, self.forward, self.backward = guest, guest.forward, guest.backward

    def children(self):
        yield from attributes(self.guest, Layer)

    def params(self):
        own = getattr(self.guest, "params", None)
        yield from own() if own else (p for _, p in attributes(self.guest, Param))


class Loss(Layer):
    """A network and its loss as one layer with one output."""

    def __init__(self, net, labels):
        self.net, self.labels = net, labels

    def forward(self, x, train=False):
        logits, cache = self.net.forward(x, train)
        loss, dlogits = softmax_cross_entropy(logits, self.labels)
        return np.array([loss]), (dlogits, cache)

    def backward(self, dy, cache):
        dlogits, cache = cache
        return self.net.backward(dy * dlogits, cache)


def floating(x):
    """x as the check moves it: float64; uint8 images as 0..1; other integers (indices) as they are."""
    x = np.asarray(x)
    if x.dtype == np.uint8:
        return x / 255.0
    return x.astype(np.float64) if x.dtype.kind == "f" else x


def double(layer):
    """Makes parameters and buffers float64, without gradients -> the layer itself."""
    for param in named_params(layer).values():
        param.value, param.grad = np.array(param.value, np.float64), None
    for _, inner in walk(layer):
        for name, array in inner.buffers():
            if array.dtype.kind == "f" and hasattr(inner, name):
                setattr(inner, name, array.astype(np.float64))
    return layer


def generator(seed):
    """A stream of its own: many an x is drawn from default_rng(0), and dy = x would be a special case."""
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0x6772,)))


def unit(v):
    """The root mean square of v, and 1 for zeros: what a step is measured in."""
    return (math.sqrt(np.mean(v * v)) if v.size else 0) or 1.0


# ---- the protocol -----------------------------------------------------------------------------


def _wrong_forward(point):
    """What forward does against the protocol, in sentences."""
    _, x, y, _ = point.forward()
    if not isinstance(y, np.ndarray):
        return ["forward must return a pair (y, cache), y an array"]
    if not y.size or not point.v:
        return [
            "there is nothing to check: y is empty, or x holds integers and there are no parameters"
        ]
    if y.dtype != np.float64:
        return [f"forward: float64 in must give float64 out, not {y.dtype}"]
    if not np.isfinite(y).all():
        return ["forward gives values that are not finite"]
    if not np.array_equal(x, point.x):
        return ["forward writes into its input x; work on a copy"]
    if not np.allclose(point.forward()[2], y, rtol=1e-9, atol=0):
        return [
            "forward gave two results for one input and random state; keep its Generator as an attribute"
        ]
    return []


def _wrong_backward(point):
    """What backward does against the protocol, in sentences; takes out of v what cannot be compared."""
    layer, x, _, cache = point.forward()
    dy, wrong = point.dy.copy(), []
    first = point.gradients(layer, layer.backward(dy, cache))
    if not np.array_equal(x, point.x) or not np.array_equal(dy, point.dy):
        wrong.append("backward writes into dy or x; work on a copy")
    for name, grad in first.items():
        expected = point.v[name].shape
        if not isinstance(grad, np.ndarray) or grad.shape != expected:
            came = "is None" if grad is None else f"has the shape {np.shape(grad)}"
            wrong.append(f"backward's gradient of {name} {came}, expected the shape {expected}")
            del point.v[name]
        elif grad.dtype != np.float64:
            wrong.append(
                f"backward's gradient of {name} is {grad.dtype}: float64 in must give float64"
            )
    if wrong:
        return wrong
    second = point.gradients(layer, layer.backward(point.dy.copy(), cache))
    for name in point.v:
        wrong += _wrong_second(name, first[name], second[name], name == point.input)
    return wrong


def _wrong_second(name, first, second, is_input):
    """After a second backward with the same cache dx must be the same, and a parameter's gradient double."""
    if np.allclose(
        second, first if is_input else 2 * first, rtol=1e-9, atol=1e-12 * np.abs(first).max()
    ):
        return []
    if not is_input and np.allclose(second, first, rtol=1e-9, atol=0):
        return [
            f"a second backward overwrote the gradient of {name}; gradients add up: param.add_grad(...)"
        ]
    return [
        f"a second backward with the same cache gave another gradient of {name}; keep the cache as it is"
    ]

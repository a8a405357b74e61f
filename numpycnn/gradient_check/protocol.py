"""Whether a layer keeps the protocol at all: what is no matter of numbers, in sentences."""

import numpy as np

from ..layers import Layer
from .point import LayerError, where

CLOSE = {"rtol": 1e-9}


def wrong_forward(point):
    """What forward does against the protocol. Raises LayerError for what it raises."""
    _, inputs, returned = point.forward()
    if (
        not isinstance(returned, tuple)
        or len(returned) != 2
        or not isinstance(returned[0], np.ndarray)
    ):
        return [_not_a_pair(returned)]
    y = returned[0]
    if not y.size or not point.v:
        return [
            "there is nothing to check: y is empty, or x holds integers and there are no parameters"
        ]
    if y.dtype != np.float64:
        return [f"forward: float64 in must give float64 out, not {y.dtype}"]
    if not np.isfinite(y).all():
        return [f"forward gives values that are not finite: {_first_bad('y', y)}"]
    if not _same_arrays(point.arrays(inputs), point.arrays(point.inputs)):
        return ["forward writes into its input x; work on a copy"]
    if not np.allclose(point.y(), y, atol=0, **CLOSE):
        return [
            "forward gave two results for one input and random state; "
            "keep its Generator as an attribute"
        ]
    return []


def _not_a_pair(returned):
    pair = "forward must return a pair (y, cache), y an array"
    first = returned[0] if isinstance(returned, tuple) and returned else returned
    if np.ndim(first) == 0 and isinstance(first, (float, np.floating)):
        return (
            f"{pair}, not the number {first:.6g}; a loss is checked by "
            "gradcheck.loss(f, s, labels), f(s, labels) -> (loss, ds)"
        )
    return f"{pair}, not {type(returned).__name__}"


def wrong_backward(point, dy):
    """What backward does against the protocol; takes out of v what cannot be compared."""
    layer, inputs, (_, cache) = point.forward()
    given, wrong = dy.copy(), []
    returned = point.call_backward(layer, given, cache)
    if len(point.inputs) > 1 and (
        not isinstance(returned, tuple) or len(returned) != len(point.inputs)
    ):
        names = ", ".join(f"d{name}" for name in point.names)
        return [
            f"backward must return a gradient of each input, ({names}), "
            f"not {type(returned).__name__}"
        ]
    first = point.gradients(layer, returned)
    if not _same_arrays(point.arrays(inputs), point.arrays(point.inputs)) or not np.array_equal(
        given, dy
    ):
        wrong.append("backward writes into dy or x; work on a copy")
    for name, grad in first.items():
        wrong += _wrong_gradient(name, grad, point.v[name].shape)
        if not isinstance(grad, np.ndarray) or grad.shape != point.v[name].shape:
            del point.v[name]
    if wrong:
        return wrong
    second = point.gradients(layer, point.call_backward(layer, dy.copy(), cache))
    for name in point.v:
        wrong += _wrong_second(name, first[name], second[name], name in point.names)
    return wrong or _stale(point, dy, first)


def wrong_infer(point):
    """Where the layer has an infer of its own: what it gives besides forward(x)[0].

    Raises LayerError for what it raises.
    """
    layer, inputs = point.copies()
    layer = getattr(layer, "guest", layer)
    if getattr(type(layer), "infer", Layer.infer) is Layer.infer:
        return []
    y = point.forward(train=False)[2][0]
    try:
        came = np.asarray(layer.infer(*inputs))
    except Exception as error:
        raise LayerError(where(point.title, "infer", f"x {inputs[0].shape}", error)) from error
    if (came.shape, came.dtype) != (y.shape, y.dtype):
        return [f"infer gives {came.shape} {came.dtype}, forward(x)[0] is {y.shape} {y.dtype}"]
    if np.allclose(came, y, rtol=1e-6, atol=1e-9 * np.abs(y).max()):
        return []
    place = np.unravel_index(np.abs(came - y).argmax(), y.shape)
    at = ", ".join(map(str, place))
    return [f"infer gives y[{at}] = {came[place]:.6g}, but forward(x)[0] {y[place]:.6g}"]


def _wrong_gradient(name, grad, expected):
    if not isinstance(grad, np.ndarray) or grad.shape != expected:
        came = "is None" if grad is None else f"has the shape {np.shape(grad)}"
        return [f"backward's gradient of {name} {came}, expected the shape {expected}"]
    if grad.dtype != np.float64:
        return [f"backward's gradient of {name} is {grad.dtype}: float64 in must give float64"]
    if not np.isfinite(grad).all():
        return [f"backward's gradient is not finite: {_first_bad(f'd{name}', grad)}"]
    return []


def _wrong_second(name, first, second, is_input):
    """After a second backward with the same cache dx must be the same, and a parameter's gradient
    double.
    """
    expected = first if is_input else 2 * first
    if np.allclose(second, expected, atol=1e-12 * np.abs(first).max(), **CLOSE):
        return []
    if not is_input and np.allclose(second, first, atol=0, **CLOSE):
        return [
            f"a second backward overwrote the gradient of {name}; "
            "gradients add up: param.add_grad(...)"
        ]
    return [
        f"a second backward with the same cache gave another gradient of {name}; "
        "keep the cache as it is"
    ]


def _stale(point, dy, expected):
    """A forward pass on another input comes between forward and backward: nothing may change."""
    layer, _, (_, cache) = point.forward()
    other = {
        name: 0.1 * point.direction(array) for name, array in point.v.items() if name in point.names
    }
    between = point.copies(other)[1]
    for train in (point.train, not point.train):
        try:
            point.call(layer, between, train)
        except LayerError:  # this layer cannot run so, which is looked at elsewhere
            layer, _, (_, cache) = point.forward()
    found = point.gradients(layer, point.call_backward(layer, dy.copy(), cache))
    for name, grad in expected.items():
        if grad.shape != np.shape(found[name]) or not np.allclose(
            found[name], grad, atol=1e-12 * np.abs(grad).max(), **CLOSE
        ):
            return [
                f"a forward pass on another input, before backward, changed the gradient of "
                f"{name}: "
                "backward must use its cache, not what forward left in self"
            ]
    return []


def _first_bad(name, array):
    place = ", ".join(str(int(i)) for i in np.argwhere(~np.isfinite(array))[0])
    count = int((~np.isfinite(array)).sum())
    bad = array[~np.isfinite(array)][0]
    return f"{name}[{place}] is {bad}, {count} of {array.size} are not finite"


def _same_arrays(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))

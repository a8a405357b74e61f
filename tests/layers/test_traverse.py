"""What walks over a network leaves behind: nothing, also after an exception."""

import numpy as np
import pytest

from numpycnn import layers
from numpycnn.errors import ShapeError
from numpycnn.layers import traverse


def net_with_gradients():
    rng = np.random.default_rng(0)
    net = layers.Sequential(layers.Dense(3, 4, rng=rng), layers.ReLU(), layers.Dense(4, 2, rng=rng))
    y, cache = net.forward(rng.standard_normal((5, 3)).astype(np.float32), train=True)
    net.backward(y, cache)
    next(net.params()).grad = None  # as before a first backward pass
    return net


def test_gradients_are_preserved():
    net = net_with_gradients()
    before = [param.grad for param in net.params()]
    values = [None if grad is None else grad.copy() for grad in before]
    with traverse.preserve_gradients(net):
        y, cache = net.forward(np.ones((2, 3), np.float32))
        net.backward(y, cache)
        assert all(p.grad is not g for p, g in zip(net.params(), before, strict=True))
    for param, grad, value in zip(net.params(), before, values, strict=True):
        assert param.grad is grad
        np.testing.assert_array_equal(param.grad, value)


def test_gradients_are_preserved_after_an_exception():
    """A backward pass that fails half way has already added to the last layer's gradients."""
    net = net_with_gradients()
    before = [param.grad for param in net.params()]
    y, cache = net.forward(np.ones((2, 3), np.float32))
    cache[0] = None

    def changed():
        return [p.grad is not g for p, g in zip(net.params(), before, strict=True)]

    def fail():
        with traverse.preserve_gradients(net):
            try:
                net.backward(y, cache)
            finally:
                assert changed() == [False, False, True, True]

    with pytest.raises(ValueError, match="cache"):
        fail()
    assert not any(changed())


def test_hooks_are_gone_after_an_exception():
    net = net_with_gradients()
    with pytest.raises(ShapeError), traverse.watch(net, lambda *_: None, lambda *_: None):
        net.forward(np.ones((2, 5), np.float32))
    for _, layer in traverse.walk(net):
        assert not {"forward", "backward"} & set(vars(layer))

"""The dense layer; the mathematics is in ops/dense.py."""

import numpy as np

from ..ops import dense, dense_backward
from . import init as initialisers
from .base import Layer, Param, value_of


class Dense(Layer):
    """y = x @ w + b: x (N, D) -> y (N, K); see ops.dense.

    - in_features: D, of x; out_features: K, of y. w is (D, K).
    - bias: whether b (K,) is added; it starts at 0.
    - init, rng: how w is drawn, and the Generator; as in Conv2D.

    Raises ShapeError for sizes below 1.

    >>> Dense(784, 10).infer(np.zeros((8, 784), np.float32)).shape
    (8, 10)
    """

    def __init__(self, in_features, out_features, bias=True, init="he_normal", rng=None):
        self.w = Param("w", initialisers.draw(init, (in_features, out_features), rng))
        self.b = Param("b", np.zeros(out_features, np.float32)) if bias else None

    def config(self):
        in_features, out_features = self.w.value.shape
        bias = self.b is not None
        return {"in_features": in_features, "out_features": out_features, "bias": bias}

    def forward(self, x, train=False):
        return dense(x, self.w.value, value_of(self.b))

    def backward(self, dy, cache):
        dx, dw, db = dense_backward(dy, cache)
        self.w.add_grad(dw)
        if db is not None:
            self.b.add_grad(db)
        return dx

    def tangent(self, u, dy, cache):
        """u -> u @ w      dw += u.T @ dy: see input_gradient.py"""
        y, cache = dense(u, self.w.value)
        self.w.add_grad(dense_backward(dy, cache)[1])
        return y

    def multiply_adds(self, x_shape, y_shape):
        return self.w.value.size

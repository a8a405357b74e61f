"""Layers that treat an image and its mirror image alike; the mathematics is in ops/mirror.py."""

from ..ops import (
    mirror_batch_norm,
    mirror_batch_norm_backward,
    mirror_conv2d,
    mirror_conv2d_backward,
    mirror_mean,
    mirror_mean_backward,
)
from ..ops.mirror import mirror_filters, mirror_filters_backward
from .base import Layer, value_of
from .conv import Conv2D
from .norm import BatchNorm


class MirrorConv2D(Conv2D):
    """ops.mirror_conv2d: `filters` filters, each used twice, with weights (kh, kw, 2C, F).

    `in_channels` and `filters` count pairs: x (N, H, W, 2C) -> (N, OH, OW, 2F). With `first`, x is
    an image of C channels. kernel_size, stride, padding, bias (none here unless asked for), init,
    rng and errors are as in Conv2D.

    >>> MirrorConv2D(1, 16, 3, first=True).infer(np.zeros((8, 28, 28, 1), np.float32)).shape
    (8, 28, 28, 32)
    """

    def __init__(
        self, in_channels, filters, kernel_size, stride=1, padding="same", bias=False,
        first=False, init="he_normal", rng=None,
    ):  # fmt: skip
        self.first = bool(first)
        whole = in_channels if first else 2 * in_channels
        super().__init__(whole, filters, kernel_size, stride, padding, bias, init, rng)

    def config(self):
        *place, _, _ = super().config().items()  # it has neither dilation nor groups
        more = dict(place)
        whole = more["in_channels"]
        return {**more, "in_channels": whole if self.first else whole // 2, "first": self.first}

    def operands(self, x):
        b = value_of(self.b)
        given = x, self.w.value, b, self.stride, self.padding, self.first
        _, w, b, *_ = mirror_conv2d.check(*given)
        return mirror_filters(w, b, self.first)

    def add_grads(self, dw, db):
        super().add_grads(*mirror_filters_backward(dw, db, self.first))

    def forward(self, x, train=False):
        b = value_of(self.b)
        return mirror_conv2d(x, self.w.value, b, self.stride, self.padding, self.first)

    def backward(self, dy, cache):
        dx, dw, db = mirror_conv2d_backward(dy, cache, input_gradient=self.input_gradient)
        super().add_grads(dw, db)
        return dx

    def multiply_adds(self, x_shape, y_shape):
        return 2 * super().multiply_adds(x_shape, y_shape)


class MirrorBatchNorm(BatchNorm):
    """BatchNorm of (N, ..., 2F) whose gamma, beta and statistics (F,) are shared by each pair.

    channels counts pairs, F; momentum, eps and errors are as in BatchNorm. See
    ops.mirror_batch_norm.

    >>> MirrorBatchNorm(16).infer(np.zeros((8, 4, 4, 32), np.float32)).shape
    (8, 4, 4, 32)
    """

    def forward(self, x, train=False):
        values = self.gamma.value, self.beta.value, self.running_mean, self.running_var
        return mirror_batch_norm(x, *values, train, self.momentum, self.eps)

    def backward(self, dy, cache):
        dx, dgamma, dbeta = mirror_batch_norm_backward(dy, cache)
        self.gamma.add_grad(dgamma)
        self.beta.add_grad(dbeta)
        return dx


class MirrorMean(Layer):
    """ops.mirror_mean: (N, 2F) -> (N, F), after which an image and its mirror image are equal.

    >>> MirrorMean().infer(np.zeros((8, 32), np.float32)).shape
    (8, 16)
    """

    def forward(self, x, train=False):
        return mirror_mean(x)

    def backward(self, dy, cache):
        return mirror_mean_backward(dy, cache)

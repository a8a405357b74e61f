"""The mathematics: pure functions on arrays, each backward pass directly under its forward pass.

Every op is `name(x, ...) -> (y, cache)`, and its backward pass `name_backward(dy, cache) -> dx` or
`(dx, dw, db, ...)`; a loss is `name(input, target) -> (loss, dinput)`. Images are (N, H, W, C).
Read conv.py first.
"""

from .activation import (
    elu,
    elu_backward,
    gelu,
    gelu_backward,
    hard_swish,
    hard_swish_backward,
    leaky_relu,
    leaky_relu_backward,
    prelu,
    prelu_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    silu,
    silu_backward,
    softmax,
    softmax_backward,
    tanh,
    tanh_backward,
)
from .channel_scale import channel_scale, channel_scale_backward
from .conv import (
    col2im,
    conv2d,
    conv2d_backward,
    conv_transpose2d,
    conv_transpose2d_backward,
    im2col,
)
from .dense import dense, dense_backward
from .dropout import dropout, dropout_backward
from .layer_norm import group_norm, group_norm_backward, layer_norm, layer_norm_backward
from .loss import (
    bce_with_logits,
    distillation,
    gaussian_kl,
    gradient_penalty,
    mse,
    softmax_cross_entropy,
)
from .mirror import (
    mirror_batch_norm,
    mirror_batch_norm_backward,
    mirror_conv2d,
    mirror_conv2d_backward,
    mirror_mean,
    mirror_mean_backward,
)
from .norm import batch_norm, batch_norm_backward
from .pool import (
    avg_pool2d,
    avg_pool2d_backward,
    global_avg_pool,
    global_avg_pool_backward,
    max_pool2d,
    max_pool2d_backward,
)
from .sample import gaussian_sample, gaussian_sample_backward
from .upsample import upsample2d, upsample2d_backward

__all__ = [
    "avg_pool2d", "avg_pool2d_backward", "batch_norm", "batch_norm_backward", "bce_with_logits",
    "channel_scale", "channel_scale_backward", "col2im", "conv2d", "conv2d_backward",
    "conv_transpose2d", "conv_transpose2d_backward", "dense", "dense_backward", "distillation",
    "dropout", "dropout_backward", "elu", "elu_backward", "gaussian_kl", "gaussian_sample",
    "gaussian_sample_backward", "gelu", "gelu_backward", "global_avg_pool",
    "global_avg_pool_backward", "gradient_penalty", "group_norm", "group_norm_backward",
    "hard_swish", "hard_swish_backward", "im2col", "layer_norm", "layer_norm_backward",
    "leaky_relu", "leaky_relu_backward", "max_pool2d", "max_pool2d_backward",
    "mirror_batch_norm", "mirror_batch_norm_backward", "mirror_conv2d",
    "mirror_conv2d_backward", "mirror_mean", "mirror_mean_backward", "mse", "prelu",
    "prelu_backward", "relu", "relu_backward", "sigmoid", "sigmoid_backward", "silu",
    "silu_backward", "softmax", "softmax_backward", "softmax_cross_entropy", "tanh",
    "tanh_backward", "upsample2d", "upsample2d_backward",
]  # fmt: skip

"""gradcheck over every layer: odd shapes, strides, paddings, one image, overlaps.

Gradient checks need float64, which every kernel leaves to the reference: they run once, on NumPy.
That a kernel is its reference, tests/kernels/test_against_reference.py shows.
"""

import numpy as np
import pytest

import numpycnn
from numpycnn import layers
from numpycnn.layers import (
    ELU,
    GELU,
    Add,
    AvgPool2D,
    BatchNorm,
    Concat,
    Conv2D,
    ConvBNReLU,
    ConvTranspose2D,
    Dense,
    Dropout,
    Flatten,
    Frozen,
    GlobalAvgPool,
    GroupNorm,
    HardSwish,
    Identity,
    InputGradient,
    LayerNorm,
    LeakyReLU,
    MaxPool2D,
    MirrorBatchNorm,
    MirrorConv2D,
    MirrorMean,
    PReLU,
    ReLU,
    Reshape,
    Sampling,
    Sequential,
    Sigmoid,
    SiLU,
    SqueezeExcite,
    Standardize,
    Tanh,
    Upsample2D,
)


def rng():
    return np.random.default_rng(5)


def conv(*args, **kwargs):
    layer = Conv2D(*args, rng=rng(), **kwargs)
    if layer.b:
        layer.b.value[:] = rng().standard_normal(layer.b.value.shape)
    return layer


def transposed(*args, **kwargs):
    return ConvTranspose2D(*args, rng=rng(), **kwargs)


def pre_activation(channels):
    return Sequential(BatchNorm(channels), ReLU(), conv(channels, channels, 3))


def mirror(*args, **kwargs):
    layer = MirrorConv2D(*args, rng=rng(), **kwargs)
    if layer.b:
        layer.b.value[:] = rng().standard_normal(layer.b.value.shape)
    return layer


def a_mirror_network():
    first = [mirror(1, 2, 3, first=True), MirrorBatchNorm(2), ReLU(), MaxPool2D(2)]
    second = [mirror(2, 3, 3, bias=True), MirrorBatchNorm(3), ReLU()]
    return [*first, *second, GlobalAvgPool(), MirrorMean(), Dense(3, 4, rng=rng())]


def a_network():
    residual = Add(Identity(), pre_activation(3))
    first = [conv(1, 3, 3), BatchNorm(3), ReLU(), MaxPool2D(2), Dropout(0.3, rng())]
    return [*first, residual, Flatten(), Dense(27, 4, rng=rng())]


def a_critic():
    first = [
        Standardize(0.5, 0.5),
        conv(1, 4, 4, stride=2),
        LeakyReLU(0.2),
        conv(4, 3, 3),
        ReLU(),
        AvgPool2D(2),
    ]
    return Sequential(
        *first,
        conv(3, 4, 3, stride=2, bias=False),
        LeakyReLU(0.1),
        Flatten(),
        Dense(4, 1, rng=rng()),
    )


CASES = {
    "dense": (lambda: Dense(5, 3, rng=rng()), (4, 5)),
    "dense, one example, no bias": (lambda: Dense(1, 2, bias=False, rng=rng()), (1, 1)),
    "conv 3x3 same": (lambda: conv(2, 3, 3), (2, 5, 4, 2)),
    "conv 1x1, one image": (lambda: conv(3, 2, 1), (1, 4, 5, 3)),
    "conv 3x3 of one pixel": (lambda: conv(2, 2, 3), (1, 1, 1, 2)),
    "conv 3x3 stride 2, odd size": (lambda: conv(1, 2, 3, stride=2), (2, 7, 6, 1)),
    "conv 2x3 stride (1, 2) valid": (
        lambda: conv(2, 1, (2, 3), stride=(1, 2), padding="valid"),
        (2, 5, 6, 2),
    ),
    "conv 5x5 padding (3, 1), no bias": (
        lambda: conv(1, 2, 5, padding=(3, 1), bias=False),
        (1, 4, 6, 1),
    ),
    "conv 3x3 stride 3 padding 2": (lambda: conv(2, 3, 3, stride=3, padding=2), (3, 5, 4, 2)),
    "conv 4x2, even kernel": (lambda: conv(1, 2, (4, 2)), (2, 5, 4, 1)),
    "conv stride above the kernel": (
        lambda: conv(2, 2, 2, stride=3, padding="valid"),
        (1, 9, 8, 2),
    ),
    "conv 3x3, eight channels to sixteen": (lambda: conv(8, 16, 3), (2, 6, 6, 8)),
    "mirror conv, first": (lambda: mirror(3, 2, 3, first=True), (2, 4, 5, 3)),
    "mirror conv 3x3, bias": (lambda: mirror(2, 3, 3, bias=True), (2, 5, 4, 4)),
    "mirror conv 2x5 stride (2, 1) padding (0, 1)": (
        lambda: mirror(1, 2, (2, 5), stride=(2, 1), padding=(0, 1)),
        (1, 6, 5, 2),
    ),
    "mirror batch norm": (lambda: MirrorBatchNorm(2), (2, 3, 4, 4)),
    "mirror batch norm of one pixel": (lambda: MirrorBatchNorm(1), (3, 1, 1, 2)),
    "mirror mean": (MirrorMean, (3, 6)),
    "the input gradient of a mirror critic": (
        lambda: InputGradient(
            Sequential(mirror(1, 3, 3, first=True), Flatten(), Dense(72, 1, rng=rng()))
        ),
        (2, 4, 3, 1),
    ),
    "a mirror network": (lambda: Sequential(*a_mirror_network()), (3, 5, 6, 1)),
    "a fused mirror network": (
        lambda: layers.fuse(Sequential(*a_mirror_network())),
        (3, 5, 6, 1),
    ),
    "transposed 3x3": (lambda: transposed(2, 3, 3), (2, 4, 3, 2)),
    "transposed 4x4 stride 2": (lambda: transposed(2, 1, 4, stride=2), (1, 3, 4, 2)),
    "transposed (2, 3) stride (2, 1) valid": (
        lambda: transposed(1, 2, (2, 3), stride=(2, 1), padding="valid", bias=False),
        (2, 3, 3, 1),
    ),
    "transposed 3x3 stride 2 padding 1": (
        lambda: transposed(2, 2, 3, stride=2, padding=1),
        (2, 3, 3, 2),
    ),
    "batch norm of images": (lambda: BatchNorm(3), (3, 4, 3, 3)),
    "batch norm of one image": (lambda: BatchNorm(2), (1, 3, 5, 2)),
    "batch norm of features": (lambda: BatchNorm(4), (6, 4)),
    "batch norm of two": (lambda: BatchNorm(3), (2, 3)),
    "max pool 2": (lambda: MaxPool2D(2), (2, 5, 6, 2)),
    "max pool 3 stride 2, overlapping": (lambda: MaxPool2D(3, 2), (2, 7, 6, 2)),
    "max pool (1, 3) stride (2, 1)": (lambda: MaxPool2D((1, 3), (2, 1)), (1, 4, 5, 3)),
    "conv in 2 groups, stride (1, 2)": (
        lambda: conv(4, 6, 3, stride=(1, 2), groups=2),
        (2, 5, 4, 4),
    ),
    "depthwise": (lambda: conv(3, 3, 3, padding="valid", groups=3), (2, 5, 4, 3)),
    "depthwise, 2 filters a channel": (lambda: conv(3, 6, (2, 3), groups=3), (2, 5, 4, 3)),
    "dilated conv": (lambda: conv(2, 3, 3, dilation=2), (2, 5, 6, 2)),
    "dilated depthwise": (
        lambda: conv(3, 3, 3, stride=2, padding=1, dilation=(1, 2), groups=3, bias=False),
        (1, 5, 6, 3),
    ),
    "average pool 2": (lambda: AvgPool2D(2), (2, 4, 5, 2)),
    "average pool 3 stride 1, overlapping": (lambda: AvgPool2D(3, 1), (1, 5, 4, 2)),
    "average pool (2, 3) stride (1, 2)": (lambda: AvgPool2D((2, 3), (1, 2)), (2, 4, 7, 1)),
    "global average pool": (lambda: GlobalAvgPool(), (2, 3, 5, 4)),
    "relu": (ReLU, (3, 7)),
    "leaky relu": (lambda: LeakyReLU(0.2), (2, 3, 3, 2)),
    "prelu, one slope a channel": (lambda: PReLU(3), (4, 3, 2, 3)),
    "prelu, one slope": (lambda: PReLU(), (4, 5)),
    "elu": (lambda: ELU(0.7), (3, 4)),
    "sigmoid": (Sigmoid, (3, 4)),
    "tanh": (Tanh, (2, 2, 3, 1)),
    "silu": (SiLU, (3, 4)),
    "gelu": (GELU, (3, 4)),
    "hard swish": (HardSwish, (2, 3, 4, 2)),
    "layer norm": (lambda: LayerNorm(5), (2, 3, 2, 5)),
    "layer norm of features": (lambda: LayerNorm(6), (3, 6)),
    "group norm": (lambda: GroupNorm(2, 6), (2, 3, 2, 6)),
    "instance norm": (lambda: GroupNorm(3, 3), (2, 3, 4, 3)),
    "group norm of features": (lambda: GroupNorm(2, 8), (3, 8)),
    "squeeze-and-excite": (lambda: SqueezeExcite(6, 2, rng=rng()), (2, 3, 4, 6)),
    "dropout": (lambda: Dropout(0.4, rng()), (5, 6)),
    "standardize": (lambda: Standardize(0.3, 0.2), (2, 3, 4, 1)),
    "upsample": (Upsample2D, (2, 3, 2, 3)),
    "upsample (3, 1)": (lambda: Upsample2D((3, 1)), (1, 2, 4, 2)),
    "sampling": (lambda: Sampling(rng()), (4, 6)),
    "the input gradient of a dense critic": (
        lambda: InputGradient(
            Sequential(Dense(5, 4, rng=rng()), LeakyReLU(0.2), Dense(4, 1, rng=rng()))
        ),
        (3, 5),
    ),
    "the input gradient of a strided conv": (
        lambda: InputGradient(
            Sequential(conv(2, 3, 3, stride=2, padding=1), Flatten(), Dense(27, 1, rng=rng()))
        ),
        (2, 6, 5, 2),
    ),
    "the input gradient of a whole critic": (lambda: InputGradient(a_critic()), (3, 8, 8, 1)),
    "flatten": (Flatten, (2, 3, 4, 2)),
    "reshape": (lambda: Reshape(2, -1, 3), (2, 12)),
    "identity": (Identity, (2, 3)),
    "frozen": (lambda: Frozen(conv(2, 3, 3)), (2, 4, 5, 2)),
    "residual": (lambda: Add(Identity(), pre_activation(2)), (2, 4, 3, 2)),
    "three branches": (lambda: Add(Identity(), Tanh(), Sigmoid()), (2, 5)),
    "dense block": (lambda: Concat(Identity(), conv(2, 3, 3), MaxPool2D(1)), (2, 4, 3, 2)),
    "concat of features": (lambda: Concat(Dense(4, 2, rng=rng()), Dense(4, 3, rng=rng())), (3, 4)),
    "fused conv, batch norm, relu": (lambda: ConvBNReLU(conv(2, 3, 3), BatchNorm(3)), (2, 5, 4, 2)),
    "fused and pooled": (
        lambda: ConvBNReLU(conv(1, 2, 3, bias=False), BatchNorm(2), pool=2),
        (2, 4, 6, 1),
    ),
    "fused network": (lambda: layers.fuse(Sequential(*a_network())), (2, 6, 7, 1)),
    "a whole network": (lambda: Sequential(*a_network()), (2, 6, 7, 1)),
}


def draw(shape, dtype=np.float64):
    return np.random.default_rng(11).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_backward_is_the_derivative_of_forward(case, on_numpy):
    make, shape = case
    result = numpycnn.gradcheck(make(), draw(shape), elements=60)
    assert result.ok
    assert result.max_error < 1e-5


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_and_so_it_is_when_not_training(case, on_numpy):
    make, shape = case
    layer = make()
    for name, buffer in layer.buffers():
        buffer[:] = np.abs(draw(buffer.shape)) + (0.5 if name == "running_var" else 0)
    assert numpycnn.gradcheck(layer, draw(shape), train=False, elements=10, directions=2).ok


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("train", [True, False])
def test_float32_stays_float32(case, train, each_backend):
    make, shape = CASES[case]
    layer, x = make(), draw(shape, np.float32)
    y, cache = layer.forward(x, train=train)
    dx = layer.backward(draw(y.shape, np.float32), cache)
    assert (y.dtype, dx.dtype, dx.shape) == (np.float32, np.float32, x.shape)
    for param in layer.params():
        assert (param.value.dtype, param.grad.dtype) == (np.float32, np.float32)
        assert param.grad.shape == param.value.shape
    assert all(array.dtype == np.float32 for _, array in layer.buffers())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_float32_gradients_are_those_of_float64(case, each_backend):
    make, shape = case
    x = draw(shape)
    grads = []
    for dtype in (np.float32, np.float64):
        layer = make()
        for param in layer.params():
            param.value = param.value.astype(dtype)
        y, cache = layer.forward(x.astype(dtype), train=True)
        dx = layer.backward(draw(y.shape, dtype), cache)
        grads.append([y, dx, *(param.grad for param in layer.params())])
    for single, double in zip(*grads, strict=True):
        assert double.dtype == np.float64
        np.testing.assert_allclose(
            single, double, rtol=2e-3, atol=2e-4 * max(1, np.abs(double).max())
        )


def test_every_layer_has_a_case():
    made = {
        type(layer).__name__
        for make, _ in CASES.values()
        for _, layer in layers.traverse.walk(make())
    }
    public = {name for name in layers.__all__ if isinstance(getattr(layers, name), type)}
    assert made >= public - {"Layer", "Param"}

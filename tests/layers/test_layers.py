"""The protocol, for every layer: caches are values, gradients add up, use changes nothing, dtypes
stay.
"""

import copy
import inspect
import re

import numpy as np
import pytest

from numpycnn import layers, models, ops
from numpycnn.errors import ShapeError
from numpycnn.layers import traverse
from numpycnn.training import checkpoint
from tests import naive

IMAGE, ROWS = (4, 6, 6, 3), (4, 3)


def rng():
    return np.random.default_rng(31)


def block():
    return layers.Sequential(
        layers.Conv2D(3, 4, 3, rng=rng()),
        layers.BatchNorm(4),
        layers.ReLU(),
        layers.Dropout(0.3, rng()),
    )


# name: (layer, the shape of x)
LAYERS = {
    "Conv2D": (lambda: layers.Conv2D(3, 4, (3, 2), 2, rng=rng()), IMAGE),
    "Conv2D without bias": (lambda: layers.Conv2D(3, 4, 3, bias=False, rng=rng()), IMAGE),
    "Conv2D, depthwise and dilated": (
        lambda: layers.Conv2D(3, 6, 3, dilation=2, groups=3, rng=rng()),
        IMAGE,
    ),
    "MirrorConv2D": (
        lambda: layers.MirrorConv2D(3, 4, 3, bias=True, first=True, rng=rng()),
        IMAGE,
    ),
    "MirrorBatchNorm": (lambda: layers.MirrorBatchNorm(2), (4, 6, 6, 4)),
    "MirrorMean": (layers.MirrorMean, (4, 6)),
    "ConvTranspose2D": (lambda: layers.ConvTranspose2D(3, 2, 3, 2, rng=rng()), IMAGE),
    "Dense": (lambda: layers.Dense(3, 5, rng=rng()), ROWS),
    "Dense without bias": (lambda: layers.Dense(3, 5, bias=False, rng=rng()), ROWS),
    "BatchNorm": (lambda: layers.BatchNorm(3), IMAGE),
    "BatchNorm of rows": (lambda: layers.BatchNorm(3), ROWS),
    "MaxPool2D": (lambda: layers.MaxPool2D(3, 2), IMAGE),
    "AvgPool2D": (lambda: layers.AvgPool2D(2), IMAGE),
    "GlobalAvgPool": (layers.GlobalAvgPool, IMAGE),
    "ReLU": (layers.ReLU, IMAGE),
    "LeakyReLU": (layers.LeakyReLU, ROWS),
    "PReLU": (lambda: layers.PReLU(3), IMAGE),
    "PReLU with one slope": (layers.PReLU, ROWS),
    "ELU": (layers.ELU, ROWS),
    "Sigmoid": (layers.Sigmoid, ROWS),
    "Tanh": (layers.Tanh, ROWS),
    "SiLU": (layers.SiLU, ROWS),
    "GELU": (layers.GELU, ROWS),
    "HardSwish": (layers.HardSwish, ROWS),
    "LayerNorm": (lambda: layers.LayerNorm(3), IMAGE),
    "GroupNorm": (lambda: layers.GroupNorm(3, 3), IMAGE),
    "SqueezeExcite": (lambda: layers.SqueezeExcite(3, 2, rng=rng()), IMAGE),
    "Dropout": (lambda: layers.Dropout(0.4, rng()), IMAGE),
    "Identity": (layers.Identity, ROWS),
    "Flatten": (layers.Flatten, IMAGE),
    "Reshape": (lambda: layers.Reshape(9, -1), IMAGE),
    "Standardize": (lambda: layers.Standardize(0.3, 0.4), IMAGE),
    "Sequential": (block, IMAGE),
    "Add": (lambda: layers.Add(layers.Identity(), layers.Conv2D(3, 3, 3, rng=rng())), IMAGE),
    "Concat": (lambda: layers.Concat(layers.Identity(), block()), IMAGE),
    "Upsample2D": (layers.Upsample2D, IMAGE),
    "Sampling": (lambda: layers.Sampling(rng()), (4, 6)),
    "Frozen": (lambda: layers.Frozen(layers.Conv2D(3, 4, 3, rng=rng())), IMAGE),
    "ConvBNReLU": (
        lambda: layers.ConvBNReLU(layers.Conv2D(3, 4, 3, rng=rng()), layers.BatchNorm(4), 2),
        IMAGE,
    ),
    "ConvBNReLU without batch norm": (
        lambda: layers.ConvBNReLU(layers.Conv2D(3, 4, 3, rng=rng())),
        IMAGE,
    ),
}


def test_none_is_forgotten():
    public = {name for name in layers.__all__ if isinstance(getattr(layers, name), type)}
    assert public - {name.split()[0] for name in LAYERS} == {
        "Layer",
        "Param",
        "InputGradient",
    }  # test_input_gradient.py


def draw(shape, n=1, dtype=np.float32, seed=32):
    arrays = np.random.default_rng(seed).standard_normal((n, *shape)).astype(dtype)
    return arrays if n > 1 else arrays[0]


def gradients(layer):
    return [p.grad for p in layer.params()]


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("train", [False, True])
def test_two_forward_passes_before_two_backward_passes(each_backend, name, train):
    make, shape = LAYERS[name]
    one, other = make(), make()
    x1, x2 = draw(shape, 2)
    y1, cache1 = one.forward(x1, train)
    y2, cache2 = one.forward(x2, train)
    dy1, dy2 = draw(y1.shape, 2, seed=33)
    got = one.backward(dy2, cache2), one.backward(dy1, cache1)

    z1, cache = other.forward(x1, train)
    first = other.backward(dy1, cache)
    z2, cache = other.forward(x2, train)
    second = other.backward(dy2, cache)
    for a, b in ((y1, z1), (y2, z2), (got[0], second), (got[1], first)):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(gradients(one), gradients(other), strict=True):
        np.testing.assert_array_equal(a, b)  # a + b is b + a, to the bit


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_add_up_until_they_are_taken_away(each_backend, name):
    make, shape = LAYERS[name]
    layer, x = make(), draw(shape)
    y, cache = layer.forward(x)
    assert all(p.grad is None for p in layer.params())
    dy, other = draw(y.shape, 2, seed=34)
    layer.backward(dy, cache)
    first = [g.copy() for g in gradients(layer)]
    layer.backward(other, cache)
    both = gradients(layer)
    for param in layer.params():
        param.grad = None
    layer.backward(other, cache)
    for a, b, total in zip(first, gradients(layer), both, strict=True):
        np.testing.assert_array_equal(a + b, total)
        assert a.any()


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("train", [False, True])
def test_dtypes_stay_and_nothing_is_written_to(each_backend, name, dtype, train):
    make, shape = LAYERS[name]
    layer, x = make(), draw(shape, dtype=dtype)
    x.flags.writeable = False
    before = [p.value.copy() for p in layer.params()]
    y, cache = layer.forward(x, train)
    dy = draw(y.shape, dtype=dtype, seed=35)
    dy.flags.writeable = False
    dx = layer.backward(dy, cache)
    assert y.dtype == dx.dtype == dtype
    assert dx.shape == x.shape
    for param, value in zip(layer.params(), before, strict=True):
        assert param.grad.dtype == dtype
        assert param.grad.shape == param.value.shape
        assert param.value.dtype == np.float32
        np.testing.assert_array_equal(param.value, value)
    for _, buffer in traverse.named_buffers(layer).items():
        assert buffer.dtype == np.float32


@pytest.mark.parametrize("name", LAYERS)
def test_the_same_bits_for_every_layout(each_backend, name):
    make, shape = LAYERS[name]
    layer, x = make(), draw(shape)
    y, cache = layer.forward(x)
    dy = draw(y.shape, seed=36)
    dx = layer.backward(dy, cache)
    for layout in naive.LAYOUTS:
        z, cache = layer.forward(naive.lay_out(x, layout))
        np.testing.assert_array_equal(z, y)
        np.testing.assert_array_equal(layer.backward(naive.lay_out(dy, layout), cache), dx)


@pytest.mark.parametrize("name", LAYERS)
def test_infer_is_forward_in_use_and_takes_an_empty_batch(each_backend, name):
    make, shape = LAYERS[name]
    layer, x = make(), draw(shape)
    y = layer.infer(x)
    np.testing.assert_array_equal(y, layer.forward(x)[0])
    empty = layer.infer(x[:0])
    assert empty.shape == (0, *y.shape[1:])
    assert empty.dtype == np.float32


# ---- training and use in turn -------------------------------------------------------------------


def small_vgg():
    return models.vgg(filters=(4, 6), depth=1, input_shape=(8, 8, 1), classes=3, rng=rng())


def state(net):
    arrays = {
        **traverse.named_buffers(net),
        **{k: p.value for k, p in traverse.named_params(net).items()},
    }
    return (
        {k: a.copy() for k, a in arrays.items()},
        {k: copy.deepcopy(g.bit_generator.state) for k, g in traverse.generators(net).items()},
    )


def test_use_in_the_middle_of_training_changes_nothing(each_backend):
    one, other = small_vgg(), small_vgg()
    x = draw((6, 8, 8, 1))
    for net in (one, other):
        net.forward(x, train=True)
    arrays, generators = state(one)
    assert len(generators) == 2
    one.infer(x[:1])
    _, cache = one.forward(x + 5)
    one.backward(draw((6, 3)), cache)
    one.summary((8, 8, 1))
    arrays_after, generators_after = state(one)
    assert generators_after == generators
    for key, array in arrays.items():
        np.testing.assert_array_equal(arrays_after[key], array)
    np.testing.assert_array_equal(one.forward(x, train=True)[0], other.forward(x, train=True)[0])


def test_training_does_change_what_it_should(each_backend):
    net, x = small_vgg(), draw((6, 8, 8, 1))
    arrays, generators = state(net)
    first, _ = net.forward(x, train=True)
    after, generators_after = state(net)
    assert all(generators_after[k] != g for k, g in generators.items())
    assert all((after[k] == arrays[k]).all() != ("running" in k) for k in arrays)
    assert not np.array_equal(net.forward(x, train=True)[0], first)  # another dropout mask


def test_batch_norm_learns_the_statistics_of_its_input(each_backend):
    layer, source = layers.BatchNorm(2), np.random.default_rng(37)
    for _ in range(100):
        layer.forward(
            (source.standard_normal((200, 2)) * [2, 0.5] + [3, -1]).astype(np.float32), train=True
        )
    # of 200 values 0.9 remembers about 10 batches: 2000 values' mean and variance
    np.testing.assert_allclose(layer.running_mean, [3, -1], atol=5 * 2 / 2000**0.5)
    np.testing.assert_allclose(layer.running_var, [4, 0.25], rtol=5 * (2 / 2000) ** 0.5)


# ---- combinations -------------------------------------------------------------------------------


class Twice(layers.Layer):
    """A layer of a user's own: y = 2 x a"""

    def __init__(self):
        self.a = layers.Param("a", np.full(3, 1.5, np.float32))

    def forward(self, x, train=False):
        return 2 * x * self.a.value, x

    def backward(self, dy, cache):
        self.a.add_grad((2 * dy * cache).sum(axis=0))
        return 2 * dy * self.a.value


def test_add_sums_and_concat_stands_side_by_side(each_backend):
    x, dense = draw(ROWS), layers.Dense(3, 3, rng=rng())
    alone, _ = dense.forward(x)
    y, cache = layers.Add(layers.Identity(), dense, Twice()).forward(x)
    naive.agree(y, x + alone + 3 * x)
    concat = layers.Concat(Twice(), dense, layers.Identity())
    y, cache = concat.forward(x)
    np.testing.assert_array_equal(y, np.concatenate([3 * x, alone, x], axis=1))
    dy = draw((4, 9))
    naive.agree(
        concat.backward(dy, cache), 3 * dy[:, :3] + dy[:, 3:6] @ dense.w.value.T + dy[:, 6:]
    )


def test_one_layer_in_two_places_gets_both_gradients(each_backend):
    x, shared, other = draw(ROWS), layers.Dense(3, 3, rng=rng()), layers.Dense(3, 3, rng=rng())
    twice = layers.Sequential(shared, shared)
    y, cache = twice.forward(x)
    dy = draw(y.shape, seed=38)
    dx = twice.backward(dy, cache)
    w = other.w.value
    naive.agree(y, x @ w @ w)
    naive.agree(dx, dy @ w.T @ w.T)
    naive.agree(shared.w.grad, (x @ w).T @ dy + x.T @ (dy @ w.T))
    assert list(traverse.named_params(twice)) == ["0.w", "0.b"]


def test_reshape_and_flatten(each_backend):
    x = draw(IMAGE)
    y, cache = layers.Flatten().forward(x)
    np.testing.assert_array_equal(y, x.reshape(4, 108))
    np.testing.assert_array_equal(layers.Flatten().backward(y, cache), x)
    assert layers.Reshape((3, -1)).forward(x)[0].shape == (4, 3, 36)
    for shape in [(5, -1), (107,), (2, 2), (-1, -1)]:
        with pytest.raises(ShapeError, match="Reshape cannot make"):
            layers.Reshape(*shape).forward(x)


def test_standardize_takes_bytes_and_floats(each_backend):
    layer, pixels = layers.Standardize(0.25, 0.5), np.array([[0, 51, 255]], np.uint8)
    wanted = (np.array([[0, 0.2, 1]]) - 0.25) / 0.5
    for x in (pixels, pixels / np.float32(255), (pixels / 255).astype(">f4")):
        y, _ = layer.forward(x)
        assert y.dtype == np.dtype("=f4")
        naive.agree(y, wanted)
    naive.agree(layer.forward(pixels / 255)[0], wanted)  # float64
    naive.agree(
        layers.Standardize().forward(pixels)[0], pixels / np.float32(255)
    )  # by default as it is
    assert layer.forward(np.zeros((1, 2), np.float16))[0].dtype == np.float32
    for dtype in (np.int64, np.int8, np.uint16, bool, complex, object, "U1"):
        with pytest.raises(TypeError, match="images must be uint8"):
            layer.forward(np.zeros((1, 2), dtype))
    for mean, std in ((0, 0), (0, -1), (np.nan, 1), (0, np.inf), (0, np.nan)):
        with pytest.raises(ValueError, match="std > 0"):
            layers.Standardize(mean, std)


def test_a_layer_without_passes_says_so():
    with pytest.raises(NotImplementedError, match="Layer has no forward pass"):
        layers.Layer().forward(1)
    with pytest.raises(NotImplementedError, match="Layer has no backward pass"):
        layers.Layer().backward(1, None)


# ---- names --------------------------------------------------------------------------------------


def test_names_over_the_network():
    net = layers.Sequential(
        layers.Dense(3, 4), layers.Add(layers.Identity(), block()), [layers.PReLU(2)][0]
    )
    assert list(traverse.named_params(net)) == [
        "0.w",
        "0.b",
        "1.branches.1.0.w",
        "1.branches.1.0.b",
        "1.branches.1.1.gamma",
        "1.branches.1.1.beta",
        "2.alpha",
    ]
    assert list(traverse.named_buffers(net)) == [
        "1.branches.1.1.running_mean",
        "1.branches.1.1.running_var",
    ]
    assert list(traverse.generators(net)) == ["1.branches.1.3.rng"]
    assert [p.name for p in net.params()] == ["w", "b", "w", "b", "gamma", "beta", "alpha"]
    assert list(traverse.named_params(layers.Dense(2, 3))) == ["w", "b"]
    assert [p for p, _ in traverse.walk(net)][:4] == ["", "0", "1", "1.branches.0"]


def test_a_generator_in_two_layers_is_listed_once():
    shared = rng()
    net = layers.Sequential(
        layers.Dropout(0.1, shared), layers.Dropout(0.2, shared), layers.Dropout(0.3, rng())
    )
    assert list(traverse.generators(net)) == ["0.rng", "2.rng"]


def test_a_list_of_layers_is_a_sequential():
    one = [layers.ReLU(), layers.Tanh()]
    assert layers.Sequential(one).layers == layers.Sequential(*one).layers == one


@pytest.mark.parametrize(
    ("layer", "op"),
    [
        (layers.Conv2D, ops.conv2d), (layers.ConvTranspose2D, ops.conv_transpose2d),
        (layers.MirrorConv2D, ops.mirror_conv2d), (layers.BatchNorm, ops.batch_norm),
        (layers.MirrorBatchNorm, ops.mirror_batch_norm), (layers.MaxPool2D, ops.max_pool2d),
        (layers.AvgPool2D, ops.avg_pool2d), (layers.Upsample2D, ops.upsample2d),
        (layers.LeakyReLU, ops.leaky_relu), (layers.ELU, ops.elu),
        (layers.LayerNorm, ops.layer_norm), (layers.GroupNorm, ops.group_norm),
    ],
)  # fmt: skip
def test_a_layer_has_the_defaults_of_its_op(layer, op):
    ours, theirs = (inspect.signature(f).parameters for f in (layer, op))
    both = {name for name in ours if name in theirs}
    assert both
    for name in both:
        assert ours[name].default == theirs[name].default, name


def test_watch_sees_the_leaves_and_leaves_no_trace():
    net, seen = layers.Sequential(layers.Tanh(), layers.Add(layers.ReLU(), layers.Identity())), []
    with traverse.watch(
        net, lambda path, layer, x, y, cache: seen.append((path, type(layer).__name__))
    ):
        net.forward(draw(ROWS))
    net.forward(draw(ROWS))
    assert seen == [("0", "Tanh"), ("1.branches.0", "ReLU"), ("1.branches.1", "Identity")]
    assert all("forward" not in vars(layer) for _, layer in traverse.walk(net))


# ---- summary ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "counts"),
    [
        ("vgg", {}, (196_778, 196_026, 752, 24_619_304)),
        ("vgg", {"dropout": (0.1, 0.2, 0)}, (196_778, 196_026, 752, 24_619_304)),
        ("alexnet", {}, (889_354, 889_354, 0, None)),
    ],
)
def test_summary_counts_as_keras_does(name, arguments, counts):
    summary = models.build(name, **arguments).summary((28, 28, 1))
    total, trainable, fixed, work = counts
    assert (summary.total, summary.trainable, summary.non_trainable) == (total, trainable, fixed)
    assert work is None or summary.multiply_adds == work
    assert summary.total <= 198_351 or name != "vgg"
    for line in (
        f"Total params: {total:,}",
        f"Trainable params: {trainable:,}",
        f"Non-trainable params: {fixed:,}",
    ):
        assert line in summary.splitlines()


def test_summary_of_a_small_net_by_hand():
    net = layers.Sequential(
        layers.Conv2D(1, 4, 3, rng=rng()),
        layers.BatchNorm(4),
        layers.ReLU(),
        layers.MaxPool2D(),
        layers.ConvTranspose2D(4, 2, 2, 2, rng=rng()),
        layers.Flatten(),
        layers.Dense(72, 5, rng=rng()),
    )
    before = state(net)[0]
    summary = net.summary((6, 6, 1))
    assert summary.total == (9 * 4 + 4) + 16 + (4 * 4 * 2 + 2) + (72 * 5 + 5)
    assert summary.non_trainable == 8
    assert summary.multiply_adds == 36 * 9 * 4 + 9 * 4 * 4 * 2 + 72 * 5
    # the conv's input; xhat and, of two images, inv_std; ReLU's mask and the pool's winners, a byte
    # each; two inputs
    assert summary.kept_bytes == 4 * 36 + (4 * 144 + 4 * 4 // 2) + 144 + 36 + 4 * 36 + 4 * 72
    rows = summary.splitlines()
    assert rows[2].split() == ["0", "Conv2D", "(6,", "6,", "4)", "40", "1,296", rows[2].split()[-1]]
    assert rows[8].split()[:4] == ["6", "Dense", "(5,)", "365"]
    for key, array in state(net)[0].items():
        np.testing.assert_array_equal(before[key], array)


def test_summary_of_a_layer_in_two_places_has_two_rows():
    shared = layers.Dense(3, 3, rng=rng())
    summary = layers.Sequential(shared, shared).summary((3,))
    assert summary.total == 12
    assert summary.multiply_adds == 18


def test_two_parameters_of_one_name_are_refused():
    layer = Twice()
    layer.b = layers.Param("a", np.ones(2, np.float32))
    with pytest.raises(ValueError, match="two parameters are named a"):
        traverse.named_params(layer)


# ---- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("net", "shape", "message"),
    [
        (
            lambda: layers.Sequential(layers.ReLU(), layers.Conv2D(3, 4, 3)),
            (2, 5, 5, 4),
            r"layer 1 \(Conv2D\): expected 3 ch",
        ),
        (
            lambda: layers.Sequential(layers.ReLU(), layers.Conv2D(3, 4, 6, padding="valid")),
            (2, 5, 5, 3),
            r"layer 1 \(Conv2D\).*larger",
        ),
        (
            lambda: layers.Sequential(layers.Flatten(), layers.Dense(9, 4)),
            (2, 5, 2),
            r"layer 1 \(Dense\): expected 9 channels",
        ),
        (
            lambda: layers.Sequential(layers.MaxPool2D(4)),
            (2, 3, 3, 1),
            r"layer 0 \(MaxPool2D\).*larger than the input",
        ),
        (
            lambda: layers.Sequential(layers.BatchNorm(3)),
            (2, 4),
            r"layer 0 \(BatchNorm\): expected 3 channels",
        ),
        (lambda: layers.Sequential(layers.PReLU(3)), (2, 4), r"layer 0 \(PReLU\)"),
        (
            lambda: layers.Sequential(layers.ReLU(), layers.Sequential(layers.Reshape(5))),
            (2, 4),
            r"layer 1 \(Sequential\): layer 0 \(Reshape\)",
        ),
        (
            lambda: layers.Sequential(layers.Add(layers.Identity(), layers.Dense(4, 3))),
            (2, 4),
            r"layer 0 \(Add\).*\(2, 4\), \(2, 3\)",
        ),
        (
            lambda: layers.Sequential(layers.Concat(layers.Identity(), layers.MaxPool2D())),
            (2, 4, 4, 1),
            r"layer 0 \(Concat\).*more than",
        ),
        (lambda: models.alexnet(), (2, 1, 28, 28), r"layer 1 \(Conv2D\).*NCHW"),
        (lambda: models.alexnet(), (28, 28, 1), r"layer 1 \(Conv2D\).*x\[None\]"),
        (lambda: models.vgg(), (5, 28, 28), r"layer 1 \(Conv2D\).*x\[\.\.\., None\]"),
    ],
)
def test_shape_errors_name_the_layer(each_backend, net, shape, message):
    net, x = net(), np.zeros(shape, np.float32)
    with pytest.raises(ShapeError, match=message):
        net.forward(x)
    with pytest.raises(ShapeError, match=message):
        net.infer(x)


@pytest.mark.parametrize(
    ("build", "kind", "message"),
    [
        (
            lambda: layers.Conv2D(1, 2, 0),
            ShapeError,
            "kernel_size must be a whole number of at least 1",
        ),
        (lambda: layers.Conv2D(1, 2, 3, stride=0), ShapeError, "stride must be"),
        (lambda: layers.Conv2D(1, 2, 3, padding=-1), ShapeError, "padding must be"),
        (
            lambda: layers.Conv2D(1, 2, 3, padding="full"),
            ShapeError,
            "'same', 'valid' or a whole number, not 'full'",
        ),
        (lambda: layers.ConvTranspose2D(1, 2, 3, padding="full"), ShapeError, "not 'full'"),
        (lambda: layers.ConvTranspose2D(1, 2, 3, stride=-1), ShapeError, "stride must be"),
        (lambda: layers.Conv2D(0, 2, 3), ShapeError, "at least 1"),
        (lambda: layers.Dense(3, -2), ShapeError, "at least 1"),
        (lambda: layers.Dense(10**8, 10**8), ShapeError, "would need 40,000,000,000,000,000 bytes"),
        (
            lambda: layers.Dense(3, 2, init="he_norm"),
            ValueError,
            "unknown initialiser 'he_norm'; did you mean he_normal",
        ),
        (lambda: layers.MaxPool2D(0), ShapeError, "size must be"),
        (lambda: layers.AvgPool2D(2, 0), ShapeError, "stride must be"),
        (lambda: layers.Dropout(1), ValueError, "below 1, not 1"),
        (lambda: layers.Dropout(-0.1), ValueError, "at least 0"),
        (
            lambda: layers.Dropout(0.5, rng=3),
            TypeError,
            r"numpy\.random\.Generator as rng, not int",
        ),
        (lambda: layers.BatchNorm(3, momentum=1.1), ValueError, "momentum"),
        (lambda: layers.BatchNorm(3, eps=0), ValueError, "eps"),
    ],
)
def test_what_no_input_could_fit_is_refused_at_once(build, kind, message):
    with pytest.raises(kind, match=message):
        build()


@pytest.mark.parametrize(
    "name",
    [
        n
        for n in LAYERS
        if n not in ("Identity", "Standardize", "Flatten", "Reshape", "Add", "Concat")
    ],
)
def test_backward_wants_its_own_cache(each_backend, name):
    make, shape = LAYERS[name]
    layer = make()
    y, _ = layer.forward(draw(shape))
    foreign = layers.Sigmoid() if name != "Sigmoid" else layers.Tanh()
    for cache in (None, (), foreign.forward(y)[1], [None] * 5):
        with pytest.raises(ValueError, match="needs the cache that"):
            layer.backward(y, cache)


@pytest.mark.parametrize("name", ["Flatten", "Reshape", "Add", "Concat"])
@pytest.mark.parametrize("cache", [None, ()])
def test_backward_of_a_combination_wants_its_own_cache(name, cache):
    make, shape = LAYERS[name]
    layer = make()
    y, _ = layer.forward(draw(shape))
    with pytest.raises(ValueError, match=r"needs the cache|cache that"):
        layer.backward(y, cache)


@pytest.mark.parametrize("wrong", [3, np.random.RandomState(0)])
def test_weights_want_a_generator(wrong):
    with pytest.raises(TypeError, match=r"numpy\.random\.Generator"):
        layers.Conv2D(1, 2, 3, rng=wrong)


@pytest.mark.parametrize("layer", [layers.BatchNorm, layers.PReLU])
@pytest.mark.parametrize("channels", [0, -1])
def test_channels_are_at_least_one(layer, channels):
    with pytest.raises(ShapeError):
        layer(channels)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_used_unless_told_to_train(name):
    assert inspect.signature(LAYERS[name][0]().forward).parameters["train"].default is False


class ForwardOnly:
    def forward(self, x, train=False):
        return x, None


class BackwardOnly:
    def backward(self, dy, cache):
        return dy


class Guest(ForwardOnly, BackwardOnly):
    """Both passes, but its parameters would never be found."""


@pytest.mark.parametrize(
    "wrong", [Guest(), ForwardOnly(), BackwardOnly(), layers.Identity, "a layer", None]
)
@pytest.mark.parametrize("kind", [layers.Sequential, layers.Add, layers.Concat])
def test_what_is_no_layer_is_refused_wherever_it_stands(kind, wrong):
    for parts in ((wrong, layers.Identity()), (layers.Identity(), wrong)):
        with pytest.raises(TypeError, match=f"{kind.__name__} is made of layers, not"):
            kind(*parts)


class Forgetful(layers.ReLU):
    def backward(self, dy, cache):
        super().backward(dy, cache)


def test_a_backward_pass_that_forgets_its_dx_is_named():
    net = layers.Sequential(layers.Dense(3, 3), Forgetful(), layers.Dense(3, 2))
    y, cache = net.forward(np.ones((2, 3), np.float32))
    with pytest.raises(TypeError, match=r"layer 1 \(Forgetful\): backward returned None"):
        net.backward(y, cache)


def test_the_caches_of_others_are_refused():
    conv = layers.Conv2D(1, 4, 3)
    y, cache = conv.forward(np.ones((1, 6, 6, 1), np.float32))
    with pytest.raises(ValueError, match=r"Flatten\.backward needs the cache"):
        layers.Flatten().backward(y, cache)
    dense_block = layers.Concat(layers.Identity(), conv)
    with pytest.raises(ValueError, match=r"Concat\.backward needs the cache"):
        dense_block.backward(y, (1, 2))
    y, cache = dense_block.forward(np.ones((1, 6, 6, 1), np.float32))
    with pytest.raises(ShapeError, match="dy has 6 channels, the forward pass gave 5"):
        dense_block.backward(np.ones((1, 6, 6, 6), np.float32), cache)


def test_concat_of_other_widths_or_heights_is_refused():
    for size in (1, 2), (2, 1):
        with pytest.raises(ShapeError, match="differ in more than channels"):
            layers.Concat(layers.Identity(), layers.MaxPool2D(size)).forward(
                np.zeros((1, 4, 4, 1), np.float32)
            )


def test_reshape_says_what_it_was_to_make_of_what():
    with pytest.raises(ShapeError, match=r"cannot make \(5, 2\) of \(3, 4\)"):
        layers.Reshape(5, 2).forward(np.zeros((2, 3, 4), np.float32))
    with pytest.raises(ShapeError, match=r"cannot make \(5, -1\) of \(3, 4\)"):
        layers.Reshape(5, -1).forward(np.zeros((2, 3, 4), np.float32))
    assert layers.Reshape((2, 6)).forward(np.zeros((2, 3, 4), np.float32))[0].shape == (2, 2, 6)
    assert layers.Reshape(0, -1).forward(np.zeros((2, 3, 0), np.float32))[0].shape[0] == 2


DEFAULTS = {
    layers.Conv2D: {
        "stride": 1,
        "padding": "same",
        "bias": True,
        "init": "he_normal",
        "rng": None,
        "dilation": 1,
        "groups": 1,
    },
    layers.ConvTranspose2D: {
        "stride": 1,
        "padding": "same",
        "bias": True,
        "init": "he_normal",
        "rng": None,
    },
    layers.MaxPool2D: {"size": 2, "stride": None, "symmetric": False},
    layers.AvgPool2D: {"size": 2, "stride": None},
    layers.LeakyReLU: {"negative_slope": 0.01},
    layers.PReLU: {"channels": 1, "alpha": 0.25},
    layers.ELU: {"alpha": 1.0},
}


@pytest.mark.parametrize("kind", DEFAULTS)
def test_defaults(kind):
    parameters = inspect.signature(kind).parameters.values()
    assert {p.name: p.default for p in parameters if p.default is not p.empty} == DEFAULTS[kind]


@pytest.mark.parametrize("channels", [True, 0, 1.0, "3"])
def test_prelu_wants_a_whole_number_of_channels(channels):
    with pytest.raises(ShapeError, match="a whole number of at least 1 channel"):
        layers.PReLU(channels)


def test_multiply_adds_of_images_that_are_not_square():
    shapes = (2, 5, 7, 3), (2, 5, 7, 4)
    assert layers.Conv2D(3, 4, 3, rng=rng()).multiply_adds(*shapes) == 5 * 7 * 9 * 3 * 4
    assert layers.ConvTranspose2D(3, 4, 3, rng=rng()).multiply_adds(*shapes) == 5 * 7 * 9 * 3 * 4
    assert layers.Conv2D(3, 4, 3, dilation=2, rng=rng()).multiply_adds(*shapes) == 5 * 7 * 9 * 3 * 4
    depthwise = layers.Conv2D(4, 4, 3, groups=4, rng=rng())
    assert depthwise.multiply_adds((2, 5, 7, 4), (2, 5, 7, 4)) == 5 * 7 * 9 * 4


def test_the_protocol_itself_is_in_use_unless_told_to_train():
    assert inspect.signature(layers.Layer.forward).parameters["train"].default is False
    assert (
        layers.ConvTranspose2D(1, 1, 3, padding=0, rng=rng())
        .infer(np.zeros((1, 2, 2, 1), np.float32))
        .shape[1]
        == 4
    )


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ((3, -0.1), ValueError, "momentum"), ((3, 1.1), ValueError, "momentum"),
        ((3, np.nan), ValueError, "momentum"), ((3, 0.9, 0), ValueError, "eps"),
        ((True,), ShapeError, "channel"), ((0,), ShapeError, "channel"),
        ((2.0,), ShapeError, "channel"),
    ],
)  # fmt: skip
def test_what_batch_norm_refuses(arguments, kind, message):
    with pytest.raises(kind, match=message):
        layers.BatchNorm(*arguments)


def test_batch_norms_settings_at_their_ends():
    assert [layers.BatchNorm(1, momentum).momentum for momentum in (0, 1)] == [0, 1]
    assert (layers.BatchNorm(1).momentum, layers.BatchNorm(1).eps) == (0.9, 1e-5)


def test_dropout_of_nothing_is_possible():
    assert layers.Dropout(0, rng()).infer(np.ones(3, np.float32)).tolist() == [1, 1, 1]


def test_frozen_is_the_layer_without_training(each_backend, tmp_path):
    rng = np.random.default_rng(30)
    conv = layers.Conv2D(1, 4, 3, rng=rng)
    net = layers.Sequential(
        layers.Standardize(), layers.Frozen(conv), layers.ReLU(), layers.Conv2D(4, 2, 3, rng=rng)
    )
    x = rng.random((2, 5, 5, 1), dtype=np.float32)
    assert [p.value.shape for p in net.params()] == [(3, 3, 4, 2), (2,)]
    assert {name: b.shape for name, b in traverse.named_buffers(net).items()} == {
        "1.w": (3, 3, 1, 4),
        "1.b": (4,),
    }
    assert net.layers[1].multiply_adds(x.shape, (2, 5, 5, 4)) == conv.multiply_adds(
        x.shape, (2, 5, 5, 4)
    )
    plain = layers.Sequential(net.layers[0], conv, *net.layers[2:])
    np.testing.assert_array_equal(net.infer(x), plain.infer(x))
    y, cache = net.forward(x, train=True)
    dy = rng.standard_normal(y.shape, dtype=np.float32)
    dx = net.backward(dy, cache)
    assert conv.w.grad is conv.b.grad is None
    wanted = [p.grad for p in net.params()]
    for p in net.params():
        p.grad = None
    np.testing.assert_array_equal(dx, plain.backward(dy, plain.forward(x, train=True)[1]))
    for p in plain.params():
        p.grad = None
    conv.w.grad = np.ones_like(conv.w.value)  # of a place where it is trained
    net.backward(dy, cache)
    assert (conv.w.grad == 1).all()
    for p in net.params():
        p.grad = None
    fast = layers.fuse(
        net, input_gradient=False
    )  # nobody needs a gradient before the first trained layer
    assert fast.backward(dy, fast.forward(x, train=True)[1]) is None
    for p, grad in zip(net.params(), wanted, strict=True):
        naive.agree(p.grad, grad)
    checkpoint.save(tmp_path / "net.npz", net)
    kept = conv.w.value.copy()
    conv.w.value[...] = 0
    checkpoint.restore(tmp_path / "net.npz", net)
    np.testing.assert_array_equal(conv.w.value, kept)


# ---- a protocol that is not kept ----------------------------------------------------------------


class ReturnsOnlyY(layers.Layer):
    def forward(self, x, train=False):
        return np.maximum(x, 0)

    def backward(self, dy, cache=None):
        return dy


class ReturnsThree(layers.Layer):
    def forward(self, x, train=False):
        return x, x, None


class ReturnsAList(layers.Layer):
    def forward(self, x, train=False):
        return [x, None]


@pytest.mark.parametrize("images", [1, 2, 3])
@pytest.mark.parametrize("kind", [ReturnsOnlyY, ReturnsThree, ReturnsAList])
@pytest.mark.parametrize("around", [layers.Sequential, layers.Add, layers.Concat])
def test_a_forward_pass_that_returns_no_pair_is_named(kind, around, images):
    x = np.ones((images, 4), np.float32)
    net = layers.Sequential(layers.Dense(4, 4), around(kind()))
    message = rf"layer 1 \({around.__name__}\).*{kind.__name__}.forward must return a pair"
    for run in (net.forward, net.infer):
        with pytest.raises(TypeError, match=message):
            run(x)


def test_an_error_in_a_fused_copy_names_the_layer_that_the_user_wrote():
    rng = np.random.default_rng(0)
    chain = [layers.Conv2D(1, 4, 3, rng=rng), layers.BatchNorm(4), layers.ReLU()]
    more = [layers.Conv2D(4, 4, 3, rng=rng), layers.ReLU(), layers.MaxPool2D(2)]
    net = layers.Sequential(
        layers.Standardize(), *chain, *more, layers.Flatten(), layers.Dense(784, 3, rng=rng)
    )
    fast = layers.fuse(net)
    assert len(fast.layers) == 5
    for shape, place in (((2, 28, 28, 3), 1), ((2, 32, 32, 1), 8), ((2, 1, 1, 1), 4)):
        for run in (fast.infer, fast.forward, net.forward):
            with pytest.raises(ShapeError) as caught:
                run(np.zeros(shape, np.uint8))
            number, kind = re.match(r"layer (\d+) \((\w+)\)", str(caught.value)).groups()
            assert type(net.layers[int(number)]).__name__ == kind
            assert int(number) in (place, 6)  # the pool that finds nothing to pool, unfused


# ---- gradients that are somebody's --------------------------------------------------------------


@pytest.mark.parametrize(
    "given", [lambda a: a[:], lambda a: np.broadcast_to(a[0], (3,)), lambda a: a.reshape(3, 1).T[0]]
)
def test_a_gradient_that_is_a_view_does_not_change_with_its_array(given):
    param, array = layers.Param("p", np.zeros(3, np.float32)), np.full(3, 10, np.float32)
    param.add_grad(given(array))
    array[...] = 0
    np.testing.assert_array_equal(param.grad, [10, 10, 10])
    param.grad += 1  # it may be written to

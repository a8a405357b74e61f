"""Fused layers against the chains that they replace: forward, backward, training, inference."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpycnn import layers, models
from numpycnn.errors import ShapeError
from numpycnn.layers import compiled, init
from tests.naive import agree

# images (N, H, W, C), filters, kernel, pool: both forms of Winograd, the direct one, windows that
# leave a rest
CASES = [
    ((3, 8, 8, 16), 16, 3, 1),
    ((3, 9, 7, 17), 33, 3, 2),
    ((5, 7, 11, 20), 18, 5, 2),
    ((2, 6, 6, 32), 16, 5, 1),
    ((4, 7, 5, 1), 6, 5, 3),
    ((2, 5, 6, 3), 4, 2, 2),
    ((2, 33, 17, 1), 3, 3, 16),
    ((3, 1, 1, 2), 3, 1, 1),
]


def chain(c, f, kernel, pool, norm):
    rng = np.random.default_rng(4)
    own = [layers.Conv2D(c, f, kernel, rng=rng)]
    if norm:
        own.append(layers.BatchNorm(f))
        own[1].gamma.value[:], own[1].beta.value[:] = rng.standard_normal((2, f))
        own[1].running_mean[:], own[1].running_var[:] = (
            rng.standard_normal(f),
            rng.uniform(0.5, 2, f),
        )
    own[0].b.value[:] = rng.standard_normal(f)
    return layers.Sequential(*own, layers.ReLU(), *([layers.MaxPool2D(pool)] if pool > 1 else []))


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("norm", [False, True], ids=["", "batch norm"])
@pytest.mark.parametrize(("shape", "f", "kernel", "pool"), CASES)
def test_fused_equals_the_chain(shape, f, kernel, pool, norm, train, each_backend):
    plain = chain(shape[3], f, kernel, pool, norm)
    other = copy.deepcopy(plain)
    fused = layers.fuse(other)
    assert [type(one) for one in fused.layers] == [layers.ConvBNReLU]
    rng = np.random.default_rng(5)
    x = rng.standard_normal(shape, dtype=np.float32)
    y, cache = plain.forward(x, train)
    got, fused_cache = fused.forward(x, train)
    dy = rng.standard_normal(y.shape, dtype=np.float32)
    agree(got, y)
    agree(fused.infer(x), plain.infer(x))
    agree(fused.backward(dy, fused_cache), plain.backward(dy, cache))
    for one, two in zip(other.params(), plain.params(), strict=True):
        agree(one.grad, two.grad)
    if norm:
        agree(other.layers[1].running_mean, plain.layers[1].running_mean)
        agree(other.layers[1].running_var, plain.layers[1].running_var)


@pytest.mark.parametrize("norm", [False, True], ids=["", "batch norm"])
@pytest.mark.parametrize(("kernel", "padding"), [(1, 1), (3, 3), (3, ((0, 0), (0, 3)))])
def test_padding_of_at_least_the_kernel(kernel, padding, norm, each_backend):
    plain = chain(3, 16, kernel, 1, norm)
    plain.layers[0].padding = padding
    fused = layers.fuse(copy.deepcopy(plain))
    x = np.random.default_rng(6).standard_normal((3, 6, 6, 3), dtype=np.float32)
    y, cache = plain.forward(x, train=True)
    got, fused_cache = fused.forward(x, train=True)
    agree(got, y)
    dy = np.random.default_rng(7).standard_normal(y.shape, dtype=np.float32)
    agree(fused.backward(dy, fused_cache), plain.backward(dy, cache))
    for one, two in zip(fused.params(), plain.params(), strict=True):
        agree(one.grad, two.grad)


def test_no_images(each_backend):
    fused = layers.fuse(chain(3, 4, 3, 2, norm=True))
    y, cache = fused.forward(np.zeros((0, 6, 6, 3), np.float32))
    assert fused.backward(y, cache).shape == (0, 6, 6, 3)
    assert all((p.grad == 0).all() for p in fused.params())


def test_what_does_not_fit_is_said():
    conv = layers.Conv2D(1, 4, 3)
    with pytest.raises(ShapeError, match="pools square windows"):
        layers.ConvBNReLU(conv, pool=(2, 3))
    with pytest.raises(
        ShapeError, match=r"gamma has the shape \(5,\), but the convolution has 4 filters"
    ):
        layers.ConvBNReLU(conv, layers.BatchNorm(5)).forward(np.zeros((2, 6, 6, 1), np.float32))


@st.composite
def problems(draw):
    kernel = draw(st.integers(1, 5))
    pool = draw(st.integers(1, 4))
    size = [pool + draw(st.integers(0, 9)) for _ in range(2)]
    c, f = draw(st.tuples(*[st.sampled_from([1, 3, 16, 17, 33])] * 2))
    return (
        (draw(st.integers(2, 5)), *size, c),
        f,
        kernel,
        pool,
        draw(st.booleans()),
        draw(st.integers(0, 2**32 - 1)),
    )


@given(problem=problems(), train=st.booleans())
def test_fused_is_the_chain_in_float64(each_backend, problem, train):
    shape, f, kernel, pool, norm, seed = problem
    plain = chain(shape[3], f, kernel, pool, norm)
    fused = layers.fuse(copy.deepcopy(plain))
    for p in plain.params():
        p.value = p.value.astype(np.float64)
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape, dtype=np.float32)
    y, cache = plain.forward(x.astype(np.float64), train)
    got, fused_cache = fused.forward(x, train)
    agree(got, y)
    agree(fused.infer(x) if not train else got, y)
    dy = rng.standard_normal(y.shape, dtype=np.float32)
    if clear(plain, x, train, pool):
        agree(fused.backward(dy, fused_cache), plain.backward(dy.astype(np.float64), cache))
        for one, two in zip(fused.params(), plain.params(), strict=True):
            agree(one.grad, two.grad)


def clear(plain, x, train, pool):
    """Whether rounding decides nothing: no value so near to zero, or to its neighbours in a window,
    that it may fall on the other side, and no channel so constant that dividing by its deviation
    magnifies rounding.
    """
    if train and plain.layers[0].forward(x.astype(np.float64))[0].std(axis=(0, 1, 2)).min() < 0.1:
        return False
    before = layers.Sequential(*plain.layers[: -2 if pool > 1 else -1])
    z = before.forward(x.astype(np.float64), train)[0]
    n, h, w, f = z.shape
    h, w = h // pool * pool, w // pool * pool
    windows = z[:, :h, :w].reshape(n, h // pool, pool, w // pool, pool, f).swapaxes(2, 3)
    windows = np.sort(windows.reshape(-1, pool**2, f), axis=1)
    gaps = windows[:, -1] - windows[:, -2] if pool > 1 else np.ones(1)
    return np.abs(z).min() > 1e-4 and gaps.min() > 1e-4


def test_the_window_may_be_as_large_as_what_it_pools_and_no_larger(each_backend):
    conv = layers.Conv2D(1, 2, 3, stride=2, padding="valid", rng=np.random.default_rng(0))
    x = np.ones((2, 7, 9, 1), np.float32)  # -> 3x4
    for norm in layers.BatchNorm(2), None:
        assert layers.ConvBNReLU(conv, norm, 3).forward(x, train=True)[0].shape == (2, 1, 1, 2)
        assert layers.ConvBNReLU(conv, norm, 3).infer(x).shape == (2, 1, 1, 2)
        for run in layers.ConvBNReLU(conv, norm, 4).forward, layers.ConvBNReLU(conv, norm, 4).infer:
            with pytest.raises(ShapeError, match=r"\(4, 4\) is larger than the input \(3, 4\)"):
                run(x)


def test_one_value_a_channel_cannot_train_but_can_be_used(each_backend):
    one = layers.ConvBNReLU(
        layers.Conv2D(1, 2, 1, rng=np.random.default_rng(0)), layers.BatchNorm(2)
    )
    x = np.ones((1, 1, 1, 1), np.float32)
    with pytest.raises(ShapeError, match="one value a channel"):
        one.forward(x, train=True)
    assert one.infer(x).shape == one.forward(x)[0].shape == (1, 1, 1, 2)
    assert one.forward(np.ones((2, 1, 1, 1), np.float32), train=True)[0].shape == (2, 1, 1, 2)


def test_nan_passes_a_fused_chain(each_backend):
    fused = layers.fuse(chain(1, 4, 3, 2, norm=False))
    x = np.zeros((1, 6, 6, 1), np.float32)
    x[0, 3, 3] = np.nan
    y, _ = fused.forward(x)
    plain, _ = chain(1, 4, 3, 2, norm=False).forward(x)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(plain))
    assert np.isnan(y).any()
    assert not np.isnan(y).all()


def test_what_is_not_such_a_chain_stays():
    one = layers.Sequential(
        layers.Conv2D(1, 2, 3), layers.BatchNorm(2), layers.Tanh(), layers.MaxPool2D(2)
    )
    assert layers.fuse(one).layers == one.layers
    overlapping = layers.Sequential(layers.Conv2D(1, 2, 3), layers.ReLU(), layers.MaxPool2D(3, 2))
    assert layers.fuse(overlapping).layers[1:] == overlapping.layers[2:]


def network(*first):
    rng = np.random.default_rng(6)
    body = [
        layers.Conv2D(3, 4, 3, rng=rng),
        layers.BatchNorm(4),
        layers.ReLU(),
        layers.MaxPool2D(2),
    ]
    return layers.Sequential(
        *first, *body, layers.Conv2D(4, 2, 3, rng=rng), layers.ReLU(), layers.GlobalAvgPool()
    )


class Own(layers.Layer):
    """Attributes of its own, named as some of this library's."""

    def __init__(self, branches):
        self.branches, self.groups, self.dilation = branches, np.array([0, 1]), "wide"

    def forward(self, x, train=False):
        return x + 1, None


@pytest.mark.parametrize("branches", [3, {"left": 1}])
def test_a_layer_with_attributes_of_these_names_stays(branches):
    own = Own(branches)
    net = layers.Sequential(own, layers.Add(layers.Sequential(own)), layers.Dropout(0.5))
    fused = layers.fuse(net)
    assert fused.layers[0] is fused.layers[1].branches[0].layers[0] is own
    assert compiled.prepared(net).infer(np.zeros(2)).tolist() == [2, 2]
    assert compiled.compile(net).infer(np.zeros(2)).tolist() == [2, 2]


@pytest.mark.parametrize(
    "first",
    [
        (),
        (layers.Standardize(0.5, 0.2),),
        (layers.Conv2D(3, 3, 3, rng=np.random.default_rng(7)), layers.Tanh()),
        (layers.Identity(), layers.Conv2D(3, 3, 1, rng=np.random.default_rng(7)), layers.ReLU()),
    ],
    ids=["conv", "standardize, conv", "conv that is not fused", "conv without batch norm"],
)
def test_only_the_first_convolution_is_spared_its_input_gradient(first, each_backend):
    net = network(*copy.deepcopy(first))
    convolutions = [layer for layer in net.layers if isinstance(layer, layers.Conv2D)]
    fused = layers.fuse(net, input_gradient=False)
    spared = [
        layer.conv if isinstance(layer, layers.ConvBNReLU) else layer for layer in fused.layers
    ]
    spared = [layer.input_gradient for layer in spared if isinstance(layer, layers.Conv2D)]
    assert spared == [False] + [True] * (len(convolutions) - 1)
    assert all(conv.input_gradient for conv in convolutions)  # the network itself is as it was
    assert [type(layer) for layer in fused.layers] == [
        type(layer) for layer in layers.fuse(net).layers
    ]

    x = np.random.default_rng(8).standard_normal((2, 6, 6, 3), dtype=np.float32)
    y, cache = fused.forward(x, train=True)
    if type(fused.layers[0]) in (layers.Conv2D, layers.ConvBNReLU):
        assert fused.backward(np.ones_like(y), cache) is None
        got = [p.grad.copy() for p in net.params()]
        for p in net.params():
            p.grad = None
        z, cache = net.forward(x, train=True)
        assert net.backward(np.ones_like(z), cache).shape == x.shape
        for one, p in zip(got, net.params(), strict=True):
            agree(one, p.grad)


def test_behind_another_layer_with_parameters_nothing_is_spared():
    prelu = layers.PReLU(3)
    assert layers.fuse(network(prelu), input_gradient=False).layers[1].conv.input_gradient
    assert layers.fuse(layers.Identity(), input_gradient=False).infer(3) == 3


@pytest.mark.parametrize(
    ("size", "stride"), [((2, 3), None), ((3, 2), None), (2, 1), ((2, 2), (2, 1))]
)
def test_only_square_windows_side_by_side_are_fused(size, stride):
    conv = layers.Conv2D(3, 4, 3, rng=np.random.default_rng(0))
    square = layers.MaxPool2D(2)
    fused = layers.fuse(
        layers.Sequential(conv, layers.ReLU(), layers.MaxPool2D(size, stride), square)
    )
    assert [type(layer) for layer in fused.layers] == [
        layers.ConvBNReLU,
        layers.MaxPool2D,
        layers.MaxPool2D,
    ]
    assert fused.layers[0].pool == 1


def test_a_fused_network_has_the_counts_of_the_plain_one(each_backend):
    net = models.build("vgg", seed=0, filters=(4, 8))
    plain, fused = net.summary((28, 28, 1)), layers.fuse(net).summary((28, 28, 1))
    for name in ("total", "trainable", "non_trainable", "multiply_adds"):
        assert getattr(fused, name) == getattr(plain, name)
    assert 0 < fused.kept_bytes < plain.kept_bytes


def test_a_pool_that_is_no_whole_number_is_refused(each_backend):
    conv = layers.Conv2D(1, 2, 3)
    for pool in (0, -1, 1.5):
        with pytest.raises(ShapeError, match="pool must be a whole number of at least 1"):
            layers.fused.ConvBNReLU(conv, None, pool)


def test_lsuv_wants_the_network_itself():
    net = models.build("vgg", seed=0, filters=(4, 8))
    with pytest.raises(ValueError, match="not fuse"):
        init.lsuv(layers.fuse(net), np.zeros((2, 28, 28, 1), np.float32), np.random.default_rng(0))


def test_a_first_convolution_of_somebodys_own_keeps_its_state():
    class Counts(layers.Conv2D):
        passes = 0

        def forward(self, x, train=False):
            self.passes += 1
            return super().forward(x, train)

    net = layers.Sequential(Counts(1, 2, 3), layers.ReLU())
    layers.fuse(net, input_gradient=False).forward(np.zeros((2, 5, 5, 1), np.float32), train=True)
    assert net.layers[0].passes == 1


def test_a_sum_of_somebodys_own_keeps_its_state_and_its_infer():
    class Counts(layers.Add):
        passes = 0

        def forward(self, x, train=False):
            self.passes += 1
            return super().forward(x + 1, train)

        def infer(self, x):
            return self.forward(x)[0]

    net = layers.Sequential(Counts(layers.Dense(3, 3), layers.Identity()), layers.ReLU())
    x = np.ones((2, 3), np.float32)
    layers.fuse(net, input_gradient=False).forward(x, train=True)
    assert net.layers[0].passes == 1
    np.testing.assert_array_equal(compiled.prepared(net).infer(x), net.infer(x))

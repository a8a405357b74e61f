"""The second-order pass of WGAN-GP: the penalty's gradient against differences, and against
PyTorch's autograd.
"""

import numpy as np
import pytest

from numpycnn import layers, models, ops
from numpycnn.errors import ShapeError
from numpycnn.layers.traverse import named_params


def critic(classes=0, dtype=np.float64):
    net = models.build(
        "gan", seed=3, filters=(3, 4), depth=1, input_shape=(8, 8, 1), classes=classes
    ).critic
    for param in net.params():
        param.value = param.value.astype(dtype)
        param.value += 0.05 * np.random.default_rng(1).standard_normal(param.value.shape).astype(
            dtype
        )
    return net


def penalty(net, x):
    slope = layers.InputGradient(net)
    g, cache = slope.forward(x)
    loss, dg = ops.gradient_penalty(g)
    return loss, slope, dg, cache


def test_the_input_gradient_is_what_differences_say():
    rng, net = np.random.default_rng(0), critic()
    x, d, h = rng.random((3, 8, 8, 1)), rng.standard_normal((3, 8, 8, 1)), 1e-6
    g, _ = layers.InputGradient(net).forward(x)
    numeric = (net.infer(x + h * d) - net.infer(x - h * d))[:, 0] / (2 * h)
    np.testing.assert_allclose((g * d).sum(axis=(1, 2, 3)), numeric, rtol=1e-6)


@pytest.mark.parametrize("direction", range(5))
def test_the_penaltys_gradient_is_what_differences_say(direction):
    """Every weight of a whole critic moved at once.

    The kinks of LeakyReLU lie farther away than the step.
    """
    rng, net = np.random.default_rng(direction), critic()
    x, h = rng.random((4, 8, 8, 1)), 1e-7
    _, slope, dg, cache = penalty(net, x)
    slope.backward(dg, cache)
    moves = [(p, p.value.copy(), rng.standard_normal(p.value.shape)) for p in net.params()]
    analytic = sum((p.grad * d).sum() for p, _, d in moves)
    losses = []
    for sign in (1, -1):
        for p, value, d in moves:
            p.value[...] = value + sign * h * d
        losses.append(penalty(net, x)[0])
    assert analytic == pytest.approx((losses[0] - losses[1]) / (2 * h), rel=1e-5)
    assert abs(analytic) > 1e-3


def test_the_pass_leaves_the_gradients_of_the_loss_alone(each_backend):
    """Forward adds nothing; backward adds to what is there."""
    net, x = critic(dtype=np.float32), np.random.default_rng(0).random((2, 8, 8, 1), np.float32)
    score, cache = net.forward(x)
    net.backward(np.ones_like(score), cache)
    before = {name: param.grad.copy() for name, param in named_params(net).items()}
    _, slope, dg, kept = penalty(net, x)
    for name, param in named_params(net).items():
        np.testing.assert_array_equal(param.grad, before[name])
    slope.backward(dg, kept)
    for name, param in named_params(net).items():
        assert param.grad.dtype == np.float32
        assert np.array_equal(param.grad, before[name]) == name.endswith(".b")


def conv(**more):
    return layers.Conv2D(2, 3, 3, rng=np.random.default_rng(0), **more)


TANGENTS = {
    "conv": (conv, (2, 5, 4, 2)),
    "conv stride 2 valid": (lambda: conv(stride=2, padding="valid"), (2, 5, 7, 2)),
    "mirror conv": (
        lambda: layers.MirrorConv2D(1, 3, 3, bias=True, rng=np.random.default_rng(0)),
        (2, 5, 4, 2),
    ),
    "dense": (lambda: layers.Dense(5, 4, rng=np.random.default_rng(0)), (3, 5)),
    "relu": (layers.ReLU, (3, 5)),
    "leaky relu": (lambda: layers.LeakyReLU(0.2), (2, 3, 4, 2)),
    "average pool": (lambda: layers.AvgPool2D(2), (2, 4, 6, 2)),
    "flatten": (layers.Flatten, (2, 3, 2, 2)),
    "reshape": (lambda: layers.Reshape(2, 3), (4, 6)),
    "standardize": (lambda: layers.Standardize(0.3, 0.2), (2, 3, 3, 1)),
}


@pytest.mark.parametrize("name", TANGENTS)
def test_the_tangent_of_each_layer_is_what_differences_say(name):
    """u -> J u, a step of the layer's input.

    And the weights' gradient is that of <u, J^T g>, all else held fixed.
    """
    make, shape = TANGENTS[name]
    layer, rng, h = make(), np.random.default_rng(1), 1e-6
    for param in layer.params():
        param.value = rng.standard_normal(param.value.shape)
    x, u = rng.standard_normal((2, *shape))
    y, cache = layer.forward(x)
    g = rng.standard_normal(y.shape)
    got = layer.tangent(u, g, cache)
    np.testing.assert_allclose(
        got,
        (layer.forward(x + h * u)[0] - layer.forward(x - h * u)[0]) / (2 * h),
        rtol=1e-6,
        atol=1e-8,
    )
    for param, analytic in [(param, param.grad) for param in layer.params()]:
        assert (analytic is None) == (param.name == "b")
        before, d, sums = param.value, rng.standard_normal(param.value.shape), []
        for sign in (1, -1):
            param.value = before + sign * h * d
            sums.append((u * layer.backward(g, layer.forward(x)[1])).sum())
        param.value = before
        moved = 0 if analytic is None else (analytic * d).sum()
        assert moved == pytest.approx((sums[0] - sums[1]) / (2 * h), rel=1e-6)


def test_every_layer_with_a_tangent_is_checked():
    made = {type(make()) for make, _ in TANGENTS.values()}
    assert made == {kind for kind in vars(layers).values() if hasattr(kind, "tangent")}


def test_against_autograd_of_second_order():
    torch = pytest.importorskip("torch")
    net, x = critic(), np.random.default_rng(5).random((3, 8, 8, 1))
    loss, slope, dg, cache = penalty(net, x)
    slope.backward(dg, cache)
    own = named_params(net)
    weights = {name: torch.tensor(param.value, requires_grad=True) for name, param in own.items()}
    at = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
    y = (at - 0.5) / 0.5
    for name in ("1", "4"):
        y = torch.nn.functional.avg_pool2d(y, 2) if name == "4" else y
        y = torch.nn.functional.conv2d(
            y, weights[f"{name}.w"].permute(3, 2, 0, 1), weights[f"{name}.b"], padding=1
        )
        y = torch.nn.functional.leaky_relu(y, 0.2)
    score = y.permute(0, 2, 3, 1).flatten(1) @ weights["7.w"] + weights["7.b"]
    (g,) = torch.autograd.grad(score.sum(), at, create_graph=True)
    theirs = 10 * ((g.flatten(1).norm(dim=1) - 1) ** 2).mean()
    theirs.backward()
    assert loss == pytest.approx(theirs.item(), rel=1e-10)
    for name in ("1.w", "4.w", "7.w"):
        np.testing.assert_allclose(
            own[name].grad, weights[name].grad.numpy(), rtol=1e-8, atol=1e-12
        )


def test_critics_without_a_second_order_pass_are_refused():
    with pytest.raises(TypeError, match="BatchNorm, Tanh"):
        layers.InputGradient(
            layers.Sequential(layers.Dense(3, 2), layers.BatchNorm(2), layers.Tanh())
        )
    with pytest.raises(TypeError, match="Sequential"):
        layers.InputGradient(layers.Dense(3, 1))

    class Doubled(layers.Sequential):
        def forward(self, x, train=False):
            return super().forward(2 * x, train)

    with pytest.raises(TypeError, match="a Sequential, not Doubled"):
        layers.InputGradient(Doubled(layers.Dense(3, 1)))
    with pytest.raises(ShapeError, match="one score"):
        layers.InputGradient(layers.Sequential(layers.Dense(3, 2))).forward(np.zeros((4, 3)))

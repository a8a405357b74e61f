"""Grad-CAM with a known answer, saliency against finite differences, and what is refused."""

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import layers
from numpycnn.errors import ShapeError
from numpycnn.gradient_check import double
from numpycnn.inspection.saliency import grad_cam, resize, saliency, stages
from numpycnn.layers.traverse import named_params, watch
from tests.helpers import pictures, small


def bright_and_dark():
    """Two filters, one passing the pixel and one its negative.

    Class 0 adds the mean of the first, class 1 that of the second.
    """
    conv = layers.Conv2D(1, 2, 1, bias=False)
    conv.w.value[...] = np.array([1.0, -1.0], np.float32).reshape(1, 1, 1, 2)
    head = layers.Dense(2, 2)
    head.w.value[...] = np.array([[3, 0], [0, 5]])
    return layers.Sequential(conv, layers.ReLU(), layers.GlobalAvgPool(), head)


def half(size=4):
    """One image: its left half 2, its right half -1."""
    x = np.full((1, size, size, 1), -1, np.float32)
    x[:, :, : size // 2] = 2
    return x


def test_grad_cam_of_a_network_whose_answer_is_known():
    x = half()
    # S_0 = 3/16 sum A_0, so alpha = (3/16, 0): the mean over 16 pixels that each have 3/16
    np.testing.assert_allclose(
        grad_cam(bright_and_dark(), x, 0)[0], 3 / 16 * np.maximum(x[0, ..., 0], 0), rtol=1e-6
    )
    np.testing.assert_allclose(
        grad_cam(bright_and_dark(), x, 1)[0], 5 / 16 * np.maximum(-x[0, ..., 0], 0), rtol=1e-6
    )


def test_classes_one_for_all_or_one_each_or_those_that_are_named():
    net, x = bright_and_dark(), np.concatenate([half(), -half()])
    named = nc.predict(net, x).argmax(axis=1)
    np.testing.assert_array_equal(grad_cam(net, x), grad_cam(net, x, named))
    np.testing.assert_array_equal(grad_cam(net, x, 1), grad_cam(net, x, [1, 1]))
    np.testing.assert_array_equal(grad_cam(net, x, [0, 1])[1], grad_cam(net, x, 1)[1])


def test_what_speaks_against_a_class_is_not_shown():
    net = bright_and_dark()
    net.layers[-1].w.value[0, 0] = -3
    assert not grad_cam(net, half(), 0).any()


@pytest.mark.parametrize("name", ["vgg", "alexnet"])
def test_saliency_is_the_numerical_gradient(name):
    net, (x, _) = double(small(name)), pictures(2)
    x, step = x / 255.0, 1e-6
    found = saliency(net, x, classes=[1, 2])
    assert found.shape == x.shape[:3]
    for n, i, j in ((0, 3, 4), (0, 8, 8), (1, 0, 11), (1, 6, 5)):
        up, down = x.copy(), x.copy()
        up[n, i, j], down[n, i, j] = x[n, i, j] + step, x[n, i, j] - step
        slope = (net.infer(up) - net.infer(down))[n, [1, 2][n]] / (2 * step)
        assert found[n, i, j] == pytest.approx(abs(slope).item(), rel=1e-5, abs=1e-9)


def test_saliency_takes_the_strongest_channel():
    net = layers.Sequential(layers.Flatten(), layers.Dense(3, 2))
    net.layers[1].w.value[...] = np.array([[1, 0], [-4, 0], [2, 0]])
    np.testing.assert_allclose(saliency(net, np.zeros((1, 1, 1, 3), np.float32), 0), [[[4]]])


def test_nothing_in_the_network_changes():
    net, (x, _) = small(), pictures(3)
    before = {name: p.value.copy() for name, p in named_params(net).items()}
    state = net.layers[5].rng.bit_generator.state
    first = saliency(net, x), grad_cam(net, x)
    assert all(p.grad is None for p in net.params())
    assert all((p.value == before[name]).all() for name, p in named_params(net).items())
    assert net.layers[5].rng.bit_generator.state == state
    assert first[0].dtype == first[1].dtype == np.float32
    assert first[1].shape == (3, 12, 12)
    np.testing.assert_array_equal(first[1], grad_cam(net, x))


def test_stages_end_before_a_pool_and_after_a_sum():
    assert [*stages(small(), pictures(1)[0])] == ["3", "8"]
    assert [*stages(small("alexnet"), pictures(1)[0])] == ["2", "5"]
    body = layers.Sequential(layers.Conv2D(1, 1, 3), layers.ReLU(), layers.Conv2D(1, 1, 3))
    net = layers.Sequential(
        layers.Add(body, layers.Identity()), layers.ReLU(), layers.GlobalAvgPool()
    )
    assert stages(net, half()) == ["0.branches.0.1", "1"]


def test_any_layer_with_maps_can_be_asked():
    net, (x, _) = small("alexnet"), pictures(2)
    assert not np.array_equal(grad_cam(net, x, layer="2"), grad_cam(net, x))
    assert grad_cam(net, x, size=(5, 7)).shape == (2, 5, 7)


@pytest.mark.parametrize(
    ("look", "error", "message"),
    [
        (
            lambda net, x: grad_cam(
                layers.Sequential(layers.Flatten(), layers.Dense(144, 4)), x / np.float32(255)
            ),
            ShapeError,
            "no conv",
        ),
        (lambda net, x: grad_cam(net, x, layer="nowhere"), ShapeError, "nowhere"),
        (lambda net, x: grad_cam(layers.fuse(net), x), ValueError, "fuse"),
        (lambda net, x: grad_cam(net, x[0]), ShapeError, "N, H, W, C"),
        (lambda net, x: grad_cam(net, x, 9), ValueError, "label 9"),
        (lambda net, x: saliency(net, x, [0]), ShapeError, "labels"),
        (lambda net, x: saliency(net, x, 0.5), TypeError, "integers"),
        (
            lambda net, x: saliency(net.layers[1], x[..., :1].astype(np.float32)),
            ShapeError,
            "logits",
        ),
        (
            lambda net, x: saliency(layers.fuse(net, input_gradient=False), x),
            ValueError,
            "input_gradient",
        ),
    ],
)
def test_what_does_not_fit_is_refused(look, error, message):
    with pytest.raises(error, match=message):
        look(small(), pictures(2)[0])


def test_resize_keeps_what_is_constant_and_its_middle():
    maps = np.array([[[0.0, 1.0], [2.0, 3.0]]])
    np.testing.assert_allclose(resize(np.full((1, 3, 2), 7.0), (8, 5)), 7)
    np.testing.assert_allclose(resize(maps, (2, 2)), maps)
    np.testing.assert_allclose(resize(maps, (4, 4))[0, 0], [0, 0.25, 0.75, 1])


def test_watch_tells_of_both_passes_and_leaves_nothing_behind():
    net, x = bright_and_dark(), half()
    seen, felt = [], []
    with watch(
        net,
        lambda path, *_: seen.append(path),
        lambda path, _, dy, dx, __: felt.append((path, dx.shape)),
    ):
        y, cache = net.forward(x)
        net.backward(np.ones_like(y), cache)
    assert seen == ["0", "1", "2", "3"]
    assert felt == [("3", (1, 2)), ("2", (1, 4, 4, 2)), ("1", (1, 4, 4, 2)), ("0", (1, 4, 4, 1))]
    assert not any({"forward", "backward"} & vars(layer).keys() for layer in net.layers)

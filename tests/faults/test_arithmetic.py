"""Numbers at the edge: what is not finite shows, what is finite stays so.

Of single ops, tests/ops has more.
"""

import os
import subprocess
import sys

import numpy as np
import pytest

from numpycnn import layers, models, ops, predict
from numpycnn.layers.traverse import named_buffers, named_params

NETWORKS = {
    "vgg": {"filters": (16, 17), "dropout": (0.1, 0.2)},
    "alexnet": {"filters": (16, 18), "hidden": (9, 8)},
}
TINY = np.float32(1e-42)  # a denormal number


def network(name, seed=0):
    return models.build(name, seed, classes=5, input_shape=(12, 12, 1), **NETWORKS[name])


def images(n=3, seed=1):
    return np.random.default_rng(seed).random((n, 12, 12, 1), dtype=np.float32)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_in_a_pixel_shows_in_its_image_alone(name, value, each_backend):
    net, x = network(name), images()
    wanted = predict(net, x)
    x[1, 5, 6] = value
    with np.errstate(invalid="ignore"):
        found = predict(net, x)
    assert np.isnan(found[1]).all()
    np.testing.assert_allclose(found[[0, 2]], wanted[[0, 2]], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_nan_in_any_weight_or_running_value_shows(name, each_backend):
    net, x = network(name), images()
    for path in [*named_params(net), *named_buffers(net)]:
        whole = (
            named_params(net)[path].value if path in named_params(net) else named_buffers(net)[path]
        )
        kept = whole.copy()
        whole[...] = np.nan
        assert np.isnan(predict(net, x)).any(), path
        whole[...] = kept
    assert np.isfinite(predict(net, x)).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_denormal_images_and_weights_train_to_finite_numbers(name, each_backend):
    net = network(name)
    for p in net.params():
        p.value[...] = np.where(p.value == 0, 0, np.copysign(TINY, p.value))
    logits, cache = net.forward(images() * TINY, train=True)
    loss, dlogits = ops.softmax_cross_entropy(logits, [0, 1, 1])
    net.backward(dlogits, cache)
    assert loss == pytest.approx(np.log(5), rel=1e-6)  # logits of nothing: every class alike
    assert all(np.isfinite(p.grad).all() for p in net.params())


@pytest.mark.parametrize("name", NETWORKS)
def test_a_batch_of_one(name, each_backend):
    net, x = network(name), images(3)
    for i in range(3):
        np.testing.assert_allclose(
            predict(net, x[i : i + 1])[0], predict(net, x)[i], rtol=1e-4, atol=1e-6
        )
    logits, cache = net.forward(x[:1], train=True)
    net.backward(ops.softmax_cross_entropy(logits, [4])[1], cache)
    assert all(np.isfinite(p.grad).all() for p in net.params())


STEP = """
import sys, numpy as np
from numpycnn import models, ops
net = models.build("vgg", 0, filters=(16, 17), dropout=(0, 0))
x = np.random.default_rng(0).random((32, 28, 28, 1), dtype=np.float32)
logits, cache = net.forward(x, train=True)
net.backward(ops.softmax_cross_entropy(logits, np.arange(32) % 10)[1], cache)
np.savez(sys.argv[1], logits, *(p.grad for p in net.params()))
"""


def test_blas_on_one_thread_or_two(tmp_path):
    """Of the NumPy reference; the kernels use no BLAS."""
    results = []
    for threads in "12":
        path = str(tmp_path / f"{threads}.npz")
        blas = dict.fromkeys(
            ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), threads
        )
        environment = {**os.environ, **blas, "NUMPYCNN_BACKEND": "numpy"}
        subprocess.run([sys.executable, "-c", STEP, path], env=environment, check=True)
        results.append(np.load(path))
    for name, one in results[0].items():
        np.testing.assert_allclose(results[1][name], one, rtol=0, atol=1e-4 * np.abs(one).max())


def test_dropout_that_drops_everything(each_backend):
    x = np.ones((1, 4), np.float32)
    seeds = (np.random.default_rng(seed) for seed in range(1000))
    y, cache = next(
        pair for pair in (ops.dropout(x, 0.9, rng) for rng in seeds) if not pair[0].any()
    )
    assert y.dtype == np.float32
    np.testing.assert_array_equal(ops.dropout_backward(x, cache), np.zeros_like(x))


def test_dropout_that_drops_everything_before_a_whole_network(each_backend):
    rng = np.random.default_rng(0)
    net = layers.Sequential(layers.Dropout(0.999, rng), layers.Dense(3, 2, rng=rng))
    logits, cache = net.forward(np.ones((2, 3), np.float32), train=True)
    np.testing.assert_array_equal(logits, np.zeros((2, 2)))  # the biases, which begin at 0
    loss, dlogits = ops.softmax_cross_entropy(logits, [0, 1])
    dx = net.backward(dlogits, cache)
    assert loss == pytest.approx(np.log(2))
    np.testing.assert_array_equal(dx, np.zeros((2, 3)))
    np.testing.assert_array_equal(net.layers[1].w.grad, np.zeros((3, 2)))


@pytest.mark.parametrize("weights", [None, [1, 2, 3, 4, 5]])
def test_classes_that_a_batch_lacks(weights, each_backend):
    """They still get the gradient that lowers their logits: p_k times the weight of the image's own
    class / N.
    """
    s = np.random.default_rng(0).standard_normal((4, 5))
    y = np.array([1, 1, 3, 3])
    _, ds = ops.softmax_cross_entropy(s, y, class_weight=weights)
    p, own = (
        np.exp(s) / np.exp(s).sum(axis=1, keepdims=True),
        np.ones(4) if weights is None else np.array(weights)[y],
    )
    wanted = own[:, None] * (p - np.eye(5)[y]) / own.sum()
    np.testing.assert_allclose(ds, wanted, rtol=1e-10)
    assert (ds[:, [0, 2, 4]] > 0).all()


def test_a_channel_that_is_constant_over_a_large_mean(each_backend):
    x = np.random.default_rng(0).standard_normal((6, 8, 8, 3), dtype=np.float32)
    x[..., 1] = 123_456.7
    norm = layers.BatchNorm(3)
    y, cache = norm.forward(x, train=True)
    np.testing.assert_allclose(y[..., 1], 0, atol=1e-3)
    dx = norm.backward(np.ones_like(y) * x, cache)
    assert np.isfinite(dx).all()

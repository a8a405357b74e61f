"""The kernels' results depend neither on the number of threads nor on who else uses them."""

import threading

import numpy as np
import pytest

from numpycnn import backend, layers, models, ops, optim, predict
from tests import naive


@pytest.fixture
def numba():
    pytest.importorskip("numba")
    before = backend.backend(), backend.threads()
    backend.use("numba")
    yield
    backend.use(*before)


@pytest.fixture
def all_threads(numba, monkeypatch):
    """However small the work: every region takes all threads that it can."""
    from numpycnn.kernels.runtime import threads

    monkeypatch.setattr(threads, "paying", lambda work, wake, most: most)
    monkeypatch.setattr(threads, "processors", lambda: 12)
    monkeypatch.setattr(threads, "_teams", [])


def trained(name, threads, muon=False, **arguments):
    """dx and the parameters after three steps on odd sizes, by that many threads.

    With Muon those of the moving average too.
    """
    backend.use("numba", threads=threads)
    net = models.build(name, seed=1, input_shape=(15, 13, 1), **arguments)
    fast, optimizer = layers.fuse(net), optim.Adam(net.params(), 1e-2)
    if muon:
        optimizer = optim.EMA(optim.Muon(net.params(), 1e-2), net, 0.9)
    rng = np.random.default_rng(2)
    for _ in range(3):
        x, labels = rng.standard_normal((11, 15, 13, 1), dtype=np.float32), rng.integers(0, 10, 11)
        optimizer.zero_grad()
        logits, cache = fast.forward(x, train=True)
        dx = fast.backward(ops.softmax_cross_entropy(logits, labels)[1], cache)
        optimizer.step()
    more = optimizer.average.params() if muon else ()
    return [dx, *(p.value for p in net.params()), *(p.value for p in more)]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("vgg", {"filters": (17, 70), "dropout": (0.1, 0.2)}),
        ("vgg", {"filters": (17, 32), "dropout": (0, 0), "muon": True}),
        ("alexnet", {"filters": (9, 18), "hidden": (40, 17)}),
    ],
)
def test_the_same_bits_for_any_number_of_threads(all_threads, name, arguments):
    wanted = trained(name, 1, **arguments)
    for threads in (2, 3, 4, 5, 12):  # more than the four chunks of a weight gradient share filters
        for ours, theirs in zip(trained(name, threads, **arguments), wanted, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_a_dense_layer_that_all_threads_share(all_threads):
    rng = np.random.default_rng(7)
    x, w, dy = (
        rng.standard_normal(s, dtype=np.float32) for s in ((128, 784), (784, 257), (128, 257))
    )
    results = []
    for threads in (1, 2, 3, 4):
        backend.use("numba", threads=threads)
        y, cache = ops.dense(x, w, np.zeros(257, np.float32))
        results.append((y, *ops.dense_backward(dy, cache)))
    exact = [a.astype(float) for a in (x, w, dy)]
    sums = exact[0] @ exact[1], exact[2] @ exact[1].T, exact[0].T @ exact[2], exact[2].sum(axis=0)
    for one, *others, wanted in zip(*results, sums, strict=True):
        naive.agree(one, wanted)
        for other in others:
            np.testing.assert_array_equal(other, one)


def test_eight_threads_predict_what_one_does(all_threads):
    backend.use("numba", threads=2)
    net = models.build("vgg", seed=3, filters=(16, 17, 18))
    images = np.random.default_rng(4).random((8, 9, 28, 28, 1), dtype=np.float32)
    wanted = [predict(net, x) for x in images]
    found = [None] * 8

    def work(i):
        for _ in range(3):
            found[i] = predict(net, images[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(found, wanted)


def test_two_forwards_before_two_backwards_share_no_memory(numba):
    net = models.build("vgg", seed=5, filters=(16, 17), dropout=(0, 0))
    fast = layers.fuse(net)
    rng = np.random.default_rng(6)
    xs = rng.standard_normal((2, 5, 28, 28, 1), dtype=np.float32)
    dys = rng.standard_normal((2, 5, 10), dtype=np.float32)
    alone = [
        fast.backward(dy, fast.forward(x, train=True)[1]).copy()
        for x, dy in zip(xs, dys, strict=True)
    ]
    caches = [fast.forward(x, train=True)[1] for x in xs]
    together = [fast.backward(dy, cache) for dy, cache in zip(dys, caches, strict=True)]
    np.testing.assert_array_equal(together, alone)

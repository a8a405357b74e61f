"""Kernels from a tape give the bits of kernels that are called, whoever calls them."""

import copy
import gc
import pickle
import threading

import numpy as np
import pytest

pytest.importorskip("numba")
import numpycnn
from numpycnn import layers, models, ops
from numpycnn.kernels import tape

CLASSIFIERS = [f.__name__ for f in models.CLASSIFIERS]


@pytest.fixture(autouse=True)
def threads():
    before = numpycnn.backend.threads()
    numpycnn.use("numba", threads=1)
    yield
    numpycnn.use("numba", threads=before)


def made(name, **arguments):
    net = models.build(name, seed=1, **arguments)
    net.forward(images(4), train=True)
    return net


def images(n, seed=3):
    return np.random.default_rng(seed).random((n, 28, 28, 1), dtype=np.float32)


def counted(monkeypatch):
    """A list of how many kernels each tape has that is made from now on."""
    made, jobs_of = [], tape.jobs_of

    def counting(calls):
        made.append(len(calls))
        return jobs_of(calls)

    monkeypatch.setattr(tape, "jobs_of", counting)
    return made


def test_one_image_goes_through_the_convolutions_by_one_call(monkeypatch):
    numpycnn.use("numba", threads=2)
    lengths = counted(monkeypatch)
    net = made("vgg", filters=(16, 17, 18))
    compiled, fused = numpycnn.compile(net), layers.fuse(net)
    for seed in range(4):
        x = images(1, seed)
        np.testing.assert_array_equal(compiled.infer(x), fused.infer(x))
    assert lengths == [6, 1]  # the convolutions, and the dense layer behind the pooling
    compiled.infer(images(2)), compiled.infer(images(2))
    assert lengths == [6, 1]  # two threads do two images


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_few_images_of_one_thread_have_the_bits_of_many(name, monkeypatch):
    numpycnn.use("numba", threads=1)
    lengths = counted(monkeypatch)
    net, x = made(name), images(12)
    x[3, 5, 5], x[8, 0, 0] = np.nan, np.inf
    compiled, wanted = numpycnn.compile(net), layers.fuse(net).infer(x)
    for n in (1, 2, 3, 2, 1):
        for i in range(0, 12, n):
            np.testing.assert_array_equal(compiled.infer(x[i : i + n]), wanted[i : i + n])
    assert lengths


def test_tapes_are_few_and_belong_to_one_network(monkeypatch):
    """Of images of any size, of a copy, of a pickled one: addresses are no value to copy."""
    net = made("vgg", filters=(16, 17))
    compiled, fused = numpycnn.compile(net), layers.fuse(net)
    rng, lengths = np.random.default_rng(0), counted(monkeypatch)
    for side in [*range(8, 28, 2), 28, 28]:
        x = rng.random((1, side, side, 1), dtype=np.float32)
        for _ in range(2):
            np.testing.assert_array_equal(compiled.infer(x), fused.infer(x))
    (chain,) = [step for step in compiled.run.__self__.steps if hasattr(step, "free")]
    assert lengths
    assert len(chain.free) == tape.SHAPES
    x = images(1)
    compiled.infer(x), compiled.infer(x)
    others = copy.deepcopy(compiled), pickle.loads(pickle.dumps(compiled))
    del compiled
    gc.collect()
    for other in others:
        for _ in range(3):
            np.testing.assert_array_equal(other.infer(x), fused.infer(x))


def test_large_images_are_not_kept(monkeypatch):
    lengths = counted(monkeypatch)
    net = made("vgg", filters=(16, 17))
    compiled, x = numpycnn.compile(net), images(1).repeat(4, 1).repeat(4, 2)
    for _ in range(3):
        np.testing.assert_array_equal(compiled.infer(x), layers.fuse(net).infer(x))
    assert lengths == [1]  # the dense layer


def test_a_kernel_that_fails_from_a_tape_is_run_by_python(monkeypatch):
    net, x = made("vgg", filters=(16, 17)), images(1)
    compiled, wanted = numpycnn.compile(net), layers.fuse(net).infer(x)
    for _ in range(2):
        np.testing.assert_array_equal(compiled.infer(x), wanted)
    monkeypatch.setattr(tape, "repeat", lambda jobs: tape.FAILURE)
    np.testing.assert_array_equal(compiled.infer(x), wanted)


def test_threads_have_tapes_of_their_own():
    net = made("vgg", filters=(16, 17))
    compiled, fused = numpycnn.compile(net), layers.fuse(net)
    given = [images(1, seed) for seed in range(4)]
    wanted, wrong = [fused.infer(x) for x in given], []

    def work(i):
        for _ in range(50):
            if (compiled.infer(given[i]) != wanted[i]).any():
                wrong.append(i)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.parametrize("odd", [*range(14), "all"])
def test_what_kernels_do_not_do_alone_is_not_played(odd):
    """A layer of float64 among others, for images in float32: NumPy has a part in it."""
    net = made("vgg", filters=(16, 17, 18))
    params = [param for param in net.params() if param.name in ("w", "b")]
    for param in params if odd == "all" else [params[odd]]:
        param.value = param.value.astype(np.float64)
    compiled, fused = numpycnn.compile(net), layers.fuse(net)
    for seed in range(4):
        x = images(1, seed)
        got, wanted = compiled.infer(x), fused.infer(x)
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


def test_a_function_of_no_kernel_or_of_more_than_kernels_is_called():
    twice = tape.taped(lambda x: 2 * x)
    product, w = tape.taped(lambda x: ops.dense(x, w)[0] + 1), images(1).reshape(28, 28)
    for seed in range(3):
        x = images(1, seed).reshape(28, 28)[:1]
        np.testing.assert_array_equal(twice(x), 2 * x)
        np.testing.assert_array_equal(product(x), ops.dense(x, w)[0] + 1)

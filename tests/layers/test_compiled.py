"""A compiled network gives the bits of the fused one, and says when it is out of date."""

import gc
import threading
import weakref

import numpy as np
import pytest

import numpycnn
from numpycnn import layers, models, ops, optim
from numpycnn.errors import CompiledError, ShapeError
from numpycnn.layers import compiled as module
from numpycnn.layers import traverse
from numpycnn.training import loop

CLASSIFIERS = [f.__name__ for f in models.CLASSIFIERS]


def made(name, **arguments):
    """A network whose running statistics are not those that it began with."""
    net = models.build(name, seed=1, **arguments)
    for seed in range(3):
        net.forward(images(4, seed), train=True)
    return net


def images(n, seed=3):
    return np.random.default_rng(seed).random((n, 28, 28, 1), dtype=np.float32)


@pytest.mark.parametrize("name", [*CLASSIFIERS, "autoencoder", "denoiser"])
def test_the_bits_of_the_fused_network_at_every_batch(each_backend, name):
    """The first batch of a shape is checked, the second is not; a ragged one comes last."""
    net = made(name)
    compiled, fused = numpycnn.compile(net), layers.fuse(net)
    for n in (3, 3, 1, 3, 2):
        x = images(n, seed=n)
        y = fused.infer(x)
        np.testing.assert_array_equal(compiled.infer(x), y)
        assert len(np.unique(y)) > 5


def test_other_sides_dtypes_and_layouts(each_backend):
    net = made("vgg", filters=(16, 17))
    compiled, fused = numpycnn.compile(net), layers.fuse(net)
    x = np.random.default_rng(4).random((2, 24, 20, 1), dtype=np.float32)
    others = (images(2), x, x.astype(np.float64), np.asfortranarray(x), images(2), x[:, ::-1])
    for given in (*others, *others, (255 * x).astype(np.uint8)):
        got, wanted = compiled.infer(given), fused.infer(given)
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


def test_predict_and_evaluate_take_it_in_the_place_of_the_network(each_backend):
    net, x, y = made("vgg", filters=(16, 17)), images(7), np.arange(7)
    compiled = numpycnn.compile(net)
    assert numpycnn.compile(compiled) is compiled
    assert compiled.input_shape == net.input_shape
    for size in (3, 256):
        got, wanted = (numpycnn.predict(one, x, batch_size=size) for one in (compiled, net))
        np.testing.assert_array_equal(got, wanted)
    got, wanted = numpycnn.evaluate(compiled, x, y), numpycnn.evaluate(net, x, y)
    assert got["loss"] == wanted["loss"]
    with pytest.raises(AttributeError, match="no_such"):
        _ = compiled.no_such


def test_a_layer_of_somebodys_own_runs_its_infer():
    seen = []

    class Doubled(layers.Layer):
        def infer(self, x):
            seen.append(x)
            return x * np.float32(2)

    rng = np.random.default_rng(0)
    body = layers.Sequential(layers.Conv2D(16, 16, 3, rng=rng), layers.ReLU(), Doubled())
    net = layers.Sequential(
        layers.Conv2D(1, 16, 3, rng=rng), layers.BatchNorm(16), layers.ReLU(),
        layers.Add(layers.Identity(), body), layers.Dropout(0.5), layers.GlobalAvgPool(),
    )  # fmt: skip
    compiled, fused = numpycnn.compile(net), layers.fuse(net)
    for _ in range(3):
        np.testing.assert_array_equal(compiled.infer(images(2)), fused.infer(images(2)))
    first, *_, last = seen  # nothing was written over what it was given
    np.testing.assert_array_equal(first, last)
    compiled.infer(images(2, seed=9))
    np.testing.assert_array_equal(first, last)


class MCDropout(layers.Dropout):
    """On in use, too: Gal & Ghahramani 2016."""

    def forward(self, x, train=False):
        return super().forward(x, True)


class Twice(layers.Layer):
    """Branches that are no Add's, and run forward."""

    def __init__(self):
        self.branches = [layers.Dense(4, 4, init=lambda shape, rng: np.ones(shape))]

    def forward(self, x, train=False):
        y, cache = self.branches[0].forward(x, train)
        return 2 * y, cache


def test_a_subclass_computes_what_it_computes():
    x, rng = np.ones((1, 4), np.float32), np.random.default_rng(0)
    net = layers.Sequential(MCDropout(0.5, rng=rng), layers.Identity())
    state, answers = rng.bit_generator.state, []
    for run in net.infer, lambda x: loop.logits(net, x), numpycnn.compile(net).infer:
        answers.append([run(x) for _ in range(5)])
        rng.bit_generator.state = state
    assert (np.unique(answers[0]) == [0, 2]).all()
    np.testing.assert_array_equal(answers[1], answers[0])
    np.testing.assert_array_equal(answers[2], answers[0])
    net = layers.Sequential(Twice(), layers.Identity())
    np.testing.assert_array_equal(loop.logits(net, x), np.full((1, 4), 8))


def change_a_weight(net):
    next(net.params()).value.flat[3] += 1


def change_a_statistic(net):
    list(traverse.named_buffers(net).values())[-1][0] = 7


def replace_a_weight(net):
    param = list(net.params())[-1]
    param.value = param.value.copy()


def take_a_step(net):
    optimizer = optim.Adam(net.params(), 1e-3)
    logits, cache = net.forward(images(4), train=True)
    net.backward(ops.softmax_cross_entropy(logits, np.arange(4))[1], cache)
    optimizer.step()


def replace_a_layer(net):
    net.layers[-1] = layers.Dense(17, 10, rng=np.random.default_rng(9))


def put_a_layer_in(net):
    net.layers.insert(3, layers.ReLU())


def set_an_eps(net):
    next(layer for layer in net.layers if isinstance(layer, layers.BatchNorm)).eps = 0.1


def replace_statistics(net):
    norm = next(layer for layer in net.layers if isinstance(layer, layers.BatchNorm))
    norm.running_mean = norm.running_mean + 1


CHANGES = [
    change_a_weight, change_a_statistic, replace_a_weight, take_a_step, replace_a_layer,
    put_a_layer_in, set_an_eps, replace_statistics,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("frozen", [False, True])
def test_a_network_that_changed_must_be_compiled_again(change, frozen):
    net = made("vgg", filters=(16, 17))
    whole = layers.Sequential(layers.Frozen(net)) if frozen else net
    compiled = numpycnn.compile(whole)
    before = compiled.infer(images(2))
    change(net)
    with pytest.raises(CompiledError, match="compile it again"):
        compiled.infer(images(2))
    with pytest.raises(CompiledError, match="compile it again"):
        numpycnn.predict(compiled, images(2))
    again = numpycnn.compile(whole).infer(images(2))
    np.testing.assert_array_equal(again, layers.fuse(whole).infer(images(2)))
    assert change in (replace_a_weight, put_a_layer_in) or (again != before).any()


class Own(layers.Layer):
    """Holds a layer two lists deep, an array that is no buffer, and a list that holds itself."""

    def __init__(self):
        self.rows = [[layers.Dense(4, 4, rng=np.random.default_rng(0))]]
        self.scale, self.steps = (np.ones(4, np.float32), {"more": [1.0, np.zeros(4)]}), []
        self.steps.append(self.steps)

    def infer(self, x):
        number, shift = self.scale[1]["more"]
        return number * self.scale[0] * self.rows[0][0].infer(x) + shift.astype(np.float32)


OWN_CHANGES = {
    "a layer two lists deep": lambda own: own.rows[0].__setitem__(0, layers.Dense(4, 4, init=1.0)),
    "a weight there": lambda own: own.rows[0][0].w.value.__imul__(2),
    "an array in a tuple": lambda own: own.scale[0].__imul__(2),
    "a number in a list in a dict": lambda own: own.scale[1]["more"].__setitem__(0, 3.0),
    "an array in a list in a dict": lambda own: own.scale[1]["more"][1].__iadd__(1),
}


@pytest.mark.parametrize("what", OWN_CHANGES)
def test_so_must_one_with_a_layer_of_somebodys_own(what):
    net, x = layers.Sequential(Own(), layers.Dense(4, 2, rng=np.random.default_rng(1))), np.eye(4)
    compiled = numpycnn.compile(net)
    before = compiled.infer(x.astype(np.float32))
    OWN_CHANGES[what](net.layers[0])
    with pytest.raises(CompiledError, match="compile it again"):
        compiled.infer(x.astype(np.float32))
    assert (numpycnn.compile(net).infer(x.astype(np.float32)) != before).any()
    assert (numpycnn.predict(net, x.astype(np.float32)) != before).any()


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("frozen", [False, True])
def test_predict_and_evaluate_of_the_network_itself_are_never_out_of_date(change, frozen):
    net, x = made("vgg", filters=(16, 17)), images(5)
    whole = layers.Sequential(layers.Frozen(net)) if frozen else net
    for _ in range(3):
        batches = [layers.fuse(whole).infer(x[i : i + 2]) for i in (0, 2, 4)]  # BLAS rounds by size
        wanted = ops.softmax(np.concatenate(batches))[0]
        for _ in range(2):
            np.testing.assert_array_equal(numpycnn.predict(whole, x, batch_size=2), wanted)
        change(net)


def test_predict_prepares_a_network_once_and_lets_it_go(monkeypatch):
    made_ready = []
    monkeypatch.setattr(module, "_prepared", lambda net: made_ready.append(1) or net)
    net, x = made("vgg", filters=(16, 17)), images(1)
    for _ in range(3):
        numpycnn.predict(net, x)
    assert made_ready == [1]
    where = weakref.ref(net)
    number = id(net)
    assert number in module._preparations
    del net
    gc.collect()
    assert where() is None
    assert number not in module._preparations


def test_it_neither_trains_nor_goes_back():
    compiled = numpycnn.compile(made("vgg", filters=(16,)))
    with pytest.raises(CompiledError, match="does not train"):
        compiled.forward(images(2), train=True)
    y, cache = compiled.forward(images(2))
    with pytest.raises(CompiledError, match="no backward pass"):
        compiled.backward(y, cache)


def test_threads_share_it():
    net = made("vgg", filters=(16, 17))
    compiled, wanted = numpycnn.compile(net), layers.fuse(net).infer(images(3))
    wrong = []

    def work():
        for _ in range(5):
            if (compiled.infer(images(3)) != wanted).any():
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_is_refused_is_refused_in_the_same_words():
    net = made("vgg", filters=(16, 17))
    for run in (layers.fuse(net).infer, numpycnn.compile(net).infer):
        run(images(2))
        with pytest.raises(numpycnn.errors.ShapeError, match=r"layer 1 \(Conv2D\).*channels"):
            run(np.zeros((2, 28, 28, 3), np.float32))


def test_another_backend_later():
    pytest.importorskip("numba")
    net, x = made("vgg", filters=(16, 17)), images(2)
    before = numpycnn.backend.backend()
    try:
        numpycnn.use("numba")
        compiled = numpycnn.compile(net)
        compiled.infer(x)
        for backend in ("numpy", "numba", "numpy"):
            numpycnn.use(backend)
            np.testing.assert_array_equal(compiled.infer(x), layers.fuse(net).infer(x))
    finally:
        numpycnn.use(before)


def test_a_mirror_network_refuses_the_widths_that_it_always_refuses():
    net = made("mirror_vgg")
    for run in (layers.fuse(net).infer, numpycnn.compile(net).infer):
        run(images(2))
        with pytest.raises(numpycnn.errors.ShapeError, match="leaves out the last"):
            run(np.zeros((2, 28, 30, 1), np.float32))


def test_a_layer_of_ones_own_that_refuses_a_value_is_named_each_time():
    class Dark(layers.Layer):
        def infer(self, x):
            if x.max() > 0.5:
                raise ShapeError("too bright")
            return x

    net = numpycnn.layers.Sequential(layers.ReLU(), Dark())
    compiled, dark = numpycnn.compile(net), np.zeros((1, 4), np.float32)
    for _ in range(2):
        compiled.infer(dark)
        with pytest.raises(ShapeError, match=r"layer 1 \(Dark\): too bright"):
            compiled.infer(dark + 1)


def test_a_layer_of_ones_own_may_hand_on_a_list():
    class Listed(layers.Layer):
        def infer(self, x):
            return x.tolist()

    rng = np.random.default_rng(0)
    inner = layers.Sequential(layers.Dense(6, 5, rng=rng), layers.ReLU())
    net = layers.Sequential(Listed(), inner, Listed(), layers.Dense(5, 3, rng=rng))
    compiled = numpycnn.compile(net)
    for seed in range(3):
        x = np.random.default_rng(seed).random((1, 6), np.float32)
        np.testing.assert_array_equal(compiled.infer(x), layers.fuse(net).infer(x))

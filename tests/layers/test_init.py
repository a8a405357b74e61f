"""Initialisers by their statistics, within what the number of draws allows.

LSUV by what it promises.
"""

import numpy as np
import pytest

from numpycnn import layers, models
from numpycnn.errors import ShapeError, UnknownNameError
from numpycnn.layers import init

DENSE, CONV = (300, 200), (3, 5, 40, 60)  # fan_in 300, fan_out 200; 3*5*40 = 600, 3*5*60 = 900


def draw(name, shape, seed=41):
    return init.draw(name, shape, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("name", "shape", "variance"),
    [
        ("he_normal", DENSE, 2 / 300),
        ("he_normal", CONV, 2 / 600),
        ("lecun_normal", DENSE, 1 / 300),
        ("lecun_normal", CONV, 1 / 600),
        ("glorot_uniform", DENSE, 2 / 500),
        ("glorot_uniform", CONV, 2 / 1500),
    ],
)
def test_mean_variance_and_shape_of_the_distribution(name, shape, variance):
    w = draw(name, shape).astype(float)
    n, kurtosis = w.size, 1.8 if "uniform" in name else 3
    assert w.shape == shape
    # five deviations: of the mean sqrt(variance / n), of the variance variance * sqrt((kurtosis -
    # 1) / n)
    assert abs(w.mean()) < 5 * np.sqrt(variance / n)
    assert abs(w.var() / variance - 1) < 5 * np.sqrt((kurtosis - 1) / n)
    # of the fourth moment variance^2 * sqrt(105 - 9) / sqrt(n) for a normal, and less for a uniform
    assert abs((w**4).mean() / variance**2 - kurtosis) < 5 * 10 / np.sqrt(n)
    if "uniform" in name:
        assert np.abs(w).max() <= np.sqrt(3 * variance) * (1 + 1e-6)


@pytest.mark.parametrize("shape", [(30, 20), (20, 30), (3, 3, 4, 5), (1, 2, 3, 40)])
def test_orthonormal(shape):
    w = draw("orthonormal", shape).reshape(-1, shape[-1]).astype(float)
    product = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-6)


def test_orthonormal_has_no_favourite_sign():
    """QR alone makes the diagonal of r negative, and every first weight with it."""
    first = [draw("orthonormal", (3, 3), seed)[0, 0] for seed in range(200)]
    assert abs(np.mean(np.array(first) > 0) - 0.5) < 5 * 0.5 / np.sqrt(200)


@pytest.mark.parametrize("name", init.INITIALISERS)
def test_a_seed_fixes_the_weights_and_nothing_else_does(name):
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    w = draw(name, (3, 2, 5, 7))
    assert w.dtype == np.float32
    assert w.flags.c_contiguous
    np.testing.assert_array_equal(draw(name, (3, 2, 5, 7)), w)
    assert not np.array_equal(draw(name, (3, 2, 5, 7), seed=42), w)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_without_a_generator_weights_are_new_every_time():
    assert not np.array_equal(
        init.draw("he_normal", DENSE, None), init.draw("he_normal", DENSE, None)
    )


def test_a_function_may_draw():
    w = init.draw(lambda shape, rng: np.full(shape, 0.5), (2, 3), np.random.default_rng(0))
    assert w.dtype == np.float32
    np.testing.assert_array_equal(w, 0.5)


def test_a_function_must_draw_the_shape_that_was_asked_for():
    with pytest.raises(ShapeError):
        init.draw(lambda shape, rng: np.ones(3), (2, 3), np.random.default_rng(0))


def test_the_transposed_layer_draws_for_its_own_fan_in():
    w = layers.ConvTranspose2D(50, 20, 3, rng=np.random.default_rng(43)).w.value
    assert w.shape == (3, 3, 20, 50)
    assert abs(w.var() / (2 / 450) - 1) < 5 * np.sqrt(2 / w.size)


def test_he_keeps_the_signal_alive_through_ten_layers():
    rng = np.random.default_rng(44)
    net = layers.Sequential(
        [f() for _ in range(10) for f in (lambda: layers.Dense(300, 300, rng=rng), layers.ReLU)]
    )
    y = net.infer(rng.standard_normal((200, 300)).astype(np.float32))
    assert 0.3 < (y**2).mean() < 3


@pytest.mark.parametrize("shape", [(0, 3), (3, -1), (2.5, 3)])
def test_sizes_below_one_are_refused(shape):
    with pytest.raises(ShapeError, match="sizes of at least 1"):
        draw("he_normal", shape)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(
        UnknownNameError, match="unknown initialiser 'glorot'; did you mean glorot_uniform"
    ):
        draw("glorot", DENSE)


def test_what_no_memory_could_hold_is_refused_before_it_is_asked_for():
    with pytest.raises(
        ShapeError,
        match=r"shape \(1000000, 1000000, 1000000\) would need 4,000,000,000,000,000,000 bytes",
    ):
        draw("he_normal", (10**6, 10**6, 10**6))


# ---- LSUV ---------------------------------------------------------------------------------------


def nets():
    rng = np.random.default_rng(45)
    yield models.vgg(filters=(6, 8), input_shape=(8, 8, 1), rng=rng), (16, 8, 8, 1)
    yield (
        models.alexnet(
            filters=(4, 6), kernel_size=3, hidden=(20, 10), input_shape=(8, 8, 1), rng=rng
        ),
        (16, 8, 8, 1),
    )
    body = layers.Sequential(layers.Dense(9, 9, rng=rng), layers.Tanh())
    yield (
        layers.Sequential(
            layers.Dense(5, 9, rng=rng),
            layers.Add(layers.Identity(), body),
            layers.Dense(9, 4, rng=rng),
        ),
        (64, 5),
    )
    yield layers.Dense(5, 4, rng=rng), (64, 5)


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("tolerance", [0.05, 0.01])
def test_lsuv_brings_every_layers_variance_to_one(which, tolerance):
    net, shape = list(nets())[which]
    x = (3 * np.random.default_rng(46).standard_normal(shape) + 1).astype(np.float32)
    before = {}

    def note(store):
        def seen(path, layer, x, y, cache):
            if hasattr(layer, "w"):
                store[path] = float(y.var())

        return seen

    from numpycnn.layers.traverse import watch

    rows = init.lsuv(net, x, np.random.default_rng(47), tolerance)
    after = {}
    with watch(net, note(after)):
        net.forward(x)
    assert [path for path, _, _ in rows] == list(after)
    for path, variance, reported in rows:
        assert abs(after[path] - 1) <= tolerance + 1e-4
        assert reported == pytest.approx(after[path], abs=1e-4)
        before[path] = variance
    assert any(abs(v - 1) > tolerance for v in before.values())


def test_lsuv_reports_the_variance_that_it_found():
    """The first layer's is that of the drawn weights.

    A later layer's already stands on scaled layers.
    """
    net, x = (
        layers.Dense(50, 40, rng=np.random.default_rng(48)),
        np.random.default_rng(49).standard_normal((500, 50)),
    )
    wanted = float(net.infer(x).var())
    w = net.w.value.copy()
    ((path, before, after),) = init.lsuv(net, x, np.random.default_rng(50))
    assert path == ""
    assert before == pytest.approx(wanted, rel=1e-9)
    assert not np.array_equal(net.w.value, w)
    directions = net.w.value / np.linalg.norm(net.w.value, axis=0)
    np.testing.assert_allclose(
        directions.T @ directions, np.eye(40), atol=1e-5
    )  # scaled, but still orthogonal
    assert 0.95 <= after <= 1.05


def test_lsuv_of_a_layer_in_two_places():
    shared = layers.Dense(6, 6, rng=np.random.default_rng(52))
    net = layers.Sequential(shared, layers.ReLU(), shared)
    x = np.random.default_rng(53).standard_normal((200, 6), dtype=np.float32)
    [(path, _, after)] = init.lsuv(net, x, np.random.default_rng(54))
    assert (path, after) == ("2", pytest.approx(shared.infer(x).var(), rel=1e-4))
    assert 0.95 <= after <= 1.05


def test_lsuv_leaves_statistics_and_a_dead_layer_alone():
    net = layers.Sequential(layers.Dense(4, 3), layers.BatchNorm(3), layers.Dense(3, 2))
    rows = init.lsuv(net, np.zeros((8, 4), np.float32), np.random.default_rng(51))
    assert [v for _, *pair in rows for v in pair] == [0, 0, 0, 0]
    assert np.isfinite(net.layers[0].w.value).all()
    assert (net.layers[1].running_var == 1).all()

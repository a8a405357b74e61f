"""Optimisers as objects: what they step, keep, and refuse.

Their rules are in ops/test_update.py.
"""

import numpy as np
import pytest

from numpycnn import layers, ops, optim
from numpycnn.errors import CheckpointError

KINDS = {
    "sgd": lambda params, **more: optim.SGD(params, **{"lr": 0.1, "momentum": 0.9, **more}),
    "nesterov": lambda params, **more: optim.SGD(
        params, **{"lr": 0.1, "momentum": 0.9, "nesterov": True, **more}
    ),
    "adam": lambda params, **more: optim.Adam(params, **{"lr": 0.1, **more}),
    "adamw": lambda params, **more: optim.AdamW(params, **{"lr": 0.1, **more}),
    "muon": lambda params, **more: optim.Muon(params, **{"lr": 0.1, "rest": 1.0, **more}),
    "rmsprop": lambda params, **more: optim.RMSProp(params, **{"lr": 0.05, **more}),
}


def params(seed=61):
    rng = np.random.default_rng(seed)
    return [
        layers.Param(n, rng.standard_normal(s).astype(np.float32))
        for n, s in (("w", (3, 2)), ("b", (2,)))
    ]


def give_gradients(ps, seed):
    rng = np.random.default_rng(seed)
    for p in ps:
        p.grad = rng.standard_normal(p.value.shape).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_a_line(each_backend, kind):
    rng = np.random.default_rng(62)
    net, x = layers.Dense(3, 2, rng=rng), rng.standard_normal((64, 3)).astype(np.float32)
    target = x @ rng.standard_normal((3, 2)).astype(np.float32) + np.float32(0.5)
    optimiser = KINDS[kind](net.params(), weight_decay=0.0)
    for _ in range(150):
        y, cache = net.forward(x, train=True)
        loss, dy = ops.mse(y, target)
        net.backward(dy, cache)
        optimiser.step()
        optimiser.zero_grad()
    assert loss < 1e-4
    assert optimiser.steps == 150


@pytest.mark.parametrize("kind", KINDS)
def test_weights_decay_and_vectors_do_not(each_backend, kind):
    ps = params()
    before = [p.value.copy() for p in ps]
    optimiser = KINDS[kind](ps, weight_decay=0.5)
    for p in ps:
        p.grad = np.zeros_like(p.value)
    optimiser.step()
    assert (np.abs(ps[0].value) < np.abs(before[0])).all()
    np.testing.assert_array_equal(ps[1].value, before[1])


def test_adamw_takes_off_lr_times_decay_and_decays_by_default(each_backend):
    for arguments, decay in (({}, 0.01), ({"weight_decay": 0.2}, 0.2)):
        ps = params()
        wanted = ps[0].value * (1 - 0.1 * decay)
        optimiser = optim.AdamW(ps, lr=0.1, **arguments)
        ps[0].grad = np.zeros_like(ps[0].value)
        optimiser.step()
        np.testing.assert_allclose(ps[0].value, wanted, rtol=1e-6)


def test_defaults():
    ps = params()
    sgd, adam = optim.SGD(ps), optim.Adam(ps)
    assert (sgd.lr, sgd.momentum, sgd.nesterov, sgd.weight_decay) == (0.01, 0.0, False, 0.0)
    assert (adam.lr, adam.beta1, adam.beta2, adam.eps, adam.weight_decay) == (
        1e-3,
        0.9,
        0.999,
        1e-8,
        0.0,
    )
    adamw = optim.AdamW(ps)
    assert (adamw.lr, adamw.beta1, adamw.beta2, adamw.eps, adamw.weight_decay) == (
        1e-3,
        0.9,
        0.999,
        1e-8,
        0.01,
    )
    muon = optim.Muon(ps)
    assert (muon.lr, muon.muon_momentum, muon.rest, muon.momentum, muon.weight_decay) == (
        0.015,
        0.9,
        8.0,
        0.9,
        0.0,
    )
    assert {
        "sgd": optim.SGD, "adam": optim.Adam, "adamw": optim.AdamW, "rmsprop": optim.RMSProp,
        "muon": optim.Muon,
    } == optim.OPTIMIZERS  # fmt: skip


def test_adams_decay_goes_through_the_gradient(each_backend):
    """Its first step has the size lr whatever the gradient is: by decay alone a weight of 100 moves
    by lr.
    """
    ps = params()
    ps[0].value[...], ps[0].grad = 100, np.zeros_like(ps[0].value)
    optim.Adam(ps, lr=0.1, weight_decay=0.5).step()
    np.testing.assert_allclose(ps[0].value, 99.9, rtol=1e-6)


def test_betas_of_zero_are_possible():
    optim.Adam(params(), beta1=0, beta2=0)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_gradient_nothing_moves(each_backend, kind):
    ps = params()
    before = [p.value.copy() for p in ps]
    optimiser = KINDS[kind](ps, weight_decay=0.5)
    give_gradients(ps[:1], 63)
    optimiser.step()
    assert not np.array_equal(ps[0].value, before[0])
    np.testing.assert_array_equal(ps[1].value, before[1])
    optimiser.zero_grad()
    assert all(p.grad is None for p in ps)
    moved = ps[0].value.copy()
    optimiser.step()
    np.testing.assert_array_equal(ps[0].value, moved)


def test_the_arrays_stay_the_networks_own(each_backend):
    ps = params()
    values = [p.value for p in ps]
    optimiser = optim.Adam(ps)
    give_gradients(ps, 64)
    kept = [p.grad.copy() for p in ps]
    optimiser.step()
    assert all(p.value is v for p, v in zip(ps, values, strict=True))
    for p, grad in zip(ps, kept, strict=True):
        np.testing.assert_array_equal(p.grad, grad)


def test_two_networks_two_optimisers(each_backend):
    one, other = params(), params(65)
    before = [p.value.copy() for p in other]
    give_gradients(one + other, 66)
    optim.Adam(one).step()
    for p, value in zip(other, before, strict=True):
        np.testing.assert_array_equal(p.value, value)


def test_the_learning_rate_may_be_changed_between_steps(each_backend):
    ps = params()
    optimiser = optim.SGD(ps, lr=1.0)
    for lr in (0.5, 0.0):
        before = [p.value.copy() for p in ps]
        give_gradients(ps, 67)
        optimiser.lr = lr
        optimiser.step()
        for p, value in zip(ps, before, strict=True):
            np.testing.assert_allclose(p.value, value - lr * p.grad, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_state_taken_and_given_back_continues_to_the_bit(each_backend, kind):
    one, other = params(), params(68)
    a, b = KINDS[kind](one), KINDS[kind](other)
    for seed in range(3):
        give_gradients(one, seed)
        a.step()
    b.load_state({k: v.copy() for k, v in a.state_arrays().items()}, a.steps)
    for p, q in zip(one, other, strict=True):
        q.value[...] = p.value
    for seed in range(3, 6):
        for ps, optimiser in ((one, a), (other, b)):
            give_gradients(ps, seed)
            optimiser.step()
    assert a.steps == b.steps == 6
    for p, q in zip(one, other, strict=True):
        np.testing.assert_array_equal(p.value, q.value)


def test_state_of_something_else_is_refused_before_anything_changes():
    adam = optim.Adam(params())
    assert set(adam.state_arrays()) == {"0.m", "0.v", "1.m", "1.v"}
    good = {k: np.ones_like(v) for k, v in adam.state_arrays().items()}
    for bad in (
        optim.SGD(params()).state_arrays(),
        {**good, "2.m": np.ones(1)},
        {**good, "1.v": np.ones(3)},
    ):
        with pytest.raises(CheckpointError, match="not that of Adam for these parameters"):
            adam.load_state(bad, 7)
    assert not any(a.any() for a in adam.state_arrays().values())
    assert adam.steps == 0


@pytest.mark.parametrize("lr", [-0.1, np.nan, np.inf])
@pytest.mark.parametrize("kind", KINDS)
def test_impossible_rates(kind, lr):
    with pytest.raises(ValueError, match="lr must be finite and at least 0"):
        KINDS[kind](params(), lr=lr)
    with pytest.raises(ValueError, match="weight_decay must be finite and at least 0"):
        KINDS[kind](params(), weight_decay=lr)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: optim.SGD([]), "no parameters"),
        (lambda: optim.SGD(params(), momentum=1.0), "momentum"),
        (lambda: optim.SGD(params(), momentum=-0.1), "momentum"),
        (lambda: optim.Adam(params(), beta1=1), "betas"),
        (lambda: optim.Adam(params(), beta1=-0.5), "betas"),
        (lambda: optim.Adam(params(), beta2=-0.5), "betas"),
        (lambda: optim.Adam(params(), beta2=1), "betas"),
        (lambda: optim.Adam(params(), eps=0), "eps"),
        (lambda: optim.Muon(params(), momentum=1.0), "momentum"),
        (lambda: optim.Muon(params(), momentum=-0.1), "momentum"),
        (lambda: optim.Muon(params(), rest=-1), "rest"),
        (lambda: optim.Muon(params(), rest_momentum=1.0), "rest_momentum must be"),
        (lambda: optim.EMA(optim.SGD(params()), layers.Dense(2, 3), 1.0), "decay of an average"),
        (lambda: optim.EMA(optim.SGD(params()), layers.Dense(2, 3), -0.1), "decay of an average"),
        (lambda: optim.clip_gradients(params(), 0.0), "must be positive"),
        (lambda: optim.clip_gradients(params(), np.nan), "must be positive"),
    ],
)
def test_impossible_settings(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_a_generator_that_was_used_up_is_noticed():
    generator = layers.Dense(2, 3).params()
    optim.SGD(generator)
    with pytest.raises(ValueError, match="can be used only once"):
        optim.SGD(generator)


@pytest.mark.parametrize("kind", KINDS)
def test_a_shared_parameter_is_stepped_once(kind):
    shared, alone = (
        layers.Dense(3, 3, rng=np.random.default_rng(69)),
        layers.Dense(3, 3, rng=np.random.default_rng(69)),
    )
    for net, layer in ((layers.Sequential(shared, shared), shared), (alone, alone)):
        optimiser = KINDS[kind](net.params())
        give_gradients([layer.w, layer.b], 70)
        optimiser.step()
    np.testing.assert_array_equal(shared.w.value, alone.w.value)


def test_muon_turns_convolutions_and_leaves_the_rest_to_nesterov(each_backend):
    """The angle of a step is lr, nearly, whatever the size of weights and gradient.

    The norm stays.
    """
    rng = np.random.default_rng(71)
    conv, dense = (
        layers.Param("w", rng.standard_normal(s).astype(np.float32)) for s in ((3, 3, 4, 8), (6, 5))
    )
    other = layers.Param("w", dense.value.copy())
    muon = optim.Muon(
        [conv, dense], lr=0.1, momentum=0.5, rest=2.0, rest_momentum=0.8, weight_decay=0.01
    )
    sgd = optim.SGD([other], lr=0.2, momentum=0.8, nesterov=True, weight_decay=0.01)
    for _ in range(3):
        give_gradients([conv, dense], 72)
        conv.grad *= np.float32(1e3)
        other.grad, before = dense.grad, conv.value.copy()
        muon.step(), sgd.step()
        norms = np.linalg.norm(conv.value), np.linalg.norm(before)
        assert norms[0] == pytest.approx(norms[1], rel=1e-5)
        assert np.arccos((conv.value * before).sum() / np.prod(norms)) == pytest.approx(
            0.1, rel=0.25
        )
    np.testing.assert_array_equal(dense.value, other.value)


def averaged(decay=0.5):
    net = layers.Sequential(layers.Dense(2, 3, rng=np.random.default_rng(73)), layers.BatchNorm(3))
    return net, optim.EMA(optim.SGD(net.params(), lr=0.1, momentum=0.9), net, decay)


def test_the_average_by_hand(each_backend):
    """d = min(decay, (1 + t) / (10 + t)): 2/11 after the first step, 3/12 after the second, then
    the decay.
    """
    net, optimiser = averaged(decay=0.3)
    first, norm = net.layers
    wanted, mean = first.w.value.astype(np.float64), norm.running_mean.astype(np.float64)
    for t, keep in ((1, 2 / 11), (2, 3 / 12), (3, 0.3)):
        give_gradients(list(net.params()), t)
        norm.running_mean[...] = t
        optimiser.step()
        wanted = keep * wanted + (1 - keep) * first.w.value
        mean = keep * mean + (1 - keep) * t
    shown = optimiser.average.layers
    np.testing.assert_allclose(shown[0].w.value, wanted, rtol=1e-6)
    np.testing.assert_allclose(shown[1].running_mean, mean, rtol=1e-6)
    assert not np.allclose(first.w.value, wanted, rtol=1e-4)
    optimiser.copy_to(net)
    np.testing.assert_array_equal(first.w.value, shown[0].w.value)
    np.testing.assert_array_equal(norm.running_mean, shown[1].running_mean)
    assert optimiser.steps == 3
    optimiser.lr = 0.7
    assert (optimiser.lr, optimiser.optimizer.lr) == (0.7, 0.7)
    optimiser.zero_grad()
    assert all(p.grad is None for p in optimiser.params)


class Centre(layers.Layer):
    """x minus a running mean, which each pass in training sets anew."""

    buffer_names = ("mean", "count")

    def __init__(self):
        self.mean, self.count = np.zeros(2, np.float32), np.zeros(1, int)

    def forward(self, x, train=False):
        if train:
            self.mean, self.count = 0.5 * self.mean + 0.5 * x.mean(0), self.count + 1
        return x - self.mean, None


def test_a_statistic_that_is_set_anew_is_averaged_and_once_in_two_places():
    shared, dense = Centre(), layers.Dense(2, 2)
    net = layers.Sequential(shared, dense, shared)
    optimiser = optim.EMA(optim.SGD(net.params()), net, 0.0)
    x = np.array([[1, 2], [3, 8]], np.float32)
    shared.forward(x, train=True)
    optimiser.step()
    np.testing.assert_array_equal(shared.mean, [1, 2.5])
    np.testing.assert_array_equal(optimiser.average.layers[0].mean, [1, 2.5])
    optimiser.decay = 0.3
    shared.forward(x, train=True)  # [1.5, 3.75], of which 1 - 3 / 12 is taken
    optimiser.step()
    optimiser.copy_to(net)
    np.testing.assert_array_equal(shared.mean, [1.375, 3.4375])
    np.testing.assert_array_equal(shared.count, [2])


def test_an_average_taken_and_given_back_continues_to_the_bit():
    (one, a), (other, b) = averaged(), averaged()
    for seed in range(2):
        give_gradients(list(one.params()), seed)
        a.step()
    kept = {k: v.copy() for k, v in a.state_arrays().items()}
    for bad in (
        optim.SGD(one.params()).state_arrays(),
        {**kept, "average.0.w": np.ones(2)},
        {**kept, "9.velocity": 1},
    ):
        with pytest.raises(CheckpointError, match=r"no average|not that of SGD"):
            b.load_state(bad, 2)
    assert b.steps == 0
    np.testing.assert_array_equal(b.average.layers[0].w.value, other.layers[0].w.value)
    b.load_state(kept, 2)
    for p, q in zip(one.params(), other.params(), strict=True):
        q.value[...] = p.value
    for net, optimiser in ((one, a), (other, b)):
        give_gradients(list(net.params()), 5)
        optimiser.step()
    for p, q in zip(a.average.params(), b.average.params(), strict=True):
        np.testing.assert_array_equal(p.value, q.value)


def test_clipping_scales_all_gradients_as_one_vector():
    ps = params()
    ps.append(layers.Param("idle", np.ones(3, np.float32)))
    ps[0].grad, ps[1].grad = (
        np.full((3, 2), 2, np.float32),
        np.full(2, -5, np.float32),
    )  # 6 * 4 + 2 * 25 = 74
    assert optim.clip_gradients(ps, 10) == pytest.approx(74**0.5)
    assert (ps[0].grad == 2).all()
    assert optim.clip_gradients(ps, 1.0) == pytest.approx(74**0.5)
    np.testing.assert_allclose(ps[0].grad, 2 / 74**0.5, rtol=1e-6)
    np.testing.assert_allclose(ps[1].grad, -5 / 74**0.5, rtol=1e-6)
    assert ps[2].grad is None
    assert optim.clip_gradients([*ps, ps[0]], 0.5) == pytest.approx(
        1
    )  # one in two places counts once
    np.testing.assert_allclose(ps[0].grad, 1 / 74**0.5, rtol=1e-6)


def two_networks():
    a, b = params(1), params(2)
    return a + b, optim.OptimizerGroup(first=optim.Adam(a, 0.1), second=optim.RMSProp(b, 0.01))


def test_together_each_goes_on_where_it_was(each_backend):
    """Steps, learning rates and moments of both are taken up: the next step has the same bits."""
    own, pair = two_networks()
    for seed in range(3):
        give_gradients(own, seed)
        pair.first.step()
        if seed < 2:
            pair.second.step()
    pair.first.lr = 0.05
    assert (pair.steps, pair.first.steps, pair.second.steps) == (5, 3, 2)
    others, again = two_networks()
    for mine, its in zip(own, others, strict=True):
        its.value[...] = mine.value
    again.load_state(
        {name: array.copy() for name, array in pair.state_arrays().items()}, pair.steps
    )
    assert (again.first.lr, again.second.lr, again.first.steps, again.second.steps) == (
        0.05,
        0.01,
        3,
        2,
    )
    for ps, both in ((own, pair), (others, again)):
        give_gradients(ps, 9)
        both.first.step()
        both.second.step()
    for mine, its in zip(own, others, strict=True):
        assert mine.value.tobytes() == its.value.tobytes()


def test_together_refuses_the_state_of_others():
    _, pair = two_networks()
    with pytest.raises(CheckpointError, match="first, second"):
        pair.load_state(optim.Adam(params(), 0.1).state_arrays(), 1)
    before = {name: array.copy() for name, array in pair.state_arrays().items()}
    for name, wrong in (
        ("second.0.square", np.ones((9, 9), np.float32)),
        ("first.steps and lr", np.ones(3)),
    ):
        with pytest.raises(CheckpointError, match="first, second"):
            pair.load_state({key: array + 1 for key, array in before.items()} | {name: wrong}, 1)
        for key, array in pair.state_arrays().items():
            np.testing.assert_array_equal(array, before[key])


def test_clipping_leaves_what_is_small_enough():
    ps = params()
    before = [p.value.copy() for p in ps]
    optim.clip_weights(ps, 0.3)
    for p, old in zip(ps, before, strict=True):
        assert np.abs(p.value).max() == np.float32(0.3)
        small = np.abs(old) <= 0.3
        np.testing.assert_array_equal(p.value[small], old[small])
        np.testing.assert_array_equal(np.sign(p.value), np.sign(old))


def test_clipping_one_array_that_two_parameters_were_given_scales_it_once():
    p, q = (layers.Param(name, np.zeros(3, np.float32)) for name in "pq")
    shared = np.full(3, 10, np.float32)
    p.add_grad(shared)
    q.add_grad(shared)
    optim.clip_gradients([p, q], 1.0)
    norm = np.sqrt((p.grad**2).sum() + (q.grad**2).sum())
    assert norm == pytest.approx(1, rel=1e-6)
    np.testing.assert_array_equal(shared, [10, 10, 10])

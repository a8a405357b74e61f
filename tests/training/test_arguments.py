"""fit's arguments in the forms that Keras and scikit-learn have, and what contradicts."""

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import optim
from numpycnn.layers import BatchNorm, Conv2D, Dense, Flatten, GlobalAvgPool, ReLU, Sequential
from tests.helpers import arrays, fit, pictures, same, small

pytestmark = pytest.mark.filterwarnings("ignore:classes? .* never predicted")
X, Y = pictures(42)
RARE = np.flatnonzero((Y != 3) | (np.arange(42) % 3 == 0))


def trained(x=X, y=Y, **given):
    net = small()
    fit(net, x, y, **given)
    return arrays(net)


@pytest.mark.parametrize(
    ("given", "weights"),
    [
        ({0: 2, 3: 0.5}, [2, 1, 1, 0.5]),  # as in Keras and scikit-learn
        ({np.int64(1): 3}, [1, 3, 1, 1]),
        ({"c": 4, 0: 2}, [2, 1, 4, 1]),  # by name
        ((1, 2, 3, 4), [1, 2, 3, 4]),
        (np.array([1, 2, 3, 4], np.float32), [1, 2, 3, 4]),
        ("balanced", nc.data.balance.class_weights(Y[RARE], 4)),
    ],
)
def test_class_weights_in_every_usual_form(given, weights):
    data, names = (X[RARE], Y[RARE]), {"classes": ["a", "b", "c", "d"]}
    wanted = trained(*data, class_weight=list(weights))
    assert same(trained(*data, class_weight=given, metadata=names), wanted)
    assert not same(trained(*data), wanted)


@pytest.mark.parametrize(
    "given",
    [{4: 1}, {-1: 1}, {"x": 1}, {1.5: 1}, "balance", [1, 2], [[1, 2, 3, 4]], "1234", 3, {1: -1},
     {1: float("nan")}, ["a", "b", "c", "d"], {0: 0}, {0: 0, 1: 0, 2: 0, 3: 0}],
)  # fmt: skip
def test_class_weights_that_are_none(given):
    net = small()
    before = arrays(net)
    with pytest.raises(ValueError, match="class_weight"):
        fit(net, X, Y, class_weight=given)
    assert same(arrays(net), before)


@pytest.mark.parametrize("name", optim.OPTIMIZERS)
def test_an_optimizer_by_name_or_class(name):
    kind, net = optim.OPTIMIZERS[name], small()
    fit(net, X, Y, optimizer=kind(net.params(), 0.02))
    for form in (name, name.upper(), kind):
        assert same(trained(optimizer=form, lr=0.02), arrays(net))
    assert not same(trained(optimizer=name), arrays(net))  # its own learning rate


def test_adam_at_a_thousandth_is_what_fit_takes():
    assert same(trained(), trained(optimizer="adam", lr=1e-3))
    assert same(trained(), trained(lr=0.001))


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"optimizer": "adma"}, ValueError, "unknown optimizer 'adma'; did you mean adam"),
        ({"optimizer": 3}, TypeError, "optimizer must be one of numpycnn.optim, or its name"),
        ({"optimizer": {"lr": 1}}, TypeError, "optimizer must be"),
        ({"optimizer": nc.layers.Dense}, TypeError, "optimizer must be"),
        ({"optimizer": "sgd", "lr": -1}, ValueError, "lr must be finite"),
    ],
)
def test_optimizers_that_are_none(given, kind, message):
    with pytest.raises(kind, match=message):
        fit(small(), X, Y, **given)


def test_parameters_that_the_optimizer_does_not_step_are_named(recwarn):
    net = small()
    part = optim.SGD([p for p in net.params() if p.name == "gamma"], 0.1)
    with pytest.warns(UserWarning, match=r"not stepped by the optimizer: 1\.w, 1\.b, .* more"):
        fit(net, X, Y, epochs=1, optimizer=part)
    recwarn.clear()
    frozen = nc.models.freeze(net, 4)
    fit(frozen, X, Y, epochs=1, optimizer=optim.SGD(frozen.params(), 0.1))
    assert not [one for one in recwarn if "not stepped" in str(one.message)]


@pytest.mark.parametrize(
    ("schedule", "gives"),
    [
        (lambda t: 1 - 3 * t, r"<lambda> gives -0\.2\d* after 40% of training"),
        (lambda t: float("inf"), "gives inf after 0%"),
        (lambda t: None, "gives None after 0%"),
    ],
)
def test_a_schedule_that_gives_no_factor_is_refused(schedule, gives):
    net = small()
    before = arrays(net)
    with pytest.raises(ValueError, match=gives):
        fit(net, X, Y, schedule=schedule)
    assert same(arrays(net), before)
    fit(net, X, Y, epochs=1, schedule=lambda t: 1 - t)


@pytest.mark.parametrize("lr", [0.1, 0.02, 0])
def test_lr_beside_an_optimizer_that_has_its_own_is_refused(lr):
    net = small()
    with pytest.raises(ValueError, match=r"beside an optimizer, whose own is 0.02"):
        fit(net, X, Y, optimizer=optim.SGD(net.params(), 0.02), lr=lr)


def test_labels_in_a_column_as_keras_gives_them():
    column = Y.reshape(-1, 1)
    given = {"validation": (X, column)}
    assert same(trained(X, column, **given), trained(X, Y, validation=(X, Y)))
    net = small()
    assert nc.evaluate(net, X, column)["loss"] == nc.evaluate(net, X, Y)["loss"]


def test_one_output_for_two_classes_is_named():
    rng = np.random.default_rng(0)
    net = Sequential(Flatten(), Dense(144, 1, rng=rng))
    x = (X / 255).astype(np.float32)
    for go in (
        lambda: fit(net, x, Y % 2),
        lambda: nc.evaluate(net, x, Y % 2),
        lambda: nc.predict(net, x),
    ):
        with pytest.raises(ValueError, match=r"one output; .* 2 outputs for two classes"):
            go()


def dense_norm():
    rng = np.random.default_rng(0)
    layers = [Flatten(), Dense(144, 8, rng=rng), BatchNorm(8), ReLU(), Dense(8, 4, rng=rng)]
    return Sequential(*layers)


def after_pool():
    """One value a channel, of a network whose batch norm stands after a global pool."""
    rng = np.random.default_rng(0)
    return Sequential(Conv2D(1, 8, 3, rng=rng), GlobalAvgPool(), BatchNorm(8), Dense(8, 4, rng=rng))


@pytest.mark.parametrize("build", [dense_norm, after_pool])
@pytest.mark.parametrize(("n", "size"), [(33, 16), (33, 32), (17, 16), (9, 2), (5, 1), (1, 32)])
def test_a_last_batch_of_one_is_refused_before_the_first_step(build, n, size, tmp_path):
    x, y = (X[:n] / 255).astype(np.float32), Y[:n]
    net = build()
    before = arrays(net)
    message = f"batch_size={size} leave a last batch of one image.*(use batch_size=|more images)"
    with pytest.raises(ValueError, match=message) as caught:
        fit(net, x, y, batch_size=size, out=tmp_path / "run")
    assert same(arrays(net), before)
    assert not (tmp_path / "run").exists()
    assert "larger batch" not in str(caught.value)
    if n > 1:
        better = int(str(caught.value).partition("use batch_size=")[2].partition(",")[0])
        assert fit(net, x, y, batch_size=better, epochs=1).epochs == 1


def test_a_last_batch_of_one_is_no_matter_elsewhere():
    assert fit(small(), X[:33], Y[:33]).epochs == 2  # its batch norm has many pixels
    rng = np.random.default_rng(0)
    net = Sequential(Flatten(), Dense(144, 4, rng=rng))
    assert fit(net, (X[:33] / 255).astype(np.float32), Y[:33]).epochs == 2


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (
            Y != 0,
            r"no training image has the class shoe \(of 4\): if labels count from 1, use y - 1",
        ),
        (Y % 2 == 1, r"the classes shoe, bag \(of 4\): .*np.unique\(y, return_inverse=True\)\[1\]"),
        (Y < 2, r"the classes bag, hat \(of 4\): the network can never learn them"),
    ],
)
def test_classes_without_a_training_image_are_named(keep, message):
    names = {"classes": ["shoe", "shirt", "bag", "hat"]}
    with pytest.warns(UserWarning, match=message):
        fit(small(), X[keep], Y[keep], metadata=names)


def test_classes_that_all_have_images_are_not_mentioned(recwarn):
    fit(small(), X, Y)
    assert not recwarn.list


def test_sampling_is_balanced_or_nothing_and_not_beside_class_weights():
    x, y = pictures(32)
    with pytest.raises(ValueError, match="the only name is 'balanced'"):
        fit(small(), x, y, sampling="equal")
    with pytest.raises(ValueError, match="choose one"):
        fit(small(), x, y, sampling="balanced", class_weight="balanced")
